//! The data directory: which files there are, what their names mean, and one owner at a time.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::bytes::{index, wide};
use crate::files::{make_directory, parent_of, sync_directory, writable};
use crate::options::StartError;

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
            id: id.parse().ok()?,
        })
    }
}

/// The data directory, locked for as long as the value lives.
pub(crate) struct Directory {
    root: PathBuf,
    /// Kept open, so that making a rename durable never fails for want of a descriptor.
    handle: File,
    _lock: File,
}

impl Directory {
    /// Creates what is missing, closes to others what is open to them, and takes the lock.
    pub(crate) fn open(root: &Path) -> Result<Self, StartError> {
        for path in [
            root.to_path_buf(),
            root.join("tenants"),
            root.join("evidence"),
        ] {
            make_directory(&path).map_err(StartError::io("create", &path))?;
        }
        let parent = parent_of(root);
        sync_directory(parent).map_err(StartError::io("sync", parent))?;
        let path = root.join("lock");
        let lock = writable()
            .open(&path)
            .map_err(StartError::io("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StartError::Locked(root.display().to_string()));
            }
            Err(TryLockError::Error(error)) => return Err(StartError::io("lock", &path)(error)),
        }
        Ok(Self {
            root: root.to_path_buf(),
            handle: File::open(root).map_err(StartError::io("open", root))?,
            _lock: lock,
        })
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

    /// All log files, sorted.
    pub(crate) fn list(&self) -> io::Result<Vec<Name>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            names.extend(entry?.file_name().to_str().and_then(Name::parse));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The names of the chains that have a file or an evidence store.
    pub(crate) fn chain_files(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for (folder, suffix) in [("tenants", ".jsonl"), ("evidence", ".ev")] {
            for entry in fs::read_dir(self.root.join(folder))? {
                let name = entry?.file_name();
                names.extend(
                    name.to_str()
                        .and_then(|name| name.strip_suffix(suffix))
                        .map(String::from),
                );
            }
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    pub(crate) fn rename(&self, from: Name, to: Name) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    /// Makes renames and new log files durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    /// Makes new chain files and evidence stores durable.
    pub(crate) fn sync_chain_folders(&self) -> io::Result<()> {
        sync_directory(&self.root.join("tenants"))?;
        sync_directory(&self.root.join("evidence"))
    }

    /// Rewrites a log file from end to end with zeros and syncs it, creating it if need be. Only
    /// then can it be a spare: whatever was written to it before is gone for certain.
    pub(crate) fn zero(&self, name: Name, bytes: u64) -> io::Result<()> {
        static CHUNK: [u8; 1 << 16] = [0; 1 << 16];
        let path = self.path(name);
        let file = writable().open(path)?;
        file.set_len(bytes)?;
        let mut offset = 0;
        while offset < bytes {
            let len = wide(CHUNK.len()).min(bytes - offset);
            file.write_all_at(CHUNK.get(..index(len)).unwrap_or_default(), offset)?;
            offset += len;
        }
        file.sync_all()
    }

    /// Writes a whole side file durably.
    pub(crate) fn write_side_file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = self.root.join("held");
        make_directory(&folder)?;
        let file = writable().open(path)?;
        file.set_len(0)?;
        file.write_all_at(bytes, 0)?;
        file.sync_all()?;
        sync_directory(&folder)?;
        self.sync()
    }
}
