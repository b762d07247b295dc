//! `GET /metrics`: everything that can be counted, in one registry, written in one place.
//!
//! The edge counts what passes through it; everything else is read where it lies when somebody asks:
//! the journal, the gates, the supervision tree. `docs/metrics.md` says what each one means.

mod exposition;
mod family;
mod ledger;
mod polling;
mod tenants;
mod tree;
mod watch;

use std::{sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, http::header};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family as Counted},
    registry::{Registry, Unit},
};
use vyrox_actors::{
    integrity::Findings, journal::Status, messages::Accepted, notary::WitnessesView, ports::World,
    supervision::Tree as ActorTree,
};
use vyrox_domain::{ids::TenantId, webhook::Verification};

use self::{
    exposition::Format,
    family::{Family, Look, Readings, level},
    polling::Polls,
    tenants::Labels,
    tree::Tree,
    watch::{LETTERS, Letters, WATCH, Watch},
};
use super::{
    Shared,
    admission::{Admission, Usage},
    health::may_look,
    problem::{Answer, Code, Problem},
};

/// `GET /metrics`: Prometheus text, or OpenMetrics for whoever prefers it.
pub(super) async fn scrape(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    may_look(&request, &edge)?;
    let format = Format::wanted_by(&request);
    let text = format
        .write(&edge.metrics.registry)
        .map_err(|_never| Problem::new(Code::Internal))?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, format.content_type()))
        .insert_header((header::VARY, "accept"))
        .body(text))
}

/// The registry, and what is counted at the edge.
pub(crate) struct Metrics {
    registry: Registry,
    labels: Arc<Labels>,
    alerts: Counted<Outcome, Counter>,
    macs: Counter,
    mac_bytes: Counter,
    refused: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    tenant: Arc<str>,
    outcome: &'static str,
}

impl Metrics {
    /// Counters at zero, and readings of what is given. A part that comes to count something of its
    /// own adds its readings here.
    pub(crate) fn new(world: Arc<World>, tree: ActorTree, admission: Arc<Admission>) -> Self {
        let labels = Arc::new(Labels::default());
        let mut metrics = Self {
            registry: Registry::with_prefix("vyrox"),
            labels: Arc::clone(&labels),
            alerts: Counted::default(),
            macs: Counter::default(),
            mac_bytes: Counter::default(),
            refused: Counter::default(),
        };
        metrics.register_own();
        let polls = Polls::of(Arc::clone(&world), Arc::clone(&labels));
        let integrity = Arc::clone(&world.integrity);
        let (asked, clock) = (Arc::clone(&integrity), Arc::clone(&world.clock));
        let witnesses = move || (asked.witnesses(), clock.now().ms());
        let witnesses = Readings::new(witnesses, WITNESSES);
        let integrity = Readings::new(move || integrity.findings(), INTEGRITY);
        let journal = Readings::new(move || world.journal.status(), JOURNAL);
        let gates = Readings::new(move || admission.usage(), GATES);
        let (watched, lettered) = (tree.clone(), tree.clone());
        let watch = Readings::new(move || Watch::over(&watched), WATCH);
        let letters = Readings::new(move || Letters::of(&lettered), LETTERS);
        let actors = Tree::new(move || tree.snapshot(), labels);
        metrics.registry.register_collector(Box::new(integrity));
        metrics.registry.register_collector(Box::new(witnesses));
        metrics.registry.register_collector(Box::new(journal));
        metrics.registry.register_collector(Box::new(gates));
        metrics.registry.register_collector(Box::new(watch));
        metrics.registry.register_collector(Box::new(letters));
        metrics.registry.register_collector(Box::new(actors));
        metrics.registry.register_collector(Box::new(polls));
        metrics
    }

    fn register_own(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "alerts",
            "Alerts by tenant and outcome",
            self.alerts.clone(),
        );
        registry.register(
            "webhook_macs",
            "HMACs computed to verify webhooks",
            self.macs.clone(),
        );
        registry.register_with_unit(
            "webhook_mac",
            "Bytes that went into HMACs to verify webhooks",
            Unit::Bytes,
            self.mac_bytes.clone(),
        );
        registry.register(
            "webhook_signatures_refused",
            "Webhooks whose sender did not prove itself",
            self.refused.clone(),
        );
    }

    pub(super) fn verified(&self, verification: &Verification<'_>) {
        self.macs.inc_by(u64::from(verification.macs));
        self.mac_bytes.inc_by(verification.hashed_bytes);
        if verification.outcome.is_err() {
            self.refused.inc();
        }
    }

    pub(super) fn accepted(&self, tenant: &TenantId, accepted: &[Accepted]) {
        let repeats = accepted.iter().filter(|one| one.duplicate).count();
        let fresh = accepted.len().saturating_sub(repeats);
        self.count(tenant, "accepted", fresh);
        self.count(tenant, "duplicate", repeats);
    }

    pub(super) fn rejected(&self, tenant: &TenantId) {
        self.count(tenant, "rejected", 1);
    }

    pub(super) fn over_quota(&self, tenant: &TenantId) {
        self.count(tenant, "over_quota", 1);
    }

    pub(super) fn quarantined(&self, tenant: &TenantId) {
        self.count(tenant, "quarantined", 1);
    }

    fn count(&self, tenant: &TenantId, outcome: &'static str, by: usize) {
        if by > 0 {
            let tenant = self.labels.of(tenant.as_str());
            let labels = Outcome { tenant, outcome };
            self.alerts.get_or_create(&labels).inc_by(level(by));
        }
    }
}

const JOURNAL: &[Family<Status>] = &[
    Family {
        name: "journal_batches",
        help: "Batches made durable.",
        look: Look::Counter(|status| status.batches),
    },
    Family {
        name: "journal_entries",
        help: "Entries made durable.",
        look: Look::Counter(|status| status.entries),
    },
    Family {
        name: "journal_fsyncs",
        help: "Syncs of the log.",
        look: Look::Counter(|status| status.fsyncs),
    },
    Family {
        name: "journal_queue_depth",
        help: "Entries waiting for the writer.",
        look: Look::Gauge(|status| status.queue_depth),
    },
    Family {
        name: "journal_segments",
        help: "Live log segments.",
        look: Look::Gauge(|status| status.segments),
    },
    Family {
        name: "journal_checkpoints_failing",
        help: "Chains whose last checkpoint failed.",
        look: Look::Gauge(|status| status.checkpoint_failures),
    },
    Family {
        name: "journal_bytes_scrubbed",
        help: "Bytes of the chains' files that were read again.",
        look: Look::Counter(|status| status.scrubbed.bytes),
    },
    Family {
        name: "journal_scrub_rounds",
        help: "How often all of the chains' files were read again.",
        look: Look::Counter(|status| status.scrubbed.rounds),
    },
    Family {
        name: "journal_files_damaged",
        help: "Files of chains in which bytes turned bad at rest.",
        look: Look::Gauge(|status| level(status.scrubbed.faults.len())),
    },
    Family {
        name: "journal_chains_quarantined",
        help: "Chains that are held since this start because their files could not be written.",
        look: Look::Gauge(|status| level(status.quarantined.len())),
    },
    Family {
        name: "journal_disk_scarce",
        help: "1 while less of the disk is free than is kept for what is under way.",
        look: Look::Gauge(|status| status.disk_scarce.into()),
    },
    Family {
        name: "journal_poisoned",
        help: "1 once the journal failed.",
        look: Look::Gauge(|status| status.poisoned.is_some().into()),
    },
];

const INTEGRITY: &[Family<Arc<Findings>>] = &[
    Family {
        name: "audit_chains_failed",
        help: "Chains that are not what was signed of them.",
        look: Look::Gauge(|findings| level(findings.chains.len())),
    },
    Family {
        name: "audit_integrity_failed",
        help: "1 while containment is refused for all tenants.",
        look: Look::Gauge(|findings| findings.host.is_some().into()),
    },
];

const WITNESSES: &[Family<(Arc<WitnessesView>, u64)>] = &[
    Family {
        name: "audit_witnesses",
        help: "Witnesses of the log that are asked.",
        look: Look::Gauge(|(view, _)| level(view.witnesses.len())),
    },
    Family {
        name: "audit_witnesses_failing",
        help: "Witnesses that gave no word for the log when they were last asked.",
        look: Look::Gauge(|(view, _)| level(view.failing())),
    },
    Family {
        name: "audit_cosignature_age",
        help: "How old the newest word of a witness is; how long they are asked, if none came.",
        look: Look::Seconds(|(view, now)| view.age_ms(*now).map(Duration::from_millis)),
    },
];

const GATES: &[Family<Usage>] = &[
    Family {
        name: "requests_in_flight",
        help: "Requests in hand.",
        look: Look::Gauge(|usage| level(usage.in_flight)),
    },
    Family {
        name: "rations_tracked",
        help: "Sources, tenants and tokens whose rate is tracked one by one.",
        look: Look::Gauge(|usage| level(usage.tracked)),
    },
];
