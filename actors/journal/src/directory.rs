//! The data directory: which files there are, what their names mean, and one owner at a time.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bytes::{index, wide};
use crate::disk::{Disk, DiskFile, Open, parent_of};
use crate::options::StartError;
use crate::planted::{Bug, planted};

/// There while a restore fills the directory.
pub(crate) const RESTORING: &str = "restore.unfinished";

/// What a log file is at the moment. Only the name says so; ids are never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A segment of the log, or one that a later recovery replaced.
    Segment,
    /// Zeroed and synced, ready to become a segment.
    Spare,
    /// Anything at all; it must be zeroed before it is used.
    Tmp,
    /// Kept for whoever investigates a damage; never read again.
    Damaged,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Segment, Self::Spare, Self::Tmp, Self::Damaged];

    fn prefix(self) -> &'static str {
        match self {
            Self::Segment => "seg-",
            Self::Spare => "spare-",
            Self::Tmp => "tmp-",
            Self::Damaged => "damaged-",
        }
    }
}

/// A log file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) kind: Kind,
    pub(crate) id: u64,
}

impl Name {
    pub(crate) fn new(kind: Kind, id: u64) -> Self {
        Self { kind, id }
    }

    fn parse(text: &str) -> Option<Self> {
        let (kind, id) = Kind::ALL
            .into_iter()
            .find_map(|kind| Some((kind, text.strip_prefix(kind.prefix())?)))?;
        Some(Self {
            kind,
            id: id.parse().ok().filter(|id| *id <= HIGHEST)?,
        })
    }
}

/// No journal ever gets to a higher number; a file that is named by one is none of ours.
const HIGHEST: u64 = u64::MAX / 2;

/// The data directory, locked for as long as the value lives.
pub(crate) struct Directory {
    root: PathBuf,
    disk: Arc<dyn Disk>,
    /// Kept open, so that making a rename durable never fails for want of a descriptor.
    handle: Box<dyn DiskFile>,
    _lock: Box<dyn DiskFile>,
}

impl Directory {
    /// Creates what is missing, closes to others what is open to them, and takes the lock.
    pub(crate) fn open(root: &Path, disk: Arc<dyn Disk>) -> Result<Self, StartError> {
        if disk.exists(&root.join(RESTORING)) {
            return Err(StartError::Unrestored(
                parent_of(root).display().to_string(),
            ));
        }
        for path in [
            root.to_path_buf(),
            root.join("tenants"),
            root.join("evidence"),
        ] {
            disk.make_directory(&path)
                .map_err(StartError::io("create", &path))?;
        }
        let parent = parent_of(root);
        disk.sync_directory(parent)
            .map_err(StartError::io("sync", parent))?;
        let path = root.join("lock");
        let lock = disk
            .open(&path, Open::Make)
            .map_err(StartError::io("open", &path))?;
        if !lock.try_lock().map_err(StartError::io("lock", &path))? {
            return Err(StartError::Locked(root.display().to_string()));
        }
        let handle = disk.open(root, Open::Names);
        Ok(Self {
            root: root.to_path_buf(),
            handle: handle.map_err(StartError::io("open", root))?,
            disk,
            _lock: lock,
        })
    }

    /// The disk that it lies on.
    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn heads_path(&self) -> PathBuf {
        self.root.join("heads.redb")
    }

    pub(crate) fn path(&self, name: Name) -> PathBuf {
        self.root.join(format!("{}{}", name.kind.prefix(), name.id))
    }

    pub(crate) fn tenant_path(&self, chain: &str) -> PathBuf {
        self.root.join("tenants").join(format!("{chain}.jsonl"))
    }

    pub(crate) fn evidence_path(&self, chain: &str) -> PathBuf {
        self.root.join("evidence").join(format!("{chain}.ev"))
    }

    /// Where the frames of held chains go that a recycled segment still held.
    pub(crate) fn stranded_path(&self, segment: u64) -> PathBuf {
        self.root.join("held").join(format!("seg-{segment}.frames"))
    }

    /// Where what a repair could not use of a chain's file, or of its evidence store, is kept for
    /// whoever investigates.
    pub(crate) fn aside_path(&self, chain: &str, alias: u64, suffix: &str) -> PathBuf {
        self.root
            .join("held")
            .join(format!("{chain}-{alias}{suffix}"))
    }

    /// The segments of which something was set aside, sorted.
    pub(crate) fn set_aside_segments(&self) -> io::Result<Vec<u64>> {
        let id = |name: &String| {
            let id = name.strip_prefix("seg-")?.strip_suffix(".frames")?;
            id.parse().ok()
        };
        let mut ids: Vec<u64> = self.set_aside_files()?.iter().filter_map(id).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// The names of all files in `held`.
    pub(crate) fn set_aside_files(&self) -> io::Result<Vec<String>> {
        match self.disk.list(&self.root.join("held")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed,
        }
    }

    /// All log files, sorted.
    pub(crate) fn list(&self) -> io::Result<Vec<Name>> {
        let listed = self.disk.list(&self.root)?;
        let mut names: Vec<Name> = listed.iter().filter_map(|name| Name::parse(name)).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The files that are kept for whoever investigates a damage, and which the journal never reads, by
    /// their paths under the data directory, sorted.
    pub(crate) fn kept_aside(&self) -> io::Result<Vec<String>> {
        let listed = self.list()?;
        let damaged = listed.into_iter().filter(|name| name.kind == Kind::Damaged);
        let mut names: Vec<String> = damaged
            .map(|name| format!("{}{}", name.kind.prefix(), name.id))
            .collect();
        let held = self.set_aside_files()?;
        let unread = held.iter().filter(|name| !name.ends_with(".frames"));
        names.extend(unread.map(|name| format!("held/{name}")));
        names.sort_unstable();
        Ok(names)
    }

    /// The names of the chains that have a file or an evidence store.
    pub(crate) fn chain_files(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for (folder, suffix) in [("tenants", ".jsonl"), ("evidence", ".ev")] {
            let listed = self.disk.list(&self.root.join(folder))?;
            let chains = listed.iter().filter_map(|name| name.strip_suffix(suffix));
            names.extend(chains.map(String::from));
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    pub(crate) fn rename(&self, from: Name, to: Name) -> io::Result<()> {
        self.disk.rename(&self.path(from), &self.path(to))
    }

    /// Makes renames and new log files durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    /// Makes new chain files and evidence stores durable.
    pub(crate) fn sync_chain_folders(&self) -> io::Result<()> {
        self.disk.sync_directory(&self.root.join("tenants"))?;
        self.disk.sync_directory(&self.root.join("evidence"))
    }

    /// Rewrites a log file from end to end with zeros and syncs it, creating it if need be. Only
    /// then can it be a spare: whatever was written to it before is gone for certain.
    pub(crate) fn zero(&self, name: Name, bytes: u64) -> io::Result<()> {
        static CHUNK: [u8; 1 << 16] = [0; 1 << 16];
        let file = self.disk.open(&self.path(name), Open::Make)?;
        if planted(Bug::AcceptOldFrames) && file.len()? == bytes {
            return file.sync_all();
        }
        file.set_len(bytes)?;
        let mut offset = 0;
        while offset < bytes {
            let len = wide(CHUNK.len()).min(bytes - offset);
            file.write_at(CHUNK.get(..index(len)).unwrap_or_default(), offset)?;
            offset += len;
        }
        file.sync_all()
    }

    /// Copies what stands in a file behind `offset` to a side file, durably; moves it there whole if
    /// nothing of it is good. A side file that is there already is the first, and the right one.
    pub(crate) fn set_aside(&self, from: &Path, offset: u64, to: &Path) -> io::Result<()> {
        let folder = self.root.join("held");
        let len = match self.disk.open(from, Open::Write) {
            Ok(file) => Some(file.len()?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => None,
            Err(error) => return Err(error),
        };
        if len.is_some_and(|len| len <= offset) || self.disk.exists(to) {
            return Ok(());
        }
        self.disk.make_directory(&folder)?;
        let Some(len) = len else {
            self.disk.rename(from, to)?;
            self.sync_chain_folders()?;
            return self.disk.sync_directory(&folder);
        };
        let fresh = folder.join("copying");
        let copy = self.disk.open(&fresh, Open::Make)?;
        copy.set_len(0)?;
        copy_range(&*self.disk.open(from, Open::Read)?, offset..len, &*copy)?;
        copy.sync_all()?;
        self.disk.rename(&fresh, to)?;
        self.disk.sync_directory(&folder)?;
        self.sync()
    }

    /// Writes a whole side file durably.
    pub(crate) fn write_side_file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = self.root.join("held");
        self.disk.make_directory(&folder)?;
        let file = self.disk.open(path, Open::Make)?;
        file.set_len(0)?;
        file.write_at(bytes, 0)?;
        file.sync_all()?;
        self.disk.sync_directory(&folder)?;
        self.sync()
    }
}

/// Writes a range of one file to the beginning of another.
fn copy_range(from: &dyn DiskFile, range: Range<u64>, to: &dyn DiskFile) -> io::Result<()> {
    const CHUNK: u64 = 1 << 16;
    let mut bytes = Vec::new();
    let mut at = range.start;
    while at < range.end {
        bytes.resize(index(CHUNK.min(range.end - at)), 0);
        from.read_exact_at(&mut bytes, at)?;
        to.write_at(&bytes, at - range.start)?;
        at += wide(bytes.len());
    }
    Ok(())
}
