//! Supervisors restart by the rules of Erlang/OTP: random trees of real actors, random falls on a paused
//! clock, and after each of them the same picture as in a small reference of those rules.

mod reference;

use crate::otp::reference::{Plan, Reference, Shape};
use crate::worker::{ms, quick};
use actix::prelude::*;
use proptest::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;
use vyrox_supervision::testing::run;
use vyrox_supervision::{
    Backoff, Class, Classified, Group, Handle, Policy, Restart, Spec, State, Stop, Strategy,
    SupervisedContext, Tree,
};

/// What befalls a tree.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Time passes, in milliseconds.
    Pass(u64),
    /// A worker panics in its handler.
    Crash(usize),
    /// A worker stops itself in order.
    Leave(usize),
    /// Somebody stops a worker, in order or at once.
    Stop(usize, Stop),
    /// A worker panics, and again in so many of its next starts.
    CrashAndFailToStart(usize, u32),
}

#[test]
fn random_trees_agree_with_the_reference() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: ProptestConfig::default().cases.max(10_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let traces = (plan(), prop::collection::vec(step(), 1..16));
    runner
        .run(&traces, |(plan, steps)| run(play(&plan, &steps)))
        .unwrap();
}

fn plan() -> impl Strategy_<Value = Plan> {
    let worker = restart().prop_map(Shape::Worker);
    let inner = (rule(), restart(), prop::collection::vec(restart(), 0..4)).prop_map(
        |((strategy, intensity, period_ms), restart, workers)| {
            Shape::Supervisor(Plan {
                strategy,
                intensity,
                period_ms,
                restart,
                children: workers.into_iter().map(Shape::Worker).collect(),
            })
        },
    );
    let child = prop_oneof![2 => worker, 1 => inner];
    (rule(), prop::collection::vec(child, 1..5)).prop_map(
        |((strategy, intensity, period_ms), children)| Plan {
            strategy,
            intensity,
            period_ms,
            restart: Restart::Permanent,
            children,
        },
    )
}

use proptest::strategy::Strategy as Strategy_;

fn rule() -> impl Strategy_<Value = (Strategy, u32, u64)> {
    let strategy = prop_oneof![
        Just(Strategy::OneForOne),
        Just(Strategy::OneForAll),
        Just(Strategy::RestForOne)
    ];
    (strategy, 0u32..5, 1u64..5_000)
}

fn restart() -> impl Strategy_<Value = Restart> {
    prop_oneof![
        3 => Just(Restart::Permanent),
        2 => Just(Restart::Transient),
        1 => Just(Restart::Temporary)
    ]
}

fn step() -> impl Strategy_<Value = Step> {
    prop_oneof![
        2 => (0u64..3_000).prop_map(Step::Pass),
        4 => (0usize..12).prop_map(Step::Crash),
        1 => (0usize..12).prop_map(Step::Leave),
        1 => (0usize..12, prop_oneof![Just(Stop::Drain), Just(Stop::Now)])
            .prop_map(|(who, how)| Step::Stop(who, how)),
        1 => (0usize..12, 1u32..4).prop_map(|(who, times)| Step::CrashAndFailToStart(who, times)),
    ]
}

/// Plays the steps on real actors and on the reference, and compares the two after each.
async fn play(plan: &Plan, steps: &[Step]) -> Result<(), TestCaseError> {
    let stage = Stage::new(plan);
    let mut reference = Reference::new(plan);
    let begun = tokio::time::Instant::now();
    rest().await;
    stage.compare(&mut reference)?;
    for step in steps {
        let workers = stage.workers.len().max(1);
        if let Step::Pass(ms) = *step {
            sleep(Duration::from_millis(ms)).await;
        }
        let now_ms = u64::try_from(begun.elapsed().as_millis()).unwrap();
        match *step {
            Step::Pass(_) => {}
            Step::Crash(who) => {
                stage.send(who % workers, |actor| actor.try_cast(Crash).is_ok());
                reference.crash(who % workers, now_ms);
            }
            Step::Leave(who) => {
                stage.send(who % workers, |actor| actor.try_cast(Leave).is_ok());
                reference.leave(who % workers, now_ms);
            }
            Step::Stop(who, how) => {
                stage.send(who % workers, |actor| {
                    actor.stop(how);
                    true
                });
                if !stage.workers.is_empty() {
                    reference.stop(who % workers, now_ms);
                }
            }
            Step::CrashAndFailToStart(who, times) => {
                let who = who % workers;
                if stage.send(who, |actor| actor.try_cast(Crash).is_ok()) {
                    stage.workers[who].fails.store(times, Ordering::Relaxed);
                    reference.fail_to_start(who, times);
                }
                reference.crash(who, now_ms);
            }
        }
        rest().await;
        stage.compare(&mut reference)?;
    }
    Ok(())
}

/// The paused clock moves only when nobody has anything left to do.
async fn rest() {
    sleep(ms(1)).await;
}

/// A tree of real actors.
struct Stage {
    tree: Tree,
    workers: Vec<Member>,
    supervisors: Vec<String>,
    starts: Numbers,
    ends: Numbers,
}

struct Member {
    handle: Handle<Player>,
    fails: Arc<AtomicU32>,
}

/// The workers' numbers in the order of their starts, or ends.
type Numbers = Arc<Mutex<Vec<usize>>>;

impl Stage {
    fn new(plan: &Plan) -> Self {
        let mut stage = Self {
            tree: Tree::with_clock(1, || 1_000_000),
            workers: Vec::new(),
            supervisors: Vec::new(),
            starts: Numbers::default(),
            ends: Numbers::default(),
        };
        stage.build("top", plan);
        stage
    }

    fn build(&mut self, id: &str, plan: &Plan) {
        let group = Group {
            restart: plan.restart,
            backoff: at_once(),
            ..Group::new(id, "supervisor")
                .strategy(plan.strategy)
                .bears(plan.intensity, Duration::from_millis(plan.period_ms))
        };
        self.tree.supervisor(&group);
        self.supervisors.push(id.to_owned());
        for (place, child) in plan.children.iter().enumerate() {
            let id = format!("{id}/{place}");
            match child {
                Shape::Supervisor(plan) => self.build(&id, plan),
                Shape::Worker(restart) => self.hire(&id, *restart),
            }
        }
    }

    fn hire(&mut self, id: &str, restart: Restart) {
        let policy = Policy {
            restart,
            // Not its own intensity counts, but its supervisor's.
            intensity: 0,
            ..quick()
        };
        let (starts, ends) = (Arc::clone(&self.starts), Arc::clone(&self.ends));
        let number = self.workers.len();
        let fails = Arc::<AtomicU32>::default();
        let own_fails = Arc::clone(&fails);
        let spec = Spec::new(id, "worker").policy(policy);
        let handle = self
            .tree
            .supervise(spec, &Arbiter::current(), move |_| Player {
                number,
                starts: Arc::clone(&starts),
                ends: Arc::clone(&ends),
                fails: Arc::clone(&own_fails),
            });
        self.workers.push(Member { handle, fails });
    }

    fn send(&self, who: usize, how: impl FnOnce(&Handle<Player>) -> bool) -> bool {
        self.workers
            .get(who)
            .is_some_and(|member| how(&member.handle))
    }

    fn compare(&self, reference: &mut Reference) -> Result<(), TestCaseError> {
        prop_assert_eq!(&*self.starts.lock().unwrap(), &reference.starts);
        prop_assert_eq!(&*self.ends.lock().unwrap(), &reference.ends);
        for (who, member) in self.workers.iter().enumerate() {
            let state = member.handle.snapshot().state;
            prop_assert_eq!(
                state == State::Running,
                reference.is_up(who),
                "worker {} is {:?}",
                who,
                state
            );
        }
        for (which, id) in self.supervisors.iter().enumerate() {
            let node = self.tree.find(id).unwrap();
            let given_up = node.state == State::Suspended;
            prop_assert_eq!(
                (given_up, node.restarts),
                reference.supervisor(which),
                "{}",
                id
            );
        }
        Ok(())
    }
}

fn at_once() -> Backoff {
    quick().backoff
}

struct Player {
    number: usize,
    starts: Numbers,
    ends: Numbers,
    fails: Arc<AtomicU32>,
}

impl Drop for Player {
    fn drop(&mut self) {
        self.ends.lock().unwrap().push(self.number);
    }
}

impl Actor for Player {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.starts.lock().unwrap().push(self.number);
        let left = self.fails.load(Ordering::Relaxed);
        if left > 0 {
            self.fails.store(left - 1, Ordering::Relaxed);
            ctx.fail("it does not start");
        }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Crash;

#[derive(Message)]
#[rtype(result = "()")]
struct Leave;

impl Classified for Crash {
    const CLASS: Class = Class::Control;
}

impl Classified for Leave {
    const CLASS: Class = Class::Control;
}

impl Handler<Crash> for Player {
    type Result = ();

    fn handle(&mut self, _: Crash, ctx: &mut Self::Context) {
        ctx.fail("it was told to");
    }
}

impl Handler<Leave> for Player {
    type Result = ();

    fn handle(&mut self, _: Leave, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
