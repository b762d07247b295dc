//! A tenant whose every step is also read back from its own chain.

use std::collections::BTreeMap;

use uuid::Uuid;
use vyrox_domain::{
    action::{ActionManifest, ActionType, MANIFEST_VERSION, OnExpiry, Release},
    containment::{
        Act, ActOrdered, ActReport, Begin, ClaimMade, ClockJumped, ContainmentLimits, Gate, Manner,
        Order, OutcomeKind, Redrive, TimersReleased,
    },
    digest::Digest,
    entry::Recorded,
    ids::{ActionId, AlertId, IncidentId},
    incident::Window,
    protocol::{
        About, ActionTop, ApprovalGranted, ApprovalRequested, Command, Decided, Event, PolicySaid,
        Refusal, Via,
    },
    tenant::{TenantState, apply, decide, replay},
    time::Timestamp,
    triage::Verdict,
    vendor::Vendor,
};

use crate::line::line;

pub(crate) const T0: Timestamp = Timestamp::from_ms(1_768_473_000_000);
pub(crate) const MINUTE_MS: u64 = 60_000;
pub(crate) const HOUR_MS: u64 = 60 * MINUTE_MS;
pub(crate) const CLAIM_MS: u64 = 10 * MINUTE_MS;
/// How long the containments of these tests hold.
pub(crate) const HOLD_MS: u64 = 4 * HOUR_MS;

pub(crate) const LIMITS: ContainmentLimits = ContainmentLimits {
    per_hour: 5,
    per_day: 12,
    concurrent: 3,
    contained_hosts: 4,
    protected_hosts: 1,
    claim_ms: CLAIM_MS,
};

pub(crate) const OPEN: Gate = Gate {
    halted: false,
    unproven: false,
    manner: Manner::Live,
    limits: LIMITS,
};

pub(crate) fn action_id(n: u64) -> ActionId {
    ActionId(Uuid::from_u64_pair(3, n))
}

/// Isolation of a machine.
pub(crate) fn isolate(n: u64, machine: u64) -> ActionManifest {
    ActionManifest {
        manifest_version: MANIFEST_VERSION,
        action_id: action_id(n),
        tenant_id: "acme".parse().expect("a tenant id"),
        alert_id: AlertId(Uuid::from_u64_pair(1, n)),
        incident_id: IncidentId(Uuid::from_u64_pair(2, machine)),
        vendor: Vendor::Crowdstrike,
        action_type: ActionType::HostIsolation,
        target_urn: format!("urn:edr:crowdstrike:{machine:032x}"),
        host: Some(format!("ws-{machine}")),
        parameters: BTreeMap::new(),
        dry_run: false,
        on_expiry: OnExpiry::Ask,
        hold_minutes: 240,
        playbook: "contain_ransomware".into(),
        playbook_sha256: Digest::of(b"playbook"),
        policy_sha256: Digest::of(b"policies"),
        protected: None,
        proposed_by: "service:triage".into(),
        proposed_at_ms: T0,
        expires_at_ms: T0.plus_ms(100 * 24 * HOUR_MS),
        release: None,
    }
}

/// A file that no machine may run.
pub(crate) fn block(n: u64, file: u64) -> ActionManifest {
    ActionManifest {
        action_type: ActionType::HashBlock,
        parameters: BTreeMap::from([("sha256".into(), format!("{file:064x}"))]),
        hold_minutes: 0,
        ..isolate(n, n)
    }
}

/// The undoing of another action.
pub(crate) fn undo(n: u64, other: &ActionManifest) -> ActionManifest {
    ActionManifest {
        action_id: action_id(n),
        release: Some(Release {
            of: Some(other.action_id),
        }),
        ..other.clone()
    }
}

pub(crate) fn claim(request: &str, body: &str) -> ClaimMade {
    ClaimMade {
        request_id: request.into(),
        rollback: false,
        body_sha256: Digest::of(body.as_bytes()),
    }
}

pub(crate) fn said() -> PolicySaid {
    PolicySaid {
        policy_sha256: Digest::of(b"policies"),
        policies: vec!["compat".into()],
    }
}

/// An order as its tests change it.
pub(crate) fn order(manifest: ActionManifest, by: &str) -> Order {
    Order {
        ordered: ActOrdered {
            manifest_sha256: manifest.digest().expect("a digest"),
            manifest,
            jws: "head.body.signature".into(),
            by: by.into(),
            policy: said(),
            claim: None,
        },
        flaw: None,
        gate: OPEN,
    }
}

/// What an adapter says of a drive.
pub(crate) fn report(action_id: ActionId, drive: u32, outcome: OutcomeKind) -> ActReport {
    ActReport {
        action_id,
        drive,
        outcome,
        observed: None,
        reference: None,
        status: Some(202),
        why: None,
        sent: u32::from(outcome != OutcomeKind::AlreadySo),
        reconciled: false,
    }
}

/// A tenant, and the same tenant as its chain tells it.
pub(crate) struct House {
    pub(crate) state: TenantState,
    pub(crate) now: Timestamp,
    read_back: TenantState,
}

impl Default for House {
    fn default() -> Self {
        Self {
            state: TenantState::default(),
            now: T0,
            read_back: TenantState::default(),
        }
    }
}

impl House {
    /// Decides, writes, applies, and holds the outcome against what the lines say.
    pub(crate) fn run(&mut self, command: Command) -> Result<Vec<Event>, Refusal> {
        let events = decide(&self.state, command, self.now)?;
        for event in &events {
            self.record(event);
        }
        assert_eq!(self.read_back, self.state, "the chain tells another state");
        Ok(events)
    }

    pub(crate) fn record(&mut self, event: &Event) {
        let line = line(&event.entry(self.now), self.state.next_seq, "acme");
        let line = line.to_string().into_bytes();
        let recorded = Recorded::parse(&line).expect("a line");
        assert_eq!(replay(&mut self.read_back, &recorded).as_ref(), Ok(event));
        apply(&mut self.state, event, self.now);
    }

    /// The names of the entries that a command leads to.
    pub(crate) fn names(&mut self, command: Command) -> Result<Vec<&'static str>, Refusal> {
        let events = self.run(command)?;
        Ok(events.iter().map(|one| one.entry(T0).event).collect())
    }

    pub(crate) fn order(&mut self, order: Order) -> Result<Vec<&'static str>, Refusal> {
        self.names(Command::Order(Box::new(order)))
    }

    /// An order that passes every gate.
    pub(crate) fn begun(&mut self, manifest: &ActionManifest) {
        let names = self.order(order(manifest.clone(), "person:ada"));
        assert_eq!(names, Ok(vec!["action.ordered", "action.intent"]));
    }

    pub(crate) fn report(
        &mut self,
        n: u64,
        outcome: OutcomeKind,
    ) -> Result<Vec<&'static str>, Refusal> {
        let drive = self.act(n).drives;
        let report = report(action_id(n), drive, outcome);
        self.names(Command::RecordAct(Box::new(report)))
    }

    /// Begun and seen to have happened.
    pub(crate) fn in_force(&mut self, manifest: &ActionManifest) {
        self.begun(manifest);
        let id = manifest.action_id;
        let executed = report(id, 1, OutcomeKind::Executed);
        let names = self.names(Command::RecordAct(Box::new(executed)));
        assert_eq!(names, Ok(vec!["action.executed"]));
    }

    /// People approve a proposal; nothing is begun yet.
    pub(crate) fn approve(&mut self, manifest: &ActionManifest) {
        let digest = manifest.digest().expect("a digest");
        self.record(&Event::ApprovalRequested(Box::new(ApprovalRequested {
            manifest: manifest.clone(),
            manifest_sha256: digest,
            verdict: Verdict::Critical,
        })));
        let facts = ApprovalGranted {
            about: About {
                action_id: manifest.action_id,
                manifest_sha256: digest,
            },
            approvers: vec!["ada".parse().expect("a person's id")],
            via: Via::Token {
                token_id: "t1".into(),
            },
            policy: said(),
            break_glass: None,
            jws: "head.body.signature".into(),
        };
        self.record(&Event::ApprovalGranted(Decided {
            alert_id: manifest.alert_id,
            action: ActionTop {
                approved_by: Some("person:ada".into()),
                ..ActionTop::of(manifest)
            },
            facts,
        }));
    }

    pub(crate) fn begin(&mut self, n: u64, gate: Gate) -> Result<Vec<&'static str>, Refusal> {
        self.names(Command::Begin(Box::new(Begin {
            action_id: action_id(n),
            flaw: None,
            gate,
        })))
    }

    pub(crate) fn redrive(&mut self, n: u64, gate: Gate) -> Result<Vec<&'static str>, Refusal> {
        self.names(Command::Redrive(Box::new(Redrive {
            action_id: action_id(n),
            by: "person:bo".into(),
            flaw: None,
            gate,
        })))
    }

    pub(crate) fn tick(&mut self) -> Result<Vec<&'static str>, Refusal> {
        self.names(Command::Tick(Window::default()))
    }

    pub(crate) fn drift(&mut self, n: u64) -> Result<Vec<&'static str>, Refusal> {
        self.names(Command::NoteDrift {
            action_id: action_id(n),
            observed: "normal".into(),
            back: false,
        })
    }

    /// It reads in force again.
    pub(crate) fn back(&mut self, n: u64) -> Result<Vec<&'static str>, Refusal> {
        self.names(Command::NoteDrift {
            action_id: action_id(n),
            observed: "contained".into(),
            back: true,
        })
    }

    /// The clock is set, and that is noted.
    pub(crate) fn jump(&mut self, to: Timestamp) -> Result<Vec<&'static str>, Refusal> {
        let expected_ms = self.now;
        self.now = to;
        self.names(Command::NoteClock(ClockJumped {
            found_ms: to,
            expected_ms,
        }))
    }

    /// A person lets timers run again.
    pub(crate) fn release_timers(&mut self) -> Result<Vec<&'static str>, Refusal> {
        self.names(Command::ReleaseTimers(TimersReleased {
            by: "person:ada".into(),
        }))
    }

    /// The machine falls, and goes on from its snapshot.
    pub(crate) fn restart(&mut self) {
        let kept = serde_json::to_vec(&self.state).expect("JSON");
        let state: TenantState = serde_json::from_slice(&kept).expect("a state");
        assert_eq!(state, self.state);
        self.state = state;
    }

    pub(crate) fn wait(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
    }

    pub(crate) fn act(&self, n: u64) -> &Act {
        self.state.acts.get(action_id(n)).expect("an action")
    }
}

/// Limits of which callers may use these.
pub(crate) fn whose_share_is(limits: ContainmentLimits) -> ContainmentLimits {
    let whole = ContainmentLimits {
        per_hour: limits.per_hour * 4 / 3,
        per_day: limits.per_day * 4 / 3,
        concurrent: limits.concurrent * 4 / 3,
        contained_hosts: limits.contained_hosts * 4 / 3,
        protected_hosts: limits.protected_hosts * 4 / 3,
        ..limits
    };
    assert_eq!(whole.callers_share(), limits);
    whole
}
