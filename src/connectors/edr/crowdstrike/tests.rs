//! The connector against a Falcon that says what each test has it say.

mod blocking;
mod killing;
mod last_moment;
mod stand_in;

use std::{collections::BTreeMap, time::Duration};

use uuid::Uuid;
use vyrox_actors::edr::EffectSeen;
use vyrox_domain::{
    action::{MANIFEST_VERSION, OnExpiry, Release},
    digest::Digest,
    ids::{ActionId, AlertId, IncidentId},
    webhook::Secret,
};

use super::{
    super::{
        Pace,
        stub::{Act, Request, Stub, json},
        unguarded,
    },
    *,
};

const DEVICE: &str = "0123456789abcdef0123456789abcdef";
const NOW: Timestamp = Timestamp::from_s(1_768_473_000);

fn manifest(action_type: ActionType, parameters: &[(&str, &str)]) -> ActionManifest {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    ActionManifest {
        manifest_version: MANIFEST_VERSION,
        action_id: ActionId(Uuid::from_u128(7)),
        tenant_id: "acme".parse().unwrap(),
        alert_id: AlertId(Uuid::from_u128(8)),
        incident_id: IncidentId(Uuid::from_u128(9)),
        vendor: Vendor::Crowdstrike,
        action_type,
        target_urn: format!("urn:edr:crowdstrike:{DEVICE}"),
        host: None,
        parameters: parameters.iter().map(owned).collect::<BTreeMap<_, _>>(),
        dry_run: false,
        on_expiry: OnExpiry::Ask,
        hold_minutes: 60,
        playbook: "isolate".to_owned(),
        playbook_sha256: Digest::of(b"playbook"),
        policy_sha256: Digest::of(b"policies"),
        protected: None,
        proposed_by: "service:triage".to_owned(),
        proposed_at_ms: NOW,
        expires_at_ms: NOW.plus_ms(60_000),
        release: None,
    }
}

fn isolation(lifting: bool) -> ActionManifest {
    let mut manifest = manifest(ActionType::HostIsolation, &[]);
    if lifting {
        let of = Some(ActionId(Uuid::from_u128(6)));
        manifest.release = Some(Release { of });
    }
    manifest
}

fn credential(base_url: &str) -> EdrCredential {
    EdrCredential {
        version: 1,
        base_url: base_url.to_owned(),
        login_url: None,
        client_id: Some("our-client".to_owned()),
        secret: Secret::new(b"our-secret".to_vec()),
        realm: Some("the-member".to_owned()),
    }
}

fn connect(base: &str) -> Crowdstrike {
    let settings = WireSettings {
        timeout: Duration::from_secs(20),
        allow_private: true,
    };
    let pace = Pace {
        per_s: 1_000,
        burst: 1_000,
    };
    let line = Arc::new(Line::new(pace));
    Crowdstrike::new(&credential(base), settings, line).unwrap()
}

/// A Falcon that gives tokens, and says this to all else.
async fn falcon(says: impl Fn(&str, &Request) -> Act + Send + Sync + 'static) -> Stub {
    Stub::start(move |request| {
        let path = request.line.split('?').next().unwrap_or_default();
        if path == "POST /oauth2/token" {
            json(
                201,
                r#"{"access_token":"t","token_type":"bearer","expires_in":1799}"#,
            )
        } else {
            says(path, request)
        }
    })
    .await
}

fn resources(status: u16, resources: &str) -> Act {
    let body = format!(r#"{{"meta":{{}},"errors":[],"resources":{resources}}}"#);
    json(status, &body)
}

fn device_is(status: &str) -> Act {
    let other = r#"{"device_id":"ffffffffffffffffffffffffffffffff","status":"contained"}"#;
    resources(
        200,
        &format!(r#"[{other},{{"device_id":"{DEVICE}","status":"{status}"}}]"#),
    )
}

#[tokio::test]
async fn a_host_is_contained_and_let_go_by_one_request_each() {
    for (lifting, name) in [(false, "contain"), (true, "lift_containment")] {
        let stub = falcon(|_, _| resources(202, "[]")).await;
        let edr = connect(&stub.base);
        let sent = edr
            .0
            .send(&isolation(lifting), None, &unguarded())
            .await
            .unwrap();
        assert_eq!((sent.status, sent.reference), (202, None));
        let seen = stub.seen().clone();
        assert_eq!(seen.len(), 2);
        let form = "client_id=our-client&member_cid=the-member&client_secret=our-secret";
        assert_eq!(seen[0].body, form);
        let line = format!("POST /devices/entities/devices-actions/v2?action_name={name}");
        assert_eq!(seen[1].line, line);
        assert_eq!(seen[1].body, format!(r#"{{"ids":["{DEVICE}"]}}"#));
    }
}

#[tokio::test]
async fn the_state_of_the_very_host_is_read() {
    for (status, lifting, effect) in [
        ("normal", false, EffectSeen::NotInEffect),
        ("contained", false, EffectSeen::InEffect),
        ("containment_pending", false, EffectSeen::Pending),
        ("normal", true, EffectSeen::InEffect),
        ("lift_containment_pending", true, EffectSeen::Pending),
    ] {
        let stub = falcon(move |_, _| device_is(status)).await;
        let read = connect(&stub.base).read(&isolation(lifting), None).await;
        let read = read.unwrap();
        assert_eq!((read.effect, read.observed.as_str()), (effect, status));
    }
    for (act, unknown) in [
        (resources as fn(u16, &str) -> Act, "[]"),
        (
            resources,
            r#"[null,{"device_id":"f","status":"contained"}]"#,
        ),
    ] {
        let stub = falcon(move |_, _| act(200, unknown)).await;
        let read = connect(&stub.base).read(&isolation(false), None).await;
        assert_eq!(read.unwrap().effect, EffectSeen::NoSuchTarget);
    }
    let stub = falcon(|_, _| device_is("on fire; <b>")).await;
    let error = connect(&stub.base).read(&isolation(false), None).await;
    let error = error.unwrap_err();
    assert!(matches!(
        &error,
        EdrError::Unsent {
            transient: true,
            ..
        }
    ));
    assert!(!error.to_string().contains("fire"), "{error}");
}

#[tokio::test]
async fn a_conflict_is_success_only_where_the_host_is_what_was_asked_for() {
    for (status, taken) in [
        ("contained", true),
        ("containment_pending", true),
        ("normal", false),
        ("lift_containment_pending", false),
    ] {
        let stub = falcon(move |path, _| {
            if path.ends_with("devices-actions/v2") {
                json(
                    409,
                    r#"{"errors":[{"code":409,"message":"hostile"}],"resources":[]}"#,
                )
            } else {
                device_is(status)
            }
        })
        .await;
        let sent = connect(&stub.base)
            .0
            .send(&isolation(false), None, &unguarded())
            .await;
        assert_eq!(sent.is_ok(), taken, "{status} {sent:?}");
        let refused = matches!(sent, Err(EdrError::Refused { status: 409, .. }));
        assert_eq!(refused, !taken);
        assert_eq!(stub.count("POST /devices/entities/devices-actions"), 1);
    }
}

#[tokio::test]
async fn an_error_inside_a_success_is_no_success() {
    let within = |code: i64| {
        let fault = format!(r#"{{"code":{code},"message":"hostile"}}"#);
        format!(r#"{{"errors":[{fault}],"resources":[{{"id":"{DEVICE}"}}]}}"#)
    };
    for (status, body, expected) in [
        (202, within(403), "Refused { status: 403"),
        (202, within(404), "Refused { status: 404"),
        (202, within(429), "Busy { status: 429"),
        (202, within(503), "Busy { status: 503"),
        (202, within(401), "Ambiguous { status: Some(202)"),
        (202, within(500), "Ambiguous { status: Some(500)"),
        (202, within(-1), "Refused { status: 202"),
        (202, within(40_407), "Refused { status: 202"),
        (202, "[]".to_owned(), "Ambiguous { status: Some(202)"),
        (
            202,
            r#"{"errors":"hostile"}"#.to_owned(),
            "Ambiguous { status: Some(202)",
        ),
        (400, within(400), "Refused { status: 400"),
        (403, "hostile".to_owned(), "Refused { status: 403"),
        (500, within(500), "Ambiguous { status: Some(500)"),
    ] {
        let said = body.clone();
        let stub = falcon(move |_, _| json(status, &said)).await;
        let sent = connect(&stub.base)
            .0
            .send(&isolation(false), None, &unguarded())
            .await;
        let error = format!("{:?}", sent.unwrap_err());
        assert!(error.contains(expected), "{status} {body}: {error}");
        assert!(!error.contains("hostile"), "{error}");
        assert_eq!(stub.count("POST /devices"), 1);
    }
}

#[tokio::test]
async fn what_the_vendor_cannot_do_is_refused_before_any_byte() {
    let stub = falcon(|_, _| json(500, "{}")).await;
    let edr = connect(&stub.base);
    let mut lifted_kill = manifest(ActionType::ProcessKill, &[("pid", "9"), ("image", "a")]);
    lifted_kill.release = Some(Release { of: None });
    let mut elsewhere = isolation(false);
    elsewhere.target_urn = format!("urn:edr:sentinelone:{DEVICE}");
    for manifest in [
        manifest(ActionType::NetworkQuarantine, &[]),
        manifest(ActionType::FileQuarantine, &[]),
        manifest(ActionType::ProcessKill, &[]),
        manifest(
            ActionType::ProcessKill,
            &[("pid", "9 & calc"), ("image", "a")],
        ),
        manifest(ActionType::ProcessKill, &[("pid", "9"), ("image", " ")]),
        manifest(ActionType::HashBlock, &[]),
        manifest(ActionType::HashBlock, &[("sha256", "'+value:'")]),
        lifted_kill,
        elsewhere,
    ] {
        let outcomes = [
            edr.read(&manifest, None).await.map(|_| ()),
            edr.0.send(&manifest, None, &unguarded()).await.map(|_| ()),
        ];
        for outcome in outcomes {
            let never = matches!(
                outcome,
                Err(EdrError::Unsent {
                    transient: false,
                    ..
                })
            );
            assert!(never, "{manifest:?} {outcome:?}");
        }
    }
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn a_check_says_how_many_hosts_there_are() {
    let stub = falcon(|_, _| {
        json(
            200,
            r#"{"meta":{"pagination":{"total":12}},"resources":["a"]}"#,
        )
    })
    .await;
    let checked = connect(&stub.base).check().await.unwrap();
    assert_eq!(checked.note, "hosts that can be read: 12");
    assert_eq!(
        stub.seen()[1].line,
        "GET /devices/queries/devices/v1?limit=1"
    );

    let forbidden = falcon(|_, _| json(403, "{}")).await;
    let error = connect(&forbidden.base).check().await.unwrap_err();
    assert!(matches!(error, EdrError::Refused { status: 403, .. }));
}

#[tokio::test]
async fn alerts_come_whole_and_in_order() {
    let stub = falcon(|path, _| match path {
        "GET /alerts/queries/alerts/v2" => resources(200, r#"["b","a"]"#),
        _ => resources(
            200,
            r#"[{"composite_id":"b","created_timestamp":"2026-01-15T10:30:20Z", "x": 1.50},
                {"composite_id":"a","created_timestamp":"2026-01-15T10:30:10Z"}]"#,
        ),
    })
    .await;
    let edr = connect(&stub.base);
    let to = NOW.plus_ms(60_000);
    let polled = edr.poll(NOW, to, 10).await.unwrap();
    let texts: Vec<_> = polled
        .alerts
        .iter()
        .map(|one| String::from_utf8_lossy(one))
        .collect();
    assert!(
        texts[0].contains(r#""a""#) && texts[1].contains("1.50"),
        "{texts:?}"
    );
    assert_eq!(polled.up_to, to);
    let full = edr.poll(NOW, to, 2).await.unwrap();
    assert_eq!(full.up_to, NOW.plus_ms(20_000));
    let line = stub.seen()[1].line.clone();
    let filter = "filter=created_timestamp%3A%3E%3D%272026-01-15T10%3A30%3A00.000Z%27\
                  %2Bcreated_timestamp%3A%3C%272026-01-15T10%3A31%3A00.000Z%27";
    assert!(line.contains(filter), "{line}");

    let one = edr.alert("b").await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&one).contains("1.50"));
    assert_eq!(edr.alert("c").await, Ok(None));
    let none = falcon(|_, _| json(404, r#"{"errors":[{"code":404}]}"#)).await;
    assert_eq!(connect(&none.base).alert("b").await, Ok(None));
}

#[test]
fn a_credential_without_a_client_is_none() {
    let without = EdrCredential {
        client_id: None,
        ..credential("https://api.crowdstrike.com")
    };
    let settings = WireSettings {
        timeout: Duration::from_secs(20),
        allow_private: false,
    };
    let line = Arc::new(Line::new(Pace { per_s: 1, burst: 1 }));
    let fault = Crowdstrike::new(&without, settings, line).map(|_| ());
    let fault = fault.unwrap_err();
    assert_eq!(fault.member, "client_id");
    assert!(!fault.to_string().contains("our-"), "{fault}");
}
