//! The checkpointer: the thread that derives the chains' own files from the log, recycles segments
//! that are no longer needed, and keeps zeroed spares ready.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};

use crate::aside;
use crate::directory::{Kind, Name};
use crate::disk::lacks_descriptors;
use crate::erasure::{Overwritten, Runs};
use crate::heads::Record;
use crate::journal::{Erased, JournalError, Repaired};
use crate::pending::settle;
use crate::planted::{Bug, planted};
use crate::repair::{Failure, Order, repair};
use crate::schedule::{Schedule, monotonic};
use crate::segment::{FrameRef, PAGE};
use crate::shared::{Shared, lock};
use crate::tenant_file::{CopyError, copy_frames};

/// Chains whose records are committed together.
const GROUP: usize = 64;
/// Retired files that may fail to be zeroed before no new ones are made in their place.
const MAX_BAD_FILES: usize = 2;

/// What the checkpointer is asked for.
pub(crate) enum Message {
    /// Complete one chain's files up to its durable head.
    Flush {
        chain: Arc<str>,
        reply: SyncSender<Result<(), JournalError>>,
    },
    /// Complete a held chain's files with lines that were kept elsewhere, and perhaps release it.
    Repair {
        order: Order,
        reply: SyncSender<Result<Repaired, JournalError>>,
    },
    /// Overwrite the attachments of one chain's entries in its store.
    Erase {
        chain: Arc<str>,
        runs: Runs,
        reply: SyncSender<Result<Overwritten, JournalError>>,
    },
    /// Overwrite what an earlier process began to.
    CompleteErasures {
        reply: SyncSender<Result<Overwritten, JournalError>>,
    },
    /// Recycle and zero whatever of the log is no longer needed.
    PurgeLog {
        reply: SyncSender<Result<Erased, JournalError>>,
    },
    /// Nothing is added to this chain any more: what waits of it is set aside.
    Held(Arc<str>),
    /// Complete every chain's files, the log has grown by a segment.
    Checkpoint,
    /// Fill the shelf of spares.
    Spares,
    /// Complete everything and stop.
    Close {
        reply: SyncSender<Result<(), JournalError>>,
    },
}

/// The checkpointer's own state.
pub(crate) struct Checkpointer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) inbox: Receiver<Message>,
}

/// What follows from a message.
pub(crate) enum Step {
    /// Nothing.
    Done,
    /// The log has grown: it is time to tidy up, due or not.
    Grown,
    /// The end.
    Closed,
}

/// A failure that ends the journal: the record of what is durable could not be kept.
#[derive(Debug)]
pub(crate) struct Fatal(pub(crate) String);

/// A chain's files, completed but not yet recorded.
struct Copied {
    chain: Arc<str>,
    frames: Vec<FrameRef>,
    record: Record,
}

impl Checkpointer {
    /// Works until it is told to close, or until every sender is gone.
    pub(crate) fn run(self) {
        let _closed = CloseShelf(&self.shared);
        if let Err(Fatal(reason)) = self.work() {
            self.shared.poison(&reason);
        }
    }

    fn work(&self) -> Result<(), Fatal> {
        let mut schedule = Schedule::new(self.shared.options.checkpoint_interval, monotonic());
        self.fill_shelf()?;
        loop {
            let message = match self.inbox.recv_timeout(schedule.left(monotonic())) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            schedule.message();
            let step = message.map_or(Ok(Step::Done), |message| self.handle(message))?;
            match step {
                Step::Closed => return Ok(()),
                Step::Grown => {}
                Step::Done if schedule.is_due(monotonic()) => {}
                Step::Done => continue,
            }
            self.tidy()?;
            schedule.done(monotonic());
        }
    }

    /// Does what one message asks for.
    pub(crate) fn handle(&self, message: Message) -> Result<Step, Fatal> {
        match message {
            Message::Flush { chain, reply } => self.flush(chain, &reply).map(|()| Step::Done),
            Message::Repair { order, reply } => self.repair(&order, &reply).map(|()| Step::Done),
            Message::Erase { chain, runs, reply } => {
                give(&reply, self.erase(&chain, &runs)).map(|()| Step::Done)
            }
            Message::CompleteErasures { reply } => {
                give(&reply, Ok(Ok(self.complete_erasures()))).map(|()| Step::Done)
            }
            Message::PurgeLog { reply } => give(&reply, self.purge_log()).map(|()| Step::Done),
            Message::Spares => self.fill_shelf().map(|()| Step::Done),
            Message::Close { reply } => self.close(&reply).map(|()| Step::Closed),
            Message::Held(chain) => self.leave(&chain).map(|()| Step::Grown),
            Message::Checkpoint => Ok(Step::Grown),
        }
    }

    /// Completes every chain's files, retires what they make needless and fills the shelf.
    pub(crate) fn tidy(&self) -> Result<(), Fatal> {
        self.measure();
        self.checkpoint()?;
        self.shared.quarantine.count_round();
        self.quarantine()?;
        self.recycle()?;
        self.fill_shelf()
    }

    fn flush(
        &self,
        chain: Arc<str>,
        reply: &SyncSender<Result<(), JournalError>>,
    ) -> Result<(), Fatal> {
        let result = self.copy_group(&[chain]);
        let answer = match &result {
            Ok(None) => Ok(()),
            Ok(Some(reason)) | Err(Fatal(reason)) => Err(JournalError::Io(reason.clone())),
        };
        // The asker may have gone; then nobody needs the answer.
        drop(reply.send(answer));
        result.map(|_| ())
    }

    fn repair(
        &self,
        order: &Order,
        reply: &SyncSender<Result<Repaired, JournalError>>,
    ) -> Result<(), Fatal> {
        let result = match self.copy_group(&[Arc::clone(&order.chain)]) {
            Ok(None) => repair(&self.shared, order),
            Ok(Some(reason)) => Err(Failure::Refused(JournalError::Io(reason))),
            Err(Fatal(reason)) => Err(Failure::Fatal(reason)),
        };
        // The asker may have gone; then nobody needs the answer.
        match result {
            Ok(repaired) => drop(reply.send(Ok(repaired))),
            Err(Failure::Refused(error)) => drop(reply.send(Err(error))),
            Err(Failure::Fatal(reason)) => {
                drop(reply.send(Err(JournalError::Io(reason.clone()))));
                return Err(Fatal(reason));
            }
        }
        Ok(())
    }

    fn close(&self, reply: &SyncSender<Result<(), JournalError>>) -> Result<(), Fatal> {
        let result = self.checkpoint();
        let answer = match &result {
            Ok(None) => Ok(()),
            Ok(Some(reason)) | Err(Fatal(reason)) => Err(JournalError::Io(reason.clone())),
        };
        drop(reply.send(answer));
        result.map(|_| ())
    }

    /// Completes the files of every chain that has waiting frames. Answers one failure, if any chain
    /// had one; its record stays and it is tried again next time.
    pub(crate) fn checkpoint(&self) -> Result<Option<String>, Fatal> {
        let (chains, batch) = {
            let pending = lock(&self.shared.pending);
            (pending.chains(), pending.last_batch)
        };
        let mut failure = None;
        for group in chains.chunks(GROUP) {
            failure = self.copy_group(group)?.or(failure);
            if self.shared.spares.missing() > 1 {
                self.fill_shelf()?;
            }
        }
        if failure.is_none() && !chains.is_empty() {
            self.shared.heads.set_copied(batch).map_err(Fatal)?;
        }
        Ok(failure)
    }

    /// Completes the files of some chains and commits their records together.
    pub(crate) fn copy_group(&self, chains: &[Arc<str>]) -> Result<Option<String>, Fatal> {
        let mut done: Vec<Copied> = Vec::new();
        let mut failure = None;
        for chain in chains {
            if self.shared.quarantine.is_leaving(chain) {
                failure = Some(format!("chain {chain} is being held"));
                continue;
            }
            let frames = lock(&self.shared.pending).take(chain);
            if frames.is_empty() {
                continue;
            }
            match self.copy_chain(chain, &frames) {
                Ok(Some(record)) => {
                    self.shared.quarantine.written(chain);
                    done.push(Copied {
                        chain: Arc::clone(chain),
                        frames,
                        record,
                    });
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%chain, %error, "a chain's file could not be completed");
                    self.shared.quarantine.unwritable(chain, &error);
                    failure = Some(format!("chain {chain}: {error}"));
                    lock(&self.shared.pending).give_back(chain, frames);
                }
            }
        }
        let records: Vec<_> = done
            .iter()
            .map(|copied| (Arc::clone(&copied.chain), copied.record))
            .collect();
        if !records.is_empty() {
            self.shared.heads.set_records(&records).map_err(Fatal)?;
            lock(&self.shared.records).extend(records);
        }
        for copied in &done {
            settle(&copied.frames);
        }
        Ok(failure)
    }

    fn copy_chain(&self, chain: &str, frames: &[FrameRef]) -> Result<Option<Record>, CopyError> {
        copy_frames(
            &self.shared.directory,
            chain,
            self.shared.record(chain),
            frames,
        )
    }

    /// Retires the oldest segments, as far as every frame in them stands in its chain's file or, for
    /// a held chain, in a side file.
    pub(crate) fn recycle(&self) -> Result<(), Fatal> {
        let directory = &self.shared.directory;
        loop {
            let (oldest, next) = {
                let segments = lock(&self.shared.segments);
                match (segments.front(), segments.get(1)) {
                    (Some(oldest), Some(next)) => (Arc::clone(oldest), next.id),
                    (_, _) => return Ok(()),
                }
            };
            if !oldest.is_copied() && !planted(Bug::RecycleEarly) {
                return Ok(());
            }
            if let Err(error) = aside::save(directory, &oldest) {
                tracing::error!(%error, segment = oldest.id, "held entries could not be set aside");
                return Ok(());
            }
            self.shared.heads.set_low(next).map_err(Fatal)?;
            let retired = Name::new(Kind::Tmp, oldest.id);
            directory
                .rename(Name::new(Kind::Segment, oldest.id), retired)
                .map_err(|error| Fatal(format!("retiring segment {}: {error}", oldest.id)))?;
            lock(&self.shared.segments).pop_front();
        }
    }

    /// Makes spares until there are enough, from retired files first.
    fn fill_shelf(&self) -> Result<(), Fatal> {
        let mut failed = HashSet::new();
        while self.shared.spares.missing() > 0 {
            let Some(name) = self.next_candidate(&failed)? else {
                self.shared.spares.fail();
                return Ok(());
            };
            if let Err(error) = self.make_spare(name)? {
                tracing::warn!(%error, id = name.id, "a log file could not be zeroed");
                failed.insert(name.id);
            }
        }
        Ok(())
    }

    /// A retired file, or the name of a new one while the log may grow. None as long as there are no
    /// descriptors to look with.
    fn next_candidate(&self, failed: &HashSet<u64>) -> Result<Option<Name>, Fatal> {
        let listed = match self.shared.directory.list() {
            Ok(listed) => listed,
            Err(error) if lacks_descriptors(&error) => {
                tracing::warn!(%error, "the log could not be listed");
                return Ok(None);
            }
            Err(error) => return Err(Fatal(format!("listing the log: {error}"))),
        };
        let mut retired = listed.into_iter().filter(|name| name.kind == Kind::Tmp);
        if let Some(name) = retired.find(|name| !failed.contains(&name.id)) {
            return Ok(Some(name));
        }
        let live = lock(&self.shared.segments).len();
        let bad = failed.len() >= MAX_BAD_FILES || self.shared.disk_is_scarce();
        if bad || live >= self.shared.options.max_segments {
            return Ok(None);
        }
        let id = self.shared.heads.take_id(0).map_err(Fatal)?;
        Ok(Some(Name::new(Kind::Tmp, id)))
    }

    /// Zeroes one file and puts it on the shelf. The inner error leaves it retired: it will be
    /// rewritten from end to end before anybody trusts it.
    pub(crate) fn make_spare(&self, name: Name) -> Result<io::Result<()>, Fatal> {
        let directory = &self.shared.directory;
        let bytes = u64::from(self.shared.options.segment_pages()) * PAGE;
        if let Err(error) = directory.zero(name, bytes) {
            return Ok(Err(error));
        }
        let spare = Name::new(Kind::Spare, name.id);
        let placed = directory
            .rename(name, spare)
            .and_then(|()| directory.sync());
        placed.map_err(|error| Fatal(format!("naming spare {}: {error}", name.id)))?;
        self.shared.spares.add(name.id);
        Ok(Ok(()))
    }
}

/// Answers an asker, who may have gone. A failure that ends the journal is told to both.
fn give<T>(
    reply: &SyncSender<Result<T, JournalError>>,
    result: Result<Result<T, JournalError>, Fatal>,
) -> Result<(), Fatal> {
    let (answer, ended) = match result {
        Ok(answer) => (answer, Ok(())),
        Err(Fatal(reason)) => (Err(JournalError::Io(reason.clone())), Err(Fatal(reason))),
    };
    drop(reply.send(answer));
    ended
}

/// Tells a waiting writer that no spare will come any more, however the checkpointer ended.
struct CloseShelf<'a>(&'a Shared);

impl Drop for CloseShelf<'_> {
    fn drop(&mut self) {
        self.0.spares.close();
    }
}
