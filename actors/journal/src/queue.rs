//! What waits for the writer, bounded in entries and in bytes.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::entry::Template;
use crate::journal::{AppendError, Class, Done, Head, JournalError, Opened};
use crate::options::Options;
use crate::shared::{answer, lock};

/// A thing for the writer to do, in the order of the queue.
pub(crate) enum Job {
    Append(Request),
    Open {
        chain: Arc<str>,
        reply: SyncSender<Result<Opened, JournalError>>,
    },
    /// Refuse entries of this chain from here on. The hold is on the disk already.
    Hold {
        chain: Arc<str>,
    },
    /// Let what was held take entries again.
    Release {
        what: Release,
        reply: SyncSender<Result<(), JournalError>>,
    },
    /// Go on in a new segment, if there is a spare for it.
    LeaveSegment {
        reply: SyncSender<Result<(), JournalError>>,
    },
}

/// What is held no more. It is so on the disk already.
pub(crate) enum Release {
    /// A repaired chain, which goes on behind this entry.
    Chain(Arc<str>, Option<Head>),
    /// Chains that were never seen.
    Unknown,
}

/// An append whose entries are ready but for place, link and hash.
pub(crate) struct Request {
    pub(crate) class: Class,
    pub(crate) chain: Arc<str>,
    pub(crate) epoch: u64,
    pub(crate) expected_last: Option<u64>,
    pub(crate) entries: Vec<Template>,
    /// An upper bound of the bytes that its entries add to a batch.
    pub(crate) footprint: usize,
    pub(crate) done: Done,
}

impl Job {
    fn entries(&self) -> usize {
        match self {
            Self::Append(request) => request.entries.len().max(1),
            Self::Open { .. }
            | Self::Hold { .. }
            | Self::Release { .. }
            | Self::LeaveSegment { .. } => 0,
        }
    }

    /// What it is for.
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Append(request) => request.class,
            Self::Open { .. }
            | Self::Hold { .. }
            | Self::Release { .. }
            | Self::LeaveSegment { .. } => Class::Ordinary,
        }
    }

    /// An upper bound of the bytes that it adds to a batch; none if it has no entries.
    pub(crate) fn footprint(&self) -> usize {
        match self {
            Self::Append(request) => request.footprint,
            Self::Open { .. }
            | Self::Hold { .. }
            | Self::Release { .. }
            | Self::LeaveSegment { .. } => 0,
        }
    }

    /// Answers it with the reason why nothing more is taken.
    pub(crate) fn refuse(self, end: &End) {
        match self {
            Self::Append(request) => answer(request.done, Err(end.append_error())),
            Self::Open { reply, .. } => {
                // The asker may have gone; then nobody needs the answer.
                drop(reply.send(Err(end.journal_error())));
            }
            // Nothing is taken any more, of that chain neither.
            Self::Hold { .. } => {}
            Self::Release { reply, .. } | Self::LeaveSegment { reply } => {
                drop(reply.send(Err(end.journal_error())));
            }
        }
    }
}

/// Why the queue takes nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Poisoned(String),
}

impl End {
    pub(crate) fn append_error(&self) -> AppendError {
        match self {
            Self::Closed => AppendError::Io("the journal is closed".into()),
            Self::Poisoned(reason) => AppendError::Io(reason.clone()),
        }
    }

    pub(crate) fn journal_error(&self) -> JournalError {
        match self {
            Self::Closed => JournalError::Closed,
            Self::Poisoned(reason) => JournalError::Io(reason.clone()),
        }
    }
}

/// The queue between any number of callers and the one writer.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    entries: usize,
    bytes: usize,
    end: Option<End>,
    writer_waits: bool,
}

/// What a class may have of a limit: the last eighth is for containment, the one before not for
/// intake.
fn share(limit: usize, class: Class) -> usize {
    match class {
        Class::Intake => limit - limit / 4,
        Class::Ordinary => limit - limit / 8,
        Class::Containment => limit,
    }
}

/// Why a job was not queued.
pub(crate) enum Rejected {
    Full,
    Ended(End),
}

impl Queue {
    /// Queues a job, or gives it back with the reason.
    pub(crate) fn push(&self, job: Job, options: &Options) -> Result<(), (Job, Rejected)> {
        let mut state = lock(&self.state);
        if let Some(end) = &state.end {
            let end = end.clone();
            return Err((job, Rejected::Ended(end)));
        }
        let (entries, bytes) = (job.entries(), job.footprint());
        let class = job.class();
        let full = state.entries.saturating_add(entries) > share(options.queue_entries, class)
            || state.bytes.saturating_add(bytes) > share(options.queue_bytes, class);
        // Whatever fits into a batch is taken by an empty queue, however small its limits are.
        if full && entries > 0 && state.entries > 0 {
            return Err((job, Rejected::Full));
        }
        state.entries += entries;
        state.bytes += bytes;
        state.jobs.push_back(job);
        if std::mem::take(&mut state.writer_waits) {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Waits for jobs and takes as many as one batch may hold, but at least one. `false` when the
    /// queue has ended and nothing is left in it.
    pub(crate) fn take(&self, options: &Options, batch: &mut Vec<Job>) -> bool {
        let mut state = lock(&self.state);
        while state.jobs.is_empty() {
            if state.end.is_some() {
                return false;
            }
            state.writer_waits = true;
            state = self
                .filled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let (mut entries, mut bytes) = (0, 0);
        while let Some(job) = state.jobs.front() {
            entries += job.entries();
            bytes += job.footprint();
            let fits = entries <= options.max_batch_entries && bytes <= options.batch_bytes();
            if !fits && !batch.is_empty() {
                break;
            }
            let Some(job) = state.jobs.pop_front() else {
                break;
            };
            state.entries = state.entries.saturating_sub(job.entries());
            state.bytes = state.bytes.saturating_sub(job.footprint());
            batch.push(job);
        }
        true
    }

    /// Takes nothing more; what is queued is still done.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        if state.end.is_none() {
            state.end = Some(End::Closed);
        }
        drop(state);
        self.filled.notify_one();
    }

    /// Takes nothing more and refuses what is queued.
    pub(crate) fn poison(&self, reason: &str) {
        let end = End::Poisoned(reason.to_owned());
        let jobs = {
            let mut state = lock(&self.state);
            state.end = Some(end.clone());
            state.entries = 0;
            state.bytes = 0;
            std::mem::take(&mut state.jobs)
        };
        self.filled.notify_one();
        for job in jobs {
            job.refuse(&end);
        }
    }

    /// Whether one more small append of this class would find room.
    pub(crate) fn has_room(&self, class: Class, options: &Options) -> bool {
        let state = lock(&self.state);
        state.entries == 0
            || state.entries < share(options.queue_entries, class)
                && state.bytes < share(options.queue_bytes, class)
    }

    /// Entries that wait.
    pub(crate) fn depth(&self) -> usize {
        lock(&self.state).entries
    }

    /// Whether and why nothing more is taken.
    pub(crate) fn end(&self) -> Option<End> {
        lock(&self.state).end.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn append(done: Done) -> Job {
        Job::Append(Request {
            class: Class::Ordinary,
            chain: "acme".into(),
            epoch: 1,
            expected_last: None,
            entries: Vec::new(),
            footprint: 0,
            done,
        })
    }

    #[test]
    fn a_refusal_that_panics_its_receiver_leaves_the_others_theirs() {
        let (queue, options) = (Queue::default(), Options::default());
        let (told, answers) = channel();
        let listening = move |result| told.send(result).unwrap();
        let panicking: Done = Box::new(|result| assert!(result.is_ok(), "on purpose"));
        for done in [panicking, Box::new(listening)] {
            assert!(queue.push(append(done), &options).is_ok());
        }
        queue.poison("the disk is gone");
        let refused = Err(AppendError::Io("the disk is gone".into()));
        assert_eq!(answers.recv(), Ok(refused));
    }
}
