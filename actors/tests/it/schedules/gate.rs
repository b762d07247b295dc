//! Lets a thread that reads for an actor go on only once the actors' own thread has nothing left to do at this
//! moment. Otherwise which of the two is first would be up to the operating system, and a seed would not give
//! the same history again.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread::{self, ThreadId},
};

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use vyrox_actors::supervision::testing::settle;

#[derive(Clone, Default)]
pub(super) struct Gate(Arc<Mutex<Option<Open>>>);

struct Open {
    actors: ThreadId,
    ask: UnboundedSender<mpsc::Sender<()>>,
}

impl Gate {
    /// The actors run on this thread from now on, until its runtime ends.
    pub(super) fn attend(&self) {
        let (ask, mut asked) = unbounded_channel::<mpsc::Sender<()>>();
        let open = Open {
            actors: thread::current().id(),
            ask,
        };
        *self.0.lock().expect("nobody panics with the lock") = Some(open);
        tokio::task::spawn_local(async move {
            while let Some(go) = asked.recv().await {
                settle().await;
                // Whoever asked waits.
                go.send(()).ok();
            }
        });
    }

    /// Returns once it is this thread's turn.
    pub(super) fn pass(&self) {
        let answer = {
            let open = self.0.lock().expect("nobody panics with the lock");
            let elsewhere = |open: &&Open| open.actors != thread::current().id();
            let Some(open) = open.as_ref().filter(elsewhere) else {
                return;
            };
            let (go, answer) = mpsc::channel();
            // Where the runtime has ended nobody is left to wait for.
            open.ask.send(go).ok();
            answer
        };
        answer.recv().ok();
    }
}
