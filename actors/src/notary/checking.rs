//! Whether the chains are what was signed of them.

use std::sync::Arc;

use vyrox_journal::proof::{Notary, Standing};

use super::office::Office;
use crate::integrity::{ChainFault, Findings};

impl Office {
    /// Holds every chain against what was signed of it, by its last signed entry. One that grows again after it lost some
    /// has to be looked at before it is as long as it was: from then on it would be signed as if nothing had happened.
    /// Blocks.
    pub fn check(&self) {
        let mut desk = self.desk();
        desk.checked_at = self.now_ms();
        if desk.rebasing.is_some() {
            return;
        }
        let Some(notary) = &desk.notary else {
            return;
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
        self.note(&desk);
        desk.behind |= restored;
    }

    fn compare(&self, notary: &Notary, chain: &str) -> Option<ChainFault> {
        let journal = &self.parts.journal;
        let have = journal
            .head(chain)
            .map_or(0, |head| head.seq.saturating_add(1));
        let line_at = |seq| {
            let mut lines = journal.read(chain, seq, Some(seq)).map_err(drop)?;
            let line = lines.next().ok_or(())?;
            line.map(|line| line.bytes).map_err(drop)
        };
        match notary.compare(chain, have, line_at) {
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
