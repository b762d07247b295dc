//! The keys that sign for the log: one, and the one before it for a while.

use std::sync::Arc;

use super::super::note::Signer;
use super::super::store::{Contents, Overlap};
use super::NotaryError;

/// The log's private keys that are in force.
pub(super) struct Signers {
    pub(super) in_force: Arc<dyn Signer>,
    /// The key before, and until when it signs too, in unix milliseconds.
    previous: Option<(Arc<dyn Signer>, u64)>,
}

impl Signers {
    /// Finds the keys in force among those that are there.
    pub(super) fn of(contents: &Contents, keys: &[Arc<dyn Signer>]) -> Result<Self, NotaryError> {
        let in_force = find(keys, &contents.public_key).ok_or_else(|| {
            let named = contents.keys.last();
            NotaryError::Key(named.map_or_else(String::new, |key| key.key.to_string()))
        })?;
        let previous = contents.overlap.and_then(|overlap| {
            let previous = find(keys, &overlap.public_key)?;
            Some((previous, overlap.until_ms))
        });
        Ok(Self { in_force, previous })
    }

    /// The key in force, and the one before while that is to go on.
    pub(super) fn all(&self) -> impl Iterator<Item = &dyn Signer> {
        let previous = self.previous.iter().map(|(signer, _)| &**signer);
        previous.chain([&*self.in_force])
    }

    pub(super) fn rotate(&mut self, new: Arc<dyn Signer>, until_ms: u64) {
        let old = std::mem::replace(&mut self.in_force, new);
        self.previous = Some((old, until_ms));
    }

    pub(super) fn end_overlap(&mut self, now_ms: u64) {
        self.previous.take_if(|(_, until_ms)| *until_ms <= now_ms);
    }

    pub(super) fn overlap(&self) -> Option<Overlap> {
        let (signer, until_ms) = self.previous.as_ref()?;
        Some(Overlap {
            public_key: signer.public_key(),
            until_ms: *until_ms,
        })
    }
}

fn find(keys: &[Arc<dyn Signer>], public_key: &[u8; 32]) -> Option<Arc<dyn Signer>> {
    let mut keys = keys.iter();
    keys.find(|key| key.public_key() == *public_key).cloned()
}
