//! A tenant as a pure state machine: `decide` says what happens, `apply` makes it so,
//! `outstanding_effects` says what is still to be done. The chain is the only truth; this state is
//! a fold over it and can be thrown away at any time.

mod decision;
mod erasing;
mod folding;
mod mending;
mod pending;
mod polling;
mod proposals;
mod quota;
mod showing;
mod telling;
mod verdict;

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    containment::{self, Acts},
    entry::{Recorded, ReplayError},
    ids::AlertId,
    incident::Incidents,
    protocol::{self, Command, Event, Evidence, Known, Refusal, SeqRun},
    time::Timestamp,
    vendor::Vendor,
};

pub use self::{
    decision::may_decide,
    folding::apply,
    mending::{Mending, StandIn},
    pending::{is_at_rest, outstanding_effects},
    proposals::{Proposals, Proposed, WAITING_MAX},
    quota::{Quota, TakenIn},
    telling::{Telling, Told},
};

/// The version of [`TenantState`]'s serialised shape; another version in a snapshot is ignored.
pub const SNAPSHOT_VERSION: u32 = 6;

/// Everything about a tenant that decisions rest on. A copy of it costs little: what may be large is
/// shared until one of the copies changes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantState {
    /// The seq that the next entry gets; also the number of entries applied.
    pub next_seq: u64,
    /// Alerts that stage 1 has not spoken about yet, with the seq of their entry.
    pub untriaged: BTreeMap<AlertId, u64>,
    /// Alerts that stage 2 has been asked about, with the seq of their first entry.
    pub in_review: BTreeMap<AlertId, u64>,
    /// Calls of stage 2.
    pub reviews: Reviews,
    /// Bytes of evidence that the chain refers to.
    pub evidence_bytes: u64,
    /// What came in on the last day.
    #[serde(default)]
    pub taken_in: TakenIn,
    /// Counts since the chain was opened.
    pub counts: Counts,
    /// Which alerts belong together.
    pub incidents: Arc<Incidents>,
    /// What was proposed.
    pub proposals: Arc<Proposals>,
    /// Who knows what of the incidents.
    pub telling: Arc<Telling>,
    /// Actions on their way or in force.
    pub acts: Arc<Acts>,
    /// What the clock said at the last entry.
    #[serde(default)]
    pub last_at: Option<Timestamp>,
    /// Up to which moment each vendor was polled.
    pub polled: BTreeMap<Vendor, Timestamp>,
    /// What is still to be taken over from chains that stood in for this one.
    #[serde(default)]
    pub mending: Mending,
    /// The entries that were ordered last to lose their evidence.
    #[serde(default)]
    pub erasing: Vec<SeqRun>,
    /// Where retention goes on: the entries before have lost what evidence they brought.
    #[serde(default)]
    pub retained_from: u64,
}

/// Calls of stage 2 on the last day that had any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviews {
    /// Which day, counted from the epoch (UTC).
    pub day: u64,
    /// How many.
    pub calls: u32,
}

impl Reviews {
    /// How many calls were made on that day. A clock that was set back by up to a day gives none anew; one
    /// that was set back by more begins its own day, or a slip into the future would bar stage 2 for good.
    fn made_on(self, day: u64) -> u32 {
        let same = day <= self.day && self.day.saturating_sub(day) <= 1;
        if same { self.calls } else { 0 }
    }

    /// One more call on that day.
    fn count(&mut self, day: u64) {
        let calls = self.made_on(day).saturating_add(1);
        let day = if calls == 1 { day } else { self.day };
        *self = Self { day, calls };
    }
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

/// What follows from `command` at `now`, without changing anything.
///
/// # Errors
/// [`Refusal`] where the command is not possible in this state.
pub fn decide(
    state: &TenantState,
    command: Command,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
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
            quota::within(state, total_bytes(&received.evidence), &alert.quota, now)?;
            Ok(vec![Event::AlertReceived {
                alert_id: alert.alert_id,
                received,
            }])
        }
        Command::NoteFallback(used) => Ok(vec![Event::SecretFallbackUsed(used)]),
        Command::RejectIntake { rejected, quota } => {
            let more = total_bytes(&rejected.evidence);
            quota::within(state, more, &quota, now)?;
            Ok(vec![Event::IntakeRejected(rejected)])
        }
        Command::NoteOverQuota { vendor, reason } => {
            quota::note_refused(state, vendor, reason, now)
        }
        Command::RecordVerdict(command) => verdict::record(state, *command, now),
        Command::RecordReview(command) => verdict::review(state, *command, now),
        Command::Decide(command) => Ok(vec![decision::decide(state, &command, now)]),
        Command::NoteRefusal(refused) => Ok(vec![Event::ApprovalRefused(*refused)]),
        Command::NoteShown(shown) => Ok(vec![Event::EvidenceShown(shown)]),
        Command::EraseEvidence(order) => erasing::erase(state, order),
        Command::RecordTelling(what) => told(state, what),
        Command::Tick(window) => pending::tick(state, &window, now),
        Command::Begin(command) => containment::begin(state, &command, now),
        Command::Order(command) => containment::ordered(state, *command, now),
        Command::Redrive(command) => containment::redriven(state, &command, now),
        Command::RecordAct(report) => containment::recorded(state, *report),
        Command::NoteDrift {
            action_id,
            observed,
            back,
        } => containment::drifted(state, (action_id, &observed), back, now),
        Command::NoteClock(jumped) => containment::clock_jumped(state, jumped),
        Command::ReleaseTimers(released) => containment::released(state, released, now),
        Command::NotePolled(polled) => polling::note(state, polled),
        Command::NoteRepair(repaired) => mending::note(state, repaired),
        Command::TakeOver(taken) => mending::take_over(state, taken),
        Command::LeaveStandIn(incomplete) => mending::leave(state, incomplete),
    }
}

/// What an entry brings with it; what it only names lies with another.
fn total_bytes(evidence: &[Evidence]) -> u64 {
    let own = evidence.iter().filter(|piece| piece.at_seq.is_none());
    own.fold(0, |sum, piece| sum.saturating_add(piece.length))
}

/// What is worth an entry of what became of telling people.
fn told(state: &TenantState, told: protocol::Told) -> Result<Vec<Event>, Refusal> {
    let known = |id| state.telling.get(id).ok_or(Refusal::NothingNew);
    let event = match told {
        protocol::Told::Sent(sent) => {
            let before = state.telling.stood(sent.incident_id);
            let before = before.ok_or(Refusal::NothingNew)?;
            let moved = before.message.as_ref() != Some(&sent.message);
            if before.shows(sent.revision) && !moved {
                return Err(Refusal::NothingNew);
            }
            Event::NotifySent(sent)
        }
        protocol::Told::Failed(failed) => {
            known(failed.incident_id)?;
            Event::NotifyFailed(failed)
        }
        protocol::Told::FellBack(fallback) => {
            let told = state.telling.get(fallback.incident_id);
            let called = || {
                let of = fallback.expired.filter(|_| fallback.reason.is_call())?;
                let act = state.acts.get(of.action_id)?;
                Some(act.knows_call(fallback.reason, of.at))
            };
            let heard = told.is_some_and(|told| told.state.heard_of(&fallback));
            if heard || called().unwrap_or(false) {
                return Err(Refusal::NothingNew);
            }
            Event::NotifyFallback(fallback)
        }
        protocol::Told::Breached(breached) => {
            if known(breached.incident_id)?.state.breached {
                return Err(Refusal::NothingNew);
            }
            Event::SlaBreached(breached)
        }
    };
    Ok(vec![event])
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
    apply(state, &event, recorded.timestamp_ms);
    Ok(event)
}
