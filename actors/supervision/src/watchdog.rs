//! Sees what no arbiter can see: that an arbiter is stuck.

use crate::child::Child;
use crate::fence::Run;
use crate::life::Fall;
use crate::tree::Tree;
use actix::ArbiterHandle;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// An OS thread that looks at all actors of a tree. It ends when this is dropped.
///
/// A stuck actor is moved to a spare arbiter: its queue and handles stay, whoever waits for the answer is
/// told [`crate::Failure::Stalled`], and whatever the blocked code does later is fenced. Its neighbours on
/// the same thread move along. The blocked thread itself is lost until its code returns; the restart
/// intensity bounds how many an actor can lose.
pub struct Watchdog {
    _alive: SyncSender<()>,
}

/// An actor that has been in one poll for too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    /// The actor's id.
    pub id: String,
    /// The generation that is stuck.
    pub generation: u64,
    /// The message type in its handler; none if a timer or future is stuck.
    pub message: Option<&'static str>,
    /// How long the poll has taken.
    pub busy_for: Duration,
}

impl Watchdog {
    /// Looks every `period`, and takes a poll of more than `threshold` as a stall.
    ///
    /// `spare` is told what is stuck and gives the arbiter to go on with; without one the actor stays
    /// where it is and `spare` is asked again a period later. It runs on the watchdog's thread, where no
    /// arbiter can be made, so keep spares at hand.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn spawn(
        tree: &Tree,
        period: Duration,
        threshold: Duration,
        mut spare: impl FnMut(&Stall) -> Option<ArbiterHandle> + Send + 'static,
    ) -> io::Result<Self> {
        let (alive, dropped) = sync_channel::<()>(0);
        let tree = tree.clone();
        tree.set_stall_after(threshold);
        let watch = move || {
            while dropped.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
                look(&tree, threshold, &mut spare);
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

fn look(tree: &Tree, threshold: Duration, spare: &mut impl FnMut(&Stall) -> Option<ArbiterHandle>) {
    let all: Vec<_> = tree
        .children()
        .into_iter()
        .map(|child| (child.current_run(), child))
        .collect();
    for (run, child) in &all {
        let Some(stall) = stalled(child.as_ref(), run, threshold) else {
            continue;
        };
        tracing::error!(
            actor = stall.id,
            generation = stall.generation,
            message = stall.message.unwrap_or("a timer or future"),
            busy_ms = u64::try_from(stall.busy_for.as_millis()).unwrap_or(u64::MAX),
            "an actor is stuck"
        );
        let Some(arbiter) = spare(&stall) else {
            continue;
        };
        Arc::clone(child).rebuild(run, &arbiter, &Fall::stall());
        for (other, neighbour) in &all {
            if !Arc::ptr_eq(other, run) && other.home() == run.home() && !other.is_fenced() {
                Arc::clone(neighbour).rebuild(other, &arbiter, &Fall::planned_move());
            }
        }
    }
}

fn stalled(child: &dyn Child, run: &Run, threshold: Duration) -> Option<Stall> {
    let busy_for = run
        .busy_for()
        .filter(|busy| *busy >= threshold && !run.is_fenced())?;
    Some(Stall {
        id: child.id().to_owned(),
        generation: run.generation,
        message: child.current_message(),
        busy_for,
    })
}
