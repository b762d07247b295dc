//! The connector against a PagerDuty that is strict about its contract.

use uuid::Uuid;
use vyrox_domain::ids::{AlertId, IncidentId};

use super::*;

#[path = "../../../tests/it/fakes/pagerduty.rs"]
mod fake;

use fake::FakePagerduty;

const KEY: &str = "0123456789abcdefABCDEF9876543210";

fn page(key: &str) -> Page {
    let hostile = "a\r\nb\u{1b}[2J\"}".repeat(400);
    Page {
        dedup_key: key.to_owned(),
        summary: format!("CRITICAL: {hostile}"),
        tenant: "acme".parse().unwrap(),
        notice: notice(&hostile),
    }
}

fn notice(title: &str) -> Notice {
    let at = vyrox_domain::time::Timestamp::from_s(1_768_473_000);
    Notice {
        tenant_id: "acme".parse().unwrap(),
        incident_id: IncidentId(Uuid::from_u128(1)),
        revision: 1,
        level: Verdict::Critical,
        title: title.to_owned(),
        vendor: vyrox_domain::vendor::Vendor::Crowdstrike,
        hosts: vec!["ws-1".into(), title.to_owned()],
        host_count: 2,
        reasons: vec!["LSASS memory was read".into()],
        tactics: vec!["credential-access".into()],
        techniques: vec!["T1003.001".into()],
        alerts: 3,
        folded: 2,
        linked_by: vec!["host".into()],
        storm: false,
        opened_at: at,
        last_at: at,
        proposals: vec![],
        closed: None,
        quietly: false,
        lead_alert: AlertId(Uuid::from_u128(2)),
    }
}

fn config(base_url: &str) -> PagerdutyConfig {
    PagerdutyConfig {
        routing_key: Some(Secret::new(KEY.to_owned())),
        base_url: Some(base_url.to_owned()),
    }
}

fn connector(base_url: &str) -> Pagerduty {
    // A second installation in the same process fails, which is as good as the first.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let pager = Pagerduty::new(&config(base_url)).unwrap().unwrap();
    pager.timed(Duration::from_millis(1), LIMIT)
}

#[tokio::test]
async fn an_event_is_as_the_contract_says_and_the_same_key_is_the_same_incident() {
    let fake = FakePagerduty::start(KEY).await;
    let pager = connector(&fake.base_url);
    for key in ["one", "two", "one"] {
        pager.page(&page(key)).await.unwrap();
    }
    let seen = fake.seen();
    assert_eq!(seen.faults, Vec::<String>::new());
    let kept: Vec<_> = seen
        .incidents
        .iter()
        .map(|(k, all)| (k.as_str(), all.len()))
        .collect();
    assert_eq!(kept, [("one", 2), ("two", 1)]);
    let event = &seen.incidents["two"][0];
    assert_eq!(event["payload"]["severity"], "critical");
    assert_eq!(event["payload"]["source"], "vyrox/acme");
    let details = &event["payload"]["custom_details"];
    assert_eq!(details["hosts"][0], "ws-1");
    assert_eq!(details["lead_alert_id"], Uuid::from_u128(2).to_string());
    let text = event.to_string();
    assert!(!text.contains("\\r") && !text.contains("\\u001b"), "{text}");
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let fake = FakePagerduty::start(KEY).await;
    fake.seen().answers.extend([429, 500, 503]);
    connector(&fake.base_url).page(&page("one")).await.unwrap();
    let seen = fake.seen();
    assert_eq!((seen.requests, seen.incidents["one"].len()), (4, 1));
}

#[tokio::test]
async fn what_is_refused_is_not_tried_again() {
    for status in [400, 401, 403, 404, 302, 200] {
        let fake = FakePagerduty::start(KEY).await;
        fake.seen().answers.push_back(status);
        let refused = connector(&fake.base_url).page(&page("one")).await;
        let expected = format!("the pager refused the event ({status})");
        assert_eq!(refused, Err(ReachError::Refused(expected)));
        assert_eq!(fake.seen().requests, 1);
    }
}

#[tokio::test]
async fn another_key_is_refused_for_good() {
    let fake = FakePagerduty::start("ffffffffffffffffffffffffffffffff").await;
    let refused = connector(&fake.base_url).page(&page("one")).await;
    assert!(
        matches!(refused, Err(ReachError::Refused(_))),
        "{refused:?}"
    );
    assert_eq!(fake.seen().faults, ["routing_key"]);
}

#[tokio::test]
async fn a_pager_that_is_gone_is_given_up() {
    // A port that was free a moment ago.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let pager = connector(&base).timed(PAUSE, Duration::from_millis(500));
    let why = "the pager cannot be reached".to_owned();
    assert_eq!(
        pager.page(&page("one")).await,
        Err(ReachError::Unavailable(why))
    );
}

#[test]
fn the_key_never_travels_in_the_clear_and_is_never_shown() {
    for bad in ["http://events.pagerduty.com", "nonsense", "ftp://127.0.0.1"] {
        let fault = Pagerduty::new(&config(bad)).err();
        assert_eq!(
            fault.map(|fault| fault.key),
            Some("pagerduty.base_url"),
            "{bad}"
        );
    }
    assert!(!format!("{:?}", config("https://x")).contains(KEY));
    let unset = PagerdutyConfig {
        routing_key: None,
        base_url: None,
    };
    assert!(Pagerduty::new(&unset).unwrap().is_none());
}
