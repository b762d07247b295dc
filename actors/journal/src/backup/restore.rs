//! From a backup to a data directory: everything is checked before anything is written.
//!
//! `journal/restore.unfinished` is there first, and goes last. Until then nobody opens the journal there, so
//! a restore that was cut short can't be mistaken for a whole one, nor for a directory without a journal.

mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use self::target::Target;
use super::chains::{checked_lines, checked_store};
use super::copying::{Copying, FailedCopy, Watched};
use super::manifest::{HEADS, MANIFEST, VAULT, open_regular};
use super::{ChainCopy, FileCopy, Manifest, Progress, Report, new_file};
use crate::bytes::wide;
use crate::disk::RealDisk;
use crate::heads::Record;
use crate::tenant_file::ends_in;

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the backup says of itself, all of which was found to be so.
    pub manifest: Manifest,
    /// The ids of the host keys that tenants' data keys are wrapped under. Without them the server
    /// doesn't start.
    pub host_keys: Vec<String>,
}

/// Why nothing was restored. What was written is removed again.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is no manifest that could be read.
    #[error("{path} is no backup that this program can read: {source}")]
    NoBackup {
        /// Where one was to be.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// There is something where it was to go.
    #[error("{0} is not empty; give a directory that is, or that is not there yet")]
    NotEmpty(String),
    /// An earlier restore into it was cut off.
    #[error(
        "{0} holds what a restore left that was cut off; delete the directory and restore again. The \
         backup is as it was"
    )]
    CutShort(String),
    /// A file of the backup could not be read.
    #[error("cannot read {path}: {source}")]
    Source {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The data directory could not be written.
    #[error("cannot write {path}: {source}")]
    Target {
        /// Where.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file is not what the manifest says.
    #[error("{file} is not the file that the manifest names: {why}")]
    Differs {
        /// Which, by its path in the backup.
        file: String,
        /// In what.
        why: &'static str,
    },
    /// A chain does not verify, and the manifest does not say so.
    #[error("the chain {chain} is not whole: seq {seq} is not as it must be")]
    Chain {
        /// Which.
        chain: String,
        /// The first bad seq.
        seq: u64,
    },
    /// The parts of the backup do not belong together.
    #[error("the backup's parts do not fit together: {0}")]
    Parts(String),
    /// It was told to end.
    #[error("the restore was interrupted; nothing is left of it")]
    Stopped,
}

impl RestoreError {
    fn target(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Target { path, source }
    }
}

/// Checks the backup in `backup` and puts what is in it into `data_dir`, which must be empty or not
/// there. Blocks for as long as it takes.
///
/// A chain that did not verify when it was backed up is restored as it was: it is the same chain, its
/// fault is in the manifest, and the others can't wait for it.
///
/// # Errors
/// [`RestoreError`]; then `data_dir` is as it was.
pub fn restore(
    backup: &Path,
    data_dir: &Path,
    report: Report<'_>,
) -> Result<Restored, RestoreError> {
    let manifest = Manifest::read(backup).map_err(|source| RestoreError::NoBackup {
        path: backup.join(MANIFEST).display().to_string(),
        source,
    })?;
    let records = records_of(&manifest)?;
    let target = Target::begin(data_dir)?;
    let progress = Progress {
        chains: wide(records.len()),
        // Each byte is read once to check it and once to copy it.
        bytes: manifest.bytes().saturating_mul(2),
        ..Progress::default()
    };
    let source = Source {
        backup,
        manifest: &manifest,
        watched: Watched::new(progress, report),
    };
    for (chain, (copy, record)) in &records {
        source.check_chain(chain, copy, record)?;
    }
    target.fill(&source)?;
    let host_keys = target.host_keys(&manifest)?;
    target.complete(&records, &manifest)?;
    Ok(Restored {
        manifest,
        host_keys,
    })
}

/// Each chain with what the manifest says of its copy, and the record that follows from it.
type Records<'m> = BTreeMap<&'m str, (&'m ChainCopy, Record)>;

/// Refuses files of chains that the manifest does not name, and chains without a file.
fn records_of(manifest: &Manifest) -> Result<Records<'_>, RestoreError> {
    let mut records = Records::new();
    let mut expected = BTreeSet::from([HEADS.to_owned(), VAULT.to_owned()]);
    for (chain, copy) in &manifest.chains {
        let parts = |why: &str| RestoreError::Parts(format!("chain {chain:?}: {why}"));
        let head = copy.head().ok_or_else(|| parts("its hash is none"))?;
        let (lines, evidence) = (lines_path(chain), evidence_path(chain));
        let file = manifest.files.get(&lines);
        let file = file.ok_or_else(|| parts("its file is not listed"))?;
        let stored = manifest.files.get(&evidence);
        let record = Record {
            head,
            offset: file.bytes,
            evidence_offset: stored.map_or(0, |stored| stored.bytes),
        };
        records.insert(chain, (copy, record));
        expected.extend([lines, evidence]);
    }
    let strange = manifest
        .files
        .keys()
        .find(|file| !expected.contains(*file) && !goes_along(file));
    match strange {
        Some(file) => Err(RestoreError::Parts(format!("{file} belongs to no chain"))),
        None if !manifest.files.contains_key(HEADS) => {
            Err(RestoreError::Parts(format!("{HEADS} is not listed")))
        }
        None => Ok(records),
    }
}

/// Whether a file may be in a backup without being any chain's own.
fn goes_along(file: &str) -> bool {
    ["proof/", "journal/held/"]
        .iter()
        .any(|folder| file.starts_with(folder))
}

fn lines_path(chain: &str) -> String {
    format!("journal/tenants/{chain}.jsonl")
}

fn evidence_path(chain: &str) -> String {
    format!("journal/evidence/{chain}.ev")
}

/// The backup.
struct Source<'a> {
    backup: &'a Path,
    manifest: &'a Manifest,
    watched: Watched<'a>,
}

impl Source<'_> {
    /// Verifies a chain and its evidence as an auditor would, and compares with the manifest.
    fn check_chain(
        &self,
        chain: &str,
        copy: &ChainCopy,
        record: &Record,
    ) -> Result<(), RestoreError> {
        let name = lines_path(chain);
        let reading = self.reading(&name)?;
        let checked = checked_lines(reading, record).map_err(|error| self.failed(&name, error));
        let (first_bad, file) = checked?;
        self.compare(&name, &file)?;
        let ends = ends_in(&RealDisk, &self.backup.join(&name), chain, record);
        let ends = ends.map_err(|error| self.failed(&name, FailedCopy::Source(error)))?;
        let seq = match first_bad {
            found if found != copy.first_bad_seq => found.or(copy.first_bad_seq),
            _ => (!ends).then_some(record.head.seq),
        };
        if let Some(seq) = seq {
            let chain = chain.to_owned();
            return Err(RestoreError::Chain { chain, seq });
        }
        if record.evidence_offset > 0 {
            let name = evidence_path(chain);
            let reading = self.reading(&name)?;
            let checked = checked_store(reading, record.evidence_offset);
            let (whole, file) = checked.map_err(|error| self.failed(&name, error))?;
            self.compare(&name, &file)?;
            if whole != copy.evidence_whole {
                let why = "its entries' checksums";
                return Err(RestoreError::Differs { file: name, why });
            }
        }
        self.watched
            .chain()
            .map_err(|error| self.failed(&name, error))
    }

    fn reading(&self, name: &str) -> Result<Copying<'_>, RestoreError> {
        let file = open_regular(&self.backup.join(name));
        let file = file.map_err(|error| self.failed(name, FailedCopy::Source(error)))?;
        let listed = self.manifest.files.get(name).map_or(0, |file| file.bytes);
        // One byte more shows that a file is too long; what follows it is nobody's concern.
        let len = listed.saturating_add(1);
        Ok(Copying::reading(file, len, &self.watched))
    }

    /// Copies one file and compares it once more, as it was read once more.
    fn copy(&self, name: &str, to: &Path) -> Result<(), RestoreError> {
        let reading = self.reading(name)?;
        let target = new_file(to).map_err(RestoreError::target(to))?;
        let mut copying = reading.into_file(target);
        let copied = copying.drain().and_then(|()| copying.finish());
        let copied = copied.map_err(|error| match error {
            FailedCopy::Target(error) => RestoreError::target(to)(error),
            FailedCopy::Source(_) | FailedCopy::Stopped => self.failed(name, error),
        })?;
        self.compare(name, &copied)
    }

    fn compare(&self, name: &str, found: &FileCopy) -> Result<(), RestoreError> {
        let why = match self.manifest.files.get(name) {
            Some(listed) if listed == found => return Ok(()),
            Some(listed) if listed.bytes != found.bytes => "its length",
            Some(_) | None => "its digest",
        };
        let file = name.to_owned();
        Err(RestoreError::Differs { file, why })
    }

    fn failed(&self, name: &str, error: FailedCopy) -> RestoreError {
        match error {
            FailedCopy::Stopped => RestoreError::Stopped,
            FailedCopy::Source(source) | FailedCopy::Target(source) => RestoreError::Source {
                path: self.backup.join(name).display().to_string(),
                source,
            },
        }
    }
}
