//! One pass over a file: read, digested, and written elsewhere if it is a copy.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::ops::ControlFlow;

use sha2::{Digest as _, Sha256};

use super::{FileCopy, Progress, Report};
use crate::bytes::wide;

/// Bytes between two reports.
const REPORT_EVERY: u64 = 1 << 20;

/// Why a file was not copied.
#[derive(Debug)]
pub(super) enum FailedCopy {
    /// It could not be read.
    Source(io::Error),
    /// Its copy could not be written.
    Target(io::Error),
    /// The whole work was told to end.
    Stopped,
}

/// Counts what is done and tells whoever watches.
pub(super) struct Watched<'a> {
    progress: Cell<Progress>,
    told_at: Cell<u64>,
    report: Report<'a>,
}

impl<'a> Watched<'a> {
    pub(super) fn new(progress: Progress, report: Report<'a>) -> Self {
        Self {
            progress: Cell::new(progress),
            told_at: Cell::new(0),
            report,
        }
    }

    /// One chain more is done.
    pub(super) fn chain(&self) -> Result<(), FailedCopy> {
        let mut progress = self.progress.get();
        progress.chains_done += 1;
        self.progress.set(progress);
        self.tell()
    }

    fn bytes(&self, count: u64) -> Result<(), FailedCopy> {
        let mut progress = self.progress.get();
        progress.bytes_done += count;
        self.progress.set(progress);
        if progress.bytes_done - self.told_at.get() < REPORT_EVERY {
            return Ok(());
        }
        self.tell()
    }

    fn tell(&self) -> Result<(), FailedCopy> {
        let progress = self.progress.get();
        self.told_at.set(progress.bytes_done);
        match (self.report)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(FailedCopy::Stopped),
        }
    }
}

/// A reader that digests what goes through it, and writes it to its copy if there is one. After its
/// first failure it gives nothing more, and [`finish`](Self::finish) tells which it was.
pub(super) struct Copying<'a> {
    source: io::Take<Box<dyn Read + 'a>>,
    target: Option<File>,
    digest: Sha256,
    bytes: u64,
    watched: &'a Watched<'a>,
    failed: Option<FailedCopy>,
}

impl<'a> Copying<'a> {
    /// Reads the first `len` bytes of `source`.
    pub(super) fn reading(source: impl Read + 'a, len: u64, watched: &'a Watched<'a>) -> Self {
        let source: Box<dyn Read + 'a> = Box::new(source);
        Self {
            source: source.take(len),
            target: None,
            digest: Sha256::new(),
            bytes: 0,
            watched,
            failed: None,
        }
    }

    /// The same, written to `target` as well.
    pub(super) fn into_file(self, target: File) -> Self {
        Self {
            target: Some(target),
            ..self
        }
    }

    /// Takes along what whoever read from it has left.
    pub(super) fn drain(&mut self) -> Result<(), FailedCopy> {
        let mut rest = vec![0; 1 << 16];
        loop {
            match self.read(&mut rest) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failure(error)),
            }
        }
    }

    /// The failure behind an error that it gave to its reader.
    pub(super) fn failure(&mut self, error: io::Error) -> FailedCopy {
        self.failed.take().unwrap_or(FailedCopy::Source(error))
    }

    /// Syncs the copy; what went through.
    pub(super) fn finish(self) -> Result<FileCopy, FailedCopy> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        if let Some(target) = self.target {
            target.sync_all().map_err(FailedCopy::Target)?;
        }
        Ok(FileCopy {
            bytes: self.bytes,
            sha256: hex::encode(self.digest.finalize()),
        })
    }

    fn pass(&mut self, bytes: &[u8]) -> Result<(), FailedCopy> {
        self.digest.update(bytes);
        if let Some(target) = &mut self.target {
            target.write_all(bytes).map_err(FailedCopy::Target)?;
        }
        self.bytes += wide(bytes.len());
        self.watched.bytes(wide(bytes.len()))
    }
}

impl Read for Copying<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.failed.is_some() {
            return Err(io::Error::other("the copy has failed"));
        }
        let passed = match self.source.read(buffer) {
            Ok(read) => self
                .pass(buffer.get(..read).unwrap_or_default())
                .map(|()| read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => Err(FailedCopy::Source(error)),
        };
        passed.map_err(|failed| {
            self.failed = Some(failed);
            io::Error::other("the copy has failed")
        })
    }
}
