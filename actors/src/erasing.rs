//! Which entries brought the evidence that is to go: by alert, by age, or all of a tenant's. Everything
//! here blocks on the disk.

mod carrying;

use std::collections::BTreeSet;

use vyrox_domain::{
    entry::Recorded,
    ids::{AlertId, TenantId},
    protocol::{Event, Evidence, EvidenceKind, SeqRun, brought},
    time::Timestamp,
};
use vyrox_journal::{Journal, JournalError};

pub(crate) use self::carrying::carry_out;
use crate::{
    ports::World,
    views::{AlertView, HISTORY_MAX},
};

/// The most entries with evidence that one order of retention takes.
const AT_ONCE: u64 = 10_000;

/// Evidence that was found on the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Whose it is; empty where nobody asked by alert.
    pub(crate) alerts: Vec<AlertId>,
    /// The entries that brought it.
    pub(crate) entries: Vec<SeqRun>,
    pub(crate) kinds: Vec<EvidenceKind>,
    pub(crate) bytes: u64,
    /// It is gone already.
    pub(crate) erased: bool,
}

/// The evidence of an alert, and of those that came in the same body: it lies with the first of them, and
/// holds what was said of all. `None` where there is no such alert.
pub(crate) fn of_alert(
    world: &World,
    tenant: &TenantId,
    alert_id: AlertId,
) -> Result<Option<Found>, String> {
    let Some(view) = view(world, tenant, alert_id)? else {
        return Ok(None);
    };
    let first = body_of(world, tenant, view.receipt.seq)?;
    let mut found = Found::default();
    let mut seqs = BTreeSet::new();
    for (alert_id, seq) in came_with(world, tenant, first)? {
        found.alerts.push(alert_id);
        seqs.insert(seq);
        seqs.extend(about(world, tenant, (alert_id, seq))?);
    }
    let mut bearing = Vec::new();
    for seq in seqs {
        if found.take(&entry(world, tenant, seq)?) {
            bearing.push(seq);
        }
    }
    found.entries = SeqRun::of(bearing);
    found.erased = is_begun(&*world.journal, tenant.as_str(), &found.entries);
    Ok(Some(found))
}

/// What came before `older_than` and lies at `from` or behind it, as one run; `None` where there is none.
/// What lies at `stop` or behind is left.
pub(crate) fn of_age(
    world: &World,
    tenant: &TenantId,
    (from, stop): (u64, u64),
    older_than: Timestamp,
) -> Result<Option<Found>, String> {
    let lines = world
        .journal
        .read(tenant.as_str(), from, stop.checked_sub(1));
    let mut found = Found::default();
    let (mut bearing, mut last) = (0_u64, None);
    for line in lines.map_err(|error| error.to_string())? {
        let line = line.map_err(|error| error.to_string())?;
        let recorded = Recorded::parse(&line.bytes).map_err(|error| error.to_string())?;
        if recorded.timestamp_ms >= older_than || bearing >= AT_ONCE {
            break;
        }
        let mut brought = Found::default();
        if brought.take(&recorded) {
            bearing = bearing.saturating_add(1);
            // What went before by an order of its own was counted off then.
            let evidence = world.journal.evidence(tenant.as_str(), line.seq);
            if !matches!(evidence, Err(JournalError::Erased { .. })) {
                found.add(brought);
            }
        }
        last = Some(line.seq);
    }
    found.entries.extend(last.map(|last_seq| SeqRun {
        first_seq: from,
        last_seq,
    }));
    Ok(Some(found).filter(|_| bearing > 0))
}

/// Everything up to the chain's head; `None` where it never had any.
pub(crate) fn of_all(world: &World, tenant: &TenantId) -> Result<Option<Found>, String> {
    let Some(head) = world.journal.head(tenant.as_str()) else {
        return Ok(None);
    };
    let mut found = Found::default();
    let mut any = false;
    let lines = world.journal.read(tenant.as_str(), 0, Some(head.seq));
    for line in lines.map_err(|error| error.to_string())? {
        let line = line.map_err(|error| error.to_string())?;
        // An entry that nobody understands any more may have brought some as well: the run has it.
        if let Ok(recorded) = Recorded::parse(&line.bytes) {
            any |= found.take(&recorded);
        }
    }
    found.entries = vec![SeqRun {
        first_seq: 0,
        last_seq: head.seq,
    }];
    Ok(Some(found).filter(|_| any))
}

/// Whether the journal has taken an order on: then it completes it by itself, whatever happens.
pub(crate) fn is_begun(journal: &dyn Journal, chain: &str, entries: &[SeqRun]) -> bool {
    is_erased(journal, chain, SeqRun::seqs(entries))
}

/// An order is begun for all its entries or for none, so the first one with attachments tells.
fn is_erased(journal: &dyn Journal, chain: &str, seqs: impl Iterator<Item = u64>) -> bool {
    for seq in seqs {
        match journal.evidence(chain, seq) {
            Ok(attachments) if attachments.is_empty() => {}
            Err(JournalError::Erased { .. }) => return true,
            Ok(_) | Err(_) => return false,
        }
    }
    // None of them brought anything, so there is nothing to begin.
    true
}

impl Found {
    /// Counts what another one counted.
    fn add(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        for kind in other.kinds {
            if !self.kinds.contains(&kind) {
                self.kinds.push(kind);
            }
        }
    }

    /// Counts what an entry brought. Whether it brought anything.
    fn take(&mut self, recorded: &Recorded) -> bool {
        let pieces = brought(recorded);
        for Evidence { kind, length, .. } in &pieces {
            self.bytes = self.bytes.saturating_add(*length);
            if !self.kinds.contains(kind) {
                self.kinds.push(*kind);
            }
        }
        !pieces.is_empty()
    }
}

/// The entries about an alert that came in at `seq`: its row has them, up to a number.
fn about(
    world: &World,
    tenant: &TenantId,
    (alert_id, seq): (AlertId, u64),
) -> Result<Vec<u64>, String> {
    let view = view(world, tenant, alert_id)?;
    let history = view.map(|view| view.history).unwrap_or_default();
    if (1..HISTORY_MAX).contains(&history.len()) {
        return Ok(history.iter().map(|step| step.seq).collect());
    }
    let lines = world.journal.read(tenant.as_str(), seq, None);
    let mut seqs = Vec::new();
    for line in lines.map_err(|error| error.to_string())? {
        let line = line.map_err(|error| error.to_string())?;
        let recorded = Recorded::parse(&line.bytes).map_err(|error| error.to_string())?;
        if recorded.alert_id == Some(alert_id) {
            seqs.push(line.seq);
        }
    }
    Ok(seqs)
}

fn view(world: &World, tenant: &TenantId, alert_id: AlertId) -> Result<Option<AlertView>, String> {
    let row = world
        .projections
        .alert(tenant.as_str(), alert_id.0.as_bytes());
    let row = row.map_err(|error| error.to_string())?;
    row.map(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()))
        .transpose()
}

/// The entry of the first alert of the body that the one at `seq` came in.
fn body_of(world: &World, tenant: &TenantId, seq: u64) -> Result<u64, String> {
    let recorded = entry(world, tenant, seq)?;
    let event = Event::from_recorded(&recorded).map_err(|error| error.to_string())?;
    let Event::AlertReceived { received, .. } = event else {
        return Err(format!("entry {seq} is not that of an alert"));
    };
    let elsewhere = received.evidence.iter().find_map(|piece| piece.at_seq);
    Ok(elsewhere.unwrap_or(seq))
}

/// The alerts of one body with their entries, which follow the first one without a gap.
fn came_with(world: &World, tenant: &TenantId, first: u64) -> Result<Vec<(AlertId, u64)>, String> {
    let lines = world.journal.read(tenant.as_str(), first, None);
    let mut alerts = Vec::new();
    for line in lines.map_err(|error| error.to_string())? {
        let line = line.map_err(|error| error.to_string())?;
        let recorded = Recorded::parse(&line.bytes).map_err(|error| error.to_string())?;
        match Event::from_recorded(&recorded) {
            Ok(Event::AlertReceived { alert_id, received }) => {
                let mut pieces = received.evidence.iter();
                if line.seq != first && !pieces.any(|piece| piece.at_seq == Some(first)) {
                    break;
                }
                alerts.push((alert_id, line.seq));
            }
            _ => break,
        }
    }
    Ok(alerts)
}

fn entry(world: &World, tenant: &TenantId, seq: u64) -> Result<Recorded, String> {
    let lines = world.journal.read(tenant.as_str(), seq, Some(seq));
    let mut lines = lines.map_err(|error| error.to_string())?;
    let line = lines.next().ok_or("the entry is missing")?;
    let line = line.map_err(|error| error.to_string())?;
    Recorded::parse(&line.bytes).map_err(|error| error.to_string())
}
