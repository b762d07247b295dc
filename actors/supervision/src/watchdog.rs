//! Sees what no arbiter can see: that an arbiter is stuck.
//!
//! * **What is looked at.** Each thread on which actors live has a desk that shows which actor is being
//!   polled there, and since when; launches that no thread has taken yet are kept in a list. A look goes
//!   through desks and launches, not through actors. Besides, each thread is asked for a beat: one that
//!   does not answer though no actor is being polled is held up by something else.
//! * **Noticed.** What lasts longer than [`Plan::notice_after`] is reported, once: logged, counted, shown
//!   as [`crate::State::Stalled`], told to the owner with the names of actor and message.
//! * **Replaced.** What lasts longer than [`Plan::replace_after`] costs the thread its actors: the stuck one
//!   falls ([`crate::Failure::Stalled`], and against its restart intensity), the others that live there or
//!   were sent there move without fault. Queues and handles stay; whatever the blocked code does later is
//!   fenced. Actors that were removed from the tree are named, but not moved.
//! * **One refuge a thread.** All of them go to one spare, and so does whoever comes later, and so do all
//!   when the same thread, having recovered, is stuck again. A spare that is stuck has a refuge of its own.
//! * **Recovered.** A thread that answers a beat again is healthy. If it was replaced, its owner may have it
//!   back as a spare.
//! * **No progress.** An actor that takes nothing from its queue though nobody keeps it from its thread is
//!   reported and left where it is: another thread would not help it.
//!
//! The time by which a look comes late, if that is more than `notice_after`, counts against nobody: whatever
//! held up this thread (a suspended host, an overloaded one) most likely held up the others too.
//!
//! What a replaced actor leaves behind (a queue that nobody will handle, if it is given up) is dropped on a
//! thread made for it: a `Drop` that blocks does not end the watch.

pub(crate) mod janitor;
pub(crate) mod roster;
pub(crate) mod threads;

mod patrol;

mod progress;
mod untaken;
mod watch;

mod beat;
mod pauses;
mod refuge;

use crate::tree::Tree;
use actix::ArbiterHandle;
use patrol::Patrol;
use std::fmt;
use std::io;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// An OS thread that looks after all threads of a tree. It ends when this is dropped. One a tree is
/// enough, and two would each move the actors.
///
/// A blocked thread is lost until its code returns; the restart intensity bounds how many an actor can
/// lose. One that has come back can be used again: [`OnStall::returned`].
pub struct Watchdog {
    _alive: SyncSender<()>,
}

/// When the watchdog does what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The longest time between two looks; at least a millisecond. Where something is due sooner, it looks
    /// sooner.
    pub look_every: Duration,
    /// What lasts longer is reported.
    pub notice_after: Duration,
    /// What lasts longer loses its thread. Not before it was reported.
    pub replace_after: Duration,
    /// An actor that has taken nothing from its queue for so long, though something waits, is reported
    /// within half of this time again; so is one that waits for so long for its supervisor to start it.
    pub progress_after: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            look_every: Duration::from_millis(25),
            notice_after: Duration::from_millis(60),
            replace_after: Duration::from_secs(1),
            progress_after: Duration::from_secs(5),
        }
    }
}

/// Something that has lasted for too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    /// What it is.
    pub kind: StallKind,
    /// The actor's id; none if no actor is to blame.
    pub id: Option<String>,
    /// The generation of the actor; 0 without one.
    pub generation: u64,
    /// The message type in its handler, or at the head of its queue if it makes no progress. None if a
    /// timer or future is stuck, or nothing of the actor has run, or nothing waits for it.
    pub message: Option<&'static str>,
    /// The thread's name; none if it is not known.
    pub thread: Option<String>,
    /// How long it has lasted, without the time in which the watchdog was held up.
    pub busy_for: Duration,
    /// The protected zone that took longer than it may; see [`crate::zone()`].
    pub zone: Option<&'static str>,
}

/// What has lasted for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StallKind {
    /// A poll of an actor.
    Busy,
    /// Something on the actors' thread that is no actor.
    NoBeat,
    /// An arbiter does not take an actor that was sent to it.
    NotTaken,
    /// An actor takes nothing from its queue, though its thread is well; or its supervisor has ended it, to
    /// start it again when its turn comes, and the turn does not come.
    NoProgress {
        /// It holds back its queue itself, with `ctx.wait` or an `AtomicResponse`.
        held_back: bool,
    },
}

impl fmt::Display for StallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "an actor keeps its thread busy",
            Self::NoBeat => "something that is no actor keeps a thread busy",
            Self::NotTaken => "an arbiter does not take an actor",
            Self::NoProgress { held_back: false } => "an actor takes nothing from its queue",
            Self::NoProgress { held_back: true } => "an actor holds its queue back",
        })
    }
}

/// What the owner of a tree does about stalls. It is called on the watchdog's thread, which looks at
/// nothing meanwhile; a panic in it is logged and goes no further.
///
/// A closure `FnMut(&Stall) -> Option<ArbiterHandle>` is one too: it is [`Self::spare`] alone.
pub trait OnStall: Send + 'static {
    /// A stall was noticed.
    fn noticed(&mut self, _stall: &Stall) {}

    /// A stuck thread is to be replaced, for the first time or since it was taken back: which arbiter takes its actors?
    ///
    /// Without one they stay, and this is asked again a [`Plan::replace_after`] later. No arbiter can be
    /// made on this thread, so keep spares at hand.
    fn spare(&mut self, stall: &Stall) -> Option<ArbiterHandle>;

    /// What was noticed has passed by itself, `after` so long.
    fn recovered(&mut self, _stall: &Stall, _after: Duration) {}

    /// A thread that was replaced is well again, and none of the tree's actors lives there. True if it is
    /// a spare from now on: if it is stuck once more, [`Self::spare`] is asked once more.
    fn returned(&mut self, _thread: &str) -> bool {
        false
    }
}

impl<F: FnMut(&Stall) -> Option<ArbiterHandle> + Send + 'static> OnStall for F {
    fn spare(&mut self, stall: &Stall) -> Option<ArbiterHandle> {
        self(stall)
    }
}

impl Watchdog {
    /// Watches `tree` by `plan`.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn spawn(tree: &Tree, plan: Plan, on_stall: impl OnStall) -> io::Result<Self> {
        let (alive, dropped) = sync_channel::<()>(0);
        tree.set_stall_after(plan.notice_after);
        let mut patrol = Patrol::new(tree.clone(), plan, on_stall);
        let watch = move || {
            let mut pause = Duration::ZERO;
            while dropped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                pause = patrol.look();
            }
        };
        thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(watch)?;
        Ok(Self { _alive: alive })
    }
}

impl fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchdog").finish_non_exhaustive()
    }
}
