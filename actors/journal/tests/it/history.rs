//! Random histories: appends, flushes, clean stops and crashes in any order, compared with a model.

use std::collections::BTreeMap;

use proptest::prelude::*;
use vyrox_journal::{Journal, LocalJournal, Receipt, verify_file};

use crate::support::{Client, crash_image, draft_with, lines, open};

#[derive(Debug, Clone)]
enum Step {
    /// Appends to one of the chains, each entry with an attachment of so many bytes.
    Append { chain: usize, sizes: Vec<usize> },
    /// Completes one chain's files.
    Flush { chain: usize },
    /// Stops and starts again.
    Restart,
    /// Dies and starts again.
    Crash,
}

const CHAINS: [&str; 3] = ["_host", "acme", "globex"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..CHAINS.len(), prop::collection::vec(0_usize..4000, 1..6))
            .prop_map(|(chain, sizes)| Step::Append { chain, sizes }),
        2 => (0..CHAINS.len()).prop_map(|chain| Step::Flush { chain }),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

type Model = BTreeMap<&'static str, Vec<(Receipt, Vec<u8>)>>;

fn append(journal: &LocalJournal, model: &mut Model, chain: &'static str, sizes: &[usize]) {
    let evidence: Vec<Vec<u8>> = sizes
        .iter()
        .map(|size| {
            (0..=u8::MAX)
                .cycle()
                .map(|byte| byte / 64)
                .take(*size)
                .collect()
        })
        .collect();
    let drafts = evidence
        .iter()
        .map(|bytes| draft_with(std::slice::from_ref(bytes)))
        .collect();
    let receipts = Client::open(journal, chain).append(drafts).unwrap();
    model
        .entry(chain)
        .or_default()
        .extend(receipts.into_iter().zip(evidence));
}

fn check(journal: &LocalJournal, model: &Model) {
    let recovered = journal.status().recovered.unwrap();
    assert!(!recovered.cut && !recovered.damaged && recovered.held.is_empty());
    assert_eq!(journal.chains(), model.keys().copied().collect::<Vec<_>>());
    for (chain, entries) in model {
        let found = lines(journal, chain);
        let receipts = entries
            .iter()
            .map(|(receipt, _)| (receipt.seq, receipt.hash));
        let found = found.iter().map(|line| (line.seq, line.hash));
        assert!(found.eq(receipts), "{chain}");
        for (receipt, evidence) in entries.iter().step_by(3) {
            let found = journal.evidence(chain, receipt.seq).unwrap();
            assert_eq!(found, std::slice::from_ref(evidence));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_history_reads_back_as_it_was_acknowledged(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path());
        let mut model = Model::new();
        for step in steps {
            match step {
                Step::Append { chain, sizes } => append(&journal, &mut model, CHAINS[chain], &sizes),
                Step::Flush { chain } => journal.flush(CHAINS[chain]).unwrap(),
                Step::Restart => {
                    journal.close().unwrap();
                    drop(journal);
                    journal = open(dir.path());
                    check(&journal, &model);
                }
                Step::Crash => {
                    let image = crash_image(&journal, dir.path());
                    drop(journal);
                    dir = image;
                    journal = open(dir.path());
                    check(&journal, &model);
                }
            }
        }
        check(&journal, &model);
        journal.close().unwrap();
        for (chain, entries) in &model {
            let report = verify_file(&dir.path().join(format!("tenants/{chain}.jsonl"))).unwrap();
            prop_assert!(report.ok);
            prop_assert_eq!(report.entries, u64::try_from(entries.len()).unwrap());
        }
    }
}
