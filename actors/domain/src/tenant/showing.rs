//! What people are shown of an incident.

use super::{TenantState, proposals::Proposed};
use crate::{
    action::ActionManifest,
    containment::{Act, Stage},
    digest::Digest,
    ids::{ActionId, IncidentId, TenantId},
    notice::{ActShown, Notice, Proposal, Standing},
    sla::NoticeState,
    triage::Verdict,
};

impl TenantState {
    /// What people are shown of an incident, and how far they were told before.
    pub fn shown(&self, tenant: &TenantId, id: IncidentId) -> Option<(Notice, NoticeState)> {
        let stood = self.telling.get(id)?.state.clone();
        Some((self.notice(tenant, id)?, stood))
    }

    /// What people are shown of an incident; `None` where there is nothing to show.
    pub fn notice(&self, tenant: &TenantId, id: IncidentId) -> Option<Notice> {
        let told = self.telling.get(id)?;
        let open = self.incidents.get(id).map(|incident| (incident, None));
        let closed = || {
            let (incident, because) = self.telling.closed(id)?;
            Some((incident, Some(because)))
        };
        let (incident, closed) = open.or_else(closed)?;
        Some(Notice {
            tenant_id: tenant.clone(),
            incident_id: id,
            revision: told.revision,
            level: incident.level,
            title: incident.title.clone(),
            vendor: incident.vendor,
            hosts: incident.hosts.clone(),
            host_count: incident.host_count,
            reasons: incident.reasons.clone(),
            tactics: incident
                .tactics
                .iter()
                .map(|one| one.as_str().to_owned())
                .collect(),
            techniques: incident.techniques.clone(),
            alerts: incident.alerts,
            folded: incident.folded,
            linked_by: incident
                .linked_by
                .iter()
                .map(|one| one.as_str().to_owned())
                .collect(),
            storm: incident.storm,
            opened_at: incident.opened_at,
            last_at: incident.last_at,
            proposals: self.shown_of(id),
            closed: closed.map(|because| because.as_str().to_owned()),
            quietly: told.state.is_quiet(incident.level),
            lead_alert: incident.lead_alert,
        })
    }

    /// What was proposed for it, and what was ordered without a proposal; those that wait are never left out.
    fn shown_of(&self, id: IncidentId) -> Vec<Proposal> {
        let of_it = |manifest: &ActionManifest| self.incidents.resolve(manifest.incident_id) == id;
        let all = self.proposals.iter().filter(|one| of_it(&one.manifest));
        let (waiting, decided): (Vec<_>, Vec<_>) = all.partition(|one| one.is_waiting());
        let decided = decided.into_iter().map(|one| self.proposed(one));
        let acts = self.acts.iter().map(|(_, act)| act);
        let ordered = acts.filter(|act| of_it(&act.manifest) && self.is_shown_apart(act));
        let mut settled: Vec<_> = ordered
            .map(|act| self.ordered(id, act))
            .chain(decided)
            .collect();
        settled.sort_by_key(|one| one.action_id);
        let room = PROPOSALS_SHOWN.saturating_sub(waiting.len());
        let over = settled.len().saturating_sub(room);
        let waiting = waiting.into_iter().map(|one| self.proposed(one));
        settled.into_iter().skip(over).chain(waiting).collect()
    }

    /// Whether an action has no proposal that shows it. What takes another action back is shown with that one.
    fn is_shown_apart(&self, act: &Act) -> bool {
        let known = |id: ActionId| self.acts.get(id).is_some();
        self.proposals.get(act.manifest.action_id).is_none() && !act.releases().is_some_and(known)
    }

    fn proposed(&self, one: &Proposed) -> Proposal {
        let act = self.acts.get(one.manifest.action_id);
        let act = act.map(|act| self.act_shown(act));
        let stands = (one.standing.clone(), act);
        shown((&one.manifest, one.digest), one.verdict, stands)
    }

    fn ordered(&self, incident: IncidentId, act: &Act) -> Proposal {
        let incident = self.incidents.get(incident);
        let verdict = incident.map_or(Verdict::Medium, |incident| incident.level);
        let by = act.approved_by.as_deref();
        let person = by.and_then(|by| by.strip_prefix("person:")?.parse().ok());
        let standing = Standing::Approved {
            by: person.into_iter().collect(),
        };
        let stands = (standing, Some(self.act_shown(act)));
        shown((&act.manifest, act.digest), verdict, stands)
    }

    fn act_shown(&self, act: &Act) -> ActShown {
        let undoing = act
            .undoing
            .and_then(|id| Some((id, self.acts.get(id)?.stage)));
        ActShown {
            stage: act.stage,
            outcome: act.stage.outcome(),
            manner: act.manner,
            approved_by: act.approved_by.clone(),
            release: act.manifest.release,
            since: act.since,
            observed: act.observed.clone(),
            why: act.why.clone(),
            hold_ends_at: act.hold_ends_at(),
            hold_ended: act.hold_ended_at.is_some(),
            drifted: act.drifted_at.is_some(),
            undoing,
            undone_by: match act.stage {
                Stage::Undone { by } => Some(by),
                Stage::Approved
                | Stage::Withheld { .. }
                | Stage::Begun { .. }
                | Stage::Done { .. } => None,
            },
        }
    }
}

/// The most proposals of one incident that a notice carries; those that wait are never left out.
const PROPOSALS_SHOWN: usize = 8;

fn shown(
    (manifest, digest): (&ActionManifest, Digest),
    verdict: Verdict,
    (standing, act): (Standing, Option<ActShown>),
) -> Proposal {
    Proposal {
        action_id: manifest.action_id,
        alert_id: manifest.alert_id,
        action_type: manifest.action_type,
        target_urn: manifest.target_urn.clone(),
        parameters: manifest.parameters.clone(),
        host: manifest.host.clone(),
        verdict,
        dry_run: manifest.dry_run,
        protected: manifest.protected.clone(),
        on_expiry: manifest.on_expiry,
        hold_minutes: manifest.hold_minutes,
        digest,
        expires_at: manifest.expires_at_ms,
        standing,
        act,
    }
}
