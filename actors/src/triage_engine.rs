//! Stage 1 of one tenant: the rules in force, spoken over one alert at a time.

use std::sync::Arc;

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Handler, WrapFuture as _};
use vyrox_domain::{
    alert::Alert,
    digest::Digest,
    entry::Recorded,
    protocol::{AlertTriaged, Event, EvidenceKind, Undecided},
    triage::assess,
};
use vyrox_supervision::SupervisedContext;

use crate::{
    faults,
    intake::evidence_aad,
    keyring::TenantKeys,
    messages::{Assess, RecordVerdict},
    ports::World,
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

    fn speak(&self, message: &Assess, alert: &Alert) {
        let rules = self.world.rules.load();
        let hits = rules.evaluate(alert);
        let assessment = assess(alert.severity, &hits, self.world.limits.bands);
        answer(
            message,
            AlertTriaged {
                assessment,
                rules_sha256: rules.digest(),
            },
        );
    }
}

fn answer(message: &Assess, triaged: AlertTriaged) {
    let verdict = RecordVerdict {
        alert_id: message.alert_id,
        triaged,
    };
    // If there is no room, the machine's sweep asks again.
    message.machine.try_cast(verdict).ok();
}

impl Actor for TriageEngine {
    type Context = SupervisedContext<Self>;
}

impl Handler<Assess> for TriageEngine {
    type Result = ();

    fn handle(&mut self, message: Assess, ctx: &mut Self::Context) {
        faults::strike("triage_engine", &self.keys.tenant, faults::Place::Message);
        if let Some(alert) = &message.alert {
            self.speak(&message, alert);
            return;
        }
        let (world, keys, seq) = (Arc::clone(&self.world), Arc::clone(&self.keys), message.seq);
        let read = tokio::task::spawn_blocking(move || read_alert(&world, &keys, seq));
        let then = read
            .into_actor(self)
            .map(move |alert, engine, _ctx| match alert {
                Ok(Ok(alert)) => engine.speak(&message, &alert),
                Ok(Err(error)) => engine.without_evidence(&message, &error),
                Err(error) => engine.without_evidence(&message, &error.to_string()),
            });
        ctx.spawn(then);
    }
}

impl TriageEngine {
    /// The evidence is gone (expired, erased, damaged): a person has to look, nothing is closed.
    fn without_evidence(&self, message: &Assess, error: &str) {
        let (tenant, alert_id) = (&self.keys.tenant, message.alert_id);
        tracing::warn!(%tenant, %alert_id, error, "no evidence to triage by");
        let rules = self.world.rules.load().digest();
        answer(
            message,
            AlertTriaged::undecided(Undecided::EvidenceUnavailable, rules),
        );
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
