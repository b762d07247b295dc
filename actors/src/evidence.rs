//! Evidence read back: unsealed, and held against the digest that stands on the chain. Blocks, so it is
//! for threads that may.

use vyrox_domain::{
    digest::Digest,
    entry::Recorded,
    protocol::{Event, Evidence, EvidenceKind},
};
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
    let pieces = pieces(world, keys, seq)?;
    let named = pieces.iter().find(|piece| piece.kind == kind);
    let named = named.ok_or_else(|| format!("entry {seq} names no such evidence"))?;
    let sha256 = named.sha256;
    let (at, index) = match named.at_seq {
        None => (seq, own(&pieces, kind, &sha256)),
        Some(at) => (at, own(&self::pieces(world, keys, at)?, kind, &sha256)),
    };
    let index = index.ok_or("the entry that should have the evidence does not name it")?;
    let attachments = world
        .journal
        .evidence(keys.tenant.as_str(), at)
        .map_err(|error| error.to_string())?;
    let sealed = attachments.get(index).ok_or("the evidence is missing")?;
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

/// What an entry about an alert that came in names as its evidence.
fn pieces(world: &World, keys: &TenantKeys, seq: u64) -> Result<Vec<Evidence>, String> {
    let mut lines = world
        .journal
        .read(keys.tenant.as_str(), seq, Some(seq))
        .map_err(|error| error.to_string())?;
    let line = lines
        .next()
        .ok_or("the entry is missing")?
        .map_err(|error| error.to_string())?;
    let recorded = Recorded::parse(&line.bytes).map_err(|error| error.to_string())?;
    match Event::from_recorded(&recorded).map_err(|error| error.to_string())? {
        Event::AlertReceived { received, .. } => Ok(received.evidence),
        event => {
            let enriched = event.enriched().map(|it| vec![it.evidence.clone()]);
            enriched.ok_or_else(|| format!("entry {seq} names no evidence of an alert"))
        }
    }
}
