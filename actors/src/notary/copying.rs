//! A copy of what is signed, where no notary has it open.

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
