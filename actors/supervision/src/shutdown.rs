//! The ordered end of a tree.

use crate::child::Child;
use crate::desk::{Desk, Pulse};
use crate::outcome::{Exit, Stop};
use crate::tree::Tree;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How a shutdown went, in the order in which the actors ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// The actors that lived when it began, last started first.
    pub children: Vec<ChildReport>,
}

/// How one actor ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildReport {
    /// Its id.
    pub id: String,
    /// Its exit.
    pub exit: Exit,
    /// Messages that it left in its queue.
    pub unhandled: usize,
}

impl ShutdownReport {
    /// Whether every actor drained in time and nothing was left unhandled.
    pub fn is_clean(&self) -> bool {
        self.children
            .iter()
            .all(|child| child.exit == Exit::Normal && child.unhandled == 0)
    }
}

impl Tree {
    /// Ends the whole tree within `deadline`: closes it to everybody but its own actors, then drains one
    /// actor after the other, the last started first, so that whoever serves others outlives them.
    ///
    /// Each actor has its `stop_deadline`, but never more than half of the time that is left unless it is
    /// the last: a stuck one must not take the time of those that the others rest on. However many are
    /// stuck, the last has an eighth of the whole deadline, and another eighth is there for all others in
    /// equal parts. An actor that does not make it is killed, even if its arbiter is stuck; whoever else
    /// lives on a thread that has been in one poll for all of that time is killed without another wait.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let mut living = self.close();
        living.retain(|child| child.ended().is_none());
        let mut time = Allotment::new(deadline, living.len());
        let mut blocked = Vec::new();
        let mut report = ShutdownReport::default();
        for child in living {
            let share = time.next_share().min(child.stop_deadline());
            // For the last there is nobody to save time for.
            if time.behind > 0 && blocked.iter().any(|thread: &Held| thread.holds(&child)) {
                tracing::warn!(actor = child.id(), "killed: its thread is stuck");
                child.kill();
            } else {
                blocked.extend(drain(&child, share).await);
            }
            report.children.extend(ChildReport::of(child.as_ref()));
        }
        report
    }
}

/// Drains an actor within `share`, or kills it. If its thread was in one poll all the while, gives that.
async fn drain(child: &Arc<dyn Child>, share: Duration) -> Option<Held> {
    let held = child.desk().and_then(Held::now);
    child.request_stop(Stop::Drain);
    if timeout(share, child.wait_exited()).await.is_ok() {
        return None;
    }
    let held = held.filter(|held| held.holds(child));
    tracing::warn!(actor = child.id(), "killed: it did not drain in time");
    child.kill();
    held
}

/// A thread that is kept by one poll, or by something else for as long as the watchdog takes it for stuck.
struct Held {
    desk: Arc<Desk>,
    by: Pulse,
}

impl Held {
    fn now(desk: Arc<Desk>) -> Option<Self> {
        let by = desk.pulse();
        let is_held = matches!(by, Pulse::Busy(_)) || desk.is_stuck();
        is_held.then_some(Self { desk, by })
    }

    /// Whether it still is, and `child` lives there.
    fn holds(&self, child: &Arc<dyn Child>) -> bool {
        let lives_there = |desk: Arc<Desk>| Arc::ptr_eq(&desk, &self.desk);
        child.desk().is_some_and(lives_there)
            && self.desk.pulse() == self.by
            && (matches!(self.by, Pulse::Busy(_)) || self.desk.is_stuck())
    }
}

/// The time that is left, and for how many.
struct Allotment {
    end: Instant,
    /// What nobody but those behind may use.
    reserve: Duration,
    /// What each has at least.
    least: Duration,
    behind: usize,
}

impl Allotment {
    fn new(deadline: Duration, actors: usize) -> Self {
        let parts = u32::try_from(actors).unwrap_or(u32::MAX).max(1);
        Self {
            end: Instant::now() + deadline,
            reserve: deadline / 4,
            least: deadline / 8 / parts,
            behind: actors,
        }
    }

    /// For the next actor.
    fn next_share(&mut self) -> Duration {
        self.behind = self.behind.saturating_sub(1);
        let left = self.end.saturating_duration_since(Instant::now());
        if self.behind == 0 {
            return left;
        }
        let common = left.saturating_sub(self.reserve);
        common.min(left / 2).max(self.least).min(left)
    }
}

impl ChildReport {
    fn of(child: &dyn Child) -> Option<Self> {
        let (exit, unhandled) = child.ended()?;
        Some(Self {
            id: child.id().to_owned(),
            exit,
            unhandled,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::run;
    use proptest::prelude::*;

    proptest! {
        /// Whoever uses up what, the last has its eighth, and nobody has nothing.
        #[test]
        fn time_is_left_for_those_behind(stuck in prop::collection::vec(any::<bool>(), 1..200)) {
            let deadline = Duration::from_secs(4);
            run(async {
                let mut time = Allotment::new(deadline, stuck.len() + 1);
                for is_stuck in &stuck {
                    let share = time.next_share();
                    prop_assert!(share >= time.least && !share.is_zero());
                    if *is_stuck {
                        tokio::time::advance(share).await;
                    }
                }
                prop_assert!(time.next_share() >= deadline / 9); // the clock counts in milliseconds
                prop_assert_eq!(time.behind, 0);
                Ok(())
            })?;
        }
    }
}
