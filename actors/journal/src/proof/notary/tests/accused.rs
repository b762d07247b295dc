//! What witnesses hold against the log, in its database.

use redb::{ReadableTable as _, TableDefinition, WriteTransaction};

use super::super::super::checkpoint::Origin;
use super::super::super::store::Accusation;
use super::sealed::META;
use super::witnesses::{Witness, cosigned};
use super::*;

fn accusation(key: &VerifierKey, seen: Option<u64>) -> Accusation {
    Accusation {
        key: key.clone(),
        size: 1,
        seen,
        time_ms: 5,
    }
}

/// It was in memory only, and the next start knew nothing of it.
#[test]
fn an_accusation_stays_until_the_same_witness_cosigns() {
    let mut house = House::new();
    let mut witness = Witness::of(house.notary());
    let (own, other) = (witness.verifier(), TestKey::new(78).witness_key("other"));
    house.grow("acme", 2);
    house.publish().unwrap();
    let accusations = [accusation(&own, None), accusation(&other, Some(9))];
    for accusation in &accusations {
        house.notary().accuse(accusation.clone()).unwrap();
    }
    let again = Accusation {
        time_ms: 6,
        ..accusations[0].clone()
    };
    house.notary().accuse(again).unwrap();
    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("copy");
    house.notary().back_up(&copy).unwrap();
    house.reopen(&[1]);
    let mut copy = Notary::open(&copy, &keys(&[1]), check).unwrap();
    for notary in [house.notary(), &mut copy] {
        for accusation in &accusations {
            assert_eq!(notary.accusation_of(&accusation.key), Some(accusation));
        }
    }
    assert!(cosigned(&witness.ask(house.notary(), 0)));
    for _ in 0..2 {
        assert_eq!(house.notary().accusation_of(&own), None);
        assert_eq!(
            house.notary().accusation_of(&other),
            Some(&accusations[1]),
            "another's word is none of its own"
        );
        house.reopen(&[1]);
    }
    house.notary().dismiss_all_but(&[&other]).unwrap();
    assert!(house.notary().accusation_of(&other).is_some());
    house.notary().dismiss_all_but(&[&own]).unwrap();
    house.reopen(&[1]);
    assert_eq!(house.notary().accusation_of(&other), None);
}

#[test]
fn another_log_begins_without_accusations() {
    let mut house = House::new();
    let key = Witness::of(house.notary()).verifier();
    house.grow("acme", 2);
    house.publish().unwrap();
    house.notary().accuse(accusation(&key, Some(9))).unwrap();
    let now_ms = house.now_ms;
    house.notary().rebase([], 9, now_ms).unwrap();
    for _ in 0..2 {
        assert_eq!(house.notary().accusation_of(&key), None);
        house.reopen(&[1]);
    }
}

const ACCUSATIONS: TableDefinition<'static, &'static str, (u64, u64, u64)> =
    TableDefinition::new("accusations");

/// What somebody does to the database.
type Edit<'a> = Box<dyn Fn(&WriteTransaction) + 'a>;

/// A house that two witnesses accuse, and their keys.
fn accused() -> (House, [VerifierKey; 2]) {
    let mut house = House::new();
    house.grow("acme", 2);
    house.publish().unwrap();
    let keys = [77, 78].map(|seed| TestKey::new(seed).witness_key("witness"));
    for key in &keys {
        house.notary().accuse(accusation(key, Some(9))).unwrap();
    }
    (house, keys)
}

/// Whoever could write the file took an accusation away, kept the witness silent, and had hosts acted on
/// again after the next start.
#[test]
fn nobody_without_a_key_changes_what_a_witness_holds_against_the_log() {
    let stranger = TestKey::new(79).witness_key("witness").to_string();
    let (_, [first, _]) = accused();
    let first = &*first.to_string();
    let mut edits: Vec<Edit<'_>> = vec![
        Box::new(|edit| {
            let mut rows = edit.open_table(ACCUSATIONS).unwrap();
            rows.remove(first).unwrap().unwrap();
        }),
        Box::new(|edit| {
            let mut rows = edit.open_table(ACCUSATIONS).unwrap();
            rows.retain(|_, _| false).unwrap();
        }),
        Box::new(|edit| assert!(edit.delete_table(ACCUSATIONS).unwrap())),
        Box::new(|edit| {
            let mut rows = edit.open_table(ACCUSATIONS).unwrap();
            rows.remove(first).unwrap().unwrap();
            rows.insert(&*stranger, (1, 9, 5)).unwrap();
        }),
        Box::new(|edit| {
            let mut rows = edit.open_table(ACCUSATIONS).unwrap();
            rows.insert(&*stranger, (1, 9, 5)).unwrap();
        }),
    ];
    for row in [(2, 9, 5), (1, 8, 5), (1, 0, 5), (1, 9, 6)] {
        edits.push(Box::new(move |edit| {
            let mut rows = edit.open_table(ACCUSATIONS).unwrap();
            rows.insert(first, row).unwrap().unwrap();
        }));
    }
    for (number, edit) in edits.iter().enumerate() {
        let (mut house, _) = accused();
        house.edit(edit);
        let what = house.refused(&[1]);
        assert_eq!(what, "what witnesses accuse the log of", "edit {number}");
    }
}

/// A house as it was when the seal said nothing of accusations.
fn of_before() -> (House, [VerifierKey; 2]) {
    let (mut house, keys) = accused();
    house.notary = None;
    let store = Store::open(&house.path()).unwrap();
    let contents = store.contents().unwrap();
    let newest = contents.checkpoints.values().next_back().unwrap();
    let newest = Checkpoint {
        origin: Origin::host(contents.deployment),
        ..*newest.checkpoint()
    };
    let rows = contents.chains.iter().collect();
    let state = State::new(newest, &rows, &contents.keys, contents.overlap, &[]);
    let seal = state.without_accusations().seal(&TestKey::new(1)).unwrap();
    drop(store);
    house.edit(|edit| {
        let mut meta = edit.open_table(META).unwrap();
        meta.insert("format", b"2".as_slice()).unwrap();
        meta.insert("seal", seal.as_bytes()).unwrap();
    });
    (house, keys)
}

#[test]
fn a_store_of_before_accusations_were_sealed_is_taken_over_with_them() {
    let (mut house, keys) = of_before();
    for _ in 0..2 {
        house.reopen(&[1]);
        for key in &keys {
            assert_eq!(
                house.notary().accusation_of(key),
                Some(&accusation(key, Some(9)))
            );
        }
    }
    let format = house.edit(|edit| {
        let meta = edit.open_table(META).unwrap();
        meta.get("format").unwrap().unwrap().value().to_vec()
    });
    assert_eq!(format, b"3");
    house.edit(|edit| {
        let mut rows = edit.open_table(ACCUSATIONS).unwrap();
        rows.retain(|_, _| false).unwrap();
    });
    assert_eq!(house.refused(&[1]), "what witnesses accuse the log of");
}

/// Neither format's seal is one of the other.
#[test]
fn a_format_that_somebody_wrote_does_not_uncover_accusations() {
    let write = |house: &mut House, format: &[u8]| {
        house.edit(|edit| {
            let mut meta = edit.open_table(META).unwrap();
            meta.insert("format", format).unwrap();
        });
    };
    let (mut house, _) = accused();
    write(&mut house, b"2");
    house.edit(|edit| {
        let mut rows = edit.open_table(ACCUSATIONS).unwrap();
        rows.retain(|_, _| false).unwrap();
    });
    assert_eq!(house.refused(&[1]), "the seal has more lines than a seal");
    let (mut house, _) = of_before();
    write(&mut house, b"3");
    assert_eq!(house.refused(&[1]), "what witnesses accuse the log of");
}

#[test]
fn what_is_accused_stays_the_whole_truth_where_a_write_failed() {
    let (mut house, [first, second]) = accused();
    let away = house.folder.path().join("away");
    fs::rename(house.path(), &away).unwrap();
    // A rebase makes files, and there is no place for them.
    let now_ms = house.now_ms;
    house.notary().rebase([], 9, now_ms).unwrap_err();
    fs::rename(&away, house.path()).unwrap();
    assert!(house.notary().has_failed());
    let more = accusation(&first, None);
    let refused = house.notary().accuse(more).unwrap_err();
    assert!(matches!(refused, NotaryError::Failed));
    let refused = house.notary().dismiss_all_but(&[]).unwrap_err();
    assert!(matches!(refused, NotaryError::Failed));
    house.reopen(&[1]);
    assert!(!house.notary().has_failed());
    for key in [first, second] {
        let known = house.notary().accusation_of(&key);
        assert_eq!(known, Some(&accusation(&key, Some(9))));
    }
}
