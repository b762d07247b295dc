//! A thread's stalls against a plain model of them, in a time of their own.

use super::*;
use crate::desk;
use crate::fence::Run;
use crate::tree::Tree;
use actix::{ArbiterHandle, System};
use proptest::prelude::*;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

const PLAN: Plan = Plan {
    look_every: Duration::from_millis(10),
    notice_after: Duration::from_millis(60),
    replace_after: Duration::from_millis(200),
    progress_after: Duration::from_secs(5),
};

/// What happens to the thread before the watchdog looks again.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The poll under way ends, if one is, and the next one begins.
    Poll,
    /// The poll under way ends.
    Rest,
    /// The thread gets round to its beats. It can't while it is in a poll.
    Beat,
    Nothing,
}

fn steps() -> impl Strategy<Value = Vec<(Step, u64)>> {
    let step = prop_oneof![
        3 => Just(Step::Poll),
        2 => Just(Step::Rest),
        2 => Just(Step::Beat),
        3 => Just(Step::Nothing),
    ];
    prop::collection::vec((step, 1u64..90), 1..80)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Noticed(StallKind),
    Recovered,
}

struct Owner(Sender<Told>);

impl OnStall for Owner {
    fn noticed(&mut self, stall: &Stall) {
        self.0.send(Told::Noticed(stall.kind)).unwrap();
    }

    fn spare(&mut self, _: &Stall) -> Option<ArbiterHandle> {
        None
    }

    fn recovered(&mut self, _: &Stall, _: Duration) {
        self.0.send(Told::Recovered).unwrap();
    }
}

/// Milliseconds, and numbers instead of stamps.
#[derive(Default)]
struct Model {
    /// The number of the poll under way, and its beginning.
    poll: Option<(u32, u64)>,
    polls: u32,
    /// When something was heard of the thread, as far as looks can tell.
    heard_at: u64,
    polls_seen: u32,
    /// A beat was answered that no look has heard of.
    answered: bool,
    /// The stall of this spell that was noticed last: of a poll, or of a silence since.
    stuck: Option<(Option<u32>, u64)>,
}

impl Model {
    fn look(&mut self, now: u64) -> Option<Told> {
        let answered = std::mem::take(&mut self.answered);
        if answered {
            self.heard_at = now;
        }
        let (cause, kind) = if let Some((number, begun)) = self.poll {
            ((Some(number), begun), StallKind::Busy)
        } else {
            if self.polls_seen != self.polls {
                (self.polls_seen, self.heard_at) = (self.polls, now);
            }
            ((None, self.heard_at), StallKind::NoBeat)
        };
        if now - cause.1 < 60 {
            let over = answered && self.stuck.take().is_some();
            return over.then_some(Told::Recovered);
        }
        (self.stuck.replace(cause) != Some(cause)).then_some(Told::Noticed(kind))
    }
}

/// A thread that does only what it is told, beside its model.
struct Bench {
    system: actix::SystemRunner,
    origin: Instant,
    desk: Arc<Desk>,
    stamp: u64,
    watch: Watch,
    duty: Duty<Owner>,
    told: Receiver<Told>,
    model: Model,
}

impl Bench {
    fn new() -> Self {
        let (tree, system) = (Tree::new(1), System::new());
        let run = Run::new("subject".into(), 1);
        let nobody = std::sync::Weak::<crate::core::Core<Nobody>>::new();
        let desk = system.block_on(async {
            run.settle(tree.roster(), nobody);
            desk::here(tree.roster()).unwrap()
        });
        let (tell, told) = channel();
        let origin = clock::monotonic();
        let mut bench = Self {
            system,
            origin,
            watch: Watch::new(Arc::clone(&desk)),
            desk,
            stamp: 0,
            duty: Duty::new(tree, PLAN, Owner(tell)),
            told,
            model: Model::default(),
        };
        bench.watch.listen(bench.ticks(0));
        bench.watch.answered = false;
        bench
    }

    fn at(&self, ms: u64) -> Instant {
        self.origin + Duration::from_millis(ms)
    }

    /// When the watchdog looks: a little later than things begin, whose stamps are no whole numbers.
    fn ticks(&self, ms: u64) -> u64 {
        clock::ticks(self.at(ms) + Duration::from_micros(1))
    }

    fn answer(&mut self) {
        self.system.block_on(async {
            for _ in 0..16 {
                tokio::task::yield_now().await;
            }
        });
        assert!(!self.watch.beat.is_pending());
        self.model.answered = true;
    }

    fn begin_poll(&mut self, now: u64) {
        self.model.polls += 1;
        self.model.poll = Some((self.model.polls, now));
        self.stamp = self.desk.poll_begins(0, clock::ticks(self.at(now)));
    }

    fn rest(&mut self) {
        self.model.poll = None;
        self.desk.poll_ends(self.stamp);
    }
}

/// An actor that is never made.
struct Nobody;

impl actix::Actor for Nobody {
    type Context = crate::context::SupervisedContext<Self>;
}

proptest! {
    #[test]
    fn stalls_are_noticed_once_and_end_with_a_beat(steps in steps()) {
        let mut bench = Bench::new();
        let mut now = 0;
        for (step, pause) in steps {
            match step {
                Step::Poll => bench.begin_poll(now),
                Step::Rest => bench.rest(),
                Step::Beat if bench.model.poll.is_none() => bench.answer(),
                Step::Beat | Step::Nothing => {}
            }
            now += pause;
            let (ticks, expected) = (bench.ticks(now), bench.model.look(now));
            prop_assert!(bench.watch.listen(ticks));
            bench.watch.judge(&mut bench.duty, ticks);
            prop_assert_eq!(bench.told.try_iter().collect::<Vec<_>>(), Vec::from_iter(expected));
            let is_stuck = bench.model.stuck.is_some();
            prop_assert_eq!(bench.desk.is_stuck(), is_stuck);
            prop_assert_eq!(bench.watch.is_stuck(), is_stuck);
        }
    }
}
