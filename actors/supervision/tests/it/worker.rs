//! An actor that does what a test asks of it, and writes down what it did.

use actix::prelude::*;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vyrox_supervision::{
    Backoff, Class, Classified, Handle, Lane, Overflow, Policy, Restart, Spec, SupervisedContext,
    Tree,
};

/// Long enough for any machine; no test waits for it to pass, except on a paused clock.
pub(crate) const LONG: Duration = Duration::from_mins(1);

pub(crate) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What workers did, in order.
#[derive(Clone, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<Entry>>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Started(u64),
    Stopping(u64),
    Stopped(u64),
    Dropped(u64),
    Note { generation: u64, note: u64 },
}

impl Diary {
    pub(crate) fn write(&self, entry: Entry) {
        self.0.lock().unwrap().push(entry);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn notes(&self) -> Vec<u64> {
        let note = |entry| {
            if let Entry::Note { note, .. } = entry {
                Some(note)
            } else {
                None
            }
        };
        self.entries().into_iter().filter_map(note).collect()
    }

    pub(crate) fn count(&self, entry: Entry) -> usize {
        self.entries().into_iter().filter(|e| *e == entry).count()
    }
}

pub(crate) struct Worker {
    pub(crate) generation: u64,
    pub(crate) diary: Diary,
}

impl Worker {
    pub(crate) fn note(&self, note: u64) {
        self.diary.write(Entry::Note {
            generation: self.generation,
            note,
        });
    }
}

impl Actor for Worker {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        assert_eq!(ctx.generation(), self.generation);
        self.diary.write(Entry::Started(self.generation));
    }

    fn stopping(&mut self, _: &mut Self::Context) -> Running {
        self.diary.write(Entry::Stopping(self.generation));
        Running::Stop
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.diary.write(Entry::Stopped(self.generation));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.diary.write(Entry::Dropped(self.generation));
    }
}

/// Writes its number down; the answer is the generation.
pub(crate) struct Note(pub(crate) u64);
/// The same, urgently.
pub(crate) struct Urgent(pub(crate) u64);
/// Panics.
pub(crate) struct Boom;
/// Panics if it is 13; its digest is the number.
pub(crate) struct Tagged(pub(crate) u64);
/// Runs in the handler.
pub(crate) struct Do(Action);
/// The same, before everything else.
pub(crate) struct Promptly(pub(crate) Do);
/// The same, before all bulk.
pub(crate) struct Pressing(pub(crate) Do);

type Action = Box<dyn FnOnce(&mut Worker, &mut SupervisedContext<Worker>) + Send>;

/// Notes its number after a pause; the answer is the number.
pub(crate) struct Later(pub(crate) Duration, pub(crate) u64);
/// Blocks the arbiter's thread until the test opens the gate.
pub(crate) struct Block(Sender<()>, Receiver<()>);

pub(crate) fn run_in(
    action: impl FnOnce(&mut Worker, &mut SupervisedContext<Worker>) + Send + 'static,
) -> Do {
    Do(Box::new(action))
}

/// Both ends of a [`Block`]: tells that the handler blocks, and lets it go when it is dropped.
pub(crate) struct Gate {
    entered: Receiver<()>,
    _open: Sender<()>,
}

impl Gate {
    pub(crate) fn new() -> (Self, Block) {
        let ((entered_tx, entered), (open, wait)) = (channel(), channel());
        (
            Self {
                entered,
                _open: open,
            },
            Block(entered_tx, wait),
        )
    }

    pub(crate) fn wait_until_blocked(&self) {
        self.entered
            .recv_timeout(LONG)
            .expect("the handler never ran");
    }
}

macro_rules! message {
    ($name:ident => $result:ty, $class:ident) => {
        impl Message for $name {
            type Result = $result;
        }
        impl Classified for $name {
            const CLASS: Class = Class::$class;
        }
    };
}
message!(Note => u64, Bulk);
message!(Urgent => u64, Control);
message!(Boom => (), Bulk);
message!(Do => (), Bulk);
message!(Promptly => (), Control);
message!(Pressing => (), Containment);
message!(Later => u64, Bulk);
message!(Block => u64, Bulk);

impl Message for Tagged {
    type Result = u64;
}

impl Classified for Tagged {
    const CLASS: Class = Class::Bulk;

    fn digest(&self) -> u64 {
        self.0
    }
}

impl Handler<Note> for Worker {
    type Result = u64;

    fn handle(&mut self, message: Note, _: &mut Self::Context) -> u64 {
        self.note(message.0);
        self.generation
    }
}

impl Handler<Urgent> for Worker {
    type Result = u64;

    fn handle(&mut self, message: Urgent, _: &mut Self::Context) -> u64 {
        self.note(message.0);
        self.generation
    }
}

impl Handler<Boom> for Worker {
    type Result = ();

    fn handle(&mut self, _: Boom, _: &mut Self::Context) {
        panic!("boom");
    }
}

impl Handler<Tagged> for Worker {
    type Result = u64;

    fn handle(&mut self, message: Tagged, _: &mut Self::Context) -> u64 {
        assert_ne!(message.0, 13, "unlucky");
        message.0
    }
}

impl Handler<Do> for Worker {
    type Result = ();

    fn handle(&mut self, message: Do, ctx: &mut Self::Context) {
        (message.0)(self, ctx);
    }
}

impl Handler<Promptly> for Worker {
    type Result = ();

    fn handle(&mut self, message: Promptly, ctx: &mut Self::Context) {
        self.handle(message.0, ctx);
    }
}

impl Handler<Pressing> for Worker {
    type Result = ();

    fn handle(&mut self, message: Pressing, ctx: &mut Self::Context) {
        self.handle(message.0, ctx);
    }
}

impl Handler<Later> for Worker {
    type Result = ResponseActFuture<Self, u64>;

    fn handle(&mut self, message: Later, _: &mut Self::Context) -> Self::Result {
        let pause = actix::clock::sleep(message.0).into_actor(self);
        Box::pin(pause.map(move |(), worker, _| {
            worker.note(message.1);
            message.1
        }))
    }
}

impl Handler<Block> for Worker {
    type Result = u64;

    fn handle(&mut self, message: Block, _: &mut Self::Context) -> u64 {
        message.0.send(()).unwrap();
        // Ends when the gate is dropped.
        assert!(message.1.recv().is_err());
        self.generation
    }
}

/// No pause between generations, and falls enough for any test.
pub(crate) fn quick() -> Policy {
    Policy {
        intensity: 100,
        backoff: Backoff {
            base: Duration::ZERO,
            ..Backoff::default()
        },
        ..Policy::default()
    }
}

pub(crate) fn bulk(capacity: usize, overflow: Overflow) -> Policy {
    let mut policy = quick();
    policy.lanes[2] = Lane { capacity, overflow };
    policy
}

pub(crate) fn restarting(restart: Restart) -> Policy {
    Policy { restart, ..quick() }
}

/// A worker on the current arbiter, in a tree of its own.
pub(crate) fn worker(policy: Policy) -> (Tree, Handle<Worker>, Diary) {
    let tree = Tree::with_clock(1, || 1_000_000);
    let (handle, diary) = worker_in(&tree, "worker", policy, &Arbiter::current());
    (tree, handle, diary)
}

pub(crate) fn worker_in(
    tree: &Tree,
    id: &str,
    policy: Policy,
    arbiter: &ArbiterHandle,
) -> (Handle<Worker>, Diary) {
    let diary = Diary::default();
    let own = diary.clone();
    let spec = Spec::new(id, "worker").policy(policy);
    let handle = tree.supervise(spec, arbiter, move |generation| Worker {
        generation,
        diary: own.clone(),
    });
    (handle, diary)
}

/// Runs `test` on a system with a real clock, for tests that block arbiters.
pub(crate) fn with_threads<F: Future>(test: F) -> F::Output {
    System::new().block_on(test)
}
