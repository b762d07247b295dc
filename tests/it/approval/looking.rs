//! What people look at: the details of an alert, how the tenant stands, and what workers have to say.

use serde_json::json;

use super::desk::{Desk, alice, bob, carol, dave, sighting};
#[cfg(feature = "fault-injection")]
use crate::server::{DEADLINE, eventually};
use crate::{
    discord::APPLICATION,
    server::{SERVICE_SECRET, sign},
};

#[test]
fn the_raw_alert_is_shown_to_one_person_and_that_stands_on_the_chain() {
    let mut desk = Desk::open(&[]);
    let (alert_id, body) = desk.alert("WS-0001");
    let asked = desk.asked("WS-0001");
    let before = desk.fake.answers().len();
    let look = asked.button("investigate");
    let answer = desk.click(&alice(), &asked.message.id, &look);
    assert_eq!(answer, json!({ "type": 5, "data": { "flags": 64 } }));
    let told = desk.promised(before);
    let file = told
        .file
        .as_ref()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    let named = format!("{alert_id}.json");
    assert_eq!(file, Some((named.as_str(), body.as_slice())), "{told:?}");
    let shown = told.body["embeds"].to_string();
    for text in [
        "WS-0001",
        "sekurlsa",
        "user-of-WS-0001",
        "T1003.001",
        &asked.digest,
    ] {
        assert!(shown.contains(text), "{text} is missing: {shown}");
    }
    let noted = desk.sole("evidence.shown");
    assert_eq!(noted["actor"], "person:alice");
    assert_eq!(noted["alert_id"], alert_id.as_str());
    assert_eq!(noted["payload"]["by"], "alice");

    for nobody in [carol(), dave()] {
        let before = desk.fake.answers().len();
        desk.click(&nobody, &asked.message.id, &look);
        let told = desk.promised(before);
        let text = told.body["content"].as_str().unwrap();
        assert!(text.starts_with("You may not see this"), "{text}");
        assert_eq!(told.file, None);
    }
    desk.sole("evidence.shown");
    desk.is_whole();
}

/// The alerts of one body share it: it lies beside the entry of the first.
#[test]
fn the_second_alert_of_a_body_is_shown_with_the_whole_of_it() {
    let mut desk = Desk::open(&[]);
    let body = json!([sighting("WS-0001"), sighting("WS-0002")]).to_string();
    let signature = sign(&desk.tenant.secret, body.as_bytes());
    let header = [("x-vyrox-signature", signature.as_str())];
    let path = "/t/acme/webhook/crowdstrike";
    let reply = desk.http().post(path, &header, body.as_bytes());
    assert_eq!(reply.status, 202, "{reply:?}");
    let received = desk.events("alert.received");
    let second = received[1]["alert_id"].as_str().unwrap();
    assert_eq!(received[1]["payload"]["host"], "WS-0002");
    let before = desk.fake.answers().len();
    let look = format!("investigate_{second}_acme");
    desk.click(&bob(), "1100000000000000999", &look);
    let told = desk.promised(before);
    let (name, file) = told.file.expect("the body");
    assert_eq!(name, format!("{second}.json"));
    assert_eq!(file, body.as_bytes());
    assert_eq!(desk.sole("evidence.shown")["payload"]["by"], "bob");
}

/// Evidence that was shown and stood nowhere would be as good as leaked.
#[cfg(feature = "fault-injection")]
#[test]
fn what_cannot_be_written_down_is_not_shown() {
    let mut desk = Desk::open(&[]);
    desk.alert("WS-0001");
    let asked = desk.asked("WS-0001");
    // Nothing else is under way once the message is noted, so the fault meets the press.
    eventually(DEADLINE, || desk.events("notify.sent").pop());
    desk.server.strike("tenant/acme/machine", "panic", 1);
    let look = asked.button("investigate");
    let before = desk.fake.answers().len();
    desk.click(&alice(), &asked.message.id, &look);
    let told = desk.promised(before);
    let text = told.body["content"].as_str().unwrap();
    assert!(text.starts_with("Vyrox could not do this"), "{text}");
    assert_eq!(told.file, None);
    assert_eq!(desk.events("evidence.shown").len(), 0);

    let before = desk.fake.answers().len();
    desk.click(&alice(), &asked.message.id, &look);
    assert!(desk.promised(before).file.is_some());
    desk.sole("evidence.shown");
    desk.is_whole();
}

#[test]
fn a_fresh_bot_offers_one_command_and_a_claimed_guild_the_others() {
    let mut desk = Desk::fresh(&[]);
    let everywhere = format!("PUT /api/v10/applications/{APPLICATION}/commands");
    desk.fake
        .wait_for("register is offered to every server", |asked| {
            let offered = |one: &crate::discord::Asked| one.line == everywhere && one.status == 200;
            asked.iter().any(offered)
        });
    let output = desk.server.cli(&["tenant", "chat-code", "acme", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let issued: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let options = json!([{ "type": 3, "name": "code", "value": issued["code"] }]);
    let manager = alice().managing();
    let said = desk.order(&manager, "register", &options);
    assert!(said.contains("belongs to `acme` now"), "{said}");
    assert!(said.contains("work here now"), "{said}");
    let commands = desk
        .fake
        .commands(&desk.discord.guild_id)
        .expect("commands");
    assert_eq!(commands[0]["options"].as_array().unwrap().len(), 3);
    let said = desk.order(&manager, "register", &options);
    assert!(said.starts_with("This code is wrong"), "used up: {said}");
    let log = desk.server.stderr();
    assert!(
        !log.contains(issued["code"].as_str().unwrap()),
        "no code in the log"
    );
}

#[test]
fn a_tenants_people_ask_how_it_stands_and_play_a_test() {
    let mut desk = Desk::open(&[]);
    let none = json!([]);
    for nobody in [carol(), dave()] {
        for sub in ["status", "alerts"] {
            let said = desk.order(&nobody, sub, &none);
            assert!(said.starts_with("You may not do this"), "{said}");
        }
    }
    let said = desk.order(&alice(), "alerts", &none);
    assert_eq!(said, "`acme` has no alerts yet.");
    let scenario = json!([{ "type": 3, "name": "scenario", "value": "mimikatz" }]);
    let said = desk.order(&alice(), "test-alert", &scenario);
    assert!(said.starts_with("mimikatz was played"), "{said}");
    let received = desk.sole("alert.received");
    let id = received["payload"]["vendor_alert_id"].as_str().unwrap();
    assert!(id.contains("test-"), "a test is known as one: {id}");
    let asked = desk.asked("WS-FINANCE-07");
    let said = desk.order(&alice(), "alerts", &none);
    assert!(said.contains(&asked.alert_id), "{said}");
    let said = desk.order(&alice(), "status", &none);
    assert!(said.contains("`acme` is serving."), "{said}");
    assert!(said.contains("wait for a decision: 1"), "{said}");
    desk.is_whole();
}

#[test]
fn a_workers_words_come_into_the_channel_and_call_nobody() {
    let mut desk = Desk::open(&[("VYROX_HMAC_SECRET", SERVICE_SECRET)]);
    let text = "@everyone the backup of <@1> failed";
    let body = json!({ "tenant_id": "acme", "text": text, "severity": "HIGH" }).to_string();
    let signature = sign(SERVICE_SECRET, body.as_bytes());
    let header = [("x-vyrox-signature", signature.as_str())];
    let reply = desk.http().post("/webhook", &header, body.as_bytes());
    assert_eq!(reply.status, 202, "{reply:?}");
    let said = desk.message("the words are shown", |message| {
        message.body["content"].is_string()
    });
    let said = said.body["content"].as_str().unwrap();
    assert_eq!(said, "HIGH\\: ＠everyone the backup of ‹＠1› failed");
}
