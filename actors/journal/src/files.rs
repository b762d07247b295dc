//! How the journal makes files and directories: for their owner alone.
//!
//! The chains name hosts and people's actions, and the log holds evidence as well; whoever else has
//! an account on the machine is to read none of it, whatever the umask says.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;
/// What a mode may say to the group and to others, the sticky and set-id bits aside.
const OTHERS: u32 = 0o077;

/// Open for writing, made with mode 0600 if it is missing, and not cut.
pub(crate) fn writable() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE);
    options
}

/// Makes a directory, and those above it that are missing, durably and with mode 0700. One that is
/// there and open to others is closed to them.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    make_levels(path)?;
    if fs::metadata(path)?.permissions().mode() & OTHERS == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE))
}

/// Makes one level behind the other, and each durable in the one above it before the next.
fn make_levels(path: &Path) -> io::Result<()> {
    let make = || DirBuilder::new().mode(DIRECTORY_MODE).create(path);
    let above = parent_of(path);
    match make() {
        Ok(()) => {}
        Err(_exists) if path.is_dir() => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && above != path => {
            make_levels(above)?;
            make()?;
        }
        Err(error) => return Err(error),
    }
    sync_directory(above)
}

/// The directory that a path's last name stands in.
pub(crate) fn parent_of(path: &Path) -> &Path {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new("."))
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Whether a file was not opened only because the process or the machine has too many open: nothing
/// has changed on the disk, and the next attempt may succeed.
pub(crate) fn lacks_descriptors(error: &io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    matches!(error.raw_os_error(), Some(ENFILE | EMFILE))
}
