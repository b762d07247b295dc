//! Held chains and their repair: with a copy of what was lost, with what the log still has, and
//! without either. A repaired chain stays repaired, whatever old bytes the log still shows.
//!
//! Long because the ways in which a copy can fit or not belong side by side.

use std::fs;
use std::path::Path;

mod kept;

use proptest::prelude::*;
use vyrox_journal::{AppendError, Journal, JournalError, LocalJournal, Receipt, verify_lines};

use crate::support::{
    Client, active_segment, check_nothing_lost, copy, crash_image, draft_with, lines, open,
};

/// A crashed journal of two chains, nothing of which has been copied to the chains' own files, and
/// all lines of acme.
struct Crashed {
    image: tempfile::TempDir,
    acme: Vec<Vec<u8>>,
    globex: Vec<Receipt>,
}

const ENTRIES: usize = 9;

fn crashed() -> Crashed {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut acme = Client::open(&journal, "acme");
    let mut globex = Client::open(&journal, "globex");
    let mut receipts = Vec::new();
    for n in 0..u8::try_from(ENTRIES).unwrap() {
        acme.append(vec![draft_with(&[vec![n; 40]])]).unwrap();
        receipts.push(globex.put(usize::from(n)));
    }
    let image = crash_image(&journal, dir.path());
    let acme = lines(&journal, "acme");
    Crashed {
        image,
        acme: acme.into_iter().map(|line| line.bytes).collect(),
        globex: receipts,
    }
}

/// Damages the log's copy of acme's entry `seq`.
fn damage(dir: &Path, line: &[u8]) {
    let segment = active_segment(dir);
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes
        .windows(line.len())
        .position(|window| window == line)
        .unwrap();
    bytes[at + 30] ^= 1;
    fs::write(&segment, bytes).unwrap();
}

fn all(journal: &LocalJournal, chain: &str) -> Vec<Vec<u8>> {
    let lines = lines(journal, chain);
    lines.into_iter().map(|line| line.bytes).collect()
}

/// The chain takes an entry, is one valid chain, and is so after another start.
fn check_serves(journal: LocalJournal, dir: &Path, entries: usize) {
    assert_eq!(journal.hold("acme"), None);
    let receipt = Client::open(&journal, "acme").put(7);
    assert_eq!(receipt.seq, u64::try_from(entries).unwrap());
    let crash = crash_image(&journal, dir);
    journal.close().unwrap();
    drop(journal);
    for dir in [dir, crash.path(), crash.path()] {
        let journal = open(dir);
        assert_eq!(journal.status().recovered.unwrap().held, []);
        let report = journal.verify("acme").unwrap();
        assert!(report.ok, "{report:?}");
        assert_eq!(report.entries, receipt.seq + 1);
        check_nothing_lost(&journal, "acme", &[receipt]);
        let file = fs::read(dir.join("tenants/acme.jsonl")).unwrap();
        assert!(verify_lines(&*file).unwrap().ok);
        journal.close().unwrap();
    }
}

#[test]
fn a_copy_of_what_was_lost_makes_the_chain_whole() {
    let Crashed {
        image,
        acme,
        globex,
    } = crashed();
    damage(image.path(), &acme[4]);
    let journal = open(image.path());
    let hold = journal.hold("acme").unwrap();
    assert_eq!(hold.from_seq, 4);
    assert_eq!(hold.proven.unwrap().seq, 3);
    assert_eq!(hold.known_to, Some(8));
    assert!(hold.successor.starts_with("acme+held-"));
    assert_eq!(journal.hold("globex"), None);

    let repaired = journal.repair("acme", acme.clone()).unwrap();
    assert_eq!(repaired.from_tail, 1, "the log has what came behind it");
    assert_eq!(repaired.from_log, 4);
    assert_eq!(all(&journal, "acme"), acme);
    // The lost one's evidence was in the log alone; that of the others is there.
    assert!(journal.evidence("acme", 4).unwrap().is_empty());
    for n in [3_u8, 5, 8] {
        let evidence = journal.evidence("acme", u64::from(n)).unwrap();
        assert_eq!(evidence, [vec![n; 40]]);
    }
    assert_eq!(
        journal.repair("acme", acme),
        Err(JournalError::NotHeld("acme".into()))
    );
    check_nothing_lost(&journal, "globex", &globex);
    check_serves(journal, image.path(), ENTRIES);
}

#[test]
fn without_a_copy_the_chain_goes_on_behind_its_proven_end() {
    let Crashed { image, acme, .. } = crashed();
    damage(image.path(), &acme[4]);
    let journal = open(image.path());
    let repaired = journal.repair("acme", Vec::new()).unwrap();
    assert_eq!(repaired.head.unwrap().seq, 3);
    assert_eq!((repaired.from_tail, repaired.from_log), (0, 0));
    // What the log still shows of the old entries 5 to 8 is no new damage at any later start.
    let crash = crash_image(&journal, image.path());
    check_serves(journal, image.path(), 4);
    check_serves(open(crash.path()), crash.path(), 4);
}

#[test]
fn what_the_log_still_has_repairs_a_damaged_file() {
    let Crashed { image, acme, .. } = crashed();
    let journal = open(image.path());
    journal.flush("acme").unwrap();
    journal.close().unwrap();
    drop(journal);
    let path = image.path().join("tenants/acme.jsonl");
    let mut bytes = fs::read(&path).unwrap();
    bytes.truncate(bytes.len() / 2);
    fs::write(&path, &bytes).unwrap();
    let journal = open(image.path());
    let hold = journal.hold("acme").unwrap();
    assert_eq!(hold.known_to, Some(8));
    let repaired = journal.repair("acme", Vec::new()).unwrap();
    assert_eq!(repaired.from_log, 9 - hold.from_seq);
    assert_eq!(all(&journal, "acme"), acme);
    for n in 0..9_u8 {
        let evidence = journal.evidence("acme", u64::from(n)).unwrap();
        assert_eq!(evidence, [vec![n; 40]]);
    }
    let kept = fs::read_dir(image.path().join("held")).unwrap().count();
    assert_eq!(kept, 1, "the half line is kept for whoever investigates");
    check_serves(journal, image.path(), ENTRIES);
}

#[test]
fn an_obstacle_in_the_file_s_place_is_put_aside() {
    let Crashed { image, acme, .. } = crashed();
    fs::create_dir(image.path().join("tenants/acme.jsonl")).unwrap();
    let journal = open(image.path());
    assert_eq!(journal.hold("acme").unwrap().from_seq, 0);
    let repaired = journal.repair("acme", acme.clone()).unwrap();
    assert_eq!(repaired.from_log, 9);
    assert_eq!(all(&journal, "acme"), acme);
    check_serves(journal, image.path(), ENTRIES);
}

#[test]
fn lines_that_do_not_belong_are_refused_and_change_nothing() {
    let Crashed { image, acme, .. } = crashed();
    damage(image.path(), &acme[4]);
    let journal = open(image.path());
    let mut forged = acme[4].clone();
    forged[40] ^= 1;
    let spaced = [acme[4].as_slice(), b" "].concat();
    let globex = lines(&journal, "globex").remove(4).bytes;
    for (tail, line) in [
        (vec![forged], 1),
        (vec![spaced], 1),
        (vec![acme[4].clone(), globex], 2),
        (vec![acme[3].clone(), b"{}".to_vec()], 2),
    ] {
        let refused = journal.repair("acme", tail).unwrap_err();
        assert!(
            matches!(refused, JournalError::Unconnected { line: at, .. } if at == line),
            "{refused}"
        );
    }
    assert_eq!(all(&journal, "acme"), acme[..4]);
    assert!(journal.hold("acme").is_some());
    let held = Journal::open(&journal, "acme").unwrap_err();
    assert_eq!(held, JournalError::Held("acme".into()));
}

/// Entry 2 of another chain that is called acme too.
fn other_line() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut client = Client::open(&journal, "acme");
    (1_000..1_003).for_each(|n| {
        client.put(n);
    });
    lines(&journal, "acme").remove(2).bytes
}

/// Whoever could order repairs once put lines behind the proven end that no server ever wrote. When an
/// operator then brought the true copy, its lines up to the end that the chain had by then were
/// skipped unread, but for the very last, and the forged ones stayed.
#[test]
fn a_copy_must_be_what_the_chain_has_up_to_its_proven_end() {
    let Crashed { image, acme, .. } = lost_for_good();
    let journal = open(image.path());
    let tail = vec![acme[1].clone(), other_line(), acme[4].clone()];
    let refused = journal.restore("acme", tail).unwrap_err();
    assert!(
        matches!(refused, JournalError::Unconnected { line: 2, .. }),
        "{refused}"
    );
    assert_eq!(all(&journal, "acme"), acme[..4]);
    // The same lines in any order, twice too, are what it has.
    let tail = [4, 0, 3, 3, 1].map(|seq: usize| acme[seq].clone()).to_vec();
    let restored = journal.restore("acme", tail).unwrap();
    assert_eq!((restored.head.unwrap().seq, restored.from_tail), (4, 1));
}

/// Loses acme's entries from 4 on from the log and from the file, so that only a copy has them.
fn lost_for_good() -> Crashed {
    let crashed = crashed();
    for line in &crashed.acme[4..] {
        damage(crashed.image.path(), line);
    }
    crashed
}

#[test]
fn a_gap_in_the_copy_is_refused() {
    let Crashed { image, acme, .. } = lost_for_good();
    let journal = open(image.path());
    let refused = journal.repair("acme", acme[5..].to_vec()).unwrap_err();
    assert!(matches!(refused, JournalError::Unconnected { line: 1, .. }));
    let repaired = journal.repair("acme", acme[4..7].to_vec()).unwrap();
    assert_eq!(repaired.head.unwrap().seq, 6);
    check_serves(journal, image.path(), 7);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// A copy may come in portions of any size, with a crash behind each of them, and any of them may
    /// come again.
    #[test]
    fn a_copy_in_portions_with_a_crash_behind_each(
        portions in proptest::collection::vec((0_usize..3, any::<bool>()), 1..8),
    ) {
        let Crashed { mut image, acme, .. } = lost_for_good();
        let mut upto = 4;
        for (more, again) in portions {
            let journal = open(image.path());
            let from = if again { upto - 1 } else { upto };
            let to = (upto + more).min(acme.len());
            let restored = journal.restore("acme", acme[from..to].to_vec()).unwrap();
            prop_assert_eq!(restored.head.unwrap().seq, u64::try_from(to).unwrap() - 1);
            prop_assert_eq!(journal.hold("acme").unwrap().from_seq, 4);
            prop_assert_eq!(all(&journal, "acme"), &acme[..to]);
            upto = to;
            image = crash_image(&journal, image.path());
        }
        let journal = open(image.path());
        let repaired = journal.repair("acme", acme[upto..].to_vec()).unwrap();
        prop_assert_eq!(repaired.head.unwrap().seq, 8);
        prop_assert_eq!(all(&journal, "acme"), acme);
        let image_after = crash_image(&journal, image.path());
        check_serves(journal, image.path(), ENTRIES);
        check_serves(open(image_after.path()), image_after.path(), ENTRIES);
    }

    /// A crash in the middle of a repair leaves the file torn anywhere behind its old record, and
    /// the record as it was, or the new one.
    #[test]
    fn a_repair_that_was_cut_short_leaves_the_chain_held(cut in 0_usize..2_000) {
        let Crashed { image, acme, .. } = lost_for_good();
        let before = tempfile::tempdir().unwrap();
        let proven = {
            let journal = open(image.path());
            journal.flush("acme").unwrap();
            copy_of(&journal, image.path(), before.path())
        };
        let path = before.path().join("tenants/acme.jsonl");
        let mut torn = fs::read(&path).unwrap();
        prop_assert_eq!(torn.len(), proven);
        for line in &acme[4..] {
            torn.extend_from_slice(line);
            torn.push(b'\n');
        }
        torn.truncate(proven + cut.min(torn.len() - proven));
        fs::write(&path, &torn).unwrap();
        let journal = open(before.path());
        prop_assert_eq!(journal.hold("acme").unwrap().from_seq, 4);
        prop_assert_eq!(all(&journal, "acme"), &acme[..4]);
        journal.repair("acme", acme.clone()).unwrap();
        prop_assert_eq!(all(&journal, "acme"), acme);
        check_serves(journal, before.path(), ENTRIES);
    }
}

/// Copies a quiet journal's directory; answers the length of acme's file.
fn copy_of(journal: &LocalJournal, from: &Path, to: &Path) -> usize {
    crate::support::quiet(journal);
    copy(from, to).unwrap();
    fs::read(to.join("tenants/acme.jsonl")).unwrap().len()
}

#[test]
fn a_second_damage_holds_a_repaired_chain_again_and_its_old_bytes_are_not_taken_back() {
    let Crashed { image, acme, .. } = crashed();
    damage(image.path(), &acme[4]);
    let journal = open(image.path());
    let first = journal.hold("acme").unwrap().successor;
    journal.repair("acme", Vec::new()).unwrap();
    let mut client = Client::open(&journal, "acme");
    let fresh: Vec<_> = (0..4).map(|n| client.put(n)).collect();
    let image = crash_image(&journal, image.path());
    let new = all(&journal, "acme");
    damage(image.path(), &new[6]);
    let journal = open(image.path());
    let hold = journal.hold("acme").unwrap();
    assert_eq!((hold.from_seq, hold.known_to), (6, Some(7)));
    assert_ne!(hold.successor, first, "a name is never given twice");
    let repaired = journal.repair("acme", new.clone()).unwrap();
    assert_eq!((repaired.from_tail, repaired.from_log), (1, 1));
    assert_eq!(all(&journal, "acme"), new);
    check_nothing_lost(&journal, "acme", &fresh);
}

#[test]
fn a_held_chain_s_successor_is_an_ordinary_chain_even_after_a_loss_of_unknown_extent() {
    let Crashed {
        image,
        acme,
        globex,
    } = crashed();
    let segment = active_segment(image.path());
    let mut bytes = fs::read(&segment).unwrap();
    // The header and the trailer of some batch in the middle, and its neighbours.
    bytes[5 * 4096..9 * 4096].fill(0xff);
    fs::write(&segment, bytes).unwrap();
    let journal = open(image.path());
    let summary = journal.status().recovered.unwrap();
    assert!(summary.unknown_chains_held);
    let newcomer = journal.hold("newcomer").unwrap();
    assert_eq!((newcomer.from_seq, newcomer.proven), (0, None));
    assert!(Journal::open(&journal, "newcomer").is_err());
    let successor = journal.hold("acme").unwrap().successor;
    let receipt = Client::open(&journal, &successor).put(1);
    let image = crash_image(&journal, image.path());

    let journal = open(image.path());
    check_nothing_lost(&journal, &successor, &[receipt]);
    Client::open(&journal, &successor).put(2);
    journal.repair_unknown().unwrap();
    assert_eq!(journal.hold("newcomer"), None);
    Client::open(&journal, "newcomer").put(0);
    assert!(journal.hold("globex").is_some(), "it is held by name");
    journal.repair("acme", acme).unwrap();
    journal.repair("globex", Vec::new()).unwrap();
    let image = crash_image(&journal, image.path());
    let journal = open(image.path());
    let summary = journal.status().recovered.unwrap();
    assert!(summary.held.is_empty() && !summary.unknown_chains_held);
    check_nothing_lost(&journal, "globex", &globex[..2]);
}

#[test]
fn an_unseen_chain_can_be_released_alone() {
    let Crashed { image, .. } = crashed();
    let segment = active_segment(image.path());
    let mut bytes = fs::read(&segment).unwrap();
    bytes[5 * 4096..9 * 4096].fill(0xff);
    fs::write(&segment, bytes).unwrap();
    let journal = open(image.path());
    assert!(journal.hold("newcomer").is_some());
    let repaired = journal.repair("newcomer", Vec::new()).unwrap();
    assert_eq!(repaired.head, None);
    let image = crash_image(&journal, image.path());
    let journal = open(image.path());
    assert_eq!(journal.hold("newcomer"), None);
    Client::open(&journal, "newcomer").put(0);
    let mut other = Client {
        journal: &journal,
        chain: "another".into(),
        epoch: 1,
        last: None,
    };
    assert_eq!(other.append(vec![draft_with(&[])]), Err(AppendError::Held));
}
