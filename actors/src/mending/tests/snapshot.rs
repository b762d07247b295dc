//! What a machine is loaded from beside its chain.

use vyrox_domain::tenant::{SNAPSHOT_VERSION, TenantState};
use vyrox_journal::{
    Head, Journal as _,
    projection::{Batch, Put},
};

use super::{Ground, acme};
use crate::loading::load;

/// A chain had lost its end and gone on beyond the seq of its snapshot. The snapshot was of the lost entries, and
/// the machine that was loaded from it believed what had not happened.
#[test]
fn a_snapshot_of_lost_entries_is_not_believed() {
    let ground = Ground::new();
    ground.keep("acme", &[(1, None), (2, None), (3, None)]);
    let mut lines = ground.lasting.journal.read("acme", 1, Some(1)).unwrap();
    let there = lines.next().unwrap().unwrap().hash;
    let claimed = TenantState {
        next_seq: 2,
        evidence_bytes: 1_000_000,
        ..TenantState::default()
    };
    let value = serde_json::to_vec(&claimed).unwrap();
    for (hash, believed) in [([9; 32], false), (there, true)] {
        let at = Head { seq: 1, hash };
        let snapshot = Put::Snapshot {
            chain: "acme".into(),
            version: SNAPSHOT_VERSION,
            at,
            value: value.clone(),
        };
        let batch = Batch {
            puts: vec![snapshot],
            applied: vec![("acme".into(), at)],
        };
        ground.world.projections.apply(&batch).unwrap();
        let loaded = load(&ground.world, &acme(), None).unwrap();
        assert_eq!(loaded.state.next_seq, 3);
        assert_eq!(loaded.state.evidence_bytes > 1_000_000, believed);
    }
}
