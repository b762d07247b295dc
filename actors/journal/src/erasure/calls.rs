//! The caller's side: three steps, of which the middle one is the writer's.

use std::sync::Arc;

use super::Runs;
use crate::checkpointer::Message;
use crate::journal::{Erased, JournalError};
use crate::local::{LocalJournal, check_name};
use crate::queue::Job;
use crate::shared::lock;

impl LocalJournal {
    /// See [`Journal::erase`](crate::Journal::erase).
    pub(crate) fn erase_entries(
        &self,
        chain: &str,
        runs: &[(u64, u64)],
    ) -> Result<Erased, JournalError> {
        check_name(chain)?;
        // One at a time: what one call finds in the log then never belongs to another that is
        // still on its way to the writer.
        let _alone = lock(&self.erasing);
        let overwritten = self.ask(|reply| Message::Erase {
            chain: Arc::from(chain),
            runs: Runs::of(runs),
            reply,
        })?;
        let copies = self.purge(overwritten.in_active)?;
        Ok(Erased {
            entries: overwritten.entries,
            copies,
        })
    }

    /// Completes what an earlier process began. What cannot be completed now stays begun: nobody
    /// can read it, and the next erasure or the next start tries again.
    pub(crate) fn complete_erasures(&self) {
        if self.shared.erasures.is_empty() {
            return;
        }
        let _alone = lock(&self.erasing);
        let overwritten = self.ask(|reply| Message::CompleteErasures { reply });
        match overwritten.and_then(|overwritten| self.purge(overwritten.in_active)) {
            Ok(_) => tracing::info!("an erasure that an earlier run began is complete"),
            Err(error) => tracing::error!(%error, "an erasure that was begun is not complete"),
        }
    }

    /// Takes the copies out of the log.
    fn purge(&self, in_active: bool) -> Result<Vec<String>, JournalError> {
        if self.shared.erasures.is_empty() {
            return Ok(Vec::new());
        }
        if in_active {
            self.leave_segment()?;
        }
        self.ask(|reply| Message::PurgeLog { reply })
    }

    /// Has the writer go on in a new segment. This thread asks for it, and not the checkpointer,
    /// because the writer may have to wait for the checkpointer to make a spare.
    fn leave_segment(&self) -> Result<(), JournalError> {
        self.order(|reply| Job::LeaveSegment { reply })
    }
}
