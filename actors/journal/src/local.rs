//! The journal on the local disk: one writer thread, one checkpointer thread, any number of callers.

mod asking;
mod copied;
pub(crate) mod mending;

pub(crate) use asking::Ask;

use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use crate::batch::{BatchBuilder, footprint};
use crate::chains::Chains;
use crate::checkpointer::Message;
use crate::directory::Directory;
use crate::disk::{Disk, RealDisk};
use crate::draft::{Draft, is_chain_name};
use crate::entry::Template;
use crate::erasure::Erasures;
use crate::evidence::Bookmarks;
use crate::frame::FrameHeader;
use crate::heads::Heads;
use crate::journal::{
    Append, AppendError, Class, Done, Erased, Head, HoldInfo, Journal, JournalError, Lines, Opened,
    Repaired, Status,
};
use crate::options::{OnCommit, Options, StartError};
use crate::quarantine::Quarantine;
use crate::queue::{End, Job, Queue, Rejected, Request};
use crate::recovery::{Recovered, recover};
use crate::scrub::{Faults, Part};
use crate::shared::{Counters, Shared, answer, lock};
use crate::spares::Spares;
use crate::threads::{EndedEarly, Threads};
use crate::verify::VerifyReport;
use crate::writer::Writer;

/// A journal in a directory of the local disk.
///
/// Dropping it closes it. It must not be closed or dropped from a callback that runs on its own
/// writer thread; a drop there leaves the threads to end by themselves.
pub struct LocalJournal {
    pub(crate) shared: Arc<Shared>,
    pub(crate) checkpointer: Sender<Message>,
    evidence: Bookmarks,
    /// Held through an erasure.
    pub(crate) erasing: Mutex<()>,
    threads: Mutex<Option<Threads>>,
}

impl LocalJournal {
    /// Opens the journal in `dir`, creating it if there is none, and recovers it.
    ///
    /// `on_commit` is called on the writer's thread with every durable batch, before the batch's
    /// appends are answered.
    pub fn open(
        dir: &Path,
        options: Options,
        on_commit: Option<OnCommit>,
    ) -> Result<Self, StartError> {
        Self::open_on(Arc::new(RealDisk), dir, options, on_commit)
    }

    /// As [`open`](Self::open), on another disk.
    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: Options,
        on_commit: Option<OnCommit>,
    ) -> Result<Self, StartError> {
        let (mut journal, writer, inbox) = Self::assemble(disk, dir, options, on_commit)?;
        let threads = Threads::start(&journal.shared, writer, inbox)
            .map_err(StartError::io("start a thread", dir))?;
        journal.threads = Mutex::new(Some(threads));
        journal.complete_erasures();
        Ok(journal)
    }

    /// Recovers the journal, and answers it with what its threads are to work with.
    pub(crate) fn assemble(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: Options,
        on_commit: Option<OnCommit>,
    ) -> Result<(Self, Writer, Receiver<Message>), StartError> {
        let directory = Directory::open(dir, disk)?;
        let heads = Heads::open(&directory)?;
        let recovered = recover(&directory, &heads, &options)?;
        let Recovered {
            log,
            heads: ends,
            records,
            holds,
            pending,
            segments,
            summary,
        } = recovered;
        let shared = Arc::new(Shared {
            spares: Spares::on_disk(&directory, &options)?,
            erasures: Erasures::begun(heads.erasures().map_err(StartError::Heads)?),
            options,
            directory,
            heads,
            queue: Queue::default(),
            durable: RwLock::new(ends),
            records: Mutex::new(records),
            pending: Mutex::new(pending),
            holds: Mutex::new(holds),
            segments: Mutex::new(segments),
            faults: Faults::default(),
            quarantine: Quarantine::default(),
            scarce: AtomicBool::new(false),
            counters: Counters::default(),
            poisoned: OnceLock::new(),
            recovered: summary,
        });
        let chains = {
            let ends = shared
                .durable
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            Chains::new(&ends, &lock(&shared.holds))
        };
        let (checkpointer, inbox) = channel();
        let writer = Writer {
            shared: Arc::clone(&shared),
            log,
            chains,
            on_commit,
            checkpointer: checkpointer.clone(),
            builder: BatchBuilder::new(),
            on_reserve: false,
        };
        let journal = Self {
            shared,
            checkpointer,
            evidence: Bookmarks::default(),
            erasing: Mutex::new(()),
            threads: Mutex::new(None),
        };
        Ok((journal, writer, inbox))
    }

    /// Makes the entries ready on the caller's thread, as far as that goes without their places.
    fn prepare(&self, append: Append, done: Done) -> Result<Request, (Done, AppendError)> {
        match self.templates(&append.chain, append.drafts) {
            Ok((entries, footprint)) => Ok(Request {
                class: append.class,
                chain: append.chain,
                epoch: append.epoch,
                expected_last: append.expected_last,
                entries,
                footprint,
                done,
            }),
            Err(reason) => Err((done, AppendError::Invalid(reason))),
        }
    }

    fn templates(&self, chain: &str, drafts: Vec<Draft>) -> Result<(Vec<Template>, usize), String> {
        if !is_chain_name(chain) {
            return Err(format!("{chain:?} is not a chain name"));
        }
        let mut entries = Vec::with_capacity(drafts.len());
        let mut bytes = 0;
        for draft in drafts {
            draft.check()?;
            let template = Template::new(chain, draft)?;
            let line_len = template.line_len(u64::MAX);
            let header = FrameHeader::new(chain, u64::MAX, u64::MAX, line_len);
            bytes += footprint(&header.with_attachments(&template.attachments));
            entries.push(template);
        }
        let capacity = self.shared.options.segment_capacity();
        if bytes > capacity {
            return Err(format!(
                "{bytes} bytes do not fit into a log segment ({capacity})"
            ));
        }
        Ok((entries, bytes))
    }

    fn stop(&self) -> Result<(), JournalError> {
        let Some(threads) = lock(&self.threads).take() else {
            return Ok(());
        };
        self.shared.queue.close();
        match threads.join(&self.checkpointer) {
            Ok(completed) if self.shared.poisoned.get().is_none() => completed,
            Ok(_) | Err(EndedEarly) => Err(self.failure()),
        }
    }

    pub(crate) fn failure(&self) -> JournalError {
        let reason = self.shared.poisoned.get().cloned();
        JournalError::Io(reason.unwrap_or_else(|| "a thread of the journal ended early".into()))
    }
}

impl Journal for LocalJournal {
    fn open(&self, chain: &str) -> Result<Opened, JournalError> {
        check_name(chain)?;
        let chain = Arc::from(chain);
        self.order(|reply| Job::Open { chain, reply })
    }

    fn append(&self, append: Append, done: Done) {
        // A barrier takes no room.
        let intake = append.class == Class::Intake && !append.drafts.is_empty();
        if intake && self.shared.disk_is_scarce() {
            return answer(done, Err(AppendError::Full));
        }
        let request = match self.prepare(append, done) {
            Ok(request) => request,
            Err((done, error)) => return answer(done, Err(error)),
        };
        let Err((job, rejected)) = self
            .shared
            .queue
            .push(Job::Append(request), &self.shared.options)
        else {
            return;
        };
        match (rejected, job) {
            (Rejected::Ended(end), job) => job.refuse(&end),
            (Rejected::Full, Job::Append(request)) => {
                answer(request.done, Err(AppendError::Full));
            }
            (
                Rejected::Full,
                job @ (Job::Open { .. }
                | Job::Hold { .. }
                | Job::Release { .. }
                | Job::LeaveSegment { .. }),
            ) => {
                job.refuse(&End::Closed);
            }
        }
    }

    fn has_room(&self, class: Class) -> bool {
        self.shared.has_room(class)
    }

    fn head(&self, chain: &str) -> Option<Head> {
        self.shared.head(chain)
    }

    fn read(&self, chain: &str, from_seq: u64, to_seq: Option<u64>) -> Result<Lines, JournalError> {
        self.complete_to(chain, to_seq)?;
        self.read_copied(chain, from_seq, to_seq)
    }

    fn verify(&self, chain: &str) -> Result<VerifyReport, JournalError> {
        self.flush(chain)?;
        self.verify_copied(chain)
    }

    fn flush(&self, chain: &str) -> Result<(), JournalError> {
        check_name(chain)?;
        let chain = Arc::from(chain);
        self.ask(|reply| Message::Flush { chain, reply })
    }

    fn evidence(&self, chain: &str, seq: u64) -> Result<Vec<Vec<u8>>, JournalError> {
        self.complete_to(chain, Some(seq))?;
        self.evidence_copied(chain, seq)
    }

    fn erase(&self, chain: &str, runs: &[(u64, u64)]) -> Result<Erased, JournalError> {
        self.erase_entries(chain, runs)
    }

    fn chains(&self) -> Vec<String> {
        let chains = self.shared.chains();
        chains.iter().map(ToString::to_string).collect()
    }

    fn damaged(&self, chain: &str) -> Vec<(Part, u64)> {
        self.shared.faults.of(chain)
    }

    fn unwritable(&self, chain: &str) -> Option<String> {
        self.shared.quarantine.why(chain)
    }

    fn status(&self) -> Status {
        self.shared.status()
    }

    fn hold(&self, chain: &str) -> Option<HoldInfo> {
        self.shared.hold(chain)
    }

    fn restore(&self, chain: &str, tail: Vec<Vec<u8>>) -> Result<Repaired, JournalError> {
        let restored = mending::restore(self, chain, tail);
        // The store may have been cut.
        self.evidence.forget(chain);
        restored
    }

    fn repair(&self, chain: &str, tail: Vec<Vec<u8>>) -> Result<Repaired, JournalError> {
        let repaired = mending::repair(self, chain, tail);
        self.evidence.forget(chain);
        repaired
    }

    fn repair_unknown(&self) -> Result<(), JournalError> {
        mending::repair_unknown(self)
    }

    fn close(&self) -> Result<(), JournalError> {
        self.stop()
    }
}

impl Drop for LocalJournal {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!(%error, "the journal was not closed cleanly");
        }
    }
}

pub(crate) fn check_name(chain: &str) -> Result<(), JournalError> {
    if is_chain_name(chain) {
        return Ok(());
    }
    Err(JournalError::Name(chain.to_owned()))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn io_error(error: io::Error) -> JournalError {
    JournalError::Io(error.to_string())
}

#[cfg(test)]
mod tests;
