//! Chains that lost their end and went on otherwise.

use std::sync::atomic::{AtomicBool, Ordering};

use vyrox_journal::{
    Append, AppendError, Done, Head, HoldInfo, JournalError, Line, Lines, Opened, Status,
    VerifyReport, projection::Put,
};

use super::*;

/// A chain, as the hash of each of its entries, and whether it is held.
#[derive(Default)]
struct Forked(Mutex<Vec<u8>>, AtomicBool);

impl Forked {
    fn error() -> JournalError {
        JournalError::Io("it is only read".to_owned())
    }

    /// The end is lost behind the first `kept` entries, and others come; gives those as they are committed.
    fn go_on(&self, kept: usize, hashes: &[u8]) -> Vec<Arc<Committed>> {
        let mut chain = self.0.lock().unwrap();
        chain.truncate(kept);
        chain.extend(hashes);
        let committed = |(seq, hash): (usize, &u8)| {
            Arc::new(Committed {
                chain: CHAIN.into(),
                seq: seq as u64,
                hash: [*hash; 32],
                line: Vec::new(),
            })
        };
        chain.iter().enumerate().skip(kept).map(committed).collect()
    }
}

impl Journal for Forked {
    fn open(&self, _chain: &str) -> Result<Opened, JournalError> {
        Err(Self::error())
    }

    fn append(&self, _append: Append, done: Done) {
        done(Err(AppendError::Full));
    }

    fn head(&self, chain: &str) -> Option<Head> {
        let hashes = self.0.lock().unwrap();
        let hash = hashes.last().filter(|_| chain == CHAIN)?;
        Some(Head {
            seq: hashes.len() as u64 - 1,
            hash: [*hash; 32],
        })
    }

    fn read(&self, _chain: &str, from: u64, to: Option<u64>) -> Result<Lines, JournalError> {
        let hashes = self.0.lock().unwrap().clone();
        let lines = hashes.into_iter().enumerate().map(|(seq, hash)| Line {
            seq: seq as u64,
            hash: [hash; 32],
            bytes: Vec::new(),
        });
        let range = move |line: &Line| from <= line.seq && to.is_none_or(|to| line.seq <= to);
        Ok(Box::new(lines.filter(range).map(Ok)))
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

    fn hold(&self, _chain: &str) -> Option<HoldInfo> {
        let held = self.1.load(Ordering::Acquire);
        held.then(|| HoldInfo {
            from_seq: 2,
            proven: self.head(CHAIN),
            known_to: Some(4),
            successor: format!("{CHAIN}+held-1"),
        })
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

struct Ground {
    journal: Arc<Forked>,
    parts: ProjectorParts,
    _dir: tempfile::TempDir,
}

/// A chain of five entries that is folded, with a row that was made of the last one.
fn ground() -> Ground {
    let dir = tempfile::tempdir().unwrap();
    let journal = Arc::new(Forked::default());
    let parts = ProjectorParts {
        journal: Arc::clone(&journal) as Arc<dyn Journal>,
        ..parts(&Arc::default(), &dir)
    };
    let entries = journal.go_on(0, &[1, 2, 3, 4, 5]);
    Fold::new(&parts).apply(&entries).unwrap();
    let row = Put::Alert {
        chain: CHAIN.into(),
        alert_id: [1; 16],
        received_ms: 1,
        value: Vec::new(),
    };
    let batch = Batch {
        puts: vec![row],
        applied: Vec::new(),
    };
    parts.projections.apply(&batch).unwrap();
    Ground {
        journal,
        parts,
        _dir: dir,
    }
}

impl Ground {
    /// Where the projections stand, and whether they have the row.
    fn stands(&self) -> (Option<u64>, u8, bool) {
        let projections = &self.parts.projections;
        let at = projections.stands_at(CHAIN).unwrap();
        let row = projections.alert(CHAIN, &[1; 16]).unwrap();
        let known = self.parts.progress.applied(CHAIN);
        assert_eq!(known, at.map(|at| at.seq));
        (known, at.map_or(0, |at| at.hash[0]), row.is_some())
    }
}

/// A chain was quarantined while the server ran, and repaired with a loss. The entries that came in the place
/// of the lost ones were taken for repeats of those, and alerts that were no more were shown for ever.
#[test]
fn what_was_made_of_lost_entries_is_made_anew_when_others_come_in_their_place() {
    // As many as were lost, fewer, and more, one at a time and at once.
    for new in [&[33, 44, 55][..], &[33], &[33, 44, 55, 66, 77]] {
        for at_once in [1, 9] {
            let ground = ground();
            assert_eq!(ground.stands(), (Some(4), 5, true));
            let mut fold = Fold::new(&ground.parts);
            for entries in ground.journal.go_on(2, new).chunks(at_once) {
                fold.apply(entries).unwrap();
                fold.turn_back().unwrap();
            }
            let last = 1 + new.len() as u64;
            let expected = (Some(last), new[new.len() - 1], false);
            assert_eq!(ground.stands(), expected, "{new:?} {at_once}");
        }
    }
}

#[test]
fn entries_that_are_folded_again_change_nothing() {
    let ground = ground();
    let mut fold = Fold::new(&ground.parts);
    let again = ground.journal.go_on(0, &[1, 2, 3, 4, 5]);
    fold.apply(&again).unwrap();
    fold.turn_back().unwrap();
    assert_eq!(ground.stands(), (Some(4), 5, true));
    let next = ground.journal.go_on(5, &[6]);
    fold.apply(&next).unwrap();
    fold.turn_back().unwrap();
    assert_eq!(ground.stands(), (Some(5), 6, true));
}

/// Entries were missed after the fork, so that none of the new ones stands where the projections end.
#[test]
fn a_gap_does_not_hide_that_a_chain_went_on_otherwise() {
    let ground = ground();
    let mut fold = Fold::new(&ground.parts);
    let entries = ground.journal.go_on(2, &[33, 44, 55, 66, 77, 88]);
    fold.apply(&entries[5..]).unwrap();
    fold.turn_back().unwrap();
    assert_eq!(ground.stands(), (Some(7), 88, false));
}

/// All of a chain was read into one transaction, however long it was.
#[test]
fn a_long_gap_is_read_by_itself() {
    let ground = ground();
    let mut fold = Fold::new(&ground.parts);
    let many: Vec<u8> = (0..=250).cycle().take(3000).collect();
    let entries = ground.journal.go_on(5, &many);
    fold.apply(&entries[2999..]).unwrap();
    assert_eq!(ground.stands(), (Some(4), 5, true));
    fold.turn_back().unwrap();
    assert_eq!(ground.stands(), (Some(3004), many[2999], true));
}

/// A repair brings back what seems lost. The claims of it were dropped meanwhile, and alerts that came again were
/// taken for new ones.
#[test]
fn what_was_made_of_a_held_chain_stays() {
    let ground = ground();
    ground.journal.go_on(2, &[]);
    ground.journal.1.store(true, Ordering::Release);
    catch_up(&ground.parts).unwrap();
    assert_eq!(ground.stands(), (Some(4), 5, true));
}

#[test]
fn a_start_makes_anew_what_was_made_of_lost_entries() {
    for new in [&[33, 44, 55][..], &[33], &[33, 44, 55, 66, 77], &[]] {
        let ground = ground();
        ground.journal.go_on(2, new);
        catch_up(&ground.parts).unwrap();
        let last = 1 + new.len() as u64;
        let hash = new.last().copied().unwrap_or(2);
        assert_eq!(ground.stands(), (Some(last), hash, false), "{new:?}");
    }
}
