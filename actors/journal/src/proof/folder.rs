//! The folder of what is signed, where no notary has it open.

use std::{fs, io, path::Path};

/// Copies the files of a directory that nobody has open.
///
/// # Errors
/// Something could not be read or written.
pub fn copy_files(from: &Path, into: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let copy = into.join(entry.file_name());
            fs::copy(entry.path(), &copy)?;
            fs::File::open(&copy)?.sync_all()?;
        }
    }
    Ok(())
}

/// Puts a folder that no log opens in aside, under a name beside it. One that is not there is left so.
///
/// # Errors
/// It cannot be renamed.
pub fn put_aside(folder: &Path, name: &str) -> io::Result<()> {
    if folder.exists() {
        fs::rename(folder, folder.with_file_name(name))?;
    }
    Ok(())
}
