//! For what people are called, however well chat works: an action of which nobody can tell what it did, one
//! that was approved and not done, a containment that could not be taken back, that is over, or that was
//! released behind our back, and a clock that was set.

use std::sync::Arc;

use vyrox_domain::{
    action::OnExpiry,
    containment::{Act, OutcomeKind, Stage, Withheld},
    ids::{ActionId, TenantId},
    notice::Notice,
    protocol::Event,
    sla::{Expiry, FallbackReason, NoticeState},
    tenant::TenantState,
    triage::Verdict,
};

use super::super::Machine;
use crate::notifier::Call;

/// Calls that wait for the notifier; more than these are made when their incident is handed over anew.
const WAITING_MAX: usize = 256;

impl Machine {
    /// Has somebody called for what these events say of actions, once that is durable.
    pub(in super::super) fn call_for_acts(&mut self, events: &[Event]) {
        let Some(taker) = &self.taker else { return };
        let (state, name) = (&taker.state, &self.parts.keys.tenant);
        let last = state.next_seq.saturating_sub(1);
        let newest = || state.acts.iter().last().map(|(id, _)| id);
        for event in events {
            let id = match event {
                Event::ActOutcome(it) => Some(it.facts.about.action_id),
                Event::ActWithheld(it) => Some(it.facts.about.action_id),
                Event::ActDrifted(it) => Some(it.facts.about.action_id),
                Event::HoldEnded(it) => Some(it.facts.about.action_id),
                Event::ClockJumped(_) => newest(),
                _ => None,
            };
            let Some((id, act)) = id.and_then(|id| Some((id, state.acts.get(id)?))) else {
                continue;
            };
            let reason = match event {
                Event::ClockJumped(_) => Some(FallbackReason::ClockJumped),
                Event::ActOutcome(_) | Event::ActWithheld(_) => failed(act),
                _ => reason(act),
            };
            let room = self.handed.calls.len() < WAITING_MAX;
            if let Some(reason) = reason.filter(|_| room) {
                let call = call(state, name, (id, act), reason);
                self.handed.calls.push((last, call));
            }
        }
    }

    /// Calls that nobody has had yet, as far as the chain tells.
    pub(in super::super) fn calls_untold(&self) -> Vec<(u64, Call)> {
        let Some(taker) = &self.taker else {
            return Vec::new();
        };
        let (state, name) = (&taker.state, &self.parts.keys.tenant);
        let outside = &self.parts.world.outside;
        let ways = outside.pager.is_some() || outside.mailer.is_some();
        let acts = &state.acts;
        let due = acts
            .iter()
            .filter_map(|(id, act)| Some((id, act, reason(act)?)));
        let clock = acts.held_at().and_then(|at| {
            let known =
                |(_, act): (ActionId, &Act)| act.knows_call(FallbackReason::ClockJumped, at);
            let newest = acts.iter().last().filter(|_| !acts.iter().any(known));
            newest.map(|(id, act)| (id, act, FallbackReason::ClockJumped))
        });
        let calls = due.chain(clock).filter_map(|(id, act, reason)| {
            let incident = state.incidents.resolve(act.manifest.incident_id);
            let heard = ways || state.telling.get(incident).is_some();
            let call = call(state, name, (id, act), reason);
            (heard && !is_known(act, &call)).then_some((0, call))
        });
        calls.take(WAITING_MAX).collect()
    }

    /// Leaves word of an action that is under way, for the case that this machine is given up.
    pub(in super::super) fn show_under_way(&self) {
        let Some(taker) = &self.taker else { return };
        let mut acts = taker.state.acts.iter().map(|(_, act)| act);
        let under_way = acts.find(|act| {
            let begun = matches!(act.stage, Stage::Approved | Stage::Begun { .. });
            begun || act.is_open()
        });
        let notice = under_way.map(|act| Arc::new(alone(&self.parts.keys.tenant, act)));
        self.parts.under_way.store(notice);
    }

    /// Has somebody called for a containment whose time is over and that can't be taken back as things stand.
    pub(super) fn call_for_lift(&mut self, id: ActionId) {
        let Some(taker) = &self.taker else { return };
        let (state, name) = (&taker.state, &self.parts.keys.tenant);
        let Some(act) = state.acts.get(id) else {
            return;
        };
        let call = call(state, name, (id, act), FallbackReason::ReleaseFailed);
        if !is_known(act, &call) && self.handed.calls.len() < WAITING_MAX {
            self.handed.calls.push((0, call));
        }
    }
}

/// Whether somebody was called for just that, as far as the chain tells.
fn is_known(act: &Act, call: &Call) -> bool {
    let (reason, of) = (call.reason, call.of);
    act.knows_call(reason, of.at) || call.stood.knows_call(reason, of)
}

/// Why somebody has to be called for an action as it stands.
fn reason(act: &Act) -> Option<FallbackReason> {
    if act.drifted_at.is_some() {
        return Some(FallbackReason::Drifted);
    }
    let over = act.hold_ended_at.is_some() && act.on_expiry() == OnExpiry::Ask;
    if over && act.is_effective() && act.undoing.is_none() {
        return Some(FallbackReason::HoldEnded);
    }
    failed(act)
}

/// Why somebody has to be called for its outcome, or because it never began.
fn failed(act: &Act) -> Option<FallbackReason> {
    // Whoever asked for it from outside is told by the answer.
    let answered = act.claim.is_some();
    let came_to_nothing = if act.is_release() {
        // What was none of ours leaves nothing of ours in force: anybody's key could call people for such.
        let nobodys = answered && act.releases().is_none();
        (!nobodys).then_some(FallbackReason::ReleaseFailed)
    } else {
        (!answered).then_some(FallbackReason::NotDone)
    };
    let outcome = match act.stage {
        Stage::Done { outcome } => outcome,
        Stage::Withheld { why } => {
            let by = act.approved_by.as_deref();
            let from_outside = by.is_some_and(|by| by.starts_with("external:"));
            // What is so already is what people wanted.
            let wanted = why != Withheld::InForce && !from_outside;
            return came_to_nothing.filter(|_| wanted);
        }
        Stage::Approved | Stage::Begun { .. } | Stage::Undone { .. } => return None,
    };
    match outcome {
        OutcomeKind::Unknown if !act.is_release() => Some(FallbackReason::OutcomeUnknown),
        OutcomeKind::Unknown | OutcomeKind::Refused | OutcomeKind::Unreachable => came_to_nothing,
        OutcomeKind::Executed
        | OutcomeKind::Accepted
        | OutcomeKind::AlreadySo
        | OutcomeKind::DryRun => None,
    }
}

fn call(
    state: &TenantState,
    name: &TenantId,
    (action_id, act): (ActionId, &Act),
    reason: FallbackReason,
) -> Call {
    let incident = state.incidents.resolve(act.manifest.incident_id);
    let shown = state.shown(name, incident);
    let (notice, stood) = shown.unwrap_or_else(|| {
        let mut stood = NoticeState::new(act.since);
        for (reason, at) in &act.called {
            let of = Expiry { at: *at, action_id };
            stood.tell_call(*reason, of);
        }
        (alone(name, act), stood)
    });
    let since = match reason {
        FallbackReason::HoldEnded => act.hold_ended_at,
        FallbackReason::ReleaseFailed if !act.is_release() => act.hold_ended_at,
        FallbackReason::Drifted => act.drifted_at,
        FallbackReason::ClockJumped => state.acts.held_at(),
        _ => None,
    };
    Call {
        reason,
        of: Expiry {
            at: since.unwrap_or(act.since),
            action_id,
        },
        notice,
        stood,
    }
}

/// A notice of an action that belongs to no incident that is known.
fn alone(name: &TenantId, act: &Act) -> Notice {
    let manifest = &act.manifest;
    let host = manifest.host.as_ref().unwrap_or(&manifest.target_urn);
    Notice {
        tenant_id: name.clone(),
        incident_id: vyrox_domain::ids::IncidentId(manifest.action_id.0),
        revision: 1,
        level: Verdict::High,
        title: manifest.action_type.to_string(),
        vendor: manifest.vendor,
        hosts: vec![host.clone()],
        host_count: 1,
        reasons: Vec::new(),
        tactics: Vec::new(),
        techniques: Vec::new(),
        alerts: 1,
        folded: 0,
        linked_by: Vec::new(),
        storm: false,
        opened_at: manifest.proposed_at_ms,
        last_at: act.since,
        proposals: Vec::new(),
        closed: None,
        quietly: false,
        lead_alert: manifest.alert_id,
    }
}
