use actix_web::http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use vyrox_domain::{signature::signature_of, webhook::Secret};

use super::*;
use crate::http::interactions::tests::{
    Asked, Got, Recording, door as unsigned, door_within, post,
};

fn key() -> Secret {
    Secret::new(b"5f0e4be1c7d2a8936e1f40c2b7d95a83c6e20f1b9d7a4c58e3061f2b8a9d7c45".to_vec())
}

fn open(announced: Announced) -> (Data<ChatDoor>, UnboundedReceiver<Asked>) {
    let (desk, asked) = Recording::announcing(announced);
    let mut door = unsigned(&desk);
    door.service_key = Some(key());
    (Data::new(door), asked)
}

async fn send(door: &Data<ChatDoor>, body: &Value) -> Got {
    let body = body.to_string();
    let signature = signature_of(&key(), body.as_bytes());
    post(
        door,
        "/webhook",
        &[("X-Vyrox-Signature", &signature)],
        body.as_bytes(),
    )
    .await
}

#[actix_web::test]
async fn a_signed_text_is_queued_as_it_came() {
    let (door, mut asked) = open(Announced::Queued);
    let text = "**@everyone** backup of \u{202e}db failed";
    let body = json!({ "tenant_id": "acme", "text": text, "severity": "high", "worker": "cron" });
    let got = send(&door, &body).await;
    assert_eq!(got.status, StatusCode::ACCEPTED);
    assert_eq!(got.body, json!({ "status": "queued" }));
    let Ok(Asked::Say(said)) = asked.try_recv() else {
        panic!("nothing was said");
    };
    assert_eq!(said.tenant.as_str(), "acme");
    assert_eq!(said.severity, Some(Severity::High));
    assert_eq!(said.text, text, "whoever shows it escapes it");
}

#[actix_web::test]
async fn who_did_not_sign_is_not_heard() {
    let (door, mut asked) = open(Announced::Queued);
    let body = br#"{"tenant_id":"acme","text":"hi"}"#;
    let good = signature_of(&key(), body);
    let digits = good.trim_start_matches("sha256=");
    let other = signature_of(&Secret::new(b"another".to_vec()), body);
    let headers = |value| vec![("X-Vyrox-Signature", value)];
    let twice = [headers(good.as_str()), headers(good.as_str())].concat();
    for headers in [vec![], headers(""), headers(digits), headers(&other), twice] {
        let got = post(&door, "/webhook", &headers, body).await;
        assert_eq!(got.status, StatusCode::UNAUTHORIZED, "{headers:?}");
        assert_eq!(got.body["code"], "invalid_signature");
    }
    let got = post(
        &door,
        "/webhook",
        &headers(&good),
        br#"{"tenant_id":"acme","text":"ho"}"#,
    )
    .await;
    assert_eq!(got.status, StatusCode::UNAUTHORIZED);
    assert!(asked.try_recv().is_err());
    let (desk, _) = Recording::open();
    let keyless = Data::new(unsigned(&desk));
    let got = post(&keyless, "/webhook", &headers(&good), body).await;
    assert_eq!(got.status, StatusCode::NOT_IMPLEMENTED);
    assert_eq!(got.body["code"], "notify_not_provisioned");
}

#[actix_web::test]
async fn what_is_signed_is_checked_in_its_turn() {
    let (door, mut asked) = open(Announced::Queued);
    let text = |chars| "é".repeat(chars);
    let of = |tenant: &str, text: &str| json!({ "tenant_id": tenant, "text": text });
    for (body, code) in [
        (json!({ "tenant_id": "acme" }), "invalid_json"),
        (json!({ "text": "hi" }), "invalid_json"),
        (json!([]), "invalid_json"),
        (of("acme", ""), "invalid_json"),
        (of("acme", " \n"), "invalid_json"),
        (of("acme", &text(1501)), "invalid_json"),
        (
            json!({ "tenant_id": "acme", "text": "hi", "severity": "dire" }),
            "invalid_json",
        ),
        (
            json!({ "tenant_id": "acme", "text": "hi", "severity": 5 }),
            "invalid_json",
        ),
        (of("_host", "hi"), "invalid_tenant_id"),
        (of("initech", "hi"), "tenant_not_found"),
    ] {
        let got = send(&door, &body).await;
        assert_eq!(got.body["code"], code, "{body}: {got:?}");
    }
    assert!(asked.try_recv().is_err());
    let got = send(&door, &of("acme", &text(1500))).await;
    assert_eq!(got.status, StatusCode::ACCEPTED, "{got:?}");
}

#[actix_web::test]
async fn a_tenant_without_a_channel_or_with_a_full_queue_says_so() {
    for (announced, status, code) in [
        (Announced::NotLinked, 409, "chat_not_linked"),
        (Announced::TryLater, 503, "overloaded"),
    ] {
        let (door, _asked) = open(announced);
        let got = send(&door, &json!({ "tenant_id": "acme", "text": "hi" })).await;
        assert_eq!(
            (got.status.as_u16(), &got.body["code"]),
            (status, &json!(code))
        );
    }
}

#[actix_web::test]
async fn one_tenants_worker_has_its_own_ration() {
    let (desk, _asked) = Recording::open();
    let mut door = door_within(&desk, |limits| {
        (limits.notify_per_s, limits.notify_burst) = (1, 1);
    });
    door.service_key = Some(key());
    let door = Data::new(door);
    let to = |tenant: &str| json!({ "tenant_id": tenant, "text": "hi" });
    assert_eq!(send(&door, &to("acme")).await.status, StatusCode::ACCEPTED);
    let mut sent = 1;
    let refusal = loop {
        sent += 1;
        let got = send(&door, &to("acme")).await;
        if got.status != StatusCode::ACCEPTED {
            break got;
        }
        assert!(sent < 10_000, "nobody is that slow");
    };
    assert_eq!(refusal.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refusal.body["retry_after"].is_u64(), "{refusal:?}");
    assert_eq!(
        send(&door, &to("globex")).await.status,
        StatusCode::ACCEPTED
    );
}
