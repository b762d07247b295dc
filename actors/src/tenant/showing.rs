//! What people are told of incidents: handed to the notifier once it is durable, and what the notifier
//! says of it written down.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
};

use actix::Handler;
use vyrox_domain::{
    ids::{ActionId, IncidentId},
    incident::{Placement, Window},
    notice::Standing,
    protocol::{Command, Event, NotifyFailed, NotifyFallback, NotifySent, SlaBreached, Told},
    sla::Expiry,
    tenant::{Proposed, TenantState},
    triage::Verdict,
};
use vyrox_supervision::{Handle, SupervisedContext};

use super::Machine;
use crate::{
    messages::{RecordReport, TellPeople},
    notifier::{Call, Expired, Forget, Refresh, Report, Show},
};

/// A tick ends a bounded number of things; so many ticks follow each other while there is more to end.
const TICKS_AT_ONCE: usize = 32;

/// What was handed to the notifier.
#[derive(Default)]
pub(super) struct Handed {
    /// Incidents that it has to be given.
    pub(super) due: BTreeSet<IncidentId>,
    /// Incidents that grew without a change that people must see at once.
    pub(super) grown: BTreeSet<IncidentId>,
    /// Incidents of which a proposal ran out, each with the last entry that says so.
    pub(super) expired: Vec<(u64, Expired)>,
    /// Calls for what became of actions, likewise.
    pub(super) calls: Vec<(u64, Call)>,
    /// Sweeps since what is behind was handed over anew.
    sweeps: u32,
}

/// After so many sweeps what people have not seen is handed over again: a message or a report may be lost
/// on the way, and the notifier lets go of what it has no room for.
const HAND_ANEW_SWEEPS: u32 = 30;

/// The incidents of which these events say something that people must see.
pub(super) fn concerned(state: &TenantState, events: &[Event]) -> Vec<IncidentId> {
    let of_action = |id| {
        let proposed = state.proposals.get(id)?;
        Some(state.incidents.resolve(proposed.manifest.incident_id))
    };
    let mut ids = Vec::new();
    for event in events {
        match event {
            Event::IncidentOpened { opened, .. } => ids.push(opened.incident_id),
            Event::IncidentRaised { raised, .. } => ids.push(raised.incident_id),
            Event::IncidentClosed(closed) => {
                ids.push(closed.incident_id);
                ids.extend(closed.into);
            }
            other => {
                ids.extend(other.about_action().and_then(of_action));
                // Others became part of it, seen or unseen.
                let took_over = |placed: &&Placement| !placed.absorbed.is_empty();
                ids.extend(other.placed().filter(took_over).map(|it| it.incident_id));
            }
        }
    }
    ids
}

/// The same, as far as the events alone tell.
pub(super) fn may_concern(events: &[Event]) -> bool {
    events.iter().any(|event| match event {
        Event::IncidentOpened { .. } | Event::IncidentRaised { .. } | Event::IncidentClosed(_) => {
            true
        }
        other => {
            let took_over = other
                .placed()
                .is_some_and(|placed| !placed.absorbed.is_empty());
            took_over || other.about_action().is_some() || other.asks_stage2()
        }
    })
}

/// The incidents that took another alert.
pub(super) fn grown(events: &[Event]) -> Vec<IncidentId> {
    let placed = events.iter().filter_map(Event::placed);
    placed
        .filter(|placed| !placed.fresh)
        .map(|placed| placed.incident_id)
        .collect()
}

impl Machine {
    /// Everything that people have not seen has to be handed over (again).
    pub(super) fn hand_anew(&mut self) {
        let telling = self.taker.as_ref().map(|taker| taker.state.telling.iter());
        let behind = telling
            .into_iter()
            .flatten()
            .filter(|(_, told)| told.is_behind());
        self.handed.due = behind.map(|(id, _)| id).collect();
        let lapsed = self
            .taker
            .as_ref()
            .map(|taker| taker.state.telling.lapsed());
        self.handed.due.extend(lapsed.into_iter().flatten());
        self.handed.expired = self.expired_untold();
        self.handed.calls = self.calls_untold();
    }

    /// Hands over again, now and then, what is still behind; what waits to be handed over comes first.
    pub(super) fn hand_again(&mut self) {
        self.handed.sweeps = self.handed.sweeps.saturating_add(1);
        let handed = &self.handed;
        let waits =
            !handed.due.is_empty() || !handed.expired.is_empty() || !handed.calls.is_empty();
        if waits || self.handed.sweeps < HAND_ANEW_SWEEPS {
            return;
        }
        self.handed.sweeps = 0;
        self.hand_anew();
        // That something ended is said again at a start only.
        if let Some(taker) = &self.taker {
            let telling = &taker.state.telling;
            self.handed.due.retain(|id| telling.get(*id).is_some());
        }
    }

    /// Of each critical incident the proposal that ran out last, where nobody was called for it.
    fn expired_untold(&self) -> Vec<(u64, Expired)> {
        let Some(taker) = &self.taker else {
            return Vec::new();
        };
        let state = &taker.state;
        let mut latest = BTreeMap::new();
        for one in state.proposals.iter() {
            if one.standing == Standing::Expired {
                let id = state.incidents.resolve(one.manifest.incident_id);
                let last = latest.entry(id).or_insert_with(|| expiry_of(one));
                *last = (*last).max(expiry_of(one));
            }
        }
        let untold = latest.into_iter().filter_map(|(id, expiry)| {
            let seq = state.telling.get(id)?.seq;
            let (notice, stood) = state.shown(self.name(), id)?;
            let call = Expired {
                expiry,
                notice,
                stood,
            };
            Some((seq, call))
        });
        untold
            .filter(|(_, call)| call.notice.level == Verdict::Critical)
            .filter(|(_, call)| !call.stood.knows_expiry(call.expiry))
            .collect()
    }

    /// Hands over what is due and durable. What finds no room stays due.
    pub(super) fn tell_people(&mut self) {
        let (Some(taker), Some(notifier)) = (&self.taker, &self.parts.notifier) else {
            self.handed.expired.clear();
            self.handed.calls.clear();
            return self.handed.due.clear();
        };
        let head = self.parts.world.journal.head(self.name().as_str());
        let durable = head.map(|head| head.seq);
        let (state, name) = (&taker.state, &self.parts.keys.tenant);
        self.handed.due.retain(|id| {
            let Some(told) = state.telling.get(*id) else {
                // It ended with no message known: it must not be posted, nor paged for, any more.
                return notifier.try_cast(Forget(*id)).is_err();
            };
            if !told.is_behind() {
                return false;
            }
            if Some(told.seq) > durable {
                return true;
            }
            let Some((notice, stood)) = state.shown(name, *id) else {
                return false;
            };
            notifier.try_cast(Show { notice, stood }).is_err()
        });
        for (seq, call) in std::mem::take(&mut self.handed.expired) {
            if Some(seq) > durable {
                self.handed.expired.push((seq, call));
            } else if let Err(rejected) = notifier.try_cast(call) {
                self.handed.expired.push((seq, rejected.message));
            }
        }
        for (seq, call) in std::mem::take(&mut self.handed.calls) {
            if Some(seq) > durable {
                self.handed.calls.push((seq, call));
            } else if let Err(rejected) = notifier.try_cast(call) {
                self.handed.calls.push((seq, rejected.message));
            }
        }
    }

    /// Shows how incidents grew; called about once a second.
    pub(super) fn refresh(&mut self) {
        let grown = std::mem::take(&mut self.handed.grown);
        let (Some(taker), Some(notifier)) = (&self.taker, &self.parts.notifier) else {
            return;
        };
        let head = self.parts.world.journal.head(self.name().as_str());
        let durable = head.map(|head| head.seq);
        for id in grown {
            // What changed beside the counts is not told before it is durable, and then by itself.
            let told = taker.state.telling.get(id);
            if told.is_none_or(|told| Some(told.seq) > durable) {
                continue;
            }
            if let Some((notice, stood)) = taker.state.shown(self.name(), id) {
                // Counts alone; without room they are shown with the next change.
                notifier.try_cast(Refresh { notice, stood }).ok();
            }
        }
    }

    /// Ends what is over, and calls somebody where a proposal of a critical incident was left undecided.
    pub(super) fn tick(&mut self, ctx: &SupervisedContext<Self>) {
        self.hand_again();
        for _ in 0..TICKS_AT_ONCE {
            let events = self.carry_out(Command::Tick(Window::default()), ctx);
            if events.is_empty() {
                return;
            }
            for event in &events {
                if let Event::ApprovalExpired(expired) = event {
                    self.call_for(expired.facts.about.action_id);
                }
                if let Event::NotifyFailed(failed) = event {
                    self.handed.due.insert(failed.incident_id);
                }
            }
        }
    }

    /// Whether nobody is told of it any more.
    fn lets_go(&self, id: IncidentId) -> bool {
        let taker = self.taker.as_ref();
        taker.is_some_and(|taker| taker.state.telling.get(id).is_none())
    }

    fn call_for(&mut self, action: ActionId) {
        let Some(taker) = &self.taker else { return };
        let state = &taker.state;
        let last = state.next_seq.checked_sub(1);
        let Some((proposed, last)) = state.proposals.get(action).zip(last) else {
            return;
        };
        let id = state.incidents.resolve(proposed.manifest.incident_id);
        if let Some((notice, stood)) = state.shown(self.name(), id) {
            let expiry = expiry_of(proposed);
            let call = Expired {
                expiry,
                notice,
                stood,
            };
            self.handed.expired.push((last, call));
        }
    }
}

const fn expiry_of(proposed: &Proposed) -> Expiry {
    Expiry {
        at: proposed.manifest.expires_at_ms,
        action_id: proposed.manifest.action_id,
    }
}

/// Has a machine tell people, from the thread that knows it to be durable. One such word at a time is
/// enough: a group commit would else fill the lane that decisions come by.
pub(super) fn tell(machine: &Handle<Machine>, told: &AtomicBool) {
    if !told.swap(true, Ordering::AcqRel) && machine.try_cast(TellPeople).is_err() {
        // Its sweep does the same within a second.
        told.store(false, Ordering::Release);
    }
}

impl Handler<TellPeople> for Machine {
    type Result = ();

    fn handle(&mut self, _: TellPeople, ctx: &mut Self::Context) {
        self.told.store(false, Ordering::Release);
        self.tell_people();
        self.go_on_acting(ctx);
        self.ask_stage2(ctx);
    }
}

impl Handler<RecordReport> for Machine {
    type Result = ();

    fn handle(&mut self, RecordReport(report): RecordReport, ctx: &mut Self::Context) {
        if let Some(told) = told(report) {
            let events = self.carry_out(Command::RecordTelling(told), ctx);
            // What it ended without, or changed beyond, must be shown with the message that came to light.
            let sent = events.iter().filter_map(|event| match event {
                Event::NotifySent(sent) => Some(sent.incident_id),
                Event::NotifyFailed(failed) => {
                    Some(failed.incident_id).filter(|id| self.lets_go(*id))
                }
                _ => None,
            });
            let sent: Vec<_> = sent.collect();
            self.handed.due.extend(sent);
        } else {
            self.hand_anew();
            self.tell_people();
        }
    }
}

/// A report as the chain tells it; `None` where the notifier only says that it begins anew.
fn told(report: Report) -> Option<Told> {
    Some(match report {
        Report::Began => return None,
        Report::Shown {
            incident_id,
            revision,
            level,
            message,
            shown,
            quietly,
        } => Told::Sent(NotifySent {
            incident_id,
            revision,
            level,
            message,
            shown,
            quietly,
        }),
        Report::Failed {
            incident_id,
            revision,
            why,
        } => Told::Failed(NotifyFailed {
            incident_id,
            revision,
            why,
        }),
        Report::FellBack {
            incident_id,
            level,
            via,
            failed,
            reason,
            expired,
        } => Told::FellBack(NotifyFallback {
            incident_id,
            level,
            via,
            failed,
            reason,
            expired,
        }),
        Report::Breached { incident_id, level } => {
            Told::Breached(SlaBreached { incident_id, level })
        }
    })
}
