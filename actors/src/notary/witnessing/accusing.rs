//! What a witness holds against the log is kept beside the log: neither a restart nor its silence takes
//! that back.

use vyrox_journal::proof::{Accusation, Notary};

use super::{Known, WitnessState};

impl Known {
    /// Keeps what it accuses the log of, if it does. Where that fails, what is in memory bars as well, and
    /// the next answer is one more try.
    pub(super) fn keep_accusation(&self, notary: &mut Notary, now_ms: u64) {
        let (size, seen) = match self.state {
            WitnessState::RolledBack { local, seen } => (local, Some(seen)),
            WitnessState::Contradicts { size } => (size, None),
            WitnessState::Unasked | WitnessState::Cosigned | WitnessState::Failing(_) => return,
        };
        let accusation = Accusation {
            key: self.key.clone(),
            size,
            seen,
            time_ms: now_ms,
        };
        if let Err(error) = notary.accuse(accusation) {
            let witness = self.key.name();
            tracing::error!(%witness, %error, "what a witness accuses the log of could not be kept");
        }
    }

    /// What it accused the log of before the log was opened counts as its last answer.
    pub(super) fn recall(&mut self, notary: &Notary) {
        let Some(accusation) = notary.accusation_of(&self.key) else {
            return;
        };
        let Accusation {
            size,
            seen,
            time_ms,
            ..
        } = *accusation;
        self.state = match seen {
            Some(seen) => WitnessState::RolledBack { local: size, seen },
            None => WitnessState::Contradicts { size },
        };
        let (witness, state) = (self.key.name(), &self.state);
        tracing::error!(%witness, %state, time_ms, "a witness accused the log, and has not cosigned it since");
    }
}
