//! The notary: watches chains grow, publishes their states in the host log, and signs it.
//!
//! It has no thread and no clock: its owner shows it every durable line, tells it the time when it is
//! to publish, and carries its requests to witnesses. It never signs what a crash could take back:
//! leaves and hashes are synced before the checkpoint over them is committed, and the checkpoint is
//! committed before anybody sees it. After a failed write it takes nothing more; its owner drops it
//! and opens it anew, which cuts the files back to what is signed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use rand::Rng as _;

use super::checkpoint::{Checkpoint, OpaqueId, Origin, SignedCheckpoint};
use super::host_log::HostLog;
use super::note::{KeyName, NoteError, Signer, VerifierKey, VerifyEd25519};
use super::seal::{ChainRows, State};
use super::store::{Accusation, ChainRecord, Change, Contents, Kept, KeyInForce, Store};
use crate::vault::StoreError;

mod accusing;
mod believing;
mod chain;
mod error;
mod proving;
mod signers;
mod succession;
mod watching;
mod witnessing;

use chain::Chain;
pub use error::NotaryError;
use signers::Signers;
pub use succession::Rebased;
pub use witnessing::Witnessed;

/// Watches, publishes and signs.
pub struct Notary {
    store: Store,
    log: HostLog,
    deployment: OpaqueId,
    signers: Signers,
    chains: BTreeMap<Arc<str>, Chain>,
    /// What the store has of them, as far as the seal needs it.
    rows: ChainRows,
    /// Chains that have lines which are not published.
    changed: BTreeSet<Arc<str>>,
    /// The newest checkpoint, and older ones that a witness's word is of; by size.
    checkpoints: BTreeMap<u64, SignedCheckpoint>,
    cosignatures: Vec<Kept>,
    keys: Vec<KeyInForce>,
    accusations: Vec<Accusation>,
    /// The log began with this opening, or by a rebase since.
    begun: bool,
    failed: bool,
}

impl Notary {
    /// Opens the store in `folder`; makes it, with a random deployment id, if there is none.
    ///
    /// `keys` are the private keys that the caller has. Those in force are found among them by their
    /// public halves; a new store takes the first. Without the key in force nothing is opened; without
    /// the one before it, that one no longer signs. What is kept is believed only if `check` finds it
    /// sealed by the key in force.
    pub fn open(
        folder: &Path,
        keys: &[Arc<dyn Signer>],
        check: VerifyEd25519,
    ) -> Result<Self, NotaryError> {
        let first = keys.first();
        let first = first.ok_or_else(|| NotaryError::Key("the first one".to_owned()))?;
        let begun = !Store::is_in(folder);
        if begun {
            Self::create(folder, &**first)?;
        }
        let store = Store::open(folder)?;
        let mut contents = store.contents()?;
        let signers = Signers::of(&contents, keys)?;
        let rows = contents.chains.iter().collect();
        let newest = believing::keep_signed(&mut contents, &rows, &signers, check)?;
        let before_accusations = contents.before_accusations;
        let mut log = HostLog::open(folder, contents.deployment, newest.size, &newest.root)?;
        believing::hold_against(&mut log, &contents)?;
        let mut notary = Self::assemble((store, log), contents, rows, signers);
        notary.begun = begun;
        if before_accusations {
            // What it has of them now is as good as it was, and is not taken away any more.
            notary.commit_sealed(newest, |_change| Ok(()))?;
        }
        Ok(notary)
    }

    /// Makes the store of a new log: one without leaves, signed.
    fn create(folder: &Path, first: &dyn Signer) -> Result<(), NotaryError> {
        let deployment = random_id();
        let point = Checkpoint::empty(Origin::host(deployment));
        let key = KeyInForce {
            key: first.verifier_key(&KeyName::from(deployment)),
            since_ms: 0,
            statement: None,
        };
        let seal = State::new(point, &ChainRows::default(), [&key], None, &[]).seal(first)?;
        let point = SignedCheckpoint::sign(point, [first])?;
        Store::create(folder, |change| {
            change.begin_log(deployment)?;
            change.add_key(&key)?;
            change.put_checkpoint(&point)?;
            change.put_seal(&seal)
        })
    }

    fn assemble(
        (store, log): (Store, HostLog),
        contents: Contents,
        rows: ChainRows,
        signers: Signers,
    ) -> Self {
        let unpublished = contents.chains.iter();
        let unpublished = unpublished.filter(|(_, record)| record.leaf.is_none());
        let changed = unpublished.map(|(chain, _)| Arc::clone(chain)).collect();
        let chains = contents.chains.into_iter();
        Self {
            store,
            log,
            deployment: contents.deployment,
            signers,
            changed,
            chains: chains
                .map(|(name, record)| (name, Chain::of(record)))
                .collect(),
            rows,
            checkpoints: contents.checkpoints,
            cosignatures: contents.cosignatures,
            keys: contents.keys,
            accusations: contents.accusations,
            begun: false,
            failed: false,
        }
    }

    /// Whether `folder` has a store. Where there must be one and is none, somebody took it away, and
    /// opening would begin a new log under a new name.
    pub fn exists(folder: &Path) -> bool {
        Store::is_in(folder)
    }

    /// Copies all that is signed into `folder`, which a notary can be opened in afterwards. Private
    /// keys are not among it. A folder that has such a store is left alone.
    pub fn back_up(&self, folder: &Path) -> Result<(), NotaryError> {
        self.usable()?;
        if Store::is_in(folder) {
            let there = format!("{} has a store already", folder.display());
            return Err(StoreError::Io(there).into());
        }
        self.log.copy_to(folder).map_err(StoreError::from)?;
        Ok(self.store.copy_to(folder)?)
    }

    /// The deployment's id.
    pub fn deployment(&self) -> OpaqueId {
        self.deployment
    }

    /// The key in force, as those who verify know it.
    pub fn key(&self) -> VerifierKey {
        self.signers
            .in_force
            .verifier_key(&KeyName::from(self.deployment))
    }

    /// All keys that ever were in force, oldest first, with the statements that led from one to the
    /// next.
    pub fn keys(&self) -> &[KeyInForce] {
        &self.keys
    }

    /// Until when the key before the one in force signs too, in unix milliseconds.
    pub fn overlap_until_ms(&self) -> Option<u64> {
        Some(self.signers.overlap()?.until_ms)
    }

    /// The chains of which something is published, with the number of entries.
    pub fn published(&self) -> impl Iterator<Item = (&str, u64)> {
        self.chains.iter().filter_map(|(name, chain)| {
            let signed = chain.signed.as_ref()?;
            Some((&**name, signed.frontier.size()))
        })
    }

    /// How many chains have changed since the last checkpoint.
    pub fn changed(&self) -> usize {
        self.changed.len()
    }

    /// Puts a leaf into the host log for each chain that has changed, and signs the log. Nothing is
    /// signed if nothing has changed.
    pub fn publish(&mut self, now_ms: u64) -> Result<Option<SignedCheckpoint>, NotaryError> {
        self.usable()?;
        if self.changed.is_empty() {
            return Ok(None);
        }
        self.failed = true;
        self.signers.end_overlap(now_ms);
        let records = self.append_changed()?;
        for (chain, record) in &records {
            self.rows.put(chain, record);
        }
        let point = self.sign(self.head())?;
        self.commit_sealed(self.head(), |change| {
            for (chain, record) in &records {
                change.put_chain(chain, record)?;
            }
            change.put_checkpoint(&point)
        })?;
        for (name, record) in records {
            if let Some(chain) = self.chains.get_mut(&name) {
                chain.signed = Some(record);
            }
        }
        self.changed.clear();
        self.keep_checkpoint(point.clone());
        self.failed = false;
        Ok(Some(point))
    }

    /// The newest checkpoint of the host log, with the words of witnesses that there are for it; none
    /// before the first [`publish`](Self::publish).
    pub fn checkpoint(&self) -> Option<SignedCheckpoint> {
        let newest = self.checkpoints.values().next_back();
        let newest = newest.filter(|newest| newest.checkpoint().size > 0)?;
        Some(self.with_cosignatures(newest))
    }

    /// Nobody was told of this log: whoever made it ended before that. As long as it has no leaf and no
    /// witness has said anything of it, it counts as one that began with this opening.
    pub fn begin_untold(&mut self) {
        self.begun |= self.cosignatures.is_empty() && self.accusations.is_empty();
    }

    /// Whether the log began with this opening, or by a rebase since, and has no leaf yet: then there is
    /// nothing of it that could have been taken away.
    pub fn is_fresh(&self) -> bool {
        self.begun && self.log.head().0 == 0
    }

    /// Whether the log began with this opening, or by a rebase since: then nobody can have seen another
    /// history under its name.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// A log that was made for this opening.
    pub(super) fn just_begun(self) -> Self {
        Self {
            begun: true,
            ..self
        }
    }

    /// An opening before this one began the log, in the same process, and came to no end or was given up; nothing
    /// was signed in it since.
    pub fn begun_here(&mut self) {
        self.begun = true;
    }

    fn append_changed(&mut self) -> Result<Vec<(Arc<str>, ChainRecord)>, NotaryError> {
        let first = self.log.head().0;
        let changed = self.changed.iter();
        let states = changed.filter_map(|name| Some((name, self.chains.get(name)?)));
        let records: Vec<_> = states
            .zip(first..)
            .map(|((name, chain), leaf)| (Arc::clone(name), chain.record(leaf)))
            .collect();
        let leaves: Vec<_> = records.iter().map(|(_, record)| record.leaf()).collect();
        self.log.append(&leaves).map_err(StoreError::from)?;
        Ok(records)
    }

    /// The host log as it stands: what is signed, from size 0 on.
    pub fn head(&self) -> Checkpoint {
        let (size, root) = self.log.head();
        Checkpoint {
            origin: Origin::host(self.deployment),
            size,
            root,
        }
    }

    fn sign(&self, checkpoint: Checkpoint) -> Result<SignedCheckpoint, NoteError> {
        SignedCheckpoint::sign(checkpoint, self.signers.all())
    }

    /// Makes a change durable together with the seal over what is kept then, with this as the newest
    /// checkpoint, in the newest format. What is in memory has to be as it is after the change.
    fn commit_sealed(
        &self,
        newest: Checkpoint,
        change: impl FnOnce(&Change<'_>) -> Result<(), StoreError>,
    ) -> Result<(), NotaryError> {
        let (keys, overlap) = (&self.keys, self.signers.overlap());
        let state = State::new(newest, &self.rows, keys, overlap, &self.accusations);
        let seal = state.seal(&*self.signers.in_force)?;
        Ok(self.store.commit(|all| {
            change(all)?;
            all.set_format()?;
            all.set_overlap(overlap)?;
            all.put_seal(&seal)
        })?)
    }

    /// Keeps what the store keeps: the newest, and those that a witness's word is of.
    fn keep_checkpoint(&mut self, point: SignedCheckpoint) {
        self.checkpoints.insert(point.checkpoint().size, point);
        let newest = self.checkpoints.keys().next_back().copied();
        let cosigned: Vec<_> = self.cosignatures.iter().map(|kept| kept.size).collect();
        self.checkpoints
            .retain(|size, _| newest == Some(*size) || cosigned.contains(size));
    }

    /// Whether a write failed: it takes nothing more and has to be opened anew.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    fn usable(&self) -> Result<(), NotaryError> {
        if self.failed {
            Err(NotaryError::Failed)
        } else {
            Ok(())
        }
    }
}

fn random_id() -> OpaqueId {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    OpaqueId::new(bytes)
}

#[cfg(test)]
mod tests;
