//! Stage 1 of one tenant: the rules in force, spoken over one alert at a time.

use std::sync::Arc;

use actix::{Actor, Handler};
use vyrox_domain::{protocol::AlertTriaged, triage::assess};
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
        let triaged = AlertTriaged {
            assessment: assess(alert.severity, &hits, self.world.limits.bands),
            rules_sha256: rules.digest(),
        };
        // If there is no room, the machine finds out that an answer was lost and asks again.
        machine.try_cast(RecordVerdict { alert_id, triaged }).ok();
    }
}
