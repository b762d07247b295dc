//! One tenant's chain, read from the first entry that matters.

use std::sync::Arc;

use vyrox_domain::{
    alert::Alert,
    entry::Recorded,
    ids::{AlertId, TenantId},
    protocol::{AlertReceived, AlertTriaged, Event, EvidenceKind},
    time::Timestamp,
};
use vyrox_journal::{Journal, JournalError, Line, Lines};

use super::{
    Span,
    comparison::{Judge, Tally},
    waiting::{Waiting, WaitingRoom},
};
use crate::{evidence::unsealed, keyring::TenantKeys};

/// How far back from the end of a chain its beginning is first looked for, in entries.
const FIRST_LOOK_BACK: u64 = 4_096;

/// A chain under way. Its end is where it was when it was opened.
pub(super) struct Chain {
    keys: Arc<TenantKeys>,
    lines: Lines,
    from: u64,
    next: u64,
    head: u64,
    /// An entry after the span was seen.
    past: bool,
    pub(super) waiting: WaitingRoom,
}

impl Chain {
    /// The tenant's chain from about the first entry at `since` or after; `None` where it has no entry.
    pub(super) fn open(
        journal: &dyn Journal,
        keys: Arc<TenantKeys>,
        since: Timestamp,
    ) -> Result<Option<Self>, JournalError> {
        let name = keys.tenant.as_str();
        let Some(head) = journal.head(name).map(|head| head.seq) else {
            return Ok(None);
        };
        let from = beginning(journal, name, (head, since))?;
        let lines = journal.read(name, from, Some(head))?;
        Ok(Some(Self {
            keys,
            lines,
            from,
            next: from,
            head,
            past: false,
            waiting: WaitingRoom::default(),
        }))
    }

    pub(super) fn tenant(&self) -> &TenantId {
        &self.keys.tenant
    }

    /// Entries that were read, and entries that there are to read.
    pub(super) fn progress(&self) -> (u64, u64) {
        let of = self.head.saturating_add(1).saturating_sub(self.from);
        (self.next.saturating_sub(self.from), of)
    }

    /// Alerts without a verdict that could be compared.
    pub(super) fn undecided(&self) -> u64 {
        self.waiting.undecided()
    }

    /// The next entry; `None` at the end, or when nothing that follows can matter.
    pub(super) fn next_line(&mut self) -> Result<Option<Line>, String> {
        if self.past && self.waiting.is_empty() {
            return Ok(None);
        }
        let line = self.lines.next().transpose();
        let line = line.map_err(|error| error.to_string())?;
        if let Some(line) = &line {
            self.next = line.seq.saturating_add(1);
        }
        Ok(line)
    }

    /// Takes an entry in. Gives an alert back with what was said of it, once both are known.
    pub(super) fn take(
        &mut self,
        line: &Line,
        (journal, span): (&dyn Journal, Span),
        judge: &Judge,
        tally: &mut Tally,
    ) -> Result<Option<(Box<Waiting>, AlertTriaged)>, String> {
        let recorded = Recorded::parse(&line.bytes).map_err(|error| error.to_string())?;
        let at = recorded.timestamp_ms;
        self.past |= span.is_past(at);
        let matters = match recorded.event.as_str() {
            "alert.received" => span.holds(at),
            "alert.triaged" => true,
            _ => false,
        };
        if !matters {
            return Ok(None);
        }
        let event = Event::from_recorded(&recorded).map_err(|error| error.to_string())?;
        match event {
            Event::AlertReceived { alert_id, received } => {
                tally.alerts = tally.alerts.saturating_add(1);
                match self.read_alert(journal, line.seq, &received) {
                    Ok(alert) => self.enter(judge, (alert_id, line.seq, at), received, alert),
                    Err(_why) => tally.unreadable = tally.unreadable.saturating_add(1),
                }
                Ok(None)
            }
            Event::AlertTriaged { alert_id, triaged } => {
                let waited = self.waiting.leave(alert_id);
                Ok(waited.map(|waited| (waited, triaged)))
            }
            _ => Ok(None),
        }
    }

    fn enter(
        &mut self,
        judge: &Judge,
        (alert_id, seq, received_at): (AlertId, u64, Timestamp),
        received: AlertReceived,
        (alert, bytes): (Box<Alert>, u64),
    ) {
        let (after, proposal_after) = judge.judge(&alert);
        self.waiting.enter(Waiting {
            alert_id,
            seq,
            received_at,
            host: received.host,
            alert,
            bytes,
            after,
            proposal_after,
        });
    }

    /// The alert's normal form from its evidence, held against the chain, with its length in bytes.
    fn read_alert(
        &self,
        journal: &dyn Journal,
        seq: u64,
        received: &AlertReceived,
    ) -> Result<(Box<Alert>, u64), String> {
        let mut pieces = received.evidence.iter().enumerate();
        let (index, piece) = pieces
            .find(|(_, piece)| piece.kind == EvidenceKind::Alert)
            .ok_or("the entry names no normal form")?;
        let attachments = journal.evidence(self.tenant().as_str(), seq);
        let attachments = attachments.map_err(|error| error.to_string())?;
        let sealed = attachments.get(index).ok_or("the evidence is missing")?;
        let plain = unsealed(&self.keys, &piece.sha256, sealed)?;
        let alert = serde_json::from_slice(&plain).map_err(|error| error.to_string())?;
        Ok((alert, piece.length))
    }
}

/// Where to begin so that no entry at `since` or after is missed: ever farther back from the end, until
/// an entry is older. A chain is read from its end at less cost than from its beginning, and what is
/// looked at in vain is no more than three times what is wanted.
fn beginning(
    journal: &dyn Journal,
    chain: &str,
    (head, since): (u64, Timestamp),
) -> Result<u64, JournalError> {
    let mut back = FIRST_LOOK_BACK;
    loop {
        let from = head.saturating_sub(back);
        if from == 0 {
            return Ok(0);
        }
        let line = journal.read(chain, from, Some(from))?.next().transpose()?;
        let recorded = line.and_then(|line| Recorded::parse(&line.bytes).ok());
        if recorded.is_some_and(|entry| entry.timestamp_ms < since) {
            return Ok(from);
        }
        back = back.saturating_mul(4);
    }
}
