//! From bytes to alerts: signatures, the pre-scan, the JSON reader and every vendor's forms.
#![recursion_limit = "256"]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may fail loudly"
)]

mod crowdstrike;
mod defender;
mod generic;
mod hostile;
mod json;
mod prescan;
mod schemes;
mod sentinelone;
mod signatures;
mod static_secrets;

use serde_json::Value;
use vyrox_domain::{
    alert::{Alert, InvalidPayload},
    time::Timestamp,
    vendor::Vendor,
    webhook::{
        AuthScheme, HeaderList, Keys, RawWebhook, SIGNATURE_HEADER, Secret, signature_of, verify,
    },
};

const NOW: Timestamp = Timestamp::from_s(1_790_000_000);

/// Signs `body`, verifies it and parses it.
fn parse(vendor: Vendor, body: &[u8]) -> Result<Vec<Alert>, InvalidPayload> {
    let secret = Secret::new(b"the tenant's own secret".to_vec());
    let signature = signature_of(&secret, body);
    let headers = [(SIGNATURE_HEADER, signature.as_bytes())];
    let headers = HeaderList(&headers);
    let keys = Keys {
        scheme: AuthScheme::VyroxHmac,
        current: secret,
        previous: None,
    };
    let raw = RawWebhook {
        vendor,
        body,
        headers: &headers,
        now: NOW,
    };
    Alert::parse(&verify(raw, Some(&keys)).outcome.unwrap())
}

/// The one alert of a payload as JSON, without members that hold nothing.
fn one(vendor: Vendor, payload: &Value) -> Value {
    let alerts = all(vendor, payload);
    assert_eq!(alerts.len(), 1, "one alert");
    alerts.into_iter().next().unwrap()
}

/// Every alert of a payload as JSON, without members that hold nothing.
fn all(vendor: Vendor, payload: &Value) -> Vec<Value> {
    let alerts = parse(vendor, payload.to_string().as_bytes()).unwrap();
    alerts
        .iter()
        .map(|alert| without_nothing(serde_json::to_value(alert).unwrap()))
        .collect()
}

fn without_nothing(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| (name, without_nothing(value)))
                .filter(|(_, value)| !is_nothing(value))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nothing).collect()),
        other => other,
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}
