//! What the watchdog knows of one thread.

use super::beat::{Beat, Heard};
use super::patrol::Duty;
use super::pauses::Pauses;
use super::{OnStall, Plan, Stall, StallKind};
use crate::child::Child;
use crate::clock;
use crate::desk::{Desk, Limits, Poll, Pulse, Resident};
use crate::fall::Fall;
use std::sync::Arc;

/// One thread, from look to look.
pub(super) struct Watch {
    pub(super) desk: Arc<Desk>,
    beat: Beat,
    /// A beat was answered since the last judgement.
    answered: bool,
    quiet: Quiet,
    stuck: Option<Stuck>,
}

/// Since when nothing has been heard of a thread: no beat, no poll.
struct Quiet {
    since: u64,
    /// [`Pulse::Idle`] then.
    pulse: u64,
}

/// A stall under way.
struct Stuck {
    /// The thread has not been free since.
    since: u64,
    cause: Cause,
    stall: Stall,
    replaced: bool,
}

/// What holds up a thread. Another cause is another stall, though the thread was not free in between.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Poll(Poll),
    /// Something else, since a moment.
    Silence(u64),
}

/// What may become a stall.
struct Symptom {
    cause: Cause,
    /// From when on its time counts.
    since: u64,
    limits: Limits,
}

impl Symptom {
    const fn poll(&self) -> Option<Poll> {
        match self.cause {
            Cause::Poll(poll) => Some(poll),
            Cause::Silence(_) => None,
        }
    }
}

impl Watch {
    pub(super) fn new(desk: Arc<Desk>) -> Self {
        Self {
            desk,
            beat: Beat::default(),
            answered: false,
            quiet: Quiet { since: 0, pulse: 0 },
            stuck: None,
        }
    }

    /// Hears and renews the beat; false if the thread has ended.
    pub(super) fn listen(&mut self, now: u64) -> bool {
        match self.beat.listen(&self.desk, now) {
            Heard::Gone => {
                self.desk.show_well();
                self.desk.close();
                return false;
            }
            Heard::Answer => {
                self.answered = true;
                self.quiet.since = now;
            }
            Heard::Nothing => {}
        }
        true
    }

    /// Notices, replaces or finds recovered. The moment at which more is due.
    pub(super) fn judge<O: OnStall>(&mut self, duty: &mut Duty<O>, now: u64) -> u64 {
        let symptom = self.symptom(&duty.plan, &duty.pauses, now);
        let answered = std::mem::take(&mut self.answered);
        if now < symptom.limits.notice_at || !self.shows(&symptom) {
            if answered {
                self.recover(duty, now);
            }
            return symptom.limits.notice_at;
        }
        let known = |stuck: &Stuck| stuck.cause == symptom.cause;
        if !self.stuck.as_ref().is_some_and(known) {
            self.notice(duty, &symptom, now);
        }
        if now < symptom.limits.replace_at {
            return symptom.limits.replace_at;
        }
        self.replace(duty, &symptom, now);
        u64::MAX
    }

    pub(super) const fn is_stuck(&self) -> bool {
        self.stuck.is_some()
    }

    /// Whether its actors have moved away.
    pub(super) fn is_replaced(&self) -> bool {
        self.stuck.as_ref().is_some_and(|stuck| stuck.replaced)
    }

    /// Whether something that was sent to it at `moment` may still wait for it: what is sent to an arbiter
    /// is taken in turn, so a later beat that was answered says that it was taken.
    pub(super) const fn may_owe(&self, moment: u64) -> bool {
        self.beat.heard_of <= moment
    }

    fn symptom(&mut self, plan: &Plan, pauses: &Pauses, now: u64) -> Symptom {
        let counted = |moment| pauses.counted(moment);
        let patience = (plan.notice_after, plan.replace_after);
        match self.desk.pulse() {
            Pulse::Busy(poll) => Symptom {
                cause: Cause::Poll(poll),
                since: counted(poll.stamp),
                limits: self.desk.limits(&poll, patience, counted),
            },
            Pulse::Idle(pulse) => {
                if self.quiet.pulse != pulse {
                    self.quiet = Quiet { since: now, pulse };
                }
                let since = counted(self.quiet.since);
                Symptom {
                    cause: Cause::Silence(self.quiet.since),
                    since,
                    limits: Limits {
                        notice_at: clock::later(since, plan.notice_after),
                        replace_at: clock::later(since, plan.replace_after),
                        zone: None,
                    },
                }
            }
        }
    }

    /// Whether the symptom still shows: looking at it took time, in which it may have passed.
    fn shows(&self, symptom: &Symptom) -> bool {
        match symptom.cause {
            Cause::Poll(poll) => self.desk.is_in(&poll),
            Cause::Silence(_) => {
                self.desk.pulse() == Pulse::Idle(self.quiet.pulse) && self.beat.is_pending()
            }
        }
    }

    fn notice<O: OnStall>(&mut self, duty: &mut Duty<O>, symptom: &Symptom, now: u64) {
        let stall = self.stall(duty, symptom, now);
        if !self.shows(symptom) {
            return; // and what was read may be of the next poll
        }
        self.desk.show_stuck(symptom.since);
        let before = self.stuck.take();
        self.stuck = Some(Stuck {
            since: before.map_or_else(|| symptom.since, |stuck| stuck.since),
            cause: symptom.cause,
            stall: stall.clone(),
            replaced: false,
        });
        duty.notice(&stall);
    }

    fn stall<O>(&self, duty: &Duty<O>, symptom: &Symptom, now: u64) -> Stall {
        let polled = symptom
            .poll()
            .and_then(|poll| self.desk.resident(poll.seat));
        let run = polled.as_ref().map(|resident| &resident.run);
        let message = polled
            .as_ref()
            .filter(|resident| !resident.run.is_fenced())
            .and_then(|resident| resident.child.upgrade())
            .and_then(|child| {
                duty.tree.roster().tally.actors_read.add(1);
                child.current_message()
            });
        Stall {
            kind: symptom
                .poll()
                .map_or(StallKind::NoBeat, |_| StallKind::Busy),
            id: run.map(|run| run.actor.as_ref().to_owned()),
            generation: run.map_or(0, |run| run.generation),
            message,
            thread: Some(self.desk.name.clone()),
            busy_for: clock::between(symptom.since, now),
            zone: symptom.limits.zone,
        }
    }

    /// Moves everybody who lives on the thread, if it still is stuck by the same.
    fn replace<O: OnStall>(&mut self, duty: &mut Duty<O>, symptom: &Symptom, now: u64) {
        if !self.shows(symptom) {
            return;
        }
        let Some(stuck) = self.stuck.as_mut().filter(|stuck| !stuck.replaced) else {
            return;
        };
        stuck.stall.busy_for = clock::between(symptom.since, now);
        let movers = movers(&self.desk, duty);
        if movers.is_empty() {
            stuck.replaced = true;
            return;
        }
        let Some(arbiter) = duty.refuge(Some(self.desk.thread), &stuck.stall, now) else {
            return;
        };
        stuck.replaced = true;
        duty.tree.roster().tally.replaced.add(1);
        tracing::error!(
            thread = self.desk.name,
            actors = movers.len(),
            "the actors of a stuck thread move"
        );
        let culprit = symptom.poll().map(|poll| poll.seat);
        for (resident, child) in movers {
            let fall = if culprit == Some(resident.seat) {
                Fall::stall()
            } else {
                Fall::planned_move()
            };
            child.rebuild(&resident.run, &arbiter, &fall);
        }
    }

    fn recover<O: OnStall>(&mut self, duty: &mut Duty<O>, now: u64) {
        if let Some(stuck) = self.stuck.take() {
            self.desk.show_well();
            duty.recovered(&stuck.stall, clock::between(stuck.since, now));
            let thread = self.desk.thread;
            if duty.has_refuge(thread) && movers(&self.desk, duty).is_empty() {
                duty.returned(thread, &self.desk.name);
            }
        }
    }
}

/// The actors of the tree that live on a thread.
fn movers<O>(desk: &Desk, duty: &Duty<O>) -> Vec<(Resident, Arc<dyn Child>)> {
    let residents = desk.residents();
    duty.tree.roster().tally.actors_read.add(residents.len());
    let in_tree = |resident: Resident| {
        let child = resident.child.upgrade()?;
        duty.tree.holds(&child).then_some((resident, child))
    };
    residents.into_iter().filter_map(in_tree).collect()
}

#[cfg(test)]
mod tests;
