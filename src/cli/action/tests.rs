use clap::Parser as _;

use super::*;
use crate::cli::{Cli, fake_server::FakeServer, out::tests::Paper};

const ID: &str = "0198c5a3-7f10-7d02-8b3e-5d2f8a94c310";

fn act(stage: &str, outcome: Option<&str>) -> Value {
    json!({
        "action_id": ID, "tenant_id": "acme", "alert_id": "0198c5a0-9b1e-7c40-8a53-0f5cf1f6c9aa",
        "action_type": "HOST_ISOLATION", "target_urn": "urn:edr:crowdstrike:0a1b", "host": "WS-1",
        "parameters": {}, "stage": stage, "outcome": outcome, "since_ms": 1_768_473_000_000_u64,
        "observed": "contained", "why": null, "in_force": outcome == Some("executed"),
        "hold_ends_at_ms": 1_768_476_600_000_u64, "hold_ended_at_ms": null, "undoing": null,
        "approved_by": "person:ann", "release": null, "manifest_sha256": "5f0e",
    })
}

fn args(wait: u64) -> StepArgs {
    StepArgs {
        action: ID.parse().unwrap(),
        tenant: Some("acme".parse().unwrap()),
        wait,
    }
}

fn parses(line: &str) -> bool {
    Cli::try_parse_from(line.split(' ')).is_ok()
}

#[test]
fn every_documented_command_parses_and_half_a_one_does_not() {
    for line in [
        "vyrox action list --tenant acme --limit 5",
        "vyrox action show 0198c5a3-7f10-7d02-8b3e-5d2f8a94c310 --tenant acme --json",
        "vyrox action retry 0198c5a3-7f10-7d02-8b3e-5d2f8a94c310 --wait 60",
        "vyrox rollback 0198c5a3-7f10-7d02-8b3e-5d2f8a94c310",
        "vyrox timers release acme",
    ] {
        assert!(parses(line), "{line}");
    }
    for line in [
        "vyrox action list",
        "vyrox action list --tenant acme --limit 0",
        "vyrox action show 17",
        "vyrox rollback",
        "vyrox rollback 0198c5a3-7f10-7d02-8b3e-5d2f8a94c310 --wait 601",
        "vyrox timers release",
    ] {
        assert!(!parses(line), "{line}");
    }
}

#[test]
fn an_action_is_shown_with_what_its_edr_said() {
    let paper = Paper::default();
    Act(&act("done", Some("executed")))
        .show(&mut paper.out(false))
        .unwrap();
    let expected = "\
action    0198c5a3-7f10-7d02-8b3e-5d2f8a94c310  HOST_ISOLATION
tenant    acme
alert     0198c5a0-9b1e-7c40-8a53-0f5cf1f6c9aa
target    urn:edr:crowdstrike:0a1b
host      WS-1
approved  person:ann
state     executed  since 2026-01-15T10:30:00.000Z
read back contained
holds     until 2026-01-15T11:30:00.000Z
digest    5f0e
";
    assert_eq!(paper.text(), expected);
}

#[test]
fn what_people_have_to_look_at_is_said() {
    let paper = Paper::default();
    let mut act = act("done", Some("executed"));
    act["hold_ended_at_ms"] = json!(1);
    act["drifted_at_ms"] = json!(2);
    act["release"] = json!({ "of": ID });
    Act(&act).show(&mut paper.out(false)).unwrap();
    let text = paper.text();
    assert!(text.contains("undo HOST_ISOLATION"), "{text}");
    assert!(text.contains("its time is over"), "{text}");
    assert!(text.contains("released behind our back"), "{text}");
}

#[test]
fn what_was_withheld_says_why_and_what_is_undone_says_by_what() {
    let shown = |act: &Value| {
        let paper = Paper::default();
        Act(act).show_state(&mut paper.out(false)).unwrap();
        paper.text()
    };
    let mut withheld = act("withheld", None);
    withheld["withheld"] = json!("halted");
    let text = shown(&withheld);
    assert!(text.contains("because   containment is halted\n"), "{text}");
    withheld["withheld"] = json!("of_the_future");
    let text = shown(&withheld);
    assert!(text.contains("because   of_the_future\n"), "{text}");

    let mut undone = act("undone", None);
    undone["undoing"] = json!("another");
    let text = shown(&undone);
    assert!(text.contains("undone by another\n"), "{text}");
    assert!(!text.contains("read back"), "{text}");
}

#[test]
fn a_list_has_a_line_an_action() {
    let paper = Paper::default();
    let answer = json!({ "actions": [act("done", Some("executed")), act("begun", None)] });
    list(&answer, &mut paper.out(false)).unwrap();
    let text = paper.text();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(
        text.contains("executed") && text.contains("begun"),
        "{text}"
    );
    let paper = Paper::default();
    list(&json!({ "actions": [] }), &mut paper.out(false)).unwrap();
    assert!(paper.text().contains("no actions"));
}

#[tokio::test]
async fn taking_back_waits_for_the_outcome_and_asks_once() {
    let looks = std::sync::atomic::AtomicU32::new(0);
    let server = FakeServer::new(move |asked| {
        if asked.line.starts_with("POST") {
            return (
                202,
                json!({ "status": "begun", "action_id": ID }).to_string(),
            );
        }
        let look = looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let answer = if look < 2 {
            act("begun", None)
        } else {
            act("done", Some("executed"))
        };
        (200, answer.to_string())
    });
    let paper = Paper::default();
    step(
        &server.client(),
        &args(60),
        "rollback",
        &mut paper.out(false),
    )
    .await
    .unwrap();
    assert!(
        paper.text().contains("state     executed"),
        "{}",
        paper.text()
    );
    let asked = server.asked();
    let posts: Vec<_> = asked
        .iter()
        .filter(|it| it.line.starts_with("POST"))
        .collect();
    assert_eq!(posts.len(), 1);
    assert_eq!(posts[0].line, format!("POST /api/v1/actions/{ID}/rollback"));
    assert_eq!(posts[0].body, br#"{"tenant_id":"acme"}"#);
}

#[tokio::test]
async fn what_comes_to_nothing_is_an_exit_code_and_what_goes_on_is_none() {
    for (stage, outcome, exit) in [
        ("done", Some("refused"), Some(Exit::NotSo)),
        ("done", Some("unknown"), Some(Exit::NotSo)),
        ("withheld", None, Some(Exit::NotSo)),
        ("done", Some("accepted"), None),
        ("begun", None, None),
    ] {
        let server = FakeServer::new(move |asked| {
            let begun = json!({ "status": "begun", "action_id": ID });
            let post = asked.line.starts_with("POST");
            let answer = if post { begun } else { act(stage, outcome) };
            (200, answer.to_string())
        });
        let paper = Paper::default();
        let ended = step(&server.client(), &args(0), "redrive", &mut paper.out(false)).await;
        let code = ended.err().map(|failure| failure.exit());
        assert_eq!(code, exit, "{stage} {outcome:?}");
        let goes_on = paper.text().contains("it goes on");
        assert_eq!(goes_on, stage == "begun", "{}", paper.text());
    }
}

#[tokio::test]
async fn a_tenant_is_found_only_where_there_is_but_one() {
    for (tenants, found) in [
        (json!([{ "tenant_id": "acme" }]), Some("acme")),
        (
            json!([{ "tenant_id": "acme" }, { "tenant_id": "globex" }]),
            None,
        ),
        (json!([]), None),
    ] {
        let server = FakeServer::new(move |asked| {
            if asked.line.contains("/me") {
                return (403, json!({ "code": "person_required" }).to_string());
            }
            (200, json!({ "tenants": tenants }).to_string())
        });
        let tenant = tenant(&server.client(), None).await;
        match found {
            Some(name) => assert_eq!(tenant.unwrap(), name),
            None => assert_eq!(tenant.unwrap_err().exit(), Exit::Usage),
        }
    }
}
