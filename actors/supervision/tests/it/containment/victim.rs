//! An actor that panics wherever it is told to.

use actix::fut;
use actix::prelude::*;
use futures_util::stream;
use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vyrox_supervision::{Class, Classified, SupervisedContext};

/// Where an actor can panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Handler,
    FirstStarted,
    RestartedStarted,
    Factory,
    Stopping,
    Stopped,
    Interval,
    RunLater,
    StreamItem,
    Future,
    Response,
    AtomicResponse,
    MessageDrop,
}

impl Place {
    /// All but its first start.
    pub(super) const OF_A_LIVING_ACTOR: [Self; 12] = [
        Self::Handler,
        Self::RestartedStarted,
        Self::Factory,
        Self::Stopping,
        Self::Stopped,
        Self::Interval,
        Self::RunLater,
        Self::StreamItem,
        Self::Future,
        Self::Response,
        Self::AtomicResponse,
        Self::MessageDrop,
    ];

    /// Generations that end: where a restart has to be led to first, there is a panic in a handler, too.
    pub(super) const fn falls(self) -> u64 {
        match self {
            Self::RestartedStarted | Self::Factory => 2,
            _ => 1,
        }
    }
}

static PANICS: Mutex<BTreeMap<Place, u64>> = Mutex::new(BTreeMap::new());

/// Panics so far at that place.
pub(super) fn panics(place: Place) -> u64 {
    PANICS.lock().unwrap().get(&place).copied().unwrap_or(0)
}

fn panic_at(place: Place) -> ! {
    *PANICS.lock().unwrap().entry(place).or_default() += 1;
    panic!("injected at {place:?}")
}

/// The place where the next panic is to be, for those that no message reaches.
#[derive(Clone, Default)]
pub(super) struct Trap(Arc<Mutex<Option<Place>>>);

impl Trap {
    pub(super) fn set(&self, place: Place) {
        *self.0.lock().unwrap() = Some(place);
    }

    /// Panics if this is the place, once.
    pub(super) fn spring(&self, here: Place) {
        let sprung = self.0.lock().unwrap().take_if(|place| *place == here);
        if let Some(place) = sprung {
            panic_at(place);
        }
    }
}

pub(super) struct Victim {
    pub(super) generation: u64,
    pub(super) trap: Trap,
}

impl Actor for Victim {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.trap.spring(Place::FirstStarted);
        self.trap.spring(Place::RestartedStarted);
    }

    fn stopping(&mut self, _: &mut Self::Context) -> Running {
        self.trap.spring(Place::Stopping);
        Running::Stop
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.trap.spring(Place::Stopped);
    }
}

/// Answers with the generation.
pub(super) struct Ping;
/// Is never answered.
pub(super) struct Hang;
/// Leads to a panic at that place.
pub(super) struct Trip(pub(super) Place);
/// Its `ResponseActFuture` panics.
pub(super) struct Respond;
/// Its `AtomicResponse` panics.
pub(super) struct RespondAlone;
/// Panics when it is dropped, unless something else did already.
pub(super) struct Fragile;

macro_rules! message {
    ($name:ident => $result:ty) => {
        impl Message for $name {
            type Result = $result;
        }
        impl Classified for $name {
            const CLASS: Class = Class::Bulk;
        }
    };
}
message!(Ping => u64);
message!(Hang => ());
message!(Trip => ());
message!(Respond => ());
message!(RespondAlone => ());
message!(Fragile => ());

impl Handler<Ping> for Victim {
    type Result = u64;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> u64 {
        self.generation
    }
}

impl Handler<Hang> for Victim {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Hang, _: &mut Self::Context) -> Self::Result {
        Box::pin(pending().into_actor(self))
    }
}

impl Handler<Trip> for Victim {
    type Result = ();

    fn handle(&mut self, Trip(place): Trip, ctx: &mut Self::Context) {
        let soon = Duration::from_millis(1);
        match place {
            Place::RestartedStarted | Place::Factory => {
                self.trap.set(place);
                panic!("on the way to {place:?}");
            }
            Place::Stopping | Place::Stopped => {
                self.trap.set(place);
                ctx.stop();
            }
            Place::Interval => {
                ctx.run_interval(soon, |_, _| panic_at(Place::Interval));
            }
            Place::RunLater => {
                ctx.run_later(soon, |_, _| panic_at(Place::RunLater));
            }
            Place::StreamItem => {
                Self::add_stream(stream::iter([Item]), ctx);
            }
            Place::Future => {
                ctx.spawn(async { panic_at(Place::Future) }.into_actor(self));
            }
            _ => panic_at(place),
        }
    }
}

struct Item;

impl StreamHandler<Item> for Victim {
    fn handle(&mut self, _: Item, _: &mut Self::Context) {
        panic_at(Place::StreamItem);
    }
}

impl Handler<Respond> for Victim {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Respond, _: &mut Self::Context) -> Self::Result {
        Box::pin(async { panic_at(Place::Response) }.into_actor(self))
    }
}

impl Handler<RespondAlone> for Victim {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: RespondAlone, _: &mut Self::Context) -> Self::Result {
        let ready = fut::wrap_future(async {});
        AtomicResponse::new(Box::pin(
            ready.map(|(), _, _| panic_at(Place::AtomicResponse)),
        ))
    }
}

impl Handler<Fragile> for Victim {
    type Result = ();

    fn handle(&mut self, _: Fragile, _: &mut Self::Context) {}
}

impl Drop for Fragile {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic_at(Place::MessageDrop);
        }
    }
}
