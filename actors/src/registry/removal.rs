//! A tenant that is served no more: on the host's chain first, then its secrets go. What a crash leaves of
//! them in the vault goes at the next start.

use std::sync::Arc;

use actix::{ActorFutureExt as _, AsyncContext as _, Handler, Message, WrapFuture as _};
use vyrox_domain::{
    host::HostState,
    host_protocol::{HostCommand, TenantRemoved},
    ids::TenantId,
};
use vyrox_journal::vault::{DATA_KEY_ROW, Vault, VaultError};
use vyrox_supervision::{Class, Classified};

use super::{ChangeReply, Registry, RegistryError};

/// Serve a tenant no more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RemoveTenant {
    /// Which, why, and who asks.
    pub removed: TenantRemoved,
    /// Answered once its secrets are gone as well.
    pub reply: ChangeReply<()>,
}

impl Classified for RemoveTenant {
    const CLASS: Class = Class::Containment;
}

impl Handler<RemoveTenant> for Registry {
    type Result = ();

    fn handle(&mut self, message: RemoveTenant, ctx: &mut Self::Context) {
        let RemoveTenant { removed, reply } = message;
        let (tenant, erased) = (removed.tenant_id.clone(), removed.erased);
        let command = HostCommand::RemoveTenant(removed);
        self.change(command, ctx, move |registry, result, ctx| {
            if let Err(error) = result {
                reply.send(Err(error)).ok();
                return;
            }
            let vault = Arc::clone(&registry.parts.vault);
            let forget = tokio::task::spawn_blocking(move || forget(&vault, &tenant, erased));
            let tell = forget.into_actor(registry).map(move |forgotten, _, _| {
                let failed = |error: String| Err(RegistryError::NotDurable(error));
                let answer = match forgotten {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(error)) => failed(error.to_string()),
                    Err(error) => failed(error.to_string()),
                };
                reply.send(answer).ok();
            });
            ctx.wait(tell);
        });
    }
}

/// Takes a tenant's secrets out of the vault; the key of its evidence only where that is erased.
fn forget(vault: &Vault, tenant: &TenantId, erased: bool) -> Result<(), VaultError> {
    for row in vault.for_tenant(tenant.as_str())? {
        if erased || row.name != DATA_KEY_ROW {
            vault.remove(tenant.as_str(), &row.name, row.version)?;
        }
    }
    Ok(())
}

/// The same for every tenant that was removed before.
pub(super) fn forget_removed(vault: &Vault, state: &HostState) {
    for (tenant, removed) in &state.removed {
        if let Err(error) = forget(vault, tenant, removed.erased) {
            tracing::error!(%tenant, %error, "secrets of a removed tenant lie in the vault");
        }
    }
}
