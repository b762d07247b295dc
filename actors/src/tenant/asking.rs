//! Asking stage 1 about what it owes, and what to do when no answer can be had.

use std::sync::Arc;

use actix::{ActorFutureExt as _, AsyncContext as _, Handler, WrapFuture as _};
use vyrox_domain::{
    alert::Alert,
    ids::AlertId,
    protocol::{AlertTriaged, Undecided},
};
use vyrox_supervision::SupervisedContext;

use super::{Machine, cases::Judged, kept::read_all, owed::Case};
use crate::messages::{Assess, LeaveToPeople};

impl Machine {
    /// Asks stage 1 about the next alerts whose evidence has to be read, if it has answered the last.
    /// One job for all of them: however much is owed, a tenant takes one thread.
    pub(super) fn ask_next(&mut self, ctx: &mut SupervisedContext<Self>) {
        let cases = self.owed.next();
        if cases.is_empty() {
            return;
        }
        let parts = Arc::clone(&self.parts);
        let read = tokio::task::spawn_blocking(move || read_all(&parts.world, &parts.keys, cases));
        let ask = read.into_actor(self).map(|read, machine, ctx| {
            // It is cancelled only where the whole process ends.
            for (case, alert) in read.unwrap_or_default() {
                machine.ask(case, alert, ctx);
            }
            machine.ask_next(ctx);
        });
        ctx.spawn(ask);
    }

    /// A question of its own for each alert, so that a fall of stage 1 is put down to that one alone.
    fn ask(&mut self, case: Case, alert: Result<Alert, String>, ctx: &mut SupervisedContext<Self>) {
        let (alert_id, _) = case;
        if !self.owed.sent(alert_id) {
            return; // answered meanwhile
        }
        let alert = match alert {
            Ok(alert) => Arc::new(alert),
            Err(error) => {
                tracing::warn!(tenant = %self.name(), %alert_id, error, "no evidence to triage by");
                return self.leave_to_people(alert_id, Undecided::EvidenceUnavailable, ctx);
            }
        };
        let machine = ctx.handle();
        let question = Assess {
            alert_id,
            alert,
            machine,
        };
        if self.parts.triage.try_cast(question).is_err() {
            self.owed.refused(case);
        }
    }

    /// Nothing is closed that nobody has judged.
    pub(super) fn leave_to_people(
        &mut self,
        alert_id: AlertId,
        why: Undecided,
        ctx: &mut SupervisedContext<Self>,
    ) {
        tracing::error!(tenant = %self.name(), %alert_id, ?why, "left to people");
        self.owed.answered(alert_id);
        let rules = self.parts.world.rules.load().digest();
        let triaged = AlertTriaged::undecided(why, rules);
        self.judged(Judged::without_evidence(alert_id, triaged), ctx);
    }
}

impl Handler<LeaveToPeople> for Machine {
    type Result = ();

    fn handle(&mut self, LeaveToPeople { alert_id }: LeaveToPeople, ctx: &mut Self::Context) {
        self.leave_to_people(alert_id, Undecided::Stage1Unavailable, ctx);
        self.ask_next(ctx);
    }
}
