//! What lasts and cannot be derived, for whoever copies it.

use std::{
    collections::BTreeMap,
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};
use vyrox_actors::{
    journal::{
        LocalJournal,
        backup::{About, BackupError, Beside, ChainCopy, Manifest, Progress, Sources, back_up},
        vault::Vault,
    },
    notary::Office,
};
use vyrox_domain::time::Timestamp;

use super::audit_log::FOLDER;

/// The journal and the vault of a data directory, open.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) journal: Arc<LocalJournal>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) proof: Proof,
}

/// What is signed of the chains.
#[derive(Clone)]
pub(crate) enum Proof {
    /// A notary has it open.
    Open(Arc<Office>),
    /// It lies in this directory, and nobody has it open.
    Folder(PathBuf),
}

impl Proof {
    fn copy(&self, into: &Path) -> io::Result<()> {
        match self {
            Self::Open(office) => office.back_up(into),
            Self::Folder(folder) if folder.exists() => {
                vyrox_actors::journal::proof::copy_files(folder, into)
            }
            Self::Folder(_) => Ok(()),
        }
    }
}

impl Stores {
    /// Copies everything to the new directory `into`, beside whatever else is done with it. Blocks.
    pub(crate) fn back_up(
        &self,
        into: &Path,
        now: Timestamp,
        report: &dyn Fn(Progress) -> ControlFlow<()>,
    ) -> Result<Manifest, BackupError> {
        let beside = [Beside {
            folder: FOLDER,
            copy: &|into| self.proof.copy(into),
        }];
        let sources = Sources {
            journal: &self.journal,
            vault: &self.vault,
            beside: &beside,
        };
        let about = About {
            program: concat!("vyrox ", env!("CARGO_PKG_VERSION")),
            now_ms: now.ms(),
        };
        back_up(&sources, into, about, report)
    }
}

/// What is in a backup, in short, as programs read it. The manifest has each chain's end.
pub(crate) fn summary(name: &str, manifest: &Manifest) -> Value {
    let bad = |(chain, copy): (&String, &ChainCopy)| Some((chain.clone(), copy.first_bad_seq?));
    let damaged: BTreeMap<String, u64> = manifest.chains.iter().filter_map(bad).collect();
    let stores = manifest
        .chains
        .iter()
        .filter(|(_, copy)| !copy.evidence_whole);
    let stores: Vec<&String> = stores.map(|(chain, _)| chain).collect();
    let entries = manifest
        .chains
        .values()
        .map(|copy| copy.seq.saturating_add(1));
    json!({
        "name": name,
        "program": manifest.program,
        "taken_at_ms": manifest.taken_at_ms,
        "bytes": manifest.bytes(),
        "chains": manifest.chains.len(),
        "entries": entries.fold(0, u64::saturating_add),
        "left_out": manifest.left_out,
        "held": manifest.held,
        "damaged": damaged,
        "evidence_damaged": stores,
    })
}

/// The name of a backup that begins now, by which backups sort in the order they were taken.
pub(crate) fn backup_name(now: Timestamp) -> String {
    let ms = i64::try_from(now.ms()).unwrap_or(i64::MAX);
    let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
    format!("vyrox-{}", moment.strftime("%Y%m%dT%H%M%S%3fZ"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time_and_need_no_escaping() {
        let name = backup_name(Timestamp::from_ms(1_700_000_000_007));
        assert_eq!(name, "vyrox-20231114T221320007Z");
        assert!(name < backup_name(Timestamp::from_ms(1_700_000_000_008)));
    }
}
