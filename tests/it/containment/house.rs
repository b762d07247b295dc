//! A server that means what it does, the stand-ins that it speaks to, and ann, who may approve.

#[cfg(feature = "fault-injection")]
mod dying;

use std::io;

use serde_json::{Value, json};
use tempfile::TempDir;
use vyrox::{
    mock_edr::{Call, MockEdr, MockSettings, Network},
    scenario::{Occasion, Scenario},
};
use vyrox_domain::{time::Timestamp, vendor::Vendor};

use crate::server::{
    DEADLINE, Http, NO_RATIONS, Reply, SERVICE_SECRET, Server, Tenant, eventually, request_bytes,
    sign, unix_s,
};

/// What every server of these tests is told beside what a test wants.
const OWN: &[(&str, &str)] = &[
    ("DRY_RUN", "false"),
    ("VYROX_EDR__ALLOW_PRIVATE", "true"),
    ("VYROX_EDR__POLL_S", "0"),
    ("VYROX_HMAC_SECRET", SERVICE_SECRET),
    // Dozens of servers share this machine: a thread that has to wait for it is not stuck.
    ("VYROX_SUPERVISION__STALL_MS", "30000"),
];

/// The entries that say what became of a drive.
const OUTCOMES: [&str; 7] = [
    "action.executed",
    "action.accepted",
    "action.already_so",
    "action.refused",
    "action.unreachable",
    "action.unknown",
    "action.dry_run",
];

/// Everything together.
pub(super) struct House {
    pub(super) server: Server,
    pub(super) mock: MockEdr,
    /// Ann's token.
    token: String,
    tenants: Vec<Tenant>,
    dir: TempDir,
    env: Vec<(String, String)>,
}

/// An action that waits for somebody's yes.
#[derive(Clone, Debug)]
pub(super) struct Proposed {
    pub(super) tenant: String,
    pub(super) alert_id: String,
    pub(super) action_id: String,
    pub(super) digest: String,
}

impl House {
    /// A server with `env` beside its own settings, and acme with credentials for these vendors.
    pub(super) fn open(env: &[(&str, &str)], vendors: &[Vendor]) -> Self {
        let mut house = Self::empty(env);
        house.add_tenant("acme", vendors);
        house
    }

    /// The same without any tenant.
    pub(super) fn empty(env: &[(&str, &str)]) -> Self {
        let all = NO_RATIONS.iter().chain(OWN).chain(env);
        let env: Vec<_> = all
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let dir = TempDir::new().expect("a directory");
        let server = start(&dir, &env);
        let mock = MockEdr::start(MockSettings::default()).expect("stand-ins");
        let ann = json!({ "person_id": "ann" });
        let added = server.api("POST", "/api/v1/people", Some(&ann));
        assert_eq!(added.status, 201, "{added:?}");
        let issued = server.api("POST", "/api/v1/people/ann/tokens", Some(&json!({})));
        let token = issued.json()["token"].as_str().expect("a token").to_owned();
        Self {
            server,
            mock,
            token,
            tenants: Vec::new(),
            dir,
            env,
        }
    }

    /// A tenant with credentials for these vendors, for which ann may approve.
    fn add_tenant(&mut self, id: &str, vendors: &[Vendor]) {
        self.tenants.push(self.server.add_tenant(id));
        self.equip(id, vendors, &self.mock);
    }

    /// The same with stand-ins of its own.
    pub(super) fn add_tenant_at(&mut self, id: &str, vendors: &[Vendor], mock: &MockEdr) {
        self.tenants.push(self.server.add_tenant(id));
        self.equip(id, vendors, mock);
    }

    fn equip(&self, id: &str, vendors: &[Vendor], mock: &MockEdr) {
        for vendor in vendors {
            let given = mock.credential(*vendor);
            let body = json!({
                "base_url": given.base_url,
                "login_url": given.login_url,
                "client_id": given.client_id,
                "secret": given.secret,
                "realm": given.realm,
            });
            let path = format!("/api/v1/tenants/{id}/edr/{}", vendor.as_str());
            let set = self.server.api("PUT", &path, Some(&body));
            assert_eq!(set.status, 200, "{vendor}: {set:?}");
        }
        let path = format!("/api/v1/people/ann/roles/{id}");
        let roles = json!({ "roles": ["approver"] });
        let granted = self.server.api("PUT", &path, Some(&roles));
        assert_eq!(granted.status, 200, "{granted:?}");
    }

    /// Power off, and on again.
    pub(super) fn power_cycle(self) -> Self {
        let Self {
            server,
            mock,
            token,
            tenants,
            dir,
            env,
        } = self;
        server.kill9();
        Self {
            server: start(&dir, &env),
            mock,
            token,
            tenants,
            dir,
            env,
        }
    }

    /// Sends the alert of a scenario; gives its id.
    pub(super) fn alert(&self, tenant: &str, vendor: Vendor, scenario: Scenario) -> String {
        let occasion = Occasion {
            id: "1",
            now: Timestamp::from_s(unix_s()),
            tenant,
        };
        let staged = scenario.alerts(vendor, occasion).remove(0);
        self.send(tenant, vendor, &staged.body)
    }

    /// Sends an alert; gives its id.
    pub(super) fn send(&self, tenant: &str, vendor: Vendor, body: &Value) -> String {
        let known = self.tenants.iter().find(|known| known.id == tenant);
        let known = known.expect("a tenant of this test");
        let body = body.to_string();
        let path = format!("/t/{tenant}/webhook/{}", vendor.as_str());
        let signature = sign(&known.secret, body.as_bytes());
        let headers = [("x-vyrox-signature", signature.as_str())];
        let reply = self.server.http().post(&path, &headers, body.as_bytes());
        assert_eq!(reply.status, 202, "{reply:?}");
        reply.json()["alert_id"].as_str().expect("an id").to_owned()
    }

    /// What is proposed for an alert, once something is.
    pub(super) fn proposed(&self, tenant: &str, alert_id: &str) -> Proposed {
        let proposal = eventually(DEADLINE, || {
            let proposal = self.server.judged(tenant, alert_id)["proposal"].take();
            (!proposal.is_null()).then_some(proposal)
        });
        let text = |member: &str| proposal[member].as_str().expect("a text").to_owned();
        Proposed {
            tenant: tenant.to_owned(),
            alert_id: alert_id.to_owned(),
            action_id: text("action_id"),
            digest: text("manifest_sha256"),
        }
    }

    /// Ann says yes. There may be no answer: the server may die of it.
    pub(super) fn try_approve(&self, what: &Proposed) -> io::Result<Reply> {
        let path = format!("/api/v1/alerts/{}/approve", what.alert_id);
        let body = json!({ "tenant_id": what.tenant, "manifest_sha256": what.digest });
        self.as_ann(&path, &body)
    }

    #[track_caller]
    pub(super) fn approve(&self, what: &Proposed) {
        let reply = self.try_approve(what).expect("an answer");
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// Ann takes an action back.
    pub(super) fn try_roll_back(&self, tenant: &str, action_id: &str) -> io::Result<Reply> {
        let path = format!("/api/v1/actions/{action_id}/rollback");
        self.as_ann(&path, &json!({ "tenant_id": tenant }))
    }

    /// The same where it must begin; gives the id of what takes it back.
    #[track_caller]
    pub(super) fn roll_back(&self, tenant: &str, action_id: &str) -> String {
        let reply = self.try_roll_back(tenant, action_id).expect("an answer");
        assert_eq!(reply.status, 202, "{reply:?}");
        let undoing = self.undoing(tenant, action_id);
        undoing.expect("what begun is listed")["action_id"]
            .as_str()
            .expect("an id")
            .to_owned()
    }

    /// The last action that takes that one back.
    pub(super) fn undoing(&self, tenant: &str, action_id: &str) -> Option<Value> {
        let listed = self
            .server
            .get(&format!("/api/v1/actions?tenant_id={tenant}&limit=200"));
        let all = listed["actions"].as_array().expect("a list");
        let found = all.iter().find(|one| one["release"]["of"] == action_id);
        found.cloned()
    }

    fn as_ann(&self, path: &str, body: &Value) -> io::Result<Reply> {
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let body = body.to_string();
        let bytes = request_bytes("POST", path, &headers, body.as_bytes());
        self.server.http().try_send(&bytes)
    }

    /// All entries with this name.
    pub(super) fn events(&self, tenant: &str, event: &str) -> Vec<Value> {
        let mut entries = self.server.entries(tenant);
        entries.retain(|entry| entry["event"] == event);
        entries
    }

    pub(super) fn action(&self, tenant: &str, action_id: &str) -> Value {
        self.server
            .get(&format!("/api/v1/actions/{action_id}?tenant_id={tenant}"))
    }

    /// An action once `so` holds of it.
    #[track_caller]
    pub(super) fn await_action(
        &self,
        tenant: &str,
        action_id: &str,
        so: impl Fn(&Value) -> bool,
    ) -> Value {
        eventually(DEADLINE, || {
            Some(self.action(tenant, action_id)).filter(&so)
        })
    }

    /// An action once what became of it is known, and durable.
    #[track_caller]
    pub(super) fn settled(&self, tenant: &str, action_id: &str) -> Value {
        let action = self.await_action(tenant, action_id, |action| {
            let open = matches!(action["outcome"].as_str(), Some("accepted" | "unknown"));
            matches!(action["stage"].as_str(), Some("done" | "undone")) && !open
        });
        if let Some(outcome) = action["outcome"].as_str() {
            let event = format!("action.{outcome}");
            eventually(DEADLINE, || {
                let told = self.told(tenant, action_id, &event);
                (!told.is_empty()).then_some(())
            });
        }
        action
    }

    /// The entries about an action with this name.
    pub(super) fn told(&self, tenant: &str, action_id: &str, event: &str) -> Vec<Value> {
        let mut entries = self.server.entries(tenant);
        entries
            .retain(|entry| entry["event"] == event && entry["payload"]["action_id"] == action_id);
        entries
    }

    /// What stands on the chain of an action that was to be carried out: one intent for each drive, one
    /// outcome that is final for each of them, within a minute.
    #[track_caller]
    pub(super) fn outcomes(&self, tenant: &str, action_id: &str) -> Vec<String> {
        let mut entries = self.server.entries(tenant);
        entries.retain(|entry| entry["payload"]["action_id"] == action_id);
        let is_outcome = |entry: &&Value| OUTCOMES.iter().any(|name| entry["event"] == *name);
        let intents = entries.iter().filter(|one| one["event"] == "action.intent");
        let outcomes: Vec<_> = entries.iter().filter(is_outcome).collect();
        for (nth, intent) in intents.enumerate() {
            let drive = &intent["payload"]["drive"];
            assert_eq!(*drive, json!(nth + 1), "one intent a drive: {entries:?}");
            let mine = outcomes
                .iter()
                .filter(|one| one["payload"]["drive"] == *drive);
            let mine: Vec<_> = mine.collect();
            let first = mine
                .first()
                .unwrap_or_else(|| panic!("no outcome: {entries:?}"));
            let (begun, ended) = (
                intent["timestamp_ms"].as_u64(),
                first["timestamp_ms"].as_u64(),
            );
            let took_ms = ended.unwrap().saturating_sub(begun.unwrap());
            assert!(took_ms <= 60_000, "{took_ms} ms: {entries:?}");
            let is_open = |one: &&&&Value| {
                one["event"] == "action.accepted" || one["event"] == "action.unknown"
            };
            let last = mine.iter().filter(|one| !is_open(one)).count();
            assert!(last <= 1, "a drive ends once: {entries:?}");
        }
        let word = |entry: &&Value| entry["event"].as_str().unwrap().replace("action.", "");
        outcomes.iter().map(word).collect()
    }

    /// What the stand-ins were told about a host (or a threat), of that vendor.
    pub(super) fn changes(&self, vendor: Vendor, subject: &str) -> Vec<Call> {
        self.mock.changes(vendor, subject)
    }

    /// How that host stands at its vendor's.
    pub(super) fn network(&self, vendor: Vendor, host: &str) -> Network {
        self.mock.host(vendor, host).expect("a known host").network
    }

    /// No request broke a vendor's contract, and every chain verifies.
    #[track_caller]
    pub(super) fn is_whole(&self) {
        assert_eq!(self.mock.violations(), [""; 0]);
        let chains = self.tenants.iter().map(|tenant| tenant.id.as_str());
        for chain in chains.chain(["_host"]) {
            let verified = self.server.verify(chain);
            assert_eq!(verified["ok"], true, "{chain}: {verified}");
        }
    }
}

/// A request of a service that signs.
pub(super) fn signed_bytes(path: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let signature = sign(SERVICE_SECRET, body.as_bytes());
    let headers = [
        ("x-vyrox-signature", signature.as_str()),
        ("content-type", "application/json"),
    ];
    request_bytes("POST", path, &headers, body.as_bytes())
}

/// A service that signs has something done.
#[track_caller]
pub(super) fn signed(http: &mut Http, path: &str, body: &Value) -> Reply {
    let reply = http.try_send(&signed_bytes(path, body));
    reply.expect("an answer")
}

/// Status and code, or status and word.
pub(super) fn said(reply: &Reply) -> (u16, String) {
    let body = reply.json();
    let word = body.get("code").unwrap_or_else(|| &body["status"]);
    (reply.status, word.as_str().unwrap_or_default().to_owned())
}

fn start(dir: &TempDir, env: &[(String, String)]) -> Server {
    let env: Vec<_> = env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Server::start(dir.path(), &env)
}
