//! A storm rages over the actors of a test.

use crate::clock;
use crate::node::Node;
use crate::testing::random::Random;
use crate::testing::storm::{Storm, Strike};
use crate::testing::trace::{Trace, What};
use crate::tree::Tree;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::thread;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// What came of a run.
#[derive(Debug)]
pub struct Played<T> {
    /// What the test gave back.
    pub value: T,
    /// Everything that happened.
    pub trace: Trace,
    /// How long it took on the actors' clock.
    pub virtual_time: Duration,
    /// How long it took in the world.
    pub wall_time: Duration,
}

impl<T> Played<T> {
    /// Virtual hours that a second of the world held.
    pub fn hours_a_second(&self) -> f64 {
        let hours = self.virtual_time.as_secs_f64() / 3600.0;
        hours / self.wall_time.as_secs_f64().max(1e-9)
    }
}

/// What a test works with while the storm rages. Clones are the same stage.
#[derive(Clone)]
pub struct Stage {
    tree: Tree,
    trace: Trace,
    storm: Rc<Storm>,
    began: Instant,
    checks: Rc<RefCell<Vec<Check>>>,
}

type Check = Box<dyn FnMut(&Node)>;
type Background = Pin<Box<dyn Future<Output = ()>>>;

/// Plays `test` while `storm` strikes, on a paused clock (see [`crate::testing::run`]), and writes down
/// what happened. It ends with the test; strikes that were due later never come.
///
/// The same storm and the same test give the same trace, as long as the test keeps to virtual time and
/// to the randomness of its stage: no map with random order, no thread, no clock of the world. Actors
/// of the stage's tree keep their message budget, but their time slice never ends: it is real time.
///
/// At every strike, and every minute in between, it is checked that no queue is over its capacity; a test
/// adds its own checks with [`Stage::check`].
///
/// # Panics
/// When the test or a check does; the end of the trace then goes to standard error.
pub fn play<T>(storm: &Storm, test: impl AsyncFnOnce(Stage) -> T) -> Played<T> {
    let began = clock::monotonic();
    let (value, trace, virtual_time) = super::run(async {
        let stage = Stage::set(storm.clone());
        let _last_words = LastWords(stage.trace.clone());
        let background = [
            Box::pin(strike_all(stage.clone())) as Background,
            Box::pin(check_all(stage.clone())),
        ];
        let value = beside(background, test(stage.clone())).await;
        stage.trace.seal();
        (value, stage.trace.clone(), stage.trace.elapsed())
    });
    Played {
        value,
        trace,
        virtual_time,
        wall_time: clock::monotonic().saturating_duration_since(began),
    }
}

impl Stage {
    fn set(storm: Storm) -> Self {
        let began = Instant::now();
        BEGAN.set(Some(began));
        let (tree, trace) = (Tree::with_clock(storm.seed, virtual_ms), Trace::new());
        tree.witness().write_to(trace.clone());
        Self {
            tree,
            trace,
            storm: Rc::new(storm),
            began,
            checks: Rc::default(),
        }
    }

    /// The tree for the test's actors. Its dates are virtual, too: the run began at 0.
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// What happened so far.
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The random numbers of `name` in this run.
    pub fn random(&self, name: &str) -> Random {
        Random::new(self.storm.seed, name)
    }

    /// Has `check` look at the whole tree at every strike and in between. It fails the run by a panic.
    pub fn check(&self, check: impl FnMut(&Node) + 'static) {
        self.checks.borrow_mut().push(Box::new(check));
    }

    /// Virtual time since the run began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Whether the storm's time is over; faults that were ordered may still wait for their message.
    pub fn is_calm(&self) -> bool {
        self.elapsed() >= self.storm.lasting
    }

    /// Waits until the storm's time is over.
    pub async fn calm(&self) {
        sleep_until(self.began + self.storm.lasting).await;
    }

    fn make_checks(&self) {
        let root = self.tree.snapshot();
        within_capacity(&root);
        for check in &mut *self.checks.borrow_mut() {
            check(&root);
        }
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage")
            .field("storm", &self.storm)
            .field("trace", &self.trace)
            .finish_non_exhaustive()
    }
}

async fn strike_all(stage: Stage) {
    for strike in stage.storm.strikes() {
        sleep_until(stage.began + strike.at).await;
        let Strike {
            actor,
            fault,
            times,
            ..
        } = strike;
        let there = stage.tree.inject(&actor, fault, times);
        let ordered = What::Ordered {
            fault,
            times,
            there,
        };
        stage.trace.write(&actor, ordered);
        stage.make_checks();
    }
}

async fn check_all(stage: Stage) {
    let period = stage.storm.check_every.max(Duration::from_millis(1));
    let mut next = stage.began + period;
    loop {
        sleep_until(next).await;
        stage.make_checks();
        next += period;
    }
}

fn within_capacity(node: &Node) {
    let Node { id, mailbox, .. } = node;
    let (depth, capacity) = (mailbox.depth, mailbox.capacity);
    assert!(
        depth <= capacity,
        "{id} holds {depth} of {capacity} messages"
    );
    node.children.iter().for_each(within_capacity);
}

/// Runs `main` to its end. What runs beside it is polled by the same task, so that a panic there ends
/// the run, too.
async fn beside<T>(background: [Background; 2], main: impl Future<Output = T>) -> T {
    let (mut main, mut background) = (pin!(main), background.map(Some));
    poll_fn(|cx| {
        for slot in &mut background {
            slot.take_if(|future| future.as_mut().poll(cx).is_ready());
        }
        main.as_mut().poll(cx)
    })
    .await
}

/// Tells how the trace of a failed run ended.
struct LastWords(Trace);

/// Records that are told.
const TOLD: usize = 20;

impl Drop for LastWords {
    #[expect(clippy::print_stderr, reason = "a failed test speaks there")]
    fn drop(&mut self) {
        if thread::panicking() {
            let records = self.0.records();
            let unsaid = records.len().saturating_sub(TOLD);
            for record in records.iter().skip(unsaid) {
                eprintln!("{record}");
            }
        }
    }
}

thread_local!(static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) });

/// The clock of a stage's tree: milliseconds since the run on this thread began.
fn virtual_ms() -> u64 {
    let elapsed = BEGAN.get().map_or(Duration::ZERO, |began| began.elapsed());
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
