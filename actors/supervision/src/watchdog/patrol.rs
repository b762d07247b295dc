//! One look after the other, and what all of its parts share.

use super::janitor::Janitor;
use super::pauses::Pauses;
use super::progress::Progress;
use super::refuge::{Place, Refuges};
use super::untaken::Untaken;
use super::watch::Watch;
use super::{OnStall, Plan, Stall};
use crate::clock;
use crate::tree::Tree;
use actix::ArbiterHandle;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Duration;

/// The watchdog's memory from look to look.
pub(super) struct Patrol<O> {
    watches: Vec<Watch>,
    untaken: Untaken,
    progress: Progress,
    duty: Duty<O>,
    janitor: Janitor,
}

/// What each part of a look needs.
pub(super) struct Duty<O> {
    pub(super) tree: Tree,
    pub(super) plan: Plan,
    /// What counts against nobody.
    pub(super) pauses: Pauses,
    owner: O,
    refuges: Refuges,
}

impl<O: OnStall> Patrol<O> {
    pub(super) fn new(tree: Tree, plan: Plan, owner: O) -> Self {
        Self {
            watches: Vec::new(),
            untaken: Untaken::default(),
            progress: Progress::new(&plan, now()),
            duty: Duty::new(tree, plan, owner),
            janitor: Janitor::default(),
        }
    }

    /// Looks, and says after which time to look again.
    pub(super) fn look(&mut self) -> Duration {
        self.look_at(now())
    }

    fn look_at(&mut self, now: u64) -> Duration {
        let plan = self.duty.plan;
        self.duty.tree.roster().tally.looks.add(1);
        self.meet_newcomers();
        self.listen(now);
        if self.duty.pauses.look(now, plan.notice_after) {
            tracing::debug!("the watchdog itself was held up");
        }
        let next = self.judge(now);
        let longest = plan.look_every.max(SHORTEST_PAUSE);
        let pause = clock::between(now, next).clamp(SHORTEST_PAUSE, longest);
        self.duty.pauses.expect(clock::later(now, pause));
        pause
    }

    /// Judges everybody; the moment at which the next judgement is due.
    fn judge(&mut self, now: u64) -> u64 {
        let Self {
            watches,
            untaken,
            progress,
            duty,
            janitor,
        } = self;
        janitor.clear_up(|| {
            let mut next = u64::MAX;
            for watch in &mut *watches {
                next = next.min(watch.judge(duty, now));
            }
            untaken.judge(duty, watches, now);
            progress.judge(duty, now);
            next
        })
    }

    fn meet_newcomers(&mut self) {
        for desk in self.duty.tree.roster().desks() {
            let known = |watch: &Watch| Arc::ptr_eq(&watch.desk, &desk);
            if !self.watches.iter().any(known) {
                self.watches.push(Watch::new(desk));
            }
        }
    }

    /// Hears and renews the beats, and forgets threads that have ended.
    fn listen(&mut self, now: u64) {
        let (watches, refuges) = (&mut self.watches, &mut self.duty.refuges);
        watches.retain_mut(|watch| {
            let alive = watch.listen(now);
            if !alive {
                refuges.forget(Some(watch.desk.thread));
            }
            alive
        });
    }
}

/// Nobody sees any more when a thread recovers: none is to be shown as stuck for ever.
impl<O> Drop for Patrol<O> {
    fn drop(&mut self) {
        for watch in &self.watches {
            watch.desk.show_well();
        }
    }
}

/// However much is due, the watchdog leaves the processor to others in between.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// Now, in [`clock::ticks`].
pub(super) fn now() -> u64 {
    clock::ticks(clock::monotonic())
}

impl<O: OnStall> Duty<O> {
    pub(super) fn new(tree: Tree, plan: Plan, owner: O) -> Self {
        Self {
            tree,
            plan,
            pauses: Pauses::default(),
            owner,
            refuges: Refuges::default(),
        }
    }

    /// Logs and counts a new stall and tells the owner.
    pub(super) fn notice(&mut self, stall: &Stall) {
        tracing::warn!(
            actor = stall.id,
            generation = stall.generation,
            handling = stall.message,
            thread = stall.thread,
            zone = stall.zone,
            lasted = ?stall.busy_for,
            "{}",
            stall.kind
        );
        self.notice_quietly(stall);
    }

    /// As [`Self::notice`], where many come at once and one line of the log says it all.
    pub(super) fn notice_quietly(&mut self, stall: &Stall) {
        self.tree.roster().tally.noticed.add(1);
        contained(|| self.owner.noticed(stall));
    }

    /// Tells the owner that a stall has passed.
    pub(super) fn recovered(&mut self, stall: &Stall, after: Duration) {
        self.tree.roster().tally.recovered.add(1);
        tracing::warn!(
            actor = stall.id,
            handling = stall.message,
            thread = stall.thread,
            ?after,
            "recovered: {}",
            stall.kind
        );
        contained(|| self.owner.recovered(stall, after));
    }

    /// The arbiter to which the actors of `place` go: the one that it was before, else one that the owner
    /// gives now.
    pub(super) fn refuge(
        &mut self,
        place: Place,
        stall: &Stall,
        now: u64,
    ) -> Option<ArbiterHandle> {
        let patience = self.plan.replace_after;
        let stuck = self.stuck_threads();
        let is_new = |since| self.pauses.lasted(since, now) < patience;
        let place = match self.refuges.find(place, &stuck, is_new) {
            Ok(arbiter) => return Some(arbiter),
            Err(missing) => missing,
        };
        if !self.refuges.may_ask(place, now) {
            return None;
        }
        let spare = contained(|| self.owner.spare(stall)).flatten();
        let adopted = spare.filter(|spare| self.refuges.adopt(place, spare, now));
        if adopted.is_none() {
            tracing::error!(
                actor = stall.id,
                thread = stall.thread,
                "there is no spare thread for the actors of a stuck one"
            );
            self.refuges.refused(place, clock::later(now, patience));
        }
        adopted
    }

    /// Whether the thread was replaced, and not taken back since.
    pub(super) fn has_refuge(&self, thread: ThreadId) -> bool {
        self.refuges.has(Some(thread))
    }

    /// Offers the owner a thread that was replaced and is well and empty again.
    pub(super) fn returned(&mut self, thread: ThreadId, name: &str) {
        if contained(|| self.owner.returned(name)) == Some(true) {
            self.refuges.forget(Some(thread));
        }
    }

    pub(super) fn forget_refuge(&mut self, place: Place) {
        self.refuges.forget(place);
    }

    fn stuck_threads(&self) -> Vec<ThreadId> {
        let desks = self.tree.roster().desks();
        let stuck = desks.iter().filter(|desk| desk.is_stuck());
        stuck.map(|desk| desk.thread).collect()
    }
}

/// Runs the owner's code; `None` if it panicked.
fn contained<T>(call: impl FnOnce() -> T) -> Option<T> {
    let called = catch_unwind(AssertUnwindSafe(call));
    if called.is_err() {
        tracing::error!("the owner's code panicked on the watchdog's thread");
    }
    called.ok()
}

#[cfg(test)]
mod tests;
