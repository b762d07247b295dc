//! Evidence read back: unsealed, and held against the digest that stands on the chain. Blocks, so it is
//! for threads that may.

use serde::Serialize;
use vyrox_domain::{
    digest::Digest,
    entry::Recorded,
    protocol::{Event, Evidence, EvidenceKind, EvidenceLost},
};
use vyrox_journal::JournalError;
use zeroize::Zeroizing;

use crate::{intake::evidence_aad, keyring::TenantKeys, ports::World};

/// The plain bytes of the first piece of this kind that the entry at `seq` names, wherever it lies.
///
/// # Errors
/// A text that says what is missing, or does not match the chain.
pub fn read(
    world: &World,
    keys: &TenantKeys,
    seq: u64,
    kind: EvidenceKind,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let chain = keys.tenant.as_str();
    let (pieces, lost) = pieces(world, chain, seq)?;
    let missing = || match lost {
        Some(EvidenceLost::Erased) => "the evidence was erased",
        Some(EvidenceLost::Damaged) => "the evidence was lost by damage",
        None => "the evidence is missing: its store was damaged",
    };
    let named = pieces.iter().find(|piece| piece.kind == kind);
    let named = named.ok_or_else(|| format!("entry {seq} names no such evidence"))?;
    let sha256 = named.sha256;
    let (at, index) = match named.at_seq {
        None => (seq, own(&pieces, kind, &sha256)),
        Some(at) => (at, own(&self::pieces(world, chain, at)?.0, kind, &sha256)),
    };
    let index = index.ok_or("the entry that should have the evidence does not name it")?;
    let attachments = world
        .journal
        .evidence(chain, at)
        .map_err(|error| error.to_string())?;
    let sealed = attachments.get(index).ok_or_else(missing)?;
    unsealed(keys, &sha256, sealed)
}

/// The plain bytes of a sealed piece of the tenant's, if they are those that the chain names.
pub(crate) fn unsealed(
    keys: &TenantKeys,
    sha256: &Digest,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, String> {
    let plain = keys
        .data_key
        .open(&evidence_aad(&keys.tenant, sha256), sealed)
        .map_err(|error| error.to_string())?;
    if Digest::of(&plain) != *sha256 {
        return Err("the evidence does not match the chain".into());
    }
    Ok(plain)
}

/// The place of a piece among the attachments of its entry, which are those that lie with no other.
fn own(pieces: &[Evidence], kind: EvidenceKind, sha256: &Digest) -> Option<usize> {
    let mut own = pieces.iter().filter(|piece| piece.at_seq.is_none());
    own.position(|piece| piece.kind == kind && piece.sha256 == *sha256)
}

/// What is left of an entry's evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Left {
    /// All of it is there.
    Kept,
    /// Somebody had it erased, or its time was over.
    Erased,
    /// Something of it is gone or does not prove itself, and nobody ordered that.
    Damaged,
}

impl From<EvidenceLost> for Left {
    fn from(lost: EvidenceLost) -> Self {
        match lost {
            EvidenceLost::Damaged => Self::Damaged,
            EvidenceLost::Erased => Self::Erased,
        }
    }
}

/// What is left of the evidence that the entry at `seq` of this chain names, wherever it lies. An entry whose
/// attachments are gone without a trace is none that never had any: what it names says how many there were.
///
/// # Errors
/// A text that says why nobody can tell.
pub fn left(world: &World, chain: &str, seq: u64) -> Result<Left, String> {
    let (named, lost) = pieces(world, chain, seq)?;
    if let Some(lost) = lost {
        return Ok(lost.into());
    }
    let mut places: Vec<_> = named.iter().filter_map(|piece| piece.at_seq).collect();
    places.push(seq);
    for at in places {
        let (named, lost) = pieces(world, chain, at)?;
        let own = named.iter().filter(|piece| piece.at_seq.is_none()).count();
        let left = match world.journal.evidence(chain, at) {
            Ok(attachments) if attachments.len() == own => Left::Kept,
            Ok(_) | Err(JournalError::Damaged { .. }) => lost.map_or(Left::Damaged, Left::from),
            Err(JournalError::Erased { .. }) => Left::Erased,
            Err(error) => return Err(error.to_string()),
        };
        if left != Left::Kept {
            return Ok(left);
        }
    }
    Ok(Left::Kept)
}

/// What an entry about an alert that came in names as its evidence, and why it did not bring that along.
fn pieces(
    world: &World,
    chain: &str,
    seq: u64,
) -> Result<(Vec<Evidence>, Option<EvidenceLost>), String> {
    let mut lines = world
        .journal
        .read(chain, seq, Some(seq))
        .map_err(|error| error.to_string())?;
    let line = lines
        .next()
        .ok_or("the entry is missing")?
        .map_err(|error| error.to_string())?;
    let recorded = Recorded::parse(&line.bytes).map_err(|error| error.to_string())?;
    let event = Event::from_recorded(&recorded).map_err(|error| error.to_string())?;
    let lost = event.held_receipt().and_then(|it| it.evidence_lost);
    match event {
        Event::AlertReceived { received, .. } => Ok((received.evidence, lost)),
        event => {
            let enriched = event.enriched().map(|it| vec![it.evidence.clone()]);
            let named =
                enriched.ok_or_else(|| format!("entry {seq} names no evidence of an alert"))?;
            Ok((named, lost))
        }
    }
}
