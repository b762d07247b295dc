//! Backups of journals that are not whole.

use std::fs;
use std::path::PathBuf;

use vyrox_journal::backup::{RestoreError, Sources, back_up, restore};
use vyrox_journal::{Journal, JournalError, LocalJournal};

use super::{ABOUT, House, filled, restored, unwatched};
use crate::support::{Client, active_segment, crash_image, held_from, open, options};

/// A chain that was held, or of which the backup lacks entries, must not begin anew in the restored
/// journal: numbers that people have receipts for would be given twice.
#[test]
fn a_chain_that_is_held_or_incomplete_is_held_in_the_backup_too() {
    let house = House::new();
    filled(&house);
    // An entry of acme's stands in the log alone, and its durable bytes turn bad.
    house.journal.flush("acme").unwrap();
    Client::open(&house.journal, "acme").put(20);
    let dir = house.dir.path().join("journal");
    let image = crash_image(&house.journal, &dir);
    let segment = active_segment(image.path());
    let mut bytes = fs::read(&segment).unwrap();
    let last = bytes.windows(8).rposition(|w| w == b"{\"n\":20}").unwrap();
    bytes[last] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let journal = LocalJournal::open(image.path(), options(), None).unwrap();
    let held = journal.status().recovered.unwrap().held;
    assert_eq!(held, [("acme".to_owned(), 20)]);
    // And globex's file went away.
    fs::remove_file(image.path().join("tenants/globex.jsonl")).unwrap();

    let sources = Sources {
        journal: &journal,
        vault: &house.vault,
        beside: &[],
    };
    let into = house.dir.path().join("backup");
    let manifest = back_up(&sources, &into, ABOUT, &unwatched).unwrap();
    assert_eq!(manifest.held.get("acme"), Some(&20));
    assert_eq!(manifest.left_out.get("globex"), Some(&0));
    assert!(!manifest.chains.contains_key("globex"));
    let (elsewhere, _) = restored(&into);
    let journal = open(&elsewhere.path().join("journal"));
    for (chain, next) in [("acme", 20), ("globex", 0)] {
        let refused = Journal::open(&journal, chain).unwrap_err();
        assert_eq!(refused, JournalError::Held(chain.to_owned()));
        assert_eq!(held_from(&journal, chain), Some(next));
    }
    assert_eq!(Client::open(&journal, "_host").put(20).seq, 20);
}

/// One chain's old damage is told, and keeps nobody from having the others back.
#[test]
fn a_chain_that_was_damaged_before_is_named_and_restored_as_it_was() {
    let house = House::new();
    filled(&house);
    house.journal.flush("acme").unwrap();
    let journal = house.dir.path().join("journal");
    let turn = |path: PathBuf, at: usize| {
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        bytes
    };
    let damaged = turn(journal.join("tenants/acme.jsonl"), 700);
    turn(journal.join("evidence/acme.ev"), 100);
    let into = house.dir.path().join("backup");
    let manifest = house.back_up(&into).unwrap();
    let acme = &manifest.chains["acme"];
    assert!(acme.first_bad_seq.is_some_and(|seq| seq < 19));
    assert!(!acme.evidence_whole);
    assert_eq!(manifest.chains["globex"].first_bad_seq, None);
    let (elsewhere, _) = restored(&into);
    let copy = elsewhere.path().join("journal/tenants/acme.jsonl");
    assert_eq!(fs::read(copy).unwrap(), damaged);
    // A manifest that keeps silent about it is not believed.
    let mut silent = manifest;
    silent.chains.get_mut("acme").unwrap().first_bad_seq = None;
    let text = serde_json::to_vec(&silent).unwrap();
    fs::write(into.join("manifest.json"), text).unwrap();
    let error = restore(&into, &elsewhere.path().join("new"), &unwatched).unwrap_err();
    assert!(matches!(error, RestoreError::Chain { .. }), "{error}");
}
