//! Prometheus metrics. The first 200 tenants have labels of their own, the others share `other`.

use std::{
    collections::HashSet,
    fmt::Write as _,
    sync::{Mutex, PoisonError},
};

use actix_web::{HttpRequest, HttpResponse, http::header};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use vyrox_actors::{messages::Accepted, supervision::Node};
use vyrox_domain::{ids::TenantId, webhook::Verification};

use super::{
    Shared,
    health::may_look,
    problem::{Answer, Code, Problem},
};

/// Tenants with a label of their own.
const TENANTS_MAX: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    tenant: String,
    outcome: &'static str,
}

/// What is counted at the edge; the rest is read from where it is when somebody asks.
pub(crate) struct Metrics {
    registry: Registry,
    alerts: Family<Outcome, Counter>,
    macs: Counter,
    mac_bytes: Counter,
    refused: Counter,
    labelled: Mutex<HashSet<String>>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("vyrox");
        let (alerts, macs) = (Family::default(), Counter::default());
        let (mac_bytes, refused) = (Counter::default(), Counter::default());
        registry.register("alerts", "Alerts by tenant and outcome", alerts.clone());
        registry.register(
            "webhook_macs",
            "HMACs computed to verify webhooks",
            macs.clone(),
        );
        registry.register(
            "webhook_mac_bytes",
            "Bytes that went into HMACs to verify webhooks",
            mac_bytes.clone(),
        );
        registry.register(
            "webhook_signatures_refused",
            "Webhooks whose sender did not prove itself",
            refused.clone(),
        );
        Self {
            registry,
            alerts,
            macs,
            mac_bytes,
            refused,
            labelled: Mutex::default(),
        }
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

    fn count(&self, tenant: &TenantId, outcome: &'static str, by: usize) {
        if by > 0 {
            let labels = Outcome {
                tenant: self.label(tenant),
                outcome,
            };
            self.alerts.get_or_create(&labels).inc_by(by as u64);
        }
    }

    fn label(&self, tenant: &TenantId) -> String {
        let mut labelled = self.labelled.lock().unwrap_or_else(PoisonError::into_inner);
        let known = labelled.contains(tenant.as_str());
        if known || labelled.len() < TENANTS_MAX {
            if !known {
                labelled.insert(tenant.to_string());
            }
            return tenant.to_string();
        }
        "other".into()
    }
}

/// `GET /metrics`: Prometheus text, or OpenMetrics for whoever asks for it.
pub(super) async fn scrape(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    may_look(&request, &edge)?;
    let failed = |_never| Problem::new(Code::Internal);
    let mut text = String::new();
    encode(&mut text, &edge.metrics.registry).map_err(failed)?;
    // The end mark belongs after what follows.
    let mut text = text.trim_end().trim_end_matches("# EOF").to_owned();
    journal(&mut text, &edge).map_err(failed)?;
    tree(&mut text, &edge.tree.snapshot()).map_err(failed)?;
    let accept = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let open = accept.is_some_and(|accept| accept.contains("application/openmetrics-text"));
    let kind = if open {
        text.push_str("# EOF\n");
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    } else {
        "text/plain; version=0.0.4; charset=utf-8"
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, kind))
        .body(text))
}

fn journal(text: &mut String, edge: &super::Edge) -> std::fmt::Result {
    let status = edge.world.journal.status();
    let usage = edge.admission.usage();
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    counter(
        text,
        "journal_batches",
        "Batches made durable",
        status.batches,
    )?;
    counter(
        text,
        "journal_entries",
        "Entries made durable",
        status.entries,
    )?;
    counter(text, "journal_fsyncs", "Syncs of the log", status.fsyncs)?;
    gauge(
        text,
        "journal_queue_depth",
        "Entries waiting for the writer",
        status.queue_depth,
    )?;
    gauge(
        text,
        "journal_segments",
        "Live log segments",
        status.segments,
    )?;
    gauge(
        text,
        "journal_poisoned",
        "1 once the journal failed",
        status.poisoned.is_some().into(),
    )?;
    gauge(
        text,
        "requests_in_flight",
        "Requests in hand",
        number(usage.in_flight),
    )
}

fn tree(text: &mut String, root: &Node) -> std::fmt::Result {
    let mut sums = Sums::default();
    sums.add(root);
    gauge(text, "actors", "Actors in the tree", sums.actors)?;
    counter(
        text,
        "actor_messages_handled",
        "Messages handled by all actors",
        sums.handled,
    )?;
    counter(
        text,
        "actor_restarts",
        "Restarts of all actors",
        sums.restarts,
    )?;
    counter(
        text,
        "actor_messages_rejected",
        "Messages that found no room",
        sums.rejected,
    )?;
    gauge(
        text,
        "actor_mailbox_depth",
        "Messages waiting for all actors",
        sums.depth,
    )
}

#[derive(Default)]
struct Sums {
    actors: u64,
    handled: u64,
    restarts: u64,
    rejected: u64,
    depth: u64,
}

impl Sums {
    fn add(&mut self, node: &Node) {
        self.actors += 1;
        self.handled += node.handled;
        self.restarts += node.restarts;
        self.rejected += node.mailbox.rejected;
        self.depth += node.mailbox.depth as u64;
        node.children.iter().for_each(|child| self.add(child));
    }
}

fn counter(text: &mut String, name: &str, help: &str, value: u64) -> std::fmt::Result {
    writeln!(
        text,
        "# HELP vyrox_{name} {help}.\n# TYPE vyrox_{name} counter\nvyrox_{name}_total {value}"
    )
}

fn gauge(text: &mut String, name: &str, help: &str, value: u64) -> std::fmt::Result {
    writeln!(
        text,
        "# HELP vyrox_{name} {help}.\n# TYPE vyrox_{name} gauge\nvyrox_{name} {value}"
    )
}
