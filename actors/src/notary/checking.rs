//! Whether the chains are what was signed of them.

use std::sync::Arc;

use vyrox_journal::proof::{Notary, Standing};

use super::office::{Desk, Office};
use crate::integrity::{ChainFault, Findings};

impl Office {
    /// Holds every chain against what was signed of it, by its last signed entry. One that grows again after it lost some
    /// has to be looked at before it is as long as it was: from then on only its last signed entry tells. Says whether it
    /// could look: not without a log, nor while a rebase of it waits to be written down. Blocks.
    pub fn check(&self) -> bool {
        self.look(&mut self.desk())
    }

    /// As [`check`](Self::check), with the desk in hand.
    pub(super) fn look(&self, desk: &mut Desk) -> bool {
        desk.checked_at = self.now_ms();
        if desk.rebasing.is_some() {
            return false;
        }
        self.let_go_of_lost(desk);
        let Some(notary) = &desk.notary else {
            return false;
        };
        let published: Vec<_> = notary
            .published()
            .map(|(chain, _)| Arc::from(chain))
            .collect();
        let faults = published.into_iter().filter_map(|chain: Arc<str>| {
            let fault = self.compare(notary, &chain)?;
            Some((chain, fault))
        });
        let findings = Findings {
            host: desk.doubt(self.parts.witnessing.required),
            chains: faults.collect(),
        };
        let before = self.parts.integrity.findings();
        let restored = before
            .chains
            .keys()
            .any(|chain| !findings.chains.contains_key(chain));
        self.parts.integrity.found(findings);
        self.note(desk);
        desk.behind |= restored;
        true
    }

    /// Entries that were shown and not signed yet may be gone, with the chain's own end: what came in their place is
    /// shown from the last signed one on. They may wait for days, while a witness doubts the log.
    fn let_go_of_lost(&self, desk: &mut Desk) {
        let Some(notary) = &mut desk.notary else {
            return;
        };
        let lost = notary.ahead().filter(|chain| {
            let line_at = |seq| self.line_at(chain, seq);
            !notary.still_there(chain, self.entries(chain), line_at)
        });
        let lost: Vec<_> = lost.cloned().collect();
        for chain in lost {
            tracing::warn!(
                chain = chain.as_ref(),
                "entries that were not signed yet are gone; it is read anew"
            );
            desk.behind |= notary.retract(&chain);
        }
    }

    /// How many entries a chain has.
    fn entries(&self, chain: &str) -> u64 {
        let head = self.parts.journal.head(chain);
        head.map_or(0, |head| head.seq.saturating_add(1))
    }

    fn line_at(&self, chain: &str, seq: u64) -> Result<Vec<u8>, ()> {
        let mut lines = self
            .parts
            .journal
            .read(chain, seq, Some(seq))
            .map_err(drop)?;
        let line = lines.next().ok_or(())?;
        line.map(|line| line.bytes).map_err(drop)
    }

    fn compare(&self, notary: &Notary, chain: &str) -> Option<ChainFault> {
        let have = self.entries(chain);
        match notary.compare(chain, have, |seq| self.line_at(chain, seq)) {
            Ok(Standing::Same { .. }) => None,
            Ok(Standing::Truncated { signed, have }) => {
                Some(ChainFault::Truncated { signed, have })
            }
            Ok(Standing::Differs { size: signed }) => Some(ChainFault::Forked { signed, have }),
            Err(()) => {
                let signed = notary.published().find(|(name, _)| *name == chain);
                let signed = signed.map_or(0, |(_, size)| size);
                Some(ChainFault::Unreadable { signed })
            }
        }
    }
}
