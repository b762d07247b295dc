//! Signs what the chains have become: each second, if anything was added, every chain's state goes
//! into the host's log, and the log is signed. On a thread of its own, from a feed of its own; the
//! journal waits for nothing here.
//!
//! What is signed binds the host as well: a chain that is shorter than it was, or another one, is
//! found by the same records, and bars containment (see [`crate::integrity`]).

mod asking;
mod checking;
mod office;
mod opaque;
mod opening;
mod rebasing;
mod rotating;
mod showing;
mod witness;
mod witnessing;

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use actix::{Actor, AsyncContext as _};
use vyrox_domain::log_key::LogKey;
use vyrox_journal::proof::Signer;
use vyrox_supervision::{Fence, SupervisedContext};

pub use self::{
    asking::Witnesses,
    office::{Office, OfficeParts},
    rebasing::RebaseError,
    rotating::{LogKeys, RotateError},
    showing::LogView,
    witness::{
        SILENT_MS, Witness, WitnessReply, WitnessState, WitnessView, WitnessesView, Witnessing,
    },
};
use crate::feed::{Feed, Taken};

/// The most entries that are taken at once.
const BATCH_ENTRIES: usize = 2048;
/// How often the actor looks after its thread.
const LOOK: Duration = Duration::from_millis(250);

/// A private key of the log.
pub struct LogSigner(pub LogKey);

impl Signer for LogSigner {
    fn public_key(&self) -> [u8; 32] {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message)
    }
}

/// What the notary works with.
#[derive(Clone)]
pub struct NotaryParts {
    /// Where all is kept; shared with whoever asks for proofs.
    pub office: Arc<Office>,
    /// What comes.
    pub feed: Arc<Feed>,
}

/// The actor: stands in the tree for the thread, and brings it back when it falls.
pub struct Notary {
    parts: NotaryParts,
    thread: Option<thread::JoinHandle<()>>,
    fell: Arc<Mutex<bool>>,
}

impl Notary {
    /// A notary; its thread starts with it.
    pub fn new(parts: NotaryParts) -> Self {
        Self {
            parts,
            thread: None,
            fell: Arc::default(),
        }
    }
}

impl Actor for Notary {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (parts, fell) = (self.parts.clone(), Arc::clone(&self.fell));
        let fence = ctx.fence();
        let work = move || {
            let run = std::panic::AssertUnwindSafe(|| run(&parts, &fence));
            if std::panic::catch_unwind(run).is_err() {
                *fell.lock().unwrap_or_else(PoisonError::into_inner) = true;
            }
        };
        match thread::Builder::new().name("notary".into()).spawn(work) {
            Ok(thread) => self.thread = Some(thread),
            Err(error) => ctx.fail(format!("no thread for the notary: {error}")),
        }
        ctx.run_interval(LOOK, |notary, ctx| {
            if *notary.fell.lock().unwrap_or_else(PoisonError::into_inner) {
                ctx.fail("the notary's thread panicked");
            }
        });
    }
}

/// Watches until the feed is closed, or until another generation of the actor has its own thread.
fn run(parts: &NotaryParts, fence: &Fence) {
    let NotaryParts { office, feed } = parts;
    office.read_on();
    while fence.is_current() {
        match feed.take(BATCH_ENTRIES, office.pause()) {
            Taken::Entries(entries) => office.observe(&entries),
            Taken::Overrun => office.read_on(),
            Taken::Quiet => {}
            Taken::Closed => return,
        }
        office.tend();
    }
}

#[cfg(test)]
mod tests;
