//! Orders to repair held chains, on their way to the checkpointer and to the writer.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use super::{LocalJournal, check_name};
use crate::checkpointer::Message;
use crate::journal::{JournalError, Repaired};
use crate::queue::{Job, Release};
use crate::repair::Order;

impl LocalJournal {
    /// Has the checkpointer complete a held chain's files.
    pub(super) fn mend(
        &self,
        chain: &str,
        tail: Vec<Vec<u8>>,
        release: bool,
    ) -> Result<Repaired, JournalError> {
        check_name(chain)?;
        self.ended()?;
        let (reply, mended) = sync_channel(1);
        let order = Order {
            chain: Arc::from(chain),
            tail,
            release,
        };
        if self
            .checkpointer
            .send(Message::Repair { order, reply })
            .is_err()
        {
            return Err(self.failure());
        }
        let mended = mended.recv().unwrap_or_else(|_gone| Err(self.failure()));
        // The store may have been cut.
        self.evidence.forget(chain);
        mended
    }

    /// Has the writer take entries again for what is held no more.
    pub(super) fn release(&self, what: Release) -> Result<(), JournalError> {
        let (reply, released) = sync_channel(1);
        self.enqueue(Job::Release { what, reply })?;
        released.recv().unwrap_or_else(|_gone| Err(self.failure()))
    }
}
