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
use super::host_log::{HostLeaf, HostLog};
use super::merkle::{Frontier, Hash, empty_root, leaf_hash};
use super::note::{KeyName, NoteError, Signer, VerifierKey, VerifyEd25519};
use super::store::{Accusation, ChainRecord, Contents, Kept, KeyInForce, Store};
use crate::vault::StoreError;

mod accusing;
mod believing;
mod error;
mod proving;
mod signers;
mod succession;
mod witnessing;

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
    /// Chains that have lines which are not published.
    changed: BTreeSet<Arc<str>>,
    /// The newest checkpoint, and older ones that a witness's word is of; by size.
    checkpoints: BTreeMap<u64, SignedCheckpoint>,
    cosignatures: Vec<Kept>,
    keys: Vec<KeyInForce>,
    accusations: Vec<Accusation>,
    failed: bool,
}

struct Chain {
    opaque_id: OpaqueId,
    /// The tree over all lines that were shown.
    frontier: Frontier,
    /// The leaf hash of the last of them.
    last_line: Hash,
    signed: Option<ChainRecord>,
}

impl Notary {
    /// Opens the store in `folder`; makes it, with a random deployment id, if there is none.
    ///
    /// `keys` are the private keys that the caller has. Those in force are found among them by their
    /// public halves; a new store takes the first. Without the key in force nothing is opened; without
    /// the one before it, that one no longer signs. What is kept is believed as far as `check` finds it
    /// signed by the key in force.
    pub fn open(
        folder: &Path,
        keys: &[Arc<dyn Signer>],
        check: VerifyEd25519,
    ) -> Result<Self, NotaryError> {
        let first = keys.first();
        let first = first.ok_or_else(|| NotaryError::Key("the first one".to_owned()))?;
        let deployment = random_id();
        let fresh = first.verifier_key(&KeyName::from(deployment));
        let store = Store::open(folder, (deployment, &fresh))?;
        let mut contents = store.contents()?;
        let signers = Signers::of(&contents, keys)?;
        believing::keep_signed(&mut contents, &signers, check)?;
        let newest = contents.checkpoints.values().next_back();
        let (size, root) = newest.map_or_else(
            || (0, empty_root()),
            |point| (point.checkpoint().size, point.checkpoint().root),
        );
        let mut log = HostLog::open(folder, contents.deployment, size, &root)?;
        believing::hold_against(&mut log, &contents)?;
        Ok(Self::assemble(store, log, contents, signers))
    }

    fn assemble(store: Store, log: HostLog, contents: Contents, signers: Signers) -> Self {
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
            checkpoints: contents.checkpoints,
            cosignatures: contents.cosignatures,
            keys: contents.keys,
            accusations: contents.accusations,
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

    /// The seq of the line that is wanted next of a chain.
    pub fn behind(&self, chain: &str) -> u64 {
        self.chains
            .get(chain)
            .map_or(0, |chain| chain.frontier.size())
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

    /// Takes the next line of a chain, without its newline. The line must be durable.
    ///
    /// Lines that it knows are passed over; one that comes too early is refused as a gap, and the
    /// caller reads the chain from the seq that is wanted.
    pub fn observe(
        &mut self,
        chain: &Arc<str>,
        opaque_id: OpaqueId,
        seq: u64,
        line: &[u8],
    ) -> Result<(), NotaryError> {
        let wanted = self.behind(chain);
        if seq > wanted {
            return Err(NotaryError::Gap {
                chain: chain.to_string(),
                wanted,
            });
        }
        if !self.owns(chain, opaque_id) {
            return Err(NotaryError::OpaqueId(chain.to_string()));
        }
        if seq == wanted {
            let fresh = || Chain::new(opaque_id);
            let known = self.chains.entry(Arc::clone(chain)).or_insert_with(fresh);
            known.last_line = leaf_hash(line);
            known.frontier.append(known.last_line);
            self.changed.insert(Arc::clone(chain));
        }
        Ok(())
    }

    /// Whether an opaque id is a chain's own: under one id there is one chain, or the host log would
    /// contradict itself.
    fn owns(&self, chain: &str, opaque_id: OpaqueId) -> bool {
        match self.chains.get(chain) {
            Some(known) => known.opaque_id == opaque_id,
            None => self
                .chains
                .values()
                .all(|known| known.opaque_id != opaque_id),
        }
    }

    /// Lets go of a chain that is gone, or that is to be published anew from its entry 0. What was
    /// published of it stays in the host log.
    pub fn forget(&mut self, chain: &str) -> Result<(), NotaryError> {
        self.usable()?;
        self.chains.remove(chain);
        self.changed.remove(chain);
        Ok(self.store.commit(|change| change.remove_chain(chain))?)
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
        let point = self.sign(self.head())?;
        let overlap = self.signers.overlap();
        self.store.commit(|change| {
            for (chain, record) in &records {
                change.put_chain(chain, record)?;
            }
            change.set_overlap(overlap)?;
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
        let newest = self.checkpoints.values().next_back()?;
        Some(self.with_cosignatures(newest))
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

    /// The host log as it stands.
    fn head(&self) -> Checkpoint {
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

    /// Keeps what the store keeps: the newest, and those that a witness's word is of.
    fn keep_checkpoint(&mut self, point: SignedCheckpoint) {
        self.checkpoints.insert(point.checkpoint().size, point);
        let newest = self.checkpoints.keys().next_back().copied();
        let cosigned: Vec<_> = self.cosignatures.iter().map(|kept| kept.size).collect();
        self.checkpoints
            .retain(|size, _| newest == Some(*size) || cosigned.contains(size));
    }

    fn usable(&self) -> Result<(), NotaryError> {
        if self.failed {
            Err(NotaryError::Failed)
        } else {
            Ok(())
        }
    }
}

impl Chain {
    fn new(opaque_id: OpaqueId) -> Self {
        Self {
            opaque_id,
            frontier: Frontier::new(),
            last_line: empty_root(),
            signed: None,
        }
    }

    fn of(record: ChainRecord) -> Self {
        Self {
            opaque_id: record.opaque_id,
            frontier: record.frontier.clone(),
            last_line: record.last_line,
            signed: Some(record),
        }
    }

    fn record(&self, leaf: u64) -> ChainRecord {
        ChainRecord {
            opaque_id: self.opaque_id,
            frontier: self.frontier.clone(),
            last_line: self.last_line,
            leaf: Some(leaf),
        }
    }
}

impl ChainRecord {
    /// The same in a log that has no leaf of it yet.
    fn unpublished(&self) -> Self {
        Self {
            leaf: None,
            ..self.clone()
        }
    }

    /// What the host log says of the chain.
    fn leaf(&self) -> HostLeaf {
        HostLeaf {
            opaque_id: self.opaque_id,
            size: self.frontier.size(),
            root: self.frontier.root(),
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
