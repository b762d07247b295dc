//! One host with one bot: tenant acme in a guild of its own, alice and bob who may approve, and people
//! who may not.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    discord::{
        APPLICATION, Fake, Message, Rules, TOKEN,
        clicker::{Account, Clicker, Kind},
    },
    server::{DEADLINE, Http, NO_RATIONS, Server, Tenant, eventually},
};

/// The role that may decide in acme's guild.
const ADMIN_ROLE: &str = "1300000000000000001";
const ALICE: &str = "1400000000000000001";
const BOB: &str = "1400000000000000002";
const CAROL: &str = "1400000000000000003";
const DAVE: &str = "1400000000000000004";

/// Everything together. Its own methods talk to the server as Discord or an EDR would.
pub(super) struct Desk {
    pub(super) server: Server,
    pub(super) fake: Fake,
    pub(super) discord: Clicker,
    pub(super) tenant: Tenant,
    http: Http,
    dir: TempDir,
    env: Vec<(String, String)>,
}

/// A message that asks for a decision.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) message: Message,
    /// The digits that its buttons carry.
    pub(super) digest: String,
    pub(super) alert_id: String,
}

impl Question {
    pub(super) fn approve(&self) -> String {
        self.button("approve")
    }

    pub(super) fn deny(&self) -> String {
        self.button("deny")
    }

    pub(super) fn button(&self, verb: &str) -> String {
        format!("{verb}_{}_acme.{}", self.alert_id, self.digest)
    }
}

impl Desk {
    /// A host with `env` beside what chat needs, on which acme has claimed its guild.
    pub(super) fn open(env: &[(&str, &str)]) -> Self {
        let mut desk = Self::fresh(env);
        for person in ["alice", "bob", "dave"] {
            desk.made("POST", "/api/v1/people", &json!({ "person_id": person }));
        }
        for person in ["alice", "bob"] {
            let path = format!("/api/v1/people/{person}/roles/acme");
            desk.made("PUT", &path, &json!({ "roles": ["approver"] }));
        }
        for (person, account) in [("alice", ALICE), ("bob", BOB), ("dave", DAVE)] {
            let path = format!("/api/v1/people/{person}/links");
            let link = json!({ "provider": "discord", "account_id": account });
            desk.made("POST", &path, &link);
        }
        let said = desk.claim();
        assert!(said.contains("belongs to `acme` now"), "{said}");
        desk
    }

    /// The same before anybody has claimed anything.
    pub(super) fn fresh(env: &[(&str, &str)]) -> Self {
        let fake = Fake::with(Rules {
            bucket: 40,
            ..Rules::default()
        });
        let mut discord = Clicker::new(1);
        APPLICATION.clone_into(&mut discord.application_id);
        let base = fake.base();
        let own = [
            ("DISCORD_BOT_TOKEN", TOKEN),
            ("VYROX_DISCORD__API_BASE", base.as_str()),
            ("VYROX_LIMITS__CHAT_PER_S", "100000"),
            ("VYROX_LIMITS__CHAT_BURST", "100000"),
        ];
        let all = discord.settings().into_iter().chain(own);
        let all = all
            .chain(NO_RATIONS.iter().copied())
            .chain(env.iter().copied());
        let env: Vec<_> = all
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let dir = TempDir::new().expect("a directory");
        let server = start(&dir, &env);
        let tenant = server.add_tenant("acme");
        Self {
            http: server.http(),
            server,
            fake,
            discord,
            tenant,
            dir,
            env,
        }
    }

    /// Power off, and on again.
    pub(super) fn power_cycle(self) -> Self {
        self.server.kill9();
        let server = start(&self.dir, &self.env);
        Self {
            http: server.http(),
            server,
            ..self
        }
    }

    /// A new code for acme, shown in its guild by somebody who manages that; what is answered.
    pub(super) fn claim(&mut self) -> String {
        let issued = self.made("POST", "/api/v1/tenants/acme/chat-code", &json!({}));
        let options = json!([
            { "type": 3, "name": "code", "value": issued["code"] },
            { "type": 8, "name": "admin_role", "value": ADMIN_ROLE },
        ]);
        let manager = carol().managing();
        self.order(&manager, "register", &options)
    }

    /// Asks the administrator's API for something that must be done.
    pub(super) fn made(&self, method: &str, path: &str, body: &Value) -> Value {
        let reply = self.server.api(method, path, Some(body));
        assert!(
            matches!(reply.status, 200 | 201),
            "{method} {path}: {reply:?}"
        );
        reply.json()
    }

    /// Somebody's passwords are read out of a machine's memory; gives the alert's id and its body.
    pub(super) fn alert(&mut self, host: &str) -> (String, Vec<u8>) {
        let body = sighting(host).to_string().into_bytes();
        let answer = self.tenant.alert(&mut self.http, "crowdstrike", &body);
        (answer["alert_id"].as_str().unwrap().to_owned(), body)
    }

    /// The message that asks about a machine, with the digest that its buttons carry.
    pub(super) fn asked(&self, host: &str) -> Question {
        let message = self.message("a message asks", |message| {
            message.body["embeds"].to_string().contains(host)
                && !buttons(message, "approve").is_empty()
        });
        let id = buttons(&message, "approve").remove(0);
        let (head, digest) = id.split_once('.').expect("a button that binds");
        let alert_id = head.split('_').nth(1).unwrap().to_owned();
        Question {
            digest: digest.to_owned(),
            alert_id,
            message,
        }
    }

    /// The last message of the channel of which this holds, once there is one.
    pub(super) fn message(&self, what: &str, holds: impl Fn(&Message) -> bool) -> Message {
        loop {
            let calls = self.fake.calls().len();
            let found = self.fake.messages(&self.discord.channel_id);
            if let Some(found) = found.into_iter().rev().find(&holds) {
                return found;
            }
            self.fake.wait_for(what, |asked| asked.len() > calls);
        }
    }

    /// Presses a button; gives the first answer.
    pub(super) fn click(&mut self, who: &Account, message_id: &str, custom_id: &str) -> Value {
        self.discord
            .click(&mut self.http, who, message_id, custom_id)
    }

    /// Presses a button; gives the sentence that comes of it, at once or later.
    pub(super) fn press(&mut self, who: &Account, message_id: &str, custom_id: &str) -> String {
        let body = self.discord.press(who, message_id, custom_id);
        self.said_to(&body)
    }

    /// What a person is told who does this.
    pub(super) fn said_to(&mut self, body: &Value) -> String {
        let before = self.fake.answers().len();
        let answer = self.discord.done(&mut self.http, Kind::Button, body);
        self.told(before, &answer)
    }

    pub(super) fn fill_in(
        &mut self,
        who: &Account,
        message_id: &str,
        form: (&str, &str),
    ) -> String {
        let before = self.fake.answers().len();
        let answer = self.discord.fill_in(&mut self.http, who, message_id, form);
        self.told(before, &answer)
    }

    /// Gives an order; what is answered, in all its parts.
    pub(super) fn order(&mut self, who: &Account, sub: &str, options: &Value) -> String {
        let before = self.fake.answers().len();
        let answer = self.discord.command(&mut self.http, who, sub, options);
        self.told(before, &answer)
    }

    /// The words of an answer, or of the one that it promises.
    fn told(&self, before: usize, answer: &Value) -> String {
        let message = match answer["type"].as_u64() {
            Some(4) => answer["data"].clone(),
            Some(5) => self.promised(before).body,
            _ => panic!("no answer: {answer}"),
        };
        match message["content"].as_str() {
            Some(text) => text.to_owned(),
            None => message["embeds"].to_string(),
        }
    }

    /// The answer that was put off, once it is told.
    pub(super) fn promised(&self, before: usize) -> crate::discord::Answered {
        self.fake.wait_for("the answer that was promised", |asked| {
            let told = asked.iter().filter(|one| one.line.contains("/webhooks/"));
            told.filter(|one| one.status == 200).count() > before
        });
        self.fake.answers().remove(before)
    }

    /// The entries of acme's chain with this name.
    pub(super) fn events(&self, name: &str) -> Vec<Value> {
        let mut entries = self.server.entries("acme");
        entries.retain(|entry| entry["event"] == name);
        entries
    }

    /// The one entry of that name.
    pub(super) fn sole(&self, name: &str) -> Value {
        let mut found = self.events(name);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        found.remove(0)
    }

    /// The reasons of all refusals so far, once there are `count` of them.
    pub(super) fn refusals(&self, count: usize) -> Vec<String> {
        eventually(DEADLINE, || {
            let found = self.events("approval.refused");
            let why = |entry: &Value| entry["payload"]["why"].as_str().unwrap().to_owned();
            (found.len() >= count).then(|| found.iter().map(why).collect())
        })
    }

    /// The chain verifies from its first entry to its last.
    pub(super) fn is_whole(&self) {
        let verified = self.server.verify("acme");
        assert_eq!(verified["ok"], true, "{verified}");
    }

    pub(super) fn http(&mut self) -> &mut Http {
        &mut self.http
    }
}

pub(super) fn alice() -> Account {
    Account::with_role(ALICE, ADMIN_ROLE)
}

pub(super) fn bob() -> Account {
    Account::with_role(BOB, ADMIN_ROLE)
}

/// An account that is nobody's.
pub(super) fn carol() -> Account {
    Account::with_role(CAROL, ADMIN_ROLE)
}

/// A person who is nothing to acme.
pub(super) fn dave() -> Account {
    Account::with_role(DAVE, ADMIN_ROLE)
}

/// What an EDR says of it: nothing but the vendor and the tenant is the same on two machines.
pub(super) fn sighting(host: &str) -> Value {
    json!({
        "detect_id": format!("ldt:{host}"),
        "customer_id": "acme",
        "timestamp": 1_767_225_600,
        "severity": 90,
        "description": "Credential dumping from LSASS",
        "tactic": "Credential Access",
        "technique": "T1003.001",
        "sensor": { "hostname": host, "agent_id": format!("a1b2c3d4e5f60718293a4b5c{host}") },
        "process": {
            "user_name": format!("user-of-{host}"),
            "file_name": format!("mimikatz-{host}.exe"),
            "command_line": format!("mimikatz-{host}.exe sekurlsa::logonpasswords exit"),
        },
    })
}

/// What the buttons of one kind carry.
pub(super) fn buttons(message: &Message, verb: &str) -> Vec<String> {
    let rows = message.body["components"].as_array().into_iter().flatten();
    let buttons = rows.flat_map(|row| row["components"].as_array().into_iter().flatten());
    let ids = buttons.filter_map(|button| button["custom_id"].as_str());
    ids.filter(|id| id.starts_with(verb))
        .map(str::to_owned)
        .collect()
}

fn start(dir: &TempDir, env: &[(String, String)]) -> Server {
    let env: Vec<_> = env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Server::start(dir.path(), &env)
}
