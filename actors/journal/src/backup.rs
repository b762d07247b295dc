//! Backups: a copy of everything that lasts and can't be derived, taken while the journal works.
//!
//! ```text
//! NAME/manifest.json            what is in it, with lengths and digests
//! NAME/journal/heads.redb       a fresh one, of exactly these chains
//! NAME/journal/tenants/*.jsonl  the chains, each up to its record
//! NAME/journal/evidence/*.ev    their evidence, sealed, up to the same record
//! NAME/journal/held/*           what else there is of held chains
//! NAME/vault.redb               sealed rows
//! ```
//!
//! There is no log in a backup: each chain's own file is completed first, so that whatever was
//! acknowledged before the backup began is in it. Nothing stands still for it. Each chain is copied
//! as it is at its own moment; that is enough, since chains share nothing.
//!
//! The vault's rows are taken before the chains and once more after them, and both go in: a row is
//! put before the entry that names it and removed after the entry that lets it go, so whichever
//! entries the chains' copies end in, their rows are there.
//!
//! It grows under the name `NAME.part` and gets its own when every byte is synced. A file in it that the process
//! has locked tells one that is being written from what a crash left of one. Keys are never in
//! it: whoever steals a backup has sealed bytes and the chains.

mod aside;
mod chains;
mod copying;
mod draft;
mod manifest;
mod restore;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use self::draft::Draft;
pub use self::manifest::{ChainCopy, FileCopy, MANIFEST, Manifest};
pub use self::restore::{RestoreError, Restored, restore};

pub(crate) use self::chains::{JournalCopy, copy_journal};
use self::copying::{Copying, FailedCopy, Watched};
use crate::disk::writable;
use crate::journal::JournalError;
use crate::local::LocalJournal;
use crate::vault::{SealedRow, Vault, VaultError};

/// What a backup is taken of.
pub struct Sources<'a> {
    /// The chains and their evidence.
    pub journal: &'a LocalJournal,
    /// The sealed secrets.
    pub vault: &'a Vault,
    /// What else lasts. It is copied before the chains, so that nothing in it can speak of entries
    /// that the chains' copies do not have.
    pub beside: &'a [Beside<'a>],
}

/// Something that goes along in a folder of its own.
pub struct Beside<'a> {
    /// The folder's name, in the backup as in the data directory.
    pub folder: &'static str,
    /// Puts its files into the folder, which is there and empty.
    pub copy: &'a dyn Fn(&Path) -> io::Result<()>,
}

/// What a manifest says beside what is in the backup.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The program and its version.
    pub program: &'a str,
    /// When the backup began, in milliseconds since 1970.
    pub now_ms: u64,
}

/// How far a backup or a restore is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Chains that are done.
    pub chains_done: u64,
    /// Chains in all.
    pub chains: u64,
    /// Bytes of chains and evidence that are done.
    pub bytes_done: u64,
    /// Bytes of chains and evidence in all, as known when it began; entries that come meanwhile may
    /// take it beyond.
    pub bytes: u64,
}

/// Told how far it is, every mebibyte or so; may have it end.
pub type Report<'a> = &'a dyn Fn(Progress) -> ControlFlow<()>;

/// Why there is no backup. What was written is removed again.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is something under its name.
    #[error("{0} is there already; remove it, or choose another name")]
    Exists(String),
    /// There is something where it would grow, and nothing in it says that it is an unfinished backup.
    #[error(
        "{0} is there already, where the backup would be written first, and this program does not know it for \
         an unfinished one of its own; look at it and remove it, or choose another name"
    )]
    Strange(String),
    /// Another process is writing it.
    #[error("{0} is being written by another backup; wait for its end, or choose another name")]
    UnderWay(String),
    /// Where it was to go could not be written.
    #[error("cannot write {path}: {source}")]
    Target {
        /// Where.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The journal failed or was closed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The vault could not be read, or its copy not be written.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The copy of the record of what is durable could not be written.
    #[error("heads.redb: {0}")]
    Heads(String),
    /// What goes along could not be copied.
    #[error("cannot copy {folder}: {source}")]
    Beside {
        /// Which.
        folder: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It was told to end.
    #[error("the backup was interrupted; nothing is left of it")]
    Stopped,
}

impl BackupError {
    fn target(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Target { path, source }
    }
}

/// Takes a backup; `into` is the directory that it becomes. Blocks for as long as it takes.
///
/// # Errors
/// [`BackupError`]. A chain that can't be copied whole is no error: it is named in
/// [`Manifest::left_out`], held in the backup, and all the others are in it.
pub fn back_up(
    sources: &Sources<'_>,
    into: &Path,
    about: About<'_>,
    report: Report<'_>,
) -> Result<Manifest, BackupError> {
    let draft = Draft::begin(into)?;
    let mut files = BTreeMap::new();
    for beside in sources.beside {
        draft.add(beside, &mut files)?;
    }
    let before = rows(sources.vault)?;
    let journal = draft.path.join("journal");
    let JournalCopy {
        chains,
        left_out,
        held,
        files: of_journal,
    } = copy_journal(sources.journal, &journal, report)?;
    for (name, file) in of_journal {
        files.insert(format!("journal/{name}"), file);
    }
    let vault = draft.path.join(manifest::VAULT);
    copy_rows(&before, sources.vault, &vault)?;
    files.insert(manifest::VAULT.to_owned(), described(&vault)?);
    let manifest = Manifest {
        format: manifest::FORMAT.to_owned(),
        version: manifest::VERSION,
        program: about.program.to_owned(),
        taken_at_ms: about.now_ms,
        chains,
        left_out,
        held,
        files,
    };
    draft.complete(&manifest, into)?;
    Ok(manifest)
}

/// Length and digest of a file of ours, which is synced on the way.
fn described(path: &Path) -> Result<FileCopy, BackupError> {
    let failed = BackupError::target(path);
    let never = |_progress| ControlFlow::Continue(());
    let read = || -> Result<FileCopy, FailedCopy> {
        let file = fs::File::open(path).map_err(FailedCopy::Target)?;
        file.sync_all().map_err(FailedCopy::Target)?;
        let watched = Watched::new(Progress::default(), &never);
        let mut copying = Copying::reading(file, u64::MAX, &watched);
        copying.drain()?;
        copying.finish()
    };
    read().map_err(|error| match error {
        FailedCopy::Source(error) | FailedCopy::Target(error) => failed(error),
        FailedCopy::Stopped => BackupError::Stopped,
    })
}

fn rows(vault: &Vault) -> Result<Vec<SealedRow>, VaultError> {
    let mut rows = Vec::new();
    for tenant in vault.tenants()? {
        rows.extend(vault.for_tenant(&tenant)?);
    }
    Ok(rows)
}

/// A new vault with the rows that were there before, and over them those that are there now.
fn copy_rows(before: &[SealedRow], vault: &Vault, path: &Path) -> Result<(), BackupError> {
    let copy = Vault::open(path)?;
    copy.put(before)?;
    Ok(copy.put(&rows(vault)?)?)
}

/// A file of the backup, for its owner alone and open for writing.
fn new_file(path: &Path) -> io::Result<fs::File> {
    writable().create_new(true).open(path)
}
