//! Who may send: an immutable snapshot that the registry publishes and the edge reads without a
//! message. Verification changes nothing, so it needs none.

use std::{collections::HashMap, sync::Arc};

use vyrox_domain::{
    ids::TenantId,
    time::Timestamp,
    vendor::Vendor,
    webhook::{Keys, Secret},
};
use vyrox_journal::seal::DataKey;

/// All tenants' keys at one moment.
#[derive(Default)]
pub struct Keyring {
    tenants: HashMap<TenantId, Arc<TenantKeys>>,
    accounts: HashMap<(Vendor, String), TenantId>,
}

/// One tenant's keys.
pub struct TenantKeys {
    /// Whose.
    pub tenant: TenantId,
    /// The random id that stands for it where its name should not.
    pub opaque_id: String,
    /// What its evidence is sealed under.
    pub data_key: Arc<DataKey>,
    /// Its ways in.
    pub webhooks: HashMap<Vendor, WebhookKeys>,
}

/// The keys of one way in.
pub struct WebhookKeys {
    /// The secret in force alone.
    pub current: Keys,
    /// The same with the secret before it, and the last moment at which that counts.
    pub overlap: Option<(Timestamp, Keys)>,
}

impl Keyring {
    /// A snapshot of these tenants; `accounts` are vendors' ids beside the tenants' own names.
    pub fn new(
        tenants: impl IntoIterator<Item = Arc<TenantKeys>>,
        accounts: impl IntoIterator<Item = ((Vendor, String), TenantId)>,
    ) -> Self {
        let tenants = tenants.into_iter().map(|keys| (keys.tenant.clone(), keys));
        Self {
            tenants: tenants.collect(),
            accounts: accounts.into_iter().collect(),
        }
    }

    /// The tenant that an account names: its own id first, then vendors' ids.
    pub fn tenant_of(&self, vendor: Vendor, account: &str) -> Option<&Arc<TenantKeys>> {
        let by_name = account
            .parse()
            .ok()
            .and_then(|id: TenantId| self.tenants.get(&id));
        by_name.or_else(|| {
            let id = self.accounts.get(&(vendor, account.to_owned()))?;
            self.tenants.get(id)
        })
    }

    /// The tenant of that name.
    pub fn tenant(&self, id: &str) -> Option<&Arc<TenantKeys>> {
        self.tenants.get(&id.parse().ok()?)
    }

    /// All tenants, in no order.
    pub fn tenants(&self) -> impl Iterator<Item = &Arc<TenantKeys>> {
        self.tenants.values()
    }
}

impl TenantKeys {
    /// The keys that count for `vendor` at `now`; `None` where the tenant has no such way in.
    pub fn webhook(&self, vendor: Vendor, now: Timestamp) -> Option<&Keys> {
        let webhook = self.webhooks.get(&vendor)?;
        match &webhook.overlap {
            Some((until, keys)) if now <= *until => Some(keys),
            _ => Some(&webhook.current),
        }
    }
}

/// A secret in memory.
pub fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}
