//! What a seal tells apart.

use super::super::checkpoint::{OpaqueId, Origin, SignedCheckpoint, Trust};
use super::super::merkle::{Frontier, leaf_hash};
use super::super::note::KeyName;
use super::super::test_keys::{TestKey, check};
use super::*;

fn origin() -> Origin {
    Origin::host(OpaqueId::new([7; 16]))
}

fn key(seed: u8) -> VerifierKey {
    TestKey::new(seed).verifier_key(&origin().key_name())
}

fn record(lines: &[&str]) -> ChainRecord {
    let mut frontier = Frontier::new();
    for line in lines {
        frontier.append(leaf_hash(line.as_bytes()));
    }
    ChainRecord {
        opaque_id: OpaqueId::new([3; 16]),
        frontier,
        last_line: leaf_hash(b"last"),
        leaf: Some(4),
    }
}

fn in_force(since_ms: u64, statement: Option<&str>) -> KeyInForce {
    KeyInForce {
        key: key(1),
        since_ms,
        statement: statement.map(str::to_owned),
    }
}

fn rows(chains: &[(&str, ChainRecord)]) -> ChainRows {
    let mut rows = ChainRows::default();
    for (chain, record) in chains {
        rows.put(&Arc::from(*chain), record);
    }
    rows
}

fn state(chains: &ChainRows, keys: &[KeyInForce], overlap: Option<Overlap>) -> State {
    accused(chains, keys, overlap, &[])
}

fn accused(
    chains: &ChainRows,
    keys: &[KeyInForce],
    overlap: Option<Overlap>,
    accusations: &[Accusation],
) -> State {
    let checkpoint = Checkpoint {
        origin: origin(),
        size: 9,
        root: leaf_hash(b"root"),
    };
    State::new(checkpoint, chains, keys, overlap, accusations)
}

/// No two of them are the same.
fn all_differ(states: impl IntoIterator<Item = State>) {
    let mut texts: Vec<_> = states.into_iter().map(|state| state.to_string()).collect();
    let all = texts.len();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), all);
}

/// Every field of a row counts, and whose row it is.
#[test]
fn no_other_chains_have_the_same_text() {
    let acme = record(&["a", "b"]);
    let alone = [
        acme.clone(),
        record(&["a"]),
        ChainRecord {
            leaf: None,
            ..acme.clone()
        },
        ChainRecord {
            leaf: Some(5),
            ..acme.clone()
        },
        ChainRecord {
            last_line: leaf_hash(b"c"),
            ..acme.clone()
        },
        ChainRecord {
            opaque_id: OpaqueId::new([4; 16]),
            ..acme.clone()
        },
    ];
    let mut chains: Vec<_> = alone.map(|record| vec![("acme", record)]).into();
    let other = record(&["a"]);
    chains.extend([
        vec![],
        vec![("acm", acme.clone())],
        vec![("acme", acme.clone()), ("globex", acme.clone())],
        vec![("acme", acme.clone()), ("globex", other.clone())],
        vec![("acme", other), ("globex", acme)],
    ]);
    all_differ(chains.iter().map(|chains| state(&rows(chains), &[], None)));
}

#[test]
fn no_other_keys_have_the_same_text() {
    let (first, second) = (in_force(0, None), in_force(5, Some("s")));
    let keys = [
        vec![],
        vec![first.clone()],
        vec![second.clone()],
        vec![first.clone(), second.clone()],
        vec![second, first.clone()],
        vec![first.clone(), in_force(6, Some("s"))],
        vec![first, in_force(5, Some("t"))],
    ];
    let none = ChainRows::default();
    all_differ(keys.iter().map(|keys| state(&none, keys, None)));
    let overlaps = [(1, 5), (1, 6), (2, 5)].map(|(seed, until_ms)| Overlap {
        public_key: TestKey::new(seed).public_key(),
        until_ms,
    });
    let overlaps = overlaps.map(Some).into_iter().chain([None]);
    all_differ(overlaps.map(|overlap| state(&none, &[], overlap)));
}

fn accusation(witness: u8, size: u64, seen: Option<u64>, time_ms: u64) -> Accusation {
    Accusation {
        key: TestKey::new(witness).witness_key("witness"),
        size,
        seen,
        time_ms,
    }
}

#[test]
fn no_other_accusations_have_the_same_text() {
    let none = ChainRows::default();
    let state = |accusations: &[Accusation]| accused(&none, &[], None, accusations);
    let (first, second) = (accusation(8, 3, Some(9), 5), accusation(9, 3, Some(9), 5));
    let both = [first.clone(), second.clone()];
    let turned = [second.clone(), first.clone()];
    assert_eq!(state(&both).to_string(), state(&turned).to_string());
    let alone = [
        first,
        second,
        accusation(8, 4, Some(9), 5),
        accusation(8, 3, Some(8), 5),
        accusation(8, 3, None, 5),
        accusation(8, 3, Some(9), 6),
        accusation(8, 9, Some(3), 5),
    ];
    let mut all: Vec<_> = alone.map(|one| vec![one]).into();
    all.extend([vec![], both.to_vec()]);
    let mut states: Vec<_> = all.iter().map(|some| state(some)).collect();
    states.push(state(&[]).without_accusations());
    all_differ(states);
}

#[test]
fn rows_that_were_changed_one_by_one_are_those_that_were_read() {
    let (acme, globex) = (record(&["a"]), record(&["b", "c"]));
    let mut grown = rows(&[("globex", globex.clone()), ("acme", record(&[]))]);
    grown.put(&Arc::from("acme"), &acme);
    let read = rows(&[("acme", acme), ("globex", globex)]);
    let text = |rows: &ChainRows| state(rows, &[], None).to_string();
    assert_eq!(text(&grown), text(&read));
}

#[test]
fn a_seal_is_of_one_key_and_no_other_note() {
    let keys = [in_force(0, None)];
    let chains = rows(&[("acme", record(&["a"]))]);
    let state = accused(&chains, &keys, None, &[accusation(8, 3, None, 5)]);
    let seal = state.seal(&TestKey::new(1)).unwrap();
    assert_eq!(state.holds(Some(&seal), &key(1), check), Ok(()));
    assert_eq!(
        state.holds(Some(&seal), &key(2), check),
        Err("the seal is not of the key in force")
    );
    assert_eq!(state.holds(None, &key(1), check), Err("there is no seal"));
    let unreadable = state.holds(Some("seal"), &key(1), check);
    assert_eq!(unreadable, Err("the seal is not readable"));

    // What the same key signs elsewhere is no seal, and a seal is nothing of that.
    SignedCheckpoint::parse(seal.as_bytes()).unwrap_err();
    let mut trust = Trust {
        log: vec![key(1)],
        witnesses: Vec::new(),
        check,
    };
    assert!(matches!(
        trust.follow(&seal),
        Err(NoteError::Malformed(
            "the text is no statement of succession"
        ))
    ));
    let signer: &dyn Signer = &TestKey::new(1);
    let point = SignedCheckpoint::sign(state.checkpoint, [signer]).unwrap();
    assert_eq!(
        state.holds(Some(&point.to_string()), &key(1), check),
        Err("the seal is of another kind")
    );
    let mut longer = Note::new(format!("{state}more\n")).unwrap();
    longer
        .sign(&KeyName::from(origin().deployment), signer)
        .unwrap();
    assert_eq!(
        state.holds(Some(&longer.to_string()), &key(1), check),
        Err("the seal has more lines than a seal")
    );
    let before = State {
        accusations: None,
        ..accused(&chains, &keys, None, &[])
    };
    let older = before.seal(&TestKey::new(1)).unwrap();
    assert_eq!(
        state.holds(Some(&older), &key(1), check),
        Err("what witnesses accuse the log of")
    );
    assert_eq!(
        before.holds(Some(&seal), &key(1), check),
        Err("the seal has more lines than a seal")
    );
}
