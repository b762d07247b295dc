//! One thread as the watchdog sees it, without asking anybody on it: he might be stuck.

use crate::child::Child;
use crate::clock;
use crate::fence::Run;
use crate::lock::lock;
use crate::watchdog::roster::Roster;
use crate::zone::Leave;
use actix::{Arbiter, ArbiterHandle, System};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// A thread of one tree: made when the tree's first actor settles there. All moments are [`clock::ticks`].
pub(crate) struct Desk {
    pub(crate) thread: ThreadId,
    pub(crate) name: String,
    pub(crate) arbiter: ArbiterHandle,
    system: Option<usize>,
    roster: u64,
    /// The moment at which the last poll of an actor began, made odd while that poll is under way.
    poll: AtomicU64,
    /// The seat of the actor of that poll; written before `poll`.
    polled_seat: AtomicU64,
    /// What the poll under way may take beyond the plan. See [`crate::zone()`].
    pub(crate) leave: Mutex<Leave>,
    seats: Mutex<Seats>,
    /// Since when the watchdog takes the thread for stuck; 0: it does not.
    stuck_since: AtomicU64,
    gone: AtomicBool,
}

#[derive(Default)]
struct Seats {
    next: u64,
    taken: BTreeMap<u64, Tenant>,
}

/// Who has a seat.
struct Tenant {
    run: Arc<Run>,
    child: Weak<dyn Child>,
}

/// An actor that lives on the thread.
pub(crate) struct Resident {
    pub(crate) seat: u64,
    pub(crate) run: Arc<Run>,
    pub(crate) child: Weak<dyn Child>,
}

impl Resident {
    fn new(seat: u64, tenant: &Tenant) -> Self {
        Self {
            seat,
            run: Arc::clone(&tenant.run),
            child: Weak::clone(&tenant.child),
        }
    }
}

/// A run's place.
#[derive(Clone)]
pub(crate) struct Home {
    pub(crate) desk: Arc<Desk>,
    pub(crate) seat: u64,
}

/// What a thread does as far as actors are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pulse {
    /// An actor is being polled.
    Busy(Poll),
    /// None is; the number changes with each poll.
    Idle(u64),
}

/// A poll of an actor under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Poll {
    /// The moment at which it began, which also names it: no other poll of the desk has the same.
    pub(crate) stamp: u64,
    pub(crate) seat: u64,
}

/// When a poll is to be noticed and replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) notice_at: u64,
    pub(crate) replace_at: u64,
    pub(crate) zone: Option<&'static str>,
}

impl Desk {
    /// Marks the beginning of a poll and gives its stamp.
    pub(crate) fn poll_begins(&self, seat: u64, now: u64) -> u64 {
        let stamp = now | 1;
        self.polled_seat.store(seat, Ordering::Release);
        self.poll.store(stamp, Ordering::Release);
        stamp
    }

    pub(crate) fn poll_ends(&self, stamp: u64) {
        self.poll.store(stamp & !1, Ordering::Release);
    }

    pub(crate) fn pulse(&self) -> Pulse {
        let stamp = self.poll.load(Ordering::Acquire);
        if stamp & 1 == 0 {
            return Pulse::Idle(stamp);
        }
        let seat = self.polled_seat.load(Ordering::Acquire);
        // Another seat is written only after this poll has ended, and that would show here.
        if self.poll.load(Ordering::Relaxed) == stamp {
            Pulse::Busy(Poll { stamp, seat })
        } else {
            Pulse::Idle(stamp & !1)
        }
    }

    /// Whether `poll` still is under way.
    pub(crate) fn is_in(&self, poll: &Poll) -> bool {
        self.poll.load(Ordering::Acquire) == poll.stamp
    }

    /// The limits of a poll that may take until `notice` or `replace` from its beginning. `counted` says from
    /// which moment on to count what began at another one.
    pub(crate) fn limits(
        &self,
        poll: &Poll,
        (notice, replace): (Duration, Duration),
        counted: impl Fn(u64) -> u64,
    ) -> Limits {
        let (spent, zone) = lock(&self.leave).of(poll.stamp);
        let from = clock::later(counted(poll.stamp), spent);
        let until = zone.map_or(0, |zone| {
            clock::later(counted(zone.entered), zone.allowance)
        });
        Limits {
            notice_at: clock::later(from, notice).max(until),
            replace_at: clock::later(from, replace).max(until),
            zone: zone.map(|zone| zone.what),
        }
    }

    /// Whether the actor of `seat` has been in one poll for longer than `patience` and its zone allow.
    pub(crate) fn is_overdue(&self, seat: u64, patience: Duration) -> bool {
        match self.pulse() {
            Pulse::Busy(poll) if poll.seat == seat => {
                let limits = self.limits(&poll, (patience, patience), |moment| moment);
                clock::now() >= limits.notice_at
            }
            Pulse::Busy(_) | Pulse::Idle(_) => false,
        }
    }

    /// Gives an actor a seat.
    pub(crate) fn seat(&self, run: &Arc<Run>, child: Weak<dyn Child>) -> u64 {
        let mut seats = lock(&self.seats);
        let seat = seats.next;
        seats.next = seat.saturating_add(1);
        let run = Arc::clone(run);
        seats.taken.insert(seat, Tenant { run, child });
        seat
    }

    /// The actor of `seat` begins its next generation here.
    pub(crate) fn hand_on(&self, seat: u64, next: &Arc<Run>) {
        let mut seats = lock(&self.seats);
        let Some(tenant) = seats.taken.get_mut(&seat) else {
            return;
        };
        let before = std::mem::replace(&mut tenant.run, Arc::clone(next));
        drop(seats);
        drop(before);
    }

    pub(crate) fn vacate(&self, seat: u64) {
        let left = lock(&self.seats).taken.remove(&seat);
        drop(left);
    }

    pub(crate) fn resident(&self, seat: u64) -> Option<Resident> {
        let seats = lock(&self.seats);
        let tenant = seats.taken.get(&seat)?;
        Some(Resident::new(seat, tenant))
    }

    /// Whoever lives here, in the order of arrival. A fenced one is a body whose life goes on elsewhere.
    pub(crate) fn residents(&self) -> Vec<Resident> {
        let seats = lock(&self.seats);
        let living = seats.taken.iter().filter(|(_, one)| !one.run.is_fenced());
        living
            .map(|(seat, tenant)| Resident::new(*seat, tenant))
            .collect()
    }

    pub(crate) fn population(&self) -> usize {
        let seats = lock(&self.seats);
        let living = seats.taken.values().filter(|one| !one.run.is_fenced());
        living.count()
    }

    /// Shows the thread as stuck since a moment, unless it is already.
    pub(crate) fn show_stuck(&self, since: u64) {
        if !self.is_stuck() {
            self.stuck_since.store(since.max(1), Ordering::Relaxed);
        }
    }

    pub(crate) fn show_well(&self) {
        self.stuck_since.store(0, Ordering::Relaxed);
    }

    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck_since.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn stuck_for(&self) -> Option<Duration> {
        let since = self.stuck_since.load(Ordering::Relaxed);
        (since != 0).then(|| clock::between(since, clock::now()))
    }

    /// Its thread or its arbiter has ended.
    pub(crate) fn close(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed) || !self.arbiter.alive()
    }
}

/// The desks of this thread: one a tree. They close when the thread ends.
struct Here(Vec<Arc<Desk>>);

impl Drop for Here {
    fn drop(&mut self) {
        for desk in &self.0 {
            desk.close();
        }
    }
}

thread_local!(static HERE: RefCell<Here> = const { RefCell::new(Here(Vec::new())) });

/// The desk of this thread in the tree of `roster`. `None` on a thread that is no arbiter's, or that is
/// being torn down.
pub(crate) fn here(roster: &Roster) -> Option<Arc<Desk>> {
    let system = System::try_current().map(|system| system.id());
    let find = |here: &RefCell<Here>| {
        let desks = &mut here.try_borrow_mut().ok()?.0;
        desks.retain(|desk| !desk.is_gone());
        // The thread of a test may see one system after the other, each with an arbiter of its own.
        let mine = |desk: &&Arc<Desk>| desk.roster == roster.id && desk.system == system;
        if let Some(desk) = desks.iter().find(mine) {
            return Some(Arc::clone(desk));
        }
        let desk = Arc::new(Desk::new(roster.id, system, Arbiter::try_current()?));
        desks.push(Arc::clone(&desk));
        roster.enter(&desk);
        Some(desk)
    };
    HERE.try_with(find).ok()?
}

impl Desk {
    /// A desk of this thread.
    fn new(roster: u64, system: Option<usize>, arbiter: ArbiterHandle) -> Self {
        let thread = thread::current();
        let name = thread
            .name()
            .map_or_else(|| format!("{:?}", thread.id()), str::to_owned);
        Self {
            thread: thread.id(),
            name,
            arbiter,
            system,
            roster,
            poll: AtomicU64::new(0),
            polled_seat: AtomicU64::new(0),
            leave: Mutex::default(),
            seats: Mutex::default(),
            stuck_since: AtomicU64::new(0),
            gone: AtomicBool::new(false),
        }
    }
}

/// A poll of a generation, shown to the watchdog for as long as this lives.
pub(crate) struct Polling<'a>(Option<(&'a Desk, u64)>);

impl<'a> Polling<'a> {
    pub(crate) fn new(run: &'a Run, now: u64) -> Self {
        Self(run.home().map(|home| {
            let desk = home.desk.as_ref();
            (desk, desk.poll_begins(home.seat, now))
        }))
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        if let Some((desk, stamp)) = self.0 {
            desk.poll_ends(stamp);
        }
    }
}
