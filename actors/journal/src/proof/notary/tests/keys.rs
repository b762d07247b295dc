//! Another key takes over, and whoever knows the old one can follow.

use super::super::super::note::{Algorithm, Note, NoteError, NoteSignature};
use super::super::super::statement::{Statement, Succession};
use super::super::super::witness::WitnessAnswer;
use super::witnesses::{Witness, cosigned};
use super::*;

fn signed_by(point: &SignedCheckpoint, log: &VerifierKey) -> bool {
    let trust = Trust {
        log: vec![log.clone()],
        witnesses: Vec::new(),
        check,
    };
    point.verify(&trust).is_ok()
}

#[test]
fn both_keys_sign_until_the_old_one_is_let_go() {
    let mut house = House::new();
    house.grow("acme", 1);
    house.publish().unwrap();
    let old = house.notary().key();
    let (until_ms, now_ms) = (house.now_ms + 10_000, house.now_ms);
    house
        .notary()
        .rotate(Arc::new(TestKey::new(2)), until_ms, now_ms)
        .unwrap();
    let new = house.notary().key();
    assert_ne!(old, new);
    // The newest checkpoint is signed anew at once, and so is every later one, over a restart too.
    let point = house.notary().checkpoint().unwrap();
    assert!(signed_by(&point, &old) && signed_by(&point, &new));
    house.reopen(&[2, 1]);
    assert_eq!(house.notary().checkpoint(), Some(point));
    house.grow("acme", 1);
    let point = house.publish().unwrap();
    assert!(signed_by(&point, &old) && signed_by(&point, &new));
    let tenant = house.notary().tenant_checkpoint("acme").unwrap();
    assert!(signed_by(&tenant, &old) && signed_by(&tenant, &new));
    house.now_ms = until_ms;
    house.grow("acme", 1);
    let point = house.publish().unwrap();
    assert!(!signed_by(&point, &old) && signed_by(&point, &new));
    house.reopen(&[1, 2]);
    assert!(house.notary().signers.overlap().is_none());
    assert_eq!(house.notary().key(), new);
}

#[test]
fn the_old_key_alone_opens_nothing_any_more() {
    let mut house = House::new();
    let now_ms = house.now_ms;
    house
        .notary()
        .rotate(Arc::new(TestKey::new(2)), now_ms + 1, now_ms)
        .unwrap();
    house.notary = None;
    let refused = Notary::open(&house.path(), &keys(&[1]), check)
        .err()
        .unwrap();
    assert!(matches!(refused, NotaryError::Key(_)));
    // The new one alone does; the old one then signs no longer.
    house.reopen(&[2]);
    house.grow("acme", 1);
    assert_eq!(house.publish().unwrap().note().signatures().len(), 1);
}

#[test]
fn whoever_knows_the_old_key_can_follow_to_the_newest() {
    let mut house = House::new();
    let mut trust = house.trust();
    let now_ms = house.now_ms;
    let first = house
        .notary()
        .rotate(Arc::new(TestKey::new(2)), now_ms, now_ms)
        .unwrap();
    house
        .notary()
        .rotate(Arc::new(TestKey::new(3)), now_ms, now_ms + 5000)
        .unwrap();
    house.reopen(&[3]);
    house.grow("acme", 1);
    house.publish().unwrap();
    let bundle = house.notary().bundle("acme").unwrap();
    assert_eq!(bundle.keys.len(), 3);
    bundle.verify(&trust).unwrap_err();
    // Not the second step before the first.
    assert_eq!(
        trust.follow(&bundle.statements[1]),
        Err(NoteError::Unsigned)
    );
    assert_eq!(bundle.statements[0], first.to_string());
    for statement in &bundle.statements {
        let followed = trust.follow(statement).unwrap();
        assert_eq!(followed.succession, Succession::Rotation);
    }
    assert_eq!(trust.log, bundle.keys);
    bundle.verify(&trust).unwrap();
}

#[test]
fn a_statement_needs_both_keys_and_every_byte() {
    let mut house = House::new();
    let mut trust = house.trust();
    let now_ms = house.now_ms;
    let note = house
        .notary()
        .rotate(Arc::new(TestKey::new(2)), now_ms, now_ms)
        .unwrap();
    let text = note.to_string();
    let mut lines: Vec<_> = text.lines().collect();
    let without_new = lines[..lines.len() - 1].join("\n") + "\n";
    lines.remove(lines.len() - 2);
    let without_old = lines.join("\n") + "\n";
    for one in [without_old, without_new] {
        assert_eq!(trust.clone().follow(&one), Err(NoteError::Unsigned));
    }
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        if let Ok(changed) = String::from_utf8(bytes) {
            assert!(trust.clone().follow(&changed).is_err(), "{changed}");
        }
    }
    trust.clone().follow(&text).unwrap();
    // A checkpoint is no statement.
    house.grow("acme", 1);
    let point = house.publish().unwrap().to_string();
    assert!(matches!(trust.follow(&point), Err(NoteError::Malformed(_))));
}

/// A key that was trusted could name a key for another deployment, or for none, and whoever followed
/// the statement took that key's word for the other's log.
#[test]
fn no_key_makes_a_key_for_another_deployment() {
    let key = |seed: u8, id: u8| {
        let name = KeyName::from(OpaqueId::new([id; 16]));
        VerifierKey::new(name, Algorithm::Ed25519, TestKey::new(seed).public_key())
    };
    let (ours, theirs) = (key(1, 1), key(2, 2));
    let trust = Trust {
        log: vec![ours.clone(), theirs.clone()],
        witnesses: Vec::new(),
        check,
    };
    let cosigning = TestKey::new(3).witness_key(ours.name().as_str());
    let rotation = Succession::Rotation;
    let rebase = Succession::Rebase { size: 1, seen: 2 };
    let table = [
        (rotation, key(3, 1), true),
        (rotation, key(3, 2), false),
        (rotation, key(1, 2), false),
        (rotation, key(3, 3), false),
        (rotation, cosigning, false),
        (rebase, key(3, 3), true),
        (rebase, key(3, 2), false),
        (rebase, key(3, 1), false),
        (rebase, TestKey::new(3).witness_key("elsewhere"), false),
        // It adds nothing.
        (rebase, theirs, true),
    ];
    for (succession, new, good) in table {
        let statement = Statement {
            succession,
            old: ours.clone(),
            new: new.clone(),
            time: 1,
        };
        let seed = [1, 2, 3]
            .into_iter()
            .find(|seed| TestKey::new(*seed).public_key() == *new.public_key())
            .unwrap();
        let mut note = Note::new(statement.to_string()).unwrap();
        note.sign(ours.name(), &TestKey::new(1)).unwrap();
        let signature = match new.algorithm() {
            Algorithm::Ed25519 => NoteSignature::new(
                &new,
                TestKey::new(seed).sign(note.text().as_bytes()).to_vec(),
            ),
            Algorithm::CosignatureV1 => {
                TestKey::new(seed)
                    .cosign(new.name().as_str(), 1, note.text())
                    .1
            }
        };
        note.add(signature).unwrap();
        let mut trust = trust.clone();
        let before = trust.log.len();
        let followed = trust.follow(&note.to_string());
        assert_eq!(followed.is_ok(), good, "{statement:?}: {followed:?}");
        assert!(good || trust.log.len() == before, "{statement:?}");
    }
}

/// Only the newest checkpoint was signed anew, and a bundle has the one that a witness has seen: whoever
/// knew the new key alone, as after a theft of the old one, could check none.
#[test]
fn after_a_rotation_a_bundle_is_good_under_the_new_key_alone() {
    let mut house = House::new();
    let mut witness = Witness::of(house.notary());
    house.grow("acme", 1);
    house.publish().unwrap();
    assert!(cosigned(&witness.ask(house.notary(), 0)));
    house.grow("globex", 1);
    house.publish().unwrap();
    let on_its_way = house.notary().request(1).unwrap().unwrap();
    let word = witness.hear(&on_its_way);
    house.grow("initech", 1);
    house.publish().unwrap();
    let now_ms = house.now_ms;
    let new: Arc<dyn Signer> = Arc::new(TestKey::new(2));
    house.notary().rotate(new, now_ms, now_ms).unwrap();
    let mut trust = house.trust();
    trust.witnesses.push(witness.verifier());
    let proven = |house: &mut House| {
        let proven = house.notary().bundle("acme").unwrap().verify(&trust);
        proven.map(|proven| (proven.host_size, proven.witnesses.len()))
    };
    assert_eq!(proven(&mut house), Ok((1, 1)));
    house.reopen(&[2]);
    assert_eq!(proven(&mut house), Ok((1, 1)));
    // A word for what the old key alone had signed, and what was let go since.
    let WitnessAnswer::Cosigned(word) = word else {
        panic!("it refused: {word:?}");
    };
    house.notary().accept(&on_its_way, word).unwrap();
    assert_eq!(proven(&mut house), Ok((2, 1)));
    house.reopen(&[2]);
    assert_eq!(proven(&mut house), Ok((2, 1)));
}
