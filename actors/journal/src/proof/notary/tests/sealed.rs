//! The seal over the store, against somebody who writes the file itself and has no key that is in force.

use redb::{Database, ReadableTable as _, TableDefinition, WriteTransaction};

use super::super::super::note::NoteSignature;
use super::super::super::statement::{Statement, Succession};
use super::super::super::store::Accusation;
use super::super::super::witness::WitnessAnswer;
use super::forged::{by, seal};
use super::witnesses::Witness;
use super::*;

type ChainRow = (&'static [u8; 16], u64, &'static [u8; 32], &'static [u8]);
type KeyRow = (u64, &'static str, &'static str);

pub(super) const META: TableDefinition<'static, &'static str, &'static [u8]> =
    TableDefinition::new("meta");
const CHAINS: TableDefinition<'static, &'static str, ChainRow> = TableDefinition::new("chains");
const CHECKPOINTS: TableDefinition<'static, u64, &'static str> =
    TableDefinition::new("checkpoints");
const KEYS: TableDefinition<'static, u64, KeyRow> = TableDefinition::new("keys");

impl House {
    /// Ends the process and lets somebody at the database.
    pub(super) fn edit<T>(&mut self, edit: impl FnOnce(&WriteTransaction) -> T) -> T {
        self.notary = None;
        let database = Database::open(self.path().join("proof.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        let edited = edit(&transaction);
        transaction.commit().unwrap();
        edited
    }

    /// What is not as it was signed, when it is opened with the keys of these seeds.
    pub(super) fn refused(&mut self, seeds: &[u8]) -> String {
        self.notary = None;
        match Notary::open(&self.path(), &keys(seeds), check).err() {
            Some(NotaryError::Unproven(what)) => what,
            other => panic!("{other:?}"),
        }
    }

    /// The sizes of the log's files.
    fn lengths(&self) -> Vec<u64> {
        let files = fs::read_dir(self.path()).unwrap().map(Result::unwrap);
        let log = files.filter(|file| !file.file_name().to_string_lossy().ends_with("redb"));
        log.map(|file| file.metadata().unwrap().len()).collect()
    }
}

/// A house in which acme and globex have published.
fn grown() -> House {
    let mut house = House::new();
    for (chain, lines) in [("acme", 3), ("globex", 4), ("acme", 2)] {
        house.grow(chain, lines);
        house.publish().unwrap();
    }
    house
}

/// A house whose key of seed 1 was replaced by that of seed 2.
fn rotated() -> House {
    let mut house = grown();
    let now_ms = house.now_ms;
    let new: Arc<dyn Signer> = Arc::new(TestKey::new(2));
    house.notary().rotate(new, now_ms, now_ms).unwrap();
    house
}

/// Whoever took all checkpoints away had a log of which nothing is signed: its leaves were cut off, and no
/// witness was asked before hosts were acted on.
#[test]
fn a_log_without_its_checkpoints_is_not_an_empty_one() {
    let mut house = House::new();
    let empty = house.edit(|edit| {
        let points = edit.open_table(CHECKPOINTS).unwrap();
        points.get(0).unwrap().unwrap().value().to_owned()
    });
    house.reopen(&[1]);
    house.grow("acme", 3);
    house.publish().unwrap();
    let before = house.lengths();
    for point in [None, Some(empty)] {
        house.edit(|edit| {
            let mut points = edit.open_table(CHECKPOINTS).unwrap();
            points.retain(|_, _| false).unwrap();
            if let Some(point) = point {
                points.insert(0, &*point).unwrap();
            }
        });
        assert_eq!(house.refused(&[1]), "the newest checkpoint");
    }
    assert_eq!((before.len(), house.lengths()), (2, before));
}

/// A chain whose row was taken away was one of which nothing is signed, and one with the row of an older
/// state, which its old leaf proves, had not been cut.
#[test]
fn a_chain_s_row_is_neither_taken_away_nor_put_back() {
    let mut house = grown();
    house.edit(|edit| {
        let mut chains = edit.open_table(CHAINS).unwrap();
        chains.remove("globex").unwrap().unwrap();
    });
    assert_eq!(house.refused(&[1]), "the rows of the chains");

    let mut house = House::new();
    house.grow("acme", 3);
    house.publish().unwrap();
    let (id, leaf, last, tree) = house.edit(|edit| {
        let chains = edit.open_table(CHAINS).unwrap();
        let row = chains.get("acme").unwrap().unwrap();
        let (id, leaf, last, tree) = row.value();
        (*id, leaf, *last, tree.to_vec())
    });
    house.reopen(&[1]);
    house.grow("acme", 2);
    house.publish().unwrap();
    let before = house.lengths();
    house.edit(|edit| {
        let mut chains = edit.open_table(CHAINS).unwrap();
        chains.insert("acme", (&id, leaf, &last, &*tree)).unwrap();
    });
    assert_eq!(house.refused(&[1]), "the rows of the chains");
    assert_eq!(house.lengths(), before);
}

/// A key that was replaced lies beside the one in force, and rows alone made it the one in force again.
#[test]
fn rows_alone_bring_no_key_back_and_no_other_name() {
    let key_of = |seed: u8| TestKey::new(seed).public_key();
    let name_it = |edit: &WriteTransaction| {
        let mut meta = edit.open_table(META).unwrap();
        meta.insert("key", key_of(1).as_slice()).unwrap();
    };
    let mut house = rotated();
    house.edit(name_it);
    assert_eq!(house.refused(&[2, 1]), "which key is in force");
    house.edit(|edit| {
        let mut rows = edit.open_table(KEYS).unwrap();
        rows.remove(1).unwrap().unwrap();
    });
    assert_eq!(
        house.refused(&[2, 1]),
        "the seal is not of the key in force"
    );

    let mut house = rotated();
    house.edit(|edit| {
        let mut meta = edit.open_table(META).unwrap();
        meta.insert("deployment", [9; 16].as_slice()).unwrap();
    });
    assert_eq!(house.refused(&[2, 1]), "which key is in force");

    let mut house = rotated();
    house.edit(|edit| {
        let mut meta = edit.open_table(META).unwrap();
        let overlap = [key_of(1).as_slice(), &u64::MAX.to_le_bytes()].concat();
        meta.insert("overlap", &*overlap).unwrap();
    });
    assert_eq!(
        house.refused(&[2, 1]),
        "until when the key before signs too"
    );

    let mut house = rotated();
    house.edit(|edit| {
        let mut rows = edit.open_table(KEYS).unwrap();
        let (since, key) = {
            let row = rows.get(1).unwrap().unwrap();
            (row.value().0, row.value().1.to_owned())
        };
        rows.insert(1, (since, &*key, "")).unwrap();
    });
    assert_eq!(house.refused(&[2, 1]), "the rows of the keys");
}

#[test]
fn a_seal_is_there_and_of_these_rows() {
    let mut house = grown();
    let older = house.edit(|edit| {
        let meta = edit.open_table(META).unwrap();
        meta.get("seal").unwrap().unwrap().value().to_vec()
    });
    house.reopen(&[1]);
    house.grow("acme", 1);
    let point = house.publish().unwrap().to_string();
    for (seal, what) in [
        (Some(older), "the newest checkpoint"),
        (Some(point.into_bytes()), "the seal is of another kind"),
        (None, "there is no seal"),
    ] {
        house.edit(|edit| {
            let mut meta = edit.open_table(META).unwrap();
            match seal {
                Some(seal) => drop(meta.insert("seal", &*seal).unwrap()),
                None => drop(meta.remove("seal").unwrap()),
            }
        });
        assert_eq!(house.refused(&[1]), what);
    }
}

/// What no file can show by itself: it is for witnesses, and for the host's chain, which knows the key.
#[test]
fn a_whole_older_store_is_good_under_its_own_seal() {
    let mut house = House::new();
    house.grow("acme", 3);
    let first = house.publish();
    house.notary = None;
    let (file, copy) = (
        house.path().join("proof.redb"),
        house.folder.path().join("copy"),
    );
    fs::copy(&file, &copy).unwrap();
    house.reopen(&[1]);
    house.grow("acme", 2);
    house.publish().unwrap();
    house.notary = None;
    fs::copy(&copy, &file).unwrap();
    house.reopen(&[1]);
    assert_eq!(house.notary().checkpoint(), first);
}

/// Each commit leaves a store that opens.
#[test]
fn every_change_is_sealed() {
    let mut house = grown();
    house.reopen(&[1]);
    let witness = Witness::of(house.notary()).verifier();
    let accusation = Accusation {
        key: witness.clone(),
        size: 3,
        seen: Some(9),
        time_ms: 5,
    };
    house.notary().accuse(accusation).unwrap();
    house.reopen(&[1]);
    let (until_ms, now_ms) = (house.now_ms + 1_000_000, house.now_ms);
    let new: Arc<dyn Signer> = Arc::new(TestKey::new(2));
    house.notary().rotate(new, until_ms, now_ms).unwrap();
    house.reopen(&[2, 1]);
    house.grow("globex", 1);
    house.publish().unwrap();
    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("copy");
    house.notary().back_up(&copy).unwrap();
    let restored = Notary::open(&copy, &keys(&[2, 1]), check).unwrap();
    assert_eq!(restored.overlap_until_ms(), Some(until_ms));
    // Without the key before, the overlap ends with the next change.
    house.reopen(&[2]);
    house.grow("acme", 1);
    house.publish().unwrap();
    house.reopen(&[2, 1]);
    assert_eq!(house.notary().overlap_until_ms(), None);
    assert!(house.notary().accusation_of(&witness).is_some());
    house.notary().dismiss_all_but(&[]).unwrap();
    house.reopen(&[2]);
    assert_eq!(house.notary().accusation_of(&witness), None);
    house.notary().rebase([], 9, now_ms).unwrap();
    house.reopen(&[2]);
    house.catch_up("acme");
    assert_eq!(house.publish().unwrap().checkpoint().size, 2);
    house.reopen(&[2]);
    assert_eq!(house.notary().changed(), 0);
}

#[test]
fn a_store_of_before_there_were_seals_is_refused_with_what_to_do() {
    let mut house = grown();
    house.edit(|edit| {
        let mut meta = edit.open_table(META).unwrap();
        meta.insert("format", b"1".as_slice()).unwrap();
        meta.remove("seal").unwrap();
    });
    let refused = Notary::open(&house.path(), &keys(&[1]), check)
        .err()
        .unwrap();
    assert!(matches!(refused, NotaryError::Unsealed), "{refused:?}");
    assert!(refused.to_string().contains("vyrox audit rebase"));
}

/// The host's chain knows the key of seed 2. Whoever has the one before it, which was let go, could seal rows
/// that name that one again; nobody looked whether anything led there.
#[test]
fn no_key_follows_without_the_word_of_the_one_before_it() {
    let mut house = rotated();
    let (old, known) = (house.notary().keys()[0].key.clone(), house.notary().key());
    let genuine = house.notary().keys()[1].statement.clone();
    assert!(house.notary().comes_from(&old.to_string(), check));
    assert!(house.notary().comes_from(&known.to_string(), check));
    let stranger = TestKey::new(3).verifier_key(old.name()).to_string();
    assert!(!house.notary().comes_from(&stranger, check));

    let back = Statement {
        succession: Succession::Rotation,
        old: known.clone(),
        new: old,
        time: 1,
    };
    let (thief, other) = (TestKey::new(1), TestKey::new(3));
    let by_thief = back.sign(&thief, &thief).unwrap().to_string();
    let mut one_name = back.sign(&thief, &thief).unwrap();
    let forged = other.sign(one_name.text().as_bytes()).to_vec();
    one_name.add(NoteSignature::new(&known, forged)).unwrap();
    let forgeries = [
        None,
        genuine,
        Some(by_thief),
        Some(one_name.to_string()),
        Some("no note".to_owned()),
    ];
    for statement in forgeries {
        let mut house = rotated();
        let name = KeyName::from(house.notary().deployment());
        let known = house.notary().key().to_string();
        let notary = house.notary();
        let key = KeyInForce {
            key: thief.verifier_key(&name),
            since_ms: 5,
            statement,
        };
        let point = by(1, notary.head());
        let edited = notary.store.commit(|change| {
            change.add_key(&key)?;
            change.put_checkpoint(&point)
        });
        edited.unwrap();
        seal(&notary.store, 1);
        house.reopen(&[2, 1]);
        assert!(!house.notary().comes_from(&known, check), "{key:?}");
    }
}

#[test]
fn a_rebased_log_comes_from_the_key_of_the_one_before() {
    let mut house = grown();
    let first = house.notary().key().to_string();
    let now_ms = house.now_ms;
    house.notary().rebase([], 9, now_ms).unwrap();
    let new: Arc<dyn Signer> = Arc::new(TestKey::new(2));
    house.notary().rotate(new, now_ms, now_ms).unwrap();
    house.reopen(&[2]);
    assert_eq!(house.notary().keys().len(), 3);
    for key in house.notary().keys().to_vec() {
        assert!(house.notary().comes_from(&key.key.to_string(), check));
    }
    assert!(house.notary().comes_from(&first, check));
}

/// A log was asked about only once something was signed.
#[test]
fn the_empty_log_is_signed_and_can_be_asked_about() {
    let mut house = House::new();
    assert!(house.notary().is_fresh());
    house.reopen(&[1]);
    assert!(!house.notary().is_fresh(), "it was there before");
    let now_ms = house.now_ms;
    house.notary().rebase([], 9, now_ms).unwrap();
    assert!(house.notary().is_fresh());
    house.reopen(&[1]);
    assert!(!house.notary().is_fresh());
    let request = house.notary().request(0).unwrap().unwrap();
    assert_eq!((request.old, request.checkpoint.checkpoint().size), (0, 0));
    request.checkpoint.verify(&house.trust()).unwrap();
    assert_eq!(house.notary().request(1).unwrap(), None);
    let witness = Witness::of(house.notary()).verifier();
    // There is no other log without leaves that a witness could know.
    for (status, body, answer) in [
        (409, "5\n", WitnessAnswer::Knows { size: 5 }),
        (409, "0\n", WitnessAnswer::Unusable { status: 409 }),
        (409, "", WitnessAnswer::Unusable { status: 409 }),
        (422, "", WitnessAnswer::Unusable { status: 422 }),
        (400, "", WitnessAnswer::Unusable { status: 400 }),
        (404, "", WitnessAnswer::UnknownLog),
    ] {
        let read = request.read_answer(&witness, check, status, body.as_bytes());
        assert_eq!(read, answer, "{status} {body:?}");
    }
    house.grow("acme", 1);
    house.publish().unwrap();
    assert!(!house.notary().is_fresh());
}
