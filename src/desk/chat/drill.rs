//! `/vyrox test-alert`: a made-up attack, signed with the tenant's own secret and taken in as if its EDR
//! had posted it. Its alerts are known by the vendor's ids, in which `test` and the interaction stand.

use std::sync::Arc;

use vyrox_actors::{
    keyring::TenantKeys,
    messages::{Accepted, Intake, ParsedAlert},
};
use vyrox_domain::{
    alert::Alert,
    digest::Digest,
    ids::TenantId,
    time::Timestamp,
    vendor::Vendor,
    webhook::{
        AuthScheme, HeaderList, Keys, RawWebhook, SIGNATURE_HEADER, Secret, signature_of, verify,
    },
};

use super::ChatDesk;
use crate::scenario::{Occasion, Scenario};

impl ChatDesk {
    /// Plays a scenario; gives what was taken in.
    ///
    /// # Errors
    /// Why nothing, or not all of it, was; for the person who asked.
    pub(super) async fn drill(
        &self,
        tenant: &TenantId,
        scenario: Scenario,
        interaction_id: &str,
    ) -> Result<Vec<Accepted>, String> {
        let gone = || "there is no such organisation".to_owned();
        let keys = self.keys(tenant).ok_or_else(gone)?;
        let now = self.world().now();
        let (vendor, secret) = entrance(&keys, scenario, now)
            .ok_or("this organisation has no webhook that a test could come in by")?;
        let id = format!("test-{interaction_id}");
        let occasion = Occasion {
            id: &id,
            now,
            tenant: tenant.as_str(),
        };
        let mut all = Vec::new();
        for staged in scenario.alerts(vendor, occasion) {
            let body = staged.body.to_string().into_bytes();
            let alerts = proven(vendor, &body, secret, now)?;
            let intake = Intake {
                vendor,
                body_sha256: Digest::of(&body),
                received_at: now,
                fallback: false,
                polled: false,
                body,
            };
            let taken = self
                .tenants
                .take_in(tenant, Arc::new(intake), alerts.into());
            all.extend(taken.await.map_err(|error| error.to_string())?);
        }
        Ok(all)
    }
}

/// The scenario's own vendor, else any that the tenant has an entrance for, with the secret in force.
fn entrance(keys: &TenantKeys, scenario: Scenario, now: Timestamp) -> Option<(Vendor, &Secret)> {
    let mut vendors = [scenario.vendor()].into_iter().chain(Vendor::ALL);
    vendors.find_map(|vendor| Some((vendor, &keys.webhook(vendor, now)?.current)))
}

/// The alerts of a body, by the same proof and the same parser as at the door.
fn proven(
    vendor: Vendor,
    body: &[u8],
    secret: &Secret,
    now: Timestamp,
) -> Result<Vec<ParsedAlert>, String> {
    let signature = signature_of(secret, body);
    let headers = [(SIGNATURE_HEADER, signature.as_bytes())];
    let raw = RawWebhook {
        vendor,
        body,
        headers: &HeaderList(&headers),
        now,
    };
    let keys = Keys {
        scheme: AuthScheme::VyroxHmac,
        current: secret.clone(),
        previous: None,
    };
    let verified = verify(raw, Some(&keys)).outcome;
    let verified = verified.map_err(|error| error.to_string())?;
    let alerts = Alert::parse(&verified).map_err(|error| error.detail)?;
    let parsed: Result<_, _> = alerts.into_iter().map(ParsedAlert::new).collect();
    parsed.map_err(|error| error.to_string())
}
