//! Files that somebody wrote who has no key of the log.
//!
//! The store was believed as it lay there. Whoever cut a chain and made the store agree with it was told
//! that all was as it was signed, and the next signature, by the real key, made the forgery good.
//!
//! Here a good seal is over what they wrote, so that it is the rest that refuses it; for the seal itself
//! see [`sealed`](super::sealed).

use super::super::super::checkpoint::Origin;
use super::super::super::store::Change;
use super::*;

/// Seals what a store holds with the key of a seed.
pub(super) fn seal(store: &Store, seed: u8) {
    let contents = store.contents().unwrap();
    let newest = contents.checkpoints.values().next_back().unwrap();
    let newest = Checkpoint {
        origin: Origin::host(contents.deployment),
        ..*newest.checkpoint()
    };
    let rows = contents.chains.iter().collect();
    let (keys, overlap) = (&contents.keys, contents.overlap);
    let state = State::new(newest, &rows, keys, overlap, &contents.accusations);
    let seal = state.seal(&TestKey::new(seed)).unwrap();
    store.commit(|change| change.put_seal(&seal)).unwrap();
}

/// A house in which acme published two states and globex one, with what somebody did to its store.
fn forged(forge: impl FnOnce(&Notary, &Change<'_>) -> Result<(), StoreError>) -> House {
    let mut house = House::new();
    for (chain, lines) in [("acme", 3), ("globex", 4), ("acme", 2)] {
        house.grow(chain, lines);
        house.publish().unwrap();
    }
    let notary = house.notary();
    notary.store.commit(|change| forge(notary, change)).unwrap();
    seal(&notary.store, 1);
    house.notary = None;
    house
}

fn refused(house: &House) -> bool {
    let opened = Notary::open(&house.path(), &keys(&[1]), check);
    matches!(opened.err(), Some(NotaryError::Unproven(_)))
}

pub(super) fn by(seed: u8, checkpoint: Checkpoint) -> SignedCheckpoint {
    let key = keys(&[seed]);
    SignedCheckpoint::sign(checkpoint, key.iter().map(|key| &**key)).unwrap()
}

#[test]
fn a_checkpoint_counts_under_the_key_in_force_and_for_this_log_alone() {
    let untouched = forged(|_, _| Ok(()));
    assert!(!refused(&untouched));
    let another_key = forged(|notary, change| change.put_checkpoint(&by(9, notary.head())));
    assert!(refused(&another_key));
    let another_log = forged(|notary, change| {
        let origin = Origin::tenant(notary.deployment, id("acme"));
        let head = notary.head();
        change.put_checkpoint(&by(1, Checkpoint { origin, ..head }))
    });
    assert!(refused(&another_log));
}

#[test]
fn a_forged_checkpoint_does_not_cut_the_log() {
    let house = forged(|notary, change| {
        let short = Checkpoint {
            size: 1,
            ..notary.head()
        };
        change.begin_log(notary.deployment)?;
        change.put_checkpoint(&by(9, short))
    });
    let lengths = || -> Vec<u64> {
        let files = fs::read_dir(house.path()).unwrap().map(Result::unwrap);
        let log = files.filter(|file| !file.file_name().to_string_lossy().ends_with("redb"));
        log.map(|file| file.metadata().unwrap().len()).collect()
    };
    let before = lengths();
    assert!(refused(&house));
    assert_eq!((before.len(), lengths()), (2, before));
}

#[test]
fn a_chain_is_what_its_leaf_says() {
    let record = |notary: &Notary, chain: &str| notary.chains[chain].signed.clone().unwrap();
    let mut cut = Frontier::new();
    cut.append(leaf_hash(b"{}"));
    let shorter = forged(|notary, change| {
        let record = record(notary, "acme");
        let frontier = cut.clone();
        change.put_chain("acme", &ChainRecord { frontier, ..record })
    });
    assert!(refused(&shorter));
    for leaf in [Some(0), Some(1), Some(3), Some(u64::MAX - 1), None] {
        let elsewhere = forged(|notary, change| {
            let record = record(notary, "acme");
            change.put_chain("acme", &ChainRecord { leaf, ..record })
        });
        assert!(refused(&elsewhere), "leaf {leaf:?}");
    }
    let anothers = forged(|notary, change| change.put_chain("acme", &record(notary, "globex")));
    assert!(
        !refused(&anothers),
        "it is in the log, and its lines are not acme's"
    );
}

/// Nothing could be asked about it, and the question stayed open, and containment barred, for ever.
#[test]
fn a_witness_has_not_seen_more_than_is_signed() {
    for (size, forges) in [(3, false), (4, true), (1_000_000_000, true)] {
        let house = forged(|_, change| {
            let (key, line) = TestKey::new(9).cosign("witness", 1, "any");
            change.put_cosignature(&Kept {
                key,
                size,
                time: 1,
                line,
            })
        });
        assert_eq!(refused(&house), forges, "{size}");
    }
}

/// A row alone could say that a witness had cosigned the newest checkpoint a moment ago.
#[test]
fn a_witness_s_word_is_what_it_has_signed() {
    let (name, time) = ("witness", 1_700_000_000);
    let kept = |seed: u8, text: &str| {
        let (key, line) = TestKey::new(seed).cosign(name, time, text);
        Kept {
            key,
            size: 3,
            time,
            line,
        }
    };
    let words = |word: &dyn Fn(&str) -> Kept| {
        let mut house = forged(|notary, change| change.put_cosignature(&word(&text(notary))));
        house.reopen(&[1]);
        house.notary().witnessed().count()
    };
    assert_eq!(words(&|text| kept(9, text)), 1);
    assert_eq!(words(&|_| kept(9, "another text\n")), 0);
    let key = TestKey::new(9).witness_key(name);
    assert_eq!(
        words(&|text| Kept {
            key: key.clone(),
            ..kept(8, text)
        }),
        0
    );
    assert_eq!(
        words(&|text| Kept {
            time: time + 1,
            ..kept(9, text)
        }),
        0
    );
}

/// The text of the newest checkpoint.
fn text(notary: &Notary) -> String {
    notary.checkpoint().unwrap().note().text().to_owned()
}

/// Otherwise a rotation would sign it.
#[test]
fn an_older_checkpoint_that_the_key_in_force_has_not_signed_is_let_go() {
    let mut house = forged(|notary, change| {
        let (key, line) = TestKey::new(9).cosign("witness", 1, "any");
        change.put_cosignature(&Kept {
            key,
            size: 1,
            time: 1,
            line,
        })?;
        let size = 1;
        let head = notary.head();
        change.put_checkpoint(&by(9, Checkpoint { size, ..head }))
    });
    house.reopen(&[1]);
    let sizes: Vec<_> = house.notary().checkpoints.keys().copied().collect();
    assert_eq!(sizes, [3]);
}
