//! Moments that something was promised for. Every promise stands in the chain of whoever made it,
//! so this actor keeps them in memory alone: after a restart they are made again.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc, time::Duration};

use actix::{Actor, Handler, Message};
use vyrox_supervision::{Class, Classified, Handle, SupervisedContext, TimerKey};

use crate::{
    ports::World,
    registry::{Registry, Retire},
};

/// The clock may be set while we wait, so no wait is longer than this.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// At that moment, tell the registry.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Promise {
    /// When, in milliseconds since the epoch.
    pub at_ms: u64,
    /// Whom to tell.
    pub registry: Handle<Registry>,
    /// What.
    pub retire: Retire,
}

impl Classified for Promise {
    const CLASS: Class = Class::Control;
}

/// The actor.
pub struct Deadlines {
    world: Arc<World>,
    due: BinaryHeap<Reverse<(u64, u64)>>,
    promises: std::collections::HashMap<u64, Promise>,
    next_id: u64,
    timer: Option<TimerKey>,
}

impl Deadlines {
    /// No promises yet.
    pub fn new(world: Arc<World>) -> Self {
        Self {
            world,
            due: BinaryHeap::new(),
            promises: std::collections::HashMap::new(),
            next_id: 0,
            timer: None,
        }
    }

    fn keep(&mut self, ctx: &mut SupervisedContext<Self>) {
        let now = self.world.now().ms();
        while let Some(Reverse((at_ms, id))) = self.due.peek().copied() {
            if at_ms > now {
                break;
            }
            self.due.pop();
            let Some(promise) = self.promises.remove(&id) else {
                continue;
            };
            if promise.registry.try_cast(promise.retire.clone()).is_err() {
                // Not lost: tried again at the next look.
                self.due.push(Reverse((now.saturating_add(1000), id)));
                self.promises.insert(id, promise);
            }
        }
        if let Some(timer) = self.timer.take() {
            ctx.cancel(timer);
        }
        if let Some(Reverse((at_ms, _))) = self.due.peek() {
            let wait = Duration::from_millis(at_ms.saturating_sub(now)).min(LOOK_AGAIN);
            self.timer = Some(ctx.after(wait, Self::keep));
        }
    }
}

impl Actor for Deadlines {
    type Context = SupervisedContext<Self>;
}

impl Handler<Promise> for Deadlines {
    type Result = ();

    fn handle(&mut self, promise: Promise, ctx: &mut Self::Context) {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        self.due.push(Reverse((promise.at_ms, id)));
        self.promises.insert(id, promise);
        self.keep(ctx);
    }
}
