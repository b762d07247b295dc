//! The simulated disk as the journal sees it.

use std::io;
use std::path::{Path, PathBuf};

use redb::{Builder, Database, DatabaseError, StorageBackend, StorageError};

use super::disk::{EIO, ENOSPC, SimDisk};
use crate::bytes::wide;
use crate::disk::{Disk, DiskFile, Open};

impl Disk for SimDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let disk = self.clone();
        self.with(|state| {
            let process = state.process;
            state.alive(process)?;
            if how == Open::Names {
                let folder = path.to_path_buf();
                let file: Box<dyn DiskFile> = Box::new(SimFolder {
                    disk,
                    folder,
                    process,
                });
                return Ok(file);
            }
            let inode = match state.names.get(path) {
                Some(inode) => *inode,
                None if how == Open::Make => state.create(path, process)?,
                None => return Err(io::ErrorKind::NotFound.into()),
            };
            let file: Box<dyn DiskFile> = Box::new(SimFile {
                disk,
                inode,
                process,
            });
            Ok(file)
        })
    }

    fn database(
        &self,
        path: &Path,
        builder: &Builder,
        new: bool,
    ) -> Result<Database, DatabaseError> {
        let file = self.open(path, Open::Write).map_err(StorageError::Io)?;
        if !new && file.len().map_err(StorageError::Io)? == 0 {
            let empty = io::Error::from(io::ErrorKind::InvalidData);
            return Err(StorageError::Io(empty).into());
        }
        builder.create_with_backend(SimBackend(file))
    }

    fn exists(&self, path: &Path) -> bool {
        self.with(|state| state.names.contains_key(path))
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        self.open(path, Open::Read)?.len()
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.with(|state| {
            state.alive(state.process)?;
            let here = state
                .names
                .keys()
                .filter(|path| path.parent() == Some(folder));
            let names = here.filter_map(|path| path.file_name()?.to_str());
            Ok(names.map(String::from).collect())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.with(|state| state.rename(from, to, state.process))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.with(|state| state.remove(path, state.process))
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        self.with(|state| {
            state.step(state.process)?;
            state.folders.insert(path.to_path_buf());
            Ok(())
        })
    }
}

struct SimFile {
    disk: SimDisk,
    inode: usize,
    process: u64,
}

impl DiskFile for SimFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.disk.with(|state| {
            state.alive(self.process)?;
            if state.fails(16) {
                state.note(|state| format!("    read of {} fails", state.inodes[self.inode].label));
                return Err(io::Error::from_raw_os_error(EIO));
            }
            Ok(state.inodes[self.inode].read(into, offset))
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.with(|state| {
            let mut result = state.step(self.process);
            if result.is_err() && self.process != state.process {
                return result;
            }
            let grows = state.inodes[self.inode].needs_room(offset, bytes.len());
            if result.is_ok() && grows && state.has_no_room() {
                result = Err(io::Error::from_raw_os_error(ENOSPC));
            } else if result.is_ok() && state.fails(8) {
                result = Err(io::Error::from_raw_os_error(EIO));
            }
            let taken = match &result {
                Ok(()) => bytes.len(),
                Err(_partly) => state.dice.size_below(bytes.len() + 1),
            };
            state.note(|state| {
                let label = &state.inodes[self.inode].label;
                format!("    write {label} at {offset} len {}: {taken}", bytes.len())
            });
            state.inodes[self.inode].write(&bytes[..taken], offset);
            result
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.with(|state| {
            state.step(self.process)?;
            state.note(|state| format!("    cut {} to {len}", state.inodes[self.inode].label));
            state.inodes[self.inode].set_len(len);
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.disk.with(|state| {
            state.alive(self.process)?;
            Ok(state.inodes[self.inode].len())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.with(|state| {
            state.note(|state| format!("    sync {}", state.inodes[self.inode].label));
            state.sync(self.inode, self.process)
        })
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn give_back(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.disk.with(|state| state.alive(self.process))?;
        Ok(true)
    }
}

struct SimFolder {
    disk: SimDisk,
    folder: PathBuf,
    process: u64,
}

impl DiskFile for SimFolder {
    fn read_at(&self, _into: &mut [u8], _offset: u64) -> io::Result<usize> {
        Err(io::ErrorKind::IsADirectory.into())
    }

    fn write_at(&self, _bytes: &[u8], _offset: u64) -> io::Result<()> {
        Err(io::ErrorKind::IsADirectory.into())
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::IsADirectory.into())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync_all()
    }

    fn sync_all(&self) -> io::Result<()> {
        let sync = |state: &mut super::disk::State| {
            state.note(|_| format!("    sync {}", self.folder.display()));
            state.sync_names(&self.folder, self.process)
        };
        self.disk.with(sync)
    }

    fn give_back(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        Ok(true)
    }
}

/// A file under a database.
struct SimBackend(Box<dyn DiskFile>);

impl std::fmt::Debug for SimBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SimBackend")
    }
}

impl StorageBackend for SimBackend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset + wide(out.len()) > self.0.len()? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_at(data, offset)
    }
}
