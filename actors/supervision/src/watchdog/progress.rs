//! Actors that take nothing from their queues though nobody keeps them from their threads, and those that
//! wait for their supervisors in vain.

use super::patrol::Duty;
use super::{OnStall, Plan, Stall, StallKind};
use crate::child::Waiting;
use crate::clock;
use crate::desk::Pulse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// What the last round has found.
pub(super) struct Progress {
    /// When the next round is due.
    due: u64,
    /// Actors that ought to do something, by id.
    suspects: HashMap<Arc<str>, Suspect>,
}

struct Suspect {
    generation: u64,
    /// What it had taken in all, and since when that has not changed.
    handled: u64,
    since: u64,
    at_rest: bool,
    noticed: Option<Stall>,
}

impl Progress {
    pub(super) fn new(plan: &Plan, now: u64) -> Self {
        Self {
            due: clock::later(now, plan.progress_after / 2),
            suspects: HashMap::new(),
        }
    }

    /// Goes through all actors if a round is due. Since it compares rounds, an actor is noticed within one
    /// and a half times [`Plan::progress_after`].
    pub(super) fn judge<O: OnStall>(&mut self, duty: &mut Duty<O>, now: u64) {
        if now < self.due {
            return;
        }
        self.due = clock::later(now, duty.plan.progress_after / 2);
        let actors = duty.tree.actors();
        duty.tree.roster().tally.actors_read.add(actors.len());
        let mut before = std::mem::take(&mut self.suspects);
        for actor in actors {
            let Some(waiting) = actor.waiting().filter(is_free) else {
                continue;
            };
            let id = Arc::clone(&waiting.run.actor);
            let known = before.remove(&id);
            let suspect = judge_one(known, &waiting, duty, now);
            self.suspects.insert(id, suspect);
        }
        for passed in before.into_values() {
            passed.recovered(duty, now);
        }
    }
}

fn judge_one<O: OnStall>(
    known: Option<Suspect>,
    waiting: &Waiting,
    duty: &mut Duty<O>,
    now: u64,
) -> Suspect {
    let mut suspect = match known {
        Some(known) if known.is_the_same(waiting) => known,
        Some(passed) => {
            passed.recovered(duty, now);
            Suspect::new(waiting, now)
        }
        None => Suspect::new(waiting, now),
    };
    let lasted = duty.pauses.lasted(suspect.since, now);
    if suspect.noticed.is_none() && lasted >= duty.plan.progress_after {
        let stall = suspect.stall(waiting, lasted);
        duty.notice(&stall);
        suspect.noticed = Some(stall);
    }
    suspect
}

/// Whether nothing that is noticed otherwise keeps the actor from its queue: a poll of its own, a stuck
/// thread, the way to one.
fn is_free(waiting: &Waiting) -> bool {
    if waiting.at_rest {
        return true; // it has no thread at present
    }
    waiting.run.home().is_some_and(|home| {
        let polled = matches!(home.desk.pulse(), Pulse::Busy(poll) if poll.seat == home.seat);
        !polled && !home.desk.is_stuck()
    })
}

impl Suspect {
    fn new(waiting: &Waiting, now: u64) -> Self {
        Self {
            generation: waiting.run.generation,
            handled: waiting.handled,
            since: now,
            at_rest: waiting.at_rest,
            noticed: None,
        }
    }

    fn is_the_same(&self, waiting: &Waiting) -> bool {
        self.generation == waiting.run.generation
            && self.handled == waiting.handled
            && self.at_rest == waiting.at_rest
    }

    /// It is no suspect any more, or not for the same reason.
    fn recovered<O: OnStall>(self, duty: &mut Duty<O>, now: u64) {
        if let Some(stall) = self.noticed {
            duty.recovered(&stall, clock::between(self.since, now));
        }
    }

    fn stall(&self, waiting: &Waiting, busy_for: Duration) -> Stall {
        let home = waiting.run.home().filter(|_| !self.at_rest);
        Stall {
            kind: StallKind::NoProgress {
                held_back: waiting.run.holds_back(),
            },
            id: Some(waiting.run.actor.as_ref().to_owned()),
            generation: self.generation,
            message: waiting.head,
            thread: home.map(|home| home.desk.name.clone()),
            busy_for,
            zone: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::{Class, Classified};
    use crate::outcome::Stop;
    use crate::spec::{Backoff, Group, Policy, Spec, Strategy};
    use crate::tree::Tree;
    use crate::watchdog::patrol;
    use actix::prelude::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    struct Idler;

    impl Actor for Idler {
        type Context = crate::context::SupervisedContext<Self>;
    }

    #[derive(Message)]
    #[rtype(result = "()")]
    struct Nudge;

    impl Classified for Nudge {
        const CLASS: Class = Class::Bulk;
    }

    impl Handler<Nudge> for Idler {
        type Result = ();

        fn handle(&mut self, _: Nudge, _: &mut Self::Context) {}
    }

    #[derive(Message)]
    #[rtype(result = "()")]
    struct Fall;

    impl Classified for Fall {
        const CLASS: Class = Class::Bulk;
    }

    impl Handler<Fall> for Idler {
        type Result = ();

        fn handle(&mut self, _: Fall, ctx: &mut Self::Context) {
            ctx.fail("let it fall");
        }
    }

    /// Keeps what it is told; true stands for noticed.
    struct Owner(Sender<(bool, Stall)>);

    impl OnStall for Owner {
        fn noticed(&mut self, stall: &Stall) {
            self.0.send((true, stall.clone())).unwrap();
        }

        fn spare(&mut self, _: &Stall) -> Option<ArbiterHandle> {
            None
        }

        fn recovered(&mut self, stall: &Stall, _: Duration) {
            self.0.send((false, stall.clone())).unwrap();
        }
    }

    /// Judges after each of so many seconds, and gives what the owner was told.
    fn rounds(
        progress: &mut Progress,
        duty: &mut Duty<Owner>,
        told: &Receiver<(bool, Stall)>,
        seconds: impl IntoIterator<Item = u64>,
    ) -> Vec<(bool, Stall)> {
        for second in seconds {
            let now = clock::later(patrol::now(), Duration::from_secs(second));
            progress.judge(duty, now);
        }
        told.try_iter().collect()
    }

    /// The system is not being run, so the actor is neither polled nor does it hold anything back.
    #[test]
    fn a_queue_that_nobody_serves_is_reported_once_until_it_is_served() {
        let (tree, system) = (Tree::new(1), System::new());
        let idler = system.block_on(async {
            let spec = Spec::new("idler", "idler");
            let idler = tree.supervise(spec, &Arbiter::current(), |_| Idler);
            idler.ask(Nudge, Duration::from_secs(9)).await.unwrap();
            idler
        });
        let (tell, told) = channel();
        let plan = Plan::default();
        let mut progress = Progress::new(&plan, patrol::now());
        let mut duty = Duty::new(tree, plan, Owner(tell));
        assert_eq!(rounds(&mut progress, &mut duty, &told, [10, 20, 30]), []);
        idler.try_cast(Nudge).unwrap();
        assert_eq!(rounds(&mut progress, &mut duty, &told, [40, 43]), []);
        let noticed = rounds(&mut progress, &mut duty, &told, [46, 50, 60]);
        let [(true, stall)] = noticed.as_slice() else {
            panic!("{noticed:?}");
        };
        assert_eq!(stall.kind, StallKind::NoProgress { held_back: false });
        assert_eq!((stall.id.as_deref(), stall.generation), (Some("idler"), 1));
        assert!(stall.message.unwrap().ends_with("Nudge"));
        assert!(stall.busy_for >= plan.progress_after);
        system
            .block_on(idler.ask(Nudge, Duration::from_secs(9)))
            .unwrap();
        let passed = rounds(&mut progress, &mut duty, &told, [70, 80]);
        assert_eq!(passed, [(false, stall.clone())]);
    }

    /// One whose supervisor never started it again was passed over, because it had no thread and nobody
    /// was in its way: it could stay at rest for ever and nobody was told.
    #[test]
    fn an_actor_that_waits_for_its_supervisor_is_reported_until_it_is_started() {
        const DAY: Duration = Duration::from_hours(24);
        let (tree, system) = (Tree::new(1), System::new());
        let (first, second) = system.block_on(async {
            tree.supervisor(&Group::new("group", "group").strategy(Strategy::OneForAll));
            let backoff = Backoff {
                base: DAY,
                max: DAY,
                reset_after: DAY,
            };
            let patient = Policy {
                backoff,
                ..Policy::default()
            };
            let here = Arbiter::current();
            let [first, second] = ["group/first", "group/second"].map(|id| {
                let spec = Spec::new(id, "idler").policy(patient);
                tree.supervise(spec, &here, |_| Idler)
            });
            second.ask(Nudge, DAY).await.unwrap();
            first.ask(Fall, DAY).await.unwrap_err();
            (first, second)
        });
        let (tell, told) = channel();
        let plan = Plan::default();
        let mut progress = Progress::new(&plan, patrol::now());
        let mut duty = Duty::new(tree, plan, Owner(tell));
        assert_eq!(rounds(&mut progress, &mut duty, &told, [10, 13]), []);
        let noticed = rounds(&mut progress, &mut duty, &told, [16, 20, 30]);
        let [(true, stall)] = noticed.as_slice() else {
            panic!("{noticed:?}: the first one has a due date");
        };
        assert_eq!(stall.kind, StallKind::NoProgress { held_back: false });
        assert_eq!(stall.id.as_deref(), Some("group/second"));
        assert_eq!((stall.message, &stall.thread), (None, &None));
        system.block_on(async {
            first.stop(Stop::Now); // it was the one that the other waited for
            first.exited().await;
            second.ask(Nudge, DAY).await.unwrap();
        });
        let passed = rounds(&mut progress, &mut duty, &told, [40, 50]);
        assert_eq!(passed, [(false, stall.clone())]);
    }
}
