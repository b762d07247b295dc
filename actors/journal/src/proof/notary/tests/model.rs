//! The host log against a model of it, through crashes.

use std::io::Write as _;

use proptest::prelude::*;

use super::super::super::merkle::{ProofPlan, verify_consistency};
use super::*;

/// What the host log must hold: the text of each leaf, in order.
#[derive(Default)]
struct Model {
    leaves: Vec<Vec<u8>>,
    published: BTreeMap<String, usize>,
    points: Vec<Checkpoint>,
}

impl Model {
    fn publish(&mut self, house: &House) {
        for (chain, lines) in &house.lines {
            let before = self.published.insert(chain.clone(), lines.len());
            if before.unwrap_or(0) < lines.len() {
                let leaf = HostLeaf {
                    opaque_id: id(chain),
                    size: crate::bytes::wide(lines.len()),
                    root: root_of(lines),
                };
                self.leaves.push(leaf.text().into_bytes());
            }
        }
    }
}

proptest! {
    // Each case waits for the disk dozens of times.
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whenever the process ends, and whatever it had written without signing it: the log is what
    /// was published, and every checkpoint continues every one before it.
    #[test]
    fn the_log_is_what_was_published(steps in prop::collection::vec((0_u8..4, 0_usize..4, 0_u8..6), 1..12)) {
        let mut house = House::new();
        let mut model = Model::default();
        for (chain, lines, then) in steps {
            house.grow(["a", "b", "c", "d"][usize::from(chain)], lines);
            match then {
                0..3 => {
                    model.publish(&house);
                    if let Some(point) = house.publish() {
                        prop_assert_eq!(point.checkpoint().root, root_of(&model.leaves));
                        model.points.push(*point.checkpoint());
                    }
                }
                3 => house.reopen(&[1]),
                _ => {
                    house.notary = None;
                    append_garbage(&house.path(), usize::from(then) * 20);
                    house.reopen(&[1]);
                }
            }
            let chains: Vec<_> = house.lines.keys().cloned().collect();
            for chain in chains {
                house.catch_up(&chain);
            }
        }
        let notary = house.notary();
        prop_assert_eq!(notary.head().size, crate::bytes::wide(model.leaves.len()));
        let Some(newest) = model.points.last() else { return Ok(()) };
        for older in &model.points {
            let plan = ProofPlan::consistency(older.size, newest.size).unwrap();
            let proof = plan.read(&notary.log).unwrap();
            let (old, new) = ((older.size, &older.root), (newest.size, &newest.root));
            verify_consistency(old, new, &proof).unwrap();
        }
    }
}

/// What a crash leaves behind the signed part of the log's files.
fn append_garbage(folder: &Path, len: usize) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none() {
            let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
            file.write_all(&vec![0xa5; len]).unwrap();
        }
    }
}
