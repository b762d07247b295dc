//! Calls that are known to be slow.

use crate::clock;
use crate::desk::{Desk, Poll, Pulse};
use crate::fence::with_running;
use crate::lock::lock;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Tells the watchdog that what follows in this poll of the actor may take `allowance`: until then it is
/// neither noticed nor replaced. If it takes longer, it is, and `what` is named as [`crate::Stall::zone`].
///
/// It holds until the guard is dropped, or the poll is over: a guard that is kept over an `.await` or in
/// the actor protects nothing after that. Zones may overlap, and end in any order; while several are held,
/// the one whose allowance ends last counts. Time spent in zones does not count against the rest of the
/// poll. Outside of a supervised actor it does nothing.
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
    zone: u64,
}

impl Entered {
    fn new(desk: Arc<Desk>, poll: Poll, what: &'static str, allowance: Duration) -> Self {
        let now = clock::ticks(clock::monotonic());
        let zone = lock(&desk.leave).enter(poll.stamp, Held::new(what, allowance, now));
        Self { desk, poll, zone }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let now = clock::ticks(clock::monotonic());
        lock(&self.desk.leave).exit(self.poll.stamp, self.zone, now);
    }
}

/// What a poll may take beyond the plan. There is one a desk, for the poll that asked last; all moments are
/// [`clock::ticks`].
#[derive(Default)]
pub(crate) struct Leave {
    /// The stamp of the poll that it is for; for any other it means nothing.
    poll: u64,
    /// The time that the poll has spent in zones, without those that it is in.
    spent: Duration,
    /// Since when it has been in one zone or another, if it is in any.
    since: u64,
    /// The zones that it is in.
    held: Vec<Held>,
    last: u64,
}

/// A zone that has been entered.
#[derive(Clone, Copy)]
pub(crate) struct Held {
    number: u64,
    pub(crate) what: &'static str,
    pub(crate) entered: u64,
    pub(crate) allowance: Duration,
}

impl Held {
    pub(crate) const fn new(what: &'static str, allowance: Duration, now: u64) -> Self {
        Self {
            number: 0,
            what,
            entered: now,
            allowance,
        }
    }

    fn ends(&self) -> u64 {
        clock::later(self.entered, self.allowance)
    }
}

impl Leave {
    /// The poll enters a zone; the number by which it leaves it.
    pub(crate) fn enter(&mut self, poll: u64, zone: Held) -> u64 {
        if self.poll != poll {
            *self = Self {
                poll,
                last: self.last,
                ..Self::default()
            };
        }
        if self.held.is_empty() {
            self.since = zone.entered;
        }
        self.last = self.last.wrapping_add(1);
        let number = self.last;
        self.held.push(Held { number, ..zone });
        number
    }

    /// The poll leaves a zone. Says nothing once another poll has entered one.
    pub(crate) fn exit(&mut self, poll: u64, number: u64, now: u64) {
        if self.poll != poll {
            return;
        }
        self.held.retain(|zone| zone.number != number);
        if self.held.is_empty() {
            let stay = clock::between(self.since, now);
            self.spent = self.spent.saturating_add(stay);
        }
    }

    /// What the poll has spent in zones that it has left, and the zone that protects it for longest.
    pub(crate) fn of(&self, poll: u64) -> (Duration, Option<Held>) {
        if self.poll != poll {
            return (Duration::ZERO, None);
        }
        let longest = self.held.iter().max_by_key(|zone| zone.ends());
        (self.spent, longest.copied())
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

#[cfg(test)]
mod tests;
