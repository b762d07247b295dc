//! The files of the keys that the log over all chains is signed with: the one in force, the one that is
//! to follow it, and the one before it.
//!
//! A key is written down before anything is signed with it, and the old one is kept until another
//! follows, so that no crash leaves the log with a key that nobody has.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use vyrox_actors::{
    journal::proof::{Notary, Signer},
    notary::{LogKeys, LogSigner},
    ports::fresh_seed,
};
use vyrox_domain::log_key::LogKey;
use zeroize::Zeroizing;

use super::{KeyError, read_secret_file, sync_directory_of, write_secret_file};
use crate::config::AuditConfig;

/// Where the keys are.
pub struct LogKeyFiles {
    in_force: PathBuf,
    /// The directory of the log that is signed with them.
    log: PathBuf,
}

impl LogKeyFiles {
    /// The files of the configuration, for the log in this directory; nothing is read yet.
    pub fn new(audit: &AuditConfig, data_dir: &Path, log: PathBuf) -> Self {
        let given = audit.signing_key_file.clone();
        Self {
            in_force: given.unwrap_or_else(|| data_dir.join("checkpoint.key")),
            log,
        }
    }

    /// Reads all keys that there are, the one in its place first. That one is made where there is no log yet; a log
    /// that was signed with none of them does not open with them, and says so.
    ///
    /// # Errors
    /// [`KeyError`] where a file cannot be read or made, is not ours alone, or holds no key, and where there is a log and
    /// no key.
    pub fn read(&self) -> Result<Vec<Arc<dyn Signer>>, KeyError> {
        self.all(!Notary::exists(&self.log))
    }

    /// All keys, and one in its place if that `is_wanted` there.
    fn all(&self, is_wanted: bool) -> Result<Vec<Arc<dyn Signer>>, KeyError> {
        let mut keys = Vec::new();
        keys.extend(key_in(&self.in_force)?);
        if keys.is_empty() && is_wanted {
            keys.push(self.begin()?);
        }
        for beside in ["next", "previous"] {
            keys.extend(key_in(&self.beside(beside))?);
        }
        if keys.is_empty() {
            return Err(KeyError::LogKeyLost {
                path: self.in_force.clone(),
                log: self.log.clone(),
            });
        }
        Ok(keys)
    }

    fn begin(&self) -> Result<Arc<dyn Signer>, KeyError> {
        let key = write_fresh(&self.in_force)?;
        let path = self.in_force.display();
        tracing::info!(%path, "key to sign the audit log made; back it up apart from the data");
        Ok(key)
    }

    /// `checkpoint.key.next` beside `checkpoint.key`.
    fn beside(&self, which: &str) -> PathBuf {
        let mut name = self.in_force.clone().into_os_string();
        name.push(".");
        name.push(which);
        name.into()
    }

    /// Whether a key was replaced by the one that is in its place.
    fn is_retired(&self, key: &[u8; 32]) -> Result<bool, KeyError> {
        Ok(!holds(&self.in_force, key)? && holds(&self.beside("previous"), key)?)
    }

    fn take_over(&self, in_force: &[u8; 32]) -> Result<(), KeyError> {
        let next = self.beside("next");
        if !holds(&next, in_force)? {
            if self.is_retired(in_force)? {
                let path = self.beside("previous");
                tracing::error!(path = %path.display(), "the log is signed with a key that was replaced before, as after a restored backup; whoever stole it can sign too: `vyrox audit rotate-key --overlap-s 0`");
            }
            return Ok(());
        }
        if let Some(old) = read_secret_file(&self.in_force)? {
            write_secret_file(&self.beside("previous"), old.trim_end())?;
        }
        let error = |source| KeyError::Io {
            path: self.in_force.clone(),
            source,
        };
        fs::rename(&next, &self.in_force).map_err(error)?;
        sync_directory_of(&self.in_force).map_err(error)?;
        tracing::info!(path = %self.in_force.display(), "the log's new key is in its place; back it up");
        Ok(())
    }
}

impl LogKeys for LogKeyFiles {
    fn load(&self) -> io::Result<Vec<Arc<dyn Signer>>> {
        self.read().map_err(io::Error::other)
    }

    fn load_anew(&self) -> io::Result<Vec<Arc<dyn Signer>>> {
        self.all(true).map_err(io::Error::other)
    }

    fn make(&self) -> io::Result<Arc<dyn Signer>> {
        write_fresh(&self.beside("next")).map_err(io::Error::other)
    }

    fn settle(&self, in_force: &[u8; 32]) -> io::Result<()> {
        self.take_over(in_force).map_err(io::Error::other)
    }
}

fn key_in(path: &Path) -> Result<Option<Arc<dyn Signer>>, KeyError> {
    let Some(text) = read_secret_file(path)? else {
        return Ok(None);
    };
    let key = LogKey::from_text(&text).map_err(|_neither| KeyError::NoLogKey {
        path: path.to_owned(),
    })?;
    Ok(Some(Arc::new(LogSigner(key))))
}

fn holds(path: &Path, public_key: &[u8; 32]) -> Result<bool, KeyError> {
    Ok(key_in(path)?.is_some_and(|key| key.public_key() == *public_key))
}

fn write_fresh(path: &Path) -> Result<Arc<dyn Signer>, KeyError> {
    let seed = fresh_seed();
    write_secret_file(path, &Zeroizing::new(hex::encode(*seed)))?;
    Ok(Arc::new(LogSigner(LogKey::from_seed(&seed))))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use vyrox_domain::log_key::is_signed;

    use super::*;

    fn files(dir: &Path) -> LogKeyFiles {
        LogKeyFiles {
            in_force: dir.join("checkpoint.key"),
            log: dir.join("proof"),
        }
    }

    fn public(files: &LogKeyFiles) -> Vec<[u8; 32]> {
        let keys = files.load().expect("keys");
        keys.iter().map(|key| key.public_key()).collect()
    }

    #[test]
    fn the_log_s_key_is_made_once_and_read_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = files(dir.path());
        let made = public(&files);
        assert_eq!((made.len(), public(&files)), (1, made));
        let path = dir.path().join("checkpoint.key");
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        fs::write(&path, "no key").expect("written");
        assert!(matches!(
            files.read().err(),
            Some(KeyError::NoLogKey { .. })
        ));
    }

    /// Another key was put in the place of a lost one: the log did not open with it, and the backup of the right one had
    /// to be written over a file that looked right.
    #[test]
    fn no_key_is_made_where_a_log_was_signed_with_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = files(dir.path());
        let old = public(&files)[0];
        Notary::open(&files.log, &files.read().expect("keys"), is_signed).expect("a log");
        let kept = dir.path().join("kept");
        fs::rename(&files.in_force, &kept).expect("it goes");
        let lost = files.read().err().expect("no key");
        assert!(matches!(lost, KeyError::LogKeyLost { .. }), "{lost}");
        assert!(!files.in_force.exists());
        // The next one may be the one in force: the process ended before it was in its place.
        let next = files.make().expect("made").public_key();
        assert_eq!(public(&files), [next]);
        fs::rename(&kept, &files.in_force).expect("it is back");
        assert_eq!(public(&files), [old, next]);
    }

    #[test]
    fn another_key_takes_its_place_when_it_is_in_force_and_the_old_one_stays_beside() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = files(dir.path());
        let old = public(&files)[0];
        let new = files.make().expect("made").public_key();
        // The process may end before it is in force, or before it was put in its place.
        assert_eq!(public(&files), [old, new]);
        files.settle(&old).expect("nothing to do");
        assert_eq!(public(&files), [old, new]);
        for _ in 0..2 {
            files.settle(&new).expect("settled");
            assert_eq!(public(&files), [new, old]);
        }
        let retired = |key| files.is_retired(key).expect("read");
        assert!(retired(&old) && !retired(&new));
        let newest = files.make().expect("made").public_key();
        assert!(!retired(&newest), "it is the next");
        files.settle(&newest).expect("settled");
        assert_eq!(public(&files), [newest, new]);
        assert!(retired(&new) && !retired(&newest) && !retired(&[0; 32]));
        // A restored log may be signed with it; nothing is moved then.
        files.settle(&new).expect("nothing to do");
        assert_eq!(public(&files), [newest, new]);
        for file in ["checkpoint.key", "checkpoint.key.previous"] {
            let mode = fs::metadata(dir.path().join(file)).expect("there").mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }
}
