//! Whether a request comes from a service that the tenant trusts.

use std::sync::Arc;

use vyrox_actors::keyring::{Keyring, TenantKeys};
use vyrox_domain::{prescan::account_of, signature::signs, vendor::Vendor, webhook::Secret};

/// What a request's signature shows.
pub(super) enum Proof {
    /// It speaks for this tenant.
    Proven(Arc<TenantKeys>),
    /// It does not; which check failed is nobody's business.
    Unproven,
    /// Neither the host nor any tenant has a key that it could have been signed with.
    NotProvisioned,
}

/// Verifies the signature over the raw body under the key of the tenant that the body names: the tenant's own
/// if it has one, and the host's for all others. One HMAC over the body is computed whatever is missing or
/// wrong. An unknown tenant is treated like one without a key of its own, and both like a wrong signature as soon
/// as anybody has a key: the answer tells no names.
pub(super) fn prove(
    keyring: &Keyring,
    host: Option<&Secret>,
    body: &[u8],
    signature: Option<&[u8]>,
) -> Proof {
    // The generic form names its account `tenant_id`, as this body does.
    let named = account_of(Vendor::Generic, body).ok().flatten();
    let keys = named.as_deref().and_then(|name| keyring.tenant(name));
    let own = keys.and_then(|keys| keys.action_secret.as_ref());
    let key = own.or(host);
    let signature = signature.and_then(|bytes| std::str::from_utf8(bytes).ok());
    let nobody = Secret::new(Vec::new());
    let signed = signs(key.unwrap_or(&nobody), body, signature.unwrap_or_default());
    let mut tenants = keyring.tenants();
    let provisioned = host.is_some() || tenants.any(|keys| keys.action_secret.is_some());
    match (key, keys) {
        (Some(_), Some(keys)) if signed => Proof::Proven(Arc::clone(keys)),
        _ if provisioned => Proof::Unproven,
        _ => Proof::NotProvisioned,
    }
}
