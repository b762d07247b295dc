//! Orders to repair held chains, on their way to the checkpointer and to the writer.

use std::sync::Arc;

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
        let order = Order {
            chain: Arc::from(chain),
            tail,
            release,
        };
        let mended = self.ask(|reply| Message::Repair { order, reply });
        // The store may have been cut.
        self.evidence.forget(chain);
        mended
    }

    /// Has the writer take entries again for what is held no more.
    pub(super) fn release(&self, what: Release) -> Result<(), JournalError> {
        self.order(|reply| Job::Release { what, reply })
    }
}
