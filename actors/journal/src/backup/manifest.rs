//! What a backup says of itself.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::new_file;
use crate::draft::is_chain_name;
use crate::journal::Head;

/// The manifest's name.
pub const MANIFEST: &str = "manifest.json";

pub(super) const FORMAT: &str = "vyrox-backup";
pub(super) const VERSION: u32 = 1;

/// Longest manifest that is read. One of a hundred thousand chains is a tenth of that.
const MAX_BYTES: u64 = 512 << 20;
/// The path of the vault, which a journal alone has not.
pub(super) const VAULT: &str = "vault.redb";
/// The path of the record of what is durable.
pub(super) const HEADS: &str = "journal/heads.redb";

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// That it is one.
    pub format: String,
    /// Its version.
    pub version: u32,
    /// The program that wrote it.
    pub program: String,
    /// When it began, in milliseconds since 1970.
    pub taken_at_ms: u64,
    /// The chains, by name.
    pub chains: BTreeMap<String, ChainCopy>,
    /// Chains of which entries are missing that were durable, each with the first such seq. They are
    /// held in the backup: a server that is restored from it does not go on with them by itself.
    pub left_out: BTreeMap<String, u64>,
    /// Chains that were held already, each with the first seq in doubt.
    pub held: BTreeMap<String, u64>,
    /// Its files, by their paths below it, with `/` between names.
    pub files: BTreeMap<String, FileCopy>,
}

/// Where a chain's copy ends, and what was found when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainCopy {
    /// The last entry's seq.
    pub seq: u64,
    /// The last entry's hash, in hex.
    pub hash: String,
    /// Where the chain does not verify, if it did not: it was damaged before it was copied.
    pub first_bad_seq: Option<u64>,
    /// Whether the evidence store proves itself from end to end.
    pub evidence_whole: bool,
}

/// Length and digest of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileCopy {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
}

impl ChainCopy {
    /// The end of the chain's copy; none if the manifest's hash is no hash.
    pub fn head(&self) -> Option<Head> {
        let mut hash = [0; 32];
        hex::decode_to_slice(&self.hash, &mut hash).ok()?;
        Some(Head {
            seq: self.seq,
            hash,
        })
    }
}

impl Manifest {
    /// Reads the manifest of the backup in `directory`. What it says of files is yet to be checked.
    ///
    /// # Errors
    /// It can't be read, is none, or is one of a version that this program does not know.
    pub fn read(directory: &Path) -> io::Result<Self> {
        let mut bytes = Vec::new();
        let file = open_regular(&directory.join(MANIFEST))?;
        file.take(MAX_BYTES).read_to_end(&mut bytes)?;
        let manifest: Self = serde_json::from_slice(&bytes)
            .map_err(|error| invalid(&format!("it is no manifest: {error}")))?;
        if manifest.format != FORMAT {
            return Err(invalid("it is not the manifest of a backup"));
        }
        if manifest.version != VERSION {
            let version = manifest.version;
            return Err(invalid(&format!(
                "its version is {version}, and this program knows {VERSION}"
            )));
        }
        if let Some(strange) = manifest.files.keys().find(|path| !is_ours(path)) {
            return Err(invalid(&format!("{strange:?} is no file of a backup")));
        }
        Ok(manifest)
    }

    /// That of a journal alone.
    #[cfg(test)]
    pub(crate) fn of_a_journal(copy: super::JournalCopy) -> Self {
        let files = copy.files.into_iter();
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            program: String::new(),
            taken_at_ms: 0,
            chains: copy.chains,
            left_out: copy.left_out,
            held: copy.held,
            files: files
                .map(|(name, file)| (format!("journal/{name}"), file))
                .collect(),
        }
    }

    /// Writes it, durably.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let mut file = new_file(path)?;
        file.write_all(&text)?;
        file.sync_all()
    }

    /// The bytes of all its files; the most there can be, where it names more than that.
    pub fn bytes(&self) -> u64 {
        let each = self.files.values().map(|file| file.bytes);
        each.fold(0, u64::saturating_add)
    }
}

/// Opens a file of a backup. A link may lead anywhere, and a pipe or a device never ends.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(invalid("it is not a regular file"));
    }
    File::open(path)
}

/// Whether a path is one of those that a backup has, below it and nowhere else.
fn is_ours(path: &str) -> bool {
    let chain = |rest: &str, suffix| rest.strip_suffix(suffix).is_some_and(is_chain_name);
    match path.rsplit_once('/') {
        None => path == VAULT,
        Some(("journal", name)) => name == "heads.redb",
        Some(("journal/tenants", name)) => chain(name, ".jsonl"),
        Some(("journal/evidence", name)) => chain(name, ".ev"),
        Some(("journal/held" | "proof", name)) => is_file_name(name),
        Some(_elsewhere) => false,
    }
}

/// Whether it names a file in its folder, in the letters of a chain's name.
fn is_file_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_-+.".contains(&byte);
    !name.is_empty() && !name.starts_with('.') && name.len() <= 255 && name.bytes().all(letter)
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths are whatever the file says until they are checked, and two of them could be too much to add.
    #[test]
    fn lengths_that_nothing_can_have_are_still_added() {
        let file = |bytes| FileCopy {
            bytes,
            sha256: String::new(),
        };
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            version: VERSION,
            program: String::new(),
            taken_at_ms: 0,
            chains: BTreeMap::new(),
            left_out: BTreeMap::new(),
            held: BTreeMap::new(),
            files: [(HEADS, u64::MAX), (VAULT, 7)]
                .map(|(name, bytes)| (name.to_owned(), file(bytes)))
                .into(),
        };
        assert_eq!(manifest.bytes(), u64::MAX);
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_none_of_a_backup() {
        for good in [
            "vault.redb",
            "journal/heads.redb",
            "journal/tenants/acme.jsonl",
            "journal/evidence/_host.ev",
            "journal/held/seg-7.frames",
            "journal/held/acme+held-3-9.jsonl",
            "proof/hashes",
        ] {
            assert!(is_ours(good), "{good}");
        }
        for bad in [
            "",
            "/etc/passwd",
            "../vault.redb",
            "journal/../vault.redb",
            "journal//heads.redb",
            "journal/tenants/",
            "journal/tenants/..",
            "journal/tenants/a/b",
            "journal/seg-1",
            "journal/held/../heads.redb",
            "journal/held/a/b",
            "journal/tenants/acme.ev",
            "journal/tenants/..jsonl",
            "admin.token",
            "./vault.redb",
            ".",
        ] {
            assert!(!is_ours(bad), "{bad}");
        }
    }
}
