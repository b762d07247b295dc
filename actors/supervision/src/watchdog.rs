//! Sees what no arbiter can see: that an arbiter is stuck.

use crate::child::Child;
use crate::fall::Fall;
use crate::fence::Run;
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
/// the same thread move along, and so does an actor that was sent to the thread while it was stuck already.
/// The blocked thread itself is lost until its code returns; the restart
/// intensity bounds how many an actor can lose.
pub struct Watchdog {
    _alive: SyncSender<()>,
}

/// An actor that has been in one poll for too long, or that its arbiter has not taken for so long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    /// The actor's id.
    pub id: String,
    /// The generation that is stuck.
    pub generation: u64,
    /// The message type in its handler; none if a timer or future is stuck, or if nothing of it has run.
    pub message: Option<&'static str>,
    /// How long the poll has taken, or the wait for the arbiter.
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
    let mut refuge = None;
    for (run, child) in &all {
        let Some(stall) = overdue(child.as_ref(), run, run.busy_for(), threshold) else {
            continue;
        };
        tracing::error!(
            actor = stall.id,
            generation = stall.generation,
            handling = stall.message.unwrap_or("a timer or future"),
            busy_ms = millis(stall.busy_for),
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
        refuge = Some(arbiter);
    }
    move_the_untaken(&all, threshold, refuge, spare);
}

/// Moves whoever was sent to an arbiter that does not take it: all of them to one spare, for they may
/// well wait for one and the same thread.
fn move_the_untaken(
    all: &[(Arc<Run>, Arc<dyn Child>)],
    threshold: Duration,
    mut refuge: Option<ArbiterHandle>,
    spare: &mut impl FnMut(&Stall) -> Option<ArbiterHandle>,
) {
    for (run, child) in all {
        let Some(stall) = overdue(child.as_ref(), run, run.launching_for(), threshold) else {
            continue;
        };
        tracing::warn!(
            actor = stall.id,
            generation = stall.generation,
            waited_ms = millis(stall.busy_for),
            "an arbiter does not take an actor"
        );
        refuge = refuge.or_else(|| spare(&stall));
        let Some(arbiter) = &refuge else {
            return;
        };
        Arc::clone(child).rebuild(run, arbiter, &Fall::planned_move());
    }
}

/// The run's stall, if what keeps it has lasted too long.
fn overdue(
    child: &dyn Child,
    run: &Run,
    lasted: Option<Duration>,
    threshold: Duration,
) -> Option<Stall> {
    let busy_for = lasted.filter(|lasted| *lasted >= threshold && !run.is_fenced())?;
    Some(Stall {
        id: child.id().to_owned(),
        generation: run.generation,
        message: child.current_message(),
        busy_for,
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
