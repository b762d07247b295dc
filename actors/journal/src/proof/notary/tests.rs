//! The notary, with real files, against a model of its log and against a small witness.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;

use tempfile::TempDir;

use super::super::bundle::Standing;
use super::super::checkpoint::Trust;
use super::super::host_log::HostLeaf;
use super::super::merkle::{Frontier, Hash, empty_root, leaf_hash};
use super::super::note::KeyName;
use super::*;
use crate::GENESIS;
use crate::entry::{chain_hash, parse_place};
use crate::proof::test_keys::{TestKey, check};

mod accused;
mod bundles;
mod documented;
mod forged;
mod keys;
mod model;
mod sealed;
mod watching;
mod witnesses;

/// A notary in a folder of its own, and the lines that it was shown.
struct House {
    folder: TempDir,
    notary: Option<Notary>,
    lines: BTreeMap<String, Vec<Vec<u8>>>,
    now_ms: u64,
}

impl House {
    fn new() -> Self {
        let mut house = Self {
            folder: tempfile::tempdir().unwrap(),
            notary: None,
            lines: BTreeMap::new(),
            now_ms: 1_700_000_000_000,
        };
        house.reopen(&[1]);
        house
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("proof")
    }

    /// Ends the process, as it were, and opens the store again with the keys of these seeds.
    fn reopen(&mut self, seeds: &[u8]) {
        self.notary = None;
        self.notary = Some(Notary::open(&self.path(), &keys(seeds), check).unwrap());
    }

    fn notary(&mut self) -> &mut Notary {
        self.notary.as_mut().unwrap()
    }

    /// Adds lines to a chain and shows the notary all that it wants of it.
    fn grow(&mut self, chain: &str, lines: usize) {
        let all = self.lines.entry(chain.to_owned()).or_default();
        for _ in 0..lines {
            all.push(line_after(chain, all, "grown"));
        }
        self.catch_up(chain);
    }

    fn catch_up(&mut self, chain: &str) {
        let notary = self.notary.as_mut().unwrap();
        let from = notary.behind(chain);
        let lines = self.lines[chain]
            .iter()
            .zip(0..)
            .skip(crate::bytes::index(from));
        for (line, seq) in lines {
            notary
                .observe(&Arc::from(chain), id(chain), seq, line)
                .unwrap();
        }
    }

    fn publish(&mut self) -> Option<SignedCheckpoint> {
        self.now_ms += 1000;
        let now_ms = self.now_ms;
        self.notary().publish(now_ms).unwrap()
    }

    fn trust(&mut self) -> Trust {
        Trust {
            log: vec![self.notary().key()],
            witnesses: Vec::new(),
            check,
        }
    }
}

fn keys(seeds: &[u8]) -> Vec<Arc<dyn Signer>> {
    let key = |seed: &u8| -> Arc<dyn Signer> { Arc::new(TestKey::new(*seed)) };
    seeds.iter().map(key).collect()
}

/// A chain's opaque id: its name's first letter, often.
fn id(chain: &str) -> OpaqueId {
    OpaqueId::new([chain.as_bytes()[0]; 16])
}

/// The next line of a chain, which says `what`.
fn line_after(chain: &str, lines: &[Vec<u8>], what: &str) -> Vec<u8> {
    let place = |line: &Vec<u8>| parse_place(chain, line).unwrap().hash;
    let previous = hex::encode(lines.last().map_or(GENESIS, place));
    let (begin, seq) = (r#"{"event":"test""#, lines.len());
    let rest = format!(
        r#","payload":{{"is":"{what}"}},"previous_hash":"{previous}","seq":{seq},"tenant_id":"{chain}","timestamp":1}}"#
    );
    let hash = chain_hash(previous.as_bytes(), &[begin.as_bytes(), rest.as_bytes()]);
    format!(r#"{begin},"hash":"{}"{rest}"#, hex::encode(hash)).into_bytes()
}

fn root_of(lines: &[Vec<u8>]) -> Hash {
    let mut tree = Frontier::new();
    for line in lines {
        tree.append(leaf_hash(line));
    }
    tree.root()
}

#[test]
fn a_state_is_published_once_and_survives_the_process() {
    let mut house = House::new();
    assert!(house.notary().checkpoint().is_none());
    assert!(house.publish().is_none());
    house.grow("acme", 3);
    house.grow("globex", 1);
    assert_eq!(house.notary().changed(), 2);
    let first = house.publish().unwrap();
    assert_eq!(first.checkpoint().size, 2);
    assert!(house.publish().is_none());
    let trust = house.trust();
    first.verify(&trust).unwrap();
    house.grow("acme", 2);
    // The process ends before these two are published; they are wanted again afterwards.
    house.reopen(&[1]);
    assert_eq!(house.notary().checkpoint(), Some(first));
    let published: Vec<_> = house
        .notary()
        .published()
        .map(|(name, size)| (name.to_owned(), size))
        .collect();
    assert_eq!(
        published,
        [("acme".to_owned(), 3), ("globex".to_owned(), 1)]
    );
    // The last one that is signed is shown again first.
    assert_eq!(house.notary().behind("acme"), 2);
    assert_eq!(house.notary().changed(), 0);
    house.catch_up("acme");
    let second = house.publish().unwrap();
    assert_eq!(second.checkpoint().size, 3);
    let wanted = root_of(&house.lines["acme"]);
    let point = house.notary().tenant_checkpoint("acme").unwrap();
    assert_eq!(
        (point.checkpoint().size, point.checkpoint().root),
        (5, wanted)
    );
    point.verify(&trust).unwrap();
}

#[test]
fn lines_come_in_order_and_of_one_tenant() {
    let mut house = House::new();
    house.grow("acme", 2);
    let acme: Arc<str> = Arc::from("acme");
    let notary = house.notary();
    let gap = notary.observe(&acme, id("acme"), 3, b"{}").unwrap_err();
    assert!(matches!(gap, NotaryError::Gap { wanted: 2, .. }));
    let gap = notary
        .observe(&Arc::from("new"), id("new"), 1, b"{}")
        .unwrap_err();
    assert!(matches!(gap, NotaryError::Gap { wanted: 0, .. }));
    assert_eq!(notary.behind("new"), 0);
    let other = notary.observe(&acme, id("globex"), 2, b"{}").unwrap_err();
    assert!(matches!(other, NotaryError::OpaqueId(_)));
    let other = notary
        .observe(&Arc::from("new"), id("acme"), 0, b"{}")
        .unwrap_err();
    assert!(matches!(other, NotaryError::OpaqueId(_)));
    assert_eq!(notary.behind("new"), 0);
    // Known lines change nothing.
    notary
        .observe(&acme, id("acme"), 1, b"something else")
        .unwrap();
    house.publish().unwrap();
    let root = root_of(&house.lines["acme"]);
    assert_eq!(
        house
            .notary()
            .tenant_checkpoint("acme")
            .unwrap()
            .checkpoint()
            .root,
        root
    );
    house
        .notary()
        .observe(&acme, id("acme"), 1, b"something else")
        .unwrap();
    assert_eq!(house.notary().changed(), 0);
}

#[test]
fn it_can_be_owned_by_any_thread() {
    fn sendable<T: Send + Sync>() {}
    sendable::<Notary>();
}

#[test]
fn without_its_database_or_its_key_nothing_is_opened() {
    let mut house = House::new();
    house.grow("acme", 1);
    house.publish().unwrap();
    house.notary = None;
    let wrong = Notary::open(&house.path(), &keys(&[2]), check)
        .err()
        .unwrap();
    assert!(matches!(wrong, NotaryError::Key(_)));
    assert!(matches!(
        Notary::open(&house.path(), &[], check).err(),
        Some(NotaryError::Key(_))
    ));
    assert!(Notary::exists(&house.path()));
    fs::remove_file(house.path().join("proof.redb")).unwrap();
    assert!(!Notary::exists(&house.path()));
    let lost = Notary::open(&house.path(), &keys(&[1]), check)
        .err()
        .unwrap();
    assert!(matches!(lost, NotaryError::Lost(_)));
}

#[test]
fn a_failed_write_ends_the_notary_until_it_is_opened_anew() {
    let mut house = House::new();
    house.grow("acme", 1);
    let first = house.publish().unwrap();
    house.grow("acme", 1);
    house.notary().log.break_files();
    let now_ms = house.now_ms;
    assert!(matches!(
        house.notary().publish(now_ms),
        Err(NotaryError::Store(_))
    ));
    assert!(matches!(
        house.notary().publish(now_ms),
        Err(NotaryError::Failed)
    ));
    assert!(matches!(
        house.notary().rebase(["acme"], 0, now_ms),
        Err(NotaryError::Failed)
    ));
    assert!(matches!(
        house.notary().bundle("acme"),
        Err(NotaryError::Failed)
    ));
    house.reopen(&[1]);
    assert_eq!(house.notary().checkpoint(), Some(first));
    house.catch_up("acme");
    assert_eq!(house.publish().unwrap().checkpoint().size, 2);
}

#[test]
fn a_chain_that_is_left_is_wanted_from_its_beginning() {
    let mut house = House::new();
    house.grow("acme", 3);
    house.grow("globex", 2);
    house.publish().unwrap();
    let now_ms = house.now_ms;
    house.notary().rebase(["acme"], 0, now_ms).unwrap();
    // After an opening the last signed line is wanted once more.
    for wanted in [2, 1] {
        assert_eq!(house.notary().behind("acme"), 0);
        assert_eq!(house.notary().behind("globex"), wanted);
        assert!(matches!(
            house.notary().bundle("acme"),
            Err(NotaryError::NoChain(_))
        ));
        house.reopen(&[1]);
    }
    house.catch_up("acme");
    assert_eq!(house.publish().unwrap().checkpoint().size, 2);
}

/// A rebase once let go of the chains one by one before it began the new log. One that failed in between, or was
/// cut off, had accepted what was wrong with them, and nothing said so.
#[test]
fn a_rebase_that_fails_leaves_no_chain() {
    let mut house = House::new();
    house.grow("acme", 3);
    let signed = house.publish().unwrap();
    let (away, now_ms) = (house.folder.path().join("away"), house.now_ms);
    fs::rename(house.path(), &away).unwrap();
    house.notary().rebase(["acme"], 0, now_ms).unwrap_err();
    fs::rename(&away, house.path()).unwrap();
    house.reopen(&[1]);
    assert_eq!(house.notary().checkpoint(), Some(signed));
    let lines = house.lines["acme"].clone();
    let good = |seq: u64| Ok::<_, Infallible>(lines[crate::bytes::index(seq)].clone());
    let cut = house.notary().compare("acme", 2, good).unwrap();
    assert_eq!(cut, Standing::Truncated { signed: 3, have: 2 });
}

#[test]
fn a_journal_that_has_less_or_other_lines_is_seen() {
    let mut house = House::new();
    house.grow("acme", 4);
    house.publish().unwrap();
    house.grow("acme", 2);
    let lines = house.lines["acme"].clone();
    let good = |seq: u64| Ok::<_, Infallible>(lines[crate::bytes::index(seq)].clone());
    let notary = house.notary();
    let compare = |next: u64| notary.compare("acme", next, good).unwrap();
    assert_eq!(compare(6), Standing::Same { further: 2 });
    assert_eq!(compare(4), Standing::Same { further: 0 });
    assert_eq!(compare(3), Standing::Truncated { signed: 4, have: 3 });
    assert_eq!(compare(0), Standing::Truncated { signed: 4, have: 0 });
    let other = notary.compare("acme", 6, |_| Ok::<_, Infallible>(b"another".to_vec()));
    assert_eq!(other.unwrap(), Standing::Differs { size: 4 });
    let unread = notary.compare("acme", 6, |_| Err("unreadable"));
    assert_eq!(unread, Err("unreadable"));
    let unknown = notary.compare("globex", 6, |_| Err("not asked"));
    assert_eq!(unknown, Ok(Standing::Same { further: 6 }));
    let mut check = notary.lines_check("acme").unwrap();
    for line in &lines {
        check.push(line);
    }
    assert_eq!(check.finish(), Standing::Same { further: 2 });
}

#[test]
fn an_earlier_checkpoint_is_signed_only_of_the_published_lines() {
    let mut house = House::new();
    house.grow("acme", 5);
    house.publish().unwrap();
    house.grow("acme", 3);
    let lines = house.lines["acme"].clone();
    let leaves =
        |lines: &[Vec<u8>]| -> Vec<Hash> { lines.iter().map(|line| leaf_hash(line)).collect() };
    let notary = house.notary();
    for size in 1..=5 {
        let point = notary
            .tenant_checkpoint_at("acme", size, leaves(&lines).into_iter())
            .unwrap();
        let root = root_of(&lines[..crate::bytes::index(size)]);
        assert_eq!(
            (point.checkpoint().size, point.checkpoint().root),
            (size, root)
        );
    }
    let beyond = notary.tenant_checkpoint_at("acme", 6, leaves(&lines).into_iter());
    assert!(matches!(
        beyond,
        Err(NotaryError::Beyond { published: 5, .. })
    ));
    let short = notary.tenant_checkpoint_at("acme", 2, leaves(&lines[..4]).into_iter());
    assert!(matches!(short, Err(NotaryError::Lines(_))));
    let mut changed = lines;
    changed[0].push(b' ');
    let changed = notary.tenant_checkpoint_at("acme", 2, leaves(&changed).into_iter());
    assert!(matches!(changed, Err(NotaryError::Lines(_))));
}

#[test]
fn a_copy_goes_on_where_it_was_taken() {
    let mut house = House::new();
    house.grow("acme", 3);
    house.publish().unwrap();
    house.grow("globex", 3);
    let point = house.publish().unwrap();
    let other = tempfile::tempdir().unwrap();
    let copy = other.path().join("copy");
    house.notary().back_up(&copy).unwrap();
    house.grow("acme", 1);
    let next = house.publish().unwrap();
    let mut restored = Notary::open(&copy, &keys(&[1]), check).unwrap();
    assert_eq!(restored.checkpoint(), Some(point));
    assert_eq!(restored.keys(), house.notary().keys());
    for (line, seq) in house.lines["acme"].iter().zip(0..).skip(2) {
        restored
            .observe(&Arc::from("acme"), id("acme"), seq, line)
            .unwrap();
    }
    assert_eq!(restored.publish(house.now_ms).unwrap(), Some(next));
    // What is there is not written over.
    house.notary().back_up(&copy).unwrap_err();
}
