//! The notary and its witnesses.

use super::super::checkpoint::SignedCheckpoint;
use super::super::merkle::ProofPlan;
use super::super::note::VerifierKey;
use super::super::store::Kept;
use super::super::witness::{Cosignature, WitnessRequest};
use super::{Notary, NotaryError};
use crate::vault::StoreError;

/// What a witness has last cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// The witness.
    pub key: VerifierKey,
    /// The size of the checkpoint.
    pub size: u64,
    /// When, in unix seconds.
    pub time: u64,
}

impl Notary {
    /// What each witness has last cosigned of this log.
    pub fn witnessed(&self) -> impl Iterator<Item = Witnessed> {
        self.cosignatures.iter().map(|kept| Witnessed {
            key: kept.key.clone(),
            size: kept.size,
            time: kept.time,
        })
    }

    /// The size up to which a witness is known to know the log; 0 for one that never cosigned it.
    pub fn witnessed_size(&self, witness: &VerifierKey) -> u64 {
        let mut witnessed = self.cosignatures.iter();
        let kept = witnessed.find(|kept| kept.key == *witness);
        kept.map_or(0, |kept| kept.size)
    }

    /// What a witness that knows the log up to `old` is asked, about the newest checkpoint, be it the empty
    /// one. None if `old` is more than there is: then the witness is right and the log was rolled back.
    ///
    /// With `old` 0 a witness that knows the log says how much of it.
    pub fn request(&self, old: u64) -> Result<Option<WitnessRequest>, NotaryError> {
        let Some(newest) = self.checkpoints.values().next_back() else {
            return Ok(None);
        };
        let Ok(plan) = ProofPlan::consistency(old, newest.checkpoint().size) else {
            return Ok(None);
        };
        let proof = plan.read(&self.log).map_err(StoreError::from)?;
        Ok(Some(WitnessRequest::new(old, &proof, newest.clone())))
    }

    /// Keeps a witness's word for a checkpoint of this log; `of` is the request that it answered. A
    /// word for less than the witness had seen before is passed over. Either way the witness holds
    /// nothing against the log any more.
    pub fn accept(
        &mut self,
        of: &WitnessRequest,
        cosignature: Cosignature,
    ) -> Result<(), NotaryError> {
        self.usable()?;
        let point = &of.checkpoint;
        let foreign = point.checkpoint().origin != self.head().origin
            || point.checkpoint().size != cosignature.size;
        let known = self.witnessed_size(&cosignature.key);
        if foreign {
            return Ok(());
        }
        if cosignature.size < known {
            return self.withdraw(&[cosignature.key]);
        }
        let kept = Kept {
            key: cosignature.key,
            size: cosignature.size,
            time: cosignature.time,
            line: cosignature.line,
        };
        // Another key may be in force since it was asked, and signs what is kept.
        let point = match self.checkpoints.get(&kept.size) {
            Some(point) => point.clone(),
            None => self.sign(*point.checkpoint())?,
        };
        self.failed = true;
        self.accusations.retain(|known| known.key != kept.key);
        self.commit_sealed(self.head(), |change| {
            change.put_cosignature(&kept)?;
            change.remove_accusation(&kept.key)?;
            change.put_checkpoint(&point)
        })?;
        self.cosignatures.retain(|other| other.key != kept.key);
        self.cosignatures.push(kept);
        self.keep_checkpoint(point);
        self.failed = false;
        Ok(())
    }

    /// A checkpoint with the words of witnesses that are for it.
    pub(super) fn with_cosignatures(&self, point: &SignedCheckpoint) -> SignedCheckpoint {
        let mut point = point.clone();
        let size = point.checkpoint().size;
        for kept in self.cosignatures.iter().filter(|kept| kept.size == size) {
            // It has a signature or two of the log and a few of witnesses: far below the limit.
            let added = point.add(kept.line.clone());
            debug_assert!(added.is_ok());
        }
        point
    }

    /// How many witnesses have cosigned the checkpoint of this size.
    pub(super) fn words_for(&self, size: u64) -> usize {
        self.cosignatures
            .iter()
            .filter(|kept| kept.size == size)
            .count()
    }
}
