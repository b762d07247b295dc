//! A chain that was held goes on: its first new entry says so, and what was kept on other chains
//! meanwhile is taken over, in order, each entry with its own id, time and evidence. A crash in between
//! leaves the rest to the next load. Everything here blocks on the disk.
//!
//! What a chain that stood in does not give any more is no reason to take in nothing: an alert comes
//! without its evidence and says so, and an entry says how many could not be read at all.

mod batch;
mod reading;

use vyrox_domain::{
    digest::Digest,
    host_protocol::RepairOrdered,
    ids::TenantId,
    protocol::{
        Command, Evidence, EvidenceLost, HeldReceipt, JournalRepaired, SeqRun, StoodIn, TakeOver,
        TakeoverIncomplete,
    },
    tenant::{Mending, StandIn},
};
use vyrox_journal::{Journal, JournalError};

use self::{
    batch::Batch,
    reading::{Kept, attachments, is_loss, kept_on, unanswered},
};
use crate::{
    erasing::is_begun,
    held::owner,
    loading::{LoadError, Loaded},
    ports::World,
};

/// Makes the chain complete, if there is an order to repair it that it has not got, or one that was not
/// carried out to its end.
///
/// # Errors
/// [`LoadError`] where the journal does not take it; what was taken over by then is durable.
pub(crate) fn mend(
    world: &World,
    tenant: &TenantId,
    order: Option<&RepairOrdered>,
    loaded: &mut Loaded,
) -> Result<(), LoadError> {
    let known = loaded.state.mending.repair_id;
    if let Some(order) = order.filter(|order| known != Some(order.repair_id)) {
        note(world, tenant, order, loaded)?;
    }
    while let Some(stand_in) = loaded.state.mending.stand_ins.first().cloned() {
        take_over(world, tenant, &stand_in, loaded)?;
    }
    let mending = &loaded.state.mending;
    for chain in mending.stood_in.iter().filter(|_| order.is_some()) {
        if let Err(error) = let_go(world, chain, mending) {
            tracing::error!(chain, %error, "evidence that was taken over is still on the chain that stood in");
        }
    }
    Ok(())
}

/// Erases what a chain that stood in has of evidence, as far as it is on the tenant's chain by now: whoever
/// asks for it to be erased there means every copy. What fails here is tried again by the next load.
fn let_go(world: &World, chain: &str, mending: &Mending) -> Result<(), LoadError> {
    let Some(head) = world.journal.head(chain) else {
        return Ok(());
    };
    let left = mending.damaged.get(chain).map_or(&[][..], Vec::as_slice);
    let runs = if left.is_empty() && !mending.incomplete.contains(chain) {
        vec![SeqRun {
            first_seq: 0,
            last_seq: head.seq,
        }]
    } else {
        // What could not be read is nowhere else, and may be read by somebody yet.
        let is_left = |seq| {
            let mut runs = left.iter();
            runs.any(|run| (run.first_seq..=run.last_seq).contains(&seq))
        };
        let mut taken = Vec::new();
        for kept in kept_on(world, chain, 0) {
            let (seq, kept) = kept?;
            if matches!(kept, Kept::Entry(..)) && !is_left(seq) {
                taken.push(seq);
            }
        }
        SeqRun::of(taken)
    };
    if is_begun(&*world.journal, chain, &runs) {
        return Ok(());
    }
    let runs: Vec<_> = runs.iter().map(|it| (it.first_seq, it.last_seq)).collect();
    let erased = world.journal.erase(chain, &runs);
    erased.map(drop).map_err(|error| error.to_string().into())
}

/// Whether a chain that stood in may have evidence that is on the tenant's chain by now, so that the chain has
/// to be loaded for [`mend`] to try again. Where part of it could not be read, only a look at all of it tells.
pub(crate) fn may_hold(journal: &dyn Journal, mending: &Mending) -> bool {
    mending.stood_in.iter().any(|chain| {
        let Some(head) = journal.head(chain) else {
            return false;
        };
        let all = SeqRun {
            first_seq: 0,
            last_seq: head.seq,
        };
        let in_part = mending.incomplete.contains(chain) || mending.damaged.contains_key(chain);
        in_part || !is_begun(journal, chain, &[all])
    })
}

fn note(
    world: &World,
    tenant: &TenantId,
    order: &RepairOrdered,
    loaded: &mut Loaded,
) -> Result<(), LoadError> {
    let mut stood_in = Vec::new();
    for chain in &chains(world, tenant, order, loaded)? {
        // Whatever its writer has queued is durable then, and nothing can follow.
        if let Err(error) = world.journal.open(chain)
            && !matches!(error, JournalError::Held(_))
        {
            return Err(error.to_string().into());
        }
        restore(world, chain)?;
        let head = world.journal.head(chain);
        let waiting = waiting(world, chain)?;
        if head.is_none() && waiting == 0 {
            continue;
        }
        // One that is known to have had entries, and has none any more, is taken over as one of which none
        // can be read: so this chain says how many are missing.
        stood_in.push(StoodIn {
            chain: chain.clone(),
            seq: head.map(|head| head.seq),
            hash: head.map(|head| Digest(head.hash)),
            waiting,
        });
    }
    let repaired = JournalRepaired {
        repair_id: order.repair_id,
        from_seq: order.from_seq,
        restored: loaded.state.next_seq.saturating_sub(order.from_seq),
        loss_accepted: order.loss_accepted,
        held: stood_in,
        by: order.by.clone(),
    };
    tracing::warn!(%tenant, ?repaired, "a held chain goes on");
    let mut batch = Batch::default();
    let command = Command::NoteRepair(Box::new(repaired));
    batch.add(loaded, command, (world.now(), Vec::new()))?;
    batch.append(world, tenant, loaded)
}

/// A chain that stood in may be held itself, and the log have what its file lacks: it gets that first, for
/// what follows here is read up to its proven end.
fn restore(world: &World, chain: &str) -> Result<(), LoadError> {
    if !world.is_held(chain) {
        return Ok(());
    }
    match world.journal.restore(chain, Vec::new()) {
        Ok(_) | Err(JournalError::NotHeld(_)) => Ok(()),
        Err(error) if is_loss(&error) => {
            tracing::error!(chain, %error, "a chain that stood in gets nothing back from the log");
            Ok(())
        }
        Err(error) => Err(unanswered(world, &error)),
    }
}

/// The first and the last entry that a held chain is known to have had behind its proven end.
fn behind(world: &World, chain: &str) -> Option<SeqRun> {
    let last_seq = world.journal.hold(chain)?.known_to?;
    let head = world.journal.head(chain);
    let first_seq = head.map_or(0, |head| head.seq.saturating_add(1));
    (first_seq <= last_seq).then_some(SeqRun {
        first_seq,
        last_seq,
    })
}

/// The chains that stood in: those that the order names, after any that the tenant's chain does not know of.
/// It once may have, and lost again the repair that took them over.
fn chains(
    world: &World,
    tenant: &TenantId,
    order: &RepairOrdered,
    loaded: &Loaded,
) -> Result<Vec<String>, LoadError> {
    let known = &loaded.state.mending.stood_in;
    let all = world.journal.chains().into_iter();
    let forgotten = all.filter(|chain| {
        let stands_in = owner(chain) == tenant.as_str() && chain != tenant.as_str();
        stands_in && !known.contains(chain) && !order.stood_in.contains(chain)
    });
    let mut chains = Vec::new();
    for chain in forgotten {
        let first = kept_on(world, &chain, 0).next().transpose()?;
        let began = first.and_then(|(_, kept)| kept.at());
        chains.push((began, chain));
    }
    chains.sort();
    let forgotten = chains.into_iter().map(|(_, chain)| chain);
    Ok(forgotten.chain(order.stood_in.iter().cloned()).collect())
}

impl World {
    /// How many entries of a chain that stands in are to be taken over; any that cannot be read, or is known to be lost
    /// behind its end, may be one.
    /// Reads the chain.
    ///
    /// # Errors
    /// A text that says why the journal does not give them now.
    pub fn waiting(&self, chain: &str) -> Result<u64, String> {
        waiting(self, chain).map_err(|error| error.to_string())
    }
}

fn waiting(world: &World, chain: &str) -> Result<u64, LoadError> {
    let mut waiting = 0;
    for kept in kept_on(world, chain, 0) {
        let (_, kept) = kept?;
        waiting += u64::from(!matches!(kept, Kept::Nothing(_)));
    }
    let behind = behind(world, chain).map_or(0, |behind| {
        let more = behind.last_seq.saturating_sub(behind.first_seq);
        more.saturating_add(1)
    });
    Ok(waiting.saturating_add(behind))
}

/// Takes over what is left of one chain that stood in.
fn take_over(
    world: &World,
    tenant: &TenantId,
    stand_in: &StandIn,
    loaded: &mut Loaded,
) -> Result<(), LoadError> {
    let chain = &stand_in.chain;
    let mut batch = Batch::default();
    let mut unread = None;
    for kept in kept_on(world, chain, stand_in.next) {
        let (taken, at) = match kept? {
            (_, Kept::Entry(taken, at)) => (taken, at),
            (_, Kept::Nothing(_)) => continue,
            (seq, Kept::Unreadable) => {
                unread.get_or_insert(seq);
                continue;
            }
        };
        let first = loaded.state.mending.stand_ins.first();
        let Some(first) = first.filter(|first| first.chain == *chain) else {
            break;
        };
        let (taken, attachments) = with_evidence(world, taken, first)?;
        batch.add(loaded, Command::TakeOver(taken), (at, attachments))?;
        if batch.is_full() {
            std::mem::take(&mut batch).append(world, tenant, loaded)?;
        }
    }
    batch.append(world, tenant, loaded)?;
    let first = loaded.state.mending.stand_ins.first();
    match first.filter(|first| first.chain == *chain) {
        Some(left) => {
            let incomplete = TakeoverIncomplete {
                chain: chain.clone(),
                missing: left.left,
                from_seq: unread.or_else(|| behind(world, chain).map(|run| run.first_seq)),
            };
            leave(world, tenant, incomplete, loaded)
        }
        None => Ok(()),
    }
}

/// Those behind it have their turn, and the chain says what is missing.
fn leave(
    world: &World,
    tenant: &TenantId,
    incomplete: TakeoverIncomplete,
    loaded: &mut Loaded,
) -> Result<(), LoadError> {
    tracing::error!(%tenant, ?incomplete, "alerts that were kept cannot be read: they are not taken over");
    let mut batch = Batch::default();
    let command = Command::LeaveStandIn(incomplete);
    batch.add(loaded, command, (world.now(), Vec::new()))?;
    batch.append(world, tenant, loaded)
}

/// An entry with what was kept beside it, and with the places of its evidence on this chain. Where something
/// of that is lost, its receipt says so: what the entry tells of the evidence stays true all the same.
fn with_evidence(
    world: &World,
    mut taken: TakeOver,
    stand_in: &StandIn,
) -> Result<(TakeOver, Vec<Vec<u8>>), LoadError> {
    let (evidence, receipt) = parts(&mut taken);
    let own = evidence.iter().filter(|piece| piece.at_seq.is_none());
    let (attachments, lost) = match &receipt {
        Some(receipt) => attachments(world, (&receipt.chain, receipt.seq), own.count())?,
        None => (Vec::new(), None),
    };
    let elsewhere = relocate(evidence, stand_in);
    if let Some(receipt) = receipt {
        receipt.evidence_lost = lost.or(elsewhere);
    }
    Ok((taken, attachments))
}

fn parts(taken: &mut TakeOver) -> (&mut Vec<Evidence>, Option<&mut HeldReceipt>) {
    match taken {
        TakeOver::Alert { received, .. } => {
            (&mut received.evidence, received.held_receipt.as_mut())
        }
        TakeOver::Rejected(rejected) => (&mut rejected.evidence, rejected.held_receipt.as_mut()),
    }
}

/// Names the places on this chain of what lies with other entries. A piece whose entry was not taken over
/// goes to the end of the list, for the others are found by their place in it.
fn relocate(evidence: &mut Vec<Evidence>, stand_in: &StandIn) -> Option<EvidenceLost> {
    let mut lost = None;
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for mut piece in evidence.drain(..) {
        let Some(there) = piece.at_seq else {
            found.push(piece);
            continue;
        };
        piece.at_seq = stand_in.place_of(there);
        if piece.at_seq.is_some() {
            lost = lost.or(stand_in.body_lost);
            found.push(piece);
        } else {
            lost = Some(EvidenceLost::Damaged);
            missing.push(piece);
        }
    }
    found.extend(missing);
    *evidence = found;
    lost
}

#[cfg(test)]
pub(crate) mod tests;
