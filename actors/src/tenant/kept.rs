//! Alerts read back from their evidence, for those that stage 1 still owes when a machine begins.

use std::panic::{AssertUnwindSafe, catch_unwind};

use vyrox_domain::{alert::Alert, protocol::EvidenceKind};

use super::owed::Case;
use crate::{evidence, keyring::TenantKeys, ports::World};

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

/// Reads an alert's normal form back from the sealed evidence.
///
/// # Errors
/// A text that says what is missing or does not match.
fn read_alert(world: &World, keys: &TenantKeys, seq: u64) -> Result<Alert, String> {
    let plain = evidence::read(world, keys, seq, EvidenceKind::Alert)?;
    serde_json::from_slice(&plain).map_err(|error| error.to_string())
}
