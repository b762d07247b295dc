//! The ordered end of a tree.

use crate::outcome::{Exit, Stop};
use crate::tree::Tree;
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
    /// the last: a stuck one must not take the time of those that the others rest on. An actor that does
    /// not make it is killed, even if its arbiter is stuck.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let end = Instant::now() + deadline;
        let mut living = self.close();
        living.retain(|child| child.ended().is_none());
        let mut report = ShutdownReport::default();
        let mut behind = living.len();
        for child in living {
            behind = behind.saturating_sub(1);
            child.request_stop(Stop::Drain);
            let left = end.saturating_duration_since(Instant::now());
            let share = if behind == 0 { left } else { left / 2 };
            if timeout(share.min(child.stop_deadline()), child.wait_exited())
                .await
                .is_err()
            {
                tracing::warn!(actor = child.id(), "killed: it did not drain in time");
                child.kill();
            }
            if let Some((exit, unhandled)) = child.ended() {
                report.children.push(ChildReport {
                    id: child.id().to_owned(),
                    exit,
                    unhandled,
                });
            }
        }
        report
    }
}
