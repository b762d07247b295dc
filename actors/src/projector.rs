//! From the journal to the projections, on a thread of its own (their commits never run on an
//! arbiter). A fold: the same entries give the same rows, so a crash only means to fold again from
//! where the last checkpoint was.

mod branch;
mod fold;
mod progress;
mod rebuild;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use actix::{Actor, AsyncContext as _};
use tokio::time::Instant;
use vyrox_domain::{
    ids::{HOST_CHAIN, TenantId},
    tenant::{SNAPSHOT_VERSION, TenantState, is_at_rest},
};
use vyrox_journal::{
    Committed, Journal,
    projection::{Batch, Projections},
};
use vyrox_supervision::{Fence, SupervisedContext};

pub(crate) use self::branch::{forget_other, is_of_the_chain};
use self::fold::Fold;
pub use self::{
    progress::Progress,
    rebuild::{Rebuilt, rebuild},
};
use crate::{
    erasing::is_begun,
    feed::{Feed, Taken},
    mending::may_hold,
};

/// The most entries that are folded into one transaction.
const BATCH_ENTRIES: usize = 2048;
/// How long the thread waits for entries before it uses the quiet to make all durable.
const QUIET: Duration = Duration::from_millis(250);
/// So many transactions at the most lie between two checkpoints.
const CHECKPOINT_BATCHES: u32 = 64;

/// Chains that stand still are tried again after so long, however busy the others are.
const RETRY: Duration = Duration::from_secs(10);

/// What the projector works with.
#[derive(Clone)]
pub struct ProjectorParts {
    /// The truth.
    pub journal: Arc<dyn Journal>,
    /// What is derived.
    pub projections: Arc<Projections>,
    /// Who waits.
    pub progress: Arc<Progress>,
    /// What comes.
    pub feed: Arc<Feed>,
    /// How long a repeat is known as one, in milliseconds.
    pub dedup_window_ms: u64,
    /// Held by the thread that folds: two at once would each miss what the other took.
    pub folding: Arc<Mutex<()>>,
}

/// Why the projections could not be brought up to the journal.
#[derive(Debug, thiserror::Error)]
#[error("projections of chain {chain}: {detail}")]
pub struct ProjectError {
    chain: String,
    detail: String,
}

impl ProjectError {
    fn new(chain: &str, detail: &impl ToString) -> Self {
        Self {
            chain: chain.into(),
            detail: detail.to_string(),
        }
    }
}

/// Brings every chain's projections up to the journal's head; blocks. Projections that claim more
/// than the journal has, or that were made of another chain of the same name, are discarded and made
/// anew: the journal is the truth. A chain that cannot be read stands still, and the others go on.
///
/// # Errors
/// [`ProjectError`] where the projections themselves cannot be read or written.
pub fn catch_up(parts: &ProjectorParts) -> Result<(), ProjectError> {
    let _alone = parts.folding.lock().unwrap_or_else(PoisonError::into_inner);
    catch_up_alone(parts)
}

fn catch_up_alone(parts: &ProjectorParts) -> Result<(), ProjectError> {
    parts.progress.unstick();
    let mut fold = Fold::new(parts);
    let mut believed = believed(parts)?;
    for chain in parts.journal.chains() {
        let Some(head) = parts.journal.head(&chain) else {
            continue;
        };
        let applied = believed.remove(&chain);
        if applied < Some(head.seq) {
            let from = applied.map_or(0, |applied| applied.saturating_add(1));
            read_chain(parts, &mut fold, &chain, (from, head.seq), &|_folded| {})?;
        } else {
            parts.progress.advance(&[(chain.as_str().into(), head)]);
        }
    }
    fold.checkpoint()
}

/// The last seq of each chain that is in the projections. What was not made of the journal's own
/// chain is removed: it claims entries that the journal does not have, or has otherwise.
fn believed(parts: &ProjectorParts) -> Result<BTreeMap<String, u64>, ProjectError> {
    let all = parts.projections.all_applied();
    let mut believed = BTreeMap::new();
    for (chain, at) in all.map_err(|error| ProjectError::new("all", &error))? {
        if is_of_the_chain(parts.journal.as_ref(), &chain, at) {
            believed.insert(chain, at.seq);
            continue;
        }
        disown(parts, &chain)?;
    }
    Ok(believed)
}

/// Forgets the chain's projections if they are not of it.
fn disown(parts: &ProjectorParts, chain: &str) -> Result<(), ProjectError> {
    let (journal, progress) = (parts.journal.as_ref(), &parts.progress);
    forget_other(journal, (&parts.projections, progress), chain)
        .map_err(|error| ProjectError::new(chain, &error))
}

/// Folds a range of a chain in, and tells after each transaction how many entries were read since the
/// one before.
fn read_chain(
    parts: &ProjectorParts,
    fold: &mut Fold,
    chain: &str,
    (from, to): (u64, u64),
    folded: &dyn Fn(usize),
) -> Result<(), ProjectError> {
    let name: Arc<str> = chain.into();
    let lines = match parts.journal.read(chain, from, Some(to)) {
        Ok(lines) => lines,
        Err(error) => {
            parts.progress.stick(&name, &error.to_string());
            return Ok(());
        }
    };
    let (mut waiting, mut broken) = (Vec::with_capacity(BATCH_ENTRIES), None);
    for line in lines {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                broken = Some(error.to_string());
                break;
            }
        };
        waiting.push(Arc::new(Committed {
            chain: Arc::clone(&name),
            seq: line.seq,
            hash: line.hash,
            line: line.bytes,
        }));
        if waiting.len() >= BATCH_ENTRIES {
            fold.apply(&std::mem::take(&mut waiting))?;
            folded(BATCH_ENTRIES);
        }
    }
    fold.apply(&waiting)?;
    folded(waiting.len());
    // Last, for whatever is folded lets its chain go on.
    if let Some(why) = broken {
        parts.progress.stick(&name, &why);
    }
    Ok(())
}

/// Tenants that have something to do or to wait for (verdicts, decisions, people to be told; with `watches`,
/// contained hosts that are read again and again, evidence to be erased, here or where it was kept while the chain was held), right after [`catch_up`]. A snapshot that stands before the
/// chain's end says nothing about what came after it, so such a tenant counts as well.
pub fn owing(journal: &dyn Journal, projections: &Projections, watches: bool) -> Vec<TenantId> {
    let owes_nothing = |chain: &str| {
        let head = journal.head(chain);
        let row = projections.snapshot(chain).ok().flatten();
        let row = row.filter(|row| row.version == SNAPSHOT_VERSION && Some(row.at) == head);
        let state = row.and_then(|row| serde_json::from_slice::<TenantState>(&row.value).ok());
        let rests = |state: TenantState| {
            let looks = watches && state.acts.watched() > 0;
            let begun = |entries: &[_]| entries.is_empty() || is_begun(journal, chain, entries);
            let let_go = !may_hold(journal, &state.mending);
            is_at_rest(&state) && !looks && begun(&state.erasing) && let_go
        };
        state.is_some_and(rests)
    };
    journal
        .chains()
        .into_iter()
        .filter(|chain| chain != HOST_CHAIN && !owes_nothing(chain))
        .filter_map(|chain| chain.parse().ok())
        .collect()
}

/// The actor: stands in the tree for the thread, and brings it back when it falls.
pub struct Projector {
    parts: ProjectorParts,
    thread: Option<thread::JoinHandle<()>>,
    ended: Arc<Mutex<Option<String>>>,
}

impl Projector {
    /// A projector; its thread starts with it.
    pub fn new(parts: ProjectorParts) -> Self {
        Self {
            parts,
            thread: None,
            ended: Arc::default(),
        }
    }
}

impl Actor for Projector {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (parts, ended) = (self.parts.clone(), Arc::clone(&self.ended));
        let fence = ctx.fence();
        let work = move || {
            let result =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&parts, &fence)));
            let why = match result {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the projector's thread panicked".to_owned(),
            };
            *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        };
        match thread::Builder::new().name("projector".into()).spawn(work) {
            Ok(thread) => self.thread = Some(thread),
            Err(error) => ctx.fail(format!("no thread for the projector: {error}")),
        }
        ctx.run_interval(QUIET, |projector, ctx| {
            let ended = projector
                .ended
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(why) = ended {
                ctx.fail(why);
            }
        });
    }
}

/// Folds until the feed is closed, or until another generation of the actor has its own thread.
/// Entries that came before this thread did are read from the chains.
fn run(parts: &ProjectorParts, fence: &Fence) -> Result<(), ProjectError> {
    let _alone = parts.folding.lock().unwrap_or_else(PoisonError::into_inner);
    catch_up_alone(parts)?;
    let mut fold = Fold::new(parts);
    let (mut since_checkpoint, mut tried) = (0_u32, Instant::now());
    while fence.is_current() {
        match parts.feed.take(BATCH_ENTRIES, QUIET) {
            Taken::Entries(entries) => {
                fold.apply(&entries)?;
                fold.turn_back()?;
                since_checkpoint = since_checkpoint.saturating_add(1);
            }
            Taken::Overrun => {
                fold.checkpoint()?;
                catch_up_alone(parts)?;
                fold = Fold::new(parts);
            }
            Taken::Quiet if since_checkpoint > 0 => {
                fold.checkpoint()?;
                since_checkpoint = 0;
            }
            Taken::Quiet => {}
            Taken::Closed => return fold.checkpoint(),
        }
        // What kept a chain from being folded may have passed.
        if tried.elapsed() >= RETRY && parts.progress.is_any_stuck() {
            fold.checkpoint()?;
            catch_up_alone(parts)?;
            (fold, tried) = (Fold::new(parts), Instant::now());
        }
        if since_checkpoint >= CHECKPOINT_BATCHES {
            fold.checkpoint()?;
            since_checkpoint = 0;
        }
    }
    fold.checkpoint()
}

fn write(
    projections: &Projections,
    progress: &Progress,
    batch: &Batch,
) -> Result<(), ProjectError> {
    projections
        .apply(batch)
        .map_err(|error| ProjectError::new("all", &error))?;
    progress.advance(&batch.applied);
    Ok(())
}

#[cfg(test)]
mod tests;
