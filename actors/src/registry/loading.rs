//! From the host's chain to its state; blocks on the disk.

use vyrox_domain::{
    entry::Recorded,
    host::{HostState, replay},
    host_protocol::HostRepaired,
    ids::HOST_CHAIN,
};
use vyrox_journal::{JournalError, Opened};

use super::{
    RegistryParts, removal, repairs,
    vaulted::{self, Anew},
};
use crate::keyring::Keyring;

/// The host's state with the right to write after it, and everybody's keys.
pub(super) struct Loaded {
    pub(super) state: HostState,
    pub(super) epoch: u64,
    pub(super) keyring: Keyring,
    /// That the chain was held and goes on, which it does not say yet.
    pub(super) repaired: Option<HostRepaired>,
}

pub(super) fn load(parts: &RegistryParts) -> Result<Loaded, String> {
    let journal = &parts.world.journal;
    let opened = match journal.open(HOST_CHAIN) {
        // What is proven of it is served by; the journal takes nothing more.
        Err(JournalError::Held(_)) => Opened {
            epoch: 0,
            head: journal.head(HOST_CHAIN),
        },
        opened => opened.map_err(|error| error.to_string())?,
    };
    let mut state = HostState::default();
    let mut repaired = repairs::noted(&parts.vault)?;
    if let Some(head) = opened.head {
        let lines = journal.read(HOST_CHAIN, 0, Some(head.seq));
        for line in lines.map_err(|error| error.to_string())? {
            let line = line.map_err(|error| error.to_string())?;
            let recorded = Recorded::parse(&line.bytes).map_err(|error| error.to_string())?;
            let event = replay(&mut state, &recorded).map_err(|error| error.to_string())?;
            repaired = repaired.filter(|due| !repairs::says(&event, due));
        }
    }
    let goes_on = !parts.world.is_held(HOST_CHAIN);
    let repaired = repaired.filter(|_| goes_on).map(|due| HostRepaired {
        restored: state.next_seq.saturating_sub(due.held.from_seq),
        ..due
    });
    removal::forget_removed(&parts.vault, &state);
    // What an earlier generation published may be older than the chain.
    let before = parts.world.keyring.load();
    let keyring = vaulted::keyring(&state, parts, &before, Anew::All);
    Ok(Loaded {
        state,
        epoch: opened.epoch,
        keyring,
        repaired,
    })
}
