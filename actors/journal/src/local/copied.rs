//! Reading what the chains' own files hold, and having them completed that far first.

use std::io::{self, BufReader, Read as _};

use super::{Ask as _, LocalJournal, check_name, io_error};
use crate::disk::{Open, Reader};
use crate::evidence::Found;
use crate::journal::{Journal as _, JournalError, Lines};
use crate::tenant_file::LineReader;
use crate::verify::{VerifyReport, verify_lines};

impl LocalJournal {
    /// Completes the chain's own file, unless it holds the entry at `seq` already: then nothing needs
    /// to be synced for whoever reads that.
    pub(super) fn complete_to(&self, chain: &str, seq: Option<u64>) -> Result<(), JournalError> {
        check_name(chain)?;
        self.ended()?;
        let record = self.shared.record(chain);
        if record
            .zip(seq)
            .is_some_and(|(record, seq)| seq <= record.head.seq)
        {
            return Ok(());
        }
        self.flush(chain)
    }

    /// Reads lines from the chain's own file, as far as it is complete.
    pub(super) fn read_copied(
        &self,
        chain: &str,
        from_seq: u64,
        to_seq: Option<u64>,
    ) -> Result<Lines, JournalError> {
        let Some(record) = self.shared.record(chain) else {
            return Ok(Box::new(std::iter::empty()));
        };
        let to = to_seq.map_or(record.head.seq, |to| to.min(record.head.seq));
        if from_seq > to {
            return Ok(Box::new(std::iter::empty()));
        }
        let directory = &self.shared.directory;
        let lines = LineReader::open(directory, chain, &record, (from_seq, to));
        Ok(Box::new(lines.map_err(|error| {
            gone_or_failed(&error, chain, from_seq)
        })?))
    }

    /// Reads attachments from the chain's evidence store, as far as it is complete.
    pub(crate) fn evidence_copied(
        &self,
        chain: &str,
        seq: u64,
    ) -> Result<Vec<Vec<u8>>, JournalError> {
        let record = self
            .shared
            .record(chain)
            .filter(|record| seq <= record.head.seq);
        let Some(record) = record else {
            return Err(JournalError::NoEntry {
                chain: chain.to_owned(),
                seq,
            });
        };
        if record.evidence_offset == 0 {
            return Ok(Vec::new());
        }
        let directory = &self.shared.directory;
        let erased = || JournalError::Erased {
            chain: chain.to_owned(),
            seq,
        };
        let find = || {
            self.evidence
                .find(directory, chain, record.evidence_offset, seq)
        };
        let failed = |error: io::Error| gone_or_failed(&error, chain, seq);
        let mut found = find().map_err(failed)?;
        if matches!(found, Found::Damaged) {
            // An erasure that ran meanwhile tears what is read; its mark is there by now.
            found = find().map_err(failed)?;
        }
        if self.shared.erasures.contains(chain, seq) && !found.is_empty() {
            return Err(erased());
        }
        match found {
            Found::Attachments(attachments) => Ok(attachments),
            Found::Erased => Err(erased()),
            Found::Damaged => Err(JournalError::Damaged {
                chain: chain.to_owned(),
                seq,
                reason: "the evidence store does not match its checksums",
            }),
        }
    }

    /// Verifies the chain's own file, as far as it is complete.
    pub(crate) fn verify_copied(&self, chain: &str) -> Result<VerifyReport, JournalError> {
        let Some(record) = self.shared.record(chain) else {
            return verify_lines(io::empty()).map_err(io_error);
        };
        let directory = &self.shared.directory;
        let path = directory.tenant_path(chain);
        let file = directory.disk().open(&path, Open::Read);
        let file = Reader::new(file.map_err(io_error)?, 0);
        // What lies beyond the record is not the chain's yet: the checkpointer may be writing there.
        let chain_only = BufReader::new(file).take(record.offset);
        let report = verify_lines(chain_only).map_err(io_error)?;
        Ok(report.expecting(&record.head))
    }
}

/// A file that is not there, or ends before what the record says of it, is a damage: no disk that works again
/// brings it back. Any other error says nothing of the bytes.
fn gone_or_failed(error: &io::Error, chain: &str, seq: u64) -> JournalError {
    let (gone, cut) = (io::ErrorKind::NotFound, io::ErrorKind::UnexpectedEof);
    if ![gone, cut].contains(&error.kind()) {
        return JournalError::Io(error.to_string());
    }
    JournalError::Damaged {
        chain: chain.to_owned(),
        seq,
        reason: "the file is gone or cut",
    }
}
