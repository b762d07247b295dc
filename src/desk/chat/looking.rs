//! The details of an alert, for one person's eyes. Who is shown evidence stands on the chain first.

use std::sync::Arc;

use vyrox_actors::{evidence, keyring::TenantKeys, ports::World, views::AlertView};
use vyrox_domain::{
    alert::Alert,
    ids::{AlertId, TenantId},
    protocol::{EvidenceKind, EvidenceShown},
};

use super::{ChatDesk, via};
use crate::{
    connectors::discord::detail::detail,
    http::interactions::desk::{Look, Shown},
};

impl ChatDesk {
    /// Fails closed: what cannot be written down is not shown.
    pub(super) async fn shown(self, look: Look) -> Shown {
        let by = match self.insider(&look.who, &look.tenant) {
            Ok(by) => by,
            Err(why) => return Shown::NotAllowed { why },
        };
        let later = |error: &dyn std::fmt::Display| {
            tracing::warn!(tenant = %look.tenant, alert = %look.alert_id, %error, "evidence is not shown");
            Shown::TryLater
        };
        // A message can be in chat before its alert is in the projections.
        self.tenants.caught_up(&look.tenant).await;
        let view = match self.view(&look.tenant, look.alert_id) {
            Ok(Some(view)) => view,
            Ok(None) => return Shown::Unknown,
            Err(error) => return later(&error),
        };
        let Some(keys) = self.keys(&look.tenant) else {
            return Shown::Unknown;
        };
        let note = EvidenceShown {
            alert_id: look.alert_id,
            by,
            via: via(&look.who, look.message_id),
        };
        if let Err(error) = self.tenants.note_shown(&look.tenant, note).await {
            return later(&error);
        }
        let (world, seq) = (Arc::clone(self.world()), view.receipt.seq);
        let read = tokio::task::spawn_blocking(move || read(&world, &keys, seq));
        match read.await {
            Ok(Ok((alert, raw))) => Shown::Detail {
                message: detail(&alert, &view),
                file: Some((format!("{}.json", look.alert_id), raw)),
            },
            Ok(Err(error)) => later(&error),
            Err(error) => later(&error),
        }
    }

    fn view(&self, tenant: &TenantId, alert_id: AlertId) -> Result<Option<AlertView>, String> {
        let projections = &self.world().projections;
        let found = projections.alert(tenant.as_str(), alert_id.0.as_bytes());
        let found = found.map_err(|error| error.to_string())?;
        let view = found
            .map(|bytes| serde_json::from_slice(&bytes))
            .transpose();
        view.map_err(|error| error.to_string())
    }
}

/// The normal form and the body as it came.
fn read(world: &World, keys: &TenantKeys, seq: u64) -> Result<(Alert, Vec<u8>), String> {
    let normal = evidence::read(world, keys, seq, EvidenceKind::Alert)?;
    let alert = serde_json::from_slice(&normal).map_err(|error| error.to_string())?;
    let raw = evidence::read(world, keys, seq, EvidenceKind::Raw)?;
    Ok((alert, raw.to_vec()))
}
