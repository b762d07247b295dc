//! The hooks by which ordered faults strike, and by which a harness sees actors begin and end.

use crate::context::{Supervised, SupervisedContext};
use crate::faults::orders::{Fault, Orders, Place};
use crate::lock::lock;
use crate::outcome::Exit;
use crate::spec::Spec;
use actix::ActorContext;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// A time slice that no poll outlives.
const NO_SLICE: Duration = Duration::from_hours(24);

/// What a harness is told, with the actor's id.
pub(crate) enum Happening {
    /// The value of this generation is there; `started` comes next.
    Began(u64),
    Struck(Fault),
    Ended(Exit),
}

type Witness = Box<dyn Fn(&str, Happening) + Send + Sync>;

/// The faults ordered in a tree.
#[derive(Default)]
pub(crate) struct Faults {
    orders: Mutex<Orders>,
    /// Orders in there: without any, a message costs one look at this.
    waiting: AtomicUsize,
    witness: OnceLock<Witness>,
}

impl Faults {
    pub(crate) fn order(&self, id: &str, fault: Fault, times: u32) {
        let mut orders = lock(&self.orders);
        orders.add(id, fault, times);
        self.waiting.store(orders.len(), Ordering::Release);
    }

    /// Puts the tree into a harness's hands: the first witness stays, and from now on no actor that is
    /// started ends its turn because real time has passed.
    #[cfg(feature = "testing")]
    pub(crate) fn watched_by(&self, witness: impl Fn(&str, Happening) + Send + Sync + 'static) {
        self.witness.get_or_init(|| Box::new(witness));
    }

    /// The spec as the harness, if there is one, wants it.
    pub(crate) fn attuned(&self, mut spec: Spec) -> Spec {
        if self.witness.get().is_some() {
            spec.policy.slice = NO_SLICE;
        }
        spec
    }

    /// A generation is about to be started; instead, it may be struck.
    pub(crate) fn begins(&self, id: &str, generation: u64) {
        self.tell(id, Happening::Began(generation));
        let spared = self.take(id, Place::Started).is_none();
        assert!(spared, "injected panic");
    }

    pub(crate) fn ended(&self, id: &str, exit: Exit) {
        self.tell(id, Happening::Ended(exit));
    }

    fn take(&self, id: &str, place: Place) -> Option<Fault> {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return None;
        }
        let fault = {
            let mut orders = lock(&self.orders);
            let fault = orders.take(id, place);
            self.waiting.store(orders.len(), Ordering::Release);
            fault?
        };
        self.tell(id, Happening::Struck(fault));
        Some(fault)
    }

    fn tell(&self, id: &str, what: Happening) {
        if let Some(witness) = self.witness.get() {
            witness(id, what);
        }
    }
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
    let core = ctx.core();
    match core.settings.faults.take(&core.id, Place::Message) {
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
