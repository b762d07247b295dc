//! Bundles: what an auditor can tell with one, and what cannot be made to look like one.

use super::super::super::bundle::{Bundle, BundleError, LinesCheck, Proven};
use super::super::super::note::NoteError;
use super::*;
use proptest::prelude::*;

/// A house in which two tenants published three times.
fn house() -> House {
    let mut house = House::new();
    for (chain, lines) in [("acme", 3), ("globex", 4), ("acme", 2), ("initech", 1)] {
        house.grow(chain, lines);
        house.publish().unwrap();
    }
    house
}

fn standing(proven: &Proven, lines: &[Vec<u8>]) -> Standing {
    let mut check = LinesCheck::new(proven.size, proven.root);
    for line in lines {
        check.push(line);
    }
    check.finish()
}

#[test]
fn a_bundle_proves_a_tenants_lines() {
    let mut house = house();
    let trust = house.trust();
    for chain in ["acme", "globex", "initech"] {
        let bundle = house.notary().bundle(chain).unwrap();
        let read = Bundle::parse(bundle.to_json().as_bytes()).unwrap();
        assert_eq!(read, bundle);
        let proven = read.verify(&trust).unwrap();
        assert_eq!(proven.opaque_id, id(chain));
        assert_eq!(proven.deployment, house.notary().deployment());
        assert_eq!(proven.host_size, 4);
        assert_eq!(
            standing(&proven, &house.lines[chain]),
            Standing::Same { further: 0 }
        );
    }
}

#[test]
fn a_cut_or_a_rewritten_or_a_strange_file_is_told_from_the_signed_one() {
    let mut house = house();
    let trust = house.trust();
    let proven = house
        .notary()
        .bundle("acme")
        .unwrap()
        .verify(&trust)
        .unwrap();
    let lines = house.lines["acme"].clone();
    let cut = standing(&proven, &lines[..3]);
    assert_eq!(cut, Standing::Truncated { signed: 5, have: 3 });
    let mut rewritten = lines.clone();
    rewritten[1] = b"{}".to_vec();
    assert_eq!(standing(&proven, &rewritten), Standing::Differs { size: 5 });
    let strange = house.lines["globex"].clone();
    assert_eq!(
        standing(&proven, &strange),
        Standing::Truncated { signed: 5, have: 4 }
    );
    let longer = [lines, strange].concat();
    assert_eq!(standing(&proven, &longer), Standing::Same { further: 4 });
}

#[test]
fn parts_of_two_bundles_make_none() {
    let mut house = house();
    let trust = house.trust();
    let acme = house.notary().bundle("acme").unwrap();
    let globex = house.notary().bundle("globex").unwrap();
    let mut mixed = acme.clone();
    mixed.tenant = globex.tenant.clone();
    assert!(matches!(
        mixed.verify(&trust),
        Err(BundleError::Inclusion(_))
    ));
    let mut mixed = acme.clone();
    mixed.host = globex.tenant.clone();
    assert_eq!(mixed.verify(&trust), Err(BundleError::Origins));
    let mut mixed = acme.clone();
    mixed.tenant = globex.host;
    assert_eq!(mixed.verify(&trust), Err(BundleError::Origins));
    let mut mixed = acme;
    mixed.leaf_index ^= 1;
    assert!(matches!(
        mixed.verify(&trust),
        Err(BundleError::Inclusion(_))
    ));
}

#[test]
fn its_own_keys_are_not_believed() {
    let mut house = house();
    let mut stranger = House::new();
    stranger.grow("acme", 1);
    stranger.publish().unwrap();
    let bundle = stranger.notary().bundle("acme").unwrap();
    let trust = house.trust();
    let why = NoteError::Unsigned;
    assert_eq!(
        bundle.verify(&trust),
        Err(BundleError::Checkpoint {
            of: "tenant's",
            why
        })
    );
}

#[test]
fn another_version_or_member_is_refused() {
    let mut house = house();
    let json = house.notary().bundle("acme").unwrap().to_json();
    let broken = [
        json.replace("\"version\": 1", "\"version\": 2"),
        json.replace("\"version\": 1", "\"version\": 1, \"more\": 1"),
        json.replace("\"leaf_index\"", "\"leaf\""),
        json.replace("\"inclusion\": [", "\"inclusion\": [\"AAAA\","),
        format!("{json}x"),
        " ".repeat(5 << 20),
        String::new(),
    ];
    for text in broken {
        assert!(
            matches!(Bundle::parse(text.as_bytes()), Err(BundleError::Form(_))),
            "{text}"
        );
    }
}

#[test]
fn damaged_hashes_prove_nothing_until_they_are_made_anew() {
    let mut house = house();
    let trust = house.trust();
    let deployment = house.notary().deployment();
    let path = house.path().join(format!("hashes-{deployment}"));
    // A leaf's hash in the middle, which does not change what the log leads to.
    let damage = || {
        let mut bytes = fs::read(&path).unwrap();
        bytes[0] ^= 1;
        fs::write(&path, bytes).unwrap();
    };
    damage();
    let refused = house.notary().bundle("globex").unwrap_err();
    assert!(matches!(
        refused,
        NotaryError::Store(StoreError::Damaged(_))
    ));
    house.notary().rebuild().unwrap();
    let proven = |house: &mut House| house.notary().bundle("globex").unwrap().verify(&trust);
    proven(&mut house).unwrap();
    // A start finds it and does that by itself: a bad disk is no forgery.
    damage();
    house.reopen(&[1]);
    proven(&mut house).unwrap();
}

proptest! {
    /// Whatever byte of a bundle is changed: it proves the same as before, or nothing.
    #[test]
    fn a_changed_bundle_proves_nothing_else(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        static BUNDLE: std::sync::OnceLock<(String, Trust, Proven)> = std::sync::OnceLock::new();
        let (json, trust, proven) = BUNDLE.get_or_init(|| {
            let mut house = house();
            let trust = house.trust();
            let bundle = house.notary().bundle("acme").unwrap();
            let proven = bundle.verify(&trust).unwrap();
            (bundle.to_json(), trust, proven)
        });
        let mut bytes = json.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(other) = Bundle::parse(&bytes).and_then(|bundle| bundle.verify(trust)) {
            prop_assert_eq!(&other, proven);
        }
    }

    #[test]
    fn noise_is_no_bundle(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Bundle::parse(&bytes).is_err());
    }
}
