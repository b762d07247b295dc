use serde_json::json;

use super::{
    super::{failure::Exit, fake_server::FakeServer, out::tests::Paper},
    *,
};

fn judged_alert() -> AlertView {
    view(&json!({
        "alert_id": "0198c5a0-9b1e-7c40-8a53-0f5cf1f6c9aa",
        "tenant_id": "acme",
        "vendor": "crowdstrike",
        "vendor_alert_id": "ldt:1",
        "host": "WS-1",
        "status": "triaged",
        "verdict": "CRITICAL",
        "confidence_bp": 9340,
        "reasons": [
            {"rule_id": "r1", "title": "LSASS read", "leaning": "malicious", "weight_bp": 8800,
             "level": "critical", "techniques": ["T1003.001"], "matched": ["process.command_line"]},
            {"rule_id": "r2", "title": "Backup account", "leaning": "benign", "weight_bp": 900,
             "level": "low", "techniques": [], "matched": []},
        ],
        "incident_id": null,
        "proposal": null,
        "history": [{"seq": 3, "event": "alert.received", "timestamp_ms": 1_768_473_000_000_u64}],
    }))
}

#[test]
fn an_alert_is_shown_with_its_reasons() {
    let paper = Paper::default();
    show_alert(&judged_alert(), &mut paper.out(false)).unwrap();
    let expected = "\
alert     0198c5a0-9b1e-7c40-8a53-0f5cf1f6c9aa
tenant    acme
from      crowdstrike  ldt:1
host      WS-1
status    triaged
verdict   CRITICAL  93.40 % sure
because   +8800  LSASS read  T1003.001  (process.command_line)
          -900   Backup account
history   seq 3      alert.received     2026-01-15T10:30:00.000Z
";
    assert_eq!(paper.text(), expected);
}

/// An alert whose evidence was gone was shown like any other.
#[test]
fn evidence_that_is_gone_is_told() {
    for (left, told) in [
        ("kept", None),
        ("damaged", Some("evidence  damaged: ")),
        ("erased", Some("evidence  erased")),
    ] {
        let alert = AlertView {
            evidence: Some(left.to_owned()),
            ..judged_alert()
        };
        let paper = Paper::default();
        show_alert(&alert, &mut paper.out(false)).unwrap();
        let text = paper.text();
        assert_eq!(text.contains("evidence"), told.is_some(), "{text}");
        assert!(text.contains(told.unwrap_or_default()), "{text}");
    }
}

#[test]
fn an_alert_without_a_verdict_says_so() {
    let paper = Paper::default();
    show_alert(
        &view(&json!({"alert_id": "x", "status": "received"})),
        &mut paper.out(false),
    )
    .unwrap();
    assert!(
        paper.text().contains("verdict   not yet"),
        "{}",
        paper.text()
    );
}

#[test]
fn a_list_names_the_strongest_reason() {
    let row = list_row(&judged_alert());
    let texts: Vec<_> = row.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        texts[2..],
        ["WS-1", "triaged", "CRITICAL", "93.40 %", "LSASS read"]
    );
}

#[test]
fn confidence_is_shown_to_the_basis_point() {
    assert_eq!(percent(Some(10_000)), "100.00 %");
    assert_eq!(percent(Some(5)), "0.05 %");
}

fn list_args(limit: u32) -> ListArgs {
    ListArgs {
        tenant: "acme".parse().unwrap(),
        limit,
        before: None,
    }
}

#[tokio::test]
async fn a_list_follows_the_pages_up_to_its_limit() {
    let server = FakeServer::new(|asked| {
        let page = if asked.line.contains("before=c2") {
            json!({"alerts": [{"alert_id": "3"}], "next": null})
        } else {
            json!({"alerts": [{"alert_id": "1"}, {"alert_id": "2"}], "next": "c2"})
        };
        (200, page.to_string())
    });
    let all = pages(&server.client(), &list_args(9)).await.unwrap();
    assert_eq!((all.alerts.len(), all.next), (3, None));
    let some = pages(&server.client(), &list_args(2)).await.unwrap();
    assert_eq!((some.alerts.len(), some.next.as_deref()), (2, Some("c2")));
    let lines: Vec<_> = server.asked().into_iter().map(|asked| asked.line).collect();
    let expected = [
        "GET /api/v1/alerts?tenant_id=acme&limit=9",
        "GET /api/v1/alerts?tenant_id=acme&limit=7&before=c2",
        "GET /api/v1/alerts?tenant_id=acme&limit=2",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn an_alert_is_asked_for_until_it_is_judged() {
    let server = FakeServer::new({
        let answers = std::sync::Mutex::new(vec![
            json!({"alert_id": "x", "verdict": "LOW"}),
            json!({"alert_id": "x", "verdict": null}),
        ]);
        move |_| (200, answers.lock().unwrap().pop().unwrap().to_string())
    });
    let answer = judged(&server.client(), Some("acme"), "x", Duration::from_mins(1))
        .await
        .unwrap();
    assert_eq!(answer["verdict"], "LOW");
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn an_alert_that_nobody_judges_is_shown_as_it_is() {
    let server = FakeServer::new(|_| (200, json!({"alert_id": "x", "verdict": null}).to_string()));
    let answer = judged(&server.client(), None, "x", Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(answer["alert_id"], "x");
}

#[tokio::test]
async fn an_unknown_alert_is_an_answer() {
    let server = FakeServer::new(|_| (404, json!({"code": "alert_not_found"}).to_string()));
    let failure = judged(&server.client(), None, "x", Duration::ZERO)
        .await
        .unwrap_err();
    assert_eq!(failure.exit(), Exit::NotSo);
}

#[tokio::test]
async fn a_person_of_one_tenant_need_not_name_it() {
    // The server answers a personal token only about a tenant that is named, and the command once left
    // the naming to its user, who had been told that it is found by itself.
    let server = FakeServer::new(|asked| match asked.line.as_str() {
        "GET /api/v1/me" => (200, json!({"roles": {"acme": ["approver"]}}).to_string()),
        _ => (200, json!({"alert_id": "x", "verdict": "LOW"}).to_string()),
    });
    let args = ShowArgs {
        alert: "0198c5a0-9b1e-7c40-8a53-0f5cf1f6c9aa".parse().unwrap(),
        tenant: None,
        wait: 0,
    };
    let mut out = Paper::default().out(false);
    show(&server.client(), &args, &mut out).await.unwrap();
    let asked = server.asked().pop().unwrap();
    assert!(asked.line.ends_with("&tenant_id=acme"), "{}", asked.line);
}
