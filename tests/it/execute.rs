//! What trusted services have done to hosts, in rehearsal: every answer of `/execute` and `/rollback`, once a
//! request whatever happens, and what people see of it.

use std::{collections::BTreeMap, sync::Barrier, thread};

use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::server::{
    DEADLINE, NO_RATIONS, Reply, SERVICE_SECRET, Server, Tenant, eventually, sign, unix_s,
};

/// The device of the short form that these tests send.
const DEVICE: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90";

/// A server that knows the service's secret, with acme and one alert of it.
struct House {
    server: Server,
    tenant: Tenant,
    alert_id: String,
    dir: TempDir,
}

fn start(dir: &TempDir) -> Server {
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_HMAC_SECRET", SERVICE_SECRET));
    Server::start(dir.path(), &env)
}

impl House {
    fn open() -> Self {
        let dir = TempDir::new().expect("a directory");
        let server = start(&dir);
        let tenant = server.add_tenant("acme");
        let alert = tenant.body("ldt:1", "whoami.exe /all");
        let answer = tenant.alert(&mut server.http(), "crowdstrike", &alert);
        Self {
            alert_id: answer["alert_id"].as_str().expect("an id").to_owned(),
            server,
            tenant,
            dir,
        }
    }

    /// Power off, and on again.
    fn power_cycle(self) -> Self {
        self.server.kill9();
        Self {
            server: start(&self.dir),
            ..self
        }
    }

    /// An isolation of the alert's machine, approved now.
    fn request(&self) -> Value {
        json!({
            "request_id": Uuid::new_v4(),
            "tenant_id": self.tenant.id,
            "alert_id": self.alert_id,
            "action_type": "HOST_ISOLATION",
            "host": "WS-0042",
            "approved_by": "Ann O'Neil",
            "approved_at": unix_s(),
        })
    }

    fn with(&self, member: &str, value: Value) -> Value {
        let mut body = self.request();
        body[member] = value;
        body
    }

    fn execute(&self, body: &Value) -> Reply {
        signed(&self.server, "/execute", body)
    }

    fn events(&self, event: &str) -> Vec<Value> {
        let entries = self.server.entries("acme");
        let named = entries.into_iter().filter(|entry| entry["event"] == event);
        named.collect()
    }
}

fn signed(server: &Server, path: &str, body: &Value) -> Reply {
    let body = body.to_string();
    let signature = sign(SERVICE_SECRET, body.as_bytes());
    let headers = [("x-vyrox-signature", signature.as_str())];
    server.http().post(path, &headers, body.as_bytes())
}

/// Status and code, or status and word.
fn said(reply: &Reply) -> (u16, String) {
    let body = reply.json();
    let word = body.get("code").or_else(|| body.get("status"));
    let word = word.and_then(Value::as_str).unwrap_or_default();
    (reply.status, word.to_owned())
}

#[track_caller]
fn says(reply: &Reply, status: u16, word: &str) {
    assert_eq!(said(reply), (status, word.to_owned()), "{reply:?}");
}

#[test]
fn a_rehearsal_is_answered_once_and_replayed_after_a_power_cut() {
    let house = House::open();
    let body = house.request();
    let first = house.execute(&body);
    says(&first, 200, "dry_run");
    assert_eq!(first.json()["dry_run"], true);
    let mut later = body.clone();
    later["approved_at"] = json!(1);
    let house = house.power_cycle();
    for again in [&body, &later] {
        let replay = house.execute(again);
        says(&replay, 200, "replayed");
        assert_eq!(replay.json()["dry_run"], true);
    }
    let mut other = body.clone();
    other["approved_by"] = json!("bob");
    says(&house.execute(&other), 409, "idempotency_mismatch");
    // Whether it is the same request is looked at before whether its host is the alert's.
    other["host"] = json!("WS-0043");
    says(&house.execute(&other), 409, "idempotency_mismatch");
    // The other way is a request of its own.
    let back = signed(&house.server, "/rollback", &body);
    says(&back, 200, "dry_run");
    for event in ["action.ordered", "action.intent", "action.dry_run"] {
        assert_eq!(house.events(event).len(), 2, "{event}");
    }
    let ordered = &house.events("action.ordered")[0];
    assert_eq!(ordered["actor"], "external:Ann O'Neil");
    let urn = format!("urn:edr:crowdstrike:{DEVICE}");
    assert_eq!(ordered["payload"]["manifest"]["target_urn"], urn);
    assert_eq!(house.server.verify("acme")["ok"], true);
}

/// What was done to a host could not be taken back any more, and who repeated a request was told to come back for
/// ever, once the alert's evidence was gone.
#[test]
fn a_request_whose_alert_was_erased_is_answered_as_before_and_taken_back() {
    let house = House::open();
    let body = house.request();
    says(&house.execute(&body), 200, "dry_run");
    let path = format!(
        "/api/v1/tenants/acme/alerts/{}/evidence?reason=a+request",
        house.alert_id
    );
    eventually(DEADLINE, || {
        let reply = house.server.api("DELETE", &path, None);
        assert!([200, 202, 409, 503].contains(&reply.status), "{reply:?}");
        (reply.status == 200).then_some(())
    });
    says(&house.execute(&body), 200, "replayed");
    says(&house.execute(&house.request()), 400, "no_target");
    let back = |body: &Value| signed(&house.server, "/rollback", body);
    says(
        &back(&house.with("host", json!("WS-0043"))),
        400,
        "no_target",
    );
    let other = house.with("action_type", json!("NETWORK_QUARANTINE"));
    says(&back(&other), 400, "no_target");
    says(&back(&house.request()), 200, "dry_run");
    says(&back(&house.with("host", json!(DEVICE))), 200, "dry_run");
    let urn = format!("urn:edr:crowdstrike:{DEVICE}");
    for ordered in house.events("action.ordered") {
        assert_eq!(ordered["payload"]["manifest"]["target_urn"], urn);
    }
}

#[test]
fn a_request_that_may_not_be_is_refused_with_its_own_word_and_leaves_no_claim() {
    let house = House::open();
    let credentials = json!({ "provider": "crowdstrike", "api_key": "s3cret-of-an-edr" });
    for (member, value, status, code) in [
        (
            "edr_credentials",
            credentials,
            400,
            "inline_credentials_disabled",
        ),
        ("action_type", json!("HASH_BLOCK"), 400, "invalid_payload"),
        ("unheard_of", json!(1), 400, "invalid_payload"),
        ("host", json!("WS-0043"), 400, "host_mismatch"),
        ("approved_at", json!(unix_s() - 3600), 410, "approval_stale"),
        ("approved_at", json!(unix_s() + 3600), 410, "approval_stale"),
        ("action_type", json!("PROCESS_KILL"), 400, "no_target"),
        (
            "action_type",
            json!("NETWORK_QUARANTINE"),
            501,
            "unsupported_action",
        ),
        // It has three EDRs, and the alert does not say which.
        ("alert_id", json!(Uuid::new_v4()), 400, "no_target"),
    ] {
        let mut body = house.with(member, value.clone());
        says(&house.execute(&body), status, code);
        // Whatever was wrong: the same id is free for what is right.
        let id = body["request_id"].take();
        let right = house.with("request_id", id);
        says(&house.execute(&right), 200, "dry_run");
    }
    let kill = house.with("action_type", json!("PROCESS_KILL"));
    let back = signed(&house.server, "/rollback", &kill);
    says(&back, 501, "unsupported_action");
    let chain = house.server.export("acme").join("\n");
    let log = house.server.stderr();
    assert!(!chain.contains("s3cret-of") && !log.contains("s3cret-of"));
}

#[test]
fn who_proves_nothing_learns_nothing() {
    let house = House::open();
    let body = house.request().to_string();
    let good = sign(SERVICE_SECRET, body.as_bytes());
    let stranger = house.with("tenant_id", json!("initech")).to_string();
    let strangers = sign(SERVICE_SECRET, stranger.as_bytes());
    let webhooks = sign(&house.tenant.secret, body.as_bytes());
    let twice = [("x-vyrox-signature", good.as_str()); 2];
    let mut http = house.server.http();
    let mut answers = Vec::new();
    for (headers, text) in [
        (&[][..], body.as_str()),
        (&[("x-vyrox-signature", webhooks.as_str())], &body),
        (&[("x-vyrox-signature", good.as_str())], "{}"),
        (&[("x-vyrox-signature", strangers.as_str())], &stranger),
        (&twice, &body),
    ] {
        for path in ["/execute", "/rollback"] {
            let reply = http.post(path, headers, text.as_bytes());
            says(&reply, 401, "invalid_signature");
            answers.push(reply.text());
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(house.events("action.ordered").is_empty());
}

/// Whoever had the secret could ask thousands of times a second, each with an entry in the chain.
#[test]
fn a_tenants_requests_have_a_rate_of_their_own() {
    let dir = TempDir::new().expect("a directory");
    let mut env = NO_RATIONS.to_vec();
    env.retain(|(name, _)| !name.starts_with("VYROX_LIMITS__EXECUTE"));
    env.push(("VYROX_HMAC_SECRET", SERVICE_SECRET));
    env.push(("VYROX_LIMITS__EXECUTE_PER_S", "1"));
    env.push(("VYROX_LIMITS__EXECUTE_BURST", "2"));
    let server = Server::start(dir.path(), &env);
    for name in ["acme", "globex"] {
        server.add_tenant(name);
    }
    let ask = |path: &str, name: &str| signed(&server, path, &json!({ "tenant_id": name }));
    let answers: Vec<_> = (0..40)
        .map(|n| ask(["/execute", "/rollback"][n % 2], "acme"))
        .collect();
    says(&answers[0], 400, "invalid_payload");
    let limited = answers.iter().find(|answer| answer.status == 429);
    let limited = limited.expect("a request that came too soon");
    says(limited, 429, "rate_limited");
    assert!(limited.header("retry-after").is_some(), "{limited:?}");
    // Another tenant feels nothing of it, and what is signed by nobody uses up nothing.
    let unsigned = server
        .http()
        .post("/execute", &[], br#"{"tenant_id":"globex"}"#);
    says(&unsigned, 401, "invalid_signature");
    says(&ask("/execute", "globex"), 400, "invalid_payload");
}

#[test]
fn without_a_secret_there_is_no_such_door() {
    let dir = TempDir::new().expect("a directory");
    let server = Server::start(dir.path(), NO_RATIONS);
    server.add_tenant("acme");
    for tenant in ["acme", "initech"] {
        let body = json!({ "tenant_id": tenant });
        for path in ["/execute", "/rollback"] {
            says(
                &signed(&server, path, &body),
                501,
                "execute_not_provisioned",
            );
        }
    }
}

#[test]
fn of_many_racing_requests_one_is_carried_out() {
    const RACERS: usize = 64;
    let house = House::open();
    let body = house.request();
    let ready = Barrier::new(RACERS);
    let mut answers = BTreeMap::new();
    thread::scope(|scope| {
        let race = || {
            ready.wait();
            said(&house.execute(&body))
        };
        let racers: Vec<_> = (0..RACERS).map(|_| scope.spawn(race)).collect();
        for racer in racers {
            *answers.entry(racer.join().expect("an answer")).or_insert(0) += 1;
        }
    });
    let count = |status: u16, word: &str| answers.get(&(status, word.to_owned())).copied();
    assert_eq!(count(200, "dry_run"), Some(1), "{answers:?}");
    let others = count(200, "replayed").unwrap_or(0) + count(409, "in_flight").unwrap_or(0);
    assert_eq!(others, RACERS - 1, "{answers:?}");
    assert_eq!(house.events("action.intent").len(), 1);
}

#[test]
fn people_see_what_a_service_had_done() {
    let house = House::open();
    says(&house.execute(&house.request()), 200, "dry_run");
    let listed = house.server.get("/api/v1/actions?tenant_id=acme");
    let action = &listed["actions"][0];
    assert_eq!(action["outcome"], "dry_run");
    assert_eq!(action["approved_by"], "external:Ann O'Neil");
    assert_eq!(action["host"], "WS-0042");
    let id = action["action_id"].as_str().expect("an id");
    let one = house
        .server
        .get(&format!("/api/v1/actions/{id}?tenant_id=acme"));
    assert_eq!(&one, action);
    let alert = eventually(DEADLINE, || {
        let alert = house.server.judged("acme", &house.alert_id);
        let act = &alert["proposal"]["act"];
        (act["state"] == "dry_run").then_some(alert)
    });
    assert_eq!(alert["status"], "approved");
    let cli = house.server.cli(&["action", "list", "--tenant", "acme"]);
    let text = String::from_utf8_lossy(&cli.stdout).into_owned();
    assert!(text.contains(id) && text.contains("dry_run"), "{cli:?}");
    let cli = house.server.cli(&["action", "show", id]);
    assert!(cli.status.success(), "{cli:?}");

    // The administrator's token stands for nobody, so it takes nothing back.
    let body = json!({ "tenant_id": "acme" });
    for (step, status, word) in [
        ("redrive", 409, "action_not_ready"),
        ("rollback", 202, "begun"),
    ] {
        let path = format!("/api/v1/actions/{id}/{step}");
        let reply = house.server.api("POST", &path, Some(&body));
        says(&reply, 403, "person_required");
        let reply = as_ann(&house.server, &path, &body);
        says(&reply, status, word);
    }
    // What was rehearsed is taken back in rehearsal.
    let undone = eventually(DEADLINE, || {
        let listed = house.server.get("/api/v1/actions?tenant_id=acme");
        let undoing = listed["actions"].as_array()?.iter();
        let mut undoing = undoing.filter(|one| one["release"]["of"] == id).cloned();
        undoing.next().filter(|one| one["stage"] == "done")
    });
    assert_eq!(undone["outcome"], "dry_run");
    assert_eq!(undone["approved_by"], "person:ann");
    let unknown = format!("/api/v1/actions/{}/rollback", Uuid::new_v4());
    says(
        &as_ann(&house.server, &unknown, &body),
        404,
        "action_not_found",
    );
    let timers = "/api/v1/tenants/acme/timers/release";
    says(
        &as_ann(&house.server, timers, &json!({})),
        200,
        "nothing_held",
    );
    let reply = house.server.api("POST", timers, Some(&json!({})));
    says(&reply, 403, "person_required");
}

/// Ann, who may approve for acme; made where she is not known yet.
fn as_ann(server: &Server, path: &str, body: &Value) -> Reply {
    let ann = json!({ "person_id": "ann" });
    if server.api("POST", "/api/v1/people", Some(&ann)).status == 201 {
        let roles = json!({ "roles": ["approver"] });
        let granted = server.api("PUT", "/api/v1/people/ann/roles/acme", Some(&roles));
        assert_eq!(granted.status, 200, "{granted:?}");
    }
    let issued = server.api("POST", "/api/v1/people/ann/tokens", Some(&json!({})));
    let bearer = format!(
        "Bearer {}",
        issued.json()["token"].as_str().expect("a token")
    );
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let body = body.to_string();
    server
        .http()
        .request("POST", path, &headers, body.as_bytes())
}
