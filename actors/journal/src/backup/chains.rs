//! The journal's part: the chains' files up to their records, what else there is of held chains, and a
//! `heads.redb` of exactly those.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use super::copying::{Copying, FailedCopy, Watched};
use super::{BackupError, ChainCopy, FileCopy, Progress, Report, described, new_file};
use crate::bytes::wide;
use crate::checkpointer::Message;
use crate::disk::{Disk as _, Open, Reader, RealDisk};
use crate::evidence;
use crate::heads::{Hold, Holds, Numbers, Record, write_copy};
use crate::journal::Head;
use crate::local::Ask;
use crate::planted::{Bug, planted};
use crate::shared::{Shared, lock};
use crate::tenant_file::{ends_in, readable_prefix};
use crate::verify::verify_lines;

/// Bytes that are read from a chain's file at a time.
const BUFFER: usize = 1 << 18;

/// What the copy of a journal holds.
pub(crate) struct JournalCopy {
    pub(crate) chains: BTreeMap<String, ChainCopy>,
    /// Chains of which durable entries are missing, each with the first one's seq.
    pub(crate) left_out: BTreeMap<String, u64>,
    /// Chains that were held already, each with the first seq in doubt.
    pub(crate) held: BTreeMap<String, u64>,
    /// The files, by their paths below the journal's directory.
    pub(crate) files: BTreeMap<String, FileCopy>,
}

/// A chain's files, opened together with the record that they were complete up to.
struct Opened {
    record: Record,
    lines: Reader,
    /// None as long as no entry of the chain came with evidence.
    evidence: Option<Reader>,
}

/// Copies the chains into a new directory `into`, from which a journal opens that goes on where the
/// copy ends. Everything that was durable when it began is in it, but for what
/// [`left_out`](JournalCopy::left_out) names.
pub(crate) fn copy_journal(
    journal: &impl Ask,
    into: &Path,
    report: Report<'_>,
) -> Result<JournalCopy, BackupError> {
    for path in [
        into.to_path_buf(),
        into.join("tenants"),
        into.join("evidence"),
    ] {
        RealDisk
            .make_directory(&path)
            .map_err(BackupError::target(&path))?;
    }
    let shared = journal.shared();
    let held_before = shared.heads.holds().map_err(BackupError::Heads)?;
    let (chains, progress) = what_there_is(shared);
    let watched = Watched::new(progress, report);
    let mut taking = Taking {
        shared,
        into,
        watched: &watched,
        records: Vec::new(),
        copy: JournalCopy {
            chains: BTreeMap::new(),
            left_out: BTreeMap::new(),
            held: BTreeMap::new(),
            files: BTreeMap::new(),
        },
    };
    for chain in &chains {
        let head = shared.head(chain);
        if let Err(error) = journal.ask(|reply| Message::Flush {
            chain: Arc::clone(chain),
            reply,
        }) {
            // Nothing of what was durable is missing from the other chains' files for it.
            journal.ended()?;
            tracing::error!(%chain, %error, "a chain's file lacks entries; they are missing from the backup");
        }
        taking.chain(chain, head)?;
        watched.chain().map_err(stopped)?;
    }
    for folder in ["tenants", "evidence"] {
        let folder = into.join(folder);
        RealDisk
            .sync_directory(&folder)
            .map_err(BackupError::target(&folder))?;
    }
    taking.finish(held_before)
}

/// Every chain that has a durable entry or a file, the host's own last: it names the tenants, and
/// what it says of them is to be no older than their chains. And how much that is, about.
fn what_there_is(shared: &Shared) -> (Vec<Arc<str>>, Progress) {
    let records = lock(&shared.records).clone();
    let mut chains: Vec<Arc<str>> = shared.chains().into_iter().collect();
    chains.extend(records.keys().cloned());
    chains.sort_unstable_by_key(|chain| (chain.starts_with('_'), Arc::clone(chain)));
    chains.dedup();
    let lengths = records
        .values()
        .map(|record| record.offset.saturating_add(record.evidence_offset));
    let progress = Progress {
        chains: wide(chains.len()),
        bytes: lengths.sum(),
        ..Progress::default()
    };
    (chains, progress)
}

/// The chain's record, and its files opened under it. Both are taken under one lock, as whoever
/// puts another file in a chain's place changes both under it. None if there is no record.
fn opened(shared: &Shared, chain: &str) -> io::Result<Option<Opened>> {
    let records = lock(&shared.records);
    let Some(record) = records.get(chain).copied() else {
        return Ok(None);
    };
    let opened = opened_under(shared, chain, record);
    drop(records);
    opened.map(Some)
}

fn opened_under(shared: &Shared, chain: &str, record: Record) -> io::Result<Opened> {
    let directory = &shared.directory;
    let open = |path: &Path| {
        let file = directory.disk().open(path, Open::Read)?;
        Ok::<_, io::Error>(Reader::new(file, 0))
    };
    let evidence = match record.evidence_offset {
        0 => None,
        _ => Some(open(&directory.evidence_path(chain))?),
    };
    let lines = open(&directory.tenant_path(chain))?;
    Ok(Opened {
        record,
        lines,
        evidence,
    })
}

/// A copy that is being taken.
pub(super) struct Taking<'a> {
    pub(super) shared: &'a Shared,
    pub(super) into: &'a Path,
    pub(super) watched: &'a Watched<'a>,
    records: Vec<(Arc<str>, Record)>,
    pub(super) copy: JournalCopy,
}

impl Taking<'_> {
    /// Copies one chain, which had this head before its file was completed. What is wrong with its files
    /// is that chain's trouble alone.
    fn chain(&mut self, chain: &Arc<str>, head: Option<Head>) -> Result<(), BackupError> {
        let copied = match opened(self.shared, chain) {
            Ok(Some(opened)) => {
                let record = opened.record;
                match self.files_of(chain, opened)? {
                    Some(copy) => Some((record, copy)),
                    None => self.good_part_of(chain, &record)?,
                }
            }
            Ok(None) => None,
            Err(error) => {
                tracing::error!(%chain, %error, "a chain's files do not open; it is missing from the backup");
                None
            }
        };
        let next = copied
            .as_ref()
            .map_or(0, |(record, _)| record.head.seq.saturating_add(1));
        if head.is_some_and(|head| head.seq >= next) {
            self.copy.left_out.insert(chain.to_string(), next);
        }
        if let Some((record, copy)) = copied {
            self.copy.chains.insert(chain.to_string(), copy);
            self.records.push((Arc::clone(chain), record));
        }
        Ok(())
    }

    /// Copies what is good of a chain's file from its beginning: the part with which the next start would
    /// begin.
    fn good_part_of(
        &mut self,
        chain: &str,
        record: &Record,
    ) -> Result<Option<(Record, ChainCopy)>, BackupError> {
        let directory = &self.shared.directory;
        let path = directory.tenant_path(chain);
        let Ok(Some(good)) = readable_prefix(directory.disk(), &path, chain, record) else {
            return Ok(None);
        };
        match opened_under(self.shared, chain, good) {
            Ok(opened) => Ok(self.files_of(chain, opened)?.map(|copy| (good, copy))),
            Err(_gone) => Ok(None),
        }
    }

    /// Copies both files up to the record; none if they can't be read that far.
    fn files_of(&mut self, chain: &str, opened: Opened) -> Result<Option<ChainCopy>, BackupError> {
        let lines = format!("tenants/{chain}.jsonl");
        let evidence = format!("evidence/{chain}.ev");
        let copied = self.copied(chain, opened, (&lines, &evidence));
        let error = match copied {
            Ok((found, of_lines, of_evidence)) => {
                self.copy.files.insert(lines, of_lines);
                let of_evidence = of_evidence.map(|file| (evidence, file));
                self.copy.files.extend(of_evidence);
                return Ok(Some(found));
            }
            Err(FailedCopy::Source(error)) => error,
            Err(FailedCopy::Target(error)) => {
                return Err(BackupError::target(&self.into.join(lines))(error));
            }
            Err(FailedCopy::Stopped) => return Err(BackupError::Stopped),
        };
        tracing::error!(chain, %error, "a chain's files can't be read to their end; what is bad is missing from the backup");
        for name in [lines, evidence] {
            let path = self.into.join(name);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(BackupError::target(&path)(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(None)
    }

    fn copied(
        &self,
        chain: &str,
        opened: Opened,
        (lines, evidence): (&str, &str),
    ) -> Result<(ChainCopy, FileCopy, Option<FileCopy>), FailedCopy> {
        let record = opened.record;
        let (whole, of_evidence) = match opened.evidence {
            None => (true, None),
            Some(store) => {
                let target = new_file(&self.into.join(evidence)).map_err(FailedCopy::Target)?;
                let len = record.evidence_offset;
                let copying = Copying::reading(store, len, self.watched).into_file(target);
                let (whole, file) = checked_store(copying, len)?;
                (whole, Some(file))
            }
        };
        let path = self.into.join(lines);
        let target = new_file(&path).map_err(FailedCopy::Target)?;
        let copying = Copying::reading(opened.lines, record.offset, self.watched);
        let (first_bad_seq, of_lines) = checked_lines(copying.into_file(target), &record)?;
        let short = of_lines.bytes < record.offset
            || of_evidence
                .as_ref()
                .is_some_and(|file| file.bytes < record.evidence_offset);
        if short || !ends_in(&RealDisk, &path, chain, &record).map_err(FailedCopy::Target)? {
            let why = "the files do not end in what the record names";
            let why = io::Error::new(io::ErrorKind::InvalidData, why);
            return Err(FailedCopy::Source(why));
        }
        let found = ChainCopy {
            seq: record.head.seq,
            hash: record.head.hash_hex(),
            first_bad_seq,
            evidence_whole: whole,
        };
        Ok((found, of_lines, of_evidence))
    }

    /// Writes the record of what is in the copy. What is not, though it was durable, is held.
    fn finish(mut self, before: Holds) -> Result<JournalCopy, BackupError> {
        let live = &self.shared.heads;
        let mut holds = live.holds().map_err(BackupError::Heads)?;
        // One that was repaired meanwhile stays held if its copy was taken before.
        let reached = |chain: &str, next: u64| {
            let copy = self.copy.chains.get(chain);
            copy.is_some_and(|copy| copy.seq >= next)
        };
        for (chain, hold) in before.chains {
            if reached(&chain, hold.next) || holds.chains.contains_key(&chain) {
                continue;
            }
            match before.repaired.get(&chain) {
                Some(batch) => holds.repaired.insert(Arc::clone(&chain), *batch),
                None => holds.repaired.remove(&chain),
            };
            holds.chains.insert(chain, hold);
        }
        holds.unknown_chains_held |= before.unknown_chains_held;
        // Damage of a log that is not in the copy says nothing about the one that begins there.
        holds.known_damage.clear();
        let already = holds.chains.iter();
        self.copy.held = already
            .map(|(name, hold)| (name.to_string(), hold.next))
            .collect();
        let mut next_id = live.meta().map_err(BackupError::Heads)?.next_id;
        // Repairs that are known by now count from batches up to the next one.
        let first_batch = lock(&self.shared.pending).last_batch.saturating_add(1);
        for (chain, next) in &self.copy.left_out {
            let fresh = Hold {
                next: *next,
                alias: next_id,
                known_to: self.shared.head(chain).map(|head| head.seq),
            };
            next_id = next_id.saturating_add(1);
            let kept = holds.chains.entry(chain.as_str().into()).or_insert(fresh);
            kept.next = kept.next.min(*next);
        }
        if !planted(Bug::ForgetHeld) {
            self.set_aside(&holds)?;
        }
        let path = self.into.join("heads.redb");
        let numbers = Numbers {
            next_id,
            first_batch,
        };
        write_copy(&path, numbers, &self.records, &holds).map_err(BackupError::Heads)?;
        let heads = described(&path)?;
        self.copy.files.insert("heads.redb".to_owned(), heads);
        RealDisk
            .sync_directory(self.into)
            .map_err(BackupError::target(self.into))?;
        Ok(self.copy)
    }
}

/// Takes a chain's lines through `copying` and verifies them on the way, up to the record. Gives the
/// first seq that is not as it must be.
pub(super) fn checked_lines(
    mut copying: Copying<'_>,
    record: &Record,
) -> Result<(Option<u64>, FileCopy), FailedCopy> {
    let verified = verify_lines(BufReader::with_capacity(BUFFER, copying.by_ref()));
    let report = verified.map_err(|error| copying.failure(error))?;
    copying.drain()?;
    let report = report.expecting(&record.head);
    Ok((report.divergent_seq, copying.finish()?))
}

/// The same for `len` bytes of evidence; whether they prove themselves.
pub(super) fn checked_store(
    mut copying: Copying<'_>,
    len: u64,
) -> Result<(bool, FileCopy), FailedCopy> {
    let store = BufReader::with_capacity(BUFFER, copying.by_ref());
    let whole = evidence::is_whole(store, len);
    let whole = whole.map_err(|error| copying.failure(error))?;
    copying.drain()?;
    Ok((whole, copying.finish()?))
}

fn stopped(error: FailedCopy) -> BackupError {
    match error {
        FailedCopy::Stopped => BackupError::Stopped,
        FailedCopy::Source(error) | FailedCopy::Target(error) => {
            BackupError::Heads(error.to_string())
        }
    }
}
