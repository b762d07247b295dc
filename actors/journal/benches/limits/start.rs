//! A start after a crash, when the log ends with a long tail that no chain's own file has yet.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use vyrox_journal::{LocalJournal, Options};

use crate::{
    Outcome, Plan,
    appenders::Chains,
    entries::Kind,
    ground::{Batch, Ground, directory},
    raw,
    report::{head, mib, ms, row},
};

const CHAINS: usize = 16;
const APPENDERS: usize = 256;
/// Entries that are appended before the log is looked at again.
const STEP: usize = 256;
/// What the tail's segment needs besides: its headers, and the last step.
const SPARE_BYTES: u64 = 4 << 20;

/// A crashed journal's directory.
struct Crashed {
    directory: TempDir,
    batches: Vec<Batch>,
}

struct Start {
    whole: Duration,
    /// SHA-256 over all bytes of the tail.
    hashing: Duration,
    /// SHA-256 over the lines alone, which is what a start must hash.
    lines: Duration,
    /// Reading as much from a file, and writing it over zeros with one sync.
    disk: Duration,
}

/// Prints the table.
pub(crate) fn measure(plan: &Plan) -> Outcome<()> {
    let crashed = Crashed::make(plan.tail_bytes)?;
    let mut starts = Vec::new();
    for round in 0..=plan.rounds {
        let start = crashed.start(plan.tail_bytes)?;
        // The first round warms up.
        starts.extend((round > 0).then_some(start));
    }
    head(&format!(
        "start, tail of {:.1} MiB with {} alerts",
        mib(crashed.bytes()),
        crashed.entries(),
    ));
    let show = |name, digits, aim, figure: &dyn Fn(&Start) -> f64| {
        row(name, digits, starts.iter().map(figure).collect(), aim);
    };
    show("until it takes entries, ms", 0, "", &|it| ms(it.whole));
    show("SHA-256 over the tail, ms", 0, "", &|it| ms(it.hashing));
    let share = |it: &Start, time: Duration| time.as_secs_f64() / it.whole.as_secs_f64();
    show("its share of the start", 2, "", &|it| share(it, it.hashing));
    show("SHA-256 over the lines alone, share", 2, "", &|it| {
        share(it, it.lines)
    });
    show(
        "reading, writing and syncing as much, share",
        2,
        "",
        &|it| share(it, it.disk),
    );
    Ok(())
}

impl Crashed {
    /// Fills one segment and copies the directory, as a crash of the process would leave it.
    fn make(tail_bytes: u64) -> Outcome<Self> {
        let ground = Ground::open_with(options(tail_bytes))?;
        let mut chains = Chains::open(&ground.journal, CHAINS)?;
        let mut crashed = Self {
            directory: directory()?,
            batches: Vec::new(),
        };
        while crashed.bytes() < tail_bytes {
            chains.run(&ground.journal, Kind::Alert.drafts(STEP), APPENDERS)?;
            crashed.batches.extend(ground.take_batches());
        }
        copy(ground.path(), &crashed.image())?;
        Ok(crashed)
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    fn bytes(&self) -> u64 {
        let sizes = self.batches.iter().map(|it| it.bytes(Kind::Alert));
        u64::try_from(sizes.sum::<usize>()).unwrap_or(u64::MAX)
    }

    fn entries(&self) -> usize {
        self.batches.iter().map(|batch| batch.entries).sum()
    }

    /// Starts on a copy of its own, which is on the disk before the time begins.
    fn start(&self, tail_bytes: u64) -> Outcome<Start> {
        let copied = directory()?;
        let path = copied.path().join("journal");
        copy(&self.image(), &path)?;
        let began = Instant::now();
        let journal = LocalJournal::open(&path, options(tail_bytes), None)?;
        let whole = began.elapsed();
        drop(journal);
        let bytes = vec![0x61; usize::try_from(self.bytes())?];
        let line = Batch::mean_line(&self.batches);
        let lines = bytes.get(..line * self.entries()).unwrap_or(&bytes);
        Ok(Start {
            whole,
            hashing: raw::hashing(&bytes, line + Kind::Alert.attached(), 1)?,
            lines: raw::hashing(lines, line, 1)?,
            disk: disk(copied.path(), &bytes)?,
        })
    }
}

/// One segment takes it all, and nothing is copied out of it before the crash.
fn options(tail_bytes: u64) -> Options {
    Options {
        segment_bytes: tail_bytes + SPARE_BYTES,
        checkpoint_interval: Duration::from_hours(1),
        ..Options::default()
    }
}

/// What the disk takes for a tail: read it, write it over zeros, sync once.
fn disk(folder: &Path, bytes: &[u8]) -> io::Result<Duration> {
    let (old, new) = (folder.join("old"), folder.join("new"));
    fs::File::create_new(&old)?.write_all(bytes)?;
    let mut file = fs::File::create_new(new)?;
    file.write_all(&vec![0; bytes.len()])?;
    file.sync_all()?;
    let began = Instant::now();
    file.write_all_at(&fs::read(old)?, 0)?;
    file.sync_data()?;
    Ok(began.elapsed())
}

/// Copies a directory with all that is in it, and syncs what it wrote.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
            fs::File::open(&target)?.sync_all()?;
        }
    }
    Ok(())
}
