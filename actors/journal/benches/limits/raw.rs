//! The baselines: one file with one sync a batch and nothing else, and the hashing that an entry
//! cannot do without.

use std::{
    fs::{File, OpenOptions},
    hint::black_box,
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};

use crate::cpu;

/// As large as a segment of the log.
const FILE_BYTES: usize = 64 << 20;
const PIECE: usize = 1 << 20;

/// A file that was filled with zeros and synced before anything is measured, like the log's.
pub(crate) struct RawLog {
    file: File,
    at: usize,
    bytes: Vec<u8>,
}

impl RawLog {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().create_new(true).write(true).open(path)?;
        let zeros = vec![0; PIECE];
        for _ in 0..FILE_BYTES / PIECE {
            file.write_all(&zeros)?;
        }
        file.sync_all()?;
        Ok(Self {
            file,
            at: 0,
            bytes: vec![0xA5; 2 * PIECE],
        })
    }

    /// Writes batches of these sizes, each with one write and one `fdatasync`, from the start again
    /// when the file is full. Answers how long that took, and its CPU.
    pub(crate) fn write(&mut self, sizes: &[usize]) -> io::Result<(Duration, Duration)> {
        let cpu = cpu::of_this_thread()?;
        let began = Instant::now();
        for size in sizes {
            if self.bytes.len() < *size {
                self.bytes.resize(*size, 0xA5);
            }
            if self.at + size > FILE_BYTES {
                self.at = 0;
            }
            let batch = self.bytes.get(..*size).unwrap_or_default();
            let offset = u64::try_from(self.at).unwrap_or_default();
            self.file.write_all_at(batch, offset)?;
            self.file.sync_data()?;
            self.at += size;
        }
        let cpu = cpu::of_this_thread()?.saturating_sub(cpu);
        Ok((began.elapsed(), cpu))
    }
}

/// CPU of so many SHA-256 passes over the same bytes, in pieces of this length.
pub(crate) fn hashing(bytes: &[u8], piece: usize, passes: usize) -> io::Result<Duration> {
    let before = cpu::of_this_thread()?;
    for piece in bytes.chunks(piece.max(1)) {
        for _ in 0..passes {
            black_box(Sha256::digest(black_box(piece)));
        }
    }
    Ok(cpu::of_this_thread()?.saturating_sub(before))
}
