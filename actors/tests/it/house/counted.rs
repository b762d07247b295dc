//! A journal that knows how many appends have no answer yet.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use vyrox_actors::journal::{
    Append, Done, Head, Journal, JournalError, Lines, LocalJournal, Opened, Status, VerifyReport,
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
}

impl Journal for Counted {
    fn open(&self, chain: &str) -> Result<Opened, JournalError> {
        self.journal.open(chain)
    }

    fn append(&self, append: Append, done: Done) {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        let in_flight = Arc::clone(&self.in_flight);
        let done = Box::new(move |answer| {
            done(answer);
            in_flight.fetch_sub(1, Ordering::AcqRel);
        });
        self.journal.append(append, done);
    }

    fn head(&self, chain: &str) -> Option<Head> {
        self.journal.head(chain)
    }

    fn read(&self, chain: &str, from: u64, to: Option<u64>) -> Result<Lines, JournalError> {
        self.journal.read(chain, from, to)
    }

    fn verify(&self, chain: &str) -> Result<VerifyReport, JournalError> {
        self.journal.verify(chain)
    }

    fn flush(&self, chain: &str) -> Result<(), JournalError> {
        self.journal.flush(chain)
    }

    fn evidence(&self, chain: &str, seq: u64) -> Result<Vec<Vec<u8>>, JournalError> {
        self.journal.evidence(chain, seq)
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
