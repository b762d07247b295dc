//! Asking the journal's two threads for something, and waiting for the answer.

use std::sync::mpsc::{SyncSender, sync_channel};

use super::LocalJournal;
use crate::checkpointer::Message;
use crate::journal::JournalError;
use crate::queue::{Job, Rejected};
use crate::shared::Shared;

/// Where the answer goes.
pub(crate) type Reply<T> = SyncSender<Result<T, JournalError>>;

/// Whoever can have the writer and the checkpointer do something, and wait for it: the journal, or a
/// test that takes the two step by step.
pub(crate) trait Ask {
    /// What the two share.
    fn shared(&self) -> &Shared;

    /// Has the checkpointer do something.
    fn ask<T>(&self, message: impl FnOnce(Reply<T>) -> Message) -> Result<T, JournalError>;

    /// Has the writer do something that has no entries, behind all that is queued.
    fn order<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, JournalError>;

    /// Whether the journal takes nothing more.
    fn ended(&self) -> Result<(), JournalError> {
        let end = self.shared().queue.end();
        end.map_or(Ok(()), |end| Err(end.journal_error()))
    }
}

impl Ask for LocalJournal {
    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn ask<T>(&self, message: impl FnOnce(Reply<T>) -> Message) -> Result<T, JournalError> {
        self.ended()?;
        let (reply, answer) = sync_channel(1);
        if self.checkpointer.send(message(reply)).is_err() {
            return Err(self.failure());
        }
        answer.recv().unwrap_or_else(|_gone| Err(self.failure()))
    }

    fn order<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, JournalError> {
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
