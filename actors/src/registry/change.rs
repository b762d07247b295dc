//! Changes that bring secrets with them: a tenant taken on, its webhooks changed, a secret rotated.

mod given;

use std::sync::Arc;

use actix::{ActorFutureExt as _, AsyncContext as _, Handler, Message, WrapFuture as _};
use vyrox_domain::{
    host_protocol::{Account, HostCommand, SecretRotated, TenantAdded, TenantUpdated, Webhook},
    ids::TenantId,
    vendor::Vendor,
    webhook::{AuthScheme, Secret},
};
use vyrox_journal::{seal::DataKey, vault::SealedRow};
use vyrox_supervision::{Class, Classified, SupervisedContext};

pub(super) use self::given::flaw;
use super::{ChangeReply, OVERLAP_MAX, Registry, RegistryError, vaulted};
use crate::ports::{World, fresh_secret, opaque_id};

/// A webhook as it is asked for.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Whose alerts.
    pub vendor: Vendor,
    /// How the sender proves itself.
    pub auth: AuthScheme,
    /// The secret; a fresh one is made where none is given.
    pub secret: Option<Secret>,
}

/// Take on a tenant.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AddTenant {
    /// Its name.
    pub tenant_id: TenantId,
    /// Its ways in.
    pub webhooks: Vec<NewWebhook>,
    /// Vendors' ids of it.
    pub accounts: Vec<Account>,
    /// Who asks.
    pub by: String,
    /// Where the secrets go, once.
    pub reply: ChangeReply<Issued>,
}

/// Change a tenant's ways in, or what holds for it alone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct UpdateTenant {
    /// Which.
    pub tenant_id: TenantId,
    /// Webhooks that are new, or get another scheme and with it another secret.
    pub webhooks: Vec<NewWebhook>,
    /// Accounts that come.
    pub add_accounts: Vec<Account>,
    /// Accounts that go.
    pub remove_accounts: Vec<Account>,
    /// Whether a language model may be asked about its alerts, where that is to be otherwise.
    pub llm: Option<bool>,
    /// Who may give orders in its place in chat, where that is to be otherwise; empty for nobody but
    /// the chat server's own administrators.
    pub chat_admin_role: Option<String>,
    /// Who asks.
    pub by: String,
    /// Where new secrets go, once.
    pub reply: ChangeReply<Issued>,
}

/// Put a new secret in force.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RotateSecret {
    /// Whose.
    pub tenant_id: TenantId,
    /// Of which webhook.
    pub vendor: Vendor,
    /// How long the old one still counts, in seconds; at most 30 days, 0 for not at all.
    pub overlap_s: u64,
    /// The new one; a fresh one is made where none is given.
    pub secret: Option<Secret>,
    /// Who asks.
    pub by: String,
    /// Where it goes, once.
    pub reply: ChangeReply<Issued>,
}

/// Secrets that were made or taken over; shown once.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Whose.
    pub tenant_id: TenantId,
    /// One for each webhook.
    pub webhooks: Vec<IssuedWebhook>,
}

/// One webhook with its secret.
#[derive(Clone, Debug)]
pub struct IssuedWebhook {
    /// Whose alerts.
    pub vendor: Vendor,
    /// How the sender proves itself.
    pub auth: AuthScheme,
    /// The secret.
    pub secret: Secret,
}

macro_rules! rare {
    ($($message:ty),*) => { $(impl Classified for $message { const CLASS: Class = Class::Containment; })* };
}
rare!(AddTenant, UpdateTenant, RotateSecret);

impl Handler<AddTenant> for Registry {
    type Result = ();

    fn handle(&mut self, message: AddTenant, ctx: &mut Self::Context) {
        let AddTenant {
            tenant_id,
            webhooks,
            accounts,
            by,
            reply,
        } = message;
        let issued = match issue(&tenant_id, webhooks) {
            Ok(issued) => issued,
            Err(error) => return refuse(reply, error),
        };
        let data_key = DataKey::generate(tenant_id.as_str());
        let mut rows = vec![SealedRow::wrap(&data_key, &self.parts.host_key, 1)];
        rows.extend(
            issued
                .webhooks
                .iter()
                .map(|webhook| sealed(&data_key, webhook, 1)),
        );
        let (seed, key) = vaulted::action::fresh(&tenant_id, &data_key);
        rows.push(seed);
        let added = TenantAdded {
            tenant_id,
            opaque_id: opaque_id(),
            webhooks: named(&issued, |_| 1),
            accounts,
            data_key_id: data_key.id(),
            by,
        };
        let command = HostCommand::AddTenant(added, key);
        // Refused before anything is written, so that no tenant's rows are ever overwritten.
        if let Err(refusal) = self.possible(&command) {
            return refuse(reply, refusal);
        }
        self.store_then_change(
            Planned {
                rows,
                command,
                answer: issued,
                reply,
            },
            ctx,
        );
    }
}

impl Handler<UpdateTenant> for Registry {
    type Result = ();

    fn handle(&mut self, message: UpdateTenant, ctx: &mut Self::Context) {
        let UpdateTenant {
            tenant_id,
            webhooks,
            add_accounts,
            remove_accounts,
            llm,
            chat_admin_role,
            by,
            reply,
        } = message;
        let issued = match issue(&tenant_id, webhooks) {
            Ok(issued) => issued,
            Err(error) => return refuse(reply, error),
        };
        let version = |vendor| self.next_version(&tenant_id, vendor);
        let command = HostCommand::UpdateTenant(TenantUpdated {
            webhooks: named(&issued, version),
            tenant_id,
            add_accounts,
            remove_accounts,
            llm,
            chat_admin_role,
            by,
        });
        self.change_secrets(command, issued, reply, ctx);
    }
}

impl Handler<RotateSecret> for Registry {
    type Result = ();

    fn handle(&mut self, message: RotateSecret, ctx: &mut Self::Context) {
        let RotateSecret {
            tenant_id,
            vendor,
            overlap_s,
            secret,
            by,
            reply,
        } = message;
        let record = self
            .state
            .tenants
            .get(&tenant_id)
            .and_then(|t| t.webhooks.get(&vendor));
        let auth = record.map_or(AuthScheme::VyroxHmac, |webhook| webhook.auth.clone());
        let issued = match issue(
            &tenant_id,
            vec![NewWebhook {
                vendor,
                auth,
                secret,
            }],
        ) {
            Ok(issued) => issued,
            Err(error) => return refuse(reply, error),
        };
        let secret_version = self.next_version(&tenant_id, vendor);
        let overlap_s = overlap_s.min(OVERLAP_MAX.as_secs());
        let now = self.parts.world.now();
        let until = now.plus_ms(overlap_s.saturating_mul(1000));
        let command = HostCommand::RotateSecret(SecretRotated {
            tenant_id,
            vendor,
            secret_version,
            previous_until_ms: (overlap_s > 0).then_some(until),
            by,
        });
        self.change_secrets(command, issued, reply, ctx);
    }
}

impl Registry {
    /// Whether the host would do it now.
    pub(super) fn possible(&self, command: &HostCommand) -> Result<(), RegistryError> {
        let World { limits, .. } = &*self.parts.world;
        let now = self.parts.world.now();
        vyrox_domain::host::decide(&self.state, command.clone(), now, limits.tenant_max)?;
        Ok(())
    }

    fn next_version(&self, tenant: &TenantId, vendor: Vendor) -> u64 {
        let record = self
            .state
            .tenants
            .get(tenant)
            .and_then(|t| t.webhooks.get(&vendor));
        record.map_or(1, |webhook| webhook.secret_version.saturating_add(1))
    }

    pub(super) fn data_key(&self, tenant: &TenantId) -> Option<Arc<DataKey>> {
        let keyring = self.parts.world.keyring.load();
        let known = keyring
            .tenant(tenant.as_str())
            .map(|keys| Arc::clone(&keys.data_key));
        known.or_else(|| vaulted::data_key(tenant, &self.parts).ok().map(Arc::new))
    }

    /// A change of a tenant that is there: each secret becomes the next version of its webhook's.
    fn change_secrets(
        &mut self,
        command: HostCommand,
        issued: Issued,
        reply: ChangeReply<Issued>,
        ctx: &mut SupervisedContext<Self>,
    ) {
        if let Err(refusal) = self.possible(&command) {
            return refuse(reply, refusal);
        }
        let tenant = &issued.tenant_id;
        let Some(data_key) = self.data_key(tenant) else {
            let error = "the data key does not open".into();
            return refuse(reply, RegistryError::NotDurable(error));
        };
        let version = |vendor| self.next_version(tenant, vendor);
        let rows = issued
            .webhooks
            .iter()
            .map(|webhook| sealed(&data_key, webhook, version(webhook.vendor)))
            .collect();
        let planned = Planned {
            rows,
            command,
            answer: issued,
            reply,
        };
        self.store_then_change(planned, ctx);
    }

    /// Sealed rows into the vault first, then the entry that names them.
    pub(super) fn store_then_change<T: 'static>(
        &mut self,
        planned: Planned<T>,
        ctx: &mut SupervisedContext<Self>,
    ) {
        let Planned {
            rows,
            command,
            answer,
            reply,
        } = planned;
        let vault = Arc::clone(&self.parts.vault);
        let put = tokio::task::spawn_blocking(move || vault.put(&rows));
        let then = put.into_actor(self).map(move |stored, registry, ctx| {
            let failed = match stored {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(error) => Some(error.to_string()),
            };
            if let Some(error) = failed {
                return refuse(reply, RegistryError::NotDurable(error));
            }
            registry.change(command, ctx, move |_, result, _| {
                // Whoever asked may have gone; the secrets are then lost and can be rotated.
                reply.send(result.map(|()| answer)).ok();
            });
        });
        ctx.wait(then);
    }
}

/// A change that is possible, before anything of it is written.
pub(super) struct Planned<T> {
    /// What is sealed into the vault.
    pub(super) rows: Vec<SealedRow>,
    /// What names it.
    pub(super) command: HostCommand,
    /// What whoever asked is told then.
    pub(super) answer: T,
    /// Where it goes.
    pub(super) reply: ChangeReply<T>,
}

/// Says no.
pub(super) fn refuse<T>(reply: ChangeReply<T>, error: RegistryError) {
    reply.send(Err(error)).ok();
}

/// Secrets for webhooks: the given ones if they are any good, else fresh ones.
fn issue(tenant_id: &TenantId, webhooks: Vec<NewWebhook>) -> Result<Issued, RegistryError> {
    let mut issued = Vec::with_capacity(webhooks.len());
    for NewWebhook {
        vendor,
        auth,
        secret,
    } in webhooks
    {
        let secret = match secret {
            Some(secret) => match flaw(&auth, &secret) {
                Some(flaw) => return Err(RegistryError::WeakSecret(flaw)),
                None => secret,
            },
            None => Secret::new(fresh_secret().into_bytes()),
        };
        issued.push(IssuedWebhook {
            vendor,
            auth,
            secret,
        });
    }
    Ok(Issued {
        tenant_id: tenant_id.clone(),
        webhooks: issued,
    })
}

fn named(issued: &Issued, version: impl Fn(Vendor) -> u64) -> Vec<Webhook> {
    let webhook = |webhook: &IssuedWebhook| Webhook {
        vendor: webhook.vendor,
        auth: webhook.auth.clone(),
        secret_version: version(webhook.vendor),
    };
    issued.webhooks.iter().map(webhook).collect()
}

fn sealed(data_key: &DataKey, webhook: &IssuedWebhook, version: u64) -> SealedRow {
    SealedRow::seal(
        data_key,
        &vaulted::row_name(webhook.vendor),
        version,
        webhook.secret.expose(),
    )
}
