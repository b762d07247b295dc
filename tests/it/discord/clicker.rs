//! The side of Discord that posts interactions: it signs what its people do, and takes no answer that
//! Discord would not take, late ones included.

mod strict;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

pub(crate) use self::strict::{Kind, fault};
use crate::server::{Http, Reply, now, unix_s};

/// How long Discord waits for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// An application with its key pair, and the guild in which its people are.
pub(crate) struct Clicker {
    signer: SigningKey,
    seed: [u8; 32],
    public_key: String,
    pub(crate) application_id: String,
    pub(crate) guild_id: String,
    pub(crate) channel_id: String,
    /// The last interaction's id.
    last_id: AtomicU64,
}

/// An account in the guild.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) user_id: String,
    pub(crate) roles: Vec<String>,
    /// Discord's bit set, in decimal.
    pub(crate) permissions: String,
}

impl Account {
    /// Somebody with this one role, who may read and write and nothing else.
    pub(crate) fn with_role(user_id: &str, role: &str) -> Self {
        Self {
            user_id: user_id.to_owned(),
            roles: vec![role.to_owned()],
            permissions: "3072".to_owned(),
        }
    }

    /// The same as somebody who may manage the guild.
    pub(crate) fn managing(self) -> Self {
        let permissions = "3104".to_owned();
        Self {
            permissions,
            ..self
        }
    }
}

impl Clicker {
    /// An application of its own for every seed.
    pub(crate) fn new(seed: u8) -> Self {
        let seed = [seed; 32];
        let signer = SigningKey::from_bytes(&seed);
        let id = |number: u64| (1_100_000_000_000_000_000 + number).to_string();
        Self {
            public_key: hex::encode(signer.verifying_key().as_bytes()),
            signer,
            seed,
            application_id: id(1),
            guild_id: id(2),
            channel_id: id(3),
            last_id: AtomicU64::new(1_200_000_000_000_000_000),
        }
    }

    /// What tells a server of this application.
    pub(crate) fn settings(&self) -> [(&'static str, &str); 2] {
        [
            ("DISCORD_PUBLIC_KEY", &self.public_key),
            ("DISCORD_APPLICATION_ID", &self.application_id),
        ]
    }

    /// 64 hex digits.
    pub(crate) fn public_key(&self) -> &str {
        &self.public_key
    }

    /// The private key's seed, for others who sign in this application's name.
    pub(crate) fn seed_hex(&self) -> String {
        hex::encode(self.seed)
    }

    /// Asks whether the server is there.
    pub(crate) fn ping(&self, http: &mut Http) {
        let body = json!({
            "type": 1,
            "version": 1,
            "id": self.fresh_id(),
            "token": "a_token_of_a_ping",
            "application_id": self.application_id,
        });
        self.done(http, Kind::Ping, &body);
    }

    /// Presses a button on a message.
    pub(crate) fn click(
        &self,
        http: &mut Http,
        who: &Account,
        message_id: &str,
        custom_id: &str,
    ) -> Value {
        self.done(http, Kind::Button, &self.press(who, message_id, custom_id))
    }

    /// What [`Clicker::click`] posts.
    pub(crate) fn press(&self, who: &Account, message_id: &str, custom_id: &str) -> Value {
        let data = json!({ "component_type": 2, "custom_id": custom_id, "id": 2 });
        let mut body = self.interaction(3, who, &data);
        body["message"] = json!({ "id": message_id, "channel_id": self.channel_id, "type": 0 });
        body
    }

    /// Sends off the form that a button opened.
    pub(crate) fn fill_in(
        &self,
        http: &mut Http,
        who: &Account,
        message_id: &str,
        (custom_id, reason): (&str, &str),
    ) -> Value {
        let field = json!({ "type": 4, "id": 2, "custom_id": "reason", "value": reason });
        let label = json!({ "type": 18, "id": 1, "component": field });
        let data = json!({ "custom_id": custom_id, "components": [label] });
        let mut body = self.interaction(5, who, &data);
        body["message"] = json!({ "id": message_id, "channel_id": self.channel_id, "type": 0 });
        self.done(http, Kind::Form, &body)
    }

    /// Gives a command: `/vyrox <sub> ...`.
    pub(crate) fn command(
        &self,
        http: &mut Http,
        who: &Account,
        sub: &str,
        options: &Value,
    ) -> Value {
        let sub = json!({ "type": 1, "name": sub, "options": options });
        let id = self.fresh_id();
        let data = json!({ "type": 1, "id": id, "name": "vyrox", "options": [sub] });
        self.done(http, Kind::Command, &self.interaction(2, who, &data))
    }

    /// Posts what somebody did, as Discord would, and gives the answer that Discord took.
    pub(crate) fn done(&self, http: &mut Http, kind: Kind, body: &Value) -> Value {
        let from = now();
        let reply = self.post(http, body.to_string().as_bytes());
        let took = from.elapsed();
        assert!(
            took < PATIENCE,
            "Discord gave up on {body} after {PATIENCE:?}; the answer took {took:?}: {reply:?}"
        );
        assert_eq!(reply.status, 200, "{body}: {reply:?}");
        let json = reply.header("content-type");
        assert_eq!(json, Some("application/json"), "{body}: {reply:?}");
        let answer = reply.json();
        if let Some(fault) = fault(kind, &answer) {
            panic!("Discord does not take {answer} as the answer to {body}: {fault}");
        }
        answer
    }

    /// Posts a body signed at this moment.
    pub(crate) fn post(&self, http: &mut Http, body: &[u8]) -> Reply {
        let stamp = unix_s().to_string();
        let signature = self.sign(&stamp, body);
        Self::post_with(http, &signature, &stamp, body)
    }

    /// Posts a body with any signature and time.
    pub(crate) fn post_with(http: &mut Http, signature: &str, stamp: &str, body: &[u8]) -> Reply {
        let headers = [
            ("x-signature-ed25519", signature),
            ("x-signature-timestamp", stamp),
            (
                "user-agent",
                "Discord-Interactions/1.0 (+https://discord.com)",
            ),
        ];
        http.post("/interactions", &headers, body)
    }

    /// The signature over a timestamp and a body, in hex.
    pub(crate) fn sign(&self, stamp: &str, body: &[u8]) -> String {
        let message = [stamp.as_bytes(), body].concat();
        hex::encode(self.signer.sign(&message).to_bytes())
    }

    /// An interaction with an id and a token of its own.
    fn interaction(&self, kind: u64, who: &Account, data: &Value) -> Value {
        let id = self.fresh_id();
        json!({
            "version": 1,
            "type": kind,
            "token": format!("token_of_{id}"),
            "id": id,
            "application_id": self.application_id,
            "guild_id": self.guild_id,
            "guild": { "id": self.guild_id, "locale": "en-US", "features": [] },
            "channel_id": self.channel_id,
            "channel": { "id": self.channel_id, "type": 0 },
            "context": 0,
            "locale": "en-GB",
            "guild_locale": "en-US",
            "app_permissions": "442368",
            "authorizing_integration_owners": { "0": self.guild_id },
            "entitlements": [],
            "member": {
                "user": {
                    "id": who.user_id,
                    "username": format!("u{}", who.user_id),
                    "global_name": null,
                    "discriminator": "0",
                },
                "roles": who.roles,
                "permissions": who.permissions,
                "nick": null,
                "joined_at": "2025-01-01T00:00:00.000000+00:00",
                "deaf": false,
                "mute": false,
            },
            "data": data,
        })
    }

    fn fresh_id(&self) -> String {
        let last = self.last_id.fetch_add(1, Ordering::Relaxed);
        (last + 1).to_string()
    }
}
