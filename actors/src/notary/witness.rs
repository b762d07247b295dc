//! Witnesses, as the notary sees them: servers of others that remember how long the log was and say so
//! with their signature.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use vyrox_journal::proof::VerifierKey;

/// So long without a cosignature, and a server that needs one is not ready: a day, in milliseconds.
pub const SILENT_MS: u64 = 24 * 3_600_000;

/// A way to one witness.
pub trait Witness: Send + Sync {
    /// The key that its words are checked with.
    fn key(&self) -> &VerifierKey;

    /// Sends the body of a request (C2SP `tlog-witness`, `add-checkpoint`). An answer of any status is
    /// an answer; the error says why there was none, without a secret and in a few words. It ends by
    /// itself within some seconds.
    fn add_checkpoint(&self, body: String) -> BoxFuture<'static, Result<WitnessReply, String>>;
}

/// What a witness answered. Nothing in it is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessReply {
    /// The status.
    pub status: u16,
    /// The body, bounded.
    pub body: Vec<u8>,
}

/// Who is asked, and how much hangs on it.
#[derive(Clone, Default)]
pub struct Witnessing {
    /// The ways to them.
    pub witnesses: Vec<Arc<dyn Witness>>,
    /// Nothing is done to hosts before one of them has given its word for the log, and without one for
    /// a day the server is not ready.
    pub required: bool,
    /// How often each is asked, in milliseconds.
    pub interval_ms: u64,
}

/// How a witness stands to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WitnessState {
    /// It was not asked yet.
    Unasked,
    /// Its last answer was its word for the log.
    Cosigned,
    /// Its last answer was of no use, or there was none.
    Failing(String),
    /// It has seen more of the log than there is.
    RolledBack {
        /// How many leaves there are.
        local: u64,
        /// How many it has seen.
        seen: u64,
    },
    /// What it has seen of the log is not what is here.
    Contradicts {
        /// The size of the checkpoint that it refused.
        size: u64,
    },
}

impl WitnessState {
    /// The state in a word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unasked => "unasked",
            Self::Cosigned => "cosigned",
            Self::Failing(_) => "failing",
            Self::RolledBack { .. } => "rolled_back",
            Self::Contradicts { .. } => "contradicts",
        }
    }
}

impl fmt::Display for WitnessState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unasked => f.write_str("it was not asked yet"),
            Self::Cosigned => f.write_str("it has cosigned the log"),
            Self::Failing(why) => f.write_str(why),
            Self::RolledBack { local, seen } => {
                write!(
                    f,
                    "it has seen {seen} leaves of the log, and there are {local}"
                )
            }
            Self::Contradicts { size } => {
                write!(
                    f,
                    "the {size} leaves of the log do not continue what it has seen"
                )
            }
        }
    }
}

/// One witness, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessView {
    /// The name of its key.
    pub name: String,
    /// How it stands to the log.
    pub state: WitnessState,
    /// The size of the log that it has last cosigned; 0 for none.
    pub size: u64,
    /// When it last did, by this host's clock.
    pub cosigned_at_ms: Option<u64>,
}

/// All witnesses, for people and for the question whether the server is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WitnessesView {
    /// A word of one of them is needed.
    pub required: bool,
    /// Since when they are asked.
    pub since_ms: u64,
    /// Each of them.
    pub witnesses: Vec<WitnessView>,
}

impl WitnessesView {
    /// How many were asked and did not give their word.
    pub fn failing(&self) -> usize {
        let well = |state: &WitnessState| match state {
            WitnessState::Unasked | WitnessState::Cosigned => true,
            WitnessState::Failing(_)
            | WitnessState::RolledBack { .. }
            | WitnessState::Contradicts { .. } => false,
        };
        let witnesses = self.witnesses.iter();
        witnesses.filter(|witness| !well(&witness.state)).count()
    }

    /// How old the newest word of any of them is, or how long none has come since they are asked; `None`
    /// where nobody is asked. In milliseconds.
    pub fn age_ms(&self, now_ms: u64) -> Option<u64> {
        if self.witnesses.is_empty() {
            return None;
        }
        let words = self.witnesses.iter();
        let newest = words.filter_map(|witness| witness.cosigned_at_ms).max();
        Some(now_ms.saturating_sub(newest.unwrap_or(self.since_ms)))
    }

    /// Whether a word is needed and none came for a day.
    pub fn is_silent(&self, now_ms: u64) -> bool {
        self.required && self.age_ms(now_ms).is_some_and(|age| age >= SILENT_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(required: bool, cosigned_at_ms: Option<u64>) -> WitnessesView {
        let witness = WitnessView {
            name: "w".into(),
            state: WitnessState::Failing("no answer".into()),
            size: 0,
            cosigned_at_ms,
        };
        WitnessesView {
            required,
            since_ms: 1000,
            witnesses: vec![witness],
        }
    }

    #[test]
    fn a_day_without_a_word_is_too_long_where_one_is_needed() {
        for (cosigned_at, silent_from) in [(None, 1000 + SILENT_MS), (Some(5000), 5000 + SILENT_MS)]
        {
            let needed = view(true, cosigned_at);
            assert!(!needed.is_silent(silent_from - 1) && needed.is_silent(silent_from));
            assert!(!view(false, cosigned_at).is_silent(silent_from));
        }
        assert!(!WitnessesView::default().is_silent(u64::MAX));
        assert_eq!(view(true, None).failing(), 1);
        // A clock that was set back makes nobody old.
        assert_eq!(view(true, Some(5000)).age_ms(10), Some(0));
    }
}
