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
    note::{KeyName, MAX_NOTE_BYTES, VerifierKey},
};
use vyrox_domain::log_key::is_signed;

use super::{Beside, cannot_read};
use crate::cli::failure::Failure;

/// A checkpoint that a trusted key has signed.
pub(super) struct Signed {
    /// A tenant's.
    pub(super) checkpoint: Checkpoint,
    /// The trusted witnesses that have seen the host's log of it, each with the unix second.
    witnesses: Vec<(KeyName, u64)>,
}

impl Signed {
    pub(super) fn to_json(&self) -> Value {
        let Checkpoint { origin, size, .. } = self.checkpoint;
        let seen =
            |(name, second): &(KeyName, u64)| json!({ "name": name.as_str(), "seen_at": second });
        let witnesses: Vec<_> = self.witnesses.iter().map(seen).collect();
        json!({ "origin": origin.to_string(), "size": size, "witnesses": witnesses })
    }
}

/// The checkpoint to hold against the file, if one was given: a tenant's, signed by one of the keys.
pub(super) fn read(beside: &Beside) -> Result<Option<Signed>, Failure> {
    if beside.checkpoint.is_none() && beside.bundle.is_none() && !beside.vkeys.is_empty() {
        return Err(Failure::usage("--vkey needs a --checkpoint or a --bundle"));
    }
    // Two options that exclude each other waive what a third requires, so clap alone does not see this.
    if beside.bundle.is_none() && !beside.witness_vkeys.is_empty() {
        return Err(
            Failure::usage("--witness-vkey needs a --bundle: in it are witnesses' words")
                .hint("a tenant's checkpoint alone is seen by no witness; see `vyrox audit prove`"),
        );
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
    Ok(Some(Signed {
        checkpoint,
        witnesses: Vec::new(),
    }))
}

/// The tenant's checkpoint of a bundle in which everything holds.
fn proven(path: &Path, trust: &Trust) -> Result<Signed, Failure> {
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
    Ok(Signed {
        checkpoint: *bundle.tenant.checkpoint(),
        witnesses: proven.witnesses,
    })
}

fn keys(flag: &str, texts: &[String]) -> Result<Vec<VerifierKey>, Failure> {
    let keys = texts.iter().map(|text| VerifierKey::parse(text));
    keys.collect::<Result<_, _>>().map_err(|error| {
        Failure::usage(format!("{flag}: {error}")).hint("a key is written name+id+key")
    })
}

/// A file, or as much of it as shows that it is too long.
fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = MAX_BUNDLE_BYTES.max(MAX_NOTE_BYTES) as u64 + 1;
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
