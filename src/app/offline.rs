//! What is done on a data directory while no server runs on it.

use std::{fs, io, ops::ControlFlow, path::Path, sync::Arc};

use anyhow::{Context as _, bail};
use vyrox_actors::{
    feed::Feed,
    journal::{
        Journal, LocalJournal, StartError,
        backup::{Manifest, Progress},
        projection::{ProjectionError, Projections},
        vault::Vault,
    },
    projector::{Progress as Applied, ProjectorParts, Rebuilt, rebuild},
};

use super::{
    audit_log::folder,
    not_lost, open_journal,
    stores::{Proof, Stores},
};
use crate::{clock, config::Config};

/// Another process serves from the directory.
#[derive(Debug, thiserror::Error)]
#[error("a server runs on {0}")]
pub(crate) struct InUse(String);

/// What became of a rebuild.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) rebuilt: Rebuilt,
    /// How the projections in use were found.
    pub(crate) found: Found,
    /// Whether the new ones are in their place.
    pub(crate) replaced: bool,
}

/// The projections in use, as they were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// They could be compared.
    Whole,
    /// There were none.
    Missing,
    /// They were no projections of this program any more, or not yet.
    Damaged(String),
}

/// Builds the projections anew and, unless it is a dry run, puts them in place of those in use.
pub(crate) fn rebuild_projections(
    config: &Config,
    dry_run: bool,
    watch: &dyn Fn(u64, u64),
) -> anyhow::Result<Outcome> {
    let storage = &config.storage;
    let journal = journal(config)?;
    let path = storage.data_dir.join("projections.redb");
    let fresh = storage.data_dir.join("projections.redb.new");
    let cache = storage.projection_cache_bytes;
    let (in_use, found) = in_use(&path, cache)?;
    let projections = Projections::recreate(&fresh, cache);
    let projections = projections.context("the new projections cannot be written")?;
    let parts = ProjectorParts {
        journal: Arc::new(journal),
        projections: Arc::new(projections),
        progress: Arc::new(Applied::default()),
        feed: Arc::new(Feed::default()),
        dedup_window_ms: config.limits.dedup_window_s.saturating_mul(1000),
        folding: Arc::default(),
    };
    let rebuilt = rebuild(&parts, in_use.as_ref(), clock::now_ms(), watch)?;
    drop((in_use, parts.projections));
    // What could not be read would be missing from the new ones, and may be in those in use.
    let replaced = !dry_run && rebuilt.unread.is_empty();
    if replaced {
        Projections::replace(&path, &fresh)
            .context("the new projections cannot be put in place")?;
    } else {
        remove_if_there(&fresh).context("the new projections cannot be removed")?;
    }
    parts.journal.close()?;
    Ok(Outcome {
        rebuilt,
        found,
        replaced,
    })
}

fn in_use(path: &Path, cache_bytes: usize) -> anyhow::Result<(Option<Projections>, Found)> {
    if !path.exists() {
        return Ok((None, Found::Missing));
    }
    match Projections::open(path, cache_bytes) {
        Ok(projections) => Ok((Some(projections), Found::Whole)),
        Err(ProjectionError::Damaged(why)) => Ok((None, Found::Damaged(why))),
        Err(error) => Err(error).context("the projections do not open"),
    }
}

/// Takes a backup of a data directory that no server runs on.
pub(crate) fn back_up(
    config: &Config,
    into: &Path,
    report: &dyn Fn(Progress) -> ControlFlow<()>,
) -> anyhow::Result<Manifest> {
    let journal = journal(config)?;
    let vault = config.storage.data_dir.join("vault.redb");
    not_lost(&vault, &journal)?;
    let vault = Vault::open(&vault).context("the vault does not open")?;
    let stores = Stores {
        journal: Arc::new(journal),
        vault: Arc::new(vault),
        proof: Proof::Folder(folder(&config.storage.data_dir)),
    };
    let manifest = stores.back_up(into, clock::now(), report)?;
    stores.journal.close()?;
    Ok(manifest)
}

/// The journal that is there. None is made where there is none: a slip of the pen in the directory's
/// name is no new server.
fn journal(config: &Config) -> anyhow::Result<LocalJournal> {
    let dir = &config.storage.data_dir;
    // Without an end of its own, a restore that was cut off says so itself.
    let journal = ["journal/heads.redb", "journal/restore.unfinished"];
    if !journal.iter().any(|file| dir.join(file).exists()) {
        bail!("there is no journal in {}", dir.display());
    }
    open_journal(config, &[&Arc::new(Feed::default())]).map_err(|error| {
        match error.downcast_ref::<StartError>() {
            Some(StartError::Locked(_)) => InUse(dir.display().to_string()).into(),
            _ => error,
        }
    })
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
