//! The host key and the bootstrap token: the two files whose bytes are secrets.

mod log_files;

use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use nix::unistd::geteuid;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use vyrox_actors::{
    journal::seal::{HostKey, HostKeyError},
    ports::fresh_secret,
};
use zeroize::Zeroizing;

use crate::config::{HostKeySource, StorageConfig};

pub use self::log_files::LogKeyFiles;

/// A secret file could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read it.
    #[error("{path} can be read by others (mode {mode:o}); run: chmod 600 {path}")]
    TooOpen {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Another user put it there.
    #[error(
        "{path} belongs to user {owner}, neither to this server's nor to root; see who put it there, then: chown it"
    )]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// It holds no key.
    #[error("{place}: {source}")]
    NoKey {
        /// Which file or setting.
        place: String,
        /// Why.
        source: HostKeyError,
    },
    /// It holds no key that a log can be signed with.
    #[error("{path}: neither 64 hex digits nor PKCS #8 in PEM of an Ed25519 key")]
    NoLogKey {
        /// Which file.
        path: PathBuf,
    },
    /// The key of a log is gone that was signed with it.
    #[error(
        "{path} is missing, but the log in {log} was signed with that key; put the key file back from its backup, or leave the log for another one: vyrox audit rebase"
    )]
    LogKeyLost {
        /// Where the key should be.
        path: PathBuf,
        /// Where the log lies.
        log: PathBuf,
    },
    /// The key is gone while things lie sealed under it.
    #[error(
        "{path} is missing, but {vault} was sealed under it; put the key file back from its backup, or set VYROX_STORAGE__HOST_KEY"
    )]
    Lost {
        /// Where the key should be.
        path: PathBuf,
        /// What can't be opened without it.
        vault: PathBuf,
    },
}

/// The host key: given, or read from its file, which the first start makes.
///
/// # Errors
/// [`KeyError`]; never is a new key made where something was sealed under an old one.
pub fn host_key(storage: &StorageConfig, vault: &Path) -> Result<HostKey, KeyError> {
    match storage.host_key_source() {
        HostKeySource::Given(secret) => {
            HostKey::from_hex(secret.expose()).map_err(|source| KeyError::NoKey {
                place: "storage.host_key".into(),
                source,
            })
        }
        HostKeySource::File(path) => key_file(path, vault),
    }
}

fn key_file(path: PathBuf, vault: &Path) -> Result<HostKey, KeyError> {
    if let Some(text) = read_secret_file(&path)? {
        let place = path.display().to_string();
        return HostKey::from_hex(&text).map_err(|source| KeyError::NoKey { place, source });
    }
    if vault.exists() {
        return Err(KeyError::Lost {
            path,
            vault: vault.to_owned(),
        });
    }
    let key = HostKey::generate();
    write_secret_file(&path, &key.to_hex())?;
    tracing::info!(path = %path.display(), key_id = key.id(), "host key made; back it up apart from the data");
    Ok(key)
}

/// The token that administers this host until people have their own. Only its digest is kept.
#[derive(Clone)]
pub struct BootstrapToken {
    sha256: [u8; 32],
    /// Whether it was made by this start.
    pub fresh: bool,
}

impl BootstrapToken {
    /// Reads `admin.token` in the data directory, or makes it.
    ///
    /// # Errors
    /// [`KeyError`] where the file cannot be read or made, others can read it, or another user owns it.
    pub fn load(data_dir: &Path) -> Result<Self, KeyError> {
        let path = data_dir.join("admin.token");
        if let Some(text) = read_secret_file(&path)? {
            let text = text.trim_ascii();
            // A token that somebody emptied is no token: nothing may match it.
            if text.len() >= 32 {
                return Ok(Self {
                    sha256: Sha256::digest(text).into(),
                    fresh: false,
                });
            }
        }
        let token = Zeroizing::new(format!("vyrox_{}", fresh_secret()));
        write_secret_file(&path, &token)?;
        Ok(Self {
            sha256: Sha256::digest(token.as_bytes()).into(),
            fresh: true,
        })
    }

    /// Whether `offered` is the token, in constant time.
    pub fn matches(&self, offered: &[u8]) -> bool {
        let offered: [u8; 32] = Sha256::digest(offered).into();
        self.sha256.ct_eq(&offered).into()
    }
}

fn read_secret_file(path: &Path) -> Result<Option<Zeroizing<String>>, KeyError> {
    let error = |source| KeyError::Io {
        path: path.to_owned(),
        source,
    };
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(error(source)),
    };
    let meta = file.metadata().map_err(error)?;
    ours_alone(path, meta.uid(), meta.mode() & 0o777)?;
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(error)?;
    Ok(Some(text))
}

/// Whether nobody but us and root can have written the file or can read it.
fn ours_alone(path: &Path, owner: u32, mode: u32) -> Result<(), KeyError> {
    let path = path.to_owned();
    if owner != geteuid().as_raw() && owner != 0 {
        Err(KeyError::Foreign { path, owner })
    } else if mode & 0o077 != 0 {
        Err(KeyError::TooOpen { path, mode })
    } else {
        Ok(())
    }
}

/// Whole or not at all: written beside, synced, renamed, and the directory synced. What lies beside
/// from a start that was cut short is removed, never written through: it may be a link.
fn write_secret_file(path: &Path, text: &str) -> Result<(), KeyError> {
    let error = |source| KeyError::Io {
        path: path.to_owned(),
        source,
    };
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(error(source)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(&beside).map_err(error)?;
    file.write_all(text.as_bytes()).map_err(error)?;
    file.write_all(b"\n").map_err(error)?;
    file.sync_all().map_err(error)?;
    fs::rename(&beside, path).map_err(error)?;
    sync_directory_of(path).map_err(error)
}

/// Makes what was renamed to `path` stay there.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    let Some(directory) = path.parent() else {
        return Ok(());
    };
    let directory = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_token_is_made_once_and_is_for_its_owner_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = BootstrapToken::load(dir.path()).expect("made");
        let path = dir.path().join("admin.token");
        let text = fs::read_to_string(&path).expect("readable");
        assert!(first.fresh && first.matches(text.trim().as_bytes()) && !first.matches(b"other"));
        let second = BootstrapToken::load(dir.path()).expect("read");
        assert!(!second.fresh && second.matches(text.trim().as_bytes()));

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
        assert!(matches!(
            BootstrapToken::load(dir.path()),
            Err(KeyError::TooOpen { .. })
        ));
    }

    #[test]
    fn a_lost_host_key_is_never_replaced_where_something_is_sealed() {
        let dir = tempfile::tempdir().expect("a directory");
        let (key, vault) = (dir.path().join("host.key"), dir.path().join("vault.redb"));
        let made = key_file(key.clone(), &vault).expect("made");
        fs::write(&vault, b"sealed").expect("a vault");
        assert_eq!(key_file(key.clone(), &vault).expect("read").id(), made.id());
        fs::remove_file(&key).expect("lost");
        assert!(matches!(key_file(key, &vault), Err(KeyError::Lost { .. })));
    }
    #[test]
    fn what_lies_in_the_way_is_replaced_and_never_written_through() {
        let dir = tempfile::tempdir().expect("a directory");
        let (elsewhere, beside) = (dir.path().join("elsewhere"), dir.path().join("admin.new"));
        fs::write(&elsewhere, b"untouched").expect("written");
        symlink(&elsewhere, &beside).expect("a link");
        assert!(BootstrapToken::load(dir.path()).expect("made").fresh);
        assert_eq!(fs::read(&elsewhere).expect("there"), b"untouched");
        let made = fs::symlink_metadata(dir.path().join("admin.token")).expect("there");
        assert!(made.is_file() && made.mode() & 0o777 == 0o600);
        assert!(!beside.exists());

        fs::remove_file(dir.path().join("admin.token")).expect("removed");
        fs::write(&beside, b"half a tok").expect("a start that was cut short");
        assert!(BootstrapToken::load(dir.path()).expect("made").fresh);
    }

    #[test]
    fn a_secret_is_believed_from_us_and_from_root_alone() {
        let (us, path) = (geteuid().as_raw(), Path::new("host.key"));
        for owner in [us, 0] {
            assert!(ours_alone(path, owner, 0o600).is_ok());
            assert!(matches!(
                ours_alone(path, owner, 0o640),
                Err(KeyError::TooOpen { .. })
            ));
        }
        let stranger = ours_alone(path, us + 1, 0o600);
        assert!(matches!(stranger, Err(KeyError::Foreign { owner, .. }) if owner == us + 1));
    }
}
