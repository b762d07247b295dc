//! Actors that were sent to an arbiter that does not take them.
//!
//! Which thread an arbiter's handle leads to can't be read from it. But what is sent to an arbiter is taken
//! in turn: a thread that has answered a beat which was sent later than the actor was not what the actor
//! waits for. What is left are the threads known to be stuck, and those of which nothing is known at all.

use super::patrol::Duty;
use super::refuge::Place;
use super::roster::Launched;
use super::watch::Watch;
use super::{OnStall, Stall, StallKind};
use crate::clock;
use crate::fall::Fall;
use crate::fence::Run;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Launches that are late, by ticket.
#[derive(Default)]
pub(super) struct Untaken {
    noticed: HashMap<u64, Noticed>,
    /// Those that left an unknown thread for its refuge. It is stuck for as long as it has not thrown all
    /// of them away.
    strays: HashSet<u64>,
}

struct Noticed {
    run: Arc<Run>,
    stall: Stall,
}

/// A launch that is late, and where it may have been sent.
struct Late {
    launched: Launched,
    stall: Stall,
    place: Place,
    others_have_gone: bool,
}

impl Late {
    fn new(launched: Launched, suspect: Option<&Watch>, busy_for: Duration) -> Self {
        let stall = Stall {
            kind: StallKind::NotTaken,
            id: Some(launched.run.actor.as_ref().to_owned()),
            generation: launched.run.generation,
            message: None,
            thread: suspect.map(|watch| watch.desk.name.clone()),
            busy_for,
            zone: None,
        };
        Self {
            launched,
            stall,
            place: suspect.map(|watch| watch.desk.thread),
            others_have_gone: suspect.is_some_and(Watch::is_replaced),
        }
    }
}

impl Untaken {
    pub(super) fn judge<O: OnStall>(&mut self, duty: &mut Duty<O>, watches: &[Watch], now: u64) {
        self.forget_the_taken(duty, now);
        let notice_ns = clock::later(0, duty.plan.notice_after);
        let late = duty
            .tree
            .roster()
            .launches
            .sent_by(now.saturating_sub(notice_ns));
        let before = self.noticed.len();
        for launched in late {
            let sent_at = launched.run.launched_at();
            let lasted = duty.pauses.lasted(sent_at, now);
            if lasted < duty.plan.notice_after {
                continue;
            }
            let waits_for = |watch: &&Watch| watch.may_owe(sent_at);
            if watches
                .iter()
                .any(|watch| !watch.is_stuck() && waits_for(&watch))
            {
                continue; // a thread that is busy, not stuck, may come to it yet
            }
            let suspect = watches.iter().find(waits_for);
            self.judge_one(duty, &Late::new(launched, suspect, lasted), before, now);
        }
        let more = self.noticed.len().saturating_sub(before.saturating_add(1));
        if more > 0 {
            tracing::warn!(more, "and that many more are not taken");
        }
    }

    /// The first that is noticed beyond `before` is logged.
    fn judge_one<O: OnStall>(&mut self, duty: &mut Duty<O>, late: &Late, before: usize, now: u64) {
        let is_first = self.noticed.len() == before;
        self.noticed.entry(late.launched.ticket).or_insert_with(|| {
            late.launched.run.show_untaken();
            if is_first {
                duty.notice(&late.stall);
            } else {
                duty.notice_quietly(&late.stall);
            }
            Noticed {
                run: Arc::clone(&late.launched.run),
                stall: late.stall.clone(),
            }
        });
        // Where the others have gone already, there is nothing to wait for.
        if late.others_have_gone || late.stall.busy_for >= duty.plan.replace_after {
            self.send_on(duty, late, now);
        }
    }

    fn send_on<O: OnStall>(&mut self, duty: &mut Duty<O>, late: &Late, now: u64) {
        duty.tree.roster().tally.actors_read.add(1);
        let child = late.launched.child.upgrade();
        let Some(child) = child.filter(|child| duty.tree.holds(child)) else {
            return;
        };
        let Some(arbiter) = duty.refuge(late.place, &late.stall, now) else {
            return;
        };
        if late.place.is_none() {
            self.strays.insert(late.launched.ticket);
        }
        duty.tree.roster().tally.replaced.add(1);
        child.rebuild(&late.launched.run, &arbiter, &Fall::planned_move());
    }

    fn forget_the_taken<O: OnStall>(&mut self, duty: &mut Duty<O>, now: u64) {
        let launches = &duty.tree.roster().launches;
        let taken = |ticket: &u64| !launches.contains(*ticket);
        let passed: Vec<_> = self
            .noticed
            .extract_if(|ticket, noticed| taken(ticket) || noticed.run.is_fenced())
            .collect();
        let strays_before = self.strays.len();
        self.strays.retain(|ticket| !taken(ticket));
        if strays_before > 0 && self.strays.is_empty() {
            duty.forget_refuge(None);
        }
        for (_, Noticed { run, stall }) in passed {
            if run.home().is_some() && !run.is_fenced() {
                let after = clock::between(run.launched_at(), now);
                duty.recovered(&stall, after);
            }
        }
    }
}
