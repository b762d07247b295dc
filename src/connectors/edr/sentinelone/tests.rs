mod looking;

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
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
const AGENTS_OF_11: &str = "GET /web/api/v2.1/agents?ids=11";
const THREAT_77: &str = "GET /web/api/v2.1/threats?ids=77";
const LIST: &str = "GET /web/api/v2.1/restrictions?type=black_hash&value=abababababababababababababababababababababababababababababababab";

fn manifest(action: ActionType, undo: bool) -> ActionManifest {
    let parameters: &[(&str, &str)] = match action {
        HostIsolation => &[],
        ProcessKill | NetworkQuarantine | FileQuarantine => &[("threat_id", "77")],
        HashBlock => &[("sha256", HASH), ("platform", "windows")],
    };
    any_manifest(Vendor::Sentinelone, "11", action, parameters, undo)
}

async fn console(realm: Option<&str>, replies: Vec<Reply>) -> (Scripted, Sentinelone) {
    let vendor = Scripted::start(replies).await;
    let line = Arc::new(Line::new(Pace {
        per_s: 100,
        burst: 100,
    }));
    let edr = Sentinelone::new(&credential(&vendor.base, realm), settings(), line);
    (vendor, edr.map_err(|error| error.to_string()).unwrap())
}

fn agent(status: &str) -> Reply {
    reply(
        200,
        &json!({ "data": [{ "id": "11", "networkStatus": status }] }),
    )
}

fn threat(agent: &str, attempts: &Value) -> Reply {
    let threat = json!({
        "id": "77",
        "agentRealtimeInfo": { "agentId": agent },
        "threatInfo": { "threatId": "77" },
        "mitigationStatus": attempts,
    });
    reply(200, &json!({ "data": [threat], "errors": [] }))
}

fn affected(count: u32) -> Reply {
    reply(200, &json!({ "data": { "affected": count } }))
}

fn entries(entries: &Value) -> Reply {
    reply(200, &json!({ "data": entries }))
}

fn entry(id: &str, description: &str) -> Value {
    json!({ "id": id, "type": "black_hash", "value": HASH, "osType": "windows", "description": description })
}

async fn send(edr: &Sentinelone, action: ActionType, undo: bool) -> Result<Sent, EdrError> {
    let action = signed(&manifest(action, undo));
    edr.send(&action, None, unguarded()).await
}

#[tokio::test]
async fn a_host_is_cut_off_and_let_back_by_its_one_id() {
    for (undo, verb) in [(false, "disconnect"), (true, "connect")] {
        let (vendor, edr) = console(None, vec![affected(1)]).await;
        let sent = send(&edr, HostIsolation, undo).await.unwrap();
        assert_eq!((sent.status, sent.reference), (200, None));
        let [asked] = vendor.asked().try_into().unwrap();
        assert_eq!(
            asked.line,
            format!("POST /web/api/v2.1/agents/actions/{verb}")
        );
        assert_eq!(asked.authorization, "ApiToken s3cr3t-value");
        assert_eq!(asked.body, json!({ "filter": { "ids": ["11"] } }));
    }
}

#[tokio::test]
async fn a_threat_is_looked_at_and_then_acted_upon() {
    for (action, undo, verb) in [
        (ProcessKill, false, "kill"),
        (FileQuarantine, false, "quarantine"),
        (FileQuarantine, true, "un-quarantine"),
        (NetworkQuarantine, false, "network-quarantine"),
    ] {
        let heard =
            json!([{ "action": verb, "status": "failed", "lastUpdate": "2026-01-15T10:00:00Z" }]);
        let (vendor, edr) = console(None, vec![threat("11", &heard), affected(1)]).await;
        let sent = send(&edr, action, undo).await.unwrap();
        assert_eq!(sent.reference.as_deref(), Some("since:1768471200000"));
        let [look, act] = vendor.asked().try_into().unwrap();
        assert_eq!(look.line, THREAT_77);
        assert_eq!(
            act.line,
            format!("POST /web/api/v2.1/threats/mitigate/{verb}")
        );
        assert_eq!(act.body, json!({ "filter": { "ids": ["77"] } }));
    }
}

/// One forged alert that names a threat of another host would else have that host's process killed under an
/// approval that names this one.
#[tokio::test]
async fn a_threat_of_another_host_is_left_alone() {
    for (found, effect) in [
        (threat("12", &json!([])), "threat of another host"),
        (reply(200, &json!({ "data": [] })), "no such threat"),
    ] {
        let (vendor, edr) = console(None, vec![found]).await;
        let error = send(&edr, ProcessKill, false).await.unwrap_err();
        assert!(
            matches!(
                error,
                EdrError::Unsent {
                    transient: false,
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(vendor.lines(), [THREAT_77], "{effect}");
    }
    let (_vendor, edr) = console(None, vec![threat("12", &json!([]))]).await;
    let reading = edr.read(&manifest(ProcessKill, false), None).await.unwrap();
    assert_eq!(reading.effect, EffectSeen::NoSuchTarget);
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_refused_before_any_byte() {
    for action in [ProcessKill, NetworkQuarantine] {
        let (vendor, edr) = console(None, vec![]).await;
        let sent = send(&edr, action, true).await.unwrap_err();
        let read = edr.read(&manifest(action, true), None).await.unwrap_err();
        for error in [sent, read] {
            assert!(
                matches!(
                    error,
                    EdrError::Unsent {
                        transient: false,
                        ..
                    }
                ),
                "{error}"
            );
        }
        assert_eq!(vendor.lines(), [""; 0]);
    }
}

#[tokio::test]
async fn a_hash_is_blocked_at_the_site_or_everywhere() {
    for (realm, filter) in [
        (Some("900"), json!({ "siteIds": ["900"] })),
        (None, json!({ "tenant": true })),
    ] {
        let made = entries(&json!([entry("5", &own_mark())]));
        let (vendor, edr) = console(realm, vec![made]).await;
        let sent = send(&edr, HashBlock, false).await.unwrap();
        assert_eq!(sent.reference.as_deref(), Some("5"));
        let [asked] = vendor.asked().try_into().unwrap();
        assert_eq!(asked.line, "POST /web/api/v2.1/restrictions");
        let data = json!({
            "type": "black_hash",
            "value": HASH,
            "osType": "windows",
            "source": "user",
            "description": own_mark(),
        });
        assert_eq!(asked.body, json!({ "data": data, "filter": filter }));
    }
}

#[tokio::test]
async fn only_our_entry_is_taken_off_the_list() {
    let list = json!([entry("4", "by the desk"), entry("5", &own_mark())]);
    let (vendor, edr) = console(Some("900"), vec![entries(&list), affected(1)]).await;
    let sent = send(&edr, HashBlock, true).await.unwrap();
    assert_eq!(sent.reference.as_deref(), Some("5"));
    let [look, remove] = vendor.asked().try_into().unwrap();
    assert_eq!(look.line, format!("{LIST}&siteIds=900&includeParents=true"));
    assert_eq!(remove.line, "DELETE /web/api/v2.1/restrictions");
    assert_eq!(
        remove.body,
        json!({ "data": { "type": "black_hash", "ids": ["5"] } })
    );

    let (vendor, edr) = console(None, vec![entries(&json!([entry("4", "by the desk")]))]).await;
    let error = send(&edr, HashBlock, true).await.unwrap_err();
    assert!(
        matches!(
            error,
            EdrError::Unsent {
                transient: false,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(vendor.lines(), [format!("{LIST}&tenant=true")]);
}

#[tokio::test]
async fn where_nothing_was_affected_the_state_decides() {
    for (state, outcome) in [
        (agent("disconnected"), "sent"),
        (agent("disconnecting"), "sent"),
        (agent("connected"), "refused"),
        (reply(200, &json!({ "data": [] })), "refused"),
        (reply(500, &json!({})), "ambiguous"),
        (raw(200, "{"), "ambiguous"),
    ] {
        let (vendor, edr) = console(None, vec![affected(0), state]).await;
        let found = send(&edr, HostIsolation, false).await;
        assert_eq!(name(&found), outcome, "{found:?}");
        assert_eq!(vendor.lines().last().unwrap(), AGENTS_OF_11);
    }
}

fn name<T>(outcome: &Result<T, EdrError>) -> &'static str {
    match outcome {
        Ok(_) => "sent",
        Err(EdrError::Refused { .. }) => "refused",
        Err(EdrError::NotAuthorised { .. }) => "not authorised",
        Err(EdrError::Busy { .. }) => "busy",
        Err(EdrError::Ambiguous { .. }) => "ambiguous",
        Err(EdrError::Unsent { .. }) => "unsent",
    }
}

#[tokio::test]
async fn every_answer_of_the_vendor_has_its_outcome() {
    let error = json!({ "errors": [{ "code": 5_000_010, "title": "s3cr3t", "detail": "s3cr3t" }] });
    for (status, body, sending, reading) in [
        (
            200,
            json!({ "data": { "affected": 1 }, "errors": [{ "code": 1 }] }),
            "refused",
            "refused",
        ),
        (200, error.clone(), "refused", "refused"),
        (200, json!({}), "ambiguous", "unsent"),
        (200, json!({ "data": null }), "ambiguous", "unsent"),
        (
            200,
            json!({ "data": { "affected": "one" } }),
            "ambiguous",
            "unsent",
        ),
        (204, json!(null), "ambiguous", "unsent"),
        (301, error.clone(), "refused", "refused"),
        (400, error.clone(), "refused", "refused"),
        (401, error.clone(), "not authorised", "not authorised"),
        (403, error.clone(), "refused", "refused"),
        (404, error.clone(), "refused", "refused"),
        (409, error.clone(), "refused", "refused"),
        (429, error.clone(), "busy", "busy"),
        (500, error.clone(), "ambiguous", "unsent"),
        (502, error.clone(), "busy", "busy"),
        (503, error.clone(), "busy", "busy"),
        (504, error.clone(), "busy", "busy"),
    ] {
        let replies = || vec![reply(status, &body)];
        let (vendor, edr) = console(None, replies()).await;
        let sent = send(&edr, HostIsolation, false).await;
        assert_eq!(name(&sent), sending, "{status} {body}: {sent:?}");
        assert_eq!(vendor.lines().len(), 1, "{status} {body}");
        let (_vendor, edr) = console(None, replies()).await;
        let read = edr.read(&manifest(HostIsolation, false), None).await;
        assert_eq!(name(&read), reading, "{status} {body}: {read:?}");
        for text in [format!("{sent:?}"), format!("{read:?}")] {
            assert!(!text.contains("s3cr3t"), "{text}");
        }
    }
}

#[test]
fn a_site_that_is_none_is_no_credential() {
    let line = Arc::new(Line::new(Pace { per_s: 1, burst: 1 }));
    for realm in ["", "1,2", "../1"] {
        let credential = credential("https://acme.sentinelone.net", Some(realm));
        let error = Sentinelone::new(&credential, settings(), Arc::clone(&line))
            .err()
            .unwrap();
        assert_eq!(error.member, "realm");
    }
}

fn filter_is_explicit(body: &Value) -> bool {
    let one = |ids: &Value| {
        let ids = ids.as_array().map(Vec::as_slice);
        matches!(ids, Some([Value::String(id)]) if !id.is_empty() && !id.contains(','))
    };
    let filter = &body["filter"];
    let of_entry = filter == &json!({ "tenant": true }) || one(&filter["siteIds"]);
    let is_entry = body["data"]["value"]
        .as_str()
        .is_some_and(|hash| matches!(hash.len(), 40 | 64));
    one(&filter["ids"]) || (of_entry && is_entry)
}

proptest! {
    /// A filter without ids means every agent in the token's scope: one such request would take a whole
    /// customer off the network.
    #[test]
    fn no_request_has_an_empty_filter(
        device in "[a-zA-Z0-9._:-]{0,20}",
        threat in proptest::option::of("\\PC{0,20}"),
        hash in proptest::option::of("([a-f0-9]{64}|[a-f0-9]{40}|\\PC{0,70})"),
        site in proptest::option::of("[0-9,]{0,5}"),
        kind in 0_usize..5,
        undo in any::<bool>(),
    ) {
        let mut manifest = manifest(ActionType::ALL[kind], undo);
        manifest.target_urn = format!("urn:edr:sentinelone:{device}");
        manifest.parameters.clear();
        manifest.parameters.insert("platform".to_owned(), "linux".to_owned());
        manifest.parameters.extend(threat.map(|threat| ("threat_id".to_owned(), threat)));
        manifest.parameters.extend(hash.map(|hash| ("sha256".to_owned(), hash)));
        let site = site.as_deref().and_then(Id::parse);
        if let Ok(task) = Task::of(&manifest, site.as_ref()) {
            let body = match task.goal {
                Goal::OffNetwork(agent) => task::one(&agent, None),
                Goal::Mitigated(wanted) => task::one(&wanted.threat, None),
                Goal::Blocked(block) => block.addition(),
            };
            prop_assert!(filter_is_explicit(&body), "{}", body);
        }
    }
}
