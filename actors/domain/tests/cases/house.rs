//! A tenant whose every step is also read back from its own chain.

use uuid::Uuid;
use vyrox_domain::{
    action::{ActionType, Draft, OnExpiry},
    alert::{Alert, Severity},
    attack::Tactic,
    digest::Digest,
    entry::Recorded,
    ids::{ActionId, AlertId, IncidentId, PersonId},
    incident::{CaseFacts, Link, LinkKind, Window},
    notice::{MessageRef, Notice},
    protocol::{
        AlertReceived, AlertTriaged, Case, Command, Decide, Event, Evidence, EvidenceKind, Known,
        NotDecided, NotifySent, PolicySaid, ReceiveAlert, RecordReview, RecordVerdict, Refusal,
        Ruling, Terms, Told, Verb, Via,
    },
    review::{Failure, ReviewOutcome, ReviewedBy},
    tenant::{Proposed, Quota, TenantState, apply, decide, replay},
    time::Timestamp,
    triage::{Assessment, Band, Verdict},
    vendor::Vendor,
};

use crate::line::line;

pub(crate) const MINUTE_MS: u64 = 60_000;
pub(crate) const APPROVAL_MS: u64 = 15 * MINUTE_MS;
const T0: Timestamp = Timestamp::from_ms(1_768_473_000_000);

pub(crate) fn alert_id(n: u64) -> AlertId {
    AlertId(Uuid::from_u64_pair(1, n))
}

pub(crate) fn incident_id(n: u64) -> IncidentId {
    IncidentId(Uuid::from_u64_pair(2, n))
}

/// The n-th proposal of an alert.
pub(crate) fn action_id(alert: u64, n: u64) -> ActionId {
    ActionId(Uuid::from_u64_pair(3, alert * 8 + n))
}

pub(crate) fn person(name: &str) -> PersonId {
    name.parse().expect("a person's id")
}

/// A message in chat.
pub(crate) fn message(n: u64) -> MessageRef {
    MessageRef {
        channel_id: "100".into(),
        message_id: n.to_string(),
    }
}

pub(crate) fn evidence(kind: EvidenceKind, length: u64) -> Evidence {
    Evidence {
        kind,
        sha256: Digest::of(b"evidence"),
        length,
        at_seq: None,
    }
}

pub(crate) fn said() -> PolicySaid {
    PolicySaid {
        policy_sha256: Digest::of(b"policies"),
        policies: vec!["analysts-approve".into()],
    }
}

pub(crate) fn suffices() -> Ruling {
    Ruling::Suffices {
        policy: said(),
        jws: Some("head.body.signature".into()),
    }
}

/// Isolation of a machine.
pub(crate) fn isolate(machine: u64) -> Draft {
    Draft {
        action_type: ActionType::HostIsolation,
        target_urn: format!("urn:edr:crowdstrike:{machine:032x}"),
        parameters: std::collections::BTreeMap::new(),
        on_expiry: OnExpiry::Ask,
        hold_minutes: 240,
        playbook: "contain_ransomware".into(),
        playbook_sha256: Digest::of(b"playbook"),
        protected: None,
    }
}

/// One alert to be judged.
#[derive(Clone, Debug)]
pub(crate) struct Alarm {
    pub(crate) n: u64,
    pub(crate) verdict: Verdict,
    pub(crate) band: Band,
    pub(crate) machine: Option<u64>,
    pub(crate) account: Option<u64>,
    pub(crate) tactic: Option<Tactic>,
    pub(crate) drafts: Vec<Draft>,
    pub(crate) daily_calls: Option<u32>,
}

/// An alert on machine `machine` that the rules judged.
pub(crate) fn alarm(n: u64, verdict: Verdict, machine: u64) -> Alarm {
    Alarm {
        n,
        verdict,
        band: match verdict {
            Verdict::Critical | Verdict::High => Band::Classified,
            Verdict::Medium => Band::Stage2,
            Verdict::Low | Verdict::Benign => Band::Closed,
        },
        machine: Some(machine),
        account: None,
        tactic: None,
        drafts: Vec::new(),
        daily_calls: None,
    }
}

impl Alarm {
    pub(crate) fn proposing(self, drafts: impl IntoIterator<Item = Draft>) -> Self {
        Self {
            drafts: drafts.into_iter().collect(),
            ..self
        }
    }

    /// Another machine or account of the same alert.
    pub(crate) fn also(self, account: u64) -> Self {
        Self {
            account: Some(account),
            ..self
        }
    }

    fn links(&self) -> Vec<Link> {
        let link = |kind, key| Link { kind, key };
        let machine = self.machine.map(|key| link(LinkKind::Host, key));
        let account = self.account.map(|key| link(LinkKind::User, key));
        machine.into_iter().chain(account).collect()
    }

    pub(crate) fn case(&self) -> Case {
        let drafts = self.drafts.iter().cloned().zip(0..);
        Case {
            facts: CaseFacts {
                vendor: Vendor::Crowdstrike,
                host: self.machine.map(|machine| format!("ws-{machine}")),
                device_id: None,
                links: self.links(),
                tactics: self.tactic.into_iter().collect(),
                techniques: Vec::new(),
                reasons: vec!["A rule".into()],
            },
            enriched: None,
            incident_id: incident_id(self.n),
            drafts: drafts
                .map(|(draft, at)| (action_id(self.n, at), draft))
                .collect(),
            terms: Terms {
                tenant_id: "acme".parse().expect("a tenant id"),
                approval_ms: APPROVAL_MS,
                dry_run: false,
                policy_sha256: Digest::of(b"policies"),
            },
        }
    }

    pub(crate) fn judged(&self) -> Command {
        let assessment = Assessment {
            verdict: self.verdict,
            confidence_bp: 9_000,
            score_bp: 9_000,
            band: self.band,
            reasons: Vec::new(),
        };
        Command::RecordVerdict(Box::new(RecordVerdict {
            alert_id: alert_id(self.n),
            triaged: AlertTriaged::of(assessment, Digest::of(b"rules")),
            daily_calls: self.daily_calls,
            case: self.case(),
        }))
    }

    pub(crate) fn reviewed(&self, verdict: Verdict, failure: Option<Failure>) -> Command {
        Command::RecordReview(Box::new(RecordReview {
            alert_id: alert_id(self.n),
            outcome: ReviewOutcome {
                verdict,
                confidence_bp: 5_000,
                by: failure.map_or(ReviewedBy::Model, |_| ReviewedBy::Fallback),
                failure,
            },
            model: Some("a-model".into()),
            case: self.case(),
        }))
    }
}

pub(crate) fn received(n: u64) -> Command {
    let alert = Alert {
        severity: Severity::Low,
        ..Alert::bare(Vendor::Crowdstrike, format!("ldt:{n}"))
    };
    Command::ReceiveAlert(Box::new(ReceiveAlert {
        alert_id: alert_id(n),
        received: AlertReceived::of(&alert, vec![evidence(EvidenceKind::Raw, 64)]),
        known: Known::New,
        quota: Quota::default(),
    }))
}

/// An approval by a person's own token; tests change what matters to them.
pub(crate) fn approve(alert: u64, name: &str) -> Decide {
    Decide {
        alert_id: alert_id(alert),
        shown: None,
        verb: Verb::Approve,
        person: Some(person(name)),
        via: Via::Token {
            token_id: "t1".into(),
        },
        barred: None,
        reason: None,
        incident_id: None,
        earlier: Vec::new(),
        ruling: suffices(),
    }
}

pub(crate) fn deny(alert: u64, name: &str) -> Decide {
    Decide {
        verb: Verb::Deny,
        reason: Some(evidence(EvidenceKind::Reason, 12)),
        ..approve(alert, name)
    }
}

/// A tenant, and the same tenant as its chain tells it.
pub(crate) struct Tenant {
    pub(crate) state: TenantState,
    pub(crate) now: Timestamp,
    pub(crate) chain: Vec<Vec<u8>>,
    read_back: TenantState,
}

impl Default for Tenant {
    fn default() -> Self {
        Self {
            state: TenantState::default(),
            now: T0,
            chain: Vec::new(),
            read_back: TenantState::default(),
        }
    }
}

impl Tenant {
    /// Decides, writes, applies, and holds the outcome against what the lines say.
    pub(crate) fn run(&mut self, command: Command) -> Result<Vec<Event>, Refusal> {
        let events = decide(&self.state, command, self.now)?;
        for event in &events {
            self.record(event);
        }
        assert_eq!(self.read_back, self.state, "the chain tells another state");
        Ok(events)
    }

    /// Writes an event down that no command leads to yet.
    pub(crate) fn record(&mut self, event: &Event) {
        let line = line(&event.entry(self.now), self.state.next_seq, "acme");
        let line = line.to_string().into_bytes();
        let recorded = Recorded::parse(&line).expect("a line");
        assert_eq!(replay(&mut self.read_back, &recorded).as_ref(), Ok(event));
        apply(&mut self.state, event, self.now);
        self.chain.push(line);
    }

    pub(crate) fn wait(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
    }

    /// Takes an alert in and judges it; the names of what followed from the verdict.
    pub(crate) fn take(&mut self, alarm: &Alarm) -> Vec<&'static str> {
        self.run(received(alarm.n)).expect("taken in");
        let events = self.run(alarm.judged()).expect("judged");
        names(&events)
    }

    /// Whoever said yes before still may.
    pub(crate) fn decide(&mut self, mut decide: Decide) -> Event {
        let shown = decide.shown.as_deref();
        if let Ok(named) = self.state.proposals.named(decide.alert_id, shown) {
            decide.earlier = named.approvers().to_vec();
        }
        let mut events = self
            .run(Command::Decide(Box::new(decide)))
            .expect("written down");
        assert_eq!(events.len(), 1);
        events.remove(0)
    }

    /// Why a decision did not count.
    pub(crate) fn refused(&mut self, decide: Decide) -> NotDecided {
        match self.decide(decide) {
            Event::ApprovalRefused(refused) => refused.why,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn tick(&mut self) -> Result<Vec<&'static str>, Refusal> {
        self.run(Command::Tick(Window::default()))
            .map(|events| names(&events))
    }

    pub(crate) fn proposed(&self, id: ActionId) -> &Proposed {
        self.state.proposals.get(id).expect("a proposal")
    }

    pub(crate) fn notice(&self, incident: u64) -> Option<Notice> {
        let tenant = "acme".parse().expect("a tenant id");
        self.state.notice(&tenant, incident_id(incident))
    }

    /// Incidents of which people have not seen the newest.
    pub(crate) fn behind(&self) -> Vec<IncidentId> {
        let all = self.state.telling.iter();
        all.filter(|(_, told)| told.is_behind())
            .map(|(id, _)| id)
            .collect()
    }

    /// Chat shows the newest of an incident.
    pub(crate) fn show(&mut self, incident: u64, at: MessageRef) -> Result<Vec<Event>, Refusal> {
        let (incident_id, notice) = (incident_id(incident), self.notice(incident));
        let notice = notice.expect("something to show");
        self.run(Command::RecordTelling(Told::Sent(NotifySent {
            incident_id,
            revision: notice.revision,
            level: notice.level,
            message: at,
            shown: Vec::new(),
            quietly: false,
        })))
    }
}

pub(crate) fn names(events: &[Event]) -> Vec<&'static str> {
    let at = Timestamp::from_ms(0);
    events.iter().map(|event| event.entry(at).event).collect()
}
