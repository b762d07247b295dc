//! Erasing evidence: found, written down, and only when that is durable given to the journal. One order
//! at a time. An order that a fall or a crash left on the chain alone goes to the journal at the next load.

use std::sync::Arc;

use actix::{ActorFutureExt as _, AsyncContext as _, Handler, WrapFuture as _};
use tokio::{sync::oneshot, task::spawn_blocking};
use vyrox_domain::{
    protocol::{ActionTop, Command, ErasureCause, EvidenceErased, SeqRun},
    tenant::TenantState,
    time::Timestamp,
};
use vyrox_journal::Erased;
use vyrox_supervision::SupervisedContext;

use super::{Machine, tell_failure};
use crate::{
    erasing::{Found, carry_out, of_age, of_alert, of_all},
    messages::{EraseAll, EraseEvidence, ErasedEvidence, ListOpenActs, NotErased, SweepEvidence},
};

type Reply = oneshot::Sender<Result<ErasedEvidence, NotErased>>;

impl Handler<EraseEvidence> for Machine {
    type Result = ();

    fn handle(&mut self, message: EraseEvidence, ctx: &mut Self::Context) {
        self.idle_sweeps = 0;
        let EraseEvidence {
            alert_id,
            shared,
            reason,
            by,
            reply,
        } = message;
        if self.erasing {
            reply.send(Err(NotErased::Busy)).ok();
            return;
        }
        self.erasing = true;
        let (world, tenant) = (Arc::clone(&self.parts.world), self.name().clone());
        let find = spawn_blocking(move || of_alert(&world, &tenant, alert_id));
        let go_on = find.into_actor(self).map(move |found, machine, ctx| {
            let found = found.unwrap_or_else(|error| Err(error.to_string()));
            if let Ok(Some(found)) = &found
                && found.erased
            {
                return machine.ask_again(found.entries.clone(), reply, ctx);
            }
            match permitted(found, shared) {
                Ok(found) => {
                    let order = order(found, ErasureCause::Erasure, Some(reason), by);
                    machine.erase(order, Some(reply), ctx);
                }
                Err(why) => machine.not_erased(Some(reply), why),
            }
        });
        ctx.spawn(go_on);
    }
}

impl Handler<EraseAll> for Machine {
    type Result = ();

    fn handle(&mut self, message: EraseAll, ctx: &mut Self::Context) {
        let EraseAll { reason, by, reply } = message;
        if self.erasing {
            reply.send(Err(NotErased::Busy)).ok();
            return;
        }
        self.erasing = true;
        let (world, tenant) = (Arc::clone(&self.parts.world), self.name().clone());
        let find = spawn_blocking(move || of_all(&world, &tenant));
        let go_on = find.into_actor(self).map(move |found, machine, ctx| {
            match found.unwrap_or_else(|error| Err(error.to_string())) {
                Ok(Some(found)) => {
                    let order = order(found, ErasureCause::Removal, Some(reason), by);
                    machine.erase(order, Some(reply), ctx);
                }
                Ok(None) => machine.not_erased(Some(reply), NotErased::Gone),
                Err(why) => machine.not_erased(Some(reply), NotErased::Unreadable(why)),
            }
        });
        ctx.spawn(go_on);
    }
}

impl Handler<ListOpenActs> for Machine {
    type Result = ();

    fn handle(&mut self, ListOpenActs { reply }: ListOpenActs, _: &mut Self::Context) {
        let Some(taker) = &self.taker else { return };
        let acts = taker.state.acts.iter();
        let open = acts.filter(|(_, act)| act.is_unsettled() || act.is_effective());
        let named = open.map(|(id, act)| (id, ActionTop::of(&act.manifest).host));
        reply.send(named.collect()).ok();
    }
}

impl Handler<SweepEvidence> for Machine {
    type Result = ();

    fn handle(&mut self, _: SweepEvidence, ctx: &mut Self::Context) {
        let world = Arc::clone(&self.parts.world);
        let (Some(taker), Some(kept_ms)) = (&self.taker, world.limits.retention_ms) else {
            return;
        };
        if self.erasing {
            return;
        }
        let older_than = Timestamp::from_ms(world.now().ms().saturating_sub(kept_ms));
        let (from, stop) = (taker.state.retained_from, first_in_use(&taker.state));
        self.erasing = true;
        let tenant = self.name().clone();
        let find = spawn_blocking(move || of_age(&world, &tenant, (from, stop), older_than));
        let go_on = find.into_actor(self).map(move |found, machine, ctx| {
            match found.unwrap_or_else(|error| Err(error.to_string())) {
                Ok(Some(found)) => {
                    let order = order(found, ErasureCause::Retention, None, "system".into());
                    machine.erase(order, None, ctx);
                }
                Ok(None) => machine.erasing = false,
                Err(why) => machine.not_erased(None, NotErased::Unreadable(why)),
            }
        });
        ctx.spawn(go_on);
    }
}

impl Machine {
    /// Writes the order down, then has the journal carry it out.
    fn erase(
        &mut self,
        order: EvidenceErased,
        reply: Option<Reply>,
        ctx: &mut SupervisedContext<Self>,
    ) {
        let Some(taker) = &self.taker else {
            self.erasing = false;
            return;
        };
        let events = match taker.decide(Command::EraseEvidence(order.clone())) {
            Ok(events) => events,
            Err(refusal) => return self.not_erased(reply, NotErased::Refused(refusal)),
        };
        let (machine, epoch) = (ctx.handle(), taker.epoch);
        let (tell, told) = oneshot::channel();
        self.commit(&events, Vec::new(), move |durable, _| {
            if let Err(error) = &durable {
                tell_failure(&machine, epoch, error.clone());
            }
            tell.send(durable).ok();
        });
        let erase = self.in_journal(order.entries.clone());
        let done = async move {
            match told.await {
                Ok(Ok(())) => erase.await.map_err(NotErased::NotComplete),
                Ok(Err(error)) => Err(NotErased::NotDurable(error)),
                Err(_fallen) => Err(NotErased::NotComplete("the journal gave no answer".into())),
            }
        };
        let finish = done
            .into_actor(self)
            .map(move |done, machine, ctx| match done {
                Ok(erased) => machine.erased(reply, order, erased, ctx),
                Err(why) => machine.not_erased(reply, why),
            });
        ctx.spawn(finish);
    }

    /// Has the journal carry on with what it has begun already, and says whether that is through.
    fn ask_again(&mut self, entries: Vec<SeqRun>, reply: Reply, ctx: &mut SupervisedContext<Self>) {
        let erase = self.in_journal(entries);
        let finish = erase.into_actor(self).map(|done, machine, _| {
            let why = done.map_or_else(NotErased::NotComplete, |_| NotErased::Gone);
            machine.not_erased(Some(reply), why);
        });
        ctx.spawn(finish);
    }

    /// Gives an order to the journal that the chain has and the journal may not: a crash lies in between.
    pub(super) fn complete_erasure(&mut self, ctx: &mut SupervisedContext<Self>) {
        self.erasing = false;
        let Some(entries) = self.taker.as_ref().map(|taker| taker.state.erasing.clone()) else {
            return;
        };
        if entries.is_empty() {
            return;
        }
        self.erasing = true;
        let erase = self.in_journal(entries);
        let finish = erase.into_actor(self).map(|done, machine, _| {
            machine.erasing = false;
            if let Err(error) = done {
                tracing::error!(tenant = %machine.name(), error, "an erasure is not complete");
            }
        });
        ctx.spawn(finish);
    }

    fn in_journal(
        &self,
        entries: Vec<SeqRun>,
    ) -> impl Future<Output = Result<Erased, String>> + use<> {
        let (world, tenant) = (Arc::clone(&self.parts.world), self.name().clone());
        let taker = self.taker.as_ref();
        let stood_in = taker.is_some_and(|taker| !taker.state.mending.stood_in.is_empty());
        let carry_out = move || carry_out(&world, &tenant, &entries, stood_in);
        async move {
            let carried_out = spawn_blocking(carry_out).await;
            carried_out.map_err(|error| error.to_string())?
        }
    }

    fn erased(
        &mut self,
        reply: Option<Reply>,
        order: EvidenceErased,
        erased: Erased,
        ctx: &SupervisedContext<Self>,
    ) {
        self.erasing = false;
        tracing::info!(tenant = %self.name(), entries = erased.entries, "evidence was erased");
        let Some(reply) = reply else {
            // One order takes a bounded number of entries; there may be more that is due.
            ctx.handle().try_cast(SweepEvidence).ok();
            return;
        };
        let answer = ErasedEvidence {
            alerts: order.alerts,
            bytes: order.bytes,
            copies: erased.copies,
        };
        reply.send(Ok(answer)).ok();
    }

    fn not_erased(&mut self, reply: Option<Reply>, why: NotErased) {
        self.erasing = false;
        if let Some(reply) = reply {
            reply.send(Err(why)).ok();
        } else {
            tracing::warn!(tenant = %self.name(), ?why, "evidence was not let go");
        }
    }
}

fn order(found: Found, cause: ErasureCause, reason: Option<String>, by: String) -> EvidenceErased {
    EvidenceErased {
        cause,
        alerts: found.alerts,
        entries: found.entries,
        kinds: found.kinds,
        bytes: found.bytes,
        reason,
        by,
    }
}

fn permitted(found: Result<Option<Found>, String>, shared: bool) -> Result<Found, NotErased> {
    let found = found.map_err(NotErased::Unreadable)?;
    let found = found.ok_or(NotErased::UnknownAlert)?;
    if found.erased {
        return Err(NotErased::Gone);
    }
    if found.alerts.len() > 1 && !shared {
        return Err(NotErased::Shared(found.alerts));
    }
    Ok(found)
}

/// The first entry whose evidence somebody still judges by.
fn first_in_use(state: &TenantState) -> u64 {
    let open = state.untriaged.values().chain(state.in_review.values());
    open.copied().min().unwrap_or(state.next_seq)
}
