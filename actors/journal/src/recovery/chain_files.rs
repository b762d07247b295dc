//! The chains' own files at a start: each is proven against its record and cut back to it.
//!
//! Whatever is wrong with one chain's files is that chain's trouble alone: it is held, and all the
//! others begin.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::Recovery;
use crate::heads::Record;
use crate::options::StartError;
use crate::pending::settle;
use crate::shared::lock;
use crate::tenant_file::{cut_back, ends_in, good_prefix};

impl Recovery<'_> {
    /// Checks that every chain's file ends in what its record says.
    pub(super) fn prove_records(&mut self) -> Result<(), StartError> {
        let mut proven = BTreeMap::new();
        for (chain, record) in std::mem::take(&mut self.records) {
            let (good, whole) = match self.examine(&chain, &record) {
                Ok(examined) => examined,
                Err(error) => {
                    self.give_up_files("read", &chain, error)?;
                    (None, false)
                }
            };
            self.fold.add_record(&chain, good.as_ref(), whole);
            self.fold.mention(&chain, record.head.seq);
            proven.extend(good.map(|good| (chain, good)));
        }
        self.records = proven;
        Ok(())
    }

    /// How far a chain's file is good, and whether that is as far as its record says.
    fn examine(&self, chain: &str, record: &Record) -> io::Result<(Option<Record>, bool)> {
        let disk = self.directory.disk();
        let path = self.directory.tenant_path(chain);
        if ends_in(disk, &path, chain, record)? {
            return Ok((Some(*record), true));
        }
        Ok((good_prefix(disk, &path, chain, record)?, false))
    }

    /// Cuts the files of every chain that the journal knows back to its record: what lies beyond was
    /// never proven durable, and the page cache may show what the disk does not hold. Files of other
    /// names are not the journal's to change.
    ///
    /// Commits a hold for each chain whose files cannot be cut.
    pub(super) fn cut_files_back(
        &mut self,
        records: &BTreeMap<Arc<str>, Record>,
    ) -> Result<(), StartError> {
        let listed = self.directory.chain_files();
        let listed = listed.map_err(StartError::io("list", self.directory.root()))?;
        let mut more_held = false;
        for chain in listed {
            let record = records.get(chain.as_str());
            let known = record.is_some() || self.fold.knows(&chain);
            if !known || self.unusable.contains(chain.as_str()) {
                continue;
            }
            if let Err(error) = self.cut_files_of(&chain, record) {
                self.give_up_files("truncate", &chain, error)?;
                self.strand(&chain);
                more_held = true;
            }
        }
        if more_held {
            self.commit_holds()?;
        }
        Ok(())
    }

    fn cut_files_of(&self, chain: &str, record: Option<&Record>) -> io::Result<()> {
        let disk = self.directory.disk();
        let offset = record.map_or(0, |record| record.offset);
        cut_back(disk, &self.directory.tenant_path(chain), offset)?;
        let offset = record.map_or(0, |record| record.evidence_offset);
        cut_back(disk, &self.directory.evidence_path(chain), offset)
    }

    /// Remembers that a chain's files are of no use, if the error is about what stands in their
    /// place. A hold lasts, so what may pass (a wrong owner, a disk that stutters) ends the start
    /// instead, with nothing committed.
    fn give_up_files(
        &mut self,
        what: &'static str,
        chain: &str,
        error: io::Error,
    ) -> Result<(), StartError> {
        if !is_about_the_files(&error) {
            return Err(StartError::io(what, &self.directory.tenant_path(chain))(
                error,
            ));
        }
        tracing::error!(chain, what, %error, "a chain's own files cannot be used: it is held");
        self.unusable.insert(chain.into());
        Ok(())
    }

    /// Ends a chain at its proven record: the frames behind it cannot be copied any more.
    fn strand(&mut self, chain: &str) {
        self.fold.add_record(chain, self.records.get(chain), false);
        let frames = self.pending.take(chain);
        settle(&frames);
        for frame in frames {
            let segment = Arc::clone(&frame.segment);
            lock(&segment.stranded).push(frame);
        }
    }
}

fn is_about_the_files(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory
    )
}
