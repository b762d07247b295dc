//! Notes against another implementation, and against everything that is not quite a note.

use proptest::prelude::*;
use signed_note::{StandardSigner, StandardVerifier, VerifierList};

use super::*;
use crate::proof::test_keys::{TestKey, check};

const TEXT: &str = "a line\n\nand another, after an empty one \u{e9}\n";

fn name(text: &str) -> KeyName {
    KeyName::parse(text).unwrap()
}

fn signed(text: &str) -> (Note, VerifierKey) {
    let (signer, name) = (TestKey::new(1), name("log.example/one"));
    let mut note = Note::new(text).unwrap();
    note.sign(&name, &signer).unwrap();
    (note, signer.verifier_key(&name))
}

/// The other implementation's key: the same seed under the same name.
fn their_signer(key: &TestKey, vkey: &VerifierKey) -> StandardSigner {
    let private = BASE64.encode([[1].as_slice(), &key.secret()].concat());
    let id = hex::encode(vkey.id());
    StandardSigner::new(&format!("PRIVATE+KEY+{}+{id}+{private}", vkey.name())).unwrap()
}

fn they_verify(bytes: &[u8], key: &VerifierKey) -> bool {
    let verifier = StandardVerifier::new(&key.to_string()).unwrap();
    let known = VerifierList::new(vec![Box::new(verifier)]);
    let note = signed_note::Note::from_bytes(bytes);
    note.is_ok_and(|note| note.verify(&known).is_ok())
}

#[test]
fn what_one_implementation_signs_the_other_verifies() {
    let (note, key) = signed(TEXT);
    assert!(they_verify(note.to_string().as_bytes(), &key));
    let mut theirs = signed_note::Note::new(TEXT.as_bytes(), &[]).unwrap();
    theirs
        .add_sigs(&[&their_signer(&TestKey::new(1), &key)])
        .unwrap();
    assert_eq!(
        String::from_utf8(theirs.to_bytes()).unwrap(),
        note.to_string()
    );
    let read = Note::parse(&theirs.to_bytes()).unwrap();
    assert_eq!(read.text(), TEXT);
    let verified = read.verify(std::slice::from_ref(&key), check).unwrap();
    assert_eq!(verified, [Verified { key, time: None }]);
}

#[test]
fn a_cosignature_covers_its_time() {
    let (mut note, log) = signed("origin\n1\n");
    let witness = TestKey::new(2);
    let (key, line) = witness.cosign("witness.example/w", 1_679_315_147, note.text());
    note.add(line).unwrap();
    let keys = [log, key.clone()];
    let verified = note.verify(&keys, check).unwrap();
    assert_eq!(
        verified[1],
        Verified {
            key: key.clone(),
            time: Some(1_679_315_147)
        }
    );
    // A year was put before it, under the same signature.
    let (_, mut earlier) = witness.cosign("witness.example/w", 1_679_315_147, note.text());
    earlier.bytes[..TIME].copy_from_slice(&1_647_779_147_u64.to_be_bytes());
    note.add(earlier).unwrap();
    assert_eq!(
        note.verify(&keys, check),
        Err(NoteError::Forged(key.name().clone()))
    );
}

const TIME: usize = 8;

#[test]
fn a_cosignature_of_no_time_that_there_can_be_is_refused() {
    let (mut note, _) = signed("origin\n1\n");
    let (key, line) = TestKey::new(2).cosign("w", 1 << 63, note.text());
    note.add(line).unwrap();
    assert!(matches!(
        note.verify(&[key], check),
        Err(NoteError::Forged(_))
    ));
}

#[test]
fn a_witness_key_is_no_log_key() {
    let (note, log) = signed("origin\n1\n");
    let as_witness = VerifierKey::new(
        log.name().clone(),
        Algorithm::CosignatureV1,
        *log.public_key(),
    );
    assert_ne!(as_witness.id(), log.id());
    assert_eq!(note.verify(&[as_witness], check), Err(NoteError::Unsigned));
}

#[test]
fn one_bad_signature_of_a_known_key_makes_the_note_bad() {
    let (mut note, log) = signed(TEXT);
    let other = TestKey::new(3).verifier_key(&name("other"));
    note.add(NoteSignature::new(&other, vec![0; 64])).unwrap();
    note.verify(std::slice::from_ref(&log), check).unwrap();
    let keys = [log, other];
    assert_eq!(
        note.verify(&keys, check),
        Err(NoteError::Forged(name("other")))
    );
}

#[test]
fn a_key_signs_once_and_the_last_time_counts() {
    let (mut note, _) = signed(TEXT);
    let once = note.clone();
    note.sign(&name("log.example/one"), &TestKey::new(1))
        .unwrap();
    assert_eq!(note, once);
    let (key, first) = TestKey::new(2).cosign("w", 9, TEXT);
    let (_, second) = TestKey::new(2).cosign("w", 7, TEXT);
    let twice = format!("{note}{first}{second}");
    let read = Note::parse(twice.as_bytes()).unwrap();
    let verified = read.verify(std::slice::from_ref(&key), check).unwrap();
    assert_eq!(verified, [Verified { key, time: Some(9) }]);
}

#[test]
fn there_are_no_more_than_a_hundred_signatures() {
    let (mut note, _) = signed(TEXT);
    for seed in 0..99 {
        let key = TestKey::new(9).verifier_key(&name(&format!("k{seed}")));
        note.add(NoteSignature::new(&key, vec![1])).unwrap();
    }
    let full = note.to_string();
    assert_eq!(
        Note::parse(full.as_bytes()).unwrap().signatures().len(),
        MAX_SIGNATURES
    );
    let one_more = TestKey::new(9).verifier_key(&name("more"));
    let line = NoteSignature::new(&one_more, vec![1]);
    assert_eq!(note.add(line.clone()), Err(NoteError::TooLong));
    assert_eq!(
        Note::parse(format!("{full}{line}").as_bytes()),
        Err(NoteError::TooLong)
    );
    let long = vec![b'\n'; MAX_NOTE_BYTES + 1];
    assert_eq!(Note::parse(&long), Err(NoteError::TooLong));
}

#[test]
fn what_is_not_quite_a_note_is_none() {
    let (note, _) = signed("text\n");
    let good = note.to_string();
    let broken = [
        good.replace("\n\n", "\n"),
        good.replace('\u{2014}', "-"),
        good.replace("\u{2014} ", "\u{2014}  "),
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("{good}more\n"),
        good.replace("text", "te\txt"),
        good.replace("text", "te\0xt"),
        good.replace('\n', "\r\n"),
        good.replace("=\n", "\n"),
        "text\n\n".to_owned(),
        "\u{2014} a AAAAAAA=\n".to_owned(),
        String::new(),
        // Only a key's id, and nothing signed.
        "text\n\n\u{2014} a AAAAAA==\n".to_owned(),
        // Bits that base64 has no use for.
        "text\n\n\u{2014} a AAAAAAB=\n".to_owned(),
    ];
    for text in broken {
        assert!(Note::parse(text.as_bytes()).is_err(), "{text:?}");
    }
    assert_eq!(Note::parse(b"te\xffxt\n\n"), Err(NoteError::NotText));
    assert_eq!(
        Note::parse("text\n\n\u{2014} a AAAAAAA=\n".as_bytes())
            .unwrap()
            .text(),
        "text\n"
    );
    assert!(Note::new("no newline").is_err());
}

#[test]
fn keys_are_read_strictly() {
    let key = TestKey::new(1).verifier_key(&name("log"));
    let text = key.to_string();
    assert_eq!(VerifierKey::parse(&text), Ok(key.clone()));
    let witness = TestKey::new(1).witness_key("log");
    assert_eq!(VerifierKey::parse(&witness.to_string()), Ok(witness));
    assert_eq!(
        VerifierKey::parse(&text.replacen("log", "lag", 1)),
        Err(KeyError::Id)
    );
    assert_eq!(VerifierKey::parse("log"), Err(KeyError::Form));
    assert_eq!(VerifierKey::parse("log+00000000+AQ=="), Err(KeyError::Form));
    assert_eq!(VerifierKey::parse("log+00000000+"), Err(KeyError::Form));
    assert_eq!(VerifierKey::parse("log+00000000+!"), Err(KeyError::Form));
    assert_eq!(VerifierKey::parse("+00000000+AQ=="), Err(KeyError::Name));
    let other = BASE64.encode([2; 33]);
    assert_eq!(
        VerifierKey::parse(&format!("log+00000000+{other}")),
        Err(KeyError::Algorithm)
    );
    let upper = text.replacen(&hex::encode(key.id()), &hex::encode_upper(key.id()), 1);
    assert!(upper == text || VerifierKey::parse(&upper) == Err(KeyError::Id));
    for bad in [
        "",
        "a b",
        "a+b",
        "a\u{a0}b",
        "a\u{85}b",
        "a\x07b",
        &"a".repeat(256),
    ] {
        assert_eq!(KeyName::parse(bad), Err(KeyError::Name), "{bad:?}");
    }
}

proptest! {
    /// Whatever bit is changed, the note is no longer what the key signed.
    #[test]
    fn a_changed_note_is_never_verified(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let (note, key) = signed(TEXT);
        let mut bytes = note.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let verified = Note::parse(&bytes).and_then(|note| note.verify(&[key], check));
        prop_assert!(verified.is_err());
    }

    /// Noise, half of it with the bones of a note: no panic, and nothing is read loosely.
    #[test]
    fn what_is_read_is_written_the_same_and_read_by_the_other_too(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..80),
            "([a-z \n]{0,8}\n\n)?(\u{2014} [a-z+]{1,3} [A-Za-z0-9+/=]{0,12}\n?){0,4}"
                .prop_map(String::into_bytes),
            "[a-c\n]{0,6}\n\n(\u{2014} [a-c] (AAAAA[A-D]A=|BBBBBBBB)\n){1,3}"
                .prop_map(String::into_bytes),
        ],
    ) {
        if let Ok(note) = Note::parse(&bytes) {
            prop_assert_eq!(note.to_string().into_bytes(), bytes.clone());
            prop_assert!(signed_note::Note::from_bytes(&bytes).is_ok());
        }
    }

    #[test]
    fn a_key_that_is_read_is_written_the_same(text in "[a-z]{0,3}[+]?[0-9a-f]{0,8}[+]?[A-Za-z0-9+/=]{0,44}") {
        if let Ok(key) = VerifierKey::parse(&text) {
            prop_assert_eq!(key.to_string(), text);
        }
    }

    #[test]
    fn any_plain_text_can_be_signed_and_read_back(text in "[^\\x00-\\x1f]{0,30}(\n[^\\x00-\\x1f]{0,9}){0,4}") {
        let (note, key) = signed(&format!("{text}\n"));
        let read = Note::parse(note.to_string().as_bytes()).unwrap();
        prop_assert_eq!(read.text(), format!("{text}\n"));
        prop_assert!(read.verify(&[key], check).is_ok());
    }
}
