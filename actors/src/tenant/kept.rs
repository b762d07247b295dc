//! Alerts read back from their evidence, for those that stage 1 still owes when a machine begins.

use std::panic::{AssertUnwindSafe, catch_unwind};

use vyrox_domain::{
    alert::Alert,
    digest::Digest,
    entry::Recorded,
    protocol::{Event, EvidenceKind},
};

use super::owed::Case;
use crate::{intake::evidence_aad, keyring::TenantKeys, ports::World};

/// Reads the normal form of each; a text says what is missing or does not match. Blocks. Should the
/// reading itself fall over one of them, the others are read all the same.
pub(super) fn read_all(
    world: &World,
    keys: &TenantKeys,
    cases: Vec<Case>,
) -> Vec<(Case, Result<Alert, String>)> {
    let read = |case: Case| {
        let alert = catch_unwind(AssertUnwindSafe(|| read_alert(world, keys, case.1)));
        let fell = |_panic| Err("the reading fell over it".to_owned());
        (case, alert.unwrap_or_else(fell))
    };
    cases.into_iter().map(read).collect()
}

/// Reads an alert's normal form back from the sealed evidence, held against the chain's digest.
///
/// # Errors
/// A text that says what is missing or does not match.
fn read_alert(world: &World, keys: &TenantKeys, seq: u64) -> Result<Alert, String> {
    let chain = keys.tenant.as_str();
    let mut lines = world
        .journal
        .read(chain, seq, Some(seq))
        .map_err(|error| error.to_string())?;
    let line = lines
        .next()
        .ok_or("the entry is missing")?
        .map_err(|error| error.to_string())?;
    let recorded = Recorded::parse(&line.bytes).map_err(|error| error.to_string())?;
    let event = Event::from_recorded(&recorded).map_err(|error| error.to_string())?;
    let Event::AlertReceived { received, .. } = event else {
        return Err(format!("entry {seq} is no alert"));
    };
    let (index, piece) = received
        .evidence
        .iter()
        .enumerate()
        .find(|(_, piece)| piece.kind == EvidenceKind::Alert)
        .ok_or("the entry names no normal form")?;
    let sha256 = piece.sha256;
    let attachments = world
        .journal
        .evidence(chain, seq)
        .map_err(|error| error.to_string())?;
    let sealed = attachments.get(index).ok_or("the evidence is missing")?;
    let plain = keys
        .data_key
        .open(&evidence_aad(&keys.tenant, &sha256), sealed)
        .map_err(|error| error.to_string())?;
    if Digest::of(&plain) != sha256 {
        return Err("the evidence does not match the chain".into());
    }
    serde_json::from_slice(&plain).map_err(|error| error.to_string())
}
