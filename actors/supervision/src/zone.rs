//! Calls that are known to be slow.

use crate::clock;
use crate::desk::{Allowance, Desk, Grant, Poll, Pulse};
use crate::fence::with_running;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Tells the watchdog that what follows in this poll of the actor may take `allowance`: until then it is
/// neither noticed nor replaced. If it takes longer, it is, and `what` is named as [`crate::Stall::zone`].
///
/// It holds until the guard is dropped, or the poll is over: a guard that is kept over an `.await` or in
/// the actor protects nothing after that. Zones nest; while several are held, the one that ends last
/// counts. Time spent in a zone does not count against the rest of the poll. Outside of a supervised
/// actor it does nothing.
///
/// The thread's other actors wait all the same: a zone is for what can't be moved to a thread of its own.
///
/// ```
/// # use std::time::Duration;
/// # fn read_all() {}
/// let zone = vyrox_supervision::zone("reading evidence", Duration::from_secs(30));
/// read_all();
/// drop(zone);
/// ```
pub fn zone(what: &'static str, allowance: Duration) -> Zone {
    let entered = polled_here().map(|(desk, poll)| Entered::new(desk, poll, what, allowance));
    Zone {
        entered,
        of_this_thread: PhantomData,
    }
}

/// The guard of a [`zone`].
#[must_use = "the zone ends when this is dropped"]
pub struct Zone {
    entered: Option<Entered>,
    of_this_thread: PhantomData<Rc<()>>,
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zone")
            .field("counts", &self.entered.is_some())
            .finish()
    }
}

struct Entered {
    desk: Arc<Desk>,
    poll: Poll,
    /// The zone around this one.
    outer: Option<Allowance>,
}

impl Entered {
    fn new(desk: Arc<Desk>, poll: Poll, what: &'static str, allowance: Duration) -> Self {
        let before = desk.grant_for(&poll);
        let outer = before.and_then(|grant| grant.zone);
        let until = clock::later(clock::ticks(clock::monotonic()), allowance);
        let inner = Allowance { what, until };
        desk.grant(Grant {
            poll: poll.stamp,
            from: before.map_or(poll.stamp, |grant| grant.from),
            zone: Some(outer.filter(|outer| outer.until >= until).unwrap_or(inner)),
        });
        Self { desk, poll, outer }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if self.desk.is_in(&self.poll) {
            self.desk.grant(Grant {
                poll: self.poll.stamp,
                from: clock::ticks(clock::monotonic()),
                zone: self.outer,
            });
        }
    }
}

/// This thread's desk and the poll that this code is part of.
fn polled_here() -> Option<(Arc<Desk>, Poll)> {
    let home = with_running(|run| run.and_then(|run| run.home().cloned()))??;
    match home.desk.pulse() {
        Pulse::Busy(poll) if poll.seat == home.seat => Some((home.desk, poll)),
        Pulse::Busy(_) | Pulse::Idle(_) => None,
    }
}
