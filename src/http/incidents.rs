//! Incidents as people read them, from the tenant's machine.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web::Path};
use serde::Serialize;
use vyrox_domain::{
    action::short,
    ids::{ActionId, AlertId, IncidentId, TenantId},
    notice::{Notice, Proposal, Standing},
};

use super::{
    Shared,
    actions::Became,
    decisions::no_answer,
    problem::{Answer, Code, Problem},
    reading,
};

/// `GET /api/v1/incidents?tenant_id=T[&limit=N]`: those that people had to hear of and that are open,
/// the last ones first.
pub(super) async fn list(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    let (tenant, limit) = reading::many(&request, &edge)?;
    let notices = edge.desk().incidents(&tenant, None, limit).await;
    let notices = notices.map_err(|why| no_answer(&why))?;
    let incidents: Vec<_> = notices.iter().map(Incident::of).collect();
    Ok(HttpResponse::Ok().json(serde_json::json!({ "incidents": incidents })))
}

/// `GET /api/v1/incidents/{incident}?tenant_id=T`
pub(super) async fn show(
    request: HttpRequest,
    edge: Shared,
    incident: Path<String>,
) -> Answer<HttpResponse> {
    let tenant = reading::one(&request, &edge)?;
    let missing = || Problem::new(Code::IncidentNotFound);
    let id: IncidentId = incident.parse().map_err(|_not_one| missing())?;
    let notices = edge.desk().incidents(&tenant, Some(id), 1).await;
    let notice = notices.map_err(|why| no_answer(&why))?.into_iter().next();
    let notice = notice.ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(Incident::of(&notice)))
}

/// An incident as the API shows it.
#[derive(Serialize)]
struct Incident<'a> {
    #[serde(rename = "incident_id")]
    id: IncidentId,
    tenant_id: &'a TenantId,
    level: &'static str,
    title: &'a str,
    vendor: &'static str,
    hosts: &'a [String],
    host_count: u64,
    reasons: &'a [String],
    tactics: &'a [String],
    techniques: &'a [String],
    alerts: u64,
    folded: u64,
    linked_by: &'a [String],
    storm: bool,
    opened_at_ms: u64,
    last_at_ms: u64,
    closed: Option<&'a str>,
    lead_alert: AlertId,
    proposals: Vec<Shown<'a>>,
}

#[derive(Serialize)]
struct Shown<'a> {
    action_id: ActionId,
    alert_id: AlertId,
    action_type: &'static str,
    target_urn: &'a str,
    parameters: &'a BTreeMap<String, String>,
    host: Option<&'a str>,
    dry_run: bool,
    protected: Option<&'a str>,
    hold_minutes: u32,
    manifest_sha256: String,
    manifest_short: String,
    expires_at_ms: u64,
    #[serde(flatten)]
    standing: &'a Standing,
    act: Option<Became<'a>>,
}

impl<'a> Incident<'a> {
    fn of(notice: &'a Notice) -> Self {
        Self {
            id: notice.incident_id,
            tenant_id: &notice.tenant_id,
            level: notice.level.as_str(),
            title: &notice.title,
            vendor: notice.vendor.as_str(),
            hosts: &notice.hosts,
            host_count: notice.host_count,
            reasons: &notice.reasons,
            tactics: &notice.tactics,
            techniques: &notice.techniques,
            alerts: notice.alerts,
            folded: notice.folded,
            linked_by: &notice.linked_by,
            storm: notice.storm,
            opened_at_ms: notice.opened_at.ms(),
            last_at_ms: notice.last_at.ms(),
            closed: notice.closed.as_deref(),
            lead_alert: notice.lead_alert,
            proposals: notice.proposals.iter().map(Shown::of).collect(),
        }
    }
}

impl<'a> Shown<'a> {
    fn of(proposal: &'a Proposal) -> Self {
        Self {
            action_id: proposal.action_id,
            alert_id: proposal.alert_id,
            action_type: proposal.action_type.as_str(),
            target_urn: &proposal.target_urn,
            parameters: &proposal.parameters,
            host: proposal.host.as_deref(),
            dry_run: proposal.dry_run,
            protected: proposal.protected.as_deref(),
            hold_minutes: proposal.hold_minutes,
            manifest_sha256: proposal.digest.to_hex(),
            manifest_short: short(&proposal.digest),
            expires_at_ms: proposal.expires_at.ms(),
            standing: &proposal.standing,
            act: proposal.act.as_ref().map(Became::of),
        }
    }
}
