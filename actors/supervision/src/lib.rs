//! Supervised actors on actix: bounded lanes, restarts with generations, a live tree, ordered shutdown.
//!
//! An actor stays an ordinary actix actor with handlers; only its context is [`SupervisedContext`]. It is
//! started by a [`Tree`] from a factory and reached through a [`Handle`] that outlives its restarts.
//!
//! ```
//! use actix::prelude::*;
//! use std::time::Duration;
//! use vyrox_supervision::{Class, Classified, Failure, Spec, SupervisedContext, Tree};
//!
//! struct Divider;
//!
//! impl Actor for Divider {
//!     type Context = SupervisedContext<Self>;
//! }
//!
//! #[derive(Message)]
//! #[rtype(result = "u32")]
//! struct Divide(u32, u32);
//!
//! impl Classified for Divide {
//!     const CLASS: Class = Class::Bulk;
//! }
//!
//! impl Handler<Divide> for Divider {
//!     type Result = u32;
//!
//!     fn handle(&mut self, message: Divide, _: &mut Self::Context) -> u32 {
//!         message.0 / message.1
//!     }
//! }
//!
//! System::new().block_on(async {
//!     vyrox_supervision::install_panic_hook();
//!     let tree = Tree::new(7);
//!     let spec = Spec::new("divider", "divider");
//!     let divider = tree.supervise(spec, &Arbiter::current(), |_generation| Divider);
//!
//!     let second = Duration::from_secs(1);
//!     assert_eq!(divider.ask(Divide(6, 3), second).await, Ok(2));
//!     let crash = divider.ask(Divide(1, 0), second).await;
//!     assert!(matches!(crash, Err(Failure::Crashed { generation: 1, .. })));
//!     assert_eq!(divider.ask(Divide(6, 2), second).await, Ok(3));
//!
//!     let node = tree.find("divider").unwrap();
//!     assert_eq!((node.generation, node.restarts), (2, 1));
//!     assert!(tree.shutdown(second).await.is_clean());
//! });
//! ```
//!
//! # What holds
//!
//! * **A bound is a bound.** Messages wait in three lanes ([`Class`]) that the handle owns, not in actix's
//!   mailbox; no number of cloned handles gets past a lane's capacity, and refusal is typed ([`Reason`]).
//! * **A crash costs one message.** Its asker is told [`Failure::Crashed`]; what was queued stays queued,
//!   in order, for the next generation.
//! * **A generation is one value from the factory.** No timer, future, send or reply of an earlier one has
//!   an effect; [`Fence`] proves the same to the world outside.
//! * **Falls are bounded.** More than [`Policy::intensity`] of them within [`Policy::period`] end the actor
//!   with [`Exit::GaveUp`]: its owner learns it from [`Handle::exited`] and decides what follows.
//! * **A bad message is put away, not its actor.** One that crashed its actor [`Policy::poison_after`]
//!   times is kept as a [`DeadLetter`]; [`Handle::redrive`] gives it another try.
//! * **A stuck thread is lost, its actors are not.** A [`Watchdog`] names the actor and the message that
//!   keep a thread busy, and rebuilds whoever lives there on a spare one ([`Plan`], [`OnStall`]). Calls that
//!   are known to be slow are let be in a [`zone()`].
//! * **No lock is held while user code runs.** [`Tree::snapshot`] answers while an arbiter is stuck.
//!
//! # What to keep in mind
//!
//! * Answer asynchronously with `ResponseActFuture` or `AtomicResponse`. A handler that answers with
//!   `ResponseFuture`, which actix runs outside of the context, cannot be sent to: see [`Contained`].
//! * What a handler starts with `actix::spawn` (or on any other thread or runtime) is no part of its actor:
//!   it runs outside of the fence, goes on after a fall, and no drain waits for it. Start it with
//!   `ctx.spawn`, or have it ask a [`Fence`] before each effect.
//! * A message that is being handled when its actor falls is not handled again. Whoever needs that asks
//!   and asks again.
//! * A panic in a `Drop` while another panic unwinds aborts the process; no layer can contain it. So
//!   acknowledge only what is durable, and an abort loses nothing that was acknowledged.
//! * `panic = "abort"` takes all of this away: the crate does not compile with it.
//!
//! # Features
//!
//! * `faults`: `Tree::inject` orders panics, blocks, stops and errors for an actor by its id. Only for
//!   tests and trial builds; without it not even the hooks are there.
//! * `testing`: the module `testing`, with a paused clock and storms of faults that a seed repeats.

#[cfg(panic = "abort")]
compile_error!("supervision needs panics that unwind: leave `panic` at its default");

mod answer;
mod lane;
mod outcome;
mod spec;

mod handle;
mod mailbox;
mod parcel;

mod context;
mod pump;
mod timer;

mod core;
mod fall;
mod fence;
mod latency;
mod life;
mod panics;
mod poison;
mod restart_policy;
mod strategy;
mod supervisor;
mod supervisors;

mod child;
mod dead_letters;
mod node;
mod registry;
mod shutdown;
mod tree;

mod desk;
mod watchdog;
mod zone;

mod clock;
mod faults;
mod lock;
mod shared;
#[cfg(feature = "testing")]
pub mod testing;
mod witness;

pub use answer::{Contained, Serves};
pub use context::{Supervised, SupervisedContext};
#[cfg(feature = "faults")]
pub use faults::{Fault, UnknownFault};
pub use fence::Fence;
pub use handle::Handle;
pub use lane::{Class, Classified, Lane, Overflow};
pub use node::{Crash, Mailbox, Node, State};
pub use outcome::{Exit, Failure, Reason, Rejected, Stop};
pub use panics::{install_panic_hook, withhold_panic_texts};
pub use parcel::Ask;
pub use poison::{DeadLetter, RedriveError};
pub use shutdown::{ChildReport, ShutdownReport};
pub use spec::{Backoff, Group, Policy, Restart, Spec, Strategy};
pub use supervisors::GroupHandle;
pub use timer::TimerKey;
pub use tree::Tree;
pub use watchdog::threads::{Stalls, ThreadNode};
pub use watchdog::{OnStall, Plan, Stall, StallKind, Watchdog};
pub use zone::{Zone, zone};

/// Keeps the example of the README honest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
