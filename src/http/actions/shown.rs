//! One action as the API shows it, by itself or with its proposal. The signed manifest itself stands on the
//! chain.

use std::collections::BTreeMap;

use serde::Serialize;
use vyrox_domain::{
    action::{OnExpiry, Release, short},
    containment::{Act, Manner, OutcomeKind, Stage, Withheld},
    ids::{ActionId, AlertId, IncidentId, TenantId},
    notice::ActShown,
    time::Timestamp,
};

/// Times are milliseconds since the epoch; a member that says nothing yet is null.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    action_id: ActionId,
    tenant_id: &'a TenantId,
    alert_id: AlertId,
    incident_id: IncidentId,
    vendor: &'static str,
    action_type: &'static str,
    target_urn: &'a str,
    host: Option<&'a str>,
    parameters: &'a BTreeMap<String, String>,
    protected: Option<&'a str>,
    dry_run: bool,
    playbook: &'a str,
    proposed_by: &'a str,
    approved_by: Option<&'a str>,
    manifest_sha256: String,
    manifest_short: String,
    release: Option<Release>,
    #[serde(flatten)]
    standing: Standing,
    since_ms: Timestamp,
    drives: u32,
    observed: Option<&'a str>,
    reference: Option<&'a str>,
    why: Option<&'a str>,
    request_id: Option<&'a str>,
    hold_minutes: u32,
    on_expiry: OnExpiry,
    in_force: bool,
    in_force_since_ms: Option<Timestamp>,
    hold_ends_at_ms: Option<Timestamp>,
    hold_ended_at_ms: Option<Timestamp>,
    drifted_at_ms: Option<Timestamp>,
    undoing: Option<ActionId>,
}

/// What became of a proposed action, as its incident shows it.
#[derive(Serialize)]
pub(in crate::http) struct Became<'a> {
    #[serde(flatten)]
    standing: Standing,
    since_ms: Timestamp,
    approved_by: Option<&'a str>,
    release: Option<Release>,
    observed: Option<&'a str>,
    why: Option<&'a str>,
    hold_ends_at_ms: Option<Timestamp>,
    hold_ended: bool,
    drifted: bool,
    undoing: Option<ActionId>,
}

impl<'a> Became<'a> {
    pub(in crate::http) fn of(act: &'a ActShown) -> Self {
        Self {
            standing: Standing::of(act.stage, act.manner),
            since_ms: act.since,
            approved_by: act.approved_by.as_deref(),
            release: act.release,
            observed: act.observed.as_deref(),
            why: act.why.as_deref(),
            hold_ends_at_ms: act.hold_ends_at,
            hold_ended: act.hold_ended,
            drifted: act.drifted,
            undoing: act.undoing.map(|(id, _)| id),
        }
    }
}

/// [`Stage`] in members that are always there.
#[derive(Serialize)]
struct Standing {
    stage: &'static str,
    manner: Option<Manner>,
    outcome: Option<OutcomeKind>,
    withheld: Option<Withheld>,
    undone_by: Option<ActionId>,
}

impl<'a> Shown<'a> {
    pub(super) fn of(action_id: ActionId, act: &'a Act) -> Self {
        let manifest = &act.manifest;
        Self {
            action_id,
            tenant_id: &manifest.tenant_id,
            alert_id: manifest.alert_id,
            incident_id: manifest.incident_id,
            vendor: manifest.vendor.as_str(),
            action_type: manifest.action_type.as_str(),
            target_urn: &manifest.target_urn,
            host: manifest.host.as_deref(),
            parameters: &manifest.parameters,
            protected: manifest.protected.as_deref(),
            dry_run: manifest.dry_run,
            playbook: &manifest.playbook,
            proposed_by: &manifest.proposed_by,
            approved_by: act.approved_by.as_deref(),
            manifest_sha256: act.digest.to_hex(),
            manifest_short: short(&act.digest),
            release: manifest.release,
            standing: Standing::of(act.stage, act.manner),
            since_ms: act.since,
            drives: act.drives,
            observed: act.observed.as_deref(),
            reference: act.reference.as_deref(),
            why: act.why.as_deref(),
            request_id: act.claim.as_ref().map(|claim| claim.request_id.as_str()),
            hold_minutes: manifest.hold_minutes,
            on_expiry: manifest.on_expiry,
            in_force: act.is_in_force(),
            in_force_since_ms: act.in_force_since,
            hold_ends_at_ms: act.hold_ends_at(),
            hold_ended_at_ms: act.hold_ended_at,
            drifted_at_ms: act.drifted_at,
            undoing: act.undoing,
        }
    }
}

impl Standing {
    fn of(stage: Stage, manner: Option<Manner>) -> Self {
        let bare = |stage| Self {
            stage,
            manner,
            outcome: None,
            withheld: None,
            undone_by: None,
        };
        match stage {
            Stage::Approved => bare("approved"),
            Stage::Withheld { why } => Self {
                withheld: Some(why),
                ..bare("withheld")
            },
            Stage::Begun { manner } => Self {
                manner: Some(manner),
                ..bare("begun")
            },
            Stage::Done { outcome } => Self {
                outcome: Some(outcome),
                ..bare("done")
            },
            Stage::Undone { by } => Self {
                undone_by: Some(by),
                ..bare("undone")
            },
        }
    }
}
