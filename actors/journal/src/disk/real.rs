//! The operating system's disk. What the journal makes on it is for its owner alone.
//!
//! The chains name hosts and people's actions, and the log holds evidence as well; whoever else has
//! an account on the machine is to read none of it, whatever the umask says.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError};
use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate, statvfs};

use super::{Disk, DiskFile, Open};

const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;
/// What a mode may say to the group and to others, the sticky and set-id bits aside.
const OTHERS: u32 = 0o077;

/// The operating system's disk.
pub(crate) struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        match how {
            Open::Read | Open::Names => options.read(true),
            Open::Write => options.write(true),
            Open::Make => return Ok(Box::new(RealFile(writable().open(path)?))),
        };
        Ok(Box::new(RealFile(options.open(path)?)))
    }

    fn database(
        &self,
        path: &Path,
        builder: &Builder,
        new: bool,
    ) -> Result<Database, DatabaseError> {
        if !new {
            return builder.open(path);
        }
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        builder.create_with_backend(FileBackend::new(file)?)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn free(&self, folder: &Path) -> io::Result<(u64, u64)> {
        let said = statvfs(folder)?;
        let bytes = |blocks: u64| blocks.saturating_mul(said.f_frsize);
        Ok((bytes(said.f_bavail), bytes(said.f_blocks)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        self.make_levels(path)?;
        if fs::metadata(path)?.permissions().mode() & OTHERS == 0 {
            return Ok(());
        }
        fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE))
    }
}

impl RealDisk {
    /// Makes one level behind the other, and each durable in the one above it before the next.
    fn make_levels(&self, path: &Path) -> io::Result<()> {
        let make = || DirBuilder::new().mode(DIRECTORY_MODE).create(path);
        let above = parent_of(path);
        match make() {
            Ok(()) => {}
            Err(_exists) if path.is_dir() => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound && above != path => {
                self.make_levels(above)?;
                make()?;
            }
            Err(error) => return Err(error),
        }
        self.sync_directory(above)
    }
}

/// Open for writing, made for its owner alone if it is missing, and not cut if it is not.
pub(crate) fn writable() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE);
    options
}

/// The folder that a path's last name stands in.
pub(crate) fn parent_of(path: &Path) -> &Path {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new("."))
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(into, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let written = self.0.write_at(bytes, offset)?;
        if written == bytes.len() {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::WriteZero,
            "the disk took only a part of what was written",
        ))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn give_back(&self, offset: u64, len: u64) -> io::Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(fallocate(&self.0, flags, offset, len)?)
    }

    fn forget_cached(&self) -> io::Result<()> {
        Ok(fadvise(&self.0, 0, None, Advice::DontNeed)?)
    }

    fn try_lock(&self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
