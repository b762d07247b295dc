//! What follows from a verdict: an incident, and proposals of what to do.

use std::collections::BTreeSet;

use super::{TenantState, WAITING_MAX, proposals::place};
use crate::{
    action::{self, ActionManifest, MANIFEST_VERSION},
    ids::{ActionId, AlertId, IncidentId},
    incident::{Arrival, Incident, Placement},
    protocol::{
        AlertClosed, AlertReviewed, ApprovalNotRequested, ApprovalRequested, CallFailed, Case,
        ClosedBecause, Event, IncidentClosed, IncidentOpened, IncidentRaised, RecordReview,
        RecordVerdict, Refusal, Stage2, Terms,
    },
    review::ReviewedBy,
    time::Timestamp,
    triage::{Band, Verdict},
};

/// The least verdict that calls for an action, whatever a playbook says.
const PROPOSES_FROM: Verdict = Verdict::High;

/// Of the proposals that may wait, those that only a CRITICAL alert may add.
const KEPT_FOR_CRITICAL: usize = 128;

/// The most proposals of one incident that may wait.
const WAITING_MAX_OF_INCIDENT: usize = 64;

/// Milliseconds of a day; the budget of stage 2 begins anew with each (UTC).
const DAY_MS: u64 = 86_400_000;

/// Which day it is, counted from the epoch.
pub(super) const fn day(at: Timestamp) -> u64 {
    at.ms() / DAY_MS
}

/// Stage 1 has spoken: the last word, or stage 2 is asked.
pub(super) fn record(
    state: &TenantState,
    command: RecordVerdict,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    let RecordVerdict {
        alert_id,
        mut triaged,
        daily_calls,
        case,
    } = command;
    if !state.untriaged.contains_key(&alert_id) {
        return Err(Refusal::NotAwaitingVerdict);
    }
    if triaged.assessment.band == Band::Stage2 {
        let asked = stage2(state, daily_calls, now);
        triaged.stage2 = Some(asked);
        if asked == Stage2::Asked {
            return Ok(vec![Event::AlertTriaged { alert_id, triaged }]);
        }
    }
    triaged.enriched.clone_from(&case.enriched);
    let verdict = triaged.assessment.verdict;
    triaged.placed = placed(state, (alert_id, verdict), &case, now);
    let mut follow = follow(
        state,
        (alert_id, verdict),
        triaged.placed.as_ref(),
        &case,
        now,
    );
    follow.extend(close_if_harmless(alert_id, verdict));
    let mut events = vec![Event::AlertTriaged { alert_id, triaged }];
    events.append(&mut follow);
    Ok(events)
}

/// Stage 2 has spoken, or has failed to.
pub(super) fn review(
    state: &TenantState,
    command: RecordReview,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    let RecordReview {
        alert_id,
        outcome,
        model,
        case,
    } = command;
    if !state.in_review.contains_key(&alert_id) {
        return Err(Refusal::NotAwaitingVerdict);
    }
    let verdict = outcome.verdict;
    let mut events = Vec::new();
    if let Some(failure) = outcome.failure {
        let model = model.clone();
        let failed = CallFailed { failure, model };
        events.push(Event::CallFailed { alert_id, failed });
    }
    let placed = placed(state, (alert_id, verdict), &case, now);
    let mut follow = follow(state, (alert_id, verdict), placed.as_ref(), &case, now);
    if outcome.by == ReviewedBy::Model {
        rest_on_a_model(&mut follow);
    }
    let reviewed = AlertReviewed {
        verdict,
        confidence_bp: outcome.confidence_bp,
        by: outcome.by,
        model,
        placed,
        enriched: case.enriched,
    };
    events.push(Event::AlertReviewed { alert_id, reviewed });
    events.append(&mut follow);
    events.extend(close_if_harmless(alert_id, verdict));
    Ok(events)
}

/// What rests on a model's word alone is a suspicion to the policies, however bad the incident is held to be:
/// two people have to look at it.
fn rest_on_a_model(events: &mut [Event]) {
    for event in events {
        if let Event::ApprovalRequested(requested) = event {
            requested.verdict = Verdict::Medium;
        }
    }
}

fn stage2(state: &TenantState, daily_calls: Option<u32>, now: Timestamp) -> Stage2 {
    let Some(most) = daily_calls else {
        return Stage2::Off;
    };
    if state.reviews.made_on(day(now)) < most {
        Stage2::Asked
    } else {
        Stage2::OverBudget
    }
}

/// What is benign belongs to no incident.
fn placed(
    state: &TenantState,
    (alert_id, verdict): (AlertId, Verdict),
    case: &Case,
    at: Timestamp,
) -> Option<Placement> {
    let arrival = Arrival {
        alert_id,
        verdict,
        at,
    };
    let facts = case.facts.clone();
    let placed = || state.incidents.place(arrival, case.incident_id, facts);
    (verdict != Verdict::Benign).then(placed)
}

fn close_if_harmless(alert_id: AlertId, verdict: Verdict) -> Option<Event> {
    let reason = match verdict {
        Verdict::Benign => "benign",
        Verdict::Low => "low",
        Verdict::Medium | Verdict::High | Verdict::Critical => return None,
    };
    let closed = AlertClosed {
        reason: reason.into(),
    };
    Some(Event::AlertClosed { alert_id, closed })
}

/// What happens to the incident, and what is proposed.
fn follow(
    state: &TenantState,
    (alert_id, verdict): (AlertId, Verdict),
    placed: Option<&Placement>,
    case: &Case,
    now: Timestamp,
) -> Vec<Event> {
    let Some(placed) = placed else {
        return Vec::new();
    };
    let incident_id = placed.incident_id;
    let mut events = Vec::new();
    for absorbed in &placed.absorbed {
        if state
            .incidents
            .get(*absorbed)
            .is_some_and(Incident::visible)
        {
            events.push(Event::IncidentClosed(IncidentClosed {
                incident_id: *absorbed,
                reason: ClosedBecause::Absorbed,
                into: Some(incident_id),
            }));
        }
    }
    events.extend(grown(state, alert_id, placed));
    let about = About {
        alert_id,
        incident_id,
        verdict,
    };
    events.extend(wanted(state, case, &about, now));
    events
}

/// The incident opens to people's eyes, or gets worse.
fn grown(state: &TenantState, alert_id: AlertId, placed: &Placement) -> Option<Event> {
    let (incident_id, level) = (placed.incident_id, placed.level);
    if level.rank() < Verdict::Medium.rank() {
        return None;
    }
    let before = state.incidents.get(incident_id);
    let before = before.filter(|one| one.visible()).map(|one| one.level);
    match before {
        None => Some(Event::IncidentOpened {
            alert_id,
            opened: IncidentOpened { incident_id, level },
        }),
        Some(from) if level.rank() > from.rank() => Some(Event::IncidentRaised {
            alert_id,
            raised: IncidentRaised {
                incident_id,
                from,
                level,
                raised_by: placed.raised_by,
            },
        }),
        Some(_) => None,
    }
}

/// What is proposed: nothing twice, and no more than may wait. What is left out for want of room is said.
fn wanted(state: &TenantState, case: &Case, about: &About, now: Timestamp) -> Vec<Event> {
    let mut events = Vec::new();
    if about.verdict.rank() < PROPOSES_FROM.rank() {
        return events;
    }
    let mut left = None;
    let mut places = BTreeSet::new();
    for (action_id, draft) in &case.drafts {
        let place = place(draft.action_type, &draft.target_urn, &draft.parameters);
        let (verdict, acts) = (about.verdict, &state.acts);
        let worth = state.proposals.is_worth(&place, verdict, acts, now);
        if !worth || places.contains(&place) {
            continue;
        }
        let left = left.get_or_insert_with(|| room(state, about));
        if *left == 0 {
            events.push(not_requested(about, draft));
            continue;
        }
        if let Some(event) = requested(about, (*action_id, draft), case, now) {
            events.push(event);
            places.insert(place);
            *left = left.saturating_sub(1);
        }
    }
    events
}

fn not_requested(about: &About, draft: &action::Draft) -> Event {
    Event::ApprovalNotRequested {
        alert_id: about.alert_id,
        left_out: ApprovalNotRequested {
            incident_id: about.incident_id,
            action_type: draft.action_type,
            target_urn: draft.target_urn.clone(),
            verdict: about.verdict,
        },
    }
}

/// How many more may wait. Some places are kept for CRITICAL, and one incident has no more than its share, so
/// that a flood that somebody sets off elsewhere keeps nobody from being asked about the worst.
fn room(state: &TenantState, about: &About) -> usize {
    let kept = match about.verdict {
        Verdict::Critical => 0,
        Verdict::High | Verdict::Medium | Verdict::Low | Verdict::Benign => KEPT_FOR_CRITICAL,
    };
    let waiting = state.proposals.iter().filter(|one| one.is_waiting());
    let of_incident = waiting
        .filter(|one| state.incidents.resolve(one.manifest.incident_id) == about.incident_id);
    let left = WAITING_MAX
        .saturating_sub(kept)
        .saturating_sub(state.proposals.waiting());
    left.min(WAITING_MAX_OF_INCIDENT.saturating_sub(of_incident.count()))
}

struct About {
    alert_id: AlertId,
    incident_id: IncidentId,
    verdict: Verdict,
}

fn requested(
    about: &About,
    (action_id, draft): (ActionId, &action::Draft),
    case: &Case,
    now: Timestamp,
) -> Option<Event> {
    let Terms {
        tenant_id,
        approval_ms,
        dry_run,
        policy_sha256,
        ..
    } = &case.terms;
    let manifest = ActionManifest {
        manifest_version: MANIFEST_VERSION,
        action_id,
        tenant_id: tenant_id.clone(),
        alert_id: about.alert_id,
        incident_id: about.incident_id,
        vendor: case.facts.vendor,
        action_type: draft.action_type,
        target_urn: draft.target_urn.clone(),
        host: case.facts.host.as_deref().and_then(action::shown_host),
        parameters: draft.parameters.clone(),
        dry_run: *dry_run,
        on_expiry: draft.on_expiry,
        hold_minutes: draft.hold_minutes,
        playbook: draft.playbook.clone(),
        playbook_sha256: draft.playbook_sha256,
        policy_sha256: *policy_sha256,
        protected: draft.protected.clone(),
        proposed_by: "service:triage".into(),
        proposed_at_ms: now,
        expires_at_ms: now.plus_ms(*approval_ms),
        release: None,
    };
    // A manifest has nothing that JSON cannot hold; without a digest nothing could be approved.
    let manifest_sha256 = manifest.digest().ok()?;
    Some(Event::ApprovalRequested(Box::new(ApprovalRequested {
        manifest,
        manifest_sha256,
        verdict: about.verdict,
    })))
}
