//! The journal on a simulated disk: its writer and its checkpointer one step at a time, on one thread.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::disk::SimDisk;
use crate::checkpointer::{Checkpointer, Fatal, Message, Step};
use crate::draft::Draft;
use crate::heads::Holds;
use crate::journal::{
    Append, AppendError, Head, Journal as _, JournalError, Opened, Receipt, RecoverySummary,
};
use crate::local::{Ask, LocalJournal};
use crate::options::{Options, StartError};
use crate::queue::Job;
use crate::scrub::{Fault, Scrub};
use crate::shared::{Shared, lock};
use crate::verify::VerifyReport;
use crate::writer::Writer;

/// Answers to appends, by the number that the asker gave each.
type Answers = Arc<Mutex<Vec<(u64, Result<Vec<Receipt>, AppendError>)>>>;

/// A running journal.
pub(super) struct Host {
    pub(super) journal: LocalJournal,
    writer: Writer,
    checkpointer: Checkpointer,
    /// Jobs in the queue. Nobody may wait for one where there is none.
    jobs: usize,
    answers: Answers,
}

/// The two threads, each taking a step when it is asked to.
pub(super) struct Steps<'a> {
    host: RefCell<&'a mut Host>,
    shared: Arc<Shared>,
}

impl Ask for Steps<'_> {
    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn ask<T>(
        &self,
        message: impl FnOnce(SyncSender<Result<T, JournalError>>) -> Message,
    ) -> Result<T, JournalError> {
        self.ended()?;
        let (reply, answer) = sync_channel(1);
        let handled = self.host.borrow().handle(message(reply));
        answered(handled.and_then(|_| answer.try_recv().map_err(|_unanswered| Dead)))
    }

    fn order<T>(
        &self,
        job: impl FnOnce(SyncSender<Result<T, JournalError>>) -> Job,
    ) -> Result<T, JournalError> {
        let (reply, answer) = sync_channel(1);
        let mut host = self.host.borrow_mut();
        let pushed = self.shared.queue.push(job(reply), &self.shared.options);
        let worked = pushed.map_err(|_ended| Dead).and_then(|()| {
            host.jobs += 1;
            while host.jobs > 0 {
                host.turn()?;
            }
            answer.try_recv().map_err(|_unanswered| Dead)
        });
        answered(worked)
    }
}

fn answered<T>(answer: Result<Result<T, JournalError>, Dead>) -> Result<T, JournalError> {
    answer.unwrap_or_else(|Dead| Err(JournalError::Io("the journal is dead".into())))
}

/// The journal failed; the process has to end.
pub(super) struct Dead;

pub(super) fn root() -> PathBuf {
    PathBuf::from("/data")
}

fn options() -> Options {
    Options {
        segment_bytes: 64 << 10,
        max_batch_entries: 12,
        max_batch_bytes: 24 << 10,
        max_segments: 6,
        checkpoint_interval: Duration::MAX,
        scrub_bytes_per_s: u64::MAX,
        ..Options::default()
    }
}

impl Host {
    /// Starts the journal.
    pub(super) fn start(disk: &SimDisk) -> Result<Self, StartError> {
        let disk = Arc::new(disk.clone());
        let (journal, writer, inbox) = LocalJournal::assemble(disk, &root(), options(), None)?;
        // A closed shelf still gives and takes, but nobody waits at it: there is one thread.
        journal.shared.spares.close();
        let checkpointer = Checkpointer {
            shared: Arc::clone(&journal.shared),
            inbox,
        };
        Ok(Self {
            journal,
            writer,
            checkpointer,
            jobs: 0,
            answers: Answers::default(),
        })
    }

    pub(super) fn summary(&self) -> RecoverySummary {
        self.journal.status().recovered.unwrap_or_default()
    }

    pub(super) fn holds(&self) -> Holds {
        let holds = self.journal.shared.heads.holds();
        holds.expect("a database that was just open")
    }

    pub(super) fn holds_any(&self) -> bool {
        let holds = lock(&self.journal.shared.holds);
        holds.unknown_chains_held || !holds.chains.is_empty()
    }

    pub(super) fn head(&self, chain: &str) -> Option<Head> {
        self.journal.head(chain)
    }

    /// The ends of all chains, by name.
    pub(super) fn heads(&self) -> Vec<(Arc<str>, Head)> {
        let durable = &self.journal.shared.durable;
        let durable = durable.read().unwrap_or_else(PoisonError::into_inner);
        let mut heads: Vec<_> = durable
            .iter()
            .map(|(name, head)| (Arc::clone(name), *head))
            .collect();
        heads.sort_by(|(one, _), (other, _)| one.cmp(other));
        heads
    }

    /// Queues an append; its answer will have `number`, and may be there at once.
    pub(super) fn append(
        &mut self,
        number: u64,
        (chain, epoch, expected_last): (&str, u64, Option<u64>),
        drafts: Vec<Draft>,
    ) {
        let answers = Arc::clone(&self.answers);
        let before = lock(&answers).len();
        let append = Append {
            class: crate::journal::Class::Ordinary,
            chain: Arc::from(chain),
            epoch,
            expected_last,
            drafts,
        };
        let told = Arc::clone(&answers);
        let done = move |result| lock(&told).push((number, result));
        self.journal.append(append, Box::new(done));
        self.jobs += usize::from(lock(&answers).len() == before);
    }

    pub(super) fn answers(&self) -> Vec<(u64, Result<Vec<Receipt>, AppendError>)> {
        std::mem::take(&mut lock(&self.answers))
    }

    pub(super) fn has_jobs(&self) -> bool {
        self.jobs > 0
    }

    /// Writes one batch.
    pub(super) fn turn(&mut self) -> Result<(), Dead> {
        if self.jobs == 0 {
            return Ok(());
        }
        let (shared, mut jobs) = (&self.journal.shared, Vec::new());
        if !shared.queue.take(&shared.options, &mut jobs) {
            return Err(Dead);
        }
        self.jobs -= jobs.len();
        if self.writer.turn(jobs) {
            Ok(())
        } else {
            Err(Dead)
        }
    }

    /// Opens a chain, behind all that is queued.
    pub(super) fn open(&mut self, chain: &str) -> Result<Result<Opened, JournalError>, Dead> {
        let (reply, opened) = sync_channel(1);
        let job = Job::Open {
            chain: Arc::from(chain),
            reply,
        };
        let shared = &self.journal.shared;
        shared
            .queue
            .push(job, &shared.options)
            .map_err(|_ended| Dead)?;
        self.jobs += 1;
        while self.jobs > 0 {
            self.turn()?;
        }
        opened.try_recv().map_err(|_unanswered| Dead)
    }

    /// Completes a chain's files. The inner error may pass.
    pub(super) fn flush(&self, chain: &str) -> Result<Result<(), JournalError>, Dead> {
        let (reply, flushed) = sync_channel(1);
        let chain = Arc::from(chain);
        self.handle(Message::Flush { chain, reply })?;
        flushed.try_recv().map_err(|_unanswered| Dead)
    }

    /// Does what the writer asked the checkpointer for.
    pub(super) fn work_off(&self) -> Result<(), Dead> {
        while let Ok(message) = self.checkpointer.inbox.try_recv() {
            if let Step::Grown = self.handle(message)? {
                self.tidy()?;
            }
        }
        Ok(())
    }

    pub(super) fn fill_shelf(&self) -> Result<(), Dead> {
        self.handle(Message::Spares).map(|_| ())
    }

    pub(super) fn tidy(&self) -> Result<(), Dead> {
        self.end_if(self.checkpointer.tidy())
    }

    /// Closes cleanly, behind all that is queued.
    pub(super) fn close(&mut self) -> Result<(), Dead> {
        while self.jobs > 0 {
            self.turn()?;
        }
        let (reply, _closed) = sync_channel(1);
        self.handle(Message::Close { reply }).map(|_| ())
    }

    /// Has a caller of the journal do something for which both threads work.
    pub(super) fn call<T>(&mut self, call: impl FnOnce(&Steps<'_>) -> T) -> Result<T, Dead> {
        let shared = Arc::clone(&self.journal.shared);
        let done = call(&Steps {
            host: RefCell::new(self),
            shared: Arc::clone(&shared),
        });
        if shared.poisoned.get().is_some() {
            return Err(Dead);
        }
        Ok(done)
    }

    /// Reads all chains' files once, as the scrub does.
    pub(super) fn scrub(&self) -> Vec<Fault> {
        let (_go_on, stop) = channel();
        let scrub = Scrub::new(&self.journal.shared, stop);
        scrub.round().expect("nobody stops it");
        self.journal.status().scrubbed.faults
    }

    pub(super) fn verify(&self, chain: &str) -> Result<VerifyReport, JournalError> {
        self.journal.verify_copied(chain)
    }

    fn handle(&self, message: Message) -> Result<Step, Dead> {
        self.end_if(self.checkpointer.handle(message))
    }

    fn end_if<T>(&self, result: Result<T, Fatal>) -> Result<T, Dead> {
        result.map_err(|Fatal(reason)| {
            self.journal.shared.poison(&reason);
            Dead
        })
    }

    /// The path of a chain's own file.
    pub(super) fn chain_file(&self, chain: &str) -> PathBuf {
        self.journal.shared.directory.tenant_path(chain)
    }

    /// The data page that the active segment is written to next, and the segment's path.
    pub(super) fn place(&self) -> (u64, PathBuf) {
        use crate::directory::{Kind, Name};
        let log = &self.writer.log;
        let name = Name::new(Kind::Segment, log.header.id);
        (log.page, self.journal.shared.directory.path(name))
    }
}

pub(super) fn is_log_segment(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("seg-") && !name.ends_with(".frames"))
}

pub(super) fn is_set_aside(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "frames")
}

/// What is kept for whoever investigates.
pub(super) fn is_kept(path: &Path) -> bool {
    path.parent() == Some(&root().join("held")) && !is_set_aside(path)
}
