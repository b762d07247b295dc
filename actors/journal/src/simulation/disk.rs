//! A disk that does what disks may do: it forgets what was not synced, tears it, reorders it, fails,
//! lies in its cache after it has failed, fills up, and ends at any operation.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::dice::Dice;
use super::inode::{Inode, Place};
use crate::shared::lock;

pub(super) const EIO: i32 = 5;
pub(super) const ENOSPC: i32 = 28;

/// A way for the disk to break its word, which stands for a journal that does not wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Syncing such a file does nothing.
    SkipSync(Place),
    /// Syncing names does nothing.
    SkipNames,
    /// The log is synced only when something else is asked for: what is answered before is early.
    AcknowledgeEarly,
    /// A sync of the log that failed says that it did not.
    IgnoreEio,
    /// A sync that failed is tried again; the pages are clean by then.
    RetrySync,
}

/// How often things go wrong: once in so many times, never if 0.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    pub(super) eio: u64,
    pub(super) no_space: u64,
    /// Nothing gets any room.
    pub(super) full: bool,
}

/// What has happened, over all starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) operations: u64,
    pub(super) eios: u64,
    pub(super) refused: u64,
    pub(super) power_losses: u64,
    pub(super) deaths: u64,
}

#[derive(Debug, Clone)]
pub(super) enum NameOp {
    Put(PathBuf, usize),
    Move(PathBuf, PathBuf, usize),
    Remove(PathBuf, usize),
}

impl NameOp {
    fn folder(&self) -> &Path {
        let (Self::Put(path, _) | Self::Move(path, ..) | Self::Remove(path, _)) = self;
        path.parent().unwrap_or(path)
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Put(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            Self::Move(from, to, inode) => {
                // A file has one name, whichever half of the moves before got lost.
                names.retain(|path, named| named != inode || path == from);
                if names.get(from) == Some(inode) {
                    names.remove(from);
                }
                names.insert(to.clone(), *inode);
            }
            Self::Remove(path, inode) => {
                if names.get(path) == Some(inode) {
                    names.remove(path);
                }
            }
        }
    }
}

/// The disk's own state.
#[derive(Clone)]
pub(super) struct State {
    pub(super) inodes: Vec<Inode>,
    pub(super) names: BTreeMap<PathBuf, usize>,
    pub(super) durable: BTreeMap<PathBuf, usize>,
    pub(super) pending: Vec<NameOp>,
    pub(super) folders: BTreeSet<PathBuf>,
    pub(super) dice: Dice,
    /// Which process is using it; files that another one opened are closed.
    pub(super) process: u64,
    /// Operations until the machine stops, if it is to.
    pub(super) fuse: Option<u64>,
    pub(super) off: bool,
    /// The oracle is looking: nothing goes wrong and nothing counts.
    pub(super) quiet: bool,
    pub(super) faults: Faults,
    pub(super) flaw: Option<Flaw>,
    /// The file whose sync waits, when answers are early.
    late: Option<usize>,
    pub(super) counted: Counted,
    /// Whether everything that happens is printed.
    pub(super) trace: bool,
}

/// The disk, and whatever holds files of it.
#[derive(Clone)]
pub(super) struct SimDisk(pub(super) Arc<Mutex<State>>);

impl SimDisk {
    pub(super) fn new(dice: Dice) -> Self {
        Self(Arc::new(Mutex::new(State {
            inodes: Vec::new(),
            names: BTreeMap::new(),
            durable: BTreeMap::new(),
            pending: Vec::new(),
            folders: BTreeSet::new(),
            dice,
            process: 0,
            fuse: None,
            off: false,
            quiet: false,
            faults: Faults::default(),
            flaw: None,
            late: None,
            counted: Counted::default(),
            trace: false,
        })))
    }

    /// Looks at the disk or changes how it behaves.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut lock(&self.0))
    }

    /// Another disk with the same content, on which nothing goes wrong.
    pub(super) fn fork(&self) -> Self {
        let mut state = self.with(|state| state.clone());
        state.trace = false;
        state.faults = Faults::default();
        state.fuse = None;
        for inode in &mut state.inodes {
            inode.failed = false;
        }
        Self(Arc::new(Mutex::new(state)))
    }

    /// The bytes of a file as the cache has them; none if there is no such file.
    pub(super) fn content(&self, path: &Path) -> Vec<u8> {
        self.with(|state| {
            let Some(inode) = state.names.get(path) else {
                return Vec::new();
            };
            let inode = &state.inodes[*inode];
            let mut bytes = vec![0; crate::bytes::index(inode.len())];
            inode.read(&mut bytes, 0);
            bytes
        })
    }

    /// Some of what was written reaches the disk by itself.
    pub(super) fn background(&self, eio: u64) {
        self.with(|state| {
            state.note(|_| "  background".into());
            for inode in &mut state.inodes {
                inode.background(&mut state.dice, eio);
            }
        });
    }

    /// Some files leave the cache.
    pub(super) fn evict(&self) {
        self.with(|state| {
            state.note(|_| "  evict".into());
            for inode in &mut state.inodes {
                if state.dice.one_in(3) {
                    inode.evict();
                }
            }
        });
    }

    /// Does something on which nothing goes wrong.
    pub(super) fn quietly<T>(&self, look: impl FnOnce() -> T) -> T {
        let before = self.with(|state| std::mem::replace(&mut state.quiet, true));
        let seen = look();
        self.with(|state| state.quiet = before);
        seen
    }
}

impl State {
    pub(super) fn note(&mut self, what: impl FnOnce(&Self) -> String) {
        if self.trace && !self.quiet {
            println!("{}", what(self));
        }
    }

    /// Begins an operation that changes something. Fails when the machine stops at it.
    pub(super) fn step(&mut self, process: u64) -> io::Result<()> {
        self.alive(process)?;
        if self.quiet {
            return Ok(());
        }
        self.settle_late();
        self.counted.operations += 1;
        if let Some(left) = &mut self.fuse {
            if *left == 0 {
                self.off = true;
                return Err(off());
            }
            *left -= 1;
        }
        Ok(())
    }

    pub(super) fn alive(&self, process: u64) -> io::Result<()> {
        if self.off || process != self.process {
            return Err(off());
        }
        Ok(())
    }

    /// Rolls whether an operation fails; `rarer` times less often than syncs do.
    pub(super) fn fails(&mut self, rarer: u64) -> bool {
        let failed = !self.quiet && self.dice.one_in(self.faults.eio * rarer);
        self.counted.eios += u64::from(failed);
        failed
    }

    pub(super) fn has_no_room(&mut self) -> bool {
        let none = !self.quiet && (self.faults.full || self.dice.one_in(self.faults.no_space));
        self.counted.refused += u64::from(none);
        none
    }

    pub(super) fn sync(&mut self, inode: usize, process: u64) -> io::Result<()> {
        self.step(process)?;
        let file = &self.inodes[inode];
        if self.flaw == Some(Flaw::SkipSync(file.place)) {
            return Ok(());
        }
        let is_log = file.place == Place::Log;
        if is_log && self.flaw == Some(Flaw::AcknowledgeEarly) {
            self.late = Some(inode);
            return Ok(());
        }
        let failed = std::mem::take(&mut self.inodes[inode].failed) || self.fails(1);
        if !failed {
            self.inodes[inode].sync();
            return Ok(());
        }
        self.note(|state| format!("    sync of {} fails", state.inodes[inode].label));
        self.inodes[inode].fail_sync(&mut self.dice);
        match self.flaw {
            Some(Flaw::RetrySync) => self.sync(inode, process),
            Some(Flaw::IgnoreEio) if is_log => Ok(()),
            _ => Err(io::Error::from_raw_os_error(EIO)),
        }
    }

    pub(super) fn sync_names(&mut self, folder: &Path, process: u64) -> io::Result<()> {
        self.step(process)?;
        if self.flaw == Some(Flaw::SkipNames) {
            return Ok(());
        }
        if self.fails(2) {
            self.note(|_| format!("    sync of {} fails", folder.display()));
            return Err(io::Error::from_raw_os_error(EIO));
        }
        for op in std::mem::take(&mut self.pending) {
            if op.folder() == folder {
                op.apply(&mut self.durable);
            } else {
                self.pending.push(op);
            }
        }
        Ok(())
    }

    fn settle_late(&mut self) {
        if let Some(inode) = self.late.take() {
            self.inodes[inode].sync();
        }
    }

    fn name(&mut self, op: NameOp, process: u64) -> io::Result<()> {
        let stepped = self.step(process);
        // At the moment that the machine stops, it may have been done or not.
        if stepped.is_err() && (process != self.process || self.dice.one_in(2)) {
            return stepped;
        }
        if stepped.is_ok() && self.fails(8) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        self.note(|_| format!("    {op:?}"));
        op.apply(&mut self.names);
        self.pending.push(op);
        stepped
    }

    pub(super) fn create(&mut self, path: &Path, process: u64) -> io::Result<usize> {
        if self.has_no_room() {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        let label = path.file_name().and_then(|name| name.to_str());
        let label = label.unwrap_or_default().to_owned();
        let place = match label.split(['-', '.']).next_back() {
            Some("jsonl") => Place::Chain,
            Some("ev") => Place::Evidence,
            Some("redb" | "new") => Place::Database,
            Some(id) if id.parse::<u64>().is_ok() => Place::Log,
            _ => Place::Other,
        };
        let inode = self.inodes.len();
        self.inodes.push(Inode::new(label, place));
        self.name(NameOp::Put(path.to_path_buf(), inode), process)?;
        Ok(inode)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path, process: u64) -> io::Result<()> {
        self.alive(process)?;
        let inode = *self.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        let op = NameOp::Move(from.to_path_buf(), to.to_path_buf(), inode);
        self.name(op, process)
    }

    pub(super) fn remove(&mut self, path: &Path, process: u64) -> io::Result<()> {
        self.alive(process)?;
        let inode = *self.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        self.name(NameOp::Remove(path.to_path_buf(), inode), process)
    }

    /// Removes a file durably, and nothing goes wrong.
    pub(super) fn remove_now(&mut self, path: &Path) {
        self.names.remove(path);
        self.durable.remove(path);
    }

    /// The process ends, and the power with it or not.
    pub(super) fn end(&mut self, power: bool) {
        self.late = None;
        self.process += 1;
        self.off = false;
        self.fuse = None;
        if !power {
            self.counted.deaths += 1;
            return;
        }
        self.counted.power_losses += 1;
        self.lose_names();
        for inode in &mut self.inodes {
            inode.lose_power(&mut self.dice);
        }
    }

    /// Of the names that were not synced, the first few are on the disk, or any.
    fn lose_names(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let in_order = self.dice.one_in(2);
        let first = self.dice.size_below(pending.len() + 1);
        for (position, op) in pending.iter().enumerate() {
            let kept = if in_order {
                position < first
            } else {
                self.dice.one_in(2)
            };
            if kept {
                op.apply(&mut self.durable);
            }
        }
        self.names.clone_from(&self.durable);
    }
}

pub(super) fn off() -> io::Error {
    io::Error::other("the machine is off")
}
