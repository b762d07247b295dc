//! Bodies that are signed and wrong, and bytes that are nothing at all.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{super::*, NOW, key_of, pressed, read, read_json, signing_key};

#[test]
fn what_is_used_is_there_and_well_formed() {
    let roles: Vec<_> = (0..513).map(|n| n.to_string()).collect();
    for (pointer, bad, says) in [
        ("/id", json!(5), "id"),
        ("/id", json!(""), "id"),
        ("/id", json!("1".repeat(21)), "id"),
        ("/guild_id", json!("../1"), "guild_id"),
        ("/channel_id", json!(null), "channel_id"),
        ("/token", json!("a/../b"), "token"),
        ("/token", json!("a?b"), "token"),
        ("/token", json!("."), "token"),
        ("/token", json!(""), "token"),
        ("/token", json!("t".repeat(1025)), "token"),
        ("/member", json!([]), "member.user"),
        ("/member/user", json!({}), "id"),
        ("/member/user/id", json!("mason"), "id"),
        ("/member/roles", json!("290926798626357250"), "member.roles"),
        ("/member/roles", json!(["admin"]), "member.roles"),
        ("/member/roles", json!(roles), "member.roles"),
        ("/member/permissions", json!("-1"), "member.permissions"),
        ("/member/permissions", json!(8), "member.permissions"),
        ("/message", json!({}), "id"),
        ("/data/custom_id", json!(""), "custom_id"),
        ("/data/custom_id", json!("x".repeat(101)), "custom_id"),
        ("/data", json!(null), ""),
        ("/type", json!("3"), "type"),
    ] {
        let mut body = pressed();
        *body.pointer_mut(pointer).expect("a member") = bad;
        match read_json(&body) {
            Err(Refusal::Malformed(what)) => assert_eq!(what, says, "{body}"),
            Ok(Interaction::Unknown) => assert_eq!("", says, "{body}"),
            other => panic!("{other:?} of {body}"),
        }
    }
    let mut other = pressed();
    other["application_id"] = json!("1100000000000000002");
    assert_eq!(read_json(&other).err(), Some(Refusal::AnotherApplication));
    other
        .as_object_mut()
        .expect("an object")
        .remove("application_id");
    assert_eq!(read_json(&other).err(), Some(Refusal::AnotherApplication));
    let deep = format!("{}{}", "[".repeat(50), "]".repeat(50));
    for body in ["", "{", "[]", "null", "{\"type\":3", &deep, "\u{0}"] {
        assert!(
            matches!(read(body.as_bytes()), Err(Refusal::Malformed(_))),
            "{body}"
        );
    }
    let padded = format!("{}{}", pressed(), " ".repeat(MAX_BODY_BYTES));
    assert_eq!(
        read(padded.as_bytes()).err(),
        Some(Refusal::Malformed("the body"))
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&body).err();
        let junk = RawInteraction { signature: &body, timestamp: &body, body: &body };
        prop_assert!(verify(&key_of(&signing_key()), junk, NOW, WINDOW_S).is_err());
    }

    /// Any member of a good body replaced by anything: a refusal, or a caller who is still well formed.
    #[test]
    fn a_body_with_one_wrong_member_is_refused_or_still_sound(
        pick in any::<prop::sample::Index>(),
        kind in 0_u8..8,
        by in prop_oneof![
            any::<i64>().prop_map(Value::from),
            ".{0,120}".prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
            Just(json!([])),
            Just(json!({ "id": "1" })),
        ],
    ) {
        let pointers = [
            "/type", "/id", "/token", "/guild_id", "/channel_id", "/member", "/member/user",
            "/member/user/id", "/member/roles", "/member/permissions", "/message", "/message/id",
            "/data", "/data/custom_id", "/data/component_type", "/application_id",
        ];
        let mut body = pressed();
        body["type"] = json!(kind);
        *body.pointer_mut(pointers[pick.index(pointers.len())]).expect("a member") = by;
        if let Ok(Interaction::Button(button)) = read_json(&body) {
            let ids = [&button.by.interaction_id, &button.by.guild_id, &button.by.user_id];
            for id in ids {
                prop_assert!(!id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
            }
            prop_assert!((1..=100).contains(&button.custom_id.chars().count()));
        }
    }
}
