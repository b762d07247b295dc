//! What of the store is to be believed when it is opened: what the key in force has signed.
//!
//! Whoever can write the files and has no key of the log could make them agree with a journal that was
//! cut, and the next signature would make the forgery good.

use super::super::checkpoint::{Origin, SignedCheckpoint, Trust};
use super::super::host_log::HostLog;
use super::super::merkle::{ProofPlan, verify_inclusion};
use super::super::note::{KeyName, VerifyEd25519};
use super::super::store::{ChainRecord, Contents, Kept};
use super::NotaryError;
use super::signers::Signers;
use crate::vault::StoreError;

/// Lets the newest checkpoint stand only if the key in force has signed it, for this very log. That
/// key always has: a key that comes into force signs what is kept. Of the older ones those go that it
/// has not signed, for a store of before that.
///
/// To be called before the log's files are touched: they are cut to what the checkpoint says.
pub(super) fn keep_signed(
    contents: &mut Contents,
    signers: &Signers,
    check: VerifyEd25519,
) -> Result<(), NotaryError> {
    let origin = Origin::host(contents.deployment);
    let key = signers
        .in_force
        .verifier_key(&KeyName::from(contents.deployment));
    let trust = Trust {
        log: vec![key],
        witnesses: Vec::new(),
        check,
    };
    let good = |point: &SignedCheckpoint| {
        point.checkpoint().origin == origin && point.verify(&trust).is_ok()
    };
    let newest = contents.checkpoints.values().next_back();
    if newest.is_some_and(|newest| !good(newest)) {
        return Err(NotaryError::Unproven("the newest checkpoint".to_owned()));
    }
    contents.checkpoints.retain(|_, point| good(point));
    let size = contents.checkpoints.keys().next_back().copied();
    let beyond = |kept: &Kept| Some(kept.size) > size;
    if contents.cosignatures.iter().any(beyond) {
        let what = "a witness's word for more than is signed".to_owned();
        return Err(NotaryError::Unproven(what));
    }
    Ok(())
}

/// Every chain has its leaf in the log that is signed, once anything is: what is signed first has them all.
/// Some thirty hashes a chain. Hashes on disk that turned bad are made anew, where the leaves are those of the chains.
///
/// It does not show that the leaf is the chain's last, nor which its last line is: no leaf tells.
pub(super) fn hold_against(log: &mut HostLog, contents: &Contents) -> Result<(), NotaryError> {
    let signed = !contents.checkpoints.is_empty();
    for (name, record) in &contents.chains {
        let Some(leaf) = record.leaf else {
            if signed {
                return Err(NotaryError::Unproven(format!("chain {name}")));
            }
            continue;
        };
        if is_in(log, record, leaf)? {
            continue;
        }
        if log.has(leaf, &record.leaf())? {
            let (size, root) = log.head();
            log.rebuild(size, &root)?;
        }
        if !is_in(log, record, leaf)? {
            return Err(NotaryError::Unproven(format!("chain {name}")));
        }
    }
    Ok(())
}

fn is_in(log: &HostLog, record: &ChainRecord, leaf: u64) -> Result<bool, NotaryError> {
    let (size, root) = log.head();
    let Ok(plan) = ProofPlan::inclusion(leaf, size) else {
        return Ok(false);
    };
    let proof = plan.read(log).map_err(StoreError::from)?;
    Ok(verify_inclusion(leaf, size, &record.leaf().hash(), &proof, &root).is_ok())
}
