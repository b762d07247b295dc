//! The journal's threads: how they are started, and how they are waited for.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use crate::checkpointer::{Checkpointer, Message};
use crate::journal::JournalError;
use crate::scrub::Scrub;
use crate::shared::Shared;
use crate::writer::Writer;

/// The running threads.
pub(crate) struct Threads {
    writer: JoinHandle<()>,
    checkpointer: JoinHandle<()>,
    scrub: Option<ScrubThread>,
}

/// It ends when the sender is gone.
struct ScrubThread(Sender<()>, JoinHandle<()>);

/// A thread panicked or was gone before it was asked to end.
pub(crate) struct EndedEarly;

impl Threads {
    /// Starts them.
    pub(crate) fn start(
        shared: &Arc<Shared>,
        writer: Writer,
        inbox: Receiver<Message>,
    ) -> io::Result<Self> {
        let checkpointer = Checkpointer {
            shared: Arc::clone(shared),
            inbox,
        };
        let guard = PoisonOnPanic(Arc::clone(shared), "the checkpointer panicked");
        let checkpointer = thread::Builder::new()
            .name("journal-checkpointer".into())
            .spawn(move || {
                let _guard = guard;
                checkpointer.run();
            })?;
        let guard = PoisonOnPanic(Arc::clone(shared), "the writer panicked");
        let writer = thread::Builder::new()
            .name("journal-writer".into())
            .spawn(move || {
                let _guard = guard;
                writer.run();
            })?;
        Ok(Self {
            writer,
            checkpointer,
            scrub: start_scrub(shared)?,
        })
    }

    /// Waits until the writer has drained its queue, which must be closed already, and then until
    /// the checkpointer has completed every chain's file; answers how that went.
    ///
    /// On the writer's own thread there is nothing to wait for: the threads end by themselves.
    pub(crate) fn join(
        self,
        inbox: &Sender<Message>,
    ) -> Result<Result<(), JournalError>, EndedEarly> {
        if thread::current().id() == self.writer.thread().id() {
            return Ok(Err(JournalError::Io(
                "closed from a callback of the writer".into(),
            )));
        }
        if let Some(ScrubThread(stop, scrub)) = self.scrub {
            drop(stop);
            if scrub.join().is_err() {
                tracing::error!("the scrub panicked");
            }
        }
        let writer = self.writer.join();
        let (reply, completed) = sync_channel(1);
        // A checkpointer that is gone cannot answer either, which is seen below.
        drop(inbox.send(Message::Close { reply }));
        let completed = completed.recv();
        let checkpointer = self.checkpointer.join();
        match (writer, checkpointer, completed) {
            (Ok(()), Ok(()), Ok(completed)) => Ok(completed),
            (_, _, _) => Err(EndedEarly),
        }
    }
}

/// The scrub's thread, if there is to be one. It only reads, and nobody waits for it: whatever becomes of
/// it, the journal goes on.
fn start_scrub(shared: &Arc<Shared>) -> io::Result<Option<ScrubThread>> {
    if shared.options.scrub_bytes_per_s == 0 {
        return Ok(None);
    }
    let (stop, stopped) = channel();
    let scrub = Scrub::new(shared, stopped);
    let thread = thread::Builder::new().name("journal-scrub".into());
    let thread = thread.spawn(move || scrub.run())?;
    Ok(Some(ScrubThread(stop, thread)))
}

/// Ends the journal when one of its threads dies, so that nobody waits for it in vain.
struct PoisonOnPanic(Arc<Shared>, &'static str);

impl Drop for PoisonOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.poison(self.1);
        }
    }
}
