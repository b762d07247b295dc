//! What witnesses hold against the log, in its database.

use super::super::super::store::Accusation;
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
    house.notary().rebase(9, now_ms).unwrap();
    for _ in 0..2 {
        assert_eq!(house.notary().accusation_of(&key), None);
        house.reopen(&[1]);
    }
}
