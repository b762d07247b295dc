//! The vault and the projections on the same disk. The vault keeps whatever it said that it has; the
//! projections may fall behind, but never behind their last checkpoint, and come apart only after the
//! disk has failed, and then say so.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::dice::Dice;
use super::disk::{Faults, SimDisk};
use super::host::root;
use crate::projection::{Batch, ProjectionError, Projections};
use crate::seal::DataKey;
use crate::vault::{SealedRow, StoreError, Vault, VaultError};
use crate::{GENESIS, Head};

const CACHE_BYTES: usize = 1 << 20;
/// Times that each store is opened in one seed.
const LIVES: u64 = 12;

/// Sets up a disk and what goes wrong with it in each life.
struct Lives {
    dice: Dice,
    disk: SimDisk,
    faults: Faults,
}

impl Lives {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let disk = SimDisk::new(Dice::new(dice.next()));
        let eio = if dice.one_in(2) {
            20 + dice.below(200)
        } else {
            0
        };
        let no_space = if dice.one_in(3) {
            20 + dice.below(100)
        } else {
            0
        };
        let faults = Faults {
            eio,
            no_space,
            full: false,
        };
        Self { dice, disk, faults }
    }

    /// The next life, on a disk that behaves or not.
    fn begin(&mut self, behaved: bool) {
        let faults = if behaved {
            Faults::default()
        } else {
            self.faults
        };
        let fuse = (!behaved && self.dice.one_in(2)).then(|| self.dice.below(80));
        self.disk.with(|state| {
            state.faults = faults;
            state.fuse = fuse;
        });
    }

    fn kill(&mut self) {
        if self.dice.one_in(4) {
            self.disk.with(|state| state.off = true);
        }
    }

    fn end(&mut self) {
        let power = self.dice.one_in(2);
        self.disk.with(|state| state.end(power));
    }
}

fn path(name: &str) -> PathBuf {
    root().join(name)
}

fn play_vault(seed: u64) -> Result<u64, String> {
    let mut lives = Lives::new(seed);
    let key = DataKey::generate("acme");
    let mut kept: BTreeMap<u64, SealedRow> = BTreeMap::new();
    let mut version = 0;
    for life in 0..LIVES {
        let behaved = life % 3 == 2;
        lives.begin(behaved);
        let vault = match Vault::open_on(Arc::new(lives.disk.clone()), &path("vault.redb")) {
            Ok(vault) => vault,
            Err(error) if behaved => return Err(format!("refused for good: {error}")),
            Err(_may_pass) => {
                lives.end();
                continue;
            }
        };
        let check = lives.disk.quietly(|| {
            for (version, row) in &kept {
                let found = vault.get("acme", "webhook/x", *version);
                match found {
                    Ok(Some(found)) if found == *row => {}
                    found => return Err(format!("version {version} is LOST: {found:?}")),
                }
            }
            Ok(())
        });
        check?;
        for _ in 0..lives.dice.below(12) {
            version += 1;
            let row = SealedRow::seal(&key, "webhook/x", version, b"a long enough secret");
            match vault.put(std::slice::from_ref(&row)) {
                Ok(()) => kept.insert(version, row),
                // It goes on when there is room.
                Err(VaultError::Store(StoreError::NoRoom(_))) => continue,
                Err(_gave_up) => break,
            };
        }
        lives.kill();
        drop(vault);
        lives.end();
    }
    Ok(crate::bytes::wide(kept.len()))
}

fn play_projections(seed: u64) -> Result<u64, String> {
    let mut lives = Lives::new(seed);
    let (mut checkpointed, mut applied) = (None, None);
    for life in 0..LIVES {
        let behaved = life % 3 == 2;
        lives.begin(behaved);
        let file = path("projections.redb");
        let projections = match Projections::open_on(&lives.disk, &file, CACHE_BYTES) {
            Ok(projections) => projections,
            Err(ProjectionError::Damaged(_)) if lives.faults.eio > 0 => {
                // After a sync that failed the cache lies, and one phase is not enough then. They
                // are only derived: the owner makes new ones.
                lives.end();
                lives.disk.with(|state| state.remove_now(&file));
                (checkpointed, applied) = (None, None);
                continue;
            }
            Err(error) if behaved => return Err(format!("refused for good: {error}")),
            Err(_may_pass) => {
                lives.end();
                continue;
            }
        };
        let found = lives.disk.quietly(|| projections.applied("acme"));
        let found = found.map_err(|error| error.to_string())?;
        if found < checkpointed || found > applied {
            return Err(format!(
                "{found:?} is applied, checkpointed {checkpointed:?}, written {applied:?}"
            ));
        }
        applied = found;
        for _ in 0..lives.dice.below(20) {
            let seq = applied.map_or(0, |seq: u64| seq + 1);
            let batch = Batch {
                puts: Vec::new(),
                applied: vec![("acme".into(), Head { seq, hash: GENESIS })],
            };
            // What fails may be there all the same.
            applied = Some(seq);
            if projections.apply(&batch).is_err() {
                break;
            }
            if lives.dice.one_in(4) {
                if projections.checkpoint().is_err() {
                    break;
                }
                checkpointed = applied;
            }
        }
        lives.kill();
        drop(projections);
        lives.end();
    }
    Ok(applied.unwrap_or(0))
}

/// Plays so many seeds of a store; each keeps something, by and large.
fn play_all(play: fn(u64) -> Result<u64, String>, seeds: u64) {
    let mut kept = 0;
    for seed in 1..=seeds {
        kept += play(seed).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
    assert!(kept > seeds, "{kept}");
}

/// Plays so many seeds of both stores.
pub(super) fn play_both(seeds: u64) {
    play_all(play_vault, seeds);
    play_all(play_projections, seeds);
}

#[test]
fn the_vault_keeps_what_it_said_that_it_has() {
    play_all(play_vault, 150);
}

#[test]
fn the_projections_fall_back_to_their_last_checkpoint_at_most() {
    play_all(play_projections, 300);
}

/// The vault made its file in its place. A start that lost the power within that left half a database,
/// which every later start refused as damaged; and when the process alone ended before the file's
/// name was durable, the next one took the file for an old one, never synced its name, and the next
/// loss of power took it with all the rows that had been put since.
#[test]
fn a_first_start_that_ends_anywhere_leaves_no_vault_or_a_whole_one() {
    let key = DataKey::generate("acme");
    let row = SealedRow::seal(&key, "webhook/x", 1, b"a long enough secret");
    for fuse in 0..60 {
        for power in [false, true] {
            let disk = SimDisk::new(Dice::new(fuse));
            disk.with(|state| state.fuse = Some(fuse));
            drop(Vault::open_on(Arc::new(disk.clone()), &path("vault.redb")));
            disk.with(|state| state.end(power));
            let vault = Vault::open_on(Arc::new(disk.clone()), &path("vault.redb")).unwrap();
            vault.put(std::slice::from_ref(&row)).unwrap();
            disk.with(|state| state.off = true);
            drop(vault);
            disk.with(|state| state.end(true));
            let vault = Vault::open_on(Arc::new(disk.clone()), &path("vault.redb")).unwrap();
            let found = vault.get("acme", "webhook/x", 1).unwrap();
            assert_eq!(found.as_ref(), Some(&row), "{fuse} {power}");
        }
    }
}

/// redb gives up for good where it was refused room once: nothing could be put into the vault or taken out of
/// it until the next start, however much room there was by then.
#[test]
fn a_vault_that_found_no_room_goes_on_when_there_is_some() {
    let key = DataKey::generate("acme");
    let row = |version| SealedRow::seal(&key, "webhook/x", version, &[7; 2_000]);
    for seed in 0..20 {
        let disk = SimDisk::new(Dice::new(seed));
        let vault = Vault::open_on(Arc::new(disk.clone()), &path("vault.redb")).unwrap();
        vault.put(&[row(1)]).unwrap();
        disk.with(|state| state.faults.full = true);
        let refused = (2..2_000).find_map(|version| vault.put(&[row(version)]).err());
        let refused = refused.expect("it grew without end");
        let no_room = matches!(refused, VaultError::Store(StoreError::NoRoom(_)));
        assert!(no_room, "{refused}");
        disk.with(|state| state.faults.full = false);
        assert!(vault.get("acme", "webhook/x", 1).unwrap().is_some());
        vault.put(&[row(3_000)]).unwrap();
        disk.with(|state| state.off = true);
        drop(vault);
        disk.with(|state| state.end(true));
        let vault = Vault::open_on(Arc::new(disk), &path("vault.redb")).unwrap();
        for version in [1, 3_000] {
            let kept = vault.get("acme", "webhook/x", version).unwrap();
            assert!(kept.is_some(), "{seed}: {version}");
        }
    }
}
