//! What happened in a run, and a number that is the same whenever the same happened.

use crate::faults::Fault;
use crate::lock::lock;
use crate::outcome::Exit;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// Records that a trace keeps for reading, the first ones. Its digest covers all.
const KEPT: usize = 100_000;

/// What happened in a run of [`crate::testing::play`], in order. Clones are the same trace.
#[derive(Clone)]
pub struct Trace {
    origin: Instant,
    written: Arc<Mutex<Written>>,
}

struct Written {
    records: Vec<Record>,
    digest: u64,
    total: u64,
    sealed: bool,
}

/// One line of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Virtual time since the run began.
    pub at: Duration,
    /// The actor's id.
    pub actor: Arc<str>,
    /// What happened to it.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The storm ordered a fault, so many times; `there` if the actor existed.
    Ordered {
        /// The fault.
        fault: Fault,
        /// How often it is to strike.
        times: u32,
        /// Whether such an actor existed.
        there: bool,
    },
    /// A fault struck.
    Struck(Fault),
    /// A generation began.
    Began(u64),
    /// The actor ended.
    Ended(Exit),
    /// The test's own note.
    Note(String),
}

impl Trace {
    pub(crate) fn new() -> Self {
        let written = Written {
            records: Vec::new(),
            digest: FNV_BASIS,
            total: 0,
            sealed: false,
        };
        Self {
            origin: Instant::now(),
            written: Arc::new(Mutex::new(written)),
        }
    }

    /// Writes something of the test's own, so that it becomes a part of the digest.
    pub fn note(&self, actor: &str, note: impl Into<String>) {
        self.write(actor, What::Note(note.into()));
    }

    pub(crate) fn write(&self, actor: &str, what: What) {
        let record = Record {
            at: self.origin.elapsed(),
            actor: actor.into(),
            what,
        };
        let line = record.to_string();
        let mut written = lock(&self.written);
        if written.sealed {
            return;
        }
        written.digest = fnv(written.digest, line.as_bytes());
        written.total = written.total.saturating_add(1);
        if written.records.len() < KEPT {
            written.records.push(record);
        }
    }

    /// From now on nothing more is written: what follows is the end of the harness itself.
    pub(crate) fn seal(&self) {
        lock(&self.written).sealed = true;
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Equal for runs in which the same happened at the same virtual times.
    pub fn digest(&self) -> u64 {
        lock(&self.written).digest
    }

    /// Records written.
    pub fn total(&self) -> u64 {
        lock(&self.written).total
    }

    /// The first 100,000 records. A check that counts them wants [`Self::all`].
    pub fn records(&self) -> Vec<Record> {
        lock(&self.written).records.clone()
    }

    /// All records.
    ///
    /// # Panics
    /// If more were written than are kept: what is counted in a part of them proves nothing.
    pub fn all(&self) -> Vec<Record> {
        let (records, total) = (self.records(), self.total());
        let kept = u64::try_from(records.len()).unwrap_or(u64::MAX);
        assert_eq!(kept, total, "only the first records of a trace are kept");
        records
    }

    /// Where two runs parted: the number of the record, and that record of each, if they did.
    pub fn parting(&self, other: &Self) -> Option<(usize, Option<Record>, Option<Record>)> {
        let (ours, theirs) = (self.records(), other.records());
        let longest = ours.len().max(theirs.len());
        (0..longest)
            .map(|nth| (nth, ours.get(nth).cloned(), theirs.get(nth).cloned()))
            .find(|(_, ours, theirs)| ours != theirs)
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("total", &self.total())
            .field("digest", &format_args!("{:016x}", self.digest()))
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (s, ns) = (self.at.as_secs(), self.at.subsec_nanos());
        let (hours, minutes, seconds) = (s / 3600, s / 60 % 60, s % 60);
        write!(f, "{hours:02}:{minutes:02}:{seconds:02}.{ns:09} ")?;
        write!(f, "{} {}", self.actor, self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ordered {
                fault,
                times,
                there,
            } => {
                let whom = if *there { "" } else { ", nobody there" };
                write!(f, "ordered {fault} x{times}{whom}")
            }
            Self::Struck(fault) => write!(f, "struck by {fault}"),
            Self::Began(generation) => write!(f, "generation {generation}"),
            Self::Ended(exit) => exit.fmt(f),
            Self::Note(note) => f.write_str(note),
        }
    }
}

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// FNV-1a over a line and its end.
fn fnv(digest: u64, line: &[u8]) -> u64 {
    line.iter().chain(b"\n").fold(digest, |digest, byte| {
        (digest ^ u64::from(*byte)).wrapping_mul(FNV_PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::run;

    #[test]
    fn the_digest_tells_what_happened_and_when() {
        let digest = |note: &'static str, ms| {
            run(async move {
                let trace = Trace::new();
                tokio::time::sleep(Duration::from_millis(ms)).await;
                trace.note("a", note);
                trace.seal();
                trace.note("a", "too late");
                (trace.digest(), trace.total())
            })
        };
        assert_eq!(digest("one", 5), digest("one", 5));
        assert_ne!(digest("one", 5), digest("two", 5));
        assert_ne!(digest("one", 5), digest("one", 6));
        assert_eq!(digest("one", 5).1, 1);
    }

    #[test]
    fn a_record_reads_as_one_line() {
        let record = |what| {
            Record {
                at: Duration::new(3_725, 4_000_000),
                actor: "tenant/a".into(),
                what,
            }
            .to_string()
        };
        let ordered = What::Ordered {
            fault: Fault::BlockMs(3),
            times: 2,
            there: false,
        };
        assert_eq!(
            [record(ordered), record(What::Began(7))],
            [
                "01:02:05.004000000 tenant/a ordered block_ms:3 x2, nobody there",
                "01:02:05.004000000 tenant/a generation 7",
            ]
        );
    }

    /// Checks that counted records passed over whatever came after the last one that was kept.
    #[test]
    #[should_panic(expected = "only the first records")]
    fn a_part_of_a_trace_is_not_taken_for_all_of_it() {
        run(async {
            let trace = Trace::new();
            for _ in 0..KEPT {
                trace.note("a", "kept");
            }
            assert_eq!(trace.all().len(), KEPT);
            trace.note("a", "one too many");
            drop(trace.all());
        });
    }

    #[test]
    fn two_runs_are_told_apart_at_their_first_difference() {
        run(async {
            let (one, two) = (Trace::new(), Trace::new());
            one.note("a", "same");
            two.note("a", "same");
            assert_eq!(one.parting(&two), None);
            one.note("a", "more");
            let (nth, ours, theirs) = one.parting(&two).unwrap();
            assert_eq!((nth, ours.is_some(), theirs), (1, true, None));
        });
    }
}
