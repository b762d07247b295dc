//! A chain that was held goes on: its first new entry says so, and what was kept on other chains
//! meanwhile is taken over, in order, each entry with its own id, time and evidence. A crash in between
//! leaves the rest to the next load. Everything here blocks on the disk.

use std::sync::mpsc;

use vyrox_domain::{
    digest::Digest,
    entry::Recorded,
    host_protocol::RepairOrdered,
    ids::TenantId,
    protocol::{Command, Event, Evidence, HeldReceipt, JournalRepaired, SeqRun, StoodIn, TakeOver},
    tenant::{StandIn, apply, decide},
    time::Timestamp,
};
use vyrox_journal::{Append, Draft, JournalError, Line};

use crate::{
    draft::draft,
    erasing::is_begun,
    loading::{Loaded, claim},
    ports::World,
};

/// Entries that are taken over with one append.
const TOGETHER: usize = 64;
/// Bytes of evidence after which an append takes no more of them.
const TOGETHER_BYTES: usize = 1 << 20;

/// Makes the chain complete, if there is an order to repair it that it has not got, or one that was not
/// carried out to its end.
///
/// # Errors
/// A text that says what could not be read or written; what was taken over by then is durable.
pub(crate) fn mend(
    world: &World,
    tenant: &TenantId,
    order: Option<&RepairOrdered>,
    loaded: &mut Loaded,
) -> Result<(), String> {
    let known = loaded.state.mending.repair_id;
    if let Some(order) = order.filter(|order| known != Some(order.repair_id)) {
        note(world, tenant, order, loaded)?;
    }
    while let Some(stand_in) = loaded.state.mending.stand_ins.first().cloned() {
        take_over(world, tenant, &stand_in, loaded)?;
    }
    if let Some(order) = order {
        for chain in &order.stood_in {
            let_go(world, chain);
        }
    }
    Ok(())
}

/// Erases what a chain that stood in has of evidence, all of which is on the tenant's chain by now: whoever
/// asks for it to be erased there means every copy. What fails here is tried again by the next load.
fn let_go(world: &World, chain: &str) {
    let Some(head) = world.journal.head(chain) else {
        return;
    };
    let all = SeqRun {
        first_seq: 0,
        last_seq: head.seq,
    };
    if is_begun(&*world.journal, chain, &[all]) {
        return;
    }
    if let Err(error) = world.journal.erase(chain, &[(0, head.seq)]) {
        tracing::error!(chain, %error, "evidence that was taken over is still on the chain that stood in");
    }
}

fn note(
    world: &World,
    tenant: &TenantId,
    order: &RepairOrdered,
    loaded: &mut Loaded,
) -> Result<(), String> {
    let mut stood_in = Vec::new();
    for chain in &order.stood_in {
        // Whatever its writer has queued is durable then, and nothing can follow.
        if let Err(error) = world.journal.open(chain)
            && !matches!(error, JournalError::Held(_))
        {
            return Err(error.to_string());
        }
        let Some(head) = world.journal.head(chain) else {
            continue;
        };
        stood_in.push(StoodIn {
            chain: chain.clone(),
            seq: head.seq,
            hash: Digest(head.hash),
            waiting: world.waiting(chain)?,
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
    let now = world.now();
    batch.add(
        loaded,
        Command::NoteRepair(Box::new(repaired)),
        (now, Vec::new()),
    )?;
    batch.append(world, tenant, loaded)
}

impl World {
    /// How many entries of a chain that stands in are to be taken over. Reads the chain.
    ///
    /// # Errors
    /// A text that says what could not be read.
    pub fn waiting(&self, chain: &str) -> Result<u64, String> {
        let mut waiting = 0;
        for line in lines(self, chain, 0)? {
            waiting += u64::from(kept(chain, &line?)?.is_some());
        }
        Ok(waiting)
    }
}

/// Takes over what is left of one chain that stood in.
fn take_over(
    world: &World,
    tenant: &TenantId,
    stand_in: &StandIn,
    loaded: &mut Loaded,
) -> Result<(), String> {
    let chain = &stand_in.chain;
    let mut batch = Batch::default();
    for line in lines(world, chain, stand_in.next)? {
        let line = line?;
        let Some((taken, at)) = kept(chain, &line)? else {
            continue;
        };
        let attachments = match world.journal.evidence(chain, line.seq) {
            Ok(attachments) => attachments,
            // It was taken over once, and the chain that had it lost its end again. What the entry says of
            // the evidence stays true; nobody can read it any more.
            Err(JournalError::Erased { .. }) => Vec::new(),
            Err(error) => return Err(error.to_string()),
        };
        let first = loaded.state.mending.stand_ins.first();
        let Some(first) = first.filter(|first| first.chain == *chain) else {
            break;
        };
        let taken = relocated(taken, first)?;
        batch.add(loaded, Command::TakeOver(taken), (at, attachments))?;
        if batch.is_full() {
            std::mem::take(&mut batch).append(world, tenant, loaded)?;
        }
    }
    batch.append(world, tenant, loaded)?;
    match loaded.state.mending.stand_ins.first() {
        Some(left) if left.chain == *chain => {
            Err(format!("chain {chain} has fewer entries than it had"))
        }
        Some(_) | None => Ok(()),
    }
}

type Read = Box<dyn Iterator<Item = Result<Line, String>>>;

fn lines(world: &World, chain: &str, from: u64) -> Result<Read, String> {
    let lines = world.journal.read(chain, from, None);
    let lines = lines.map_err(|error| error.to_string())?;
    Ok(Box::new(
        lines.map(|line| line.map_err(|error| error.to_string())),
    ))
}

/// What is to be taken over of a line, and when it was kept; `None` for lines that say nothing about an
/// alert.
fn kept(chain: &str, line: &Line) -> Result<Option<(TakeOver, Timestamp)>, String> {
    let recorded = Recorded::parse(&line.bytes).map_err(|error| error.to_string())?;
    let event = Event::from_recorded(&recorded).map_err(|error| error.to_string())?;
    let receipt = Some(HeldReceipt {
        chain: chain.to_owned(),
        seq: line.seq,
        hash: Digest(line.hash),
    });
    let taken = match event {
        Event::AlertReceived {
            alert_id,
            mut received,
        } => {
            received.held_receipt = receipt;
            TakeOver::Alert {
                alert_id,
                received: Box::new(received),
            }
        }
        Event::IntakeRejected(mut rejected) => {
            rejected.held_receipt = receipt;
            TakeOver::Rejected(rejected)
        }
        _ => return Ok(None),
    };
    Ok(Some((taken, recorded.timestamp_ms)))
}

/// The same with the places of its evidence on this chain.
fn relocated(mut taken: TakeOver, stand_in: &StandIn) -> Result<TakeOver, String> {
    let evidence: &mut [Evidence] = match &mut taken {
        TakeOver::Alert { received, .. } => &mut received.evidence,
        TakeOver::Rejected(rejected) => &mut rejected.evidence,
    };
    for piece in evidence {
        if let Some(there) = piece.at_seq {
            let here = stand_in.place_of(there);
            let here =
                here.ok_or_else(|| format!("the body of entry {there} was not taken over"))?;
            piece.at_seq = Some(here);
        }
    }
    Ok(taken)
}

/// Entries that become durable together.
#[derive(Default)]
struct Batch {
    drafts: Vec<Draft>,
    events: Vec<Event>,
    bytes: usize,
    /// The seq before the first of them.
    expected_last: Option<u64>,
}

impl Batch {
    fn add(
        &mut self,
        loaded: &mut Loaded,
        command: Command,
        (at, attachments): (Timestamp, Vec<Vec<u8>>),
    ) -> Result<(), String> {
        let events = decide(&loaded.state, command, at).map_err(|error| error.to_string())?;
        if self.drafts.is_empty() {
            self.expected_last = loaded.state.next_seq.checked_sub(1);
        }
        self.bytes += attachments.iter().map(Vec::len).sum::<usize>();
        let mut attachments = Some(attachments);
        for event in events {
            apply(&mut loaded.state, &event, at);
            let own = attachments.take().unwrap_or_default();
            self.drafts.push(draft(event.entry(at), own));
            self.events.push(event);
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.drafts.len() >= TOGETHER || self.bytes >= TOGETHER_BYTES
    }

    /// Waits until the entries are durable. After an error the state is not that of the chain.
    fn append(self, world: &World, tenant: &TenantId, loaded: &mut Loaded) -> Result<(), String> {
        if self.drafts.is_empty() {
            return Ok(());
        }
        let (tell, told) = mpsc::channel();
        let append = Append {
            chain: tenant.shared(),
            epoch: loaded.epoch,
            expected_last: self.expected_last,
            drafts: self.drafts,
        };
        // Nobody listens any more only if this thread has fallen.
        let done = Box::new(move |result| drop(tell.send(result)));
        world.journal.append(append, done);
        let answer = told.recv().map_err(|_gone| "the journal gave no answer")?;
        let receipts = answer.map_err(|error| error.to_string())?;
        for (event, receipt) in self.events.iter().zip(receipts) {
            claim(&mut loaded.overlay, event, (receipt.seq, receipt.hash));
        }
        Ok(())
    }
}
