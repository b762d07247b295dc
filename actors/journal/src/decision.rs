//! What the writer decides about each thing that was queued, and how it is answered.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};

use crate::bytes::wide;
use crate::chains::{Chain, Chains};
use crate::entry::Template;
use crate::heads::Holds;
use crate::journal::{AppendError, Class, Done, JournalError, Opened, Receipt};
use crate::queue::{Job, Release, Request};
use crate::shared::{answer, lock};

/// The entries of one append, with the first seq that they were given.
pub(crate) struct Chained {
    pub(crate) done: Done,
    /// The chain's place among the writer's chains.
    pub(crate) place: usize,
    pub(crate) entries: Vec<Template>,
    pub(crate) first: u64,
}

/// A chain that was opened; the answer waits for what was queued before.
pub(crate) struct Opening {
    pub(crate) reply: SyncSender<Result<Opened, JournalError>>,
    /// The chain's place among the writer's chains.
    pub(crate) place: usize,
    pub(crate) answer: Result<Opened, JournalError>,
}

/// What was decided about one job of a batch.
pub(crate) enum Decision {
    Chained(Chained),
    Opened(Opening),
    /// The writer has left its segment before this batch, if there was a spare.
    Left(SyncSender<Result<(), JournalError>>),
    Barrier(Done),
    Refused(Done, AppendError),
    /// The chain takes nothing from here on.
    Held(Arc<str>),
    Released(SyncSender<Result<(), JournalError>>),
}

/// For which appends there is room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    All,
    /// What is kept for containment is left.
    Containment,
    None,
}

impl Room {
    fn is_for(self, class: Class) -> bool {
        match self {
            Self::All => true,
            Self::Containment => class == Class::Containment,
            Self::None => false,
        }
    }
}

/// Decides about jobs in the order of the queue. Seqs are given here; hashes when the batch is laid.
///
/// What there is no room for is not chained.
pub(crate) fn decide(
    jobs: Vec<Job>,
    chains: &mut Chains,
    holds: &Mutex<Holds>,
    room: Room,
) -> Vec<Decision> {
    let decide = |job| match job {
        Job::Open { chain, reply } => {
            let place = chains.place(&chain);
            let opened = chains.get_mut(place).filter(|chain| !chain.held).map(open);
            let answer = opened.ok_or_else(|| JournalError::Held(chain.to_string()));
            Decision::Opened(Opening {
                reply,
                place,
                answer,
            })
        }
        Job::Release { what, reply } => {
            match what {
                Release::Chain(chain, end) => chains.release(&chain, end),
                Release::Unknown => chains.release_unknown(&lock(holds)),
            }
            Decision::Released(reply)
        }
        Job::Hold { chain } => {
            chains.hold(&chain);
            Decision::Held(chain)
        }
        Job::LeaveSegment { reply } => Decision::Left(reply),
        Job::Append(request) if request.entries.is_empty() => Decision::Barrier(request.done),
        Job::Append(request) if !room.is_for(request.class) => {
            Decision::Refused(request.done, AppendError::Full)
        }
        Job::Append(request) => {
            let place = chains.place(&request.chain);
            match chains.get_mut(place) {
                Some(chain) => chain_entries(request, place, chain),
                None => Decision::Refused(request.done, AppendError::Fenced),
            }
        }
    };
    jobs.into_iter().map(decide).collect()
}

fn open(chain: &mut Chain) -> Opened {
    chain.epoch += 1;
    Opened {
        epoch: chain.epoch,
        head: chain.head(),
    }
}

fn chain_entries(request: Request, place: usize, chain: &mut Chain) -> Decision {
    if let Err(error) = chain.admit(&request) {
        return Decision::Refused(request.done, error);
    }
    let first = chain.next;
    chain.next += wide(request.entries.len());
    Decision::Chained(Chained {
        done: request.done,
        place,
        entries: request.entries,
        first,
    })
}

/// Answers every job of a batch that is durable, in order.
pub(crate) fn finish(decisions: Vec<Decision>, receipts: Vec<Receipt>) {
    let mut receipts = receipts.into_iter();
    for decision in decisions {
        match decision {
            Decision::Chained(chained) => {
                let count = chained.entries.len();
                answer(chained.done, Ok(receipts.by_ref().take(count).collect()));
            }
            // The asker may have gone; then nobody needs the answer.
            Decision::Opened(opening) => drop(opening.reply.send(opening.answer)),
            Decision::Released(reply) | Decision::Left(reply) => drop(reply.send(Ok(()))),
            Decision::Barrier(done) => answer(done, Ok(Vec::new())),
            Decision::Refused(done, error) => answer(done, Err(error)),
            Decision::Held(_) => {}
        }
    }
}

/// Answers every job of a batch that may or may not be on the disk.
pub(crate) fn fail(decisions: Vec<Decision>, reason: &str) {
    for decision in decisions {
        match decision {
            Decision::Chained(Chained { done, .. })
            | Decision::Barrier(done)
            | Decision::Refused(done, _) => answer(done, Err(AppendError::Io(reason.to_owned()))),
            Decision::Held(_) => {}
            Decision::Opened(opening) => {
                drop(opening.reply.send(Err(JournalError::Io(reason.to_owned()))));
            }
            Decision::Released(reply) | Decision::Left(reply) => {
                drop(reply.send(Err(JournalError::Io(reason.to_owned()))));
            }
        }
    }
}
