//! Deciding about a proposed action: once, by a person who may, about exactly what was shown, in time.
//! Whoever tries and may not is written down as well.

use super::{TenantState, proposals::Proposed};
use crate::{
    ids::PersonId,
    notice::Standing,
    protocol::{
        About, ActionTop, ApprovalDenied, ApprovalExpired, ApprovalGiven, ApprovalGranted,
        ApprovalRefused, BreakGlass, Decide, Decided, Event, NotDecided, PolicySaid, Ruling, Verb,
        Via,
    },
    time::Timestamp,
};

/// What follows from a decision: the decision itself, or the refusal of it.
pub(super) fn decide(state: &TenantState, command: &Decide, now: Timestamp) -> Event {
    let named = state
        .proposals
        .named(command.alert_id, command.shown.as_deref());
    let proposed = match named {
        Ok(proposed) => proposed,
        Err(why) => return refused(None, command, why),
    };
    match counted(state, proposed, command, now) {
        Ok(event) => event,
        Err(why) => refused(Some(proposed), command, why),
    }
}

/// What must hold whatever the policies say; also asked before they are, to spare them.
///
/// # Errors
/// Why the decision cannot count.
pub fn may_decide<'a>(
    state: &TenantState,
    proposed: &Proposed,
    command: &'a Decide,
    now: Timestamp,
) -> Result<&'a PersonId, NotDecided> {
    if let Some(barred) = command.barred {
        return Err(barred);
    }
    let person = command.person.as_ref().ok_or(NotDecided::NotAPerson)?;
    if !proposed.is_waiting() {
        return Err(match proposed.standing {
            Standing::Expired => NotDecided::Expired,
            Standing::Waiting { .. } | Standing::Approved { .. } | Standing::Denied { .. } => {
                NotDecided::AlreadyDecided
            }
        });
    }
    if now > proposed.manifest.expires_at_ms {
        return Err(NotDecided::Expired);
    }
    came_from_its_message(state, proposed, &command.via)?;
    if command.verb == Verb::Deny {
        return Ok(person);
    }
    if proposed.manifest.proposed_by == format!("person:{person}") {
        return Err(NotDecided::SelfApproval);
    }
    // Whoever breaks the glass may have said yes before: it is the second person that is skipped.
    if command.verb == Verb::Approve && proposed.approvers().contains(person) {
        return Err(NotDecided::SamePerson);
    }
    let incident = state.incidents.resolve(proposed.manifest.incident_id);
    let named = command
        .incident_id
        .map(|named| state.incidents.resolve(named));
    if command.verb == Verb::BreakGlass && named != Some(incident) {
        return Err(NotDecided::WrongIncident);
    }
    Ok(person)
}

/// A press counts only from the message that shows the proposal now.
fn came_from_its_message(
    state: &TenantState,
    proposed: &Proposed,
    via: &Via,
) -> Result<(), NotDecided> {
    let Via::Chat {
        channel_id,
        message_id,
        ..
    } = via
    else {
        return Ok(());
    };
    let incident = state.incidents.resolve(proposed.manifest.incident_id);
    let told = state.telling.get(incident);
    let shown = told.and_then(|told| told.state.message.as_ref());
    match shown {
        // It was sent and the word of that is still on its way: the digest alone has to do.
        None => Ok(()),
        Some(shown) => {
            let same =
                shown.channel_id == *channel_id && message_id.as_ref() == Some(&shown.message_id);
            same.then_some(()).ok_or(NotDecided::WrongMessage)
        }
    }
}

fn counted(
    state: &TenantState,
    proposed: &Proposed,
    command: &Decide,
    now: Timestamp,
) -> Result<Event, NotDecided> {
    let person = may_decide(state, proposed, command, now)?.clone();
    match (command.verb, &command.ruling) {
        (_, Ruling::NotAsked | Ruling::Denied(_)) => Err(NotDecided::PolicyDenied),
        (Verb::Deny, Ruling::Counts(policy) | Ruling::Suffices { policy, .. }) => {
            denied(proposed, command, person, policy)
        }
        (Verb::Approve | Verb::BreakGlass, Ruling::Counts(policy)) => {
            Ok(given(proposed, command, person, policy))
        }
        (Verb::Approve | Verb::BreakGlass, Ruling::Suffices { policy, jws }) => {
            let jws = jws.clone().ok_or(NotDecided::Unsigned)?;
            granted(proposed, command, person, (policy, jws))
        }
    }
}

fn about(proposed: &Proposed) -> About {
    About {
        action_id: proposed.manifest.action_id,
        manifest_sha256: proposed.digest,
    }
}

fn decided<T>(proposed: &Proposed, approved_by: Option<String>, facts: T) -> Decided<T> {
    Decided {
        alert_id: proposed.manifest.alert_id,
        action: ActionTop {
            approved_by,
            ..ActionTop::of(&proposed.manifest)
        },
        facts,
    }
}

fn denied(
    proposed: &Proposed,
    command: &Decide,
    person_id: PersonId,
    policy: &PolicySaid,
) -> Result<Event, NotDecided> {
    let reason = command.reason.clone().ok_or(NotDecided::PolicyDenied)?;
    let facts = ApprovalDenied {
        about: about(proposed),
        person_id,
        via: command.via.clone(),
        reason,
        policy: policy.clone(),
    };
    Ok(Event::ApprovalDenied(decided(proposed, None, facts)))
}

fn given(proposed: &Proposed, command: &Decide, person_id: PersonId, policy: &PolicySaid) -> Event {
    let before = u32::try_from(command.earlier.len()).unwrap_or(u32::MAX);
    let facts = ApprovalGiven {
        about: about(proposed),
        person_id,
        via: command.via.clone(),
        approvals: before.saturating_add(1),
        policy: policy.clone(),
    };
    Event::ApprovalGiven(decided(proposed, None, facts))
}

fn granted(
    proposed: &Proposed,
    command: &Decide,
    person: PersonId,
    (policy, jws): (&PolicySaid, String),
) -> Result<Event, NotDecided> {
    let break_glass = match (command.verb, command.incident_id, &command.reason) {
        (Verb::BreakGlass, Some(incident_id), Some(reason)) => Some(BreakGlass {
            incident_id,
            reason: reason.clone(),
        }),
        (Verb::BreakGlass, _, _) => return Err(NotDecided::WrongIncident),
        (Verb::Approve | Verb::Deny, _, _) => None,
    };
    let last = format!("person:{person}");
    let mut approvers = command.earlier.clone();
    if !approvers.contains(&person) {
        approvers.push(person);
    }
    let facts = ApprovalGranted {
        about: about(proposed),
        approvers,
        via: command.via.clone(),
        policy: policy.clone(),
        break_glass,
        jws,
    };
    Ok(Event::ApprovalGranted(decided(proposed, Some(last), facts)))
}

fn refused(proposed: Option<&Proposed>, command: &Decide, why: NotDecided) -> Event {
    let policy = match (&command.ruling, why) {
        (Ruling::Denied(policy), NotDecided::PolicyDenied) => Some(policy.clone()),
        _ => None,
    };
    Event::ApprovalRefused(ApprovalRefused {
        action_id: proposed.map(|one| one.manifest.action_id),
        alert_id: command.alert_id,
        verb: command.verb,
        person_id: command.person.clone(),
        via: command.via.clone(),
        why,
        policy,
    })
}

/// Nobody decided in time.
pub(super) fn expired(proposed: &Proposed) -> Event {
    let facts = ApprovalExpired {
        about: about(proposed),
    };
    Event::ApprovalExpired(decided(proposed, None, facts))
}
