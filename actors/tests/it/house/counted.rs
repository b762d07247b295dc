//! A journal that knows how much of what it was asked for is not done yet: appends without an answer,
//! and whatever a thread waits for, as the load of a machine's state does.

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, Ordering},
    mpsc,
};

use vyrox_actors::journal::{
    Append, AppendError, Done, Erased, Head, HoldInfo, Journal, JournalError, Line, Lines,
    LocalJournal, Opened, Repaired, Status, VerifyReport,
};

pub(crate) struct Counted {
    journal: LocalJournal,
    pub(crate) in_flight: Arc<AtomicU64>,
    /// Appends that wait for the test to let the disk go on.
    stalled: Mutex<Option<Vec<(Append, Done)>>>,
    /// A chain that is said to be held, and what its repair waits for.
    held: Mutex<Option<(String, HoldInfo)>>,
    repair: Mutex<Option<mpsc::Receiver<()>>>,
    pub(crate) repairs: AtomicBool,
}

impl Counted {
    pub(crate) fn new(journal: LocalJournal) -> Self {
        Self {
            journal,
            in_flight: Arc::default(),
            stalled: Mutex::default(),
            held: Mutex::default(),
            repair: Mutex::default(),
            repairs: AtomicBool::new(false),
        }
    }

    /// From now on nothing is durable.
    pub(crate) fn stall(&self) {
        *lock(&self.stalled) = Some(Vec::new());
    }

    /// Everything that was asked for in the meantime is, in its order.
    pub(crate) fn go_on(&self) {
        let waiting = lock(&self.stalled).take();
        for (append, done) in waiting.into_iter().flatten() {
            self.append(append, done);
        }
    }

    /// Nothing of that ever is.
    pub(crate) fn lose(&self, error: &AppendError) {
        let waiting = lock(&self.stalled).take();
        for (_, done) in waiting.into_iter().flatten() {
            done(Err(error.clone()));
        }
    }

    /// This chain is held; its repair, once begun, ends when what is given back is dropped.
    pub(crate) fn hold_chain(&self, chain: &str) -> mpsc::Sender<()> {
        let hold = HoldInfo {
            from_seq: 0,
            proven: None,
            known_to: None,
            successor: format!("{chain}+held-9"),
        };
        *lock(&self.held) = Some((chain.to_owned(), hold));
        let (end, ends) = mpsc::channel();
        *lock(&self.repair) = Some(ends);
        end
    }

    fn begun(&self) -> Underway {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        Underway(Arc::clone(&self.in_flight))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics with the lock")
}

/// Counts for as long as it lives.
struct Underway(Arc<AtomicU64>);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Lines that somebody has not read to the end.
struct Reading {
    lines: Lines,
    _underway: Underway,
}

impl Iterator for Reading {
    type Item = Result<Line, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.lines.next()
    }
}

impl Journal for Counted {
    fn open(&self, chain: &str) -> Result<Opened, JournalError> {
        let _underway = self.begun();
        self.journal.open(chain)
    }

    fn append(&self, append: Append, done: Done) {
        if let Some(waiting) = &mut *lock(&self.stalled) {
            return waiting.push((append, done));
        }
        let underway = self.begun();
        let done = Box::new(move |answer| {
            done(answer);
            drop(underway);
        });
        self.journal.append(append, done);
    }

    fn head(&self, chain: &str) -> Option<Head> {
        self.journal.head(chain)
    }

    fn read(&self, chain: &str, from: u64, to: Option<u64>) -> Result<Lines, JournalError> {
        let underway = self.begun();
        let lines = self.journal.read(chain, from, to)?;
        Ok(Box::new(Reading {
            lines,
            _underway: underway,
        }))
    }

    fn verify(&self, chain: &str) -> Result<VerifyReport, JournalError> {
        let _underway = self.begun();
        self.journal.verify(chain)
    }

    fn flush(&self, chain: &str) -> Result<(), JournalError> {
        let _underway = self.begun();
        self.journal.flush(chain)
    }

    fn evidence(&self, chain: &str, seq: u64) -> Result<Vec<Vec<u8>>, JournalError> {
        let _underway = self.begun();
        self.journal.evidence(chain, seq)
    }

    fn erase(&self, chain: &str, runs: &[(u64, u64)]) -> Result<Erased, JournalError> {
        self.journal.erase(chain, runs)
    }

    fn chains(&self) -> Vec<String> {
        self.journal.chains()
    }

    fn hold(&self, chain: &str) -> Option<HoldInfo> {
        let held = lock(&self.held);
        let held = held.as_ref().filter(|(name, _)| name == chain);
        held.map(|(_, hold)| hold.clone())
    }

    fn repair(&self, chain: &str, _: Vec<Vec<u8>>) -> Result<Repaired, JournalError> {
        let ends = lock(&self.repair).take();
        let ends = ends.ok_or_else(|| JournalError::NotHeld(chain.into()))?;
        self.repairs.store(true, Ordering::Release);
        assert!(ends.recv().is_err(), "it ends when the other half is gone");
        *lock(&self.held) = None;
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
