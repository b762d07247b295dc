//! Microsoft Defender.

use serde_json::json;

use super::*;

const MDE: Vendor = Vendor::Defender;

async fn act(bench: &Bench, action: &str, body: Value) -> (u16, Value) {
    let path = format!("/api/machines/{}/{action}", workstation(MDE));
    bench.post(&path, body).await
}

async fn isolate(bench: &Bench) -> (u16, Value) {
    act(
        bench,
        "isolate",
        json!({ "Comment": "x", "IsolationType": "Full" }),
    )
    .await
}

async fn status_of(bench: &Bench, action: &Value) -> Value {
    let id = action["id"].as_str().unwrap();
    let (code, body) = bench.get(&format!("/api/machineactions/{id}")).await;
    assert_eq!(code, 200);
    body["status"].clone()
}

#[tokio::test]
async fn the_login_knows_its_form_its_scope_and_its_tenant() {
    let bench = Bench::new(MDE).await;
    assert_eq!(answered(bench.token_request()).await.0, 200);
    let credential = bench.mock.credential(MDE);
    let form = |secret: &str, scope: &str| {
        format!(
            "grant_type=client_credentials&client_id={}&client_secret={secret}&scope={scope}",
            credential.client_id.as_ref().unwrap()
        )
    };
    let scope = "https%3A%2F%2Fapi.securitycenter.microsoft.com%2F.default";
    let wrong_secret = bench.token_request().body(form("wrong", scope));
    let (status, body) = answered(wrong_secret).await;
    assert_eq!((status, &body["error"]), (401, &json!("invalid_client")));
    bench.is_sound();
    let wrong_scope = bench
        .token_request()
        .body(form(&credential.secret, "everything"));
    assert_eq!(answered(wrong_scope).await.0, 400);
    assert_eq!(bench.violations(), 1);
    bench.mock.expire_tokens();
    let (status, body) = bench.get("/api/machines?$top=1").await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (401, &json!("Unauthorized"))
    );
}

#[tokio::test]
async fn a_machine_is_isolated_by_an_action_that_goes_on() {
    let bench = Bench::new(MDE).await;
    bench.mock.set_settle_after(1);
    let (code, action) = isolate(&bench).await;
    assert_eq!((code, &action["status"]), (201, &json!("Pending")));
    let (code, body) = isolate(&bench).await;
    assert_eq!(
        (code, &body["error"]["code"]),
        (400, &json!("ActiveRequestAlreadyExists"))
    );
    assert_eq!(status_of(&bench, &action).await, "InProgress");
    assert_eq!(status_of(&bench, &action).await, "Succeeded");
    let host = bench.mock.host(MDE, &workstation(MDE)).unwrap();
    assert_eq!(host.network, Network::Contained);
    bench.mock.set_settle_after(0);
    let (code, release) = act(&bench, "unisolate", json!({ "Comment": "x" })).await;
    assert_eq!(code, 201);
    let find = format!(
        "/api/machineactions?$filter=machineId eq '{}' and type eq 'Unisolate'&$top=1",
        workstation(MDE)
    );
    let found = bench.get(&find).await.1["value"][0].clone();
    assert_eq!(
        (&found["id"], &found["status"]),
        (&release["id"], &json!("Succeeded"))
    );
    bench.is_sound();
}

#[tokio::test]
async fn a_machine_that_is_away_leaves_its_action_pending() {
    let bench = Bench::new(MDE).await;
    bench.mock.set_online(&workstation(MDE), false);
    let (_, action) = isolate(&bench).await;
    assert_eq!(status_of(&bench, &action).await, "Pending");
    let id = action["id"].as_str().unwrap();
    let cancel = format!("/api/machineactions/{id}/cancel");
    let (code, body) = bench.post(&cancel, json!({ "Comment": "x" })).await;
    assert_eq!((code, &body["status"]), (200, &json!("Cancelled")));
    let host = bench.mock.host(MDE, &workstation(MDE)).unwrap();
    assert_eq!(host.network, Network::Normal);
    assert!(bench.mock.end_action(id, "TimeOut"));
    assert_eq!(status_of(&bench, &action).await, "TimeOut");
    bench.is_sound();
}

#[tokio::test]
async fn a_file_is_stopped_and_taken_away() {
    let bench = Bench::new(MDE).await;
    let sha1 = "ab".repeat(20);
    let body = json!({ "Comment": "x", "Sha1": sha1 });
    let (code, action) = act(&bench, "StopAndQuarantineFile", body).await;
    assert_eq!(code, 201);
    assert_eq!(status_of(&bench, &action).await, "Succeeded");
    let host = bench.mock.host(MDE, &workstation(MDE)).unwrap();
    assert_eq!(host.quarantined, [sha1]);
    bench.is_sound();
}

#[tokio::test]
async fn member_names_are_compared_letter_by_letter() {
    let bench = Bench::new(MDE).await;
    let wrong = [
        (
            "isolate",
            json!({ "comment": "x", "IsolationType": "Full" }),
        ),
        (
            "isolate",
            json!({ "Comment": "x", "isolationType": "Full" }),
        ),
        (
            "isolate",
            json!({ "Comment": "x", "IsolationType": "full" }),
        ),
        ("isolate", json!({ "Comment": "x" })),
        (
            "unisolate",
            json!({ "Comment": "x", "IsolationType": "Full" }),
        ),
        ("unisolate", json!({ "Comment": "" })),
        (
            "StopAndQuarantineFile",
            json!({ "Comment": "x", "Sha1": "ab" }),
        ),
    ];
    for (action, body) in wrong {
        assert_eq!(
            act(&bench, action, body.clone()).await.0,
            400,
            "{action} {body}"
        );
    }
    assert_eq!(bench.violations(), 7);
    let unknown = bench
        .post("/api/machines/0000/unisolate", json!({ "Comment": "x" }))
        .await;
    assert_eq!(unknown.0, 404);
    assert_eq!(bench.violations(), 7, "an unknown machine is no violation");
}

#[tokio::test]
async fn an_indicator_is_written_over_found_and_deleted() {
    let bench = Bench::new(MDE).await;
    let hash = "ab".repeat(32);
    let body = json!({
        "indicatorValue": hash, "indicatorType": "FileSha256", "action": "BlockAndRemediate",
        "title": "x", "description": "x", "severity": "High",
    });
    let (code, made) = bench.post("/api/indicators", body.clone()).await;
    assert_eq!(code, 200);
    let again = bench.post("/api/indicators", body.clone()).await.1;
    assert_eq!(made["id"], again["id"]);
    let find = format!("/api/indicators?$filter=indicatorValue eq '{hash}'");
    assert_eq!(bench.get(&find).await.1["value"][0]["id"], made["id"]);
    bench.is_sound();
    for (member, value) in [
        ("indicatorType", json!("filesha256")),
        ("action", json!("Destroy")),
        ("action", json!("Audit")),
        ("severity", json!("high")),
        ("Title", json!("x")),
    ] {
        let mut wrong = body.clone();
        wrong[member] = value;
        assert_eq!(
            bench.post("/api/indicators", wrong).await.0,
            400,
            "{member}"
        );
    }
    assert_eq!(bench.violations(), 5);
    let path = format!("/api/indicators/{}", made["id"].as_str().unwrap());
    assert_eq!(bench.delete(&path).await, (204, Value::Null));
    assert_eq!(bench.get(&path).await.0, 404);
}

#[tokio::test]
async fn alerts_are_found_by_time_with_their_evidence() {
    let bench = Bench::new(MDE).await;
    let at = |s: u64| Timestamp::from_s(1_768_473_000 + s);
    let seen = &Scenario::Mimikatz.sightings()[0];
    let id = bench.mock.add_sighting(MDE, seen, at(0));
    bench.mock.add_sighting(MDE, seen, at(60));
    let find = format!(
        "/api/alerts?$filter=lastUpdateTime ge {} and lastUpdateTime lt {}&$expand=evidence",
        at(0),
        at(60)
    );
    let (_, body) = bench.get(&find).await;
    assert_eq!(body["value"].as_array().unwrap().len(), 1);
    assert_eq!(body["value"][0]["id"], json!(id));
    assert_eq!(body["value"][0]["evidence"][0]["fileName"], "mimikatz.exe");
    let (_, alert) = bench
        .get(&format!("/api/alerts/{id}?$expand=evidence"))
        .await;
    assert_eq!(alert["machineId"], json!(workstation(MDE)));
    bench.is_sound();
}
