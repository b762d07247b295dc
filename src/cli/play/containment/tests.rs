//! That the play ends where a step did not happen, whatever the server says of it.

use super::{
    super::super::{fake_server::FakeServer, out::tests::Paper},
    *,
};
use crate::mock_edr::MockSettings;

const ACTION: &str = "0198c5a3-7f10-7d02-8b3e-5d2f8a94c310";

/// The first host that the stand-in of Falcon is known to have, found by a scenario's own alert.
fn device() -> String {
    let occasion = crate::scenario::Occasion {
        id: "1",
        now: vyrox_domain::time::Timestamp::from_s(1_768_473_000),
        tenant: "demo",
    };
    let alerts = crate::scenario::Scenario::Mimikatz.alerts(Vendor::Crowdstrike, occasion);
    let body = &alerts[0].body;
    body["sensor"]["agent_id"].as_str().unwrap().to_owned()
}

/// A server that says yes to everything and does nothing, but for `line`, which it answers like that.
async fn played(line: &'static str, answer: Value) -> (Result<Value, Failure>, String) {
    let proposal = json!({
        "action_id": ACTION, "standing": "waiting", "dry_run": false,
        "action_type": "HOST_ISOLATION", "manifest_sha256": "d1",
        "target_urn": format!("urn:edr:crowdstrike:{}", device()),
    });
    let server = FakeServer::new(move |asked| {
        let said = match asked.line.as_str() {
            it if it == line => answer.clone(),
            "GET /api/v1/alerts/x?tenant_id=demo" => json!({ "proposal": proposal }),
            "POST /api/v1/people/alice/tokens" => json!({ "token": "t" }),
            "POST /api/v1/alerts/x/approve" => json!({ "status": "approved" }),
            it if it.starts_with("GET /api/v1/actions/") => {
                json!({ "stage": "done", "outcome": "executed", "observed": "contained" })
            }
            _ => json!({}),
        };
        (200, said.to_string())
    });
    let told = Told {
        seq: 0,
        hash: String::new(),
        view: json!({ "alert_id": "x" }),
    };
    let (edr, paper) = (
        MockEdr::start(MockSettings::default()).unwrap(),
        Paper::default(),
    );
    let demo: TenantId = "demo".parse().unwrap();
    let mut out = paper.out(false);
    let done = show(&server.client(), (&demo, &told), &edr, &mut out).await;
    (done, paper.text())
}

#[tokio::test]
async fn what_the_server_says_is_held_against_the_stand_in() {
    let (done, text) = played("", Value::Null).await;
    let failure = done.unwrap_err();
    assert_eq!(failure.what(), "WS-FINANCE-07 should be contained now");
    assert!(text.contains("outcome   executed"), "{text}");
    assert_eq!(text.matches("WS-FINANCE-07 is normal").count(), 2, "{text}");
}

#[tokio::test]
async fn the_first_step_that_does_not_happen_ends_it() {
    let act = format!("GET /api/v1/actions/{ACTION}?tenant_id=demo").leak();
    for (line, answer, expected) in [
        (
            "GET /api/v1/alerts/x?tenant_id=demo",
            json!({ "proposal": { "standing": "waiting", "dry_run": true } }),
            "what is proposed is only a rehearsal".to_owned(),
        ),
        (
            "GET /api/v1/alerts/x?tenant_id=demo",
            json!({ "proposal": {
                "standing": "waiting", "dry_run": false, "target_urn": "urn:edr:crowdstrike:nobody",
            } }),
            "no stand-in knows the target urn:edr:crowdstrike:nobody".to_owned(),
        ),
        (
            "POST /api/v1/alerts/x/approve",
            json!({ "status": "second_person_needed" }),
            "the approval came to second_person_needed".to_owned(),
        ),
        (
            &*act,
            json!({ "stage": "withheld", "withheld": "halted" }),
            format!("action {ACTION} came to withheld"),
        ),
        (
            &*act,
            json!({ "stage": "done", "outcome": "refused", "why": "the EDR knows no such device" }),
            format!("action {ACTION} came to refused"),
        ),
    ] {
        let (done, text) = played(line, answer).await;
        assert_eq!(done.unwrap_err().what(), expected, "{text}");
    }
}

#[tokio::test]
async fn a_credential_that_nobody_checked_does_not_pass() {
    let server = FakeServer::new(|_| (200, json!({ "checked": false }).to_string()));
    let edr = MockEdr::start(MockSettings::default()).unwrap();
    let demo: TenantId = "demo".parse().unwrap();
    let mut out = Paper::default().out(false);
    let failure = seal(&server.client(), &demo, &edr, &mut out)
        .await
        .unwrap_err();
    assert!(failure.what().contains("crowdstrike"), "{failure}");
    let asked = server.asked().pop().unwrap();
    assert_eq!(asked.line, "PUT /api/v1/tenants/demo/edr/crowdstrike");
    let sent: Value = serde_json::from_slice(&asked.body).unwrap();
    let credential = edr.credential(Vendor::Crowdstrike);
    assert_eq!(sent["secret"], json!(credential.secret));
    assert_eq!(sent["client_id"], json!(credential.client_id));
}
