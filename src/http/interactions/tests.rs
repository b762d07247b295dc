//! The endpoint as the service sees it: bytes in, an answer out, behind it a desk that keeps what it
//! was asked.

mod desks;
mod doors;
mod visits;

use std::sync::Arc;

use actix_web::{
    App,
    body::to_bytes,
    http::{StatusCode, header},
    test::{TestRequest, call_service, init_service},
    web::Data,
};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use vyrox_domain::time::Timestamp;

pub(in crate::http) use self::desks::{Asked, Recording};
use super::*;
use crate::{
    config::{Config, LimitsConfig, Sources},
    http::routes,
};

pub(in crate::http) const NOW: Timestamp = Timestamp::from_s(1_790_000_000);
const ALERT: &str = "01a201b8-7acf-7414-b523-7c6f4cc7942e";
const DIGEST: &str = "0123456789abcdef";
const OWN: &str = "1100000000000000001";
const MESSAGE: &str = "846462639134605313";

/// Ten times longer than any test may take: whoever waits for it waits for nothing.
const FOREVER: Duration = Duration::from_hours(1);

struct Stopped(Timestamp);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        self.0
    }
}

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// A door with this desk behind it, patient enough for any answer.
pub(in crate::http) fn door(desk: &Arc<Recording>) -> ChatDoor {
    door_within(desk, |_| {})
}

/// The same with other limits.
pub(in crate::http) fn door_within(
    desk: &Arc<Recording>,
    change: impl FnOnce(&mut LimitsConfig),
) -> ChatDoor {
    let mut limits = Config::load(&Sources::default())
        .expect("defaults")
        .0
        .limits;
    change(&mut limits);
    let desk = Arc::clone(desk) as Arc<dyn Desk>;
    let admission = Arc::new(Admission::new(&limits));
    let mut door = ChatDoor::new(desk, admission, Arc::new(Stopped(NOW)));
    let key = hex::encode(signing_key().verifying_key().as_bytes());
    door.key = Some(InteractionKey::from_hex(&key).expect("a key"));
    door.application_id = Some(OWN.to_owned());
    door.answer_within = FOREVER;
    door.body_within = FOREVER;
    door
}

/// What came back.
#[derive(Debug)]
pub(in crate::http) struct Got {
    pub(in crate::http) status: StatusCode,
    pub(in crate::http) kind: String,
    pub(in crate::http) body: Value,
}

/// Posts a body with headers of the test's.
pub(in crate::http) async fn post(
    door: &Data<ChatDoor>,
    path: &str,
    headers: &[(&'static str, &str)],
    body: &[u8],
) -> Got {
    let app = App::new().app_data(door.clone()).configure(routes);
    let app = init_service(app).await;
    let mut request = TestRequest::post()
        .uri(path)
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .set_payload(body.to_vec());
    for header in headers {
        request = request.append_header(*header);
    }
    let response = call_service(&app, request.to_request()).await;
    let kind = response.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let (status, kind) = (response.status(), kind.to_owned());
    let body = to_bytes(response.into_body()).await.expect("a body");
    Got {
        status,
        kind,
        body: serde_json::from_slice(&body).expect("JSON"),
    }
}

fn signature(signer: &SigningKey, stamp: &str, body: &[u8]) -> String {
    let message = [stamp.as_bytes(), body].concat();
    hex::encode(signer.sign(&message).to_bytes())
}

/// Posts what the service would have signed just now.
async fn signed(door: &Data<ChatDoor>, body: &[u8]) -> Got {
    let stamp = NOW.s().to_string();
    let signature = signature(&signing_key(), &stamp, body);
    let headers = [(SIGNATURE, signature.as_str()), (TIMESTAMP, stamp.as_str())];
    post(door, "/interactions", &headers, body).await
}

/// The same for JSON, which must be answered as the service demands: 200, JSON, a type.
async fn told(door: &Data<ChatDoor>, body: &Value) -> Value {
    let got = signed(door, body.to_string().as_bytes()).await;
    assert_eq!(got.status, StatusCode::OK, "{body}: {got:?}");
    assert_eq!(got.kind, "application/json", "{body}");
    assert!(got.body["type"].is_u64(), "{body}: {got:?}");
    got.body
}

/// What a sentence at once says; it must be for one person's eyes.
fn sentence(answer: &Value) -> &str {
    assert_eq!(answer["type"], 4, "{answer}");
    assert_eq!(answer["data"]["flags"], 64, "{answer}");
    assert_eq!(answer["data"]["allowed_mentions"], json!({ "parse": [] }));
    answer["data"]["content"].as_str().expect("a sentence")
}

/// Somebody does something in the guild that acme claimed.
fn done(id: u64, kind: u64, data: &Value) -> Value {
    json!({
        "version": 1,
        "type": kind,
        "id": id.to_string(),
        "token": "unique_interaction_token",
        "application_id": OWN,
        "guild_id": "290926798626357999",
        "channel_id": "345626669114982999",
        "member": {
            "user": { "id": "53908232506183680", "username": "mason" },
            "roles": ["290926798626357250"],
            "permissions": "2048",
        },
        "message": { "id": MESSAGE },
        "data": data,
    })
}

fn pressed(id: u64, custom_id: &str) -> Value {
    done(
        id,
        3,
        &json!({ "component_type": 2, "custom_id": custom_id }),
    )
}

fn filled_in(id: u64, custom_id: &str, reason: &str) -> Value {
    let field = json!({ "type": 4, "id": 2, "custom_id": "reason", "value": reason });
    let label = json!({ "type": 18, "id": 1, "component": field });
    done(
        id,
        5,
        &json!({ "custom_id": custom_id, "components": [label] }),
    )
}

fn ordered(id: u64, sub: &Value) -> Value {
    done(
        id,
        2,
        &json!({ "id": "9", "type": 1, "name": "vyrox", "options": [sub] }),
    )
}

fn button(verb: &str) -> String {
    format!("{verb}_{ALERT}_acme.{DIGEST}")
}
