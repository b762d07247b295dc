//! An actor as the tree knows it, whatever its type.

use crate::context::Supervised;
use crate::core::{Core, Past, Rest};
use crate::desk::Desk;
use crate::fall::{Debris, Fall};
use crate::fence::Run;
use crate::lock::lock;
use crate::node::{Crash, Node, State};
use crate::outcome::{Exit, Stop};
use crate::poison::{DeadLetter, Letters, RedriveError};
use actix::ArbiterHandle;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// What the tree, its shutdown and its watchdog may ask of an actor. Nothing here runs the actor's code.
pub(crate) trait Child: Send + Sync {
    fn id(&self) -> &str;
    fn node(&self) -> Node;
    /// That of [`Self::node`], without drawing it.
    fn state(&self) -> State;
    fn past(&self) -> Past;
    fn stop_deadline(&self) -> Duration;
    fn close_to_outsiders(&self);
    fn request_stop(&self, how: Stop);
    fn kill(&self);
    /// The exit and the messages left unhandled, once the actor has ended.
    fn ended(&self) -> Option<(Exit, usize)>;
    fn wait_exited(&self) -> Pin<Box<dyn Future<Output = Exit> + Send + '_>>;
    /// The desk of the present generation, once a thread has taken it.
    fn desk(&self) -> Option<Arc<Desk>>;
    /// The message in its handler.
    fn current_message(&self) -> Option<&'static str>;
    /// What waits for the actor, if it is in service and anything does; or that the actor itself waits for
    /// its supervisor, without a due date.
    fn waiting(&self) -> Option<Waiting>;
    fn rebuild(self: Arc<Self>, run: &Run, arbiter: &ArbiterHandle, fall: &Fall);
    /// Ends the present generation; the actor waits for [`Self::launch`].
    fn cut(&self) -> Option<Debris>;
    fn launch(self: Arc<Self>, pause: Duration) -> bool;
    fn give_up(&self, why: &Crash) -> Option<Debris>;
    fn dead_letters(&self) -> Vec<DeadLetter>;
    fn redrive(&self, number: u64) -> Result<(), RedriveError>;
    fn discard(&self, number: u64) -> Result<(), RedriveError>;
    /// Gives all letters out; none is kept from then on. Only to be dropped where no lock is held.
    fn take_letters(&self) -> Letters;
}

/// An actor that ought to do something.
pub(crate) struct Waiting {
    pub(crate) run: Arc<Run>,
    /// Its supervisor has ended it, to start it again when its turn comes.
    pub(crate) at_rest: bool,
    /// The message type at the head of its most urgent lane. Always there in service.
    pub(crate) head: Option<&'static str>,
    /// Messages that it has taken in all its lives.
    pub(crate) handled: u64,
}

impl<A: Supervised> Child for Core<A> {
    fn id(&self) -> &str {
        &self.id
    }

    fn node(&self) -> Node {
        Self::node(self)
    }

    fn state(&self) -> State {
        lock(&self.inner).state(self.settings.stall_after())
    }

    fn past(&self) -> Past {
        Self::past(self)
    }

    fn stop_deadline(&self) -> Duration {
        self.policy.stop_deadline
    }

    fn close_to_outsiders(&self) {
        Self::close_to_outsiders(self);
    }

    fn request_stop(&self, how: Stop) {
        Self::request_stop(self, how);
    }

    fn kill(&self) {
        self.end_by_order(Exit::Killed);
    }

    fn ended(&self) -> Option<(Exit, usize)> {
        Self::ended(self)
    }

    fn wait_exited(&self) -> Pin<Box<dyn Future<Output = Exit> + Send + '_>> {
        Box::pin(Self::wait_exited(self))
    }

    fn desk(&self) -> Option<Arc<Desk>> {
        self.current_run().home().map(|home| Arc::clone(&home.desk))
    }

    fn current_message(&self) -> Option<&'static str> {
        lock(&self.inner)
            .current
            .as_ref()
            .map(|envelope| envelope.key().message)
    }

    fn waiting(&self) -> Option<Waiting> {
        let inner = lock(&self.inner);
        if inner.exit.is_some() || inner.restart_due.is_some() {
            return None;
        }
        let at_rest = inner.rest != Rest::No;
        let head = inner.lanes.head().map(|envelope| envelope.key().message);
        (at_rest || head.is_some()).then(|| Waiting {
            run: Arc::clone(&inner.run),
            at_rest,
            head,
            handled: inner.record.handled,
        })
    }

    fn rebuild(self: Arc<Self>, run: &Run, arbiter: &ArbiterHandle, fall: &Fall) {
        Self::rebuild(&self, run, arbiter, fall);
    }

    fn cut(&self) -> Option<Debris> {
        Self::cut(self)
    }

    fn launch(self: Arc<Self>, pause: Duration) -> bool {
        Self::launch(&self, pause)
    }

    fn give_up(&self, why: &Crash) -> Option<Debris> {
        self.take_down(None, Exit::GaveUp(why.summary()))
    }

    fn dead_letters(&self) -> Vec<DeadLetter> {
        Self::dead_letters(self)
    }

    fn redrive(&self, number: u64) -> Result<(), RedriveError> {
        Self::redrive(self, number, false)
    }

    fn discard(&self, number: u64) -> Result<(), RedriveError> {
        Self::discard(self, number)
    }

    fn take_letters(&self) -> Letters {
        Self::take_letters(self)
    }
}
