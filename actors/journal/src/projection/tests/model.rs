//! Random batches, checkpoints, purges, removals and crashes, beside plain maps that do the same.

use std::collections::BTreeMap;

use proptest::{prelude::*, test_runner::TestCaseError};

use super::*;

const CHAINS: [&str; 3] = ["ab", "ab+held-1", "abc"];

#[derive(Debug, Clone)]
enum Step {
    Apply(Vec<Put>, usize),
    Purge(u64, usize),
    RemoveChain(usize),
    Checkpoint,
    Crash,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    alerts: BTreeMap<(String, [u8; 16]), (u64, Vec<u8>)>,
    claims: BTreeMap<(String, [u8; 32]), (u64, Vec<u8>)>,
    snapshots: BTreeMap<String, SnapshotRow>,
    applied: BTreeMap<String, u64>,
}

impl Model {
    fn put(&mut self, put: &Put) {
        match put.clone() {
            Put::Alert {
                chain,
                alert_id,
                received_ms,
                value,
            } => {
                self.alerts
                    .insert((chain.to_string(), alert_id), (received_ms, value));
            }
            Put::Claim {
                chain,
                key,
                value,
                expires_ms,
            } => {
                self.claims
                    .insert((chain.to_string(), key), (expires_ms, value));
            }
            Put::Snapshot {
                chain,
                version,
                at,
                value,
            } => {
                self.snapshots
                    .insert(chain.to_string(), SnapshotRow { version, at, value });
            }
        }
    }

    fn purge(&mut self, now_ms: u64, limit: usize) -> usize {
        let mut expired: Vec<_> = self
            .claims
            .iter()
            .filter(|(_, (expires_ms, _))| *expires_ms <= now_ms)
            .map(|((chain, key), (expires_ms, _))| (*expires_ms, chain.clone(), *key))
            .collect();
        expired.sort();
        expired.truncate(limit);
        for (_, chain, key) in &expired {
            self.claims.remove(&(chain.clone(), *key));
        }
        expired.len()
    }

    fn remove_chain(&mut self, chain: &str) {
        self.alerts.retain(|(owner, _), _| owner != chain);
        self.claims.retain(|(owner, _), _| owner != chain);
        self.snapshots.remove(chain);
        self.applied.remove(chain);
    }

    fn listing(&self, chain: &str) -> Vec<AlertRow> {
        let of_chain = self.alerts.iter().filter(|((owner, _), _)| owner == chain);
        let mut rows: Vec<_> = of_chain
            .map(|((_, alert_id), (received_ms, value))| AlertRow {
                received_ms: *received_ms,
                alert_id: *alert_id,
                value: value.clone(),
            })
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.received_ms, row.alert_id)));
        rows
    }
}

fn agree(projections: &Projections, model: &Model) -> Result<(), TestCaseError> {
    let applied = model.applied.iter();
    let applied: Vec<_> = applied
        .map(|(name, seq)| (name.clone(), at(*seq)))
        .collect();
    prop_assert_eq!(projections.all_applied().unwrap(), applied);
    for chain in CHAINS {
        prop_assert_eq!(
            projections.alerts(chain, None, MAX_PAGE).unwrap(),
            model.listing(chain)
        );
        prop_assert_eq!(
            projections.snapshot(chain).unwrap(),
            model.snapshots.get(chain).cloned()
        );
        for number in 0..6 {
            let kept = model.alerts.get(&(chain.to_owned(), id(number)));
            let found = projections.alert(chain, &id(number)).unwrap();
            prop_assert_eq!(found, kept.map(|(_, value)| value.clone()));
            let kept = model.claims.get(&(chain.to_owned(), [number; 32]));
            let found = projections.claim(chain, &[number; 32], 0).unwrap();
            prop_assert_eq!(found, kept.map(|(_, value)| value.clone()));
        }
    }
    Ok(())
}

fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let fixture = Fixture::new();
    let projections = fixture.open();
    let mut live = Model::default();
    let mut durable = Model::default();
    for (seq, step) in (1_u64..).zip(steps) {
        match step {
            Step::Apply(puts, chain) => {
                for put in &puts {
                    live.put(put);
                }
                live.applied.insert(CHAINS[chain].to_owned(), seq);
                projections
                    .apply(&batch(puts, &[(CHAINS[chain], seq)]))
                    .unwrap();
            }
            Step::Purge(now_ms, limit) => {
                let purged = projections.purge_claims(now_ms, limit).unwrap();
                prop_assert_eq!(purged, live.purge(now_ms, limit));
            }
            Step::RemoveChain(chain) => {
                projections.remove_chain(CHAINS[chain]).unwrap();
                live.remove_chain(CHAINS[chain]);
                durable = live.clone();
            }
            Step::Checkpoint => {
                projections.checkpoint().unwrap();
                durable = live.clone();
            }
            Step::Crash => agree(&fixture.after_crash(), &durable)?,
        }
        agree(&projections, &live)?;
    }
    drop(projections);
    agree(&fixture.open(), &live)
}

fn chain() -> impl Strategy<Value = usize> {
    0..CHAINS.len()
}

fn put() -> impl Strategy<Value = Put> {
    let value = || prop::collection::vec(any::<u8>(), 0..32);
    let alert = (chain(), 0..6_u8, 0..4_u64, value());
    let claim = (chain(), 0..6_u8, 1..20_u64, value());
    let snapshot = (chain(), any::<u32>(), any::<u64>(), value());
    prop_oneof![
        alert.prop_map(|(chain, number, received_ms, value)| Put::Alert {
            chain: CHAINS[chain].into(),
            alert_id: id(number),
            received_ms,
            value,
        }),
        claim.prop_map(|(chain, number, expires_ms, value)| Put::Claim {
            chain: CHAINS[chain].into(),
            key: [number; 32],
            value,
            expires_ms,
        }),
        snapshot.prop_map(|(chain, version, seq, value)| Put::Snapshot {
            chain: CHAINS[chain].into(),
            version,
            at: at(seq),
            value,
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (prop::collection::vec(put(), 0..8), chain())
            .prop_map(|(puts, chain)| Step::Apply(puts, chain)),
        1 => (0..20_u64, 0..5_usize).prop_map(|(now_ms, limit)| Step::Purge(now_ms, limit)),
        1 => chain().prop_map(Step::RemoveChain),
        2 => Just(Step::Checkpoint),
        2 => Just(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn projections_agree_with_the_model(steps in prop::collection::vec(step(), 1..24)) {
        run(steps)?;
    }
}
