//! The one seam between the journal and the disk: every file, folder and database of it is reached
//! through here, so that a test can put another disk under the whole of it.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use redb::{Builder, Database, DatabaseError};

mod real;

pub(crate) use real::{RealDisk, parent_of, writable};

/// A disk.
///
/// Names are durable when the folder that they stand in was synced, bytes when their file was. After
/// an error nothing is known of what was asked for: it may have been done, in part or not at all.
pub(crate) trait Disk: Send + Sync {
    /// Opens a file.
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a database in a file that is there already, empty only if `new`.
    fn database(
        &self,
        path: &Path,
        builder: &Builder,
        new: bool,
    ) -> Result<Database, DatabaseError>;

    /// Whether there is anything of this name.
    fn exists(&self, path: &Path) -> bool;

    /// The length of a file in bytes.
    fn len(&self, path: &Path) -> io::Result<u64>;

    /// The names in a folder, in no order. Names that are not UTF-8 are not ours and left out.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Gives a file another name in the same folder, in place of whatever had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder, and those above it that are missing, durably and for their owner alone. One
    /// that is there and open to others is closed to them.
    fn make_directory(&self, path: &Path) -> io::Result<()>;

    /// The bytes of the disk below a folder that are free, and all of them; a disk that cannot say
    /// has room for ever.
    fn free(&self, _folder: &Path) -> io::Result<(u64, u64)> {
        Ok((u64::MAX, u64::MAX))
    }

    /// Makes the names in a folder durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.open(path, Open::Names)?.sync_all()
    }
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    /// Reading.
    Read,
    /// Writing what is there.
    Write,
    /// Writing; it is made for its owner alone if it is missing, and not cut if it is not.
    Make,
    /// Syncing the names in a folder.
    Names,
}

/// An open file, which stays the same file whatever its name becomes.
///
/// After a write or a sync that failed its content is unknown: nobody may trust it, nor a later sync
/// of it, before it is written again from a place that is known.
pub(crate) trait DiskFile: Send + Sync {
    /// Reads what one call yields; nothing at the end of the file.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` in one call. A short write is an error.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts the file, or lengthens it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Makes its bytes durable, and its length as far as they need it.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes everything about it durable; of a folder, its names.
    fn sync_all(&self) -> io::Result<()>;

    /// Gives back the space of a range that holds zeros and goes on reading so, where the disk can.
    fn give_back(&self, offset: u64, len: u64) -> io::Result<()>;

    /// Has the system forget what it keeps of the file in memory, where it can, so that the next read
    /// is one of the disk.
    fn forget_cached(&self) -> io::Result<()> {
        Ok(())
    }

    /// Takes the file for this process alone, for as long as it is open. `false` if another has it.
    fn try_lock(&self) -> io::Result<bool>;

    /// Fills `into`; an error if the file ends before.
    fn read_exact_at(&self, mut into: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !into.is_empty() {
            match self.read_at(into, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    into = into.get_mut(read..).unwrap_or_default();
                    offset += crate::bytes::wide(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A file read from one end to the other.
pub(crate) struct Reader {
    file: Box<dyn DiskFile>,
    at: u64,
}

impl Reader {
    /// Reads from `at` on.
    pub(crate) fn new(file: Box<dyn DiskFile>, at: u64) -> Self {
        Self { file, at }
    }
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        self.at += crate::bytes::wide(read);
        Ok(read)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.file.len()?.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// Whether a file was not opened only because the process or the machine has too many open: nothing
/// has changed on the disk, and the next attempt may succeed.
pub(crate) fn lacks_descriptors(error: &io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    matches!(error.raw_os_error(), Some(ENFILE | EMFILE))
}

/// Whether a write found no room on the disk, or room for only a part of it.
pub(crate) fn lacks_room(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::WriteZero
    )
}
