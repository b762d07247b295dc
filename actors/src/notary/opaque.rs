//! Under which id a chain is known outside of this host.

use vyrox_journal::{Journal, proof::OpaqueId};

use crate::held::owner;

/// A chain's own id: the one in its entry 0. A chain that stands in for another has entry 0 of its own
/// and is known by the first 16 bytes of that entry's hash, so that it is not taken for the other.
/// `None` where entry 0 cannot be read or has no id.
pub(super) fn of(journal: &dyn Journal, chain: &str) -> Option<OpaqueId> {
    let first = journal.read(chain, 0, Some(0)).ok()?.next()?.ok()?;
    if owner(chain) != chain {
        return Some(OpaqueId::new(*first.hash.first_chunk()?));
    }
    let line: serde_json::Value = serde_json::from_slice(&first.bytes).ok()?;
    OpaqueId::parse(line.pointer("/payload/opaque_id")?.as_str()?)
}
