//! Blocking a hash, and taking back what we made and nothing else.

use super::*;

const SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85f";
const ENTITIES: &str = "/iocs/entities/indicators/v1";

fn block() -> ActionManifest {
    manifest(ActionType::HashBlock, &[("sha256", SHA256)])
}

/// Takes back what the action of [`block`] made, or what nobody knows the maker of.
fn unblock(known: bool) -> ActionManifest {
    let mut manifest = block();
    let of = known.then_some(manifest.action_id);
    manifest.action_id = ActionId(Uuid::from_u128(99));
    manifest.release = Some(Release { of });
    manifest
}

fn mark() -> String {
    format!("Vyrox action {}", block().action_id)
}

/// An indicator of this hash.
fn indicator(id: &str, action: &str, source: &str, description: &str) -> Value {
    serde_json::json!({
        "id": id,
        "type": "sha256",
        "value": SHA256,
        "action": action,
        "source": source,
        "description": description,
        "applied_globally": true,
        "deleted": false,
    })
}

fn ours(id: &str) -> Value {
    indicator(id, "prevent", "vyrox", &mark())
}

/// A Falcon with these indicators.
async fn with(found: Vec<Value>) -> Stub {
    falcon(move |path, _| match path {
        "GET /iocs/queries/indicators/v1" => {
            let ids: Vec<_> = found.iter().map(|one| one["id"].clone()).collect();
            resources(200, &Value::Array(ids).to_string())
        }
        "GET /iocs/entities/indicators/v1" => {
            resources(200, &Value::Array(found.clone()).to_string())
        }
        "DELETE /iocs/entities/indicators/v1" => resources(200, "[]"),
        _ => resources(201, r#"[{"id":"new-1","type":"sha256"}]"#),
    })
    .await
}

#[tokio::test]
async fn a_hash_is_blocked_everywhere_with_our_mark() {
    let stub = with(vec![]).await;
    let sent = connect(&stub.base)
        .0
        .send(&block(), None, &unguarded())
        .await
        .unwrap();
    assert_eq!(sent.reference.as_deref(), Some("new-1"));
    let seen = stub.seen().clone();
    assert_eq!(seen.len(), 2);
    let line = format!("POST {ENTITIES}?ignore_warnings=true&retrodetects=false");
    assert_eq!(seen[1].line, line);
    let body: Value = serde_json::from_str(&seen[1].body).unwrap();
    let one = &body["indicators"][0];
    assert_eq!(one["value"], SHA256);
    assert_eq!(one["action"], "prevent");
    assert_eq!(one["applied_globally"], true);
    assert_eq!(one["description"], mark());
}

#[tokio::test]
async fn a_row_that_says_why_not_is_a_refusal() {
    for row in [
        r#"[{"message_type":"error","message":"hostile"}]"#,
        r#"[{"id":"x","message_type":"error"}]"#,
        r#"[{"type":"sha256"}]"#,
    ] {
        let stub = falcon(move |_, _| resources(201, row)).await;
        let sent = connect(&stub.base)
            .0
            .send(&block(), None, &unguarded())
            .await;
        let error = format!("{:?}", sent.unwrap_err());
        assert!(error.starts_with("Refused"), "{error}");
        assert!(!error.contains("hostile"));
    }
    let stub = falcon(|_, _| resources(201, "[]")).await;
    let sent = connect(&stub.base)
        .0
        .send(&block(), None, &unguarded())
        .await;
    assert!(matches!(sent, Err(EdrError::Ambiguous { .. })), "{sent:?}");
}

#[tokio::test]
async fn a_hash_is_blocked_when_an_indicator_prevents_it_everywhere_whosever_it_is() {
    let mut elsewhere = indicator("e", "prevent", "them", "");
    elsewhere["value"] = Value::from("0".repeat(64));
    let mut some = indicator("s", "prevent", "them", "");
    some["applied_globally"] = Value::Bool(false);
    let mut deleted = ours("d");
    deleted["deleted"] = Value::Bool(true);
    let theirs = indicator("t", "prevent_no_ui", "them", "");
    for (found, effect, observed, reference) in [
        (vec![], EffectSeen::NotInEffect, "no indicator", None),
        (vec![ours("o")], EffectSeen::InEffect, "prevent", Some("o")),
        (vec![theirs], EffectSeen::InEffect, "prevent_no_ui", None),
        (vec![some], EffectSeen::NotInEffect, "not everywhere", None),
        (
            vec![indicator("a", "allow", "them", "")],
            EffectSeen::NotInEffect,
            "allow",
            None,
        ),
        (
            vec![elsewhere],
            EffectSeen::NotInEffect,
            "no indicator",
            None,
        ),
        (vec![deleted], EffectSeen::NotInEffect, "no indicator", None),
    ] {
        let stub = with(found).await;
        let read = connect(&stub.base).read(&block(), None).await.unwrap();
        assert_eq!((read.effect, read.observed.as_str()), (effect, observed));
        assert_eq!(read.reference.as_deref(), reference);
    }
}

#[tokio::test]
async fn only_what_we_made_is_taken_away() {
    let theirs = || indicator("t", "prevent", "them", "");
    let other = || indicator("x", "prevent", "vyrox", "Vyrox action of another day");
    for (found, known, reference, removed) in [
        (vec![theirs(), ours("o")], true, Some("o"), Some("o")),
        (vec![theirs(), ours("o")], true, None, Some("o")),
        (vec![theirs()], true, Some("t"), None),
        (vec![theirs()], true, None, None),
        (vec![other()], true, None, None),
        (vec![other(), theirs()], false, None, Some("x")),
        (vec![theirs()], false, None, None),
    ] {
        let stub = with(found.clone()).await;
        let edr = connect(&stub.base);
        let read = edr.read(&unblock(known), reference).await.unwrap();
        let gone = read.effect == EffectSeen::InEffect;
        assert_eq!(gone, removed.is_none(), "{found:?} {reference:?}");
        let sent = edr.0.send(&unblock(known), reference, &unguarded()).await;
        assert_eq!(sent.is_ok(), removed.is_some(), "{found:?} {sent:?}");
        let seen = stub.seen().clone();
        let deleted: Vec<_> = seen
            .iter()
            .filter(|one| one.line.starts_with("DELETE"))
            .collect();
        match removed {
            Some(id) => {
                let line = format!("DELETE {ENTITIES}?ids={id}&comment=");
                assert!(deleted[0].line.starts_with(&line), "{}", deleted[0].line);
            }
            None => assert!(deleted.is_empty(), "{deleted:?}"),
        }
    }
}

#[tokio::test]
async fn an_indicator_is_looked_for_by_our_own_hex_alone() {
    let stub = with(vec![]).await;
    let read = connect(&stub.base).read(&block(), None).await;
    assert!(read.is_ok());
    let line = stub.seen()[1].line.clone();
    let filter = format!("filter=type%3A%27sha256%27%2Bvalue%3A%27{SHA256}%27");
    assert!(line.ends_with(&filter), "{line}");
}
