//! An order is carried out wherever the journal has the evidence: on the tenant's chain, and on those that
//! once stood in for it.

use std::collections::BTreeMap;

use vyrox_domain::{
    entry::Recorded,
    ids::TenantId,
    protocol::{Event, HeldReceipt, SeqRun},
};
use vyrox_journal::{Erased, JournalError};

use crate::ports::World;

/// Has the journal erase the evidence of these entries. With `stood_in`, entries of the chain may have been
/// taken over: what lies where they were kept goes as well, whether or not it came along.
///
/// # Errors
/// What is not erased, by name: it is begun, or is to be ordered again.
pub(crate) fn carry_out(
    world: &World,
    tenant: &TenantId,
    entries: &[SeqRun],
    stood_in: bool,
) -> Result<Erased, String> {
    let erased = erase(world, tenant.as_str(), entries);
    let mut left = Vec::new();
    if stood_in {
        for (chain, seqs) in kept_elsewhere(world, tenant, entries)? {
            if let Err(why) = erase(world, &chain, &SeqRun::of(seqs)) {
                left.push(format!("evidence that chain {chain} still has: {why}"));
            }
        }
    }
    let erased = erased?;
    if left.is_empty() {
        return Ok(erased);
    }
    Err(left.join("; "))
}

fn erase(world: &World, chain: &str, entries: &[SeqRun]) -> Result<Erased, String> {
    let runs = entries.iter().map(|run| (run.first_seq, run.last_seq));
    let runs: Vec<_> = runs.collect();
    let erased = world.journal.erase(chain, &runs);
    let erased = erased.map_err(|error| error.to_string())?;
    if erased.unfinished.is_empty() {
        return Ok(erased);
    }
    let files = erased.unfinished.join(", ");
    Err(format!("the log has no room to go on without {files}"))
}

/// By chain that stood in, those of its entries that were taken over as one of these and may still have
/// something.
fn kept_elsewhere(
    world: &World,
    tenant: &TenantId,
    entries: &[SeqRun],
) -> Result<BTreeMap<String, Vec<u64>>, String> {
    let mut kept: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for run in entries {
        let (first, last) = (run.first_seq, Some(run.last_seq));
        let lines = world.journal.read(tenant.as_str(), first, last);
        for line in lines.map_err(|error| error.to_string())? {
            let line = line.map_err(|error| error.to_string())?;
            if let Some(receipt) = receipt(&line.bytes)
                && may_be_there(world, &receipt)
            {
                kept.entry(receipt.chain).or_default().push(receipt.seq);
            }
        }
    }
    Ok(kept)
}

fn receipt(line: &[u8]) -> Option<HeldReceipt> {
    let recorded = Recorded::parse(line).ok()?;
    match Event::from_recorded(&recorded).ok()? {
        Event::AlertReceived { received, .. } => received.held_receipt,
        Event::IntakeRejected(rejected) => rejected.held_receipt,
        _ => None,
    }
}

/// Not where it was erased, never was, or is gone with its chain.
fn may_be_there(world: &World, receipt: &HeldReceipt) -> bool {
    match world.journal.evidence(&receipt.chain, receipt.seq) {
        Ok(attachments) => !attachments.is_empty(),
        Err(JournalError::Erased { .. } | JournalError::NoEntry { .. }) => false,
        Err(_) => true,
    }
}
