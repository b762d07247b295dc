//! The account is found without trust in the body, and never differently from the parser.

use proptest::prelude::*;
use serde_json::json;
use vyrox_domain::{
    json::JsonError,
    prescan::{MAX_ACCOUNT_BYTES, MAX_PRESCAN_BYTES, PrescanError, account_of},
    vendor::Vendor,
};

use crate::parse;

fn account(vendor: Vendor, body: &str) -> Result<Option<String>, PrescanError> {
    account_of(vendor, body.as_bytes())
}

#[test]
fn every_place_of_every_vendor() {
    use Vendor::{Crowdstrike, Defender, Generic, Sentinelone};
    for (vendor, body) in [
        (Crowdstrike, r#"{"customer_id":"acme"}"#),
        (Crowdstrike, r#"{"x":[{"cid":"other"}],"cid":"acme"}"#),
        (
            Crowdstrike,
            r#"{"metadata":{"offset":1,"customerIDString":"acme"},"event":{"cid":"x"}}"#,
        ),
        (
            Crowdstrike,
            r#"{"resources":[{"cid":"acme"},{"cid":"acme"}]}"#,
        ),
        (Sentinelone, r#"{"accountId":"acme"}"#),
        (Sentinelone, r#"{"agentRealtimeInfo":{"accountId":"acme"}}"#),
        (
            Sentinelone,
            r#"{"data":[{"agentDetectionInfo":{"accountId":"acme"}}]}"#,
        ),
        (
            Sentinelone,
            r#"{"data":{"accountId":"other"},"accountId":"acme"}"#,
        ),
        (Defender, r#"{"tenant_id":"acme"}"#),
        (Defender, r#"{"aadTenantId":"acme"}"#),
        (Defender, r#"{"value":[{"tenantId":"acme"}]}"#),
        (
            Defender,
            r#"{"records":[{"tenantId":"acme","properties":{"tenantId":"x"}}]}"#,
        ),
        (Generic, r#"[{"tenant_id":"acme"},7,{}]"#),
        (Generic, r#"{"alerts":[{"tenant_id":"acme"}]}"#),
        (Generic, r#"{"\u0074enant_id":"\u0061cm\u0065"}"#),
    ] {
        assert_eq!(
            account(vendor, body),
            Ok(Some("acme".into())),
            "{vendor} {body}"
        );
    }
}

#[test]
fn the_first_rank_outranks_the_second() {
    for (vendor, body) in [
        (
            Vendor::Defender,
            r#"{"aadTenantId":"0b1c","tenant_id":"acme"}"#,
        ),
        (
            Vendor::Sentinelone,
            r#"{"agentDetectionInfo":{"accountId":"1"},"accountId":"acme"}"#,
        ),
        (
            Vendor::Crowdstrike,
            r#"{"metadata":{"customerIDString":"1"},"cid":"acme"}"#,
        ),
    ] {
        assert_eq!(account(vendor, body), Ok(Some("acme".into())), "{vendor}");
    }
}

#[test]
fn numbers_are_ids_and_other_types_are_not() {
    let of = |value: &str| account(Vendor::Generic, &format!(r#"{{"tenant_id":{value}}}"#));
    assert_eq!(
        of("225494730938493804"),
        Ok(Some("225494730938493804".into()))
    );
    for absent in [
        "null",
        "true",
        "{}",
        "[\"acme\"]",
        "\"\"",
        "1.5",
        "1e3",
        "-1",
    ] {
        assert_eq!(of(absent), Ok(None), "{absent}");
    }
    assert_eq!(account(Vendor::Generic, "7"), Ok(None));
    assert_eq!(account(Vendor::Generic, "{}"), Ok(None));
}

#[test]
fn what_two_readers_might_understand_differently_is_refused() {
    use Vendor::{Crowdstrike, Defender, Sentinelone};
    for (vendor, body) in [
        (Crowdstrike, r#"{"cid":"acme","cid":"acme"}"#),
        (Crowdstrike, r#"{"cid":"acme","\u0063id":"acme"}"#),
        (Crowdstrike, r#"{"cid":null,"cid":"acme"}"#),
        (
            Crowdstrike,
            r#"{"metadata":{"customerIDString":"a"},"metadata":{}}"#,
        ),
        (
            Sentinelone,
            r#"{"agentRealtimeInfo":{"accountId":"a","accountId":"b"}}"#,
        ),
        (Defender, r#"{"value":[{"tenantId":"a","tenantId":"a"}]}"#),
    ] {
        assert_eq!(
            account(vendor, body),
            Err(PrescanError::Twice),
            "{vendor} {body}"
        );
    }
    for (vendor, body) in [
        (Crowdstrike, r#"{"cid":"acme","customer_id":"globex"}"#),
        (
            Crowdstrike,
            r#"{"resources":[{"cid":"acme"},{"cid":"globex"}]}"#,
        ),
        (
            Sentinelone,
            r#"{"accountId":"1","agentRealtimeInfo":{"accountId":"2"}}"#,
        ),
        (Defender, r#"{"aadTenantId":"1","tenantId":"2"}"#),
    ] {
        assert_eq!(
            account(vendor, body),
            Err(PrescanError::Disagreeing),
            "{vendor} {body}"
        );
    }
}

#[test]
fn limits_hold_exactly() {
    let named = |length: usize| format!(r#"{{"tenant_id":"{}"}}"#, "a".repeat(length));
    assert!(account(Vendor::Generic, &named(MAX_ACCOUNT_BYTES)).is_ok());
    for long in [MAX_ACCOUNT_BYTES + 1, 10_000] {
        assert_eq!(
            account(Vendor::Generic, &named(long)),
            Err(PrescanError::TooLong)
        );
    }
    let padded = |length: usize| format!("{{}}{}", " ".repeat(length - 2));
    assert_eq!(
        account(Vendor::Generic, &padded(MAX_PRESCAN_BYTES)),
        Ok(None)
    );
    assert_eq!(
        account(Vendor::Generic, &padded(MAX_PRESCAN_BYTES + 1)),
        Err(PrescanError::Unreadable(JsonError::TooLarge(
            MAX_PRESCAN_BYTES
        )))
    );
    let nested = |depth: usize| {
        format!(
            r#"{{"x":{}{}}}"#,
            "[".repeat(depth - 1),
            "]".repeat(depth - 1)
        )
    };
    assert_eq!(account(Vendor::Generic, &nested(16)), Ok(None));
    assert!(matches!(
        account(Vendor::Generic, &nested(17)),
        Err(PrescanError::Unreadable(JsonError::TooDeep(_)))
    ));
}

#[test]
fn a_broken_end_is_noticed_after_the_account() {
    for body in [
        r#"{"tenant_id":"acme""#,
        r#"{"tenant_id":"acme"} x"#,
        r#"{"tenant_id":"acme",}"#,
    ] {
        assert!(matches!(
            account(Vendor::Generic, body),
            Err(PrescanError::Unreadable(_))
        ));
    }
}

/// Payloads around the names that matter, so that they meet often.
fn any_payload() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just("\"acme\"".to_owned()),
        Just("\"globex\"".to_owned()),
        Just("null".to_owned()),
        Just("17".to_owned()),
        Just("\"\\ud800\"".to_owned()),
    ];
    let name = prop::sample::select(vec![
        "id",
        "alert_id",
        "composite_id",
        "detect_id",
        "cid",
        "c\\u0069d",
        "customer_id",
        "accountId",
        "tenant_id",
        "tenantId",
        "aadTenantId",
        "customerIDString",
        "metadata",
        "agentRealtimeInfo",
        "agentDetectionInfo",
        "resources",
        "data",
        "value",
        "alerts",
        "records",
    ]);
    value.prop_recursive(4, 24, 5, move |inner| {
        let member =
            (name.clone(), inner.clone()).prop_map(|(name, value)| format!(r#""{name}":{value}"#));
        prop_oneof![
            3 => proptest::collection::vec(member, 0..6)
                .prop_map(|members| format!("{{{}}}", members.join(","))),
            1 => proptest::collection::vec(inner, 0..4)
                .prop_map(|items| format!("[{}]", items.join(","))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_parser_names_the_account_that_was_scanned(payload in any_payload(), which in 0_usize..4) {
        let vendor = Vendor::ALL[which];
        let scanned = account(vendor, &payload);
        match (parse(vendor, payload.as_bytes()), scanned) {
            (Ok(alerts), scanned) => {
                let scanned = scanned.unwrap();
                for alert in alerts {
                    prop_assert_eq!(&alert.account, &scanned);
                }
            }
            (Err(refused), Err(PrescanError::Twice | PrescanError::Disagreeing)) => {
                prop_assert!(refused.detail.contains("cannot be assigned"), "{}", refused.detail);
            }
            (Err(_), _) => {}
        }
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(b' '.., 0..300)) {
        for vendor in Vendor::ALL {
            let found = account_of(vendor, &bytes);
            let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok();
            prop_assert!(found.is_err() || is_json);
        }
    }

    #[test]
    fn the_account_is_found_wherever_it_stands(
        before in proptest::collection::vec(("[a-z]{1,5}", any::<String>()), 0..5),
        after in proptest::collection::vec(("[a-z]{1,5}", any::<i64>()), 0..5),
        account in "[a-z0-9]{1,32}",
    ) {
        let mut members: Vec<String> =
            before.iter().map(|(name, value)| format!("\"{name}\":{}", json!(value))).collect();
        members.push(format!("\"tenant_id\":\"{account}\""));
        members.extend(after.iter().map(|(name, value)| format!("\"{name}\":[{value}]")));
        let body = format!("{{{}}}", members.join(","));
        prop_assert_eq!(account_of(Vendor::Defender, body.as_bytes()), Ok(Some(account)));
    }
}
