//! What is still to be done for a tenant, and what is over by the clock alone.

use std::collections::BTreeSet;

use super::{TenantState, decision};
use crate::{
    containment::{self, Act, Manner, Stage},
    ids::IncidentId,
    incident::{Ended, Window},
    protocol::{ClosedBecause, Effect, Event, IncidentClosed, NotifyFailed, Refusal},
    time::Timestamp,
};

/// The most proposals, the most incidents and the most actions that one tick ends.
const ENDED_AT_ONCE: usize = 64;
/// For how long an incident stays for people to say what becomes of a containment whose time is over.
const ASKED_MS: u64 = 24 * 60 * 60 * 1000;

/// Whether nothing is to be done or waited for: no verdict, no decision, no action, nobody to be told.
pub fn is_at_rest(state: &TenantState) -> bool {
    state.untriaged.is_empty()
        && state.in_review.is_empty()
        && state.proposals.waiting() == 0
        && state.acts.unsettled() == 0
        && !state.telling.iter().any(|(_, told)| told.is_behind())
}

/// What is still to be done: alerts in the order of the chain, then actions, the oldest first, and last the
/// containments that are to be lifted. Doing it twice is harmless: the second result is refused.
pub fn outstanding_effects(state: &TenantState) -> Vec<Effect> {
    let open = state.untriaged.iter().chain(&state.in_review);
    let mut open: Vec<_> = open.map(|(alert_id, seq)| (*seq, *alert_id)).collect();
    open.sort_unstable();
    let triage = open
        .into_iter()
        .map(|(seq, alert_id)| Effect::Triage { alert_id, seq });
    let acts = state.acts.iter();
    let carried = acts.filter_map(|(action_id, act)| match act.stage {
        // A caller who waits for it was told of an error by now.
        Stage::Approved => act.claim.is_none().then_some(Effect::Begin { action_id }),
        Stage::Begun {
            manner: Manner::Live,
        } => Some(Effect::Carry { action_id }),
        Stage::Begun {
            manner: Manner::DryRun | Manner::NoCredentials,
        }
        | Stage::Withheld { .. }
        | Stage::Done { .. }
        | Stage::Undone { .. } => None,
    });
    let lifts = state.acts.lifts_due();
    let lifts = lifts.map(|action_id| Effect::Lift { action_id });
    triage.chain(carried).chain(lifts).collect()
}

/// Lets what is over be over.
pub(super) fn tick(
    state: &TenantState,
    window: &Window,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    let overdue = state.proposals.overdue(now).take(ENDED_AT_ONCE);
    let mut events: Vec<_> = overdue.map(decision::expired).collect();
    let waited_for = waited_for(state, now);
    let most = ENDED_AT_ONCE.saturating_add(waited_for.len());
    let over = state.incidents.due(now, window, most).into_iter();
    let over = over.filter(|(id, _)| !waited_for.contains(id));
    let over = over.take(ENDED_AT_ONCE);
    events.extend(over.map(|(incident_id, ended)| {
        Event::IncidentClosed(IncidentClosed {
            incident_id,
            reason: match ended {
                Ended::Quiet => ClosedBecause::Quiet,
                Ended::TooLong => ClosedBecause::TooLong,
                Ended::Room => ClosedBecause::Room,
            },
            into: None,
        })
    }));
    let unsaid = state.telling.unsaid(now).take(ENDED_AT_ONCE);
    events.extend(unsaid.map(|(incident_id, revision)| {
        Event::NotifyFailed(NotifyFailed {
            incident_id,
            revision,
            why: "chat has not taken the last word about it for a day".into(),
        })
    }));
    events.extend(containment::over(&state.acts, now).take(ENDED_AT_ONCE));
    if events.is_empty() {
        return Err(Refusal::NothingNew);
    }
    Ok(events)
}

/// Incidents that stay, for somebody may still decide about them, or something is still to happen.
fn waited_for(state: &TenantState, now: Timestamp) -> BTreeSet<IncidentId> {
    let waiting = state.proposals.iter().filter(|one| one.is_waiting());
    let waiting = waiting.map(|one| one.manifest.incident_id);
    let acts = state.acts.iter().map(|(_, act)| act);
    let acts = acts.filter(|act| act.is_unsettled() || is_asked_about(act, now));
    let acts = acts.map(|act| act.manifest.incident_id);
    let all = waiting.chain(acts);
    all.map(|id| state.incidents.resolve(id)).collect()
}

/// Whether people were asked a short while ago what becomes of it.
fn is_asked_about(act: &Act, now: Timestamp) -> bool {
    let asked = act.hold_ended_at.filter(|_| act.is_effective());
    asked.is_some_and(|asked| asked.plus_ms(ASKED_MS) > now)
}
