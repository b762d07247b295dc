//! Secrets that are sent themselves, in a header, where only the whole of one counts.

use vyrox_domain::webhook::{
    AuthScheme, HeaderList, InvalidSignature, Keys, MAX_SHARED_SECRET_BYTES, Secret,
};

use crate::signatures::{BODY, CURRENT, PREVIOUS, accepts, try_with};

#[test]
fn a_bearer_token_is_the_secret_itself() {
    let accepted =
        |value: &str| accepts(AuthScheme::Bearer, &[("authorization", value.as_bytes())]);
    let secret = std::str::from_utf8(CURRENT).unwrap();
    assert!(accepted(&format!("Bearer {secret}")));
    assert!(accepted(&format!("bearer  {secret}")));
    let cut = &secret[1..];
    for bad in [
        secret.into(),
        "Bearer ".into(),
        format!("Basic {secret}"),
        format!("Bearer {cut}"),
    ] {
        assert!(!accepted(&bad), "{bad}");
    }
}

#[test]
fn a_static_secret_comes_in_its_own_header() {
    let scheme = AuthScheme::HeaderSecret {
        header: "X-Webhook-Secret".into(),
    };
    assert!(accepts(scheme.clone(), &[("x-webhook-secret", CURRENT)]));
    assert!(accepts(scheme.clone(), &[("x-webhook-secret", PREVIOUS)]));
    assert!(!accepts(scheme.clone(), &[("x-other-secret", CURRENT)]));
    assert!(!accepts(scheme, &[("x-webhook-secret", b"")]));
}

#[test]
fn a_static_secret_has_a_longest_length_and_only_the_whole_of_it_counts() {
    let accepted = |held: usize, offered: usize| {
        let keys = Keys {
            scheme: AuthScheme::Bearer,
            current: Secret::new(vec![b's'; held]),
            previous: None,
        };
        let value = format!("Bearer {}", "s".repeat(offered));
        let headers = [("Authorization", value.as_bytes())];
        try_with(Some(&keys), BODY, &HeaderList(&headers))
            .outcome
            .is_ok()
    };
    let max = MAX_SHARED_SECRET_BYTES;
    assert_eq!(max, 510);
    for (held, offered, good) in [
        (32, 32, true),
        (32, 33, false),
        (33, 32, false),
        (max, max, true),
        (max, max + 1, false),
        (max + 1, max, false),
        // Two that are too long are not taken for the same.
        (max + 1, max + 1, false),
        (max + 1, max + 2, false),
        (70_000, 70_000, false),
    ] {
        assert_eq!(accepted(held, offered), good, "{held} {offered}");
    }
}

#[test]
fn a_static_secret_and_one_with_zeros_behind_it_are_two() {
    let keys = Keys {
        scheme: AuthScheme::HeaderSecret {
            header: "X-Webhook-Secret".into(),
        },
        current: Secret::new(CURRENT.to_vec()),
        previous: None,
    };
    let longer = [CURRENT, b"\0"].concat();
    let headers = [("X-Webhook-Secret", longer.as_slice())];
    assert_eq!(
        try_with(Some(&keys), BODY, &HeaderList(&headers)).outcome,
        Err(InvalidSignature)
    );
}
