//! Where it is measured: directories on the disk that the build is on, and journals in them.

use std::{
    fs, io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tempfile::TempDir;
use vyrox_journal::{CommittedBatch, Journal as _, LocalJournal, Options};

use crate::{Outcome, entries::Kind};

/// A new directory; not in memory, as a system's directory for temporary files may be.
pub(crate) fn directory() -> io::Result<TempDir> {
    let on_disk = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(on_disk)?;
    tempfile::Builder::new()
        .prefix("limits-")
        .tempdir_in(on_disk)
}

/// How often the server has the chains' own files brought up to date.
const CHECKPOINT: Duration = Duration::from_secs(1);
/// After so long without an entry a checkpoint has begun that takes them all.
const SETTLE: Duration = Duration::from_millis(1_500);

fn options() -> Options {
    Options {
        checkpoint_interval: CHECKPOINT,
        ..Options::default()
    }
}

/// One batch that the journal wrote.
#[derive(Clone, Copy, Default)]
pub(crate) struct Batch {
    pub(crate) entries: usize,
    lines: usize,
    names: usize,
}

impl Batch {
    fn of(committed: &CommittedBatch) -> Self {
        let mut batch = Self::default();
        for entry in &committed.entries {
            batch.entries += 1;
            batch.lines += entry.line.len();
            batch.names += entry.chain.len();
        }
        batch
    }

    /// The mean length of the lines of some batches.
    pub(crate) fn mean_line(batches: &[Self]) -> usize {
        let lines: usize = batches.iter().map(|batch| batch.lines).sum();
        let entries: usize = batches.iter().map(|batch| batch.entries).sum();
        lines / entries.max(1)
    }

    /// What it took on the disk, by `docs/journal-format.md`: header, trailer and the manifest's CRC;
    /// of each entry an item of the manifest and a frame; all in whole pages.
    pub(crate) fn bytes(&self, kind: Kind) -> usize {
        const AROUND: usize = 48 + 48 + 4;
        const ITEM: usize = 14;
        const FRAME: usize = 48;
        let each = ITEM + FRAME + kind.attached();
        let bytes = AROUND + self.entries * each + 2 * self.names + self.lines;
        bytes.next_multiple_of(4096)
    }
}

/// A journal that notes what it writes. Like the server it has somebody who listens to its commits.
pub(crate) struct Ground {
    pub(crate) journal: LocalJournal,
    batches: Arc<Mutex<Vec<Batch>>>,
    /// Removed when the journal is closed.
    directory: TempDir,
}

impl Ground {
    /// Opens a new one as the server does.
    pub(crate) fn open() -> Outcome<Self> {
        Self::open_with(options())
    }

    pub(crate) fn open_with(options: Options) -> Outcome<Self> {
        let directory = directory()?;
        let batches = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&batches);
        let note = move |batch: &CommittedBatch| locked(&noted).push(Batch::of(batch));
        let journal = LocalJournal::open(directory.path(), options, Some(Box::new(note)))?;
        Ok(Self {
            journal,
            batches,
            directory,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Completes one chain's own file.
    pub(crate) fn flush(&self, chain: &str) -> Outcome<()> {
        Ok(self.journal.flush(chain)?)
    }

    /// Waits until the chains' own files hold everything and nothing is left to do.
    pub(crate) fn complete(&self) -> Outcome<()> {
        thread::sleep(SETTLE);
        // Answered only when the checkpointer is done with what it does. There is no such chain.
        self.flush("nobody")
    }

    /// The batches since the last call, in order.
    pub(crate) fn take_batches(&self) -> Vec<Batch> {
        std::mem::take(&mut *locked(&self.batches))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
