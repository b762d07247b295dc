//! From an alert to a decision and back, through the real server and a strict Discord: what people press
//! stands on the audit chain, once, and nothing else that they do counts.

mod desk;
mod looking;
mod races;
mod refusals;
mod without_chat;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use vyrox_domain::{
    action::jws::{ActionPublicKey, Expected, verify},
    time::Timestamp,
};

use self::desk::{Desk, alice, bob};
use crate::server::unix_s;

#[test]
fn an_approval_is_signed_and_its_message_loses_its_buttons() {
    let mut desk = Desk::open(&[]);
    desk.alert("WS-0001");
    let asked = desk.asked("WS-0001");
    let requested = desk.sole("approval.requested");
    let digest = requested["payload"]["manifest_sha256"].as_str().unwrap();
    assert_eq!(
        asked.digest,
        digest[..16],
        "the button binds to the manifest"
    );
    let shown = asked.message.body["embeds"].to_string();
    assert!(shown.contains(&asked.digest), "{shown}");

    let said = desk.press(&alice(), &asked.message.id, &asked.approve());
    assert!(said.starts_with("Approved by alice."), "{said}");
    let granted = desk.sole("approval.granted");
    assert_eq!(granted["actor"], "person:alice");
    let facts = &granted["payload"];
    assert_eq!(facts["manifest_sha256"], digest);
    assert_eq!(facts["via"], "chat");
    assert_eq!(facts["message_id"], asked.message.id.as_str());

    let jws = facts["jws"].as_str().unwrap();
    let keys: Vec<ActionPublicKey> = vec![public_key(&desk)];
    let tenant = "acme".parse().unwrap();
    let expected = Expected {
        keys: &keys,
        tenant: &tenant,
        policy_sha256: None,
        now: Timestamp::from_s(unix_s()),
    };
    let action = verify(jws, &expected).expect("signed by the tenant's key");
    assert_eq!(action.digest().to_hex(), digest);
    assert_eq!(action.manifest().host.as_deref(), Some("WS-0001"));

    let message = desk.message("the buttons go", |message| {
        message.id == asked.message.id && desk::buttons(message, "approve").is_empty()
    });
    let shown = message.body["embeds"].to_string();
    assert!(shown.contains("approved by alice"), "{shown}");
    desk.is_whole();
}

/// The public half of the key that the tenant's actions are signed with, from the host's own chain.
fn public_key(desk: &Desk) -> ActionPublicKey {
    let entries = desk.server.entries("_host");
    let is_key =
        |entry: &&Value| entry["event"] == "key.issued" && entry["payload"]["tenant_id"] == "acme";
    let issued = entries.iter().find(is_key).expect("a key was issued");
    let hex = issued["payload"]["public_key_hex"].as_str().unwrap();
    let key = ActionPublicKey::from_hex(hex).expect("a sound key");
    assert_eq!(issued["payload"]["kid"], key.kid());
    key
}

#[test]
fn a_denial_asks_why_and_the_reason_is_evidence_alone() {
    let reason = "planned exercise of the red team, ticket 4711";
    let mut desk = Desk::open(&[]);
    desk.alert("WS-0001");
    let asked = desk.asked("WS-0001");
    let form = desk.click(&alice(), &asked.message.id, &asked.deny());
    assert_eq!(form["type"], 9, "{form}");
    let custom_id = form["data"]["custom_id"].as_str().unwrap().to_owned();
    let said = desk.fill_in(&alice(), &asked.message.id, (&custom_id, reason));
    assert!(said.starts_with("Denied by alice."), "{said}");

    let denied = desk.sole("approval.denied");
    let kept = &denied["payload"]["reason"];
    assert_eq!(kept["kind"], "reason");
    assert_eq!(kept["length"], reason.len());
    assert_eq!(kept["sha256"], hex::encode(Sha256::digest(reason)));
    let chain = desk.server.export("acme").join("\n");
    assert!(
        !chain.contains("red team"),
        "the reason is not on the chain"
    );
    let said = desk.press(&bob(), &asked.message.id, &asked.approve());
    assert_eq!(said, "This was already handled: denied by alice.");
    assert_eq!(desk.events("approval.granted").len(), 0);
    desk.message("the buttons go", |message| {
        message.id == asked.message.id && desk::buttons(message, "deny").is_empty()
    });
    desk.is_whole();
}
