//! A journal that knows how much of what it was asked for is not done yet: appends without an answer,
//! and whatever a thread waits for, as the load of a machine's state does.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use vyrox_actors::journal::{
    Append, Done, Erased, Head, Journal, JournalError, Line, Lines, LocalJournal, Opened, Status,
    VerifyReport,
};

pub(crate) struct Counted {
    journal: LocalJournal,
    pub(crate) in_flight: Arc<AtomicU64>,
}

impl Counted {
    pub(crate) fn new(journal: LocalJournal) -> Self {
        Self {
            journal,
            in_flight: Arc::default(),
        }
    }

    fn begun(&self) -> Underway {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        Underway(Arc::clone(&self.in_flight))
    }
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

    fn status(&self) -> Status {
        self.journal.status()
    }

    fn close(&self) -> Result<(), JournalError> {
        self.journal.close()
    }
}
