//! Events made so.

use std::{collections::BTreeSet, sync::Arc};

use super::{TenantState, erasing, mending, quota, total_bytes, verdict::day};
use crate::{
    containment::{Act, Acts},
    ids::{ActionId, AlertId, IncidentId},
    incident::{Arrival, Placement, Window},
    notice::Standing,
    protocol::{
        AlertReviewed, AlertTriaged, ApprovalGranted, ApprovalRequested, ClosedBecause, Event,
        IncidentClosed, IntakeRejected, NotifyFallback, NotifySent, RejectReason, Stage2,
    },
    review::Failure,
    time::Timestamp,
    triage::Verdict,
};

/// Makes it so. Cannot fail: what was decided or read from a verified chain has happened.
pub fn apply(state: &mut TenantState, event: &Event, at: Timestamp) {
    let seq = state.next_seq;
    state.next_seq = seq.saturating_add(1);
    state.last_at = said_by_clock(state, event, at);
    match event {
        Event::ChainOpened(_)
        | Event::SecretFallbackUsed(_)
        | Event::ApprovalRefused(_)
        | Event::ApprovalNotRequested { .. }
        | Event::EvidenceShown(_)
        | Event::JournalRepaired(_)
        | Event::TakeoverIncomplete(_) => {}
        Event::EvidenceErased(erased) => erasing::apply(state, erased),
        Event::AlertReceived { alert_id, received } => {
            state.untriaged.insert(*alert_id, seq);
            bump(&mut state.counts.received);
            let held = received.held_receipt.as_ref();
            quota::keep(state, total_bytes(&received.evidence), (at, held));
        }
        Event::IntakeRejected(rejected) => reject(state, rejected, at),
        Event::AlertTriaged { alert_id, triaged } => triage(state, *alert_id, triaged, at),
        Event::CallFailed { failed, .. } => not_called(state, failed.failure, at),
        Event::AlertReviewed { alert_id, reviewed } => review(state, *alert_id, reviewed, at),
        Event::AlertClosed { .. } => bump(&mut state.counts.closed),
        Event::IncidentOpened { opened, .. } => {
            Arc::make_mut(&mut state.telling).opened(opened.incident_id, seq, at);
        }
        Event::IncidentRaised { raised, .. } => {
            let telling = Arc::make_mut(&mut state.telling);
            telling.raised(raised.incident_id, raised.from, seq, at);
        }
        Event::IncidentClosed(closed) => end(state, closed, seq),
        Event::ApprovalRequested(_)
        | Event::ApprovalGiven(_)
        | Event::ApprovalGranted(_)
        | Event::ApprovalDenied(_)
        | Event::ApprovalExpired(_) => approval(state, event, (seq, at)),
        Event::NotifyFailed(failed) => not_shown(state, failed.incident_id, at),
        Event::NotifySent(sent) => shown(state, sent),
        Event::NotifyFallback(fallback) => fell_back(state, fallback, at),
        Event::SlaBreached(breached) => breach(state, breached.incident_id),
        Event::ActOrdered(it) => acts(state).order(it, at),
        Event::ActBegun(it) => acts(state).begin(&it.facts, at),
        Event::ActWithheld(it) => acts(state).withhold(&it.facts, at),
        Event::ActOutcome(it) => acts(state).end(&it.facts, at),
        Event::ActDrifted(it) => acts(state).drift(&it.facts, at),
        Event::HoldEnded(it) => acts(state).end_hold(&it.facts, at),
        Event::ClockJumped(jumped) => acts(state).hold_timers(jumped),
        Event::TimersReleased(_) => acts(state).release_timers(at),
        Event::IntakePolled(polled) => drop(state.polled.insert(polled.vendor, polled.up_to_ms)),
    }
    mend(state, event, seq);
    if let Some(enriched) = event.enriched() {
        quota::hold(state, total_bytes(std::slice::from_ref(&enriched.evidence)));
    }
    if let Some(id) = event.about_act() {
        acted(state, id, seq);
    }
}

/// What was kept while the chain was held has the moment at which it was kept.
fn said_by_clock(state: &TenantState, event: &Event, at: Timestamp) -> Option<Timestamp> {
    match event.held_receipt() {
        Some(_) => state.last_at,
        None => Some(at),
    }
}

/// What a repair has to take over, and what it did take over.
fn mend(state: &mut TenantState, event: &Event, seq: u64) {
    let evidence = match event {
        Event::JournalRepaired(repaired) => return mending::repaired(state, repaired),
        Event::TakeoverIncomplete(left) => return mending::left(state, left),
        Event::AlertReceived { received, .. } => &received.evidence,
        Event::IntakeRejected(rejected) => &rejected.evidence,
        _ => return,
    };
    if let Some(receipt) = event.held_receipt() {
        mending::taken_over(state, (receipt, seq), evidence);
    }
}

/// A body was kept of which no alert was made, or none was kept for want of room.
fn reject(state: &mut TenantState, rejected: &IntakeRejected, at: Timestamp) {
    if rejected.reason.is_some_and(RejectReason::is_quota) {
        state.taken_in.refusal_noted_at = Some(at);
        return;
    }
    bump(&mut state.counts.rejected);
    let held = rejected.held_receipt.as_ref();
    quota::keep(state, total_bytes(&rejected.evidence), (at, held));
}

/// Stage 2 has spoken about an alert: it has its place.
fn review(state: &mut TenantState, alert_id: AlertId, reviewed: &AlertReviewed, at: Timestamp) {
    state.in_review.remove(&alert_id);
    let place_of_it = reviewed.placed.as_ref();
    place(state, (alert_id, reviewed.verdict), place_of_it, at);
}

/// Stage 1 has spoken about an alert: it has its place, or waits for stage 2.
fn triage(state: &mut TenantState, alert_id: AlertId, triaged: &AlertTriaged, at: Timestamp) {
    let seq = state.next_seq.saturating_sub(1);
    let received_at = state.untriaged.remove(&alert_id);
    bump(&mut state.counts.triaged);
    if triaged.stage2 == Some(Stage2::Asked) {
        let since = received_at.unwrap_or(seq);
        state.in_review.insert(alert_id, since);
        state.reviews.count(day(at));
    }
    let verdict = triaged.assessment.verdict;
    place(state, (alert_id, verdict), triaged.placed.as_ref(), at);
}

fn acts(state: &mut TenantState) -> &mut Acts {
    Arc::make_mut(&mut state.acts)
}

/// People must see what became of an action, and of the one that it takes back.
fn acted(state: &mut TenantState, id: ActionId, seq: u64) {
    let incident_of = |act: &Act| state.incidents.resolve(act.manifest.incident_id);
    let act = state.acts.get(id);
    let released = act.and_then(Act::releases);
    let released = released.and_then(|id| state.acts.get(id));
    let incidents: BTreeSet<_> = act.into_iter().chain(released).map(incident_of).collect();
    for incident in incidents {
        changed(state, incident, seq);
    }
}

/// A call that was not made after all does not count.
fn not_called(state: &mut TenantState, failure: Failure, at: Timestamp) {
    let made = match failure {
        Failure::BreakerOpen | Failure::OverBudget => false,
        Failure::ParseError
        | Failure::TimedOut
        | Failure::Unreachable
        | Failure::Refused
        | Failure::Lost => true,
    };
    if !made && state.reviews.day == day(at) {
        state.reviews.calls = state.reviews.calls.saturating_sub(1);
    }
}

/// Gives an alert its incident. Incidents that turn out to be part of it end, and their messages say so.
fn place(
    state: &mut TenantState,
    (alert_id, verdict): (AlertId, Verdict),
    placed: Option<&Placement>,
    at: Timestamp,
) {
    let Some(placed) = placed else { return };
    let seq = state.next_seq.saturating_sub(1);
    for id in &placed.absorbed {
        if let Some(absorbed) = state.incidents.get(*id) {
            let absorbed = absorbed.clone();
            let telling = Arc::make_mut(&mut state.telling);
            telling.ended(absorbed, ClosedBecause::Absorbed, seq);
        }
    }
    let incidents = Arc::make_mut(&mut state.incidents);
    let arrival = Arrival {
        alert_id,
        verdict,
        at,
    };
    incidents.apply(arrival, placed, &Window::default());
    let takes_over = !placed.absorbed.is_empty();
    if takes_over {
        changed(state, placed.incident_id, seq);
    }
}

fn end(state: &mut TenantState, closed: &IncidentClosed, seq: u64) {
    let incidents = Arc::make_mut(&mut state.incidents);
    // One that was absorbed has ended with the alert that showed it.
    if let Some(incident) = incidents.get(closed.incident_id).cloned() {
        incidents.close(closed.incident_id);
        Arc::make_mut(&mut state.telling).ended(incident, closed.reason, seq);
    }
}

/// What becomes of a proposal.
fn approval(state: &mut TenantState, event: &Event, when: (u64, Timestamp)) {
    let (about, standing) = match event {
        Event::ApprovalRequested(requested) => return propose(state, requested, when),
        Event::ApprovalGiven(given) => {
            let mut approved_by = approvers(state, given.facts.about.action_id);
            approved_by.push(given.facts.person_id.clone());
            (&given.facts.about, Standing::Waiting { approved_by })
        }
        Event::ApprovalGranted(granted) => {
            let by = granted.facts.approvers.clone();
            approve(state, &granted.facts, when.1);
            (&granted.facts.about, Standing::Approved { by })
        }
        Event::ApprovalDenied(denied) => {
            let by = denied.facts.person_id.clone();
            (&denied.facts.about, Standing::Denied { by })
        }
        Event::ApprovalExpired(expired) => (&expired.facts.about, Standing::Expired),
        _ => return,
    };
    settle(state, about.action_id, standing, when);
}

fn approve(state: &mut TenantState, granted: &ApprovalGranted, at: Timestamp) {
    if let Some(proposed) = state.proposals.get(granted.about.action_id) {
        let acts = Arc::make_mut(&mut state.acts);
        acts.approve(&proposed.manifest, granted, at);
    }
}

fn propose(state: &mut TenantState, requested: &ApprovalRequested, (seq, at): (u64, Timestamp)) {
    Arc::make_mut(&mut state.proposals).add(requested, at);
    changed(state, requested.manifest.incident_id, seq);
}

fn settle(state: &mut TenantState, id: ActionId, standing: Standing, (seq, at): (u64, Timestamp)) {
    let incident = state.proposals.get(id).map(|one| one.manifest.incident_id);
    Arc::make_mut(&mut state.proposals).stands(id, standing, at);
    if let Some(incident) = incident {
        changed(state, incident, seq);
    }
}

fn changed(state: &mut TenantState, incident: IncidentId, seq: u64) {
    let id = state.incidents.resolve(incident);
    Arc::make_mut(&mut state.telling).changed(id, seq);
}

fn approvers(state: &TenantState, id: ActionId) -> Vec<crate::ids::PersonId> {
    let proposed = state.proposals.get(id);
    proposed
        .map(|one| one.approvers().to_vec())
        .unwrap_or_default()
}

fn shown(state: &mut TenantState, sent: &NotifySent) {
    let seq = state.next_seq.saturating_sub(1);
    Arc::make_mut(&mut state.telling).sent(sent, seq);
}

fn not_shown(state: &mut TenantState, id: IncidentId, at: Timestamp) {
    Arc::make_mut(&mut state.telling).failed(id, at);
}

fn fell_back(state: &mut TenantState, fallback: &NotifyFallback, at: Timestamp) {
    let telling = Arc::make_mut(&mut state.telling);
    if let Some(told) = telling.state_mut(fallback.incident_id) {
        told.take_fallback(fallback, at);
    }
    let of = fallback.expired.filter(|_| fallback.reason.is_call());
    if let Some(of) = of.filter(|_| !fallback.via.is_empty()) {
        acts(state).tell_call(fallback.reason, of);
    }
}

fn breach(state: &mut TenantState, incident: IncidentId) {
    if let Some(told) = Arc::make_mut(&mut state.telling).state_mut(incident) {
        told.breach();
    }
}

fn bump(count: &mut u64) {
    *count = count.saturating_add(1);
}
