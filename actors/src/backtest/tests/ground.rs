//! A journal that makes its entries up as they are asked for.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::json;
use uuid::Uuid;
use vyrox_domain::{
    alert::{Alert, Severity},
    digest::Digest,
    host::TenantSettings,
    ids::{AlertId, IncidentId, TenantId},
    incident::{Arrival, CaseFacts, Incidents},
    playbook::{Assets, Playbooks, builtin},
    protocol::{AlertReceived, AlertTriaged, Event, Evidence, EvidenceKind},
    time::Timestamp,
    triage::{Bands, Leaning, Verdict, assess},
    vendor::Vendor,
};
use vyrox_journal::{
    Append, AppendError, Done, Head, Journal, JournalError, Line, Lines, Opened, Status,
    VerifyReport, seal::DataKey,
};
use vyrox_rules::RuleSet;

use crate::{backtest::Present, intake::evidence_aad, keyring::TenantKeys, ports::Clock};

const WORD: &str = "frobnicate-the-widgets";

pub(super) fn tenant(name: &str) -> TenantId {
    name.parse().expect("a tenant's name")
}

/// When an entry was made.
pub(super) fn said_at(seq: u64) -> Timestamp {
    Timestamp::from_ms(1_767_225_600_000 + seq * 1_000)
}

/// A set of these rules: `word` makes an alert critical, `faint` says hardly anything.
pub(super) fn rules(names: &[&str]) -> RuleSet {
    let sources: Vec<_> = names.iter().map(|name| rule(name)).collect();
    RuleSet::compile(&sources).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn rule(name: &str) -> (String, String) {
    let (level, weight, id) = match name {
        "word" => ("critical", 9_500, 1),
        _ => ("low", 10, 2),
    };
    let text = format!(
        "title: The word\n\
         id: 0b0f3a4e-6d8c-4a56-9a53-1c5a4d1e7f1{id}\n\
         name: site.{name}\n\
         description: Looks for one word.\n\
         logsource: {{product: edr, category: alert}}\n\
         detection:\n  word:\n    seen.command|contains: {WORD}\n  condition: word\n\
         level: {level}\n\
         tags: [attack.impact, attack.t1490]\n\
         vyrox:\n  weight_bp: {weight}\n  leaning: malicious\n"
    );
    (format!("{name}.yml"), text)
}

/// One tenant's chain: each alert has two entries, what came in and what was said of it.
pub(super) struct Made {
    keys: Arc<TenantKeys>,
    alerts: u64,
    then: RuleSet,
    /// So many alerts come in before the first verdict.
    pub(super) lag: u64,
    /// The last so many alerts have no verdict.
    pub(super) unjudged: u64,
    /// Alerts without evidence.
    pub(super) gone: BTreeSet<u64>,
    /// Alerts whose evidence is not what the chain says.
    pub(super) altered: BTreeSet<u64>,
    /// The entry that cannot be read.
    pub(super) damaged_at: Option<u64>,
}

enum Step {
    Received(u64),
    Triaged(u64),
}

impl Made {
    /// So many alerts, judged by these rules.
    pub(super) fn new(name: &str, alerts: u64, then: &[&str]) -> Self {
        Self {
            keys: Arc::new(TenantKeys {
                tenant: tenant(name),
                opaque_id: "0".repeat(32),
                data_key: Arc::new(DataKey::generate(name)),
                webhooks: HashMap::new(),
                settings: TenantSettings::default(),
                action_seed: None,
                action_kid: None,
                edr: HashMap::new(),
                action_secret: None,
                halted: false,
            }),
            alerts,
            then: rules(then),
            lag: 1,
            unjudged: 0,
            gone: BTreeSet::new(),
            altered: BTreeSet::new(),
            damaged_at: None,
        }
    }

    fn entries(&self) -> u64 {
        self.alerts * 2 - self.unjudged
    }

    /// First `lag` alerts, then a verdict and an alert in turn, then the other verdicts.
    fn step(&self, seq: u64) -> Step {
        let turns = (self.alerts - self.lag) * 2;
        match seq.checked_sub(self.lag) {
            None => Step::Received(seq),
            Some(since) if since >= turns => Step::Triaged(since - turns / 2),
            Some(since) if since % 2 == 0 => Step::Triaged(since / 2),
            Some(since) => Step::Received(self.lag + since / 2),
        }
    }

    fn alert(n: u64) -> Alert {
        let mut alert = Alert::bare(Vendor::Crowdstrike, format!("ldt:{n}"));
        alert.severity = Severity::High;
        alert.device.hostname = Some(format!("ws-{n}"));
        alert.device.id = Some(format!("{n:032x}"));
        let word = if n.is_multiple_of(3) { WORD } else { "nothing" };
        alert.process.command_line = Some(format!("tool.exe {word}"));
        alert
    }

    fn plain(n: u64) -> Vec<u8> {
        serde_json::to_vec(&Self::alert(n)).expect("an alert is JSON")
    }

    fn event(&self, seq: u64) -> Event {
        let id = |n| AlertId(Uuid::from_u64_pair(1, n));
        match self.step(seq) {
            Step::Received(n) => {
                let plain = Self::plain(n);
                let piece = Evidence {
                    kind: EvidenceKind::Alert,
                    sha256: Digest::of(&plain),
                    length: plain.len() as u64,
                    at_seq: None,
                };
                Event::AlertReceived {
                    alert_id: id(n),
                    received: AlertReceived::of(&Self::alert(n), vec![piece]),
                }
            }
            Step::Triaged(n) => Event::AlertTriaged {
                alert_id: id(n),
                triaged: self.triaged(n, id(n), said_at(seq)),
            },
        }
    }

    fn triaged(&self, n: u64, alert_id: AlertId, at: Timestamp) -> AlertTriaged {
        let alert = Self::alert(n);
        let hits = self.then.evaluate(&alert);
        let assessment = assess(alert.severity, &hits, Bands::default());
        let accusing = hits.iter().filter(|hit| hit.leaning == Leaning::Malicious);
        let tactics: Vec<_> = accusing.flat_map(|hit| hit.tactics.clone()).collect();
        let facts = CaseFacts::of(&alert, &assessment, &tactics, &|_, _| 7);
        let arrival = Arrival {
            alert_id,
            verdict: assessment.verdict,
            at,
        };
        let incident = IncidentId(Uuid::from_u64_pair(2, n));
        let placed = Incidents::default().place(arrival, incident, facts);
        let mut triaged = AlertTriaged::of(assessment, self.then.digest());
        triaged.placed = (arrival.verdict != Verdict::Benign).then_some(placed);
        triaged
    }

    fn line(&self, seq: u64) -> Result<Line, JournalError> {
        if self.damaged_at == Some(seq) {
            return Err(JournalError::Damaged {
                chain: self.keys.tenant.to_string(),
                seq,
                reason: "the test says so",
            });
        }
        let entry = self.event(seq).entry(said_at(seq));
        let line = json!({
            "seq": seq, "event": entry.event, "event_version": 1, "actor": entry.actor,
            "timestamp_ms": entry.at, "alert_id": entry.alert_id, "payload": entry.payload,
        });
        Ok(Line {
            seq,
            hash: [0; 32],
            bytes: line.to_string().into_bytes(),
        })
    }

    fn evidence(&self, seq: u64) -> Vec<Vec<u8>> {
        let Step::Received(n) = self.step(seq) else {
            return Vec::new();
        };
        if self.gone.contains(&n) {
            return Vec::new();
        }
        let mut plain = Self::plain(n);
        let aad = evidence_aad(&self.keys.tenant, &Digest::of(&plain));
        if self.altered.contains(&n) {
            plain.push(b' ');
        }
        vec![self.keys.data_key.seal(&aad, &plain)]
    }
}

/// Everything that a backtest is run on.
pub(super) struct Ground {
    chains: Arc<Vec<Arc<Made>>>,
    /// By how much the clock moves on with each look.
    pub(super) tick_ms: u64,
}

impl Ground {
    pub(super) fn of<const N: usize>(chains: [Made; N]) -> Self {
        Self {
            chains: Arc::new(chains.into_iter().map(Arc::new).collect()),
            tick_ms: 0,
        }
    }

    pub(super) fn tenants(&self) -> Vec<Arc<TenantKeys>> {
        self.chains
            .iter()
            .map(|made| Arc::clone(&made.keys))
            .collect()
    }

    pub(super) fn present(&self) -> Present {
        let named = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let sources: Vec<_> = builtin().iter().map(named).collect();
        Present {
            journal: Arc::new(Chains(Arc::clone(&self.chains))),
            clock: Arc::new(Ticks(AtomicU64::new(0), self.tick_ms)),
            bands: Bands::default(),
            assets: Assets::parse(&[], &[]).expect("no asset is broken"),
            playbooks: Arc::new(Playbooks::compile(&sources).expect("they are sound")),
        }
    }
}

struct Ticks(AtomicU64, u64);

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.fetch_add(self.1, Ordering::Relaxed))
    }
}

struct Chains(Arc<Vec<Arc<Made>>>);

impl Chains {
    fn named(&self, chain: &str) -> Option<Arc<Made>> {
        let found = self
            .0
            .iter()
            .find(|made| made.keys.tenant.as_str() == chain);
        found.map(Arc::clone)
    }
}

impl Journal for Chains {
    fn open(&self, _: &str) -> Result<Opened, JournalError> {
        Err(JournalError::Closed)
    }

    fn append(&self, _: Append, done: Done) {
        done(Err(AppendError::Fenced));
    }

    fn head(&self, chain: &str) -> Option<Head> {
        let seq = self.named(chain)?.entries().checked_sub(1)?;
        Some(Head { seq, hash: [0; 32] })
    }

    fn read(&self, chain: &str, from: u64, to: Option<u64>) -> Result<Lines, JournalError> {
        let made = self.named(chain).ok_or(JournalError::Closed)?;
        let end = to.map_or(u64::MAX, |to| to + 1).min(made.entries());
        Ok(Box::new((from..end).map(move |seq| made.line(seq))))
    }

    fn verify(&self, _: &str) -> Result<VerifyReport, JournalError> {
        Err(JournalError::Closed)
    }

    fn flush(&self, _: &str) -> Result<(), JournalError> {
        Err(JournalError::Closed)
    }

    fn evidence(&self, chain: &str, seq: u64) -> Result<Vec<Vec<u8>>, JournalError> {
        let made = self.named(chain).ok_or(JournalError::Closed)?;
        Ok(made.evidence(seq))
    }

    fn chains(&self) -> Vec<String> {
        self.0
            .iter()
            .map(|made| made.keys.tenant.to_string())
            .collect()
    }

    fn status(&self) -> Status {
        Status::default()
    }

    fn close(&self) -> Result<(), JournalError> {
        Ok(())
    }
}
