//! The folder of what is signed, where no notary has it open.

use std::{fs, io, path::Path, sync::Arc};

use super::{Notary, NotaryError, Signer, VerifyEd25519};
use crate::disk::{Disk as _, RealDisk, parent_of};
use crate::vault::StoreError;

/// Where a new log is made that another one still has the place of.
const FRESH: &str = "proof.new";

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

/// Makes a new log in place of one that does not open, which is put aside under a name beside it. The
/// new one is durable before the old one is moved. A process that falls in between leaves either of them
/// in the place, or none and the old one aside.
///
/// # Errors
/// [`NotaryError`]; then the folder is as it was.
pub fn begin_anew(
    folder: &Path,
    aside: &str,
    keys: &[Arc<dyn Signer>],
    check: VerifyEd25519,
) -> Result<Notary, NotaryError> {
    let fresh = folder.with_file_name(FRESH);
    let store = |error: io::Error| NotaryError::from(StoreError::from(error));
    // Nothing was ever published of one that an earlier attempt left.
    remove(&fresh).map_err(store)?;
    let taken = Notary::open(&fresh, keys, check).and_then(|made| {
        drop(made);
        RealDisk.sync_directory(&fresh).map_err(store)?;
        let aside = folder.with_file_name(aside);
        exchange(folder, &fresh, &aside).map_err(store)?;
        let opened = Notary::open(folder, keys, check).inspect_err(|_refused| {
            told(put(folder, &fresh).and_then(|()| put_back(&aside, folder)));
        });
        opened.map(Notary::just_begun)
    });
    if taken.is_err() {
        told(remove(&fresh));
    }
    taken
}

/// Puts what is fresh in the place of what is there, and that aside; all or nothing.
fn exchange(folder: &Path, fresh: &Path, aside: &Path) -> io::Result<()> {
    if folder.exists() {
        put(folder, aside)?;
    }
    put(fresh, folder).inspect_err(|_failed| told(put_back(aside, folder)))
}

/// Where there was none before, there is none to be put back.
fn put_back(aside: &Path, folder: &Path) -> io::Result<()> {
    if aside.exists() {
        put(aside, folder)?;
    }
    Ok(())
}

/// Renames durably what lies in the same directory; back again if that cannot be made durable.
fn put(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    RealDisk
        .sync_directory(parent_of(to))
        .inspect_err(|_failed| told(fs::rename(to, from)))
}

fn remove(fresh: &Path) -> io::Result<()> {
    match fs::remove_dir_all(fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Of what is done where something else has failed already.
fn told(done: io::Result<()>) {
    if let Err(error) = done {
        tracing::error!(%error, "what is signed could not be put back in its place");
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_keys::{TestKey, check};
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = RealDisk.list(dir).unwrap();
        names.sort();
        names
    }

    /// The old log was put aside before anybody knew whether a new one could be made: on a full disk there was
    /// neither.
    #[test]
    fn a_log_that_does_not_open_stays_until_there_is_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("proof");
        let keys: Vec<Arc<dyn Signer>> = vec![Arc::new(TestKey::new(7))];
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("proof.redb"), b"damaged").unwrap();
        assert!(Notary::open(&folder, &keys, check).is_err());
        let is_there = || fs::read(folder.join("proof.redb")).unwrap() == b"damaged";

        let begin = |aside: &str, keys: &[Arc<dyn Signer>]| begin_anew(&folder, aside, keys, check);
        // No key, no room for a folder, and nowhere to put the old one.
        assert!(begin("proof-left-1", &[]).is_err());
        fs::write(dir.path().join(FRESH), b"").unwrap();
        assert!(begin("proof-left-1", &keys).is_err());
        fs::remove_file(dir.path().join(FRESH)).unwrap();
        fs::create_dir(dir.path().join("full")).unwrap();
        fs::write(dir.path().join("full/file"), b"").unwrap();
        assert!(begin("full", &keys).is_err());
        assert!(is_there());
        assert_eq!(names(dir.path()), ["full", "proof"]);

        // What an attempt left that was cut off is in nobody's way.
        fs::create_dir(dir.path().join(FRESH)).unwrap();
        fs::write(dir.path().join(FRESH).join("proof.redb"), b"half").unwrap();
        let made = begin("proof-left-2", &keys);
        assert!(made.is_ok_and(|made| made.is_fresh()));
        assert!(Notary::open(&folder, &keys, check).is_ok());
        assert_eq!(names(dir.path()), ["full", "proof", "proof-left-2"]);
        let aside = dir.path().join("proof-left-2/proof.redb");
        assert_eq!(fs::read(aside).unwrap(), b"damaged");
    }
}
