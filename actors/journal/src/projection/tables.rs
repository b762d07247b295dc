//! The layout of the file. Chains come first in the keys of what is listed or removed by chain, so
//! that a chain's rows lie side by side; redb compares tuples member by member and stores lengths,
//! so no chain's name runs into the next member.

use redb::TableDefinition;

/// Grows with any change below; a file of another format is rebuilt.
pub(super) const FORMAT: u32 = 3;

/// The highest alert id, for the upper end of ranges.
pub(super) const LAST_ID: &[u8; 16] = &[0xff; 16];

/// The highest claim key, for the upper end of ranges.
pub(super) const LAST_KEY: &[u8; 32] = &[0xff; 32];

/// Nothing -> the format of the file.
pub(super) const META: TableDefinition<'_, (), u32> = TableDefinition::new("format");

/// Chain -> the last entry that is in the other tables: its seq and its hash.
pub(super) type AppliedValue = (u64, &'static [u8; 32]);
pub(super) const APPLIED: TableDefinition<'_, &str, AppliedValue> = TableDefinition::new("applied");

/// (chain, received in ms, alert id) -> alert: a chain's alerts in the order they came.
pub(super) type AlertKey = (&'static str, u64, &'static [u8; 16]);
pub(super) const ALERTS: TableDefinition<'_, AlertKey, &[u8]> = TableDefinition::new("alerts");

/// (alert id, chain) -> received in ms: where an alert stands in the table above. Ids grow with
/// time, so new ones go to the end.
pub(super) type AlertChainKey = (&'static [u8; 16], &'static str);
pub(super) const ALERT_CHAINS: TableDefinition<'_, AlertChainKey, u64> =
    TableDefinition::new("alert_chains");

/// (chain, key) -> (expiry in ms, value).
pub(super) type ClaimKey = (&'static str, &'static [u8; 32]);
pub(super) type ClaimValue = (u64, &'static [u8]);
pub(super) const CLAIMS: TableDefinition<'_, ClaimKey, ClaimValue> = TableDefinition::new("claims");

/// (expiry in ms, chain, key): the claims in the order they expire.
pub(super) type ExpiryKey = (u64, &'static str, &'static [u8; 32]);
pub(super) const EXPIRIES: TableDefinition<'_, ExpiryKey, ()> =
    TableDefinition::new("claim_expiries");

/// Chain -> (format of the value, its last entry's seq and hash, value).
pub(super) type SnapshotValue = (u32, u64, &'static [u8; 32], &'static [u8]);
pub(super) const SNAPSHOTS: TableDefinition<'_, &str, SnapshotValue> =
    TableDefinition::new("snapshots");
