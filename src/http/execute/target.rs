//! Whom a request means: the machine of the alert that it names. Of an alert that is not known the host stands
//! for the device id at the tenant's only EDR.

use std::{collections::BTreeMap, sync::Arc};

use vyrox_actors::{
    evidence::{self, Left},
    keyring::TenantKeys,
    messages::{ExternalTarget, NoTarget},
    ports::World,
    views::AlertView,
};
use vyrox_domain::{
    action::{ActionType, shown_host, target_urn},
    alert::Alert,
    containment::ability,
    ids::IncidentId,
    playbook::{Assets, parameters},
    protocol::EvidenceKind,
    triage::Verdict,
    vendor::Vendor,
};

use super::{Direction, asked::Asked};
use crate::http::{
    Edge,
    problem::{Answer, Code, Problem},
};

/// An alert that we took in, with what became of it.
pub(super) struct Seen {
    pub(super) alert: Alert,
    pub(super) verdict: Option<Verdict>,
    pub(super) incident_id: Option<IncidentId>,
}

/// The target, or why there is none.
pub(super) type Meant = Result<ExternalTarget, NoTarget>;

/// Looks the alert up and makes the target. What is wrong with it is said behind what else may be: whoever
/// repeats a request is given its first answer, whatever became of the alert.
///
/// # Errors
/// The projections cannot be read (500).
pub(super) async fn find(
    edge: &Edge,
    keys: &Arc<TenantKeys>,
    asked: &Asked,
    direction: Direction,
) -> Answer<Meant> {
    let assets = &edge.world.assets;
    Ok(match seen(edge, keys, asked).await? {
        Some(Ok(seen)) => of_alert(&seen, asked, direction, assets),
        Some(Err(why)) => Err(why),
        None => of_host(keys, asked, assets),
    })
}

async fn seen(
    edge: &Edge,
    keys: &Arc<TenantKeys>,
    asked: &Asked,
) -> Answer<Option<Result<Seen, NoTarget>>> {
    // The alert can have been taken in a moment ago.
    let caught_up = edge.desk().caught_up(&keys.tenant).await;
    let id = asked.alert_id.0.as_bytes();
    let row = edge.world.projections.alert(keys.tenant.as_str(), id);
    let row = row.map_err(|error| unreadable(keys, &error))?;
    let unreadable_now = || {
        let host = asked.host.clone();
        Err(NoTarget::Unreadable { host })
    };
    let Some(row) = row else {
        // What was taken in last cannot be looked up yet, and the alert may be among it.
        return Ok((!caught_up).then(unreadable_now));
    };
    let view: AlertView = serde_json::from_slice(&row).map_err(|error| unreadable(keys, &error))?;
    let (world, keys_there, seq) = (Arc::clone(&edge.world), Arc::clone(keys), view.receipt.seq);
    let read = tokio::task::spawn_blocking(move || normal_form(&world, &keys_there, seq));
    let alert = read.await.map_err(|error| unreadable(keys, &error))?;
    Ok(Some(match alert {
        Ok(alert) => Ok(Seen {
            alert,
            verdict: view.verdict,
            incident_id: view.incident_id,
        }),
        Err(Gone::Erased) => Err(NoTarget::Erased {
            host: asked.host.clone(),
        }),
        Err(Gone::Unreadable(error)) => {
            tracing::error!(tenant = %keys.tenant, seq, error, "the evidence of an alert cannot be read");
            unreadable_now()
        }
    }))
}

/// Why an alert says nothing any more.
enum Gone {
    /// For ever, by somebody's order or because it was too old.
    Erased,
    /// What is in the way, in our words.
    Unreadable(String),
}

fn normal_form(world: &World, keys: &TenantKeys, seq: u64) -> Result<Alert, Gone> {
    let normal =
        evidence::read(world, keys, seq, EvidenceKind::Alert).map_err(
            |why| match evidence::left(world, keys.tenant.as_str(), seq) {
                Ok(Left::Erased) => Gone::Erased,
                Ok(Left::Kept | Left::Damaged) | Err(_) => Gone::Unreadable(why),
            },
        )?;
    serde_json::from_slice(&normal).map_err(|error| Gone::Unreadable(error.to_string()))
}

fn unreadable(keys: &TenantKeys, error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(tenant = %keys.tenant, %error, "an alert cannot be looked up");
    Code::Internal.into()
}

/// The machine of the alert, if the request means that one.
pub(super) fn of_alert(seen: &Seen, asked: &Asked, direction: Direction, assets: &Assets) -> Meant {
    let device = &seen.alert.device;
    let host = asked.host.to_lowercase();
    let is_host = |name: &Option<String>| name.as_ref().is_some_and(|it| it.to_lowercase() == host);
    if !is_host(&device.id) && !is_host(&device.hostname) {
        return Err(NoTarget::OtherHost);
    }
    machine_of(seen, asked.action_type, direction, assets)
}

fn missing(what: impl Into<String>) -> NoTarget {
    NoTarget::Missing(what.into())
}

fn machine_of(seen: &Seen, action: ActionType, direction: Direction, assets: &Assets) -> Meant {
    let alert = &seen.alert;
    let device = alert.device.id.as_deref();
    let target_urn = device
        .and_then(|id| target_urn(alert.vendor, id))
        .ok_or_else(|| missing("The alert names no device that its EDR could act on."))?;
    Ok(ExternalTarget {
        vendor: alert.vendor,
        target_urn,
        host: alert.device.hostname.as_deref().and_then(shown_host),
        parameters: object(alert, action, direction)?,
        protected: assets.of(alert).map(|why| why.to_string()),
        verdict: seen.verdict,
        incident_id: seen.incident_id,
    })
}

/// What the action needs beside its target. What the vendor's API cannot do needs nothing: that it is not
/// supported is the answer, whatever else is missing.
fn object(
    alert: &Alert,
    action: ActionType,
    direction: Direction,
) -> Result<BTreeMap<String, String>, NoTarget> {
    let possible = ability(alert.vendor, action).is_some_and(|it| match direction {
        Direction::Execute => true,
        Direction::Rollback => it.reversible,
    });
    if !possible {
        return Ok(BTreeMap::new());
    }
    parameters(alert, action).ok_or_else(|| {
        missing(format!(
            "The alert does not say what {action} needs: no process or threat that may be acted on."
        ))
    })
}

/// The machine that the tenant's only EDR knows by the host's text, for we know nothing else of it.
pub(super) fn of_host(keys: &TenantKeys, asked: &Asked, assets: &Assets) -> Meant {
    let vendor = only_edr(keys).ok_or_else(|| {
        missing(
            "The alert is not known, and the tenant has not exactly one EDR that the host could be looked for at.",
        )
    })?;
    let mut stand_in = Alert::bare(vendor, asked.request_id.clone());
    stand_in.device.id = Some(asked.host.clone());
    stand_in.device.hostname = Some(asked.host.clone());
    if asked.action_type == ActionType::ProcessKill {
        return Err(missing(
            "The alert is not known, so there is no process to end.",
        ));
    }
    Ok(ExternalTarget {
        vendor,
        target_urn: target_urn(vendor, &asked.host)
            .ok_or_else(|| missing("The alert is not known, and the host is no device id."))?,
        host: Some(asked.host.clone()),
        parameters: BTreeMap::new(),
        protected: assets.of(&stand_in).map(|why| why.to_string()),
        verdict: None,
        incident_id: None,
    })
}

/// The only EDR with a credential, else the only one that alerts come from.
fn only_edr(keys: &TenantKeys) -> Option<Vendor> {
    let sole = |vendors: Vec<Vendor>| match vendors.as_slice() {
        [only] => Some(*only),
        _ => None,
    };
    if keys.edr.is_empty() {
        let senders = keys.webhooks.keys().copied();
        sole(senders.filter(|it| *it != Vendor::Generic).collect())
    } else {
        sole(keys.edr.keys().copied().collect())
    }
}
