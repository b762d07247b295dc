//! Who may send and who may speak: an immutable snapshot that the registry publishes and the edge
//! reads without a message. Verification changes nothing, so it needs none.

mod people;

use std::{collections::HashMap, fmt, sync::Arc};

use vyrox_domain::{
    action::jws::ActionKey,
    ids::TenantId,
    time::Timestamp,
    vendor::Vendor,
    webhook::{Keys, Secret},
};
use vyrox_journal::seal::DataKey;
use zeroize::Zeroizing;

use crate::edr::EdrCredential;

pub use self::people::{People, Person, Shown};
pub use vyrox_domain::host::{ChatBinding, TenantSettings};

/// All tenants' keys, all people and the host's own secrets at one moment.
#[derive(Default)]
pub struct Keyring {
    /// Who there is.
    pub people: Arc<People>,
    /// Containment is halted for all tenants.
    pub halted: bool,
    tenants: HashMap<TenantId, Arc<TenantKeys>>,
    accounts: HashMap<(Vendor, String), TenantId>,
    guilds: HashMap<String, TenantId>,
    secrets: Arc<HostSecrets>,
}

/// The host's own secrets, opened, by name.
pub type HostSecrets = HashMap<String, Secret>;

/// The name of the token that speaks for the host at Discord.
pub const DISCORD_BOT_TOKEN: &str = "discord/bot_token";

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
    /// What holds for it alone.
    pub settings: TenantSettings,
    /// What its actions are signed with; `None` while there is no such key, and nothing can be signed.
    pub action_seed: Option<ActionSeed>,
    /// That key's name.
    pub action_kid: Option<String>,
    /// What its EDRs know it by.
    pub edr: HashMap<Vendor, Arc<EdrKeys>>,
    /// What trusted services sign its actions with; `None` where the host-wide secret stands for it.
    pub action_secret: Option<Secret>,
    /// Containment is halted for this tenant.
    pub halted: bool,
}

/// What one EDR knows a tenant by: the credential in force, and the one before it while it may be used still.
pub struct EdrKeys {
    /// The credential in force.
    pub current: Arc<EdrCredential>,
    /// The one before it, and the last moment at which it may be used.
    pub previous: Option<(Timestamp, Arc<EdrCredential>)>,
}

impl EdrKeys {
    /// Whether the credential of this version may be used at `now`.
    pub fn permits(&self, version: u64, now: Timestamp) -> bool {
        let older = self.previous.as_ref().filter(|(until, _)| now <= *until);
        self.current.version == version || older.is_some_and(|(_, older)| older.version == version)
    }
}

/// The seed of the Ed25519 key that a tenant's actions are signed with. Wiped when dropped, never
/// printed.
pub struct ActionSeed(Zeroizing<[u8; 32]>);

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
        let tenants: HashMap<_, Arc<TenantKeys>> = tenants.collect();
        let guild_of = |(id, keys): (&TenantId, &Arc<TenantKeys>)| {
            let chat = keys.settings.chat.as_ref()?;
            Some((chat.guild_id.clone(), id.clone()))
        };
        Self {
            people: Arc::default(),
            halted: false,
            guilds: tenants.iter().filter_map(guild_of).collect(),
            tenants,
            accounts: accounts.into_iter().collect(),
            secrets: Arc::default(),
        }
    }

    /// The same with these people and these secrets of the host.
    #[must_use]
    pub fn with(self, people: Arc<People>, secrets: Arc<HostSecrets>) -> Self {
        Self {
            people,
            secrets,
            ..self
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

    /// The tenant whose alerts are talked about in this chat server.
    pub fn tenant_of_guild(&self, guild_id: &str) -> Option<&Arc<TenantKeys>> {
        self.tenants.get(self.guilds.get(guild_id)?)
    }

    /// A secret of the host itself, opened ([`DISCORD_BOT_TOKEN`], say).
    pub fn host_secret(&self, name: &str) -> Option<&Secret> {
        self.secrets.get(name)
    }

    /// All secrets of the host itself.
    pub fn host_secrets(&self) -> &Arc<HostSecrets> {
        &self.secrets
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

impl ActionSeed {
    /// Takes the seed over; `None` where it has not 32 bytes.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let seed = <[u8; 32]>::try_from(bytes).ok()?;
        Some(Self(Zeroizing::new(seed)))
    }

    /// The seed itself. Do not keep it.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The name and the public half of the key that grows from it.
    pub fn public(&self) -> (String, [u8; 32]) {
        let public = ActionKey::from_seed(&self.0).public();
        (public.kid().to_owned(), public.to_bytes())
    }
}

impl From<Zeroizing<[u8; 32]>> for ActionSeed {
    fn from(seed: Zeroizing<[u8; 32]>) -> Self {
        Self(seed)
    }
}

impl fmt::Debug for ActionSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A secret in memory.
pub fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A drive kept the credential that it began with, and went on with it after it had been taken away.
    #[test]
    fn a_credential_may_be_used_while_it_is_in_force_and_in_its_overlap() {
        let credential = |version| {
            Arc::new(EdrCredential {
                version,
                base_url: "https://edr.example".to_owned(),
                login_url: None,
                client_id: None,
                secret: secret("s"),
                realm: None,
            })
        };
        let end = Timestamp::from_s(1_768_473_000);
        let keys = EdrKeys {
            current: credential(3),
            previous: Some((end, credential(2))),
        };
        let permitted = |now| [1, 2, 3].map(|version| keys.permits(version, now));
        assert_eq!(permitted(end), [false, true, true]);
        assert_eq!(permitted(end.plus_ms(1)), [false, false, true]);
    }
}
