//! Projections made anew from the chains alone, and held against those in use.

use std::sync::PoisonError;

use vyrox_domain::tenant::SNAPSHOT_VERSION;
use vyrox_journal::projection::{Difference, Judge, Projections, Snapshot};

use super::{ProjectError, ProjectorParts, fold::Fold, read_chain};
use crate::claims;

/// Expired claims that are removed in one transaction.
const PURGE: usize = 10_000;

/// What a rebuild did and found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Chains that were read.
    pub chains: u64,
    /// Entries that were read.
    pub entries: u64,
    /// How the projections in use differ, a table each; none if there were none to compare with.
    pub differences: Option<Vec<Difference>>,
    /// Chains that could not be read or folded to their end, each with the reason.
    pub unread: Vec<(String, String)>,
}

impl Rebuilt {
    /// Whether the projections in use are as they must be.
    pub fn agrees(&self) -> bool {
        let differences = self.differences.as_ref();
        differences.is_some_and(|tables| tables.iter().all(Difference::is_none))
    }
}

/// Reads every chain from its beginning into `parts.projections`, which must be empty, and compares
/// `in_use` with what they are at the entries that `in_use` stands at; then goes on to the chains'
/// ends. `watch` is told how many entries are read, and of how many. Blocks.
///
/// # Errors
/// [`ProjectError`] where either projections cannot be read or written.
pub fn rebuild(
    parts: &ProjectorParts,
    in_use: Option<&Projections>,
    now_ms: u64,
    watch: &dyn Fn(u64, u64),
) -> Result<Rebuilt, ProjectError> {
    let _alone = parts.folding.lock().unwrap_or_else(PoisonError::into_inner);
    let journal = parts.journal.as_ref();
    let heads: Vec<_> = journal
        .chains()
        .into_iter()
        .filter_map(|chain| Some((journal.head(&chain)?.seq, chain)))
        .collect();
    let all = heads.iter().map(|(head, _)| head.saturating_add(1)).sum();
    let read = std::cell::Cell::new(0_u64);
    let folded = |count: usize| {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        read.set(read.get().saturating_add(count));
        watch(read.get(), all);
    };
    watch(0, all);
    let mut fold = Fold::new(parts);
    for (head, chain) in &heads {
        let to = in_use.map(|old| old.applied(chain)).transpose();
        let to = to.map_err(|error| ProjectError::new(chain, &error))?;
        if let Some(to) = to.flatten() {
            read_chain(parts, &mut fold, chain, (0, to.min(*head)), &folded)?;
        }
    }
    fold.checkpoint()?;
    let differences = in_use.map(|old| compare(old, &parts.projections, now_ms));
    let differences = differences.transpose()?;
    for (head, chain) in &heads {
        let done = parts.projections.applied(chain);
        let done = done.map_err(|error| ProjectError::new(chain, &error))?;
        let is_stuck = parts.progress.stuck(chain).is_some();
        if done < Some(*head) && !is_stuck {
            let from = done.map_or(0, |done| done.saturating_add(1));
            read_chain(parts, &mut fold, chain, (from, *head), &folded)?;
        }
    }
    fold.checkpoint()?;
    purge(&parts.projections, now_ms)?;
    let stuck = parts.progress.all_stuck().into_iter();
    Ok(Rebuilt {
        chains: u64::try_from(heads.len()).unwrap_or(u64::MAX),
        entries: read.get(),
        differences,
        unread: stuck.map(|(chain, why)| (chain.to_string(), why)).collect(),
    })
}

fn compare(
    in_use: &Projections,
    fresh: &Projections,
    now_ms: u64,
) -> Result<Vec<Difference>, ProjectError> {
    let judge = Judge {
        now_ms,
        claims: &claims_agree,
        snapshots: &snapshots_agree,
    };
    let compared = in_use.compare(fresh, &judge);
    compared.map_err(|error| ProjectError::new("all", &error))
}

/// A claim that was renewed after it had been removed has forgotten the bodies of before; read from
/// the beginning, it has them still. They count for nothing, as long as the younger ones are the same.
fn claims_agree(in_use: &[u8], fresh: &[u8]) -> bool {
    let (in_use, fresh) = (claims::decode(in_use), claims::decode(fresh));
    !in_use.is_empty() && fresh.ends_with(&in_use)
}

/// A snapshot saves reading, and may be older than the rows or of an older format; what it says must
/// be so.
fn snapshots_agree(in_use: Snapshot<'_>, fresh: Snapshot<'_>) -> bool {
    let (format, seq, value) = in_use;
    let passed_over = format != SNAPSHOT_VERSION || seq < fresh.1;
    passed_over || (seq == fresh.1 && value == fresh.2)
}

fn purge(projections: &Projections, now_ms: u64) -> Result<(), ProjectError> {
    let failed = |error| ProjectError::new("all", &error);
    while projections.purge_claims(now_ms, PURGE).map_err(failed)? == PURGE {}
    projections.checkpoint().map_err(failed)
}
