//! The server's answers, as far as they are shown to people. Members that an older or newer server
//! does not send are empty, never an error; with `--json` the answer is passed on as it came.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A tenant.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Tenant {
    /// Its name.
    pub tenant_id: String,
    /// `serving`, `suspended`, ...
    pub state: String,
    /// When it was added, ms since the epoch.
    pub created_at_ms: u64,
    /// Who may post alerts for it, and how they prove it.
    pub webhooks: Vec<Webhook>,
    /// The vendors' names for it.
    pub accounts: Vec<Account>,
    /// Whether a language model may be asked about its alerts.
    pub llm: Option<bool>,
    /// Where its alerts are talked about.
    pub chat: Option<Chat>,
    /// What its actions are signed with.
    pub action_key: Option<ActionKey>,
    /// The end of its chain.
    pub head: Option<Head>,
}

/// A tenant's place in chat.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Chat {
    /// The chat server.
    pub guild_id: String,
    /// The channel.
    pub channel_id: String,
    /// Who may give orders there.
    pub admin_role_id: Option<String>,
}

/// The public half of a tenant's signing key.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ActionKey {
    /// Its name.
    pub kid: String,
    /// What signatures are checked with, 64 hex digits.
    pub public_key_hex: String,
}

/// One way in for alerts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Webhook {
    /// Whose alerts.
    pub vendor: String,
    /// How they are authenticated.
    pub auth: String,
    /// Where they are posted.
    pub url: String,
    /// When the secret was last changed, ms since the epoch.
    pub rotated_at_ms: Option<u64>,
    /// Until when the secret before it is taken too, ms since the epoch.
    pub previous_until_ms: Option<u64>,
}

/// A vendor's own id of a tenant.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Account {
    /// Whose id.
    pub vendor: String,
    /// The id.
    pub id: String,
}

/// A secret that the server shows this once.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Issued {
    /// Whose alerts.
    pub vendor: String,
    /// How they are authenticated.
    pub auth: String,
    /// Where they are posted.
    pub url: String,
    /// The secret.
    pub secret: String,
}

/// One alert with what became of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AlertView {
    /// Our id.
    pub alert_id: String,
    /// Whose it is.
    pub tenant_id: String,
    /// Who sent it.
    pub vendor: String,
    /// The sender's id.
    pub vendor_alert_id: String,
    /// How far it has come.
    pub status: String,
    /// What it is worth, once that is known.
    pub verdict: Option<String>,
    /// How sure that is, 0..=10000.
    pub confidence_bp: Option<u32>,
    /// Which rules spoke.
    pub reasons: Vec<Reason>,
    /// The machine.
    pub host: Option<String>,
    /// What is left of its evidence, where that was asked for.
    pub evidence: Option<String>,
    /// The incident that it belongs to.
    pub incident_id: Option<String>,
    /// The action that is proposed about it.
    pub proposal: Option<Value>,
    /// What happened to it, in order.
    pub history: Vec<Step>,
}

/// A rule that spoke.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Reason {
    /// Its id.
    pub rule_id: String,
    /// Its title.
    pub title: String,
    /// `malicious` or `benign`.
    pub leaning: String,
    /// How much it counts, in basis points.
    pub weight_bp: u32,
    /// Sigma's level.
    pub level: String,
    /// ATT&CK techniques.
    pub techniques: Vec<String>,
    /// Which members of the alert it matched.
    pub matched: Vec<String>,
}

/// One entry of the chain about an alert.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Step {
    /// Where it stands in the chain.
    pub seq: Option<u64>,
    /// What happened.
    pub event: String,
    /// When, ms since the epoch.
    #[serde(alias = "at_ms")]
    pub timestamp_ms: Option<u64>,
}

/// A position in a chain: `seq` has `hash` for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Head {
    /// The entry's number.
    pub seq: u64,
    /// Its hash, 64 hex digits.
    pub hash: String,
}

/// What verifying a chain found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Verification {
    /// Whether every entry follows from the one before.
    pub ok: bool,
    /// How many entries were found good.
    pub entries: Option<u64>,
    /// The last good entry.
    pub head: Option<Head>,
    /// What is wrong: `chain`, `canonical`, `half_line`, ...
    pub kind: Option<String>,
    /// The first bad entry.
    pub divergent_seq: Option<u64>,
    /// Where the forgery may have begun, if that is not where it was found.
    pub not_before_seq: Option<u64>,
    /// The hash that should stand there.
    pub expected_hash: Option<String>,
    /// The hash that stands there.
    pub observed_hash: Option<String>,
}

/// A checkpoint that a copy was held against.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Signed {
    /// How many entries it is over.
    pub size: u64,
    /// The trusted witnesses that have seen the host's log of it.
    pub witnesses: Vec<Seen>,
}

/// A witness's word.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Seen {
    /// Whose.
    pub name: String,
    /// When, in seconds since 1970.
    pub seen_at: u64,
}

/// One actor and everything below it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Node {
    /// Its path.
    pub id: String,
    /// What it is: `machine`, `audit_writer`, ...
    pub kind: String,
    /// What it is doing.
    pub state: String,
    /// How many lives it has had; 0 for a node that only groups others.
    pub generation: u64,
    /// When its present life began, ms since the epoch.
    #[serde(rename = "started_at")]
    pub started_at_ms: Option<u64>,
    /// How many messages it has handled.
    pub handled: u64,
    /// How long messages lately waited in its queue, 99th percentile in microseconds.
    pub queue_wait_us_p99: u64,
    /// How often it was restarted.
    pub restarts: u64,
    /// Its queue.
    pub mailbox: Mailbox,
    /// Why it last fell.
    pub last_crash: Option<Crash>,
    /// When its next life, or a suspended one's next probe, is due, ms since the epoch.
    #[serde(rename = "next_restart_at")]
    pub next_restart_at_ms: Option<u64>,
    /// How many of its messages went to the dead letters.
    pub poisoned: u64,
    /// What it says of itself.
    pub note: Option<String>,
    /// Of a supervisor: who restarts with a child that fell.
    pub strategy: Option<String>,
    /// The actors that it supervises.
    pub children: Vec<Self>,
}

/// An actor's queue.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Mailbox {
    /// Messages waiting.
    pub depth: u64,
    /// How many may wait.
    pub capacity: u64,
    /// How many were turned away.
    pub rejected: u64,
}

/// A crash, as the supervisor saw it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Crash {
    /// When, ms since the epoch.
    #[serde(rename = "at")]
    pub at_ms: Option<u64>,
    /// The message that was being handled.
    pub message: Option<String>,
    /// What it said.
    pub panic: Option<String>,
    /// Where.
    pub location: Option<String>,
}

/// The answer of `GET /health/actors`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Tree {
    /// The root.
    pub host: Node,
    /// The threads on which actors live or lived.
    pub threads: Vec<Thread>,
    /// How many dead letters there are.
    pub dead_letters: DeadLetterCount,
}

/// A thread on which actors live or lived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Thread {
    /// As the operating system knows it.
    pub name: String,
    /// For how long it has been stuck, in milliseconds; none if it is well.
    pub stuck_for_ms: Option<u64>,
    /// The actor whose code runs there.
    pub polling: Option<String>,
    /// The message that this actor handles.
    pub message: Option<String>,
    /// Actors that live there.
    pub actors: u64,
}

/// How many dead letters there are.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeadLetterCount {
    /// That can be looked at.
    pub held: u64,
}

/// A message that made its actor fall more than once.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeadLetter {
    /// By which it is redriven or discarded.
    pub number: u64,
    /// The actor's path.
    pub actor: String,
    /// The message's type, with its path.
    pub message: String,
    /// When it was set aside, ms since the epoch.
    #[serde(rename = "at")]
    pub at_ms: u64,
    /// What the last fall said.
    pub panic: String,
    /// Where that was.
    pub location: Option<String>,
    /// Whether it can be redriven.
    pub kept: bool,
}

/// A page of alerts.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct AlertPage {
    /// The alerts, newest first.
    pub alerts: Vec<Value>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// Reads a part of an answer for people; what does not fit shows as empty.
pub fn view<T: Default + for<'de> Deserialize<'de>>(value: &Value) -> T {
    T::deserialize(value).unwrap_or_default()
}
