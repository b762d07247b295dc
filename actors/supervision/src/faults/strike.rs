//! The hooks by which ordered faults strike.

use crate::context::{Supervised, SupervisedContext};
use crate::core::Core;
use crate::faults::orders::{Fault, Orders, Place};
use crate::lock::lock;
use actix::ActorContext;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The faults ordered in a tree.
#[derive(Default)]
pub(crate) struct Faults {
    orders: Mutex<Orders>,
    /// Orders in there: without any, a message costs one look at this.
    waiting: AtomicUsize,
}

impl Faults {
    pub(crate) fn order(&self, id: &str, fault: Fault, times: u32) {
        let mut orders = lock(&self.orders);
        orders.add(id, fault, times);
        self.waiting.store(orders.len(), Ordering::Release);
    }

    fn take(&self, id: &str, place: Place) -> Option<Fault> {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut orders = lock(&self.orders);
        let fault = orders.take(id, place);
        self.waiting.store(orders.len(), Ordering::Release);
        fault
    }
}

/// A generation is about to be started; instead, it may be struck.
pub(crate) fn before_started<A: Supervised>(core: &Core<A>, generation: u64) {
    core.settings.witness.began(&core.id, generation);
    let struck = struck(core, Place::Started).is_some();
    assert!(!struck, "injected panic");
}

/// Gives the message in hand to its handler, or to the fault that was ordered.
#[expect(
    clippy::panic,
    clippy::disallowed_methods,
    reason = "these are the faults"
)]
pub(crate) fn around<A: Supervised>(
    ctx: &mut SupervisedContext<A>,
    handle: impl FnOnce(&mut SupervisedContext<A>),
) {
    match struck(ctx.core(), Place::Message) {
        None => handle(ctx),
        Some(Fault::Panic | Fault::PanicInStarted) => panic!("injected panic"),
        Some(Fault::BlockMs(ms)) => {
            std::thread::sleep(Duration::from_millis(ms));
            handle(ctx);
        }
        Some(Fault::Stop) => {
            handle(ctx);
            ctx.stop();
        }
        Some(Fault::Error) => ctx.fail("injected error"),
    }
}

fn struck<A: Supervised>(core: &Core<A>, place: Place) -> Option<Fault> {
    let fault = core.settings.faults.take(&core.id, place)?;
    core.settings.witness.struck(&core.id, fault);
    Some(fault)
}
