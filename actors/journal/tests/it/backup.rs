//! Backups: taken while entries come in, complete, refused when touched, and gone on with elsewhere.
//!
//! Long because every way of touching a backup is tried beside every other.

mod cut_short;
mod damaged;

use std::cell::Cell;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tempfile::TempDir;
use vyrox_journal::backup::{
    About, BackupError, Beside, Manifest, Progress, RestoreError, Restored, Sources, back_up,
    restore,
};
use vyrox_journal::seal::{DataKey, HostKey};
use vyrox_journal::vault::{DATA_KEY_ROW, SealedRow, Vault};
use vyrox_journal::{Head, Journal, JournalError, LocalJournal, Receipt, verify_file};

use crate::support::{Client, draft, draft_with, lines, open};

const ABOUT: About<'static> = About {
    program: "vyrox test",
    now_ms: 1_700_000_000_000,
};

fn unwatched(_progress: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A data directory with a journal and a vault.
struct House {
    dir: TempDir,
    journal: LocalJournal,
    vault: Vault,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(&dir.path().join("journal"));
        let vault = Vault::open(&dir.path().join("vault.redb")).unwrap();
        Self {
            dir,
            journal,
            vault,
        }
    }

    fn sources(&self) -> Sources<'_> {
        Sources {
            journal: &self.journal,
            vault: &self.vault,
            beside: &[],
        }
    }

    fn back_up(&self, into: &Path) -> Result<Manifest, BackupError> {
        back_up(&self.sources(), into, ABOUT, &unwatched)
    }

    /// A row of tenant `acme`'s, wrapped under `host`.
    fn put_key(&self, host: &HostKey) {
        let key = DataKey::generate("acme");
        let row = SealedRow {
            tenant: "acme".into(),
            name: DATA_KEY_ROW.into(),
            version: 1,
            key_id: host.id(),
            sealed: key.wrap(host),
        };
        self.vault.put(&[row]).unwrap();
    }
}

/// Three chains, of which one has evidence.
fn filled(house: &House) -> Vec<(&'static str, Receipt)> {
    let mut receipts = Vec::new();
    for chain in ["_host", "acme", "globex"] {
        let mut client = Client::open(&house.journal, chain);
        for n in 0..20 {
            let drafts = match chain {
                "acme" => vec![draft_with(&[vec![b'a'; 900], vec![0; 700]])],
                _ => vec![draft(json!({"n": n}))],
            };
            let appended = client.append(drafts).unwrap();
            receipts.extend(appended.into_iter().map(|receipt| (chain, receipt)));
        }
    }
    receipts
}

fn restored(backup: &Path) -> (TempDir, Restored) {
    let elsewhere = tempfile::tempdir().unwrap();
    let restored = restore(backup, elsewhere.path(), &unwatched).unwrap();
    (elsewhere, restored)
}

fn contains(journal: &LocalJournal, chain: &str, receipt: &Receipt) -> bool {
    let found = lines(journal, chain);
    let line = found.get(usize::try_from(receipt.seq).unwrap());
    line.is_some_and(|line| line.hash == receipt.hash)
}

#[test]
fn what_is_restored_is_the_same_and_goes_on() {
    let house = House::new();
    let host = HostKey::generate();
    house.put_key(&host);
    let receipts = filled(&house);
    let into = house.dir.path().join("backup");
    let manifest = house.back_up(&into).unwrap();
    assert_eq!(manifest.chains.len(), 3);
    assert_eq!((manifest.left_out.len(), manifest.held.len()), (0, 0));
    assert!(
        manifest
            .chains
            .values()
            .all(|chain| chain.evidence_whole && chain.first_bad_seq.is_none() && chain.seq == 19)
    );

    let (elsewhere, restored) = restored(&into);
    assert_eq!(restored.manifest, manifest);
    assert_eq!(restored.host_keys, [host.id()]);
    let vault = Vault::open(&elsewhere.path().join("vault.redb")).unwrap();
    vault.preflight(&host).unwrap();
    assert_eq!(
        vault.for_tenant("acme").unwrap(),
        house.vault.for_tenant("acme").unwrap()
    );
    let dir = elsewhere.path().join("journal");
    let journal = open(&dir);
    let summary = journal.status().recovered.unwrap();
    assert!(!summary.damaged && !summary.cut && summary.held.is_empty());
    for (chain, receipt) in &receipts {
        assert!(contains(&journal, chain, receipt), "{chain} {receipt:?}");
    }
    for seq in 0..20 {
        let evidence = journal.evidence("acme", seq).unwrap();
        assert_eq!(evidence, house.journal.evidence("acme", seq).unwrap());
        assert_eq!(evidence.len(), 2);
    }
    let mut client = Client::open(&journal, "acme");
    assert_eq!(client.last, Some(19));
    assert_eq!(client.put(20).seq, 20);
    journal.close().unwrap();
    assert!(verify_file(&dir.join("tenants/acme.jsonl")).unwrap().ok);
    // And once more from there: the log that began behind the backup is one like any other.
    drop(journal);
    let journal = open(&dir);
    assert_eq!(journal.head("acme").unwrap().seq, 20);
}

/// An erased entry's checksum is overwritten with it. A backup that took that for damage would name a
/// fault in every store of which something was erased, and a restore might refuse it.
#[test]
fn a_store_of_which_something_was_erased_is_whole_in_a_backup() {
    let house = House::new();
    filled(&house);
    let erased = [0, 7, 8, 19];
    let runs = [(0, 0), (7, 8), (19, 19)];
    assert_eq!(house.journal.erase("acme", &runs).unwrap().entries, 4);
    let into = house.dir.path().join("backup");
    let manifest = house.back_up(&into).unwrap();
    assert!(manifest.chains["acme"].evidence_whole);
    let (elsewhere, restored) = restored(&into);
    assert_eq!(restored.manifest, manifest);
    let dir = elsewhere.path().join("journal");
    let journal = open(&dir);
    for seq in 0..20 {
        let evidence = journal.evidence("acme", seq);
        assert_eq!(evidence, house.journal.evidence("acme", seq), "{seq}");
        let gone = matches!(evidence, Err(JournalError::Erased { .. }));
        assert_eq!(gone, erased.contains(&seq), "{seq}");
    }
    let mut client = Client::open(&journal, "acme");
    assert_eq!(
        client.append(vec![draft_with(&[vec![b'n'; 90]])]).unwrap()[0].seq,
        20
    );
    assert_eq!(journal.evidence("acme", 20).unwrap(), [vec![b'n'; 90]]);
    assert_eq!(
        journal.erase("acme", &[(1, 1), (20, 20)]).unwrap().entries,
        2
    );
    assert!(journal.verify("acme").unwrap().ok);
}

#[test]
fn what_was_acknowledged_before_it_began_is_in_it_while_more_comes_in() {
    let house = House::new();
    filled(&house);
    let into = house.dir.path().join("backup");
    let done = AtomicBool::new(false);
    let (before, manifest) = std::thread::scope(|scope| {
        let (journal, done) = (&house.journal, &done);
        let load = move |chain: &'static str| {
            let mut client = Client::open(journal, chain);
            let mut last = None;
            while !done.load(Ordering::Acquire) {
                last = Some(client.append(vec![draft_with(&[vec![7; 300]])]).unwrap()[0]);
            }
            last.unwrap()
        };
        let threads = ["acme", "globex"].map(|chain| scope.spawn(move || load(chain)));
        let heads = |chain| journal.head(chain).unwrap();
        while heads("acme").seq < 60 || heads("globex").seq < 60 {
            std::thread::yield_now();
        }
        let before = [("acme", heads("acme")), ("globex", heads("globex"))];
        let manifest = house.back_up(&into);
        done.store(true, Ordering::Release);
        for thread in threads {
            thread.join().unwrap();
        }
        (before, manifest.unwrap())
    });
    let (elsewhere, _) = restored(&into);
    let journal = open(&elsewhere.path().join("journal"));
    for (chain, Head { seq, hash }) in before {
        assert!(manifest.chains[chain].seq >= seq);
        assert!(contains(&journal, chain, &Receipt { seq, hash }));
        assert_eq!(journal.head(chain), manifest.chains[chain].head());
        assert!(journal.verify(chain).unwrap().ok);
    }
}

#[test]
fn whatever_was_touched_is_refused_and_leaves_nothing() {
    let house = House::new();
    filled(&house);
    let into = house.dir.path().join("backup");
    let manifest = house.back_up(&into).unwrap();
    for name in manifest.files.keys() {
        let path = into.join(name);
        let whole = fs::read(&path).unwrap();
        let mut turned = whole.clone();
        turned[whole.len() / 2] ^= 1;
        let cut = whole[..whole.len() - 1].to_vec();
        let grown = [whole.as_slice(), b"\n"].concat();
        for forged in [turned, cut, grown] {
            fs::write(&path, forged).unwrap();
            let elsewhere = tempfile::tempdir().unwrap();
            let error = restore(&into, elsewhere.path(), &unwatched).unwrap_err();
            assert!(
                matches!(
                    error,
                    RestoreError::Differs { .. } | RestoreError::Chain { .. }
                ),
                "{name}: {error}"
            );
            assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0, "{name}");
        }
        fs::remove_file(&path).unwrap();
        let missing = house.dir.path().join("not there yet");
        restore(&into, &missing, &unwatched).unwrap_err();
        assert!(!missing.exists());
        fs::write(&path, whole).unwrap();
    }
    restored(&into);
}

/// A file was read to wherever its end might be: a link to a device, or a file that had grown, kept a
/// restore reading and the disk filling for ever.
#[test]
fn nothing_is_read_that_the_manifest_does_not_bound() {
    let house = House::new();
    filled(&house);
    let into = house.dir.path().join("backup");
    let manifest = house.back_up(&into).unwrap();
    let most = 2 * manifest.bytes() + u64::try_from(manifest.files.len()).unwrap();
    let watched = |progress: Progress| match progress.bytes_done {
        done if done > most => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    for name in manifest.files.keys() {
        let path = into.join(name);
        let whole = fs::read(&path).unwrap();
        let grown = fs::OpenOptions::new().write(true).open(&path).unwrap();
        grown.set_len(1 << 33).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let error = restore(&into, elsewhere.path(), &watched).unwrap_err();
        assert!(
            matches!(
                error,
                RestoreError::Differs { .. } | RestoreError::Chain { .. }
            ),
            "{name}: {error}"
        );
        fs::remove_file(&path).unwrap();
        let same = house.dir.path().join("the same");
        fs::write(&same, whole).unwrap();
        std::os::unix::fs::symlink(&same, &path).unwrap();
        let error = restore(&into, elsewhere.path(), &watched).unwrap_err();
        assert!(error.to_string().contains("regular"), "{name}: {error}");
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0, "{name}");
        fs::remove_file(&path).unwrap();
        fs::rename(&same, &path).unwrap();
    }
    restored(&into);
}

/// The digests alone do not say that a manifest is honest: its chains are verified as well.
#[test]
fn a_manifest_that_was_changed_with_its_files_is_still_held_against_the_chains() {
    let house = House::new();
    filled(&house);
    let into = house.dir.path().join("backup");
    let manifest = house.back_up(&into).unwrap();
    let refused = |changed: &Manifest| {
        let text = serde_json::to_vec(changed).unwrap();
        fs::write(into.join("manifest.json"), text).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let error = restore(&into, elsewhere.path(), &unwatched).unwrap_err();
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
        error.to_string()
    };
    let mut other_end = manifest.clone();
    other_end.chains.get_mut("acme").unwrap().seq = 18;
    assert!(refused(&other_end).contains("acme"));
    let mut forgotten = manifest.clone();
    forgotten.chains.remove("acme");
    assert!(refused(&forgotten).contains("belongs to no chain"));
    let mut lacking = manifest.clone();
    lacking.left_out.insert("globex".into(), 20);
    assert!(refused(&lacking).contains("not held"));
    let mut elsewhere = manifest.clone();
    let heads = elsewhere.files["journal/heads.redb"].clone();
    elsewhere.files.insert("journal/seg-1".into(), heads);
    assert!(refused(&elsewhere).contains("seg-1"));
    let mut later = manifest;
    later.version = 2;
    assert!(refused(&later).contains("version is 2"));
}

#[test]
fn an_interrupted_or_failing_backup_leaves_nothing_under_any_name() {
    let house = House::new();
    filled(&house);
    let root = house.dir.path();
    let into = root.join("backup");
    let told = Cell::new(0);
    let stop_after_two = |progress: Progress| {
        told.set(told.get() + 1);
        match progress.chains_done {
            2 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    };
    let stopped = back_up(&house.sources(), &into, ABOUT, &stop_after_two);
    assert!(matches!(stopped, Err(BackupError::Stopped)));
    assert_eq!(told.get(), 2);
    let beside = [Beside {
        folder: "proof",
        copy: &|_folder| Err(std::io::Error::other("no space left")),
    }];
    let sources = Sources {
        beside: &beside,
        ..house.sources()
    };
    let failed = back_up(&sources, &into, ABOUT, &unwatched).unwrap_err();
    assert!(failed.to_string().contains("no space left"), "{failed}");
    let mut names: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["journal", "vault.redb"]);

    house.back_up(&into).unwrap();
    let again = house.back_up(&into).unwrap_err();
    assert!(matches!(again, BackupError::Exists(_)), "{again}");
    let taken = restore(&into, root, &unwatched).unwrap_err();
    assert!(matches!(taken, RestoreError::NotEmpty(_)), "{taken}");
    fs::create_dir(root.join("second.part")).unwrap();
    fs::write(root.join("second.part/whose"), b"?").unwrap();
    let part = house.back_up(&root.join("second")).unwrap_err();
    assert!(part.to_string().contains("second.part"), "{part}");
}

#[test]
fn what_goes_along_comes_back_and_all_of_it_is_for_its_owner_alone() {
    let house = House::new();
    filled(&house);
    let into = house.dir.path().join("backup");
    let beside = [Beside {
        folder: "proof",
        copy: &|folder| fs::write(folder.join("hashes"), b"leaves"),
    }];
    let sources = Sources {
        beside: &beside,
        ..house.sources()
    };
    back_up(&sources, &into, ABOUT, &unwatched).unwrap();
    let (elsewhere, _) = restored(&into);
    let proof = elsewhere.path().join("proof/hashes");
    assert_eq!(fs::read(proof).unwrap(), b"leaves");
    for root in [into, elsewhere.path().to_path_buf()] {
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let mode = path.metadata().unwrap().permissions().mode() & 0o777;
                let expected = if path.is_dir() { 0o700 } else { 0o600 };
                assert_eq!(mode, expected, "{}", path.display());
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
    }
}
