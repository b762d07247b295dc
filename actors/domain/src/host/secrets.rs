//! Secrets of the host itself, as far as the chain tells of them.

use serde::{Deserialize, Serialize};

use super::{HostRefusal, HostState};
use crate::{
    host_protocol::{HostEvent, SecretSealed},
    time::Timestamp,
};

/// A secret that is in force. Its value lies sealed in the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSecret {
    /// The version in force.
    pub secret_version: u64,
    /// The id of the key that it is sealed under.
    pub key_id: String,
    /// Since when it is.
    pub sealed_at: Timestamp,
}

/// Versions follow each other without a gap, so that none is ever sealed twice.
pub(super) fn seal(state: &HostState, sealed: SecretSealed) -> Result<HostEvent, HostRefusal> {
    let before = state.secrets.get(&sealed.name);
    let next = before
        .map_or(0, |known| known.secret_version)
        .saturating_add(1);
    if sealed.secret_version == next {
        Ok(HostEvent::SecretSealed(sealed))
    } else {
        Err(HostRefusal::NothingToDo)
    }
}

pub(super) fn apply(state: &mut HostState, sealed: &SecretSealed, at: Timestamp) {
    let secret = HostSecret {
        secret_version: sealed.secret_version,
        key_id: sealed.key_id.clone(),
        sealed_at: at,
    };
    state.secrets.insert(sealed.name.clone(), secret);
}
