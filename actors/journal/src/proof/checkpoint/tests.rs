//! Checkpoints: what they look like, who may sign them, and what is none.

use proptest::prelude::*;

use super::*;
use crate::proof::test_keys::{TestKey, check};

fn deployment() -> OpaqueId {
    OpaqueId::new([0xab; 16])
}

fn checkpoint(tenant: Option<OpaqueId>) -> Checkpoint {
    Checkpoint {
        origin: Origin {
            deployment: deployment(),
            tenant,
        },
        size: 20_852_163,
        root: [7; 32],
    }
}

fn trust(log: &[&TestKey], witnesses: Vec<VerifierKey>) -> Trust {
    let name = KeyName::from(deployment());
    Trust {
        log: log.iter().map(|key| key.verifier_key(&name)).collect(),
        witnesses,
        check,
    }
}

fn signed(by: &[&dyn Signer], of: Checkpoint) -> SignedCheckpoint {
    SignedCheckpoint::sign(of, by.iter().copied()).unwrap()
}

#[test]
fn it_is_three_lines_and_a_signature() {
    let text = signed(&[&TestKey::new(1)], checkpoint(None)).to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "abababababababababababababababab");
    assert_eq!(lines[1], "20852163");
    assert_eq!(lines[2], "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
    assert_eq!(lines[3], "");
    assert!(lines[4].starts_with("\u{2014} abababababababababababababababab "));
    assert_eq!(lines.len(), 5);
    let tenant = checkpoint(Some(OpaqueId::new([1; 16]))).to_string();
    let origin = "abababababababababababababababab/01010101010101010101010101010101\n";
    assert!(tenant.starts_with(origin));
    let theirs = tlog_tiles::Checkpoint::from_bytes(tenant.as_bytes()).unwrap();
    assert_eq!((theirs.size(), theirs.hash().0), (20_852_163, [7; 32]));
}

#[test]
fn two_keys_sign_while_one_takes_over_from_the_other() {
    let (old, new) = (TestKey::new(1), TestKey::new(2));
    let both = signed(&[&old, &new], checkpoint(None));
    let read = SignedCheckpoint::parse(both.to_string().as_bytes()).unwrap();
    for known in [&old, &new] {
        let good = read.verify(&trust(&[known], Vec::new())).unwrap();
        assert_eq!(good.log, [known.verifier_key(&KeyName::from(deployment()))]);
    }
    let stranger = read.verify(&trust(&[&TestKey::new(3)], Vec::new()));
    assert_eq!(stranger, Err(NoteError::Unsigned));
}

#[test]
fn a_key_of_one_deployment_does_not_speak_for_another() {
    let key = TestKey::new(1);
    let name = KeyName::from(OpaqueId::new([0xcd; 16]));
    let mut note = Note::new(checkpoint(None).to_string()).unwrap();
    note.sign(&name, &key).unwrap();
    let foreign = SignedCheckpoint::parse(note.to_string().as_bytes()).unwrap();
    let mut trust = trust(&[], Vec::new());
    trust.log.push(key.verifier_key(&name));
    assert_eq!(foreign.verify(&trust), Err(NoteError::Unsigned));
}

#[test]
fn a_witness_alone_is_no_log_and_a_strange_one_counts_for_nothing() {
    let log = TestKey::new(1);
    let mut point = signed(&[], checkpoint(None));
    let (witness, line) = TestKey::new(2).cosign("w.example/1", 77, point.note().text());
    let (_, strange) = TestKey::new(3).cosign("w.example/2", 78, point.note().text());
    point.add(line).unwrap();
    point.add(strange).unwrap();
    let trust = trust(&[&log], vec![witness.clone()]);
    assert_eq!(point.verify(&trust), Err(NoteError::Unsigned));
    let name = KeyName::from(deployment());
    point.note.sign(&name, &log).unwrap();
    let good = point.verify(&trust).unwrap();
    assert_eq!(good.witnesses, [(witness.name().clone(), 77)]);
}

#[test]
fn a_cosignature_of_another_checkpoint_makes_it_bad() {
    let log = TestKey::new(1);
    let mut older = checkpoint(None);
    older.size = 5;
    let (witness, line) = TestKey::new(2).cosign("w.example/1", 77, &older.to_string());
    let mut point = signed(&[&log], checkpoint(None));
    point.add(line).unwrap();
    let verified = point.verify(&trust(&[&log], vec![witness.clone()]));
    assert_eq!(verified, Err(NoteError::Forged(witness.name().clone())));
}

#[test]
fn what_is_not_quite_a_checkpoint_is_none() {
    let good = checkpoint(None).to_string();
    assert_eq!(Checkpoint::parse(&good), Some(checkpoint(None)));
    let root = good.lines().nth(2).unwrap();
    let empty = BASE64.encode(empty_root());
    let zero = good.replace("20852163", "0").replace(root, &empty);
    assert_eq!(Checkpoint::parse(&zero).unwrap().size, 0);
    let broken = [
        good.replace("20852163", "020852163"),
        good.replace("20852163", "+20852163"),
        good.replace("20852163", "-1"),
        good.replace("20852163", ""),
        good.replace("20852163", "0"),
        good.replace("20852163", "18446744073709551615"),
        good.replace("20852163", "99999999999999999999"),
        good.replace("ab", "AB"),
        good.replace("ab", "a"),
        good.replacen("abab", "abab/", 1),
        good.replace("wc=", "wc"),
        good.replace("wc=", "wd="),
        good.replace('\n', "\r\n"),
        good.trim_end().to_owned(),
        format!("{good}an extension\n"),
        format!("\n{good}"),
        String::new(),
    ];
    for text in broken {
        assert_eq!(Checkpoint::parse(&text), None, "{text:?}");
    }
}

proptest! {
    #[test]
    fn what_is_read_is_written_the_same_and_read_by_another(
        text in "(ab){15,17}(/(0a){16})?\n[0-9]{1,4}\n[A-Zc]{42,43}[A-D=]{1,2}\n",
    ) {
        if let Some(read) = Checkpoint::parse(&text) {
            prop_assert_eq!(read.to_string(), text.clone());
            prop_assert!(tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).is_ok());
        }
    }

    #[test]
    fn noise_is_no_checkpoint(text in "\\PC{0,60}(\n\\PC{0,20}){0,4}\n?") {
        prop_assert_eq!(Checkpoint::parse(&text), None);
    }

    #[test]
    fn any_tree_is_read_back(bytes in any::<([u8; 16], Option<[u8; 16]>, [u8; 32])>(), size in 1..=MAX_SIZE) {
        let origin = Origin {
            deployment: OpaqueId::new(bytes.0),
            tenant: bytes.1.map(OpaqueId::new),
        };
        let point = Checkpoint { origin, size, root: bytes.2 };
        prop_assert_eq!(Checkpoint::parse(&point.to_string()), Some(point));
        prop_assert_eq!(Origin::parse(&origin.to_string()), Some(origin));
    }
}
