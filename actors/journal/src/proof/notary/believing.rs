//! What of the store is to be believed when it is opened: what the key in force has signed.
//!
//! Whoever can write the files and has no key of the log could make them agree with a journal that was
//! cut, and the next signature would make the forgery good.

use super::super::checkpoint::{Checkpoint, Origin, SignedCheckpoint, Trust};
use super::super::host_log::HostLog;
use super::super::merkle::{ProofPlan, verify_inclusion};
use super::super::note::{KeyName, VerifierKey, VerifyEd25519};
use super::super::seal::{ChainRows, State};
use super::super::store::{ChainRecord, Contents, Kept};
use super::NotaryError;
use super::signers::Signers;
use crate::vault::StoreError;

/// Lets what was read stand only if the key in force has sealed it and signed the newest checkpoint, for
/// this very log; gives that checkpoint. Of the older ones those go that it has not signed, and of witnesses'
/// words those that are not good.
///
/// To be called before the log's files are touched: they are cut to what the checkpoint says.
pub(super) fn keep_signed(
    contents: &mut Contents,
    rows: &ChainRows,
    signers: &Signers,
    check: VerifyEd25519,
) -> Result<Checkpoint, NotaryError> {
    let in_force = &signers.in_force;
    let key = in_force.verifier_key(&KeyName::from(contents.deployment));
    let newest = sealed(contents, rows, &key, check).map_err(unproven)?;
    let trust = Trust {
        log: vec![key],
        witnesses: Vec::new(),
        check,
    };
    let good = |point: &SignedCheckpoint| {
        point.checkpoint().origin == newest.origin && point.verify(&trust).is_ok()
    };
    contents.checkpoints.retain(|_, point| good(point));
    if !contents.checkpoints.contains_key(&newest.size) {
        return Err(unproven("the newest checkpoint"));
    }
    let beyond = |kept: &Kept| kept.size > newest.size;
    if contents.cosignatures.iter().any(beyond) {
        return Err(unproven("a witness's word for more than is signed"));
    }
    let points = &contents.checkpoints;
    contents.cosignatures.retain(|kept| {
        let point = points.get(&kept.size);
        point.is_some_and(|point| is_word(kept, point, check))
    });
    Ok(newest)
}

/// Whether a row is what its witness has signed of a checkpoint, at the time that it names.
fn is_word(kept: &Kept, point: &SignedCheckpoint, check: VerifyEd25519) -> bool {
    let (key, line) = (&kept.key, &kept.line);
    let word = key.verify(point.note().text(), line.bytes(), check);
    key.has_made(line) && word.is_some_and(|word| word.time == Some(kept.time))
}

/// Holds everything against its seal; gives the newest checkpoint, or says what is not as it was sealed.
fn sealed(
    contents: &Contents,
    rows: &ChainRows,
    key: &VerifierKey,
    check: VerifyEd25519,
) -> Result<Checkpoint, &'static str> {
    let last = contents.keys.last();
    if last.is_none_or(|last| last.key != *key) {
        return Err("which key is in force");
    }
    let newest = contents.checkpoints.values().next_back();
    let newest = newest.ok_or("the newest checkpoint")?;
    let newest = Checkpoint {
        origin: Origin::host(contents.deployment),
        ..*newest.checkpoint()
    };
    let (keys, accusations) = (&contents.keys, &contents.accusations);
    let mut state = State::new(newest, rows, keys, contents.overlap, accusations);
    if contents.before_accusations {
        state = state.without_accusations();
    }
    state.holds(contents.seal.as_deref(), key, check)?;
    Ok(newest)
}

fn unproven(what: impl Into<String>) -> NotaryError {
    NotaryError::Unproven(what.into())
}

/// Every chain has its leaf in the log that is signed, once that has any: what is signed first has them all.
/// Some thirty hashes a chain. Hashes on disk that turned bad are made anew, where the leaves are those of the chains.
///
/// It does not show that the leaf is the chain's last, nor which its last line is: that is what the seal is for.
pub(super) fn hold_against(log: &mut HostLog, contents: &Contents) -> Result<(), NotaryError> {
    let signed = log.head().0 > 0;
    for (name, record) in &contents.chains {
        let Some(leaf) = record.leaf else {
            if signed {
                return Err(unproven(format!("chain {name}")));
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
            return Err(unproven(format!("chain {name}")));
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
