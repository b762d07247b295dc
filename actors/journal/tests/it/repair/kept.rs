//! What is known of a held chain, and what is left of it, lasts until somebody repairs it: through
//! starts, when its segment is recycled, in a backup.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use vyrox_journal::backup::{About, Sources, back_up, restore};
use vyrox_journal::vault::Vault;
use vyrox_journal::{Journal, JournalError};

use super::{Crashed, all, check_serves, crashed, damage};
use crate::support::{
    Client, active_segment, check_nothing_lost, copy, crash_image, draft_with, open, quiet,
};

/// A journal whose log has gone on: acme is held from 4 on, and what its segment had of it behind that
/// is set aside. Also all lines of acme.
fn set_aside() -> (tempfile::TempDir, Vec<Vec<u8>>) {
    let Crashed { image, acme, .. } = crashed();
    damage(image.path(), &acme[4]);
    (moved_on(image.path()), acme)
}

/// The same journal after its log has gone on in another segment.
fn moved_on(dir: &Path) -> tempfile::TempDir {
    let journal = open(dir);
    let mut globex = Client::open(&journal, "globex");
    for n in 0..6 {
        globex
            .append(vec![draft_with(&[vec![b'g'; 30_000]])])
            .unwrap();
        assert!(n < 5 || dir.join("held").exists());
        quiet(&journal);
    }
    let frames = fs::read_dir(dir.join("held")).unwrap();
    let frames = frames.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_str().unwrap().ends_with(".frames")
    });
    assert_eq!(frames.count(), 1);
    crash_image(&journal, dir)
}

/// What a start had read of lost entries was forgotten when their segment was recycled. After one start
/// more a copy of a part of them seemed to be all that was missing, and nobody was asked whether the loss of
/// the rest was accepted.
#[test]
fn what_is_known_of_a_held_chain_outlasts_the_segment_that_said_so() {
    let (image, acme) = set_aside();
    let journal = open(image.path());
    let hold = journal.hold("acme").unwrap();
    assert_eq!((hold.from_seq, hold.known_to), (4, Some(8)));
    // It is forgotten with the hold: another one knows what it finds.
    let end = journal
        .repair("acme", acme[4..5].to_vec())
        .unwrap()
        .head
        .unwrap();
    assert_eq!(end.seq, 8);
    let image = crash_image(&journal, image.path());
    let file = fs::File::options()
        .write(true)
        .open(image.path().join("tenants/acme.jsonl"));
    file.unwrap().set_len(10).unwrap();
    let journal = open(image.path());
    let hold = journal.hold("acme").unwrap();
    assert_eq!((hold.from_seq, hold.known_to), (0, Some(8)));
}

/// They were set aside in a way that nobody could read again: their checksums begin with the salt of their
/// segment, which was not set aside with them. An operator was told that what was missing could only come
/// from a copy, and gave it up.
#[test]
fn entries_that_were_set_aside_are_taken_back() {
    let (image, acme) = set_aside();
    let journal = open(image.path());
    let repaired = journal.repair("acme", acme[4..5].to_vec()).unwrap();
    assert_eq!((repaired.from_tail, repaired.from_log), (1, 4));
    assert_eq!(all(&journal, "acme"), acme);
    for n in [5_u8, 8] {
        let evidence = journal.evidence("acme", u64::from(n)).unwrap();
        assert_eq!(evidence, [vec![n; 40]]);
    }
    check_serves(journal, image.path(), 9);

    // Where the log has lost nothing, no copy is needed at all.
    let Crashed { image, acme, .. } = crashed();
    let journal = open(image.path());
    journal.flush("acme").unwrap();
    let image = crash_image(&journal, image.path());
    let file = fs::File::options()
        .write(true)
        .open(image.path().join("tenants/acme.jsonl"));
    file.unwrap().set_len(700).unwrap();
    let image = moved_on(image.path());
    let journal = open(image.path());
    let from = journal.hold("acme").unwrap().from_seq;
    let repaired = journal.repair("acme", Vec::new()).unwrap();
    assert_eq!((repaired.from_tail, repaired.from_log), (0, 9 - from));
    assert_eq!(all(&journal, "acme"), acme);
    check_serves(journal, image.path(), 9);
}

#[test]
fn a_bad_byte_in_what_was_set_aside_costs_one_entry() {
    let (image, acme) = set_aside();
    let held = image.path().join("held");
    let name = fs::read_dir(&held).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&name).unwrap();
    let at = bytes
        .windows(acme[6].len())
        .position(|window| window == acme[6]);
    bytes[at.unwrap() - 20] ^= 1;
    fs::write(&name, bytes).unwrap();
    let journal = open(image.path());
    let tail = vec![acme[4].clone(), acme[6].clone()];
    let repaired = journal.repair("acme", tail).unwrap();
    assert_eq!((repaired.from_tail, repaired.from_log), (2, 3));
    assert_eq!(all(&journal, "acme"), acme);
}

/// What an erasure took out of the store could come back from what was set aside, which was named to the
/// operator and otherwise left as it was.
#[test]
fn an_erasure_reaches_what_was_set_aside() {
    let (image, acme) = set_aside();
    let journal = open(image.path());
    journal.restore("acme", acme[4..5].to_vec()).unwrap();
    let erased = journal.erase("acme", &[(5, 5)]).unwrap();
    assert_eq!((erased.entries, erased.unfinished.len()), (1, 0));
    let named: Vec<_> = erased
        .copies
        .iter()
        .filter(|name| name.ends_with("frames"))
        .collect();
    assert!(named.is_empty(), "{named:?}");
    let image = crash_image(&journal, image.path());
    for (n, there) in [(5_u8, false), (6, true)] {
        assert_eq!(any_file_holds(image.path(), &[n; 40]), there, "{n}");
    }
    // Neither of the chain's own files says any more that it was.
    for name in ["tenants/acme.jsonl", "evidence/acme.ev"] {
        let file = fs::File::options()
            .write(true)
            .open(image.path().join(name));
        file.unwrap().set_len(0).unwrap();
    }
    let journal = open(image.path());
    let repaired = journal.repair("acme", acme[..5].to_vec()).unwrap();
    assert_eq!(repaired.from_log, 4);
    let gone = journal.evidence("acme", 5).unwrap_err();
    assert!(
        matches!(gone, JournalError::Erased { seq: 5, .. }),
        "{gone}"
    );
    assert_eq!(journal.evidence("acme", 6).unwrap(), [vec![6; 40]]);
}

fn any_file_holds(dir: &Path, needle: &[u8]) -> bool {
    let paths = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    paths
        .into_iter()
        .filter(|path| !path.ends_with("damaged-1"))
        .any(|path| {
            if path.is_dir() {
                return any_file_holds(&path, needle);
            }
            let damaged = path
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("damaged");
            let bytes = fs::read(&path).unwrap();
            !damaged && bytes.windows(needle.len()).any(|window| window == needle)
        })
}

/// A repair makes entries of earlier batches count no more. The last batch of all was torn afterwards, so
/// its number was given a second time, to an entry of the repaired chain: the next start took that for
/// one from before the repair, and gave its seq to another.
#[test]
fn a_batch_number_that_is_given_again_counts_for_a_repaired_chain() {
    let Crashed { image, acme, .. } = crashed();
    damage(image.path(), &acme[4]);
    let journal = open(image.path());
    journal.repair("acme", Vec::new()).unwrap();
    let image = crash_image(&journal, image.path());
    let segment = active_segment(image.path());
    let mut bytes = fs::read(&segment).unwrap();
    let last_page = bytes.len() - 4096;
    let last = bytes[..last_page]
        .iter()
        .rposition(|byte| *byte != 0)
        .unwrap();
    bytes[last / 4096 * 4096..][..512].fill(0);
    fs::write(&segment, bytes).unwrap();

    let journal = open(image.path());
    assert!(journal.status().recovered.unwrap().cut);
    let receipt = Client::open(&journal, "acme").put(1);
    assert_eq!(receipt.seq, 4);
    let image = crash_image(&journal, image.path());
    let journal = open(image.path());
    check_nothing_lost(&journal, "acme", &[receipt]);
    check_serves(journal, image.path(), 5);
}

/// Each chain that stood in for one that stood in had all their names in its own, until it was longer than
/// a name may be and nothing was taken in any more.
#[test]
fn what_stands_in_for_a_chain_that_stands_in_has_a_short_name() {
    let Crashed {
        mut image, acme, ..
    } = crashed();
    damage(image.path(), &acme[4]);
    let mut names = vec!["acme".to_owned()];
    for n in 0..3 {
        let journal = open(image.path());
        let name = journal.hold(&names[n]).unwrap().successor;
        let number: u64 = name.strip_prefix("acme+held-").unwrap().parse().unwrap();
        assert!(number > 0 && !names.contains(&name), "{name}");
        let receipt = Client::open(&journal, &name).put(n);
        assert_eq!(receipt.seq, 0);
        let crash = crash_image(&journal, image.path());
        damage(crash.path(), &all(&journal, &name)[0]);
        drop(journal);
        image = crash;
        names.push(name);
    }
}

/// A backup had of a held chain what its own file had. After a restore there was nothing to repair it from.
#[test]
fn a_backup_has_all_that_is_left_of_a_held_chain() {
    let in_the_log = || {
        let Crashed { image, acme, .. } = crashed();
        damage(image.path(), &acme[4]);
        (image, acme)
    };
    for (image, acme) in [in_the_log(), set_aside()] {
        let journal = open(image.path());
        let hold = journal.hold("acme").unwrap();
        let house = tempfile::tempdir().unwrap();
        let vault = Vault::open(&house.path().join("vault.redb")).unwrap();
        let sources = Sources {
            journal: &journal,
            vault: &vault,
            beside: &[],
        };
        let about = About {
            program: "test",
            now_ms: 1,
        };
        let (into, data) = (house.path().join("backup"), house.path().join("data"));
        let go_on = |_| ControlFlow::Continue(());
        back_up(&sources, &into, about, &go_on).unwrap();
        restore(&into, &data, &go_on).unwrap();
        let elsewhere = data.join("journal");
        let restored = open(&elsewhere);
        assert_eq!(restored.hold("acme"), Some(hold));
        let repaired = restored.repair("acme", acme[4..5].to_vec()).unwrap();
        assert_eq!((repaired.from_tail, repaired.from_log), (1, 4));
        assert_eq!(all(&restored, "acme"), acme);
        assert_eq!(restored.evidence("acme", 8).unwrap(), [vec![8; 40]]);
        check_serves(restored, &elsewhere, 9);
    }
}

/// Numbers of batches began anew in a restored journal. What had been given up before the backup, and was
/// set aside, then came from later batches than the repair that gave it up.
#[test]
fn what_was_given_up_before_a_backup_stays_so_behind_it() {
    let (image, _) = set_aside();
    let journal = open(image.path());
    assert_eq!(
        journal
            .repair("acme", Vec::new())
            .unwrap()
            .head
            .unwrap()
            .seq,
        3
    );
    let receipt = Client::open(&journal, "acme").put(100);
    assert_eq!(receipt.seq, 4);
    let chain = all(&journal, "acme");
    let house = tempfile::tempdir().unwrap();
    let vault = Vault::open(&house.path().join("vault.redb")).unwrap();
    let sources = Sources {
        journal: &journal,
        vault: &vault,
        beside: &[],
    };
    let about = About {
        program: "test",
        now_ms: 1,
    };
    let (into, data) = (house.path().join("backup"), house.path().join("data"));
    let go_on = |_| ControlFlow::Continue(());
    back_up(&sources, &into, about, &go_on).unwrap();
    restore(&into, &data, &go_on).unwrap();
    let elsewhere = data.join("journal");
    // The chain's file turns bad right behind what was proven then.
    let path = elsewhere.join("tenants/acme.jsonl");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 30]).unwrap();
    let copy_of_it = tempfile::tempdir().unwrap();
    copy(&elsewhere, copy_of_it.path()).unwrap();
    let journal = open(copy_of_it.path());
    assert_eq!(journal.hold("acme").unwrap().from_seq, 4);
    let restored = journal.restore("acme", Vec::new()).unwrap();
    assert_eq!(restored.head.unwrap().seq, 3);
    journal.repair("acme", chain.clone()).unwrap();
    assert_eq!(all(&journal, "acme"), chain);
}
