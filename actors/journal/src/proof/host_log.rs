//! The host log's files: a leaf for each state of a chain that was ever published, and every hash of
//! the tree over them.
//!
//! Both files only grow, in records of one size, so a place in them is a number times that size.
//! What is signed is never written again. What was written and not signed, because the process ended
//! in between, is cut off when the log is opened, and the log must then prove itself: its kept
//! hashes must lead to the signed root.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::checkpoint::OpaqueId;
use super::merkle::{Frontier, Hash, MAX_SIZE, StoredHashes, leaf_hash, stored_count};
use crate::bytes::{array_at, index, u64_at};
use crate::disk::{Disk as _, RealDisk, writable};
use crate::vault::StoreError;

/// Bytes of a leaf's record: opaque id, size, root, and eight that are zero.
const RECORD: usize = 64;
const HASH: usize = 32;
/// Leaves that are read at once when the hashes are made anew.
const AT_ONCE: usize = 4096;

/// One published state of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostLeaf {
    /// Whose chain, by the id in its entry 0.
    pub opaque_id: OpaqueId,
    /// How many entries it had.
    pub size: u64,
    /// The root of the tree over its lines.
    pub root: Hash,
}

impl HostLeaf {
    /// The leaf as text: opaque id, size in decimal, root in base64, each on a line of its own. The
    /// leaf's bytes in the tree are these, the last newline included.
    pub fn text(&self) -> String {
        let root = BASE64.encode(self.root);
        format!("{}\n{}\n{root}\n", self.opaque_id, self.size)
    }

    /// Its hash in the host log.
    pub fn hash(&self) -> Hash {
        leaf_hash(self.text().as_bytes())
    }

    fn encode(&self) -> [u8; RECORD] {
        let mut record = [0; RECORD];
        let (id, rest) = record.split_at_mut(16);
        id.copy_from_slice(self.opaque_id.as_bytes());
        let (size, rest) = rest.split_at_mut(8);
        size.copy_from_slice(&self.size.to_le_bytes());
        let (root, _zeros) = rest.split_at_mut(HASH);
        root.copy_from_slice(&self.root);
        record
    }

    fn decode(record: &[u8]) -> Option<Self> {
        let leaf = Self {
            opaque_id: OpaqueId::new(array_at(record, 0)?),
            size: u64_at(record, 16).filter(|size| *size <= MAX_SIZE)?,
            root: array_at(record, 24)?,
        };
        (leaf.encode() == record).then_some(leaf)
    }
}

/// The files of one deployment's log. They take nothing more after a failed write: whoever owns
/// them opens them anew.
pub(super) struct HostLog {
    folder: PathBuf,
    deployment: OpaqueId,
    leaves: File,
    hashes: File,
    frontier: Frontier,
}

impl HostLog {
    /// Opens the log as it was signed, at `size` leaves with this root; makes it if it has none. A
    /// file of hashes that leads elsewhere is made anew from the leaves, if those lead there.
    pub(super) fn open(
        folder: &Path,
        deployment: OpaqueId,
        size: u64,
        root: &Hash,
    ) -> Result<Self, StoreError> {
        let mut log = Self {
            folder: folder.to_owned(),
            deployment,
            leaves: open_file(&leaves_path(folder, deployment))?,
            hashes: open_file(&hashes_path(folder, deployment))?,
            frontier: Frontier::new(),
        };
        RealDisk.sync_directory(folder)?;
        if cut(&log.leaves, at(size, RECORD))? == Length::Short {
            return Err(damaged("leaves of the host log are missing"));
        }
        let hashes_complete = cut(&log.hashes, at(stored_count(size), HASH))? == Length::Full;
        if hashes_complete {
            log.frontier = Frontier::from_stored(size, &log)?;
        }
        if !hashes_complete || log.frontier.root() != *root {
            log.rebuild(size, root)?;
        }
        Ok(log)
    }

    /// Whether the folder has files of any log.
    pub(super) fn exists(folder: &Path) -> io::Result<bool> {
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("leaves-") || name.starts_with("hashes-") {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many leaves it has, and their root.
    pub(super) fn head(&self) -> (u64, Hash) {
        (self.frontier.size(), self.frontier.root())
    }

    /// Appends leaves and makes them durable.
    pub(super) fn append(&mut self, leaves: &[HostLeaf]) -> io::Result<()> {
        let size = self.frontier.size();
        let mut records = Vec::with_capacity(leaves.len() * RECORD);
        let mut hashes = Vec::with_capacity(leaves.len() * 2 * HASH);
        for leaf in leaves {
            records.extend_from_slice(&leaf.encode());
            let keep = |hash: Hash| hashes.extend_from_slice(&hash);
            self.frontier.append_storing(leaf.hash(), keep);
        }
        self.leaves.write_all_at(&records, at(size, RECORD))?;
        self.hashes
            .write_all_at(&hashes, at(stored_count(size), HASH))?;
        self.leaves.sync_data()?;
        self.hashes.sync_data()
    }

    /// Makes the file of hashes anew from the leaves, which must lead to the root that was signed.
    pub(super) fn rebuild(&mut self, size: u64, root: &Hash) -> Result<(), StoreError> {
        let path = hashes_path(&self.folder, self.deployment);
        let fresh = path.with_extension("new");
        let file = open_file(&fresh)?;
        file.set_len(0)?;
        let mut frontier = Frontier::new();
        while frontier.size() < size {
            let (mut hashes, start) = (Vec::new(), stored_count(frontier.size()));
            for leaf in self.read_leaves(frontier.size(), size)? {
                frontier.append_storing(leaf.hash(), |hash| hashes.extend_from_slice(&hash));
            }
            file.write_all_at(&hashes, at(start, HASH))?;
        }
        if frontier.root() != *root {
            fs::remove_file(&fresh)?;
            return Err(damaged("the leaves of the host log lead to another root"));
        }
        file.sync_all()?;
        fs::rename(&fresh, &path)?;
        RealDisk.sync_directory(&self.folder)?;
        (self.hashes, self.frontier) = (file, frontier);
        Ok(())
    }

    /// Whether its file has this leaf in that place. The signed root may lead elsewhere.
    pub(super) fn has(&self, number: u64, leaf: &HostLeaf) -> Result<bool, StoreError> {
        let end = self.frontier.size().min(number.saturating_add(1));
        Ok(self.read_leaves(number, end)?.first() == Some(leaf))
    }

    /// Up to [`AT_ONCE`] leaves of those from `from` to before `end`.
    fn read_leaves(&self, from: u64, end: u64) -> Result<Vec<HostLeaf>, StoreError> {
        let count = index(end.saturating_sub(from)).min(AT_ONCE);
        let mut bytes = vec![0; count * RECORD];
        self.leaves.read_exact_at(&mut bytes, at(from, RECORD))?;
        let leaves = bytes.chunks_exact(RECORD).map(HostLeaf::decode);
        leaves
            .collect::<Option<_>>()
            .ok_or_else(|| damaged("a leaf of the host log is not readable"))
    }

    /// Copies the log's files into a folder, durably.
    pub(super) fn copy_to(&self, folder: &Path) -> io::Result<()> {
        RealDisk.make_directory(folder)?;
        for path in [leaves_path, hashes_path] {
            let copy = path(folder, self.deployment);
            fs::copy(path(&self.folder, self.deployment), &copy)?;
            File::open(&copy)?.sync_all()?;
        }
        RealDisk.sync_directory(folder)
    }

    /// Lets every write fail from here on.
    #[cfg(test)]
    pub(super) fn break_files(&mut self) {
        let path = leaves_path(&self.folder, self.deployment);
        if let Ok(unwritable) = File::open(path) {
            self.leaves = unwritable;
        }
    }

    /// Where the files are.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl StoredHashes for HostLog {
    fn hash(&self, index: u64) -> io::Result<Hash> {
        let mut hash = [0; HASH];
        self.hashes.read_exact_at(&mut hash, at(index, HASH))?;
        Ok(hash)
    }
}

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(what.to_owned())
}

fn leaves_path(folder: &Path, deployment: OpaqueId) -> PathBuf {
    folder.join(format!("leaves-{deployment}"))
}

fn hashes_path(folder: &Path, deployment: OpaqueId) -> PathBuf {
    folder.join(format!("hashes-{deployment}"))
}

fn open_file(path: &Path) -> io::Result<File> {
    writable().read(true).open(path)
}

#[derive(PartialEq, Eq)]
enum Length {
    Full,
    Short,
}

/// Cuts a file to a length, unless it is shorter.
fn cut(file: &File, len: u64) -> io::Result<Length> {
    let found = file.metadata()?.len();
    if found > len {
        file.set_len(len)?;
    }
    Ok(if found < len {
        Length::Short
    } else {
        Length::Full
    })
}

/// The offset of a record.
fn at(number: u64, record: usize) -> u64 {
    number.saturating_mul(crate::bytes::wide(record))
}

#[cfg(test)]
mod tests;
