//! A signed checkpoint, believed only under a key that whoever verifies has from elsewhere.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use serde_json::{Value, json};
use vyrox_actors::journal::proof::{
    Bundle, MAX_BUNDLE_BYTES,
    checkpoint::{Checkpoint, SignedCheckpoint, Trust},
    note::{MAX_NOTE_BYTES, VerifierKey},
};
use vyrox_domain::log_key::is_signed;

use super::{Beside, cannot_read};
use crate::cli::failure::Failure;

/// The checkpoint to hold against the file, if one was given: a tenant's, signed by one of the keys.
pub(super) fn read(beside: &Beside) -> Result<Option<Checkpoint>, Failure> {
    if beside.checkpoint.is_none() && beside.bundle.is_none() && !beside.vkeys.is_empty() {
        return Err(Failure::usage("--vkey needs a --checkpoint or a --bundle"));
    }
    let trust = Trust {
        log: keys("--vkey", &beside.vkeys)?,
        witnesses: keys("--witness-vkey", &beside.witness_vkeys)?,
        check: is_signed,
    };
    if let Some(path) = &beside.bundle {
        return proven(path, &trust).map(Some);
    }
    let Some(path) = &beside.checkpoint else {
        return Ok(None);
    };
    let bytes = contents(path).map_err(|error| cannot_read(path, &error))?;
    let refused = |error| Failure::not_so(format!("checkpoint {}: {error}", path.display()));
    let signed = SignedCheckpoint::parse(&bytes).map_err(refused)?;
    signed.verify(&trust).map_err(refused)?;
    let checkpoint = *signed.checkpoint();
    if checkpoint.origin.tenant.is_none() {
        return Err(Failure::usage(format!(
            "checkpoint {} is of the host's log, and not of a tenant's chain",
            path.display()
        )));
    }
    Ok(Some(checkpoint))
}

/// The tenant's checkpoint of a bundle in which everything holds.
fn proven(path: &Path, trust: &Trust) -> Result<Checkpoint, Failure> {
    let bytes = contents(path).map_err(|error| cannot_read(path, &error))?;
    let refused = |error| Failure::not_so(format!("bundle {}: {error}", path.display()));
    let bundle = Bundle::parse(&bytes).map_err(refused)?;
    let proven = bundle.verify(trust).map_err(refused)?;
    if !trust.witnesses.is_empty() && proven.witnesses.is_empty() {
        return Err(Failure::not_so(format!(
            "bundle {}: none of these witnesses has seen the host's log",
            path.display()
        )));
    }
    Ok(*bundle.tenant.checkpoint())
}

fn keys(flag: &str, texts: &[String]) -> Result<Vec<VerifierKey>, Failure> {
    let keys = texts.iter().map(|text| VerifierKey::parse(text));
    keys.collect::<Result<_, _>>().map_err(|error| {
        Failure::usage(format!("{flag}: {error}")).hint("a key is written name+id+key")
    })
}

pub(super) fn to_json(checkpoint: &Checkpoint) -> Value {
    json!({ "origin": checkpoint.origin.to_string(), "size": checkpoint.size })
}

/// A file, or as much of it as shows that it is too long.
fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = MAX_BUNDLE_BYTES.max(MAX_NOTE_BYTES) as u64 + 1;
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
