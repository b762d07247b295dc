//! How authentication schemes are written.

use proptest::prelude::*;
use vyrox_domain::webhook::{AuthScheme, FalconForm, FalconHmac, InvalidScheme};

fn parsed(text: &str) -> AuthScheme {
    AuthScheme::parse(text).unwrap()
}

#[test]
fn the_plain_names() {
    assert_eq!(parsed("vyrox-hmac"), AuthScheme::VyroxHmac);
    assert_eq!(parsed("bearer"), AuthScheme::Bearer);
    assert_eq!(
        parsed("header-secret"),
        AuthScheme::HeaderSecret {
            header: "X-Webhook-Secret".into()
        }
    );
    let AuthScheme::FalconHmac(falcon) = parsed("falcon-hmac") else {
        panic!("falcon");
    };
    assert_eq!(falcon.signature_header, "X-CS-Primary-Signature");
    assert_eq!(falcon.timestamp_header, "X-CS-Delivery-Timestamp");
    assert_eq!(falcon.form, FalconForm::BodyTimestampBase64);
    assert_eq!(falcon.tolerance_s, 300);
}

#[test]
fn settings_follow_the_name() {
    assert_eq!(
        parsed("header-secret=X-Sentinel-Key"),
        AuthScheme::HeaderSecret {
            header: "X-Sentinel-Key".into()
        }
    );
    let text = "falcon-hmac=X-Sig,timestamp=X-Time,form=timestamp-body-hex,tolerance=60";
    let expected = AuthScheme::FalconHmac(FalconHmac {
        signature_header: "X-Sig".into(),
        timestamp_header: "X-Time".into(),
        form: FalconForm::TimestampBodyHex,
        tolerance_s: 60,
    });
    assert_eq!(parsed(text), expected);
    assert_eq!(expected.to_string(), text);
}

#[test]
fn what_is_no_scheme_is_refused() {
    for (text, error) in [
        ("", InvalidScheme::Unknown),
        ("none", InvalidScheme::Unknown),
        ("bearer=X", InvalidScheme::Unknown),
        ("Vyrox-Hmac", InvalidScheme::Unknown),
        ("header-secret=", InvalidScheme::HeaderName),
        ("header-secret=two words", InvalidScheme::HeaderName),
        ("header-secret=host", InvalidScheme::ReservedHeader),
        ("header-secret=Connection", InvalidScheme::ReservedHeader),
        ("header-secret=Content-Type", InvalidScheme::ReservedHeader),
        (
            "header-secret=content-anything",
            InvalidScheme::ReservedHeader,
        ),
        (
            "header-secret=Transfer-Encoding",
            InvalidScheme::ReservedHeader,
        ),
        ("header-secret=AUTHORIZATION", InvalidScheme::ReservedHeader),
        ("falcon-hmac=", InvalidScheme::HeaderName),
        ("falcon-hmac=X,form=body", InvalidScheme::FalconSetting),
        ("falcon-hmac=X,tolerance=soon", InvalidScheme::FalconSetting),
        ("falcon-hmac=X,header=Y", InvalidScheme::FalconSetting),
    ] {
        assert_eq!(AuthScheme::parse(text), Err(error), "{text}");
    }
}

#[test]
fn a_journal_with_a_header_that_is_refused_today_can_still_be_read() {
    let text = "header-secret=Authorization";
    assert_eq!(AuthScheme::parse(text), Err(InvalidScheme::ReservedHeader));
    let scheme: AuthScheme = serde_json::from_value(text.into()).unwrap();
    assert_eq!(scheme.to_string(), text);
}

fn any_header() -> impl Strategy<Value = String> {
    "X-[A-Za-z0-9!#$%&'*+.^_`|~-]{0,62}"
}

proptest! {
    #[test]
    fn what_is_shown_reads_back(
        signature_header in any_header(),
        timestamp_header in any_header(),
        hex in any::<bool>(),
        tolerance_s in any::<u64>(),
        kind in 0..4,
    ) {
        let form =
            if hex { FalconForm::TimestampBodyHex } else { FalconForm::BodyTimestampBase64 };
        let scheme = match kind {
            0 => AuthScheme::VyroxHmac,
            1 => AuthScheme::Bearer,
            2 => AuthScheme::HeaderSecret { header: signature_header },
            _ => AuthScheme::FalconHmac(
                FalconHmac { signature_header, timestamp_header, form, tolerance_s },
            ),
        };
        prop_assert_eq!(AuthScheme::parse(&scheme.to_string()), Ok(scheme.clone()));
        let journaled = serde_json::to_string(&scheme).unwrap();
        prop_assert_eq!(serde_json::from_str::<AuthScheme>(&journaled).unwrap(), scheme);
    }

    #[test]
    fn no_text_is_too_strange_to_refuse(text in any::<String>()) {
        if let Ok(scheme) = AuthScheme::parse(&text) {
            prop_assert_eq!(AuthScheme::parse(&scheme.to_string()), Ok(scheme));
        }
    }
}
