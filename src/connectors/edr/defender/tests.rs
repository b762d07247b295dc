mod looking;

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use vyrox_actors::edr::EffectSeen;
use vyrox_domain::{
    action::ActionType::{
        self, FileQuarantine, HashBlock, HostIsolation, NetworkQuarantine, ProcessKill,
    },
    vendor::Vendor,
};

use super::{
    super::{
        approved::{manifest as any_manifest, signed},
        scripted::{Reply, Scripted, credential, own_mark, raw, reply, settings},
    },
    *,
};
use crate::connectors::edr::{Pace, unguarded};

const HASH: &str = "abababababababababababababababababababababababababababababababab";
const SHA1: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
const REALM: &str = "d0f2c5a1-1111-4222-8333-944455556666";
const ACTIONS: &str = "GET /api/machineactions?%24filter=machineId+eq+%27m1%27";
const FOUND: &str = "GET /api/indicators?%24filter=indicatorValue+eq+%27abababababababababababababababababababababababababababababababab%27";
const MACHINE: &str = "GET /api/machines/m1";
const LOGGED_IN: &str = "POST /d0f2c5a1-1111-4222-8333-944455556666/oauth2/v2.0/token";

fn manifest(action: ActionType, undo: bool) -> ActionManifest {
    let parameters: &[(&str, &str)] = match action {
        HostIsolation | ProcessKill | NetworkQuarantine => &[],
        FileQuarantine => &[("sha1", SHA1)],
        HashBlock => &[("sha256", HASH)],
    };
    any_manifest(Vendor::Defender, "m1", action, parameters, undo)
}

/// A Defender that has let us in already; its answers follow the token.
async fn centre(mut replies: Vec<Reply>) -> (Scripted, Defender) {
    let token = json!({ "token_type": "Bearer", "expires_in": 3599, "access_token": "t0k3n" });
    replies.insert(0, reply(200, &token));
    let vendor = Scripted::start(replies).await;
    let line = Arc::new(Line::new(Pace {
        per_s: 100,
        burst: 100,
    }));
    let edr = Defender::new(&credential(&vendor.base, Some(REALM)), settings(), line);
    (vendor, edr.map_err(|error| error.to_string()).unwrap())
}

/// What was asked after the token.
fn lines(vendor: &Scripted) -> Vec<String> {
    let mut lines = vendor.lines();
    if !lines.is_empty() {
        assert_eq!(lines.remove(0), LOGGED_IN);
    }
    lines
}

fn action(id: &str, kind: &str, status: &str) -> Value {
    json!({
        "id": id,
        "type": kind,
        "status": status,
        "machineId": "m1",
        "requestorComment": own_mark(),
        "creationDateTimeUtc": "2026-01-15T10:30:00.1234567Z",
        "relatedFileInfo": { "fileIdentifier": SHA1, "fileIdentifierType": "Sha1" },
    })
}

fn list(values: &Value) -> Reply {
    reply(200, &json!({ "@odata.context": "x", "value": values }))
}

fn refusal(status: u16, code: &str) -> Reply {
    reply(
        status,
        &json!({ "error": { "code": code, "message": "s3cr3t", "target": "s3cr3t" } }),
    )
}

fn indicator(id: &str, action: &str, description: &str) -> Value {
    json!({
        "id": id,
        "indicatorType": "FileSha256",
        "indicatorValue": HASH,
        "action": action,
        "description": description,
    })
}

async fn send(edr: &Defender, action: ActionType, undo: bool) -> Result<Sent, EdrError> {
    let action = signed(&manifest(action, undo));
    edr.send(&action, None, unguarded()).await
}

fn name<T>(outcome: &Result<T, EdrError>) -> &'static str {
    match outcome {
        Ok(_) => "taken",
        Err(EdrError::Refused { .. }) => "refused",
        Err(EdrError::NotAuthorised { .. }) => "not authorised",
        Err(EdrError::Busy { .. }) => "busy",
        Err(EdrError::Ambiguous { .. }) => "ambiguous",
        Err(EdrError::Unsent {
            transient: true, ..
        }) => "unsent",
        Err(EdrError::Unsent {
            transient: false, ..
        }) => "never",
    }
}

#[tokio::test]
async fn every_deed_on_a_machine_is_asked_for_by_the_letter() {
    // What takes an action back has an id of its own, and with it a comment of its own.
    let other = "Vyrox action 018f3c1e-0000-7000-8000-000000000002";
    for (kind, undo, verb, body) in [
        (
            HostIsolation,
            false,
            "isolate",
            json!({ "Comment": own_mark(), "IsolationType": "Full" }),
        ),
        (
            HostIsolation,
            true,
            "unisolate",
            json!({ "Comment": other }),
        ),
        (
            FileQuarantine,
            false,
            "StopAndQuarantineFile",
            json!({ "Comment": own_mark(), "Sha1": SHA1 }),
        ),
    ] {
        let (vendor, edr) = centre(vec![reply(201, &action("a-1", verb, "Pending"))]).await;
        let sent = send(&edr, kind, undo).await.unwrap();
        assert_eq!((sent.status, sent.reference.as_deref()), (201, Some("a-1")));
        assert_eq!(lines(&vendor), [format!("POST /api/machines/m1/{verb}")]);
        let asked = vendor.asked().pop().unwrap();
        assert_eq!(
            (asked.body, asked.authorization.as_str()),
            (body, "Bearer t0k3n")
        );
    }
}

#[tokio::test]
async fn what_defender_cannot_do_is_refused_before_any_byte() {
    for (kind, undo) in [
        (ProcessKill, false),
        (NetworkQuarantine, false),
        (ProcessKill, true),
        (FileQuarantine, true),
    ] {
        let (vendor, edr) = centre(vec![]).await;
        assert_eq!(name(&send(&edr, kind, undo).await), "never");
        assert_eq!(name(&edr.read(&manifest(kind, undo), None).await), "never");
        assert_eq!(vendor.lines(), [""; 0]);
    }
}

#[tokio::test]
async fn the_same_request_under_way_is_adopted() {
    let under_way = || refusal(400, "ActiveRequestAlreadyExists");
    for (then, outcome) in [
        (
            list(&json!([action("a-7", "Isolate", "InProgress")])),
            "taken",
        ),
        (
            list(&json!([action("a-7", "Unisolate", "InProgress")])),
            "refused",
        ),
        (
            list(&json!([action("a-7", "Isolate", "Succeeded")])),
            "refused",
        ),
        (list(&json!([])), "refused"),
        (reply(500, &json!({})), "refused"),
    ] {
        let (vendor, edr) = centre(vec![under_way(), then]).await;
        let sent = send(&edr, HostIsolation, false).await;
        assert_eq!(name(&sent), outcome, "{sent:?}");
        assert_eq!(lines(&vendor), ["POST /api/machines/m1/isolate", ACTIONS]);
        match sent {
            Ok(sent) => assert_eq!(sent.reference.as_deref(), Some("a-7")),
            Err(error) => assert!(
                error.to_string().contains("ActiveRequestAlreadyExists"),
                "{error}"
            ),
        }
    }
}

#[tokio::test]
async fn our_own_action_is_read_by_its_name_where_the_list_has_not_got_it() {
    let isolate = manifest(HostIsolation, false);
    let own = || reply(200, &action("a-1", "Isolate", "InProgress"));
    let by_name = "GET /api/machineactions/a-1";

    let (vendor, edr) = centre(vec![list(&json!([])), own()]).await;
    let reading = edr.read(&isolate, Some("a-1")).await.unwrap();
    assert_eq!(reading.effect, EffectSeen::Pending);
    assert_eq!(reading.observed, "Isolate InProgress");
    assert_eq!(lines(&vendor), [ACTIONS, by_name]);

    let (vendor, edr) = centre(vec![list(&json!([action("a-1", "Isolate", "Succeeded")]))]).await;
    let reading = edr.read(&isolate, Some("a-1")).await.unwrap();
    assert_eq!(reading.effect, EffectSeen::InEffect);
    assert_eq!(lines(&vendor), [ACTIONS]);

    let nothing = || refusal(404, "ResourceNotFound");
    let (vendor, edr) = centre(vec![list(&json!([])), nothing(), nothing()]).await;
    let reading = edr.read(&isolate, Some("a-1")).await.unwrap();
    assert_eq!(reading.effect, EffectSeen::NoSuchTarget);
    assert_eq!(lines(&vendor), [ACTIONS, by_name, MACHINE]);
}

#[tokio::test]
async fn a_file_is_blocked_and_our_indicator_removed() {
    let made = reply(200, &indicator("995", "Block", &own_mark()));
    let (vendor, edr) = centre(vec![list(&json!([])), made]).await;
    let sent = send(&edr, HashBlock, false).await.unwrap();
    assert_eq!(sent.reference.as_deref(), Some("995"));
    assert_eq!(lines(&vendor), [FOUND, "POST /api/indicators"]);
    let body = json!({
        "indicatorValue": HASH,
        "indicatorType": "FileSha256",
        "action": "Block",
        "severity": "High",
        "title": "Blocked by Vyrox",
        "description": own_mark(),
    });
    assert_eq!(vendor.asked().pop().unwrap().body, body);

    let ours = list(&json!([indicator("995", "Block", &own_mark())]));
    let (vendor, edr) = centre(vec![ours, raw(204, "")]).await;
    let sent = send(&edr, HashBlock, true).await.unwrap();
    assert_eq!((sent.status, sent.reference.as_deref()), (204, Some("995")));
    assert_eq!(lines(&vendor), [FOUND, "DELETE /api/indicators/995"]);
}

/// Defender keeps one indicator a file: a new one takes the place of the old, and nobody can bring that back.
#[tokio::test]
async fn what_others_decided_about_a_file_stays() {
    for undo in [false, true] {
        for action in ["Allowed", "Block"] {
            let theirs = list(&json!([indicator("4", action, "by the desk")]));
            let (vendor, edr) = centre(vec![theirs]).await;
            assert_eq!(name(&send(&edr, HashBlock, undo).await), "never");
            assert_eq!(lines(&vendor), [FOUND]);
        }
    }
}

#[tokio::test]
async fn every_answer_of_the_vendor_has_its_outcome() {
    for (answer, sending, reading) in [
        ((400, "OsPlatformNotSupported"), "refused", "refused"),
        ((400, "ClientVersionNotSupported"), "refused", "refused"),
        ((400, "InvalidRequestBody"), "refused", "refused"),
        ((403, "Forbidden"), "refused", "refused"),
        ((403, "DisabledFeature"), "refused", "refused"),
        ((404, "ResourceNotFound"), "refused", "refused"),
        ((429, "TooManyRequests"), "busy", "busy"),
        ((500, "InternalServerError"), "ambiguous", "unsent"),
        ((502, ""), "busy", "busy"),
        ((503, ""), "busy", "busy"),
        ((504, ""), "busy", "busy"),
        ((302, ""), "refused", "refused"),
    ] {
        let (status, code) = answer;
        let (vendor, edr) = centre(vec![refusal(status, code)]).await;
        let sent = send(&edr, HostIsolation, false).await;
        assert_eq!(name(&sent), sending, "{answer:?}: {sent:?}");
        assert_eq!(lines(&vendor), ["POST /api/machines/m1/isolate"]);
        let (_vendor, edr) = centre(vec![refusal(status, code)]).await;
        let read = edr.read(&manifest(HostIsolation, false), None).await;
        assert_eq!(name(&read), reading, "{answer:?}: {read:?}");
        for text in [format!("{sent:?}"), format!("{read:?}")] {
            let hidden = [
                "s3cr3t",
                "t0k3n",
                "InvalidRequestBody",
                "InternalServerError",
            ];
            assert!(!hidden.iter().any(|hidden| text.contains(hidden)), "{text}");
        }
        if matches!(
            code,
            "OsPlatformNotSupported" | "DisabledFeature" | "ResourceNotFound"
        ) {
            assert!(sent.unwrap_err().to_string().ends_with(code));
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_no_success() {
    for (status, body) in [
        (201, ""),
        (201, "{"),
        (201, "[]"),
        (201, "{}"),
        (200, r#"{"id":{}}"#),
    ] {
        let (_vendor, edr) = centre(vec![raw(status, body)]).await;
        let sent = send(&edr, HostIsolation, false).await;
        assert_eq!(name(&sent), "ambiguous", "{status} {body}");
        let (_vendor, edr) = centre(vec![raw(status, body)]).await;
        let read = edr.read(&manifest(HostIsolation, false), None).await;
        assert_eq!(name(&read), "unsent", "{status} {body}");
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let denied = json!({ "error": "invalid_client", "error_description": "AADSTS7000215", "error_codes": [7_000_215] });
    let vendor = Scripted::start(vec![reply(401, &denied)]).await;
    let line = Arc::new(Line::new(Pace { per_s: 9, burst: 9 }));
    let edr = Defender::new(&credential(&vendor.base, Some(REALM)), settings(), line);
    let edr = edr.map_err(|error| error.to_string()).unwrap();
    assert_eq!(
        name(&send(&edr, HostIsolation, false).await),
        "not authorised"
    );
    assert_eq!(vendor.lines(), [LOGGED_IN]);
}

proptest! {
    /// Whoever sends an alert chooses its device and its hashes; neither may become another path or filter.
    #[test]
    fn a_task_names_one_machine_and_one_file(
        device in "[a-zA-Z0-9._:-]{0,20}",
        hash in "([a-f0-9]{64}|[a-f0-9]{40}|\\PC{0,70})",
        kind in 0_usize..5,
        undo in any::<bool>(),
    ) {
        let mut manifest = manifest(ActionType::ALL[kind], undo);
        manifest.target_urn = format!("urn:edr:defender:{device}");
        manifest.parameters.clear();
        manifest.parameters.insert("sha256".to_owned(), hash.clone());
        manifest.parameters.insert("sha1".to_owned(), hash);
        match Task::of(&manifest) {
            Ok(Task::OnMachine(wanted)) => {
                prop_assert_eq!(wanted.machine.as_str(), &device);
                prop_assert!(!device.contains(['.', ':']));
                if let Deed::TakeFile { sha1 } = wanted.deed {
                    prop_assert!(sha1.len() == 40 && sha1.bytes().all(|b| b.is_ascii_hexdigit()));
                }
            }
            Ok(Task::Block(block)) => {
                prop_assert!(block.sha256.len() == 64 && block.sha256.bytes().all(|b| b.is_ascii_hexdigit()));
            }
            Err(error) => prop_assert_eq!(name::<()>(&Err(error)), "never"),
        }
    }
}
