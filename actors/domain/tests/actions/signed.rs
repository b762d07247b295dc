//! A signed action is proof of one approval of one manifest; nothing near it is.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;
use serde_json::{Value, json};
use vyrox_domain::{
    action::{
        ActionManifest, MANIFEST_VERSION,
        jws::{ActionKey, Approval, JwsError, MAX_JWS_BYTES, SignedAction, sign, verify},
    },
    digest::Digest,
    time::Timestamp,
};

use super::{EXPIRES, NOW, approval, expected, key, manifest, manifests, tenant};

fn signed() -> String {
    sign(&key(), &manifest(), &approval()).unwrap()
}

fn check(jws: &str) -> Result<SignedAction, JwsError> {
    verify(jws, &expected(&tenant(), &[key().public()]))
}

fn header() -> String {
    format!(
        r#"{{"alg":"EdDSA","kid":"{}","typ":"vyrox-action+jws"}}"#,
        key().kid()
    )
}

fn payload() -> Value {
    json!({
        "approval": approval(),
        "manifest": manifest(),
        "manifest_sha256": manifest().digest().unwrap(),
    })
}

/// Signs these very bytes with the tenant's key, as somebody who holds it but not to the form could.
fn forge(header: &str, payload: &[u8]) -> String {
    let input = format!("{}.{}", B64.encode(header), B64.encode(payload));
    let signature = SigningKey::from_bytes(&[7; 32]).sign(input.as_bytes());
    format!("{input}.{}", B64.encode(signature.to_bytes()))
}

/// The payload with edits, canonical again, its digest mended, and signed: only its sense is wrong.
fn edited(edit: impl FnOnce(&mut ActionManifest, &mut Approval)) -> String {
    let (mut manifest, mut approval) = (manifest(), approval());
    edit(&mut manifest, &mut approval);
    let digest = manifest.digest().unwrap();
    let payload = json!({"approval": approval, "manifest": manifest, "manifest_sha256": digest});
    forge(
        &header(),
        &serde_json_canonicalizer::to_vec(&payload).unwrap(),
    )
}

#[test]
fn what_was_signed_is_what_is_proved() {
    let proof = check(&signed()).unwrap();
    assert_eq!(proof.manifest(), &manifest());
    assert_eq!(proof.approval(), &approval());
    assert_eq!(proof.digest(), manifest().digest().unwrap());
    assert_eq!(
        edited(|_, _| ()),
        signed(),
        "the form is the one written here by hand"
    );
}

#[test]
fn no_bit_may_change() {
    let jws = signed();
    let mut tried = 0;
    for at in 0..jws.len() {
        for bit in 0..8 {
            let mut bytes = jws.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            // The eighth bit leaves ASCII: such bytes are no text that could be verified.
            if let Ok(text) = String::from_utf8(bytes) {
                assert!(check(&text).is_err(), "bit {bit} of byte {at}");
                tried += 1;
            }
        }
    }
    assert_eq!(tried, jws.len() * 7);
}

#[test]
fn a_header_has_its_three_members_and_the_one_algorithm() {
    let payload = serde_json_canonicalizer::to_vec(&payload()).unwrap();
    let good = header();
    assert!(check(&forge(&good, &payload)).is_ok());
    let kid = key().kid().to_owned();
    let cases = [
        (good.replace("EdDSA", "none"), JwsError::Algorithm),
        (good.replace("EdDSA", "HS256"), JwsError::Algorithm),
        (good.replace("EdDSA", "ES256"), JwsError::Algorithm),
        (good.replace("EdDSA", "Ed25519"), JwsError::Algorithm),
        (good.replace("EdDSA", "eddsa"), JwsError::Algorithm),
        (good.replace("EdDSA", ""), JwsError::Algorithm),
        (good.replace("vyrox-action+jws", "JWT"), JwsError::Type),
        (good.replace(r#""alg":"EdDSA","#, ""), JwsError::Header),
        (
            good.replace(&format!(r#""kid":"{kid}","#), ""),
            JwsError::Header,
        ),
        (
            good.replace(r#","typ":"vyrox-action+jws""#, ""),
            JwsError::Header,
        ),
        (good.replace('{', r#"{"alg":"none","#), JwsError::Header),
        (good.replace('{', r#"{"b64":false,"#), JwsError::Header),
        (good.replace('{', r#"{"crit":["b64"],"#), JwsError::Header),
        (good.replace('{', r#"{"jwk":{},"#), JwsError::Header),
        (good.replace('{', "{ "), JwsError::Header),
        (good.replace(r#""EdDSA""#, "null"), JwsError::Header),
        (good.replace("EdDSA", "\\u0045dDSA"), JwsError::Header),
        (
            good.replace(&kid, "act_0000000000000000"),
            JwsError::UnknownKey,
        ),
        (good.replace(&kid, ""), JwsError::UnknownKey),
        ("[]".to_owned(), JwsError::Header),
        (String::new(), JwsError::Header),
    ];
    for (header, error) in cases {
        assert_eq!(check(&forge(&header, &payload)), Err(error), "{header}");
    }
}

#[test]
fn another_tenants_key_is_not_tried() {
    let other = ActionKey::from_seed(&[8; 32]);
    let theirs = sign(&other, &manifest(), &approval()).unwrap();
    assert_eq!(check(&theirs), Err(JwsError::UnknownKey));
    let both = [other.public(), key().public()];
    assert!(verify(&signed(), &expected(&tenant(), &both)).is_ok());
    assert_eq!(
        verify(&signed(), &expected(&tenant(), &[])),
        Err(JwsError::UnknownKey)
    );
    // The id of our key, the signature of theirs.
    let (input, _) = theirs.rsplit_once('.').unwrap();
    let (_, payload) = input.split_once('.').unwrap();
    let input = format!("{}.{payload}", B64.encode(header()));
    let signature = SigningKey::from_bytes(&[8; 32]).sign(input.as_bytes());
    let forged = format!("{input}.{}", B64.encode(signature.to_bytes()));
    assert_eq!(check(&forged), Err(JwsError::Signature));
}

#[test]
fn what_does_not_hold_is_refused_though_it_is_signed() {
    let late = EXPIRES.plus_ms(1);
    let cases = [
        (
            edited(|m, _| m.tenant_id = "globex".parse().unwrap()),
            JwsError::Tenant,
        ),
        (
            edited(|m, _| m.manifest_version = MANIFEST_VERSION + 1),
            JwsError::Version,
        ),
        (
            edited(|m, _| m.expires_at_ms = Timestamp::from_ms(NOW.ms() - 1)),
            JwsError::Expired,
        ),
        (
            edited(|_, a| a.approved_at_ms = late),
            JwsError::ApprovedLate,
        ),
        (edited(|_, a| a.approvers.clear()), JwsError::Approvers),
        (
            edited(|_, a| a.approvers = vec![String::new()]),
            JwsError::Approvers,
        ),
        (
            edited(|_, a| a.approvers.push("person:ada".into())),
            JwsError::Approvers,
        ),
        (
            edited(|_, a| a.approvers = (0..9).map(|n| format!("person:p{n}")).collect()),
            JwsError::Approvers,
        ),
    ];
    for (jws, error) in cases {
        assert_eq!(check(&jws), Err(error), "{error}");
    }
    let unsound = edited(|m, _| m.target_urn = "urn:edr:crowdstrike:../x".into());
    assert!(matches!(check(&unsound), Err(JwsError::Manifest(_))));
}

#[test]
fn its_time_ends_with_its_last_moment() {
    let at = |now| {
        let (tenant, keys) = (tenant(), [key().public()]);
        let mut expected = expected(&tenant, &keys);
        expected.now = now;
        verify(&signed(), &expected)
    };
    assert!(at(EXPIRES).is_ok());
    assert_eq!(at(EXPIRES.plus_ms(1)), Err(JwsError::Expired));
}

#[test]
fn the_policies_in_force_are_asked_for_where_they_matter() {
    let with = |policies: &Digest| {
        let (tenant, keys) = (tenant(), [key().public()]);
        let mut expected = expected(&tenant, &keys);
        expected.policy_sha256 = Some(policies);
        verify(&signed(), &expected)
    };
    assert!(with(&Digest([5; 32])).is_ok());
    assert_eq!(with(&Digest([6; 32])), Err(JwsError::Policy));
}

#[test]
fn a_payload_has_its_members_in_their_one_form() {
    let canonical =
        String::from_utf8(serde_json_canonicalizer::to_vec(&payload()).unwrap()).unwrap();
    let digest = manifest().digest().unwrap().to_hex();
    let other_digest = Digest([1; 32]).to_hex();
    let cases = [
        (canonical.replace(&digest, &other_digest), JwsError::Digest),
        (canonical.replace("srv-1", "srv-2"), JwsError::Digest),
        (
            canonical.replace(&digest, &digest.to_uppercase()),
            JwsError::NotCanonical,
        ),
        (canonical.replacen('{', "{ ", 1), JwsError::NotCanonical),
        (format!("{canonical}\n"), JwsError::NotCanonical),
        (
            canonical.replace("srv-1", "srv\\u002d1"),
            JwsError::NotCanonical,
        ),
        (
            canonical.replace(r#""protected":null,"#, ""),
            JwsError::NotCanonical,
        ),
        (
            canonical.replace(r#""pid":"4711""#, r#""pid":"4712","pid":"4711""#),
            JwsError::NotCanonical,
        ),
        (
            canonical.replace("01010101-0101-0101-0101-010101010101", &"01".repeat(16)),
            JwsError::NotCanonical,
        ),
        (
            canonical.replacen('{', r#"{"also":1,"#, 1),
            JwsError::Payload,
        ),
        (
            canonical.replace(r#""dry_run":false"#, r#""dry_run":0"#),
            JwsError::Payload,
        ),
        (
            canonical.replace(r#""dry_run":false,"#, ""),
            JwsError::Payload,
        ),
        (
            canonical.replace(r#""dry_run":false"#, r#""dry_run":true,"dry_run":false"#),
            JwsError::Payload,
        ),
        (format!("{canonical}{{}}"), JwsError::Payload),
        ("[".repeat(5000), JwsError::Payload),
        (String::new(), JwsError::Payload),
    ];
    assert!(check(&forge(&header(), canonical.as_bytes())).is_ok());
    for (payload, error) in cases {
        assert_eq!(
            check(&forge(&header(), payload.as_bytes())),
            Err(error),
            "{payload}"
        );
    }
}

#[test]
fn the_text_has_one_form() {
    let jws = signed();
    let segments: Vec<_> = jws.split('.').collect();
    let [header, payload, signature] = segments[..] else {
        panic!("three segments")
    };
    assert_eq!(check(""), Err(JwsError::Segments));
    assert_eq!(check(header), Err(JwsError::Segments));
    assert_eq!(
        check(&format!("{header}.{payload}")),
        Err(JwsError::Segments)
    );
    assert_eq!(check(&format!("{jws}.")), Err(JwsError::Segments));
    assert_eq!(
        check(&format!("{jws}.{signature}")),
        Err(JwsError::Segments)
    );
    for strange in [
        format!("{jws}="),
        format!("{jws}=="),
        format!(" {jws}"),
        format!("{jws}\n"),
        format!("{header}. {payload}.{signature}"),
        format!("{header}.{payload}+.{signature}"),
        format!("{header}.{payload}/.{signature}"),
        format!("{header}=.{payload}.{signature}"),
        format!("{jws}\u{e9}"),
    ] {
        assert_eq!(check(&strange), Err(JwsError::Encoding), "{strange}");
    }
    for unsigned in [
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
    ] {
        assert_eq!(check(&unsigned), Err(JwsError::Signature), "{unsigned}");
    }
    // The last character of 64 bytes has four bits to spare, which have to be zero.
    let last = signature.chars().next_back().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let next = alphabet
        .chars()
        .nth(alphabet.find(last).unwrap() + 1)
        .unwrap();
    let spare = format!("{}{next}", jws.strip_suffix(last).unwrap());
    assert_eq!(check(&spare), Err(JwsError::Encoding));
}

#[test]
fn what_is_too_long_is_not_read_and_not_signed() {
    let long = "a".repeat(MAX_JWS_BYTES);
    assert_eq!(check(&long), Err(JwsError::Segments));
    assert_eq!(check(&format!("{long}a")), Err(JwsError::TooLong));
    let mut wordy = approval();
    wordy.policies = vec!["p".repeat(MAX_JWS_BYTES)];
    assert!(sign(&key(), &manifest(), &wordy).is_err());
}

#[test]
fn what_would_be_refused_is_not_signed() {
    let mut unsound = manifest();
    unsound.target_urn = "urn:edr:crowdstrike:".to_owned();
    assert!(sign(&key(), &unsound, &approval()).is_err());
    let mut nobody = approval();
    nobody.approvers.clear();
    assert!(sign(&key(), &manifest(), &nobody).is_err());
    let mut late = approval();
    late.approved_at_ms = EXPIRES.plus_ms(1);
    assert!(sign(&key(), &manifest(), &late).is_err());
}

proptest! {
    #[test]
    fn whatever_is_signed_is_proved(manifest in manifests()) {
        let mut approval = approval();
        approval.approved_at_ms = manifest.expires_at_ms;
        let jws = sign(&key(), &manifest, &approval).unwrap();
        let (tenant, keys) = (tenant(), [key().public()]);
        let mut expected = expected(&tenant, &keys);
        expected.now = manifest.expires_at_ms;
        let proof = verify(&jws, &expected).unwrap();
        prop_assert_eq!(proof.digest(), manifest.digest().unwrap());
        prop_assert_eq!(proof.manifest(), &manifest);
    }

    #[test]
    fn no_text_is_a_proof_by_accident(text in "\\PC{0,80}", jws in "[A-Za-z0-9_-]{0,40}(\\.[A-Za-z0-9_-]{0,40}){0,4}") {
        prop_assert!(check(&text).is_err());
        prop_assert!(check(&jws).is_err());
    }
}
