//! CrowdStrike Falcon: network containment, ending a process through Real Time Response, custom indicators
//! of hashes, and alerts.

mod envelope;

mod alerts;
mod host;
mod indicator;
mod process;
mod process_list;
mod session;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::time::Instant;
use vyrox_actors::edr::{
    Checked, Edr, EdrCredential, EdrError, EdrSetupError, Guard, LineState, Polled, Reading, Sent,
};
use vyrox_domain::{
    action::{ActionManifest, ActionType, jws::SignedAction, parse_target},
    time::Timestamp,
    vendor::Vendor,
};

use self::envelope::{Envelope, opened};
use super::{Answer, Api, Call, Credentials, Line, TokenSource, Wire, WireSettings, never};

/// What we are called where Falcon asks who does something.
const OURSELVES: &str = "vyrox";

/// One tenant's Falcon.
pub(super) struct Crowdstrike(Arc<Falcon>);

struct Falcon {
    api: Api,
}

impl Crowdstrike {
    /// # Errors
    /// The credential is none of Falcon's.
    pub(super) fn new(
        credential: &EdrCredential,
        settings: WireSettings,
        line: Arc<Line>,
    ) -> Result<Self, EdrSetupError> {
        let client_id = credential.client_id.clone().ok_or_else(|| EdrSetupError {
            member: "client_id",
            message: "is needed for this vendor".to_owned(),
        })?;
        let wire = Wire::new(&credential.base_url, "base_url", settings)?;
        let member = credential.realm.clone();
        let member = member.map(|member| ("member_cid", member));
        let source = TokenSource {
            wire: wire.clone(),
            path: vec!["oauth2".to_owned(), "token".to_owned()],
            form: [("client_id", client_id)]
                .into_iter()
                .chain(member)
                .collect(),
            secret: credential.secret.clone(),
        };
        let api = Api::new(wire, line, Credentials::Fetched(source))?;
        Ok(Self(Arc::new(Falcon { api })))
    }
}

impl Edr for Crowdstrike {
    fn read(
        &self,
        manifest: &ActionManifest,
        reference: Option<&str>,
    ) -> BoxFuture<'static, Result<Reading, EdrError>> {
        let (falcon, manifest) = (Arc::clone(&self.0), manifest.clone());
        let reference = reference.map(str::to_owned);
        Box::pin(async move { falcon.read(&manifest, reference.as_deref()).await })
    }

    fn send(
        &self,
        action: &SignedAction,
        reference: Option<&str>,
        guard: Guard,
    ) -> BoxFuture<'static, Result<Sent, EdrError>> {
        let (falcon, manifest) = (Arc::clone(&self.0), action.manifest().clone());
        let reference = reference.map(str::to_owned);
        Box::pin(async move { falcon.send(&manifest, reference.as_deref(), &guard).await })
    }

    fn check(&self) -> BoxFuture<'static, Result<Checked, EdrError>> {
        let falcon = Arc::clone(&self.0);
        Box::pin(async move { falcon.check().await })
    }

    fn poll(
        &self,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> BoxFuture<'static, Result<Polled, EdrError>> {
        let falcon = Arc::clone(&self.0);
        Box::pin(async move { alerts::poll(&falcon, from, to, limit).await })
    }

    fn alert(
        &self,
        vendor_alert_id: &str,
    ) -> BoxFuture<'static, Result<Option<Vec<u8>>, EdrError>> {
        let (falcon, id) = (Arc::clone(&self.0), vendor_alert_id.to_owned());
        Box::pin(async move { alerts::one(&falcon, &id).await })
    }

    fn line(&self) -> LineState {
        self.0.api.line()
    }
}

impl Falcon {
    async fn read(
        &self,
        manifest: &ActionManifest,
        reference: Option<&str>,
    ) -> Result<Reading, EdrError> {
        let device = device(manifest)?;
        let until = self.api.deadline();
        match manifest.action_type {
            ActionType::HostIsolation => {
                host::read(self, device, manifest.release.is_some(), until).await
            }
            ActionType::ProcessKill => {
                let target = process::Target::of(manifest, device)?;
                process::read(self, &target, until).await
            }
            ActionType::HashBlock => {
                let block = indicator::Block::of(manifest, reference)?;
                indicator::read(self, &block, until).await
            }
            ActionType::NetworkQuarantine | ActionType::FileQuarantine => Err(unsupported()),
        }
    }

    async fn send(
        &self,
        manifest: &ActionManifest,
        reference: Option<&str>,
        guard: &Guard,
    ) -> Result<Sent, EdrError> {
        let device = device(manifest)?;
        let until = self.api.deadline();
        match manifest.action_type {
            ActionType::HostIsolation => {
                let lifting = manifest.release.is_some();
                host::send(self, device, lifting, (guard, until)).await
            }
            ActionType::ProcessKill => {
                let target = process::Target::of(manifest, device)?;
                process::send(self, &target, guard, until).await
            }
            ActionType::HashBlock => {
                let block = indicator::Block::of(manifest, reference)?;
                indicator::send(self, &block, guard, until).await
            }
            ActionType::NetworkQuarantine | ActionType::FileQuarantine => Err(unsupported()),
        }
    }

    /// Asks for one host: the least that needs a token and a right.
    async fn check(&self) -> Result<Checked, EdrError> {
        let call = Call::get("devices/queries/devices/v1").query("limit", "1");
        let answer = self.exchange(&call, self.api.deadline()).await?;
        let total = opened::<Value>(&answer)?.total();
        Ok(Checked {
            note: total.map_or_else(
                || "hosts can be read".to_owned(),
                |total| format!("hosts that can be read: {total}"),
            ),
        })
    }

    async fn exchange(&self, call: &Call, until: Instant) -> Result<Answer, EdrError> {
        self.api.exchange(call, until).await
    }

    /// One call whose answer is an envelope without errors.
    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        call: &Call,
        until: Instant,
    ) -> Result<Envelope<T>, EdrError> {
        opened(&self.exchange(call, until).await?)
    }
}

/// The device that the manifest names.
fn device(manifest: &ActionManifest) -> Result<&str, EdrError> {
    match parse_target(&manifest.target_urn) {
        Some((Vendor::Crowdstrike, device)) => Ok(device),
        Some(_) | None => Err(never("the target is no host of this vendor")),
    }
}

fn unsupported() -> EdrError {
    never("this vendor has no such action")
}

#[cfg(test)]
mod tests;
