//! Stage 1 of one tenant: the rules in force, spoken over one alert at a time.

use std::sync::Arc;

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Handler, WrapFuture as _};
use vyrox_domain::{
    alert::Alert,
    digest::Digest,
    entry::Recorded,
    ids::AlertId,
    protocol::{AlertTriaged, Event, EvidenceKind, Undecided},
    triage::assess,
};
use vyrox_supervision::{Handle, SupervisedContext};

use crate::{
    faults,
    intake::evidence_aad,
    keyring::TenantKeys,
    messages::{Assess, AssessOwed, RecordVerdict},
    ports::World,
    tenant::Machine,
};

/// The actor.
pub struct TriageEngine {
    world: Arc<World>,
    keys: Arc<TenantKeys>,
}

impl TriageEngine {
    /// Stage 1 for this tenant.
    pub fn new(world: Arc<World>, keys: Arc<TenantKeys>) -> Self {
        Self { world, keys }
    }

    fn speak(&self, machine: &Handle<Machine>, alert_id: AlertId, alert: &Alert) {
        let rules = self.world.rules.load();
        let hits = rules.evaluate(alert);
        let assessment = assess(alert.severity, &hits, self.world.limits.bands);
        let rules_sha256 = rules.digest();
        answer(
            machine,
            alert_id,
            AlertTriaged {
                assessment,
                rules_sha256,
            },
        );
    }

    /// The evidence is gone (expired, erased, damaged): a person has to look, nothing is closed.
    fn without_evidence(&self, machine: &Handle<Machine>, alert_id: AlertId, error: &str) {
        tracing::warn!(tenant = %self.keys.tenant, %alert_id, error, "no evidence to triage by");
        let rules = self.world.rules.load().digest();
        let triaged = AlertTriaged::undecided(Undecided::EvidenceUnavailable, rules);
        answer(machine, alert_id, triaged);
    }
}

fn answer(machine: &Handle<Machine>, alert_id: AlertId, triaged: AlertTriaged) {
    // If there is no room, the machine finds out that an answer was lost and asks again.
    machine.try_cast(RecordVerdict { alert_id, triaged }).ok();
}

impl Actor for TriageEngine {
    type Context = SupervisedContext<Self>;
}

impl Handler<Assess> for TriageEngine {
    type Result = ();

    fn handle(&mut self, message: Assess, _: &mut Self::Context) {
        faults::strike("triage_engine", &self.keys.tenant, faults::Place::Message);
        self.speak(&message.machine, message.alert_id, &message.alert);
    }
}

impl Handler<AssessOwed> for TriageEngine {
    type Result = ();

    /// One job for all of them, and nothing else meanwhile: however much is owed, the engine takes
    /// one thread and its neighbours' turns come round.
    fn handle(&mut self, message: AssessOwed, ctx: &mut Self::Context) {
        let (world, keys) = (Arc::clone(&self.world), Arc::clone(&self.keys));
        let AssessOwed { cases, machine } = message;
        let read = tokio::task::spawn_blocking(move || {
            let read = |(alert_id, seq)| (alert_id, read_alert(&world, &keys, seq));
            cases.into_iter().map(read).collect::<Vec<_>>()
        });
        let speak = read.into_actor(self).map(move |read, engine, ctx| {
            // Lost alerts are asked about again, one by one.
            let Ok(read) = read else {
                ctx.fail("the reading of evidence fell")
            };
            for (alert_id, alert) in read {
                faults::strike("triage_engine", &engine.keys.tenant, faults::Place::Message);
                match alert {
                    Ok(alert) => engine.speak(&machine, alert_id, &alert),
                    Err(error) => engine.without_evidence(&machine, alert_id, &error),
                }
            }
        });
        ctx.wait(speak);
    }
}

/// Reads an alert's normal form back from the sealed evidence, held against the chain's digest.
///
/// # Errors
/// A text that says what is missing or does not match.
pub fn read_alert(world: &World, keys: &TenantKeys, seq: u64) -> Result<Alert, String> {
    let chain = keys.tenant.as_str();
    let mut lines = world
        .journal
        .read(chain, seq, Some(seq))
        .map_err(|error| error.to_string())?;
    let line = lines
        .next()
        .ok_or("the entry is missing")?
        .map_err(|error| error.to_string())?;
    let recorded = Recorded::parse(&line.bytes).map_err(|error| error.to_string())?;
    let event = Event::from_recorded(&recorded).map_err(|error| error.to_string())?;
    let Event::AlertReceived { received, .. } = event else {
        return Err(format!("entry {seq} is no alert"));
    };
    let (index, piece) = received
        .evidence
        .iter()
        .enumerate()
        .find(|(_, piece)| piece.kind == EvidenceKind::Alert)
        .ok_or("the entry names no normal form")?;
    let sha256 = piece.sha256;
    let attachments = world
        .journal
        .evidence(chain, seq)
        .map_err(|error| error.to_string())?;
    let sealed = attachments.get(index).ok_or("the evidence is missing")?;
    let plain = keys
        .data_key
        .open(&evidence_aad(&keys.tenant, &sha256), sealed)
        .map_err(|error| error.to_string())?;
    if Digest::of(&plain) != sha256 {
        return Err("the evidence does not match the chain".into());
    }
    serde_json::from_slice(&plain).map_err(|error| error.to_string())
}
