//! A webhook counts only with the tenant's secret behind it, and a refusal tells nothing, not even by
//! what it costs.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use sha2::Sha256;
use vyrox_domain::{
    vendor::Vendor,
    webhook::{
        AuthScheme, FalconForm, FalconHmac, HeaderList, InvalidSignature, Keys, RawWebhook,
        SECRET_BLOCK_BYTES, SIGNATURE_HEADER, SIGNED_EXTRA_BYTES, Secret, Verification,
        signature_of, verify,
    },
};

use crate::NOW;

pub(crate) const BODY: &[u8] = br#"{"detect_id":"ldt:1:2","customer_id":"acme"}"#;
pub(crate) const CURRENT: &[u8] = b"0123456789abcdef0123456789abcdef";
pub(crate) const PREVIOUS: &[u8] = b"fedcba9876543210fedcba9876543210";
const NOW_TEXT: &[u8] = b"1790000000";

fn keys(scheme: AuthScheme) -> Keys {
    Keys {
        scheme,
        current: Secret::new(CURRENT.to_vec()),
        previous: Some(Secret::new(PREVIOUS.to_vec())),
    }
}

pub(crate) fn try_with<'a>(
    keys: Option<&Keys>,
    body: &'a [u8],
    headers: &'a HeaderList<'a>,
) -> Verification<'a> {
    verify(
        RawWebhook {
            vendor: Vendor::Crowdstrike,
            body,
            headers,
            now: NOW,
        },
        keys,
    )
}

pub(crate) fn accepts(scheme: AuthScheme, headers: &[(&str, &[u8])]) -> bool {
    try_with(Some(&keys(scheme)), BODY, &HeaderList(headers))
        .outcome
        .is_ok()
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

fn falcon(form: FalconForm) -> AuthScheme {
    AuthScheme::FalconHmac(FalconHmac {
        form,
        ..FalconHmac::default()
    })
}

#[test]
fn the_known_answer_of_rfc_4231() {
    let signature = signature_of(
        &Secret::new(b"Jefe".to_vec()),
        b"what do ya want for nothing?",
    );
    assert_eq!(
        signature,
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}

#[test]
fn the_current_secret_and_the_previous_one_are_told_apart() {
    let keys = keys(AuthScheme::VyroxHmac);
    for (key, used_previous) in [(CURRENT, false), (PREVIOUS, true)] {
        let signature = signature_of(&Secret::new(key.to_vec()), BODY);
        let headers = [("x-VYROX-signature", signature.as_bytes())];
        let headers = HeaderList(&headers);
        let webhook = try_with(Some(&keys), BODY, &headers).outcome.unwrap();
        assert_eq!(webhook.used_previous(), used_previous);
        assert_eq!(webhook.body(), BODY);
        assert_eq!(webhook.vendor(), Vendor::Crowdstrike);
    }
}

#[test]
fn after_the_overlap_the_previous_secret_is_worth_nothing() {
    let keys = Keys {
        previous: None,
        ..keys(AuthScheme::VyroxHmac)
    };
    let signature = signature_of(&Secret::new(PREVIOUS.to_vec()), BODY);
    let headers = [(SIGNATURE_HEADER, signature.as_bytes())];
    assert_eq!(
        try_with(Some(&keys), BODY, &HeaderList(&headers)).outcome,
        Err(InvalidSignature)
    );
}

#[test]
fn a_vyrox_signature_is_the_prefix_and_64_digits() {
    let good = signature_of(&Secret::new(CURRENT.to_vec()), BODY);
    let digits = good.strip_prefix("sha256=").unwrap();
    let accepted = |value: &str| {
        accepts(
            AuthScheme::VyroxHmac,
            &[(SIGNATURE_HEADER, value.as_bytes())],
        )
    };
    assert!(accepted(&good));
    assert!(accepted(&format!("sha256={}", digits.to_uppercase())));
    for bad in [
        String::new(),
        "sha256=".into(),
        digits.into(),
        format!("SHA256={digits}"),
        format!("sha256= {digits}"),
        format!("sha256={digits}0"),
        format!("sha256={}", &digits[..62]),
        format!("sha256=g{}", &digits[1..]),
        format!("{good},{good}"),
    ] {
        assert!(!accepted(&bad), "{bad}");
    }
}

#[test]
fn a_header_that_comes_twice_counts_as_absent() {
    let good = signature_of(&Secret::new(CURRENT.to_vec()), BODY);
    let header = (SIGNATURE_HEADER, good.as_bytes());
    assert!(accepts(AuthScheme::VyroxHmac, &[header]));
    assert!(!accepts(AuthScheme::VyroxHmac, &[header, header]));
}

#[test]
fn falcon_signs_body_and_timestamp_in_the_configured_order_and_no_other() {
    let base64 = STANDARD.encode(mac(CURRENT, &[BODY, NOW_TEXT]));
    let hex = hex::encode(mac(CURRENT, &[NOW_TEXT, BODY]));
    let accepted = |form, signature: &str| {
        let headers = [
            ("x-cs-primary-signature", signature.as_bytes()),
            ("X-Cs-Delivery-Timestamp", NOW_TEXT),
        ];
        accepts(falcon(form), &headers)
    };
    assert!(accepted(FalconForm::BodyTimestampBase64, &base64));
    assert!(accepted(FalconForm::TimestampBodyHex, &hex));
    assert!(!accepted(FalconForm::BodyTimestampBase64, &hex));
    assert!(!accepted(FalconForm::TimestampBodyHex, &base64));
    let swapped = STANDARD.encode(mac(CURRENT, &[NOW_TEXT, BODY]));
    assert!(!accepted(FalconForm::BodyTimestampBase64, &swapped));
    assert!(!accepted(
        FalconForm::BodyTimestampBase64,
        base64.trim_end_matches('=')
    ));
}

#[test]
fn a_falcon_timestamp_is_needed_signed_and_near() {
    let accepted = |stamp: &[u8]| {
        let signature = STANDARD.encode(mac(CURRENT, &[BODY, stamp]));
        let headers = [
            ("X-CS-Primary-Signature", signature.as_bytes()),
            ("X-CS-Delivery-Timestamp", stamp),
        ];
        accepts(falcon(FalconForm::BodyTimestampBase64), &headers)
    };
    for good in [
        "1790000300",
        "1789999700",
        "1790000000123",
        "2026-09-21T14:13:20Z",
    ] {
        assert!(accepted(good.as_bytes()), "{good}");
    }
    let too_long = format!("1790000000{}", " ".repeat(SIGNED_EXTRA_BYTES));
    let bad = [
        "1790000301",
        "1789999699",
        "",
        "soon",
        "99999999999999999999999",
        &too_long,
    ];
    for bad in bad {
        assert!(!accepted(bad.as_bytes()), "{bad}");
    }
    assert!(!accepted(b"\xff\xfe"));

    let unsigned = STANDARD.encode(mac(CURRENT, &[BODY]));
    let headers = [("X-CS-Primary-Signature", unsigned.as_bytes())];
    assert!(!accepts(falcon(FalconForm::BodyTimestampBase64), &headers));
}

#[test]
fn an_empty_secret_vouches_for_nothing() {
    for scheme in [
        AuthScheme::VyroxHmac,
        AuthScheme::Bearer,
        AuthScheme::HeaderSecret {
            header: "X-Webhook-Secret".into(),
        },
    ] {
        let keys = Keys {
            scheme,
            current: Secret::new(Vec::new()),
            previous: Some(Secret::new(Vec::new())),
        };
        let signature = signature_of(&Secret::new(Vec::new()), BODY);
        let headers: [(&str, &[u8]); 3] = [
            (SIGNATURE_HEADER, signature.as_bytes()),
            ("Authorization", b"Bearer "),
            ("X-Webhook-Secret", b""),
        ];
        assert_eq!(
            try_with(Some(&keys), BODY, &HeaderList(&headers)).outcome,
            Err(InvalidSignature)
        );
    }
}

#[test]
fn nobody_can_sign_for_a_tenant_without_keys() {
    let stand_in = Secret::new(b"no secret here, the work is real".to_vec());
    let signature = signature_of(&stand_in, BODY);
    let headers = [(SIGNATURE_HEADER, signature.as_bytes())];
    assert_eq!(
        try_with(None, BODY, &HeaderList(&headers)).outcome,
        Err(InvalidSignature)
    );
    let keys = Keys {
        previous: None,
        ..keys(AuthScheme::VyroxHmac)
    };
    assert_eq!(
        try_with(Some(&keys), BODY, &HeaderList(&headers)).outcome,
        Err(InvalidSignature)
    );
}

#[test]
fn a_secret_never_shows_itself() {
    let keys = keys(AuthScheme::Bearer);
    assert_eq!(keys.current.to_string(), "***");
    let shown = format!("{keys:?}");
    assert!(shown.contains("***"), "{shown}");
    assert!(!shown.contains("0123456789"), "{shown}");
    assert_eq!(InvalidSignature.to_string(), "invalid signature");
}

fn any_scheme() -> impl Strategy<Value = AuthScheme> {
    prop_oneof![
        Just(AuthScheme::VyroxHmac),
        Just(falcon(FalconForm::BodyTimestampBase64)),
        Just(falcon(FalconForm::TimestampBodyHex)),
        Just(AuthScheme::Bearer),
        Just(AuthScheme::HeaderSecret {
            header: "X-Webhook-Secret".into()
        }),
    ]
}

/// Every header that any scheme reads: right, wrong in one bit, malformed or missing.
fn any_headers(body: &[u8], key: &[u8], flaw: u8, stamp: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let flip = |mut bytes: Vec<u8>| {
        bytes[0] ^= u8::from(flaw == 1);
        bytes
    };
    let digits = |parts: &[&[u8]]| hex::encode(flip(mac(key, parts))).into_bytes();
    let mut headers = vec![
        (
            SIGNATURE_HEADER,
            [b"sha256=", digits(&[body]).as_slice()].concat(),
        ),
        (
            "X-CS-Primary-Signature",
            STANDARD.encode(flip(mac(key, &[body, stamp]))).into_bytes(),
        ),
        ("X-CS-Delivery-Timestamp", stamp.to_vec()),
        (
            "Authorization",
            [b"Bearer ", flip(key.to_vec()).as_slice()].concat(),
        ),
        ("X-Webhook-Secret", flip(key.to_vec())),
    ];
    match flaw {
        2 => headers.iter_mut().for_each(|(_, value)| value.truncate(3)),
        3 => headers.clear(),
        4 => headers.extend(headers.clone()),
        5 => headers
            .iter_mut()
            .for_each(|(_, value)| value.resize(5000, b'0')),
        _ => {}
    }
    headers
}

proptest! {
    #[test]
    fn every_verification_costs_the_same(
        scheme in any_scheme(),
        body in proptest::collection::vec(any::<u8>(), 0..2000),
        stamp in "[ -~]{0,90}",
        secret in proptest::collection::vec(b'!'..=b'~', 1..700),
        (flaw, with_keys, rotating) in (0_u8..6, any::<bool>(), any::<bool>()),
    ) {
        let held = any_headers(&body, &secret, flaw, stamp.as_bytes());
        let headers: Vec<(&str, &[u8])> =
            held.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        let headers = HeaderList(&headers);
        let mut keys = keys(scheme);
        keys.current = Secret::new(secret);
        if !rotating {
            keys.previous = None;
        }
        let verification = try_with(with_keys.then_some(&keys), &body, &headers);
        prop_assert_eq!(verification.macs, 2);
        let expected = 2 * (body.len() + SIGNED_EXTRA_BYTES) + 3 * SECRET_BLOCK_BYTES;
        prop_assert_eq!(verification.hashed_bytes, u64::try_from(expected).unwrap());
        if !with_keys || flaw > 0 {
            prop_assert_eq!(verification.outcome, Err(InvalidSignature));
        }
    }

    #[test]
    fn one_changed_byte_of_the_body_is_enough(
        body in proptest::collection::vec(any::<u8>(), 1..500),
        at in any::<prop::sample::Index>(),
        change in 1_u8..,
    ) {
        let signature = signature_of(&Secret::new(CURRENT.to_vec()), &body);
        let headers = [(SIGNATURE_HEADER, signature.as_bytes())];
        let keys = keys(AuthScheme::VyroxHmac);
        prop_assert!(try_with(Some(&keys), &body, &HeaderList(&headers)).outcome.is_ok());
        let mut changed = body.clone();
        changed[at.index(body.len())] ^= change;
        prop_assert!(try_with(Some(&keys), &changed, &HeaderList(&headers)).outcome.is_err());
    }
}
