//! A tenant as a pure state machine: `decide` says what happens, `apply` makes it so,
//! `outstanding_effects` says what is still to be done. The chain is the only truth; this state is
//! a fold over it and can be thrown away at any time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    entry::{Recorded, ReplayError},
    ids::AlertId,
    protocol::{AlertClosed, Command, Effect, Event, Evidence, Known, Refusal},
    triage::{Band, Verdict},
};

/// The version of [`TenantState`]'s serialised shape; another version in a snapshot is ignored.
pub const SNAPSHOT_VERSION: u32 = 1;

/// Everything about a tenant that decisions rest on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantState {
    /// The seq that the next entry gets; also the number of entries applied.
    pub next_seq: u64,
    /// Alerts that stage 1 has not spoken about yet, with the seq of their entry.
    pub untriaged: BTreeMap<AlertId, u64>,
    /// Bytes of evidence that the chain refers to.
    pub evidence_bytes: u64,
    /// Counts since the chain was opened.
    pub counts: Counts,
}

/// Totals of a tenant's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Alerts taken in.
    pub received: u64,
    /// Bodies kept that no parser understood.
    pub rejected: u64,
    /// Alerts with a verdict.
    pub triaged: u64,
    /// Alerts closed.
    pub closed: u64,
}

/// What follows from `command`, without changing anything.
///
/// # Errors
/// [`Refusal`] where the command is not possible in this state.
pub fn decide(state: &TenantState, command: Command) -> Result<Vec<Event>, Refusal> {
    match command {
        Command::OpenChain(_) if state.next_seq > 0 => Err(Refusal::AlreadyOpen),
        Command::OpenChain(opened) => Ok(vec![Event::ChainOpened(opened)]),
        Command::ReceiveAlert(alert) => {
            let mut received = alert.received;
            received.vendor_id_reused = match alert.known {
                Known::New => false,
                Known::IdReused => true,
                Known::Same { alert_id, seq } => return Err(Refusal::Duplicate { alert_id, seq }),
            };
            within_quota(state, total_bytes(&received.evidence), alert.quota_bytes)?;
            Ok(vec![Event::AlertReceived {
                alert_id: alert.alert_id,
                received,
            }])
        }
        Command::NoteFallback(used) => Ok(vec![Event::SecretFallbackUsed(used)]),
        Command::RejectIntake {
            rejected,
            quota_bytes,
        } => {
            let more = total_bytes(&rejected.evidence);
            within_quota(state, more, quota_bytes)?;
            Ok(vec![Event::IntakeRejected(rejected)])
        }
        Command::RecordVerdict { alert_id, triaged } => {
            if !state.untriaged.contains_key(&alert_id) {
                return Err(Refusal::NotAwaitingVerdict);
            }
            let closed = (triaged.assessment.band == Band::Closed).then(|| AlertClosed {
                reason: match triaged.assessment.verdict {
                    Verdict::Benign => "benign".into(),
                    Verdict::Low | Verdict::Medium | Verdict::High | Verdict::Critical => {
                        "low".into()
                    }
                },
            });
            let mut events = vec![Event::AlertTriaged { alert_id, triaged }];
            events.extend(closed.map(|closed| Event::AlertClosed { alert_id, closed }));
            Ok(events)
        }
    }
}

fn within_quota(state: &TenantState, more: u64, quota: Option<u64>) -> Result<(), Refusal> {
    match quota {
        Some(quota) if state.evidence_bytes.saturating_add(more) > quota => {
            Err(Refusal::QuotaExceeded)
        }
        _ => Ok(()),
    }
}

/// What an entry brings with it; what it only names lies with another.
fn total_bytes(evidence: &[Evidence]) -> u64 {
    let own = evidence.iter().filter(|piece| piece.at_seq.is_none());
    own.fold(0, |sum, piece| sum.saturating_add(piece.length))
}

/// Makes it so. Cannot fail: what was decided or read from a verified chain has happened.
pub fn apply(state: &mut TenantState, event: &Event) {
    let seq = state.next_seq;
    state.next_seq = seq.saturating_add(1);
    match event {
        Event::ChainOpened(_) | Event::SecretFallbackUsed(_) => {}
        Event::AlertReceived { alert_id, received } => {
            state.untriaged.insert(*alert_id, seq);
            bump(&mut state.counts.received);
            let more = total_bytes(&received.evidence);
            state.evidence_bytes = state.evidence_bytes.saturating_add(more);
        }
        Event::IntakeRejected(rejected) => {
            bump(&mut state.counts.rejected);
            let more = total_bytes(&rejected.evidence);
            state.evidence_bytes = state.evidence_bytes.saturating_add(more);
        }
        Event::AlertTriaged { alert_id, .. } => {
            state.untriaged.remove(alert_id);
            bump(&mut state.counts.triaged);
        }
        Event::AlertClosed { .. } => bump(&mut state.counts.closed),
    }
}

/// What is still to be done, in the order of the chain. Doing it twice is harmless: the second
/// result is refused.
pub fn outstanding_effects(state: &TenantState) -> Vec<Effect> {
    let mut effects: Vec<_> = state
        .untriaged
        .iter()
        .map(|(alert_id, seq)| Effect::Triage {
            alert_id: *alert_id,
            seq: *seq,
        })
        .collect();
    effects.sort_by_key(|Effect::Triage { seq, .. }| *seq);
    effects
}

/// Applies one line of the chain, which must be the next one.
///
/// # Errors
/// [`ReplayError`] where the line is out of order, unknown or malformed.
pub fn replay(state: &mut TenantState, recorded: &Recorded) -> Result<Event, ReplayError> {
    if recorded.seq != state.next_seq {
        return Err(ReplayError::OutOfOrder {
            expected: state.next_seq,
            found: recorded.seq,
        });
    }
    let event = Event::from_recorded(recorded)?;
    apply(state, &event);
    Ok(event)
}

fn bump(count: &mut u64) {
    *count = count.saturating_add(1);
}
