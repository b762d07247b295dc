//! Stage 1 of one tenant: the rules in force, spoken over one alert at a time.

use std::sync::Arc;

use actix::{Actor, Handler};
use vyrox_domain::{
    protocol::AlertTriaged,
    triage::{Leaning, assess},
};
use vyrox_supervision::SupervisedContext;

use crate::{
    messages::{Assess, RecordVerdict},
    ports::World,
};

/// The actor.
pub struct TriageEngine {
    world: Arc<World>,
}

impl TriageEngine {
    /// Stage 1 for one tenant.
    pub fn new(world: Arc<World>) -> Self {
        Self { world }
    }
}

impl Actor for TriageEngine {
    type Context = SupervisedContext<Self>;
}

impl Handler<Assess> for TriageEngine {
    type Result = ();

    fn handle(&mut self, message: Assess, _: &mut Self::Context) {
        let Assess {
            alert_id,
            alert,
            machine,
        } = message;
        let rules = self.world.rules.load();
        let hits = rules.evaluate(&alert);
        let assessment = assess(alert.severity, &hits, self.world.limits.bands);
        let suspicious = hits
            .into_iter()
            .filter(|hit| hit.leaning == Leaning::Malicious);
        let verdict = RecordVerdict {
            alert_id,
            triaged: AlertTriaged::of(assessment, rules.digest()),
            tactics: suspicious.flat_map(|hit| hit.tactics).collect(),
            alert,
        };
        // If there is no room, the machine finds out that an answer was lost and asks again.
        machine.try_cast(verdict).ok();
    }
}
