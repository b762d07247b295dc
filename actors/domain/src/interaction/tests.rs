mod hostile;

use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

use super::*;

const NOW: Timestamp = Timestamp::from_s(1_790_000_000);
const OWN: &str = "1100000000000000001";

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn key_of(signer: &SigningKey) -> InteractionKey {
    InteractionKey::from_hex(&hex::encode(signer.verifying_key().as_bytes())).expect("a key")
}

fn signature(signer: &SigningKey, timestamp: &str, body: &[u8]) -> String {
    let message = [timestamp.as_bytes(), body].concat();
    hex::encode(signer.sign(&message).to_bytes())
}

fn raw<'a>(signature: &'a str, timestamp: &'a str, body: &'a [u8]) -> RawInteraction<'a> {
    RawInteraction {
        signature: signature.as_bytes(),
        timestamp: timestamp.as_bytes(),
        body,
    }
}

fn verified(raw: RawInteraction<'_>) -> bool {
    verify(&key_of(&signing_key()), raw, NOW, WINDOW_S).is_ok()
}

/// Signs, verifies and reads a body.
fn read(body: &[u8]) -> Result<Interaction, Refusal> {
    let stamp = NOW.s().to_string();
    let signature = signature(&signing_key(), &stamp, body);
    let verified = verify(
        &key_of(&signing_key()),
        raw(&signature, &stamp, body),
        NOW,
        WINDOW_S,
    );
    parse(&verified.expect("signed"), Some(OWN))
}

fn read_json(body: &Value) -> Result<Interaction, Refusal> {
    read(body.to_string().as_bytes())
}

/// A button as it is documented, with members that nobody here looks at.
fn pressed() -> Value {
    json!({
        "version": 1,
        "type": 3,
        "id": "846462639134605312",
        "token": "unique_interaction_token",
        "application_id": OWN,
        "guild_id": "290926798626357999",
        "channel_id": "345626669114982999",
        "context": 0,
        "locale": "en-GB",
        "member": {
            "user": { "id": "53908232506183680", "username": "mason", "global_name": null },
            "roles": ["290926798626357250", "290926798626357251"],
            "permissions": "17179869183",
            "nick": null,
        },
        "message": { "id": "846462639134605313", "content": "", "embeds": [] },
        "data": { "component_type": 2, "custom_id": "approve_x", "id": 3 },
    })
}

#[test]
fn a_good_signature_is_good_for_its_own_bytes_and_time_only() {
    let signer = signing_key();
    let body = br#"{"type":1}"#;
    let stamp = NOW.s().to_string();
    let good = signature(&signer, &stamp, body);
    assert!(verified(raw(&good, &stamp, body)));
    assert!(
        verified(raw(&good.to_uppercase(), &stamp, body)),
        "hex has two cases"
    );
    for bit in 0..body.len() * 8 {
        let mut changed = body.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(
            !verified(raw(&good, &stamp, &changed)),
            "bit {bit} of the body"
        );
    }
    for bit in 0..64 * 8 {
        let mut bytes = hex::decode(&good).expect("hex");
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(
            !verified(raw(&hex::encode(bytes), &stamp, body)),
            "bit {bit} of the signature"
        );
    }
    let other = signature(&SigningKey::from_bytes(&[8; 32]), &stamp, body);
    let (short, long) = (good.split_at(126).0, format!("{good}00"));
    let letters = format!("zz{}", good.split_at(2).1);
    for bad in [
        "",
        short,
        &long,
        good.split_at(127).0,
        &letters,
        &other,
        &"0".repeat(128),
    ] {
        assert!(!verified(raw(bad, &stamp, body)), "{bad}");
    }
    // The same bytes cut at another place are another message.
    assert!(!verified(raw(
        &good,
        &format!("{stamp}{{"),
        br#""type":1}"#
    )));
    assert!(!verified(raw(
        &good,
        "",
        &[stamp.as_bytes(), body].concat()
    )));
}

#[test]
fn a_time_is_decimal_and_close_to_now() {
    let body = br#"{"type":1}"#;
    let at = |stamp: &str| verified(raw(&signature(&signing_key(), stamp, body), stamp, body));
    let near = |s: u64| s.to_string();
    for good in [near(NOW.s()), near(NOW.s() - 300), near(NOW.s() + 300)] {
        assert!(at(&good), "{good}");
    }
    let late = near(NOW.s() - 301);
    let early = near(NOW.s() + 301);
    let (signed, spaced) = (format!("+{}", NOW.s()), format!(" {}", NOW.s()));
    let (fraction, hexed) = (format!("{}.0", NOW.s()), format!("{:x}", NOW.s()));
    let long = format!("{:0>13}", NOW.s());
    for bad in [
        &late,
        &early,
        &signed,
        &spaced,
        &fraction,
        &hexed,
        &long,
        "",
        "-1",
        "0",
        "99999999999999999999999",
    ] {
        assert!(!at(bad), "{bad:?}");
    }
}

/// Under a key of small order one signature is good for many messages: such a key vouches for nothing,
/// and must not get into force.
#[test]
fn keys_that_vouch_for_anything_are_none() {
    let identity = format!("01{}", "0".repeat(62));
    let (zero, odd, long) = ("0".repeat(64), "a".repeat(63), "a".repeat(66));
    for bad in ["", "xyz", &zero, &identity, &odd, &long, &"f".repeat(64)] {
        assert!(InteractionKey::from_hex(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_ping_is_a_ping() {
    assert!(matches!(read(br#"{"type":1}"#), Ok(Interaction::Ping)));
    let ours = json!({ "type": 1, "application_id": OWN, "id": "1", "token": "t", "version": 1 });
    assert!(matches!(read_json(&ours), Ok(Interaction::Ping)));
    for other in [json!("1"), json!(null), json!(7)] {
        let body = json!({ "type": 1, "application_id": other });
        assert_eq!(
            read_json(&body).err(),
            Some(Refusal::AnotherApplication),
            "{body}"
        );
    }
}

#[test]
fn a_button_tells_who_where_and_which() {
    let Ok(Interaction::Button(button)) = read_json(&pressed()) else {
        panic!("a button");
    };
    assert_eq!(button.by.interaction_id, "846462639134605312");
    assert_eq!(button.by.application_id, OWN);
    assert_eq!(button.by.token.expose(), b"unique_interaction_token");
    assert_eq!(button.by.guild_id, "290926798626357999");
    assert_eq!(button.by.channel_id, "345626669114982999");
    assert_eq!(button.by.user_id, "53908232506183680");
    assert_eq!(
        button.by.roles,
        ["290926798626357250", "290926798626357251"]
    );
    assert!(button.by.manages_guild());
    assert_eq!(button.message_id, "846462639134605313");
    assert_eq!(button.custom_id, "approve_x");
    let shown = format!("{button:?}");
    assert!(!shown.contains("unique_interaction_token"), "{shown}");
}

#[test]
fn a_form_is_read_in_both_shapes() {
    let labelled = json!([{ "type": 18, "id": 1,
        "component": { "type": 4, "id": 2, "custom_id": "reason", "value": "a \"test\" box" } }]);
    let row = json!([{ "type": 1,
        "components": [{ "type": 4, "custom_id": "reason", "value": "a \"test\" box" }] }]);
    for components in [labelled, row] {
        let mut body = pressed();
        body["type"] = json!(5);
        body["data"] = json!({ "custom_id": "deny_x", "components": components });
        let Ok(Interaction::Form(form)) = read_json(&body) else {
            panic!("a form: {body}");
        };
        assert_eq!(form.custom_id, "deny_x");
        assert_eq!(form.value.as_deref(), Some("a \"test\" box"));
        assert_eq!(form.message_id.as_deref(), Some("846462639134605313"));
        body.as_object_mut().expect("an object").remove("message");
        let Ok(Interaction::Form(form)) = read_json(&body) else {
            panic!("a form: {body}");
        };
        assert_eq!(form.message_id, None);
    }
}

#[test]
fn commands_are_those_that_were_registered() {
    let given = |sub: Value| {
        let mut body = pressed();
        body["type"] = json!(2);
        body["data"] = json!({ "id": "1", "type": 1, "name": "vyrox", "options": [sub] });
        read_json(&body)
    };
    let order = |sub: Value| match given(sub) {
        Ok(Interaction::Command(command)) => Some(command.order),
        _ => None,
    };
    let code = json!({ "type": 3, "name": "code", "value": "K7-QX2M" });
    let role = json!({ "type": 8, "name": "admin_role", "value": "290926798626357250" });
    let register = json!({ "type": 1, "name": "register", "options": [role, code] });
    let Some(Order::Register { code, admin_role }) = order(register) else {
        panic!("register");
    };
    assert_eq!(code.expose(), b"K7-QX2M");
    assert_eq!(admin_role.as_deref(), Some("290926798626357250"));
    assert!(matches!(
        order(json!({ "type": 1, "name": "status" })),
        Some(Order::Status)
    ));
    assert!(matches!(
        order(json!({ "type": 1, "name": "alerts", "options": [] })),
        Some(Order::Alerts)
    ));
    let scenario = json!({ "type": 3, "name": "scenario", "value": "ransomware" });
    let test = order(json!({ "type": 1, "name": "test-alert", "options": [scenario] }));
    assert!(
        matches!(test, Some(Order::TestAlert { scenario: Some(name) }) if name == "ransomware")
    );
    for other in [
        json!({ "type": 1, "name": "approve" }),
        json!({ "type": 2, "name": "status" }),
        json!(7),
    ] {
        assert!(
            matches!(given(other.clone()), Ok(Interaction::Unknown)),
            "{other}"
        );
    }
    let bare = json!({ "type": 1, "name": "register" });
    assert_eq!(given(bare).err(), Some(Refusal::Malformed("code")));
}

#[test]
fn outside_a_guild_nothing_is_read() {
    let mut body = pressed();
    body["user"] = body["member"]["user"].clone();
    for absent in [true, false] {
        let members = body.as_object_mut().expect("an object");
        members.remove("member");
        if absent {
            members.remove("guild_id");
        } else {
            members.insert("guild_id".into(), Value::Null);
        }
        assert!(
            matches!(read_json(&body), Ok(Interaction::Direct)),
            "{body}"
        );
    }
}

#[test]
fn who_manages_the_guild_is_a_matter_of_bits() {
    for (bits, manages) in [
        ("0", false),
        ("8", true),
        ("32", true),
        ("2048", false),
        ("40", true),
    ] {
        let mut body = pressed();
        body["member"]["permissions"] = json!(bits);
        let Ok(Interaction::Button(button)) = read_json(&body) else {
            panic!("a button");
        };
        assert_eq!(button.by.manages_guild(), manages, "{bits}");
    }
}
