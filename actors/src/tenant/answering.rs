//! What the machine tells of its incidents. A question is answered once everything that the answer
//! rests on is durable.

use std::{sync::Arc, time::Duration};

use actix::{AsyncContext as _, Handler, Message, WrapFuture as _};
use tokio::sync::oneshot;
use vyrox_domain::{ids::IncidentId, notice::Notice};
use vyrox_supervision::{Class, Classified};

use super::Machine;

/// The most incidents in one answer.
const LISTED_MAX: usize = 200;
/// How long an answer waits for what it rests on to be durable.
const PATIENCE: Duration = Duration::from_secs(8);

/// Which incidents are open, the last ones first? Or one of them, open or just closed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ListIncidents {
    /// This one alone.
    pub only: Option<IncidentId>,
    /// At most so many.
    pub limit: usize,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Vec<Notice>>,
}

impl Classified for ListIncidents {
    const CLASS: Class = Class::Containment;
}

impl Handler<ListIncidents> for Machine {
    type Result = ();

    fn handle(&mut self, message: ListIncidents, ctx: &mut Self::Context) {
        let ListIncidents { only, limit, reply } = message;
        let Some(taker) = &self.taker else { return };
        let (state, name) = (&taker.state, self.name());
        let limit = limit.min(LISTED_MAX);
        let notices: Vec<Notice> = if let Some(id) = only {
            let notice = state.notice(name, state.incidents.resolve(id));
            notice.into_iter().collect()
        } else {
            let known = state.telling.iter().rev();
            let shown = known.filter_map(|(id, _)| state.notice(name, id));
            shown.take(limit).collect()
        };
        let Some(last) = state.next_seq.checked_sub(1) else {
            reply.send(notices).ok();
            return;
        };
        let (world, chain) = (Arc::clone(&self.parts.world), name.shared());
        if world.journal.head(&chain).map(|head| head.seq) >= Some(last) {
            reply.send(notices).ok();
            return;
        }
        // What is in the projections is durable. Should the disk fail meanwhile, there is no answer.
        let answer = async move {
            let durable = world.progress.reached(&chain, last);
            if tokio::time::timeout(PATIENCE, durable).await.is_ok() {
                reply.send(notices).ok();
            }
        };
        ctx.spawn(answer.into_actor(self));
    }
}
