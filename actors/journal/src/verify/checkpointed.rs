//! A checkpoint, held against a chain as it is verified.

use serde_json::Value;

use super::{Passed, VerifyReport};
use crate::proof::checkpoint::{Checkpoint, OpaqueId};
use crate::proof::merkle::{Frontier, Hash, leaf_hash};

/// What a tenant's checkpoint says of a chain: whose it is, how many entries it had once, and the
/// root of the Merkle tree over their lines. Its signatures are for the caller to check.
#[derive(Debug, Clone)]
pub struct Checkpointed {
    checkpoint: Checkpoint,
    leaves: Frontier,
    /// The root over as many entries as the checkpoint has, once there were as many.
    root: Option<Hash>,
    /// The id that the chain's first entry gives it.
    chain: Option<OpaqueId>,
}

impl Checkpointed {
    /// Holds this checkpoint against the chain.
    pub fn new(checkpoint: Checkpoint) -> Self {
        let leaves = Frontier::new();
        Self {
            root: (checkpoint.size == 0).then(|| leaves.root()),
            checkpoint,
            leaves,
            chain: None,
        }
    }

    /// Takes the next good entry of the chain.
    pub fn compare(&mut self, passed: &Passed<'_>) {
        if passed.entry.seq == 0 {
            self.chain = opaque_id(passed);
        }
        if self.root.is_some() {
            return;
        }
        self.leaves.append(leaf_hash(passed.line));
        if self.leaves.size() == self.checkpoint.size {
            self.root = Some(self.leaves.root());
        }
    }

    /// What a file is in the light of the checkpoint: `another_chain` if that is not of this chain,
    /// `truncated` if a good chain ends before it, `checkpoint` if the entries are not those that it
    /// was made over. Which of them is another nobody can tell from a root, so no seq is named then,
    /// and the hashes are the roots. A fault that the report names already stays.
    #[must_use]
    pub fn conclude(&self, report: VerifyReport) -> VerifyReport {
        if !report.ok {
            return report;
        }
        if report.entries > 0 && self.chain != self.checkpoint.origin.tenant {
            return unplaced(report, "another_chain");
        }
        let Some(root) = self.root else {
            return VerifyReport {
                divergent_seq: Some(report.entries),
                ..unplaced(report, "truncated")
            };
        };
        if root == self.checkpoint.root {
            return report;
        }
        VerifyReport {
            expected_hash: Some(hex::encode(self.checkpoint.root)),
            observed_hash: Some(hex::encode(root)),
            ..unplaced(report, "checkpoint")
        }
    }
}

fn unplaced(report: VerifyReport, kind: &'static str) -> VerifyReport {
    VerifyReport {
        ok: false,
        kind: Some(kind),
        ..report
    }
}

/// The id under which the chain is known outside of this host: the one in its entry 0, or, of a chain
/// that stands in for a held one, the first 16 bytes of that entry's hash.
fn opaque_id(first: &Passed<'_>) -> Option<OpaqueId> {
    let entry: Value = serde_json::from_slice(first.line).ok()?;
    let payload = entry.get("payload")?;
    if payload.get("stands_for").is_some_and(Value::is_object) {
        return OpaqueId::parse(entry.get("hash")?.as_str()?.get(..32)?);
    }
    OpaqueId::parse(payload.get("opaque_id")?.as_str()?)
}
