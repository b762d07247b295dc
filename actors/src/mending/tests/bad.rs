//! A journal that is not well.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use vyrox_journal::{
    Append, AppendError, Done, Erased, Head, HoldInfo, Journal, JournalError, Line, Lines,
    LocalJournal, Opened, Repaired, Status, VerifyReport,
};

/// A journal some of whose files turned bad, and whose disk is full for so many appends.
pub(crate) struct Bad {
    pub(crate) journal: Arc<LocalJournal>,
    pub(crate) lines: Mutex<BTreeSet<(&'static str, u64)>>,
    pub(crate) evidence: Mutex<BTreeSet<(&'static str, u64)>>,
    pub(crate) cut: Mutex<BTreeSet<(&'static str, u64)>>,
    /// The disk gives no answer to whoever asks for these lines, or for this evidence.
    pub(crate) mute_lines: Mutex<BTreeSet<(&'static str, u64)>>,
    pub(crate) mute_evidence: Mutex<BTreeSet<(&'static str, u64)>>,
    pub(crate) full: AtomicU32,
    /// How often it was read from.
    pub(crate) reads: AtomicU32,
    /// A chain that is held, and the last entry it is known to have had. The first try to restore it finds the disk silent.
    pub(crate) held: Mutex<Option<(&'static str, u64)>>,
    pub(crate) restored: AtomicU32,
    /// A chain that is held by now: its entries are refused, and nothing else says so yet.
    pub(crate) refused: Mutex<Option<&'static str>>,
}

impl Bad {
    /// Nothing is bad about it yet.
    pub(crate) fn new(journal: Arc<LocalJournal>) -> Self {
        Self {
            journal,
            lines: Mutex::default(),
            evidence: Mutex::default(),
            cut: Mutex::default(),
            mute_lines: Mutex::default(),
            mute_evidence: Mutex::default(),
            full: AtomicU32::new(0),
            reads: AtomicU32::new(0),
            held: Mutex::default(),
            restored: AtomicU32::new(0),
            refused: Mutex::default(),
        }
    }
}

fn is_in(set: &Mutex<BTreeSet<(&'static str, u64)>>, chain: &str, seq: u64) -> bool {
    let set = set.lock().unwrap_or_else(PoisonError::into_inner);
    set.iter().any(|one| *one == (chain, seq))
}

fn damaged(chain: &str, seq: u64) -> JournalError {
    JournalError::Damaged {
        chain: chain.to_owned(),
        seq,
        reason: "a test says so",
    }
}

fn mute() -> JournalError {
    JournalError::Io("too many open files".into())
}

/// As the journal's own reader: the first bad line is the last thing that it gives.
fn until_bad(bad: &Bad, chain: &str, lines: Lines) -> Vec<Result<Line, JournalError>> {
    let mut read = Vec::new();
    for line in lines {
        let line = line.and_then(|line| {
            if is_in(&bad.lines, chain, line.seq) {
                return Err(damaged(chain, line.seq));
            }
            if is_in(&bad.mute_lines, chain, line.seq) {
                return Err(mute());
            }
            Ok(line)
        });
        let ended = line.is_err();
        read.push(line);
        if ended {
            break;
        }
    }
    read
}

impl Journal for Bad {
    fn open(&self, chain: &str) -> Result<Opened, JournalError> {
        self.journal.open(chain)
    }

    fn append(&self, append: Append, done: Done) {
        let refused = *self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused == Some(&*append.chain) {
            return done(Err(AppendError::Held));
        }
        let left = self
            .full
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        match left {
            Ok(_) => done(Err(AppendError::Full)),
            Err(_none) => self.journal.append(append, done),
        }
    }

    fn head(&self, chain: &str) -> Option<Head> {
        self.journal.head(chain)
    }

    fn read(&self, chain: &str, from: u64, to: Option<u64>) -> Result<Lines, JournalError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if is_in(&self.mute_lines, chain, from) {
            return Err(mute());
        }
        let lines = self.journal.read(chain, from, to)?;
        Ok(Box::new(until_bad(self, chain, lines).into_iter()))
    }

    fn verify(&self, chain: &str) -> Result<VerifyReport, JournalError> {
        self.journal.verify(chain)
    }

    fn flush(&self, chain: &str) -> Result<(), JournalError> {
        self.journal.flush(chain)
    }

    fn evidence(&self, chain: &str, seq: u64) -> Result<Vec<Vec<u8>>, JournalError> {
        if is_in(&self.evidence, chain, seq) {
            return Err(damaged(chain, seq));
        }
        if is_in(&self.mute_evidence, chain, seq) {
            return Err(mute());
        }
        if is_in(&self.cut, chain, seq) {
            return Ok(Vec::new());
        }
        self.journal.evidence(chain, seq)
    }

    fn erase(&self, chain: &str, runs: &[(u64, u64)]) -> Result<Erased, JournalError> {
        self.journal.erase(chain, runs)
    }

    fn chains(&self) -> Vec<String> {
        self.journal.chains()
    }

    fn hold(&self, chain: &str) -> Option<HoldInfo> {
        let held = *self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, known_to) = held.filter(|(name, _)| *name == chain)?;
        Some(HoldInfo {
            from_seq: 0,
            proven: self.journal.head(chain),
            known_to: Some(known_to),
            successor: format!("{chain}+held-99"),
        })
    }

    fn restore(&self, chain: &str, _: Vec<Vec<u8>>) -> Result<Repaired, JournalError> {
        if self.hold(chain).is_none() {
            return Err(JournalError::NotHeld(chain.to_owned()));
        }
        if self.restored.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(mute());
        }
        Ok(Repaired {
            head: self.journal.head(chain),
            from_tail: 0,
            from_log: 0,
        })
    }

    fn status(&self) -> Status {
        self.journal.status()
    }

    fn close(&self) -> Result<(), JournalError> {
        self.journal.close()
    }
}
