mod comparing;
mod damage;
mod model;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tempfile::TempDir;

use super::*;

const CACHE: usize = 1024 * 1024;

/// A directory, the file in it, and copies of it as a crash would leave them.
struct Fixture {
    directory: TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("projections.redb")
    }

    fn open(&self) -> Projections {
        Projections::open(&self.path(), CACHE).unwrap()
    }

    /// What a process that starts after a kill right now would find.
    fn after_crash(&self) -> Projections {
        let copy = self.directory.path().join("copy.redb");
        std::fs::copy(self.path(), &copy).unwrap();
        Projections::open(&copy, CACHE).unwrap()
    }
}

fn id(number: u8) -> [u8; 16] {
    [number; 16]
}

fn alert(chain: &str, number: u8, received_ms: u64) -> Put {
    Put::Alert {
        chain: chain.into(),
        alert_id: id(number),
        received_ms,
        value: format!("{chain} {number} at {received_ms}").into_bytes(),
    }
}

fn claim(chain: &str, number: u8, expires_ms: u64) -> Put {
    Put::Claim {
        chain: chain.into(),
        key: [number; 32],
        value: vec![number],
        expires_ms,
    }
}

/// An entry, with a hash that goes with its number.
fn at(seq: u64) -> Head {
    let hash = [u8::try_from(seq % 251).unwrap(); 32];
    Head { seq, hash }
}

fn batch(puts: Vec<Put>, applied: &[(&str, u64)]) -> Batch {
    Batch {
        puts,
        applied: applied
            .iter()
            .map(|(chain, seq)| (Arc::from(*chain), at(*seq)))
            .collect(),
    }
}

fn listed(projections: &Projections, chain: &str) -> Vec<(u64, [u8; 16])> {
    let rows = projections.alerts(chain, None, MAX_PAGE).unwrap();
    rows.into_iter()
        .map(|row| (row.received_ms, row.alert_id))
        .collect()
}

#[test]
fn what_was_put_is_found() {
    let fixture = Fixture::new();
    let projections = fixture.open();
    let snapshot = Put::Snapshot {
        chain: "acme".into(),
        version: 3,
        at: at(8),
        value: vec![1, 2],
    };
    let puts = vec![
        alert("acme", 1, 100),
        alert("globex", 2, 200),
        claim("acme", 7, 50),
        snapshot,
    ];
    projections
        .apply(&batch(puts, &[("acme", 9), ("globex", 4)]))
        .unwrap();

    assert_eq!(projections.applied("acme").unwrap(), Some(9));
    assert_eq!(projections.applied("initech").unwrap(), None);
    assert_eq!(
        projections.all_applied().unwrap(),
        [("acme".into(), at(9)), ("globex".into(), at(4))]
    );

    assert_eq!(
        projections.alert("acme", &id(1)).unwrap().unwrap(),
        b"acme 1 at 100"
    );
    assert_eq!(projections.alert("globex", &id(1)).unwrap(), None);
    let found = projections.find_alert(&id(2)).unwrap().unwrap();
    assert_eq!(found, ("globex".into(), b"globex 2 at 200".to_vec()));
    assert_eq!(projections.find_alert(&id(0)).unwrap(), None);
    assert_eq!(projections.find_alert(&id(3)).unwrap(), None);

    assert_eq!(
        projections.claim("acme", &[7; 32], 49).unwrap(),
        Some(vec![7])
    );
    assert_eq!(projections.claim("acme", &[7; 32], 50).unwrap(), None);
    assert_eq!(projections.claim("globex", &[7; 32], 0).unwrap(), None);

    let row = SnapshotRow {
        version: 3,
        at: at(8),
        value: vec![1, 2],
    };
    assert_eq!(projections.snapshot("acme").unwrap(), Some(row));
    assert_eq!(projections.snapshot("globex").unwrap(), None);
}

#[test]
fn an_alert_is_listed_once_where_it_was_received_last() {
    let fixture = Fixture::new();
    let projections = fixture.open();
    projections
        .apply(&batch(
            vec![alert("acme", 1, 100), alert("acme", 2, 150)],
            &[],
        ))
        .unwrap();
    projections
        .apply(&batch(vec![alert("acme", 1, 200)], &[]))
        .unwrap();
    assert_eq!(listed(&projections, "acme"), [(200, id(1)), (150, id(2))]);
    assert_eq!(
        projections.alert("acme", &id(1)).unwrap().unwrap(),
        b"acme 1 at 200"
    );
}

#[test]
fn pages_follow_one_another_through_equal_times_and_stay_in_the_chain() {
    let fixture = Fixture::new();
    let projections = fixture.open();
    let mut puts: Vec<Put> = (0..25)
        .map(|n| alert("acme", n, u64::from(n) / 4))
        .collect();
    puts.push(alert("acm", 200, u64::MAX));
    puts.push(alert("acme+held-1", 201, 0));
    puts.push(alert("acme", 255, u64::MAX));
    projections.apply(&batch(puts, &[])).unwrap();

    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = projections.alerts("acme", before, 7).unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 7);
        before = Some((last.received_ms, last.alert_id));
        seen.extend(page.into_iter().map(|row| row.alert_id));
    }
    let expected: Vec<_> = std::iter::once(255).chain((0..25).rev()).map(id).collect();
    assert_eq!(seen, expected);
    assert!(projections.alerts("acme", None, 0).unwrap().is_empty());
}

#[test]
fn a_listing_is_bounded() {
    let fixture = Fixture::new();
    let projections = fixture.open();
    let puts = (0..1_200_u16).map(|n| {
        let mut alert_id = [0; 16];
        alert_id[..2].copy_from_slice(&n.to_be_bytes());
        Put::Alert {
            chain: "acme".into(),
            alert_id,
            received_ms: n.into(),
            value: vec![],
        }
    });
    projections.apply(&batch(puts.collect(), &[])).unwrap();
    assert_eq!(
        projections.alerts("acme", None, usize::MAX).unwrap().len(),
        MAX_PAGE
    );
}

#[test]
fn expired_claims_are_purged_oldest_first_and_renewed_ones_stay() {
    let fixture = Fixture::new();
    let projections = fixture.open();
    let puts = (1..=4)
        .map(|n| claim("acme", n, u64::from(n) * 10))
        .collect();
    projections.apply(&batch(puts, &[])).unwrap();
    projections
        .apply(&batch(vec![claim("acme", 1, 1_000)], &[]))
        .unwrap();

    assert_eq!(projections.purge_claims(19, 10).unwrap(), 0);
    assert_eq!(projections.purge_claims(35, 1).unwrap(), 1);
    assert_eq!(projections.claim("acme", &[2; 32], 0).unwrap(), None);
    assert_eq!(
        projections.claim("acme", &[3; 32], 0).unwrap(),
        Some(vec![3])
    );
    assert_eq!(projections.purge_claims(40, 10).unwrap(), 2);
    assert_eq!(projections.purge_claims(40, 10).unwrap(), 0);
    assert_eq!(
        projections.claim("acme", &[1; 32], 999).unwrap(),
        Some(vec![1])
    );
}

#[test]
fn a_removed_chain_leaves_the_others_whole() {
    let fixture = Fixture::new();
    let projections = fixture.open();
    for chain in ["acm", "acme", "acme+held-1"] {
        let snapshot = Put::Snapshot {
            chain: chain.into(),
            version: 1,
            at: at(1),
            value: vec![],
        };
        let puts = vec![
            alert(chain, 1, 5),
            alert(chain, 2, u64::MAX),
            claim(chain, 1, 10),
            snapshot,
        ];
        projections.apply(&batch(puts, &[(chain, 1)])).unwrap();
    }
    projections.remove_chain("acme").unwrap();

    let crashed = fixture.after_crash();
    for projections in [&projections, &crashed] {
        assert_eq!(projections.applied("acme").unwrap(), None);
        assert_eq!(listed(projections, "acme"), []);
        assert_eq!(projections.alert("acme", &id(1)).unwrap(), None);
        assert_eq!(projections.claim("acme", &[1; 32], 0).unwrap(), None);
        assert_eq!(projections.snapshot("acme").unwrap(), None);
        for chain in ["acm", "acme+held-1"] {
            assert_eq!(projections.applied(chain).unwrap(), Some(1));
            assert_eq!(listed(projections, chain).len(), 2);
            assert!(projections.alert(chain, &id(1)).unwrap().is_some());
            assert!(projections.claim(chain, &[1; 32], 0).unwrap().is_some());
            assert!(projections.snapshot(chain).unwrap().is_some());
        }
        assert_eq!(projections.find_alert(&id(1)).unwrap().unwrap().0, "acm");
    }
    assert_eq!(projections.purge_claims(u64::MAX, 10).unwrap(), 2);
}

#[test]
fn a_crash_goes_back_to_the_checkpoint_with_rows_and_seqs_in_step() {
    let fixture = Fixture::new();
    let projections = fixture.open();
    projections
        .apply(&batch(vec![alert("acme", 1, 1)], &[("acme", 1)]))
        .unwrap();
    projections.checkpoint().unwrap();
    projections
        .apply(&batch(vec![alert("acme", 2, 2)], &[("acme", 2)]))
        .unwrap();
    assert_eq!(projections.applied("acme").unwrap(), Some(2));

    let crashed = fixture.after_crash();
    assert_eq!(crashed.applied("acme").unwrap(), Some(1));
    assert_eq!(listed(&crashed, "acme"), [(1, id(1))]);
    drop(crashed);

    projections.checkpoint().unwrap();
    let crashed = fixture.after_crash();
    assert_eq!(crashed.applied("acme").unwrap(), Some(2));
    assert_eq!(listed(&crashed, "acme"), [(2, id(2)), (1, id(1))]);
}

#[test]
fn a_file_in_use_is_busy_and_a_directory_is_an_io_error() {
    let fixture = Fixture::new();
    let _held = fixture.open();
    let busy = Projections::open(&fixture.path(), CACHE).unwrap_err();
    assert!(matches!(busy, ProjectionError::Busy), "{busy}");
    let io = Projections::open(fixture.directory.path(), CACHE).unwrap_err();
    assert!(matches!(io, ProjectionError::Io(_)), "{io}");
}

/// Tells the readers to end, also when the writer panics.
struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Values once outlived the transaction that they were read in, and the writer freed their pages.
#[test]
fn readers_on_other_threads_always_see_rows_and_seq_in_step() {
    let fixture = Fixture::new();
    let projections = fixture.open();
    let ended = AtomicBool::new(false);
    let reader = || {
        let mut last = 0;
        while !ended.load(Ordering::SeqCst) {
            let before = projections.applied("acme").unwrap().unwrap_or(0);
            let rows = projections.alerts("acme", None, 1).unwrap();
            let after = projections.applied("acme").unwrap().unwrap_or(0);
            let newest = rows.first().map_or(0, |row| row.received_ms);
            assert!(last <= before && before <= newest && newest <= after);
            last = after;
        }
    };
    std::thread::scope(|scope| {
        let _end_readers = EndOnDrop(&ended);
        scope.spawn(reader);
        scope.spawn(reader);
        for seq in 1..=200_u8 {
            let puts = vec![alert("acme", seq, seq.into())];
            projections
                .apply(&batch(puts, &[("acme", seq.into())]))
                .unwrap();
            if seq % 50 == 0 {
                projections.checkpoint().unwrap();
            }
        }
    });
}
