//! Falcon.

use serde_json::json;

use super::*;

const CS: Vendor = Vendor::Crowdstrike;
const DEVICES: &str = "/devices/entities/devices/v2";
const ACTIONS: &str = "/devices/entities/devices-actions/v2";
const SESSIONS: &str = "/real-time-response/entities/sessions/v1";
const LOOK: &str = "/real-time-response/entities/command/v1";
const KILL: &str = "/real-time-response/entities/active-responder-command/v1";
const IOCS: &str = "/iocs/entities/indicators/v1";

async fn status(bench: &Bench) -> Value {
    let (code, body) = bench
        .post(DEVICES, json!({ "ids": [workstation(CS)] }))
        .await;
    assert_eq!(code, 200);
    body["resources"][0]["status"].clone()
}

async fn act(bench: &Bench, action: &str) -> (u16, Value) {
    let path = format!("{ACTIONS}?action_name={action}");
    bench.post(&path, json!({ "ids": [workstation(CS)] })).await
}

#[tokio::test]
async fn a_token_is_asked_for_with_a_form_and_holds_for_a_while() {
    let bench = Bench::new(CS).await;
    let (status, body) = answered(bench.token_request()).await;
    assert_eq!((status, &body["expires_in"]), (201, &json!(1799)));
    assert_eq!(body["token_type"], "bearer");
    let wrong = bench.token_request().body("client_id=a&client_secret=b");
    assert_eq!(answered(wrong).await.0, 403);
    bench.is_sound();
    let extra = bench
        .token_request()
        .body("client_id=a&client_secret=b&scope=c");
    assert_eq!(answered(extra).await.0, 400);
    assert_eq!(bench.violations(), 1);
    bench.mock.expire_tokens();
    let (status, body) = bench.get("/devices/queries/devices/v1?limit=1").await;
    assert_eq!(status, 401);
    assert_eq!(body["errors"][0]["code"], 401);
}

#[tokio::test]
async fn a_host_is_contained_and_let_back_and_says_so() {
    let bench = Bench::new(CS).await;
    assert_eq!(status(&bench).await, "normal");
    let (code, body) = act(&bench, "contain").await;
    assert_eq!(
        (code, &body["resources"][0]["id"]),
        (202, &json!(workstation(CS)))
    );
    assert_eq!(status(&bench).await, "contained");
    assert_eq!(act(&bench, "contain").await.0, 409);
    assert_eq!(act(&bench, "lift_containment").await.0, 202);
    assert_eq!(status(&bench).await, "normal");
    let changes = bench.mock.changes(CS, &workstation(CS));
    let applied: Vec<_> = changes.iter().map(|call| call.applied).collect();
    assert_eq!(applied, [true, false, true]);
    bench.is_sound();
}

#[tokio::test]
async fn a_host_that_is_away_stays_pending_until_it_is_back() {
    let bench = Bench::new(CS).await;
    assert_eq!(bench.mock.set_online(&workstation(CS), false), 1);
    assert_eq!(act(&bench, "contain").await.0, 202);
    assert_eq!(status(&bench).await, "containment_pending");
    assert_eq!(status(&bench).await, "containment_pending");
    let online = format!("/devices/entities/online-state/v1?ids={}", workstation(CS));
    assert_eq!(
        bench.get(&online).await.1["resources"][0]["state"],
        "offline"
    );
    bench.mock.set_online("WS-FINANCE-07", true);
    bench.mock.set_settle_after(0);
    assert_eq!(status(&bench).await, "contained");
    bench.mock.set_settle_after(2);
    assert_eq!(act(&bench, "lift_containment").await.0, 202);
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(status(&bench).await);
    }
    let pending = "lift_containment_pending";
    assert_eq!(seen, [pending, pending, "normal"]);
}

#[tokio::test]
async fn what_falcon_does_not_know_is_a_violation() {
    let bench = Bench::new(CS).await;
    let id = workstation(CS);
    assert_eq!(act(&bench, "destroy").await.0, 400);
    let contain = format!("{ACTIONS}?action_name=contain");
    for body in [
        json!({ "ids": [] }),
        json!({ "id": [id] }),
        json!({ "ids": [id], "why": "x" }),
        json!({ "ids": [id, "another"] }),
        json!([id]),
    ] {
        assert_eq!(bench.post(&contain, body.clone()).await.0, 400, "{body}");
    }
    let as_text = bench.request(Method::POST, &contain).body("{}");
    assert_eq!(answered(as_text).await.0, 400);
    assert_eq!(bench.get("/devices/entities/everything/v9").await.0, 404);
    assert_eq!(bench.violations(), 8);
    assert!(
        bench
            .mock
            .calls()
            .iter()
            .all(|call| !call.applied || !call.changes)
    );
    let unknown = json!({ "ids": ["0000"] });
    assert_eq!(bench.post(&contain, unknown).await.0, 400);
    assert_eq!(bench.violations(), 8, "an unknown host is no violation");
}

async fn say(bench: &Bench, path: &str, command: &str) -> (String, String) {
    let (code, body) = bench
        .post(
            SESSIONS,
            json!({ "device_id": workstation(CS), "origin": "x", "queue_offline": false }),
        )
        .await;
    assert_eq!(code, 201);
    let session = body["resources"][0]["session_id"].clone();
    let (code, body) = bench
        .post(
            path,
            json!({
                "session_id": session,
                "device_id": workstation(CS),
                "base_command": command.split(' ').next(),
                "command_string": command,
                "persist": false,
                "id": 0,
            }),
        )
        .await;
    assert_eq!(code, 201, "{body}");
    let request = body["resources"][0]["cloud_request_id"].as_str().unwrap();
    let (mut stdout, mut stderr) = (String::new(), String::new());
    for sequence in 0.. {
        let poll = format!("{path}?cloud_request_id={request}&sequence_id={sequence}");
        let (_, body) = bench.get(&poll).await;
        let piece = &body["resources"][0];
        stdout.push_str(piece["stdout"].as_str().unwrap());
        stderr.push_str(piece["stderr"].as_str().unwrap());
        if piece["complete"] == true {
            break;
        }
    }
    let close = format!("{SESSIONS}?session_id={}", session.as_str().unwrap());
    assert_eq!(bench.delete(&close).await, (204, Value::Null));
    (stdout, stderr)
}

#[tokio::test]
async fn a_process_is_looked_for_in_a_session_and_ended() {
    let bench = Bench::new(CS).await;
    let host = bench.mock.host(CS, &workstation(CS)).unwrap();
    let process = host
        .processes
        .iter()
        .find(|known| known.image == "mimikatz.exe");
    let pid = process.unwrap().pid.to_string();
    let is_its = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        words.first() == Some(&"mimikatz.exe") && words.contains(&pid.as_str())
    };
    let (before, _) = say(&bench, LOOK, "ps").await;
    assert!(before.lines().any(is_its), "{before}");
    assert!(
        bench.mock.count(CS, Route::LookResult) > 1,
        "it comes in pieces"
    );
    let (_, stderr) = say(&bench, KILL, &format!("kill {pid}")).await;
    assert_eq!(stderr, "");
    let (after, _) = say(&bench, LOOK, "ps").await;
    assert!(!after.lines().any(is_its), "{after}");
    let (_, stderr) = say(&bench, KILL, &format!("kill {pid}")).await;
    assert_ne!(stderr, "");
    bench.is_sound();
}

#[tokio::test]
async fn a_session_is_bound_to_its_host_its_list_and_the_present() {
    let bench = Bench::new(CS).await;
    let id = workstation(CS);
    let later = json!({ "device_id": id, "queue_offline": true });
    assert_eq!(bench.post(SESSIONS, later).await.0, 400);
    let (_, body) = bench.post(SESSIONS, json!({ "device_id": id })).await;
    let session = body["resources"][0]["session_id"].clone();
    for (path, command, device) in [
        (LOOK, "kill 4", id.as_str()),
        (KILL, "ps", &id),
        (LOOK, "ps -aux", &id),
        (KILL, "kill all", &id),
        (LOOK, "ps", "another"),
    ] {
        let said = json!({
            "session_id": session,
            "device_id": device,
            "base_command": command.split(' ').next(),
            "command_string": command,
        });
        assert_eq!(bench.post(path, said).await.0, 400, "{command}");
    }
    assert_eq!(bench.violations(), 6);
    bench.mock.set_online(&id, false);
    let away = bench.post(SESSIONS, json!({ "device_id": id })).await;
    assert_eq!(away.0, 404);
    bench.mock.close_sessions();
    let said = json!({ "session_id": session, "base_command": "ps", "command_string": "ps" });
    assert_eq!(bench.post(LOOK, said).await.0, 404);
    assert_eq!(bench.violations(), 6, "neither is a violation");
}

#[tokio::test]
async fn a_hash_is_blocked_found_and_unblocked() {
    let bench = Bench::new(CS).await;
    let hash = "ab".repeat(32);
    let indicator = json!({
        "type": "sha256", "value": hash, "action": "prevent", "severity": "high",
        "platforms": ["windows", "mac", "linux"], "applied_globally": true, "source": "vyrox",
    });
    let body = json!({ "comment": "x", "indicators": [indicator] });
    let (code, made) = bench
        .post(&format!("{IOCS}?ignore_warnings=true"), body.clone())
        .await;
    assert_eq!(code, 201);
    let id = made["resources"][0]["id"].as_str().unwrap();
    assert_eq!(bench.post(IOCS, body.clone()).await.0, 400, "it is there");
    let find = format!("/iocs/queries/indicators/v1?filter=value:'{hash}'%2Btype:'sha256'");
    assert_eq!(bench.get(&find).await.1["resources"], json!([id]));
    let read = bench.get(&format!("{IOCS}?ids={id}")).await.1;
    assert_eq!(read["resources"][0]["action"], "prevent");
    bench.is_sound();
    for (member, value) in [
        ("action", json!("destroy")),
        ("severity", json!("worst")),
        ("value", json!("abc")),
        ("type", json!("sha1")),
        ("platforms", json!([])),
        ("applied_globally", json!(false)),
        ("colour", json!("red")),
    ] {
        let mut wrong = body.clone();
        wrong["indicators"][0][member] = value;
        assert_eq!(bench.post(IOCS, wrong).await.0, 400, "{member}");
    }
    assert_eq!(bench.violations(), 7);
    assert_eq!(
        bench.delete(&format!("{IOCS}?ids={id}&comment=x")).await.0,
        200
    );
    assert_eq!(bench.get(&find).await.1["resources"], json!([]));
    assert_eq!(bench.mock.blocked(CS), Vec::<String>::new());
}

#[tokio::test]
async fn alerts_are_found_by_time_and_read_by_id() {
    let bench = Bench::new(CS).await;
    let seen = &Scenario::Mimikatz.sightings()[0];
    let at = |s: u64| Timestamp::from_s(1_768_473_000 + s);
    let first = bench.mock.add_sighting(CS, seen, at(0));
    let second = bench.mock.add_sighting(CS, seen, at(60));
    let find = format!(
        "/alerts/queries/alerts/v2?filter=created_timestamp:>='{}'%2Bcreated_timestamp:<'{}'\
         &sort=created_timestamp.asc&limit=10",
        at(0),
        at(60)
    );
    assert_eq!(bench.get(&find).await.1["resources"], json!([first]));
    let all = "/alerts/queries/alerts/v2?sort=created_timestamp.asc&offset=1&limit=1";
    let (_, page) = bench.get(all).await;
    assert_eq!(page["resources"], json!([second]));
    assert_eq!(page["meta"]["pagination"]["total"], 2);
    let read = json!({ "composite_ids": [second] });
    let (_, body) = bench.post("/alerts/entities/alerts/v2", read).await;
    let alert = &body["resources"][0];
    assert_eq!(alert["composite_id"], json!(second));
    assert_eq!(alert["device"]["device_id"], json!(workstation(CS)));
    bench.is_sound();
}
