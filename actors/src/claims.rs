//! What came in before: the index by which a repeat is known as one.
//!
//! A claim's key is the vendor with the vendor's id of the alert; its rows are the different bodies
//! that came under that id. Rows younger than the projections live in the machine's [`Overlay`].

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use uuid::Uuid;
use vyrox_domain::{digest::Digest, ids::AlertId, protocol::AlertReceived, vendor::Vendor};

/// The most different bodies that are remembered under one vendor's id; the oldest goes first.
const ROWS_MAX: usize = 16;
const ROW_BYTES: usize = 32 + 16 + 8 + 32;

/// One body that came in under a vendor's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// What makes the body the same: see [`sameness`].
    pub same: Digest,
    /// The id that it got.
    pub alert_id: AlertId,
    /// Where its entry stands.
    pub seq: u64,
    /// The hash of its entry.
    pub hash: Digest,
}

/// The key of a claim.
pub fn key(vendor: Vendor, vendor_alert_id: &str) -> Digest {
    Digest::of_parts(&[vendor.as_str().as_bytes(), vendor_alert_id.as_bytes()])
}

/// What makes two alerts the same: the body that they came in, and what was read out of it, so that
/// none of the alerts of one body hides another.
pub fn sameness(body: Digest, alert: Digest) -> Digest {
    Digest::of_parts(&[&body.0, &alert.0])
}

/// The same from an entry of the chain; `None` where the entry names no evidence.
pub fn sameness_of(received: &AlertReceived) -> Option<Digest> {
    let [alert, raw] = received.evidence.as_slice() else {
        return None;
    };
    Some(sameness(raw.sha256, alert.sha256))
}

/// Rows as they lie in the projections.
pub fn encode(rows: &[Row]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.len() * ROW_BYTES);
    for row in rows {
        bytes.extend(row.same.0);
        bytes.extend(row.alert_id.0.as_bytes());
        bytes.extend(row.seq.to_be_bytes());
        bytes.extend(row.hash.0);
    }
    bytes
}

/// Reads them back; a half row at the end is no row.
pub fn decode(bytes: &[u8]) -> Vec<Row> {
    bytes
        .chunks_exact(ROW_BYTES)
        .filter_map(decode_row)
        .collect()
}

fn decode_row(bytes: &[u8]) -> Option<Row> {
    let (same, rest) = bytes.split_first_chunk::<32>()?;
    let (alert_id, rest) = rest.split_first_chunk::<16>()?;
    let (seq, rest) = rest.split_first_chunk::<8>()?;
    let (hash, _) = rest.split_first_chunk::<32>()?;
    Some(Row {
        same: Digest(*same),
        alert_id: AlertId(Uuid::from_bytes(*alert_id)),
        seq: u64::from_be_bytes(*seq),
        hash: Digest(*hash),
    })
}

/// Adds a row, the newest last.
pub fn push(rows: &mut Vec<Row>, row: Row) {
    rows.retain(|old| old.same != row.same);
    if rows.len() >= ROWS_MAX {
        rows.remove(0);
    }
    rows.push(row);
}

/// A row whose entry may not be durable yet.
#[derive(Clone, Debug)]
pub struct Young {
    /// What makes the body the same.
    pub same: Digest,
    /// The id that it got.
    pub alert_id: AlertId,
    /// Where its entry stands.
    pub seq: u64,
    /// The hash of its entry, set once it is durable.
    pub hash: Arc<OnceLock<Digest>>,
}

/// The claims of entries that the projections do not hold yet.
#[derive(Default, Debug)]
pub struct Overlay(HashMap<Digest, Vec<Young>>);

impl Overlay {
    /// The young rows of a key.
    pub fn rows(&self, key: &Digest) -> &[Young] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    /// Adds one.
    pub fn insert(&mut self, key: Digest, young: Young) {
        self.0.entry(key).or_default().push(young);
    }

    /// Forgets what the projections hold by now.
    pub fn forget_up_to(&mut self, applied: u64) {
        self.0.retain(|_, rows| {
            rows.retain(|row| row.seq > applied);
            !rows.is_empty()
        });
    }

    /// Forgets everything after `last`, which was decided and then not done after all.
    pub fn forget_from(&mut self, last: Option<u64>) {
        self.0.retain(|_, rows| {
            rows.retain(|row| last.is_some_and(|last| row.seq <= last));
            !rows.is_empty()
        });
    }

    /// How many keys are young.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(n: u8) -> Row {
        Row {
            same: Digest([n; 32]),
            alert_id: AlertId(Uuid::from_bytes([n; 16])),
            seq: u64::from(n),
            hash: Digest([n ^ 255; 32]),
        }
    }

    proptest! {
        #[test]
        fn rows_read_back_as_written(ns in proptest::collection::vec(any::<u8>(), 0..20)) {
            let rows: Vec<_> = ns.into_iter().map(row).collect();
            prop_assert_eq!(decode(&encode(&rows)), rows);
        }

        #[test]
        fn never_more_than_the_bound_and_never_one_twice(ns in proptest::collection::vec(0_u8..40, 0..100)) {
            let mut rows = Vec::new();
            for n in &ns {
                push(&mut rows, row(*n));
            }
            prop_assert!(rows.len() <= ROWS_MAX);
            prop_assert_eq!(rows.last().copied(), ns.last().map(|n| row(*n)));
            let mut seen: Vec<_> = rows.iter().map(|row| row.same).collect();
            seen.sort();
            seen.dedup();
            prop_assert_eq!(seen.len(), rows.len());
        }
    }
}
