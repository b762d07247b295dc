//! From the host's chain to its state; blocks on the disk.

use vyrox_domain::{
    entry::Recorded,
    host::{HostState, replay},
    ids::HOST_CHAIN,
};
use vyrox_journal::{JournalError, Opened};

use super::{
    RegistryParts, removal,
    vaulted::{self, Anew},
};
use crate::keyring::Keyring;

/// The host's state with the right to write after it, and everybody's keys.
pub(super) struct Loaded {
    pub(super) state: HostState,
    pub(super) epoch: u64,
    pub(super) keyring: Keyring,
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
    if let Some(head) = opened.head {
        let lines = journal.read(HOST_CHAIN, 0, Some(head.seq));
        for line in lines.map_err(|error| error.to_string())? {
            let line = line.map_err(|error| error.to_string())?;
            let recorded = Recorded::parse(&line.bytes).map_err(|error| error.to_string())?;
            replay(&mut state, &recorded).map_err(|error| error.to_string())?;
        }
    }
    removal::forget_removed(&parts.vault, &state);
    // What an earlier generation published may be older than the chain.
    let before = parts.world.keyring.load();
    let keyring = vaulted::keyring(&state, parts, &before, Anew::All);
    Ok(Loaded {
        state,
        epoch: opened.epoch,
        keyring,
    })
}
