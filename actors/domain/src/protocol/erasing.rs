//! Evidence that is no more.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Evidence, EvidenceKind};
use crate::{
    entry::{Recorded, ReplayError},
    ids::AlertId,
};

/// The longest reason, in characters.
pub const ERASURE_REASON_MAX: usize = 500;

/// Evidence is erased from here on. The entries that brought it stay, with digest and length of each
/// piece. Written before the first byte is overwritten; what a crash leaves is erased by the next start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceErased {
    /// What led to it.
    pub cause: ErasureCause,
    /// Whose evidence it is, where it was asked for alert by alert.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<AlertId>,
    /// The entries that brought it, ascending. An entry in between that brought none loses nothing.
    pub entries: Vec<SeqRun>,
    /// What was among it.
    pub kinds: Vec<EvidenceKind>,
    /// Bytes of it, as the entries name them. By age, what an earlier order erased is not among them: it
    /// counts against the quota no more, and must not be taken off twice.
    pub bytes: u64,
    /// Why, where somebody said so: 1 to 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who asked for it.
    pub by: String,
}

/// Entries that stand one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeqRun {
    /// The first.
    pub first_seq: u64,
    /// The last one, included.
    pub last_seq: u64,
}

/// What led to an erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureCause {
    /// Somebody asked for it.
    Erasure,
    /// It was kept for as long as it is to be kept.
    Retention,
    /// The tenant was removed, and its evidence with it.
    Removal,
}

impl EvidenceErased {
    /// An order as its entry has it. Only entries that stand before it can lose their evidence: whoever
    /// carries it out again may then go through them one by one.
    pub(super) fn read(recorded: &Recorded) -> Result<Self, ReplayError> {
        let erased: Self = recorded.read()?;
        let is_before = |run: &SeqRun| run.first_seq <= run.last_seq && run.last_seq < recorded.seq;
        if erased.entries.iter().all(is_before) {
            return Ok(erased);
        }
        Err(ReplayError::Malformed {
            seq: recorded.seq,
            event: recorded.event.clone(),
            detail: "it names entries that do not stand before it".to_owned(),
        })
    }
}

impl SeqRun {
    /// Every seq of these runs, one after the other: a run can be longer than any memory.
    pub fn seqs(runs: &[Self]) -> impl Iterator<Item = u64> {
        let each = runs.iter();
        each.flat_map(|run| run.first_seq..=run.last_seq)
    }

    /// The runs of seqs that ascend.
    pub fn of(seqs: impl IntoIterator<Item = u64>) -> Vec<Self> {
        let mut runs: Vec<Self> = Vec::new();
        for seq in seqs {
            match runs.last_mut() {
                Some(run) if seq <= run.last_seq.saturating_add(1) => {
                    run.last_seq = run.last_seq.max(seq);
                }
                _ => runs.push(Self {
                    first_seq: seq,
                    last_seq: seq,
                }),
            }
        }
        runs
    }
}

/// The evidence that an entry brought with it, wherever its payload names it; what it only names lies with
/// another entry.
pub fn brought(recorded: &Recorded) -> Vec<Evidence> {
    let mut pieces = Vec::new();
    gather(&recorded.payload, &mut pieces);
    pieces
}

fn gather(value: &Value, pieces: &mut Vec<Evidence>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| gather(item, pieces)),
        Value::Object(members) => match Evidence::deserialize(value) {
            Ok(piece) if piece.at_seq.is_none() => pieces.push(piece),
            Ok(_elsewhere) => {}
            Err(_no_piece) => members.values().for_each(|item| gather(item, pieces)),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::Event;

    fn read(seq: u64, runs: &[(u64, u64)]) -> Result<Event, ReplayError> {
        let runs = runs
            .iter()
            .map(|(first, last)| json!({ "first_seq": first, "last_seq": last }));
        let line = json!({
            "seq": seq, "timestamp_ms": 1_768_473_000_000_u64, "tenant_id": "acme",
            "event": "evidence.erased", "event_version": 1, "actor": "system", "alert_id": null,
            "payload": {
                "cause": "retention", "entries": runs.collect::<Vec<_>>(), "kinds": ["raw"],
                "bytes": 7, "by": "system",
            },
            "hash": "0".repeat(64), "previous_hash": "0".repeat(64),
        });
        Event::from_recorded(&Recorded::parse(line.to_string().as_bytes())?)
    }

    /// One made-up entry on a chain had a server count to nine thousand million million at every start,
    /// in memory, until it had none left.
    #[test]
    fn only_entries_before_an_order_lose_their_evidence_by_it() {
        assert!(read(9, &[(0, 3), (8, 8)]).is_ok());
        for runs in [
            &[(0, 9)][..],
            &[(4, 3)],
            &[(0, 1), (0, 9_007_199_254_740_991)],
        ] {
            let refused = read(9, runs).unwrap_err();
            assert!(
                matches!(refused, ReplayError::Malformed { seq: 9, .. }),
                "{refused}"
            );
        }
    }
}
