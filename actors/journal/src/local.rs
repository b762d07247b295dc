//! The journal on the local disk: one writer thread, one checkpointer thread, any number of callers.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::Path;
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use crate::batch::{BatchBuilder, footprint};
use crate::chains::Chains;
use crate::checkpointer::Message;
use crate::directory::Directory;
use crate::draft::{Draft, is_chain_name};
use crate::entry::Template;
use crate::evidence::{Bookmarks, Found};
use crate::frame::FrameHeader;
use crate::heads::Heads;
use crate::journal::{
    Append, AppendError, Done, Head, Journal, JournalError, Lines, Opened, Status,
};
use crate::log_file::{OpenLog, real};
use crate::options::{OnCommit, Options, StartError};
use crate::queue::{End, Job, Queue, Rejected, Request};
use crate::recovery::{Recovered, recover};
use crate::shared::{Counters, Shared, answer, lock};
use crate::spares::Spares;
use crate::tenant_file::LineReader;
use crate::threads::{EndedEarly, Threads};
use crate::verify::{VerifyReport, verify_lines};
use crate::writer::Writer;

/// A journal in a directory of the local disk.
///
/// Dropping it closes it. It must not be closed or dropped from a callback that runs on its own
/// writer thread; a drop there leaves the threads to end by themselves.
pub struct LocalJournal {
    shared: Arc<Shared>,
    checkpointer: Sender<Message>,
    evidence: Bookmarks,
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
        Self::open_with(dir, options, on_commit, real())
    }

    /// As [`open`](Self::open), on log files that `open_log` opens for writing.
    pub(crate) fn open_with(
        dir: &Path,
        options: Options,
        on_commit: Option<OnCommit>,
        open_log: OpenLog,
    ) -> Result<Self, StartError> {
        let directory = Directory::open(dir)?;
        let heads = Heads::open(&directory)?;
        let recovered = recover(&directory, &heads, &options, &open_log)?;
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
            options,
            directory,
            heads,
            queue: Queue::default(),
            durable: RwLock::new(ends),
            records: Mutex::new(records),
            pending: Mutex::new(pending),
            segments: Mutex::new(segments),
            counters: Counters::default(),
            poisoned: OnceLock::new(),
            recovered: summary,
        });
        let chains = {
            let ends = shared
                .durable
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            Chains::new(&ends, &holds.chains, holds.unknown_chains_held)
        };
        let (checkpointer, inbox) = channel();
        let writer = Writer {
            shared: Arc::clone(&shared),
            log,
            chains,
            open_log,
            on_commit,
            checkpointer: checkpointer.clone(),
            builder: BatchBuilder::new(),
        };
        let threads = Threads::start(&shared, writer, inbox)
            .map_err(StartError::io("start a thread", dir))?;
        Ok(Self {
            shared,
            checkpointer,
            evidence: Bookmarks::default(),
            threads: Mutex::new(Some(threads)),
        })
    }

    /// Makes the entries ready on the caller's thread, as far as that goes without their places.
    fn prepare(&self, append: Append, done: Done) -> Result<Request, (Done, AppendError)> {
        match self.templates(&append.chain, append.drafts) {
            Ok((entries, footprint)) => Ok(Request {
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

    fn ended(&self) -> Result<(), JournalError> {
        self.shared
            .queue
            .end()
            .map_or(Ok(()), |end| Err(end.journal_error()))
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

    fn failure(&self) -> JournalError {
        let reason = self.shared.poisoned.get().cloned();
        JournalError::Io(reason.unwrap_or_else(|| "a thread of the journal ended early".into()))
    }
}

impl Journal for LocalJournal {
    fn open(&self, chain: &str) -> Result<Opened, JournalError> {
        check_name(chain)?;
        let (reply, opened) = sync_channel(1);
        let job = Job::Open {
            chain: Arc::from(chain),
            reply,
        };
        if let Err((_, rejected)) = self.shared.queue.push(job, &self.shared.options) {
            return Err(match rejected {
                Rejected::Ended(end) => end.journal_error(),
                Rejected::Full => JournalError::Io("the queue is full".into()),
            });
        }
        opened.recv().unwrap_or_else(|_gone| Err(self.failure()))
    }

    fn append(&self, append: Append, done: Done) {
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
            (Rejected::Full, job @ Job::Open { .. }) => job.refuse(&End::Closed),
        }
    }

    fn head(&self, chain: &str) -> Option<Head> {
        self.shared.head(chain)
    }

    fn read(&self, chain: &str, from_seq: u64, to_seq: Option<u64>) -> Result<Lines, JournalError> {
        self.flush(chain)?;
        let Some(record) = self.shared.record(chain) else {
            return Ok(Box::new(std::iter::empty()));
        };
        let to = to_seq.map_or(record.head.seq, |to| to.min(record.head.seq));
        if from_seq > to {
            return Ok(Box::new(std::iter::empty()));
        }
        let path = self.shared.directory.tenant_path(chain);
        let lines = LineReader::open(&path, chain, &record, (from_seq, to)).map_err(io_error)?;
        Ok(Box::new(lines))
    }

    fn verify(&self, chain: &str) -> Result<VerifyReport, JournalError> {
        self.flush(chain)?;
        let Some(record) = self.shared.record(chain) else {
            return verify_lines(io::empty()).map_err(io_error);
        };
        let path = self.shared.directory.tenant_path(chain);
        let file = File::open(path).map_err(io_error)?;
        // What lies beyond the record is not the chain's yet: the checkpointer may be writing there.
        let chain_only = BufReader::new(file).take(record.offset);
        let report = verify_lines(chain_only).map_err(io_error)?;
        Ok(report.expecting(&record.head))
    }

    fn flush(&self, chain: &str) -> Result<(), JournalError> {
        check_name(chain)?;
        self.ended()?;
        let (reply, flushed) = sync_channel(1);
        let flush = Message::Flush {
            chain: Arc::from(chain),
            reply,
        };
        if self.checkpointer.send(flush).is_err() {
            return Err(self.failure());
        }
        flushed.recv().unwrap_or_else(|_gone| Err(self.failure()))
    }

    fn evidence(&self, chain: &str, seq: u64) -> Result<Vec<Vec<u8>>, JournalError> {
        self.flush(chain)?;
        let record = self
            .shared
            .record(chain)
            .filter(|record| seq <= record.head.seq);
        let Some(record) = record else {
            return Err(JournalError::NoEntry {
                chain: chain.to_owned(),
                seq,
            });
        };
        if record.evidence_offset == 0 {
            return Ok(Vec::new());
        }
        let path = self.shared.directory.evidence_path(chain);
        let found = self
            .evidence
            .find(chain, &path, record.evidence_offset, seq);
        match found.map_err(io_error)? {
            Found::Attachments(attachments) => Ok(attachments),
            Found::Damaged => Err(JournalError::Damaged {
                chain: chain.to_owned(),
                seq,
                reason: "the evidence store does not match its checksums",
            }),
        }
    }

    fn chains(&self) -> Vec<String> {
        let durable = self
            .shared
            .durable
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let names: BTreeSet<String> = durable.keys().map(ToString::to_string).collect();
        names.into_iter().collect()
    }

    fn status(&self) -> Status {
        self.shared.status()
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

fn check_name(chain: &str) -> Result<(), JournalError> {
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
