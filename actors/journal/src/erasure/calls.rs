//! The caller's side: three steps, of which the middle one is the writer's.

use std::sync::Arc;

use super::Runs;
use crate::checkpointer::Message;
use crate::journal::{Erased, JournalError};
use crate::local::{Ask, LocalJournal, check_name};
use crate::queue::Job;
use crate::shared::lock;

impl LocalJournal {
    /// See [`Journal::erase`](crate::Journal::erase).
    pub(crate) fn erase_entries(
        &self,
        chain: &str,
        runs: &[(u64, u64)],
    ) -> Result<Erased, JournalError> {
        // One at a time: what one call finds in the log then never belongs to another that is
        // still on its way to the writer.
        let _alone = lock(&self.erasing);
        erase(self, chain, runs)
    }

    /// Completes what an earlier process began. What cannot be completed now stays begun: nobody
    /// can read it, and the next erasure or the next start tries again.
    pub(crate) fn complete_erasures(&self) {
        let _alone = lock(&self.erasing);
        complete(self);
    }
}

/// Erases the attachments of a chain's entries. Of several callers one at a time.
pub(crate) fn erase(
    journal: &impl Ask,
    chain: &str,
    runs: &[(u64, u64)],
) -> Result<Erased, JournalError> {
    check_name(chain)?;
    let overwritten = journal.ask(|reply| Message::Erase {
        chain: Arc::from(chain),
        runs: Runs::of(runs),
        reply,
    })?;
    let left = purge(journal, overwritten.in_active)?;
    Ok(Erased {
        entries: overwritten.entries,
        ..left
    })
}

/// Completes what was begun, if anything was, and tells what came of it.
pub(crate) fn complete(journal: &impl Ask) {
    if journal.shared().erasures.is_empty() {
        return;
    }
    let overwritten = journal.ask(|reply| Message::CompleteErasures { reply });
    match overwritten.and_then(|overwritten| purge(journal, overwritten.in_active)) {
        Ok(left) if left.unfinished.is_empty() => {
            tracing::info!("an erasure that an earlier run began is complete");
        }
        Ok(Erased { unfinished, .. }) => {
            tracing::error!(?unfinished, "an erasure that was begun waits for room");
        }
        Err(error) => tracing::error!(%error, "an erasure that was begun is not complete"),
    }
}

/// Takes the copies out of the log, and says which could not be taken. Also where nothing was begun: a file that
/// was let go and is not zeroed yet may hold what no store ever had.
fn purge(journal: &impl Ask, in_active: bool) -> Result<Erased, JournalError> {
    if in_active {
        // The caller's thread asks for it, and not the checkpointer, because the writer may have to
        // wait for the checkpointer to make a spare. Without one it stays where it is, and the copies
        // in its segment are named.
        journal.order(|reply| Job::LeaveSegment { reply })?;
    }
    journal.ask(|reply| Message::PurgeLog { reply })
}
