//! Seeds, many of them.

use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::dice::Dice;
use super::disk::{Flaw, SimDisk};
use super::host::Host;
use super::inode::Place;
use super::schedule::{Outcome, Planted, play};
use super::stores;
use crate::disk::{Disk as _, Open};
use crate::heads::rewrite;
use crate::planted::Bug;
use crate::schedule::monotonic;
use crate::shared::lock;

/// Within so many seeds every planted bug is found.
const MOST_SEEDS: u64 = 1000;

const PLANTED: [(&str, Planted); 14] = [
    (
        "no sync of the log",
        Planted::Flaw(Flaw::SkipSync(Place::Log)),
    ),
    (
        "no sync of chain files",
        Planted::Flaw(Flaw::SkipSync(Place::Chain)),
    ),
    (
        "no sync of evidence",
        Planted::Flaw(Flaw::SkipSync(Place::Evidence)),
    ),
    (
        "no sync of the heads",
        Planted::Flaw(Flaw::SkipSync(Place::Database)),
    ),
    ("no sync of names", Planted::Flaw(Flaw::SkipNames)),
    ("acknowledge early", Planted::Flaw(Flaw::AcknowledgeEarly)),
    ("ignore EIO", Planted::Flaw(Flaw::IgnoreEio)),
    ("retry a failed sync", Planted::Flaw(Flaw::RetrySync)),
    ("recycle early", Planted::Bug(Bug::RecycleEarly)),
    ("accept old frames", Planted::Bug(Bug::AcceptOldFrames)),
    ("cut a corrupt batch", Planted::Bug(Bug::CutCorrupt)),
    (
        "a repair counts from a batch too late",
        Planted::Bug(Bug::CountLate),
    ),
    (
        "an erasure forgets what was set aside",
        Planted::Bug(Bug::ForgetSetAside),
    ),
    (
        "a backup forgets held chains",
        Planted::Bug(Bug::ForgetHeld),
    ),
];

#[test]
fn whatever_the_disk_does_nothing_acknowledged_is_lost() {
    let outcome = play_all(1..=500);
    println!("{outcome:?}");
    assert!(
        outcome.starts > 500 && outcome.disk.eios > 100,
        "{outcome:?}"
    );
    assert!(outcome.cuts > 10 && outcome.holds > 10, "{outcome:?}");
    assert!(outcome.repairs > 10 && outcome.erasures > 10, "{outcome:?}");
    assert!(outcome.backups > 10, "{outcome:?}");
}

#[test]
fn every_planted_bug_is_found() {
    for (name, planted) in PLANTED {
        let found =
            (1..=MOST_SEEDS).find_map(|seed| Some((seed, play(seed, planted, false).err()?)));
        let Some((seed, violation)) = found else {
            panic!("{name}: not found within {MOST_SEEDS} seeds");
        };
        println!("{name}: seed {seed}: {violation}");
    }
}

#[test]
fn a_seed_is_the_same_schedule_every_time() {
    let counted = |seed| play(seed, Planted::Nothing, false).unwrap();
    for seed in 1..=5 {
        assert_eq!(counted(seed), counted(seed), "{seed}");
    }
}

/// A start commits to `heads.redb` before anything else, and redb writes where its file has holes: on
/// a disk that had become full no start could, until somebody made room.
#[test]
fn a_journal_with_its_spares_starts_on_a_full_disk_however_often() {
    let disk = SimDisk::new(Dice::new(1));
    let start = || Host::start(&disk).unwrap_or_else(|error| panic!("{error}"));
    let host = start();
    assert!(host.fill_shelf().is_ok());
    disk.with(|state| state.off = true);
    drop(host);
    disk.with(|state| {
        state.end(true);
        state.faults.full = true;
    });
    for _ in 0..10 {
        let host = start();
        assert!(host.fill_shelf().is_ok());
        disk.with(|state| state.off = true);
        drop(host);
        disk.with(|state| state.end(true));
    }
}

/// The file of the heads is written over itself at a start, so that its holes get their room. On a disk
/// that was filling up that ended at the first hole without any, and so left alone what stood behind it:
/// also what had its room already, and what the page cache alone may have had.
#[test]
fn a_hole_without_room_keeps_nothing_behind_it_from_being_written() {
    const CHUNK: usize = 1 << 16;
    let path = std::path::Path::new("/data/heads.redb");
    let written = |seed| {
        let disk = SimDisk::new(Dice::new(seed));
        let file = disk.open(path, Open::Make).unwrap();
        file.set_len(3 << 16).unwrap();
        disk.with(|state| state.faults.no_space = 2);
        rewrite(&disk, path).unwrap();
        disk.with(|state| {
            let file = &state.inodes[state.names[path]];
            [0, 1, 2].map(|chunk| !file.needs_room(chunk << 16, CHUNK))
        })
    };
    assert!((1..100).any(|seed| written(seed) == [false, true, true]));
    assert!((1..100).any(|seed| written(seed) == [false, false, true]));
}

#[test]
#[ignore = "a long run, by `make sim`"]
#[expect(
    clippy::disallowed_methods,
    reason = "a run by hand is told what to do"
)]
fn many() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
    if let Some(seed) = number("VYROX_SEED") {
        let planted: Option<u64> = number("VYROX_BUG");
        let planted = planted.map_or(Planted::Nothing, |bug| PLANTED[crate::bytes::index(bug)].1);
        match play(seed, planted, true) {
            Ok(outcome) => println!("seed {seed} passes: {outcome:?}"),
            Err(violation) => panic!("seed {seed}: {violation}"),
        }
        return;
    }
    let first = number("FIRST").unwrap_or(1);
    let cases = number("CASES").unwrap_or(10_000);
    let outcome = play_all(first..=first + cases - 1);
    println!("{outcome:?}");
    stores::play_both(cases / 10);
    println!("vault and projections: {} seeds", cases / 10);
}

/// Plays seeds on all cores; panics if any shows a violation.
fn play_all(seeds: RangeInclusive<u64>) -> Outcome {
    let began = monotonic();
    let run = Run {
        next: AtomicU64::new(*seeds.start()),
        last: *seeds.end(),
        total: Mutex::default(),
        failures: Mutex::default(),
        began,
        told: Mutex::new(began),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| while run.play_next() {});
        }
    });
    let failures = run.failures.into_inner().unwrap();
    assert!(failures.is_empty(), "repeat with VYROX_SEED: {failures:#?}");
    println!("{seeds:?} in {:?}", monotonic() - began);
    run.total.into_inner().unwrap()
}

struct Run {
    next: AtomicU64,
    last: u64,
    total: Mutex<Outcome>,
    failures: Mutex<Vec<(u64, String)>>,
    began: Instant,
    told: Mutex<Instant>,
}

impl Run {
    /// Plays one seed more. `false` when there is none, or nobody would read more failures.
    fn play_next(&self) -> bool {
        const MOST_FAILURES: usize = 20;
        let seed = self.next.fetch_add(1, Ordering::Relaxed);
        if seed > self.last || lock(&self.failures).len() >= MOST_FAILURES {
            return false;
        }
        match play(seed, Planted::Nothing, false) {
            Ok(outcome) => lock(&self.total).add(&outcome),
            Err(violation) => {
                println!("seed {seed}: {violation}");
                lock(&self.failures).push((seed, violation));
            }
        }
        self.tell(seed);
        true
    }

    fn tell(&self, seed: u64) {
        let mut told = lock(&self.told);
        if monotonic() - *told > Duration::from_secs(10) {
            *told = monotonic();
            println!("seed {seed} after {:?}", monotonic() - self.began);
        }
    }
}
