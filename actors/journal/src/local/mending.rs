//! Orders to repair held chains, on their way to the checkpointer and to the writer.

use std::sync::Arc;

use super::check_name;
use crate::checkpointer::Message;
use crate::journal::{JournalError, Repaired};
use crate::local::Ask;
use crate::queue::{Job, Release};
use crate::repair::Order;
use crate::shared::lock;

/// Has the checkpointer complete a held chain's files.
pub(crate) fn restore(
    journal: &impl Ask,
    chain: &str,
    tail: Vec<Vec<u8>>,
) -> Result<Repaired, JournalError> {
    mend(journal, chain, tail, false)
}

/// The same; then the writer takes entries for the chain again.
pub(crate) fn repair(
    journal: &impl Ask,
    chain: &str,
    tail: Vec<Vec<u8>>,
) -> Result<Repaired, JournalError> {
    let repaired = mend(journal, chain, tail, true)?;
    release(journal, Release::Chain(Arc::from(chain), repaired.head))?;
    Ok(repaired)
}

fn mend(
    journal: &impl Ask,
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
    journal.ask(|reply| Message::Repair { order, reply })
}

/// Lets chains begin that were never seen, durably, and then for the writer.
pub(crate) fn repair_unknown(journal: &impl Ask) -> Result<(), JournalError> {
    journal.ended()?;
    {
        let shared = journal.shared();
        let mut holds = lock(&shared.holds);
        let released = shared.heads.release_unknown();
        released.map_err(JournalError::Io)?;
        holds.unknown_chains_held = false;
    }
    release(journal, Release::Unknown)
}

/// Has the writer take entries again for what is held no more.
fn release(journal: &impl Ask, what: Release) -> Result<(), JournalError> {
    journal.order(|reply| Job::Release { what, reply })
}
