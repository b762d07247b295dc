//! What the actors need of the world and do not make themselves.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rand::Rng as _;
use uuid::Uuid;
use vyrox_domain::{
    containment::ContainmentLimits,
    ids::AlertId,
    playbook::{Assets, Playbooks},
    sla::Slas,
    tenant::Quota,
    time::Timestamp,
    triage::Bands,
};
use vyrox_journal::{Journal, projection::Projections};
use vyrox_policy::Policies;
use vyrox_rules::RuleSet;
use zeroize::Zeroizing;

use crate::{
    edr::Edrs,
    integrity::Integrity,
    keyring::Keyring,
    notifier::Tally,
    outbound::{Chat, Llm, Mailer, Pager},
    polls::Polls,
    projector::Progress,
    reviewer::ReviewLimits,
};

/// Where time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The world as every actor sees it; built once by the composition root.
pub struct World {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// The one source of truth.
    pub journal: Arc<dyn Journal>,
    /// What is derived from it for quick answers.
    pub projections: Arc<Projections>,
    /// How far the projections are.
    pub progress: Arc<Progress>,
    /// The rules in force; replaced as a whole.
    pub rules: ArcSwap<RuleSet>,
    /// Who may send, and with which keys; replaced as a whole by the registry.
    pub keyring: ArcSwap<Keyring>,
    /// What is proposed for which verdict; replaced as a whole.
    pub playbooks: ArcSwap<Playbooks>,
    /// Machines that must not be treated like any other.
    pub assets: Assets,
    /// Who may do what; replaced as a whole.
    pub policies: ArcSwap<Policies>,
    /// Services elsewhere.
    pub outside: Outside,
    /// How often people were told, and how.
    pub told: Arc<Tally>,
    /// What came of asking vendors for alerts.
    pub polls: Arc<Polls>,
    /// Whether the chains prove what they should.
    pub integrity: Arc<Integrity>,
    /// The terms of cases.
    pub settings: CaseSettings,
    /// Limits and windows.
    pub limits: Limits,
}

/// Services elsewhere, as far as they are configured.
#[derive(Clone, Default)]
pub struct Outside {
    /// Where people are told and asked.
    pub chat: Option<Arc<dyn Chat>>,
    /// Who calls somebody out of bed.
    pub pager: Option<Arc<dyn Pager>>,
    /// Who sends mail.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// Stage 2.
    pub llm: Option<Arc<dyn Llm>>,
    /// The APIs that containments are carried out by; `None` where nothing outside may be spoken to.
    pub edrs: Option<Arc<dyn Edrs>>,
}

/// The terms of cases, from the configuration.
#[derive(Clone, Debug)]
pub struct CaseSettings {
    /// How long a proposal may be approved, in milliseconds.
    pub approval_ms: u64,
    /// Nothing is sent to any EDR.
    pub dry_run: bool,
    /// So many hosts approved within an hour make the next one a matter for two persons.
    pub bulk_hosts: usize,
    /// Calls of stage 2 that a tenant may make a day.
    pub daily_calls: u32,
    /// How stage 2 is asked.
    pub review: ReviewLimits,
    /// By when people must hear of an incident.
    pub slas: Slas,
    /// HIGH goes to the pager too, not to mail alone.
    pub page_high: bool,
    /// How many actions, how often, how much at once.
    pub containment: ContainmentLimits,
    /// How containments are watched, and vendors polled.
    pub watching: Watching,
}

/// How containments are watched, and vendors polled, from the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Watching {
    /// How often a containment in force is read again, in milliseconds; 0 for never.
    pub drift_ms: u64,
    /// How often a vendor that pushes nothing is asked for new alerts, in milliseconds; 0 for never.
    pub poll_ms: u64,
}

/// Limits and windows, from the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Where the bands of stage 1 lie.
    pub bands: Bands,
    /// How long a repeat of an alert is known as one, in milliseconds.
    pub dedup_window_ms: u64,
    /// What a tenant may send and hold.
    pub quota: Quota,
    /// How long evidence is kept, in milliseconds; `None` for ever.
    pub retention_ms: Option<u64>,
    /// How long a tenant may be idle before its actors are put away, in milliseconds.
    pub idle_passivate_ms: u64,
    /// The most tenants.
    pub tenant_max: usize,
    /// The most messages that wait for one tenant's machine.
    pub tenant_queue: usize,
    /// How often a machine may fall within its period before its tenant is suspended.
    pub intensity: u32,
    /// That period, in milliseconds.
    pub period_ms: u64,
    /// First wait before a fallen actor comes back, in milliseconds.
    pub backoff_ms: u64,
    /// Longest such wait, in milliseconds.
    pub backoff_max_ms: u64,
    /// First wait before a suspended tenant is tried again, in milliseconds.
    pub probe_ms: u64,
    /// Messages that an actor handles before its neighbours have their turn.
    pub budget: u32,
    /// Time after which they have it anyway, in microseconds.
    pub slice_us: u64,
}

impl World {
    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A fresh alert id (UUIDv7), ordered by `now`.
    pub fn alert_id(&self, now: Timestamp) -> AlertId {
        AlertId(self.fresh_id(now))
    }

    /// A fresh id (UUIDv7), ordered by `now`.
    pub fn fresh_id(&self, now: Timestamp) -> Uuid {
        let nanos = u32::try_from(now.ms() % 1000).unwrap_or_default() * 1_000_000;
        let stamp = uuid::Timestamp::from_unix(uuid::NoContext, now.s(), nanos);
        Uuid::new_v7(stamp)
    }
}

/// A random id that tells nothing: 32 hex digits.
pub fn opaque_id() -> String {
    hex(&random_bytes::<16>())
}

/// A fresh secret: 64 hex digits of 256 random bits.
pub fn fresh_secret() -> String {
    hex(&random_bytes::<32>())
}

/// The seed of a fresh key: 256 random bits.
pub fn fresh_seed() -> Zeroizing<[u8; 32]> {
    Zeroizing::new(random_bytes())
}

/// 64 random bits.
pub fn random_bits() -> u64 {
    u64::from_ne_bytes(random_bytes())
}

fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// Two lower-case hex digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a string cannot fail.
            write!(text, "{byte:02x}").ok();
            text
        })
}
