use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

#[test]
fn a_sealed_value_opens_and_has_the_documented_layout() {
    let key = DataKey::generate("acme");
    let sealed = key.seal(b"place", b"body");
    assert_eq!(sealed.len(), 4 + OVERHEAD_BYTES);
    assert_eq!(sealed[0], 1);
    assert_eq!(hex::encode(&sealed[1..9]), key.id());
    assert_eq!(key_id_of(&sealed), Ok(key.id()));
    assert_eq!(key.open(b"place", &sealed).unwrap().as_slice(), b"body");
}

/// Sealed with another implementation of the cipher would give the same bytes: the published
/// XChaCha20-Poly1305 vector, with our header before it.
#[test]
fn the_cipher_is_the_published_one() {
    let mut key = KeyBytes::zero();
    hex::decode_to_slice(
        "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
        key.0.as_mut_slice(),
    )
    .unwrap();
    let mut nonce = [0; NONCE_BYTES];
    hex::decode_to_slice(
        "404142434445464748494a4b4c4d4e4f5051525354555657",
        &mut nonce,
    )
    .unwrap();
    let aad = hex::decode("50515253c0c1c2c3c4c5c6c7").unwrap();
    let plaintext = b"Ladies and Gentlemen of the class of '99: If I could offer you \
        only one tip for the future, sunscreen would be it.";
    let sealed = Sealer {
        key: &key,
        id: [7; 8],
    }
    .seal(nonce, &aad, plaintext);
    assert_eq!(sealed.len(), plaintext.len() + OVERHEAD_BYTES);
    assert_eq!(
        hex::encode(&sealed[33..49]),
        "bd6d179d3e83d43b9576579493c0e939"
    );
    assert_eq!(
        hex::encode(&sealed[sealed.len() - 16..]),
        "c0875924c1c7987947deafd8780acf49"
    );
}

#[test]
fn every_altered_bit_is_refused() {
    let key = DataKey::generate("acme");
    let sealed = key.seal(b"place", b"forty-two bytes of something worth hiding.");
    for index in 0..sealed.len() {
        for bit in 0..8 {
            let mut altered = sealed.clone();
            altered[index] ^= 1 << bit;
            assert!(
                key.open(b"place", &altered).is_err(),
                "byte {index} bit {bit}"
            );
        }
    }
    for length in 0..sealed.len() {
        assert!(
            key.open(b"place", &sealed[..length]).is_err(),
            "cut to {length}"
        );
    }
    let mut longer = sealed;
    longer.push(0);
    assert_eq!(key.open(b"place", &longer).unwrap_err(), SealError::Refused);
}

#[test]
fn another_place_or_another_key_does_not_open_it() {
    let key = DataKey::generate("acme");
    let sealed = key.seal(&binding(&[b"acme", b"evidence", b"7"]), b"body");
    assert_eq!(
        key.open(&binding(&[b"acme", b"evidence", b"8"]), &sealed)
            .unwrap_err(),
        SealError::Refused
    );
    let other = DataKey::generate("acme");
    assert_eq!(
        other
            .open(&binding(&[b"acme", b"evidence", b"7"]), &sealed)
            .unwrap_err(),
        SealError::OtherKey {
            sealed_under: key.id(),
            offered: other.id()
        }
    );
}

#[test]
fn a_wrapped_key_opens_for_its_tenant_and_host_alone() {
    let host = HostKey::generate();
    let key = DataKey::generate("acme");
    let sealed = key.seal(b"place", b"body");
    let wrapped = key.wrap(&host);
    assert_eq!(key_id_of(&wrapped), Ok(host.id()));

    let again = DataKey::unwrap(&host, "acme", &wrapped).unwrap();
    assert_eq!(again.id(), key.id());
    assert_eq!(again.tenant(), "acme");
    assert_eq!(again.open(b"place", &sealed).unwrap().as_slice(), b"body");

    assert_eq!(
        DataKey::unwrap(&host, "globex", &wrapped).unwrap_err(),
        SealError::Refused
    );
    let other = HostKey::generate();
    assert_eq!(
        DataKey::unwrap(&other, "acme", &wrapped).unwrap_err(),
        SealError::OtherKey {
            sealed_under: host.id(),
            offered: other.id()
        }
    );
    for index in 0..wrapped.len() {
        let mut altered = wrapped.clone();
        altered[index] ^= 0x80;
        assert!(
            DataKey::unwrap(&host, "acme", &altered).is_err(),
            "byte {index}"
        );
    }
}

#[test]
fn a_wrapped_value_that_is_no_key_is_refused() {
    let host = HostKey::generate();
    let sealer = Sealer {
        key: &host.key,
        id: host.id,
    };
    let short = sealer.seal(
        [9; NONCE_BYTES],
        &wrap_binding("acme"),
        b"too short for a key",
    );
    assert_eq!(
        DataKey::unwrap(&host, "acme", &short).unwrap_err(),
        SealError::Layout
    );
}

#[test]
fn host_keys_travel_as_hex() {
    let key = HostKey::generate();
    let text = key.to_hex();
    assert_eq!(text.len(), 64);
    assert_eq!(
        HostKey::from_hex(&format!("{}\n", *text)).unwrap().id(),
        key.id()
    );
    assert_eq!(
        HostKey::from_hex(&text.to_uppercase()).unwrap().id(),
        key.id()
    );
    assert!(!text.contains(&key.id()));
    let cut = text.strip_suffix(|_: char| true).unwrap();
    for bad in ["", "00", cut, &format!("{}0", *text), &format!("g{cut}")] {
        assert_eq!(
            HostKey::from_hex(bad).unwrap_err(),
            HostKeyError::Form,
            "{bad}"
        );
    }
    assert_eq!(
        HostKey::from_hex(&"ab".repeat(32)).unwrap_err(),
        HostKeyError::Placeholder
    );
}

#[test]
fn keys_and_labels_have_ids_of_their_own() {
    let bytes = || {
        let mut key = KeyBytes::zero();
        key.0
            .copy_from_slice(&[*b"0123456789abcdef", *b"fedcba9876543210"].concat());
        key
    };
    let host = HostKey::from_key(bytes());
    assert_eq!(host.id(), HostKey::from_key(bytes()).id());
    assert_ne!(host.id(), DataKey::from_key(bytes(), "acme").id());
    assert_ne!(host.id(), HostKey::generate().id());
}

#[test]
fn debug_tells_nothing() {
    assert_eq!(format!("{:?}", HostKey::generate()), "***");
    assert_eq!(format!("{:?}", DataKey::generate("acme")), "***");
}

#[test]
fn threads_that_share_a_key_never_share_a_nonce() {
    let key = DataKey::generate("acme");
    let again = DataKey::unwrap(&HOST, "acme", &key.wrap(&HOST)).unwrap();
    let nonces = |key: &DataKey| {
        (0..2_000)
            .map(|_| key.seal(b"", b"x")[9..33].to_vec())
            .collect::<Vec<_>>()
    };
    let drawn: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let threads =
            [&key, &key, &again, &again].map(|shared| scope.spawn(move || nonces(shared)));
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(drawn.len(), 8_000);
    assert_eq!(drawn.iter().collect::<HashSet<_>>().len(), 8_000);
}

static HOST: std::sync::LazyLock<HostKey> = std::sync::LazyLock::new(HostKey::generate);

proptest! {
    #[test]
    fn anything_sealed_opens_to_itself(
        aad in prop::collection::vec(any::<u8>(), 0..64),
        plaintext in prop::collection::vec(any::<u8>(), 0..2_048),
    ) {
        let key = DataKey::generate("acme");
        let sealed = key.seal(&aad, &plaintext);
        let opened = key.open(&aad, &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), plaintext.as_slice());
        prop_assert_ne!(key.seal(&aad, &plaintext), sealed);
    }

    #[test]
    fn any_bytes_are_parsed_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..128)) {
        let key = DataKey::generate("acme");
        prop_assert!(key.open(b"", &bytes).is_err());
        let in_layout = bytes.len() >= OVERHEAD_BYTES && bytes[0] == LAYOUT_VERSION;
        prop_assert_eq!(key_id_of(&bytes).is_ok(), in_layout);
    }

    #[test]
    fn different_parts_bind_differently(
        left in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..4),
        right in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..4),
    ) {
        let join = |parts: &[Vec<u8>]| {
            binding(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
        };
        prop_assert_eq!(join(&left) == join(&right), left == right);
    }
}

#[test]
fn a_pseudonym_is_the_same_for_the_same_text_key_and_label_alone() {
    let host = HostKey::generate();
    let (acme, globex) = (DataKey::generate("acme"), DataKey::generate("globex"));
    let again = DataKey::unwrap(&host, "acme", &acme.wrap(&host)).unwrap();
    let alice = acme.pseudonym("user", "alice");
    assert_eq!(alice, acme.pseudonym("user", "alice"));
    assert_eq!(alice, again.pseudonym("user", "alice"));
    for other in [
        acme.pseudonym("user", "alic"),
        acme.pseudonym("usera", "lice"),
        acme.pseudonym("host", "alice"),
        acme.pseudonym("", "useralice"),
        globex.pseudonym("user", "alice"),
    ] {
        assert_ne!(alice, other);
    }
}

/// Computed with `sha256sum` from the construction as it is documented, so that the numbers on
/// a chain mean the same in every release.
#[test]
fn the_pseudonym_is_as_documented() {
    let mut key = KeyBytes::zero();
    key.0.fill(7);
    let key = DataKey::from_key(key, "acme");
    assert_eq!(key.pseudonym("user", "alice"), 0x277c_8a97_35c0_d8d2);
}
