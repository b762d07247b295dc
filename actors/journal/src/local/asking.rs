//! Asking the journal's two threads for something, and waiting for the answer.

use std::sync::mpsc::{SyncSender, sync_channel};

use super::LocalJournal;
use crate::checkpointer::Message;
use crate::journal::JournalError;
use crate::queue::{Job, Rejected};

/// Where the answer goes.
type Reply<T> = SyncSender<Result<T, JournalError>>;

impl LocalJournal {
    /// Has the checkpointer do something.
    pub(crate) fn ask<T>(
        &self,
        message: impl FnOnce(Reply<T>) -> Message,
    ) -> Result<T, JournalError> {
        self.ended()?;
        let (reply, answer) = sync_channel(1);
        if self.checkpointer.send(message(reply)).is_err() {
            return Err(self.failure());
        }
        answer.recv().unwrap_or_else(|_gone| Err(self.failure()))
    }

    /// Has the writer do something that has no entries, behind all that is queued.
    pub(crate) fn order<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, JournalError> {
        let (reply, answer) = sync_channel(1);
        let pushed = self.shared.queue.push(job(reply), &self.shared.options);
        if let Err((_, rejected)) = pushed {
            return Err(match rejected {
                Rejected::Ended(end) => end.journal_error(),
                Rejected::Full => JournalError::Io("the queue is full".into()),
            });
        }
        answer.recv().unwrap_or_else(|_gone| Err(self.failure()))
    }
}
