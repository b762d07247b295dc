use std::sync::atomic::{AtomicBool, Ordering};

use vyrox_journal::{
    Append, AppendError, Done, Head, JournalError, Line, Lines, Opened, Status, VerifyReport,
};

use super::*;

mod branches;

/// The chain of this test has five entries.
const LAST: u64 = 4;
/// The projections ask nothing of the host's entries but that they are there.
const CHAIN: &str = HOST_CHAIN;

/// A journal whose files may be out of reach.
#[derive(Default)]
struct Unreachable(AtomicBool);

impl Unreachable {
    fn error() -> JournalError {
        JournalError::Io("no space left on device".to_owned())
    }
}

fn entry(seq: u64) -> Arc<Committed> {
    Arc::new(Committed {
        chain: CHAIN.into(),
        seq,
        hash: [7; 32],
        line: Vec::new(),
    })
}

impl Journal for Unreachable {
    fn open(&self, _chain: &str) -> Result<Opened, JournalError> {
        Err(Self::error())
    }

    fn append(&self, _append: Append, done: Done) {
        done(Err(AppendError::Full));
    }

    fn head(&self, chain: &str) -> Option<Head> {
        let head = Head {
            seq: LAST,
            hash: [7; 32],
        };
        (chain == CHAIN).then_some(head)
    }

    fn read(&self, _chain: &str, from: u64, to: Option<u64>) -> Result<Lines, JournalError> {
        let line = |seq| Line {
            seq,
            hash: [7; 32],
            bytes: Vec::new(),
        };
        let until = to.unwrap_or(LAST);
        if self.0.load(Ordering::SeqCst) {
            // The first of them are still there.
            let first = (from..until.min(2)).map(move |seq| Ok(line(seq)));
            return Ok(Box::new(first.chain([Err(Self::error())])));
        }
        Ok(Box::new((from..=until).map(move |seq| Ok(line(seq)))))
    }

    fn verify(&self, _chain: &str) -> Result<VerifyReport, JournalError> {
        Err(Self::error())
    }

    fn flush(&self, _chain: &str) -> Result<(), JournalError> {
        Err(Self::error())
    }

    fn evidence(&self, _chain: &str, _seq: u64) -> Result<Vec<Vec<u8>>, JournalError> {
        Err(Self::error())
    }

    fn chains(&self) -> Vec<String> {
        vec![CHAIN.to_owned()]
    }

    fn status(&self) -> Status {
        Status::default()
    }

    fn close(&self) -> Result<(), JournalError> {
        Ok(())
    }
}

fn parts(journal: &Arc<Unreachable>, dir: &tempfile::TempDir) -> ProjectorParts {
    let projections = Projections::open(&dir.path().join("projections.redb"), 1 << 20).unwrap();
    ProjectorParts {
        journal: Arc::clone(journal) as Arc<dyn Journal>,
        projections: Arc::new(projections),
        progress: Arc::default(),
        feed: Arc::default(),
        dedup_window_ms: 1000,
        folding: Arc::default(),
    }
}

/// A server that was started on a full disk said for ever after that a tenant's projections stood still: what
/// the start could not read was read with the tenant's next entry, and nobody took the word back. And a
/// tenant without a next entry was not tried again at all.
#[test]
fn a_chain_that_could_not_be_read_at_the_start_goes_on_with_its_next_entry() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Arc::new(Unreachable::default());
    let parts = parts(&journal, &dir);
    journal.0.store(true, Ordering::SeqCst);
    catch_up(&parts).unwrap();
    assert_eq!(parts.progress.applied(CHAIN), Some(1));
    assert!(parts.progress.stuck(CHAIN).is_some());
    assert!(parts.progress.is_any_stuck());

    let mut fold = Fold::new(&parts);
    journal.0.store(false, Ordering::SeqCst);
    fold.apply(&[entry(LAST)]).unwrap();
    assert_eq!(parts.progress.applied(CHAIN), Some(LAST));
    assert_eq!(parts.progress.stuck(CHAIN), None);
    assert!(!parts.progress.is_any_stuck());
}

#[test]
fn a_chain_that_stands_still_is_read_on_when_all_are_brought_up_again() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Arc::new(Unreachable::default());
    let parts = parts(&journal, &dir);
    let mut fold = Fold::new(&parts);
    journal.0.store(true, Ordering::SeqCst);
    fold.apply(&[entry(3)]).unwrap();
    assert!(parts.progress.stuck(CHAIN).is_some());
    // It stands still, whatever else comes of it.
    fold.apply(&[entry(LAST)]).unwrap();
    assert_ne!(parts.progress.applied(CHAIN), Some(LAST));

    journal.0.store(false, Ordering::SeqCst);
    catch_up(&parts).unwrap();
    assert_eq!(parts.progress.applied(CHAIN), Some(LAST));
    assert_eq!(parts.progress.stuck(CHAIN), None);
}
