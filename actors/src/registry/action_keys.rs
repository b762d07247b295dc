//! Keys that actions are signed with, for tenants that were taken on before there were such keys.

use std::{ops::Bound, sync::Arc, time::Duration};

use actix::{ActorFutureExt as _, AsyncContext as _, WrapFuture as _};
use vyrox_domain::{host_protocol::HostCommand, ids::TenantId};
use vyrox_supervision::SupervisedContext;

use super::{Registry, vaulted};

impl Registry {
    /// Gives a key to the next tenant, by name, that has none; and then to the one after it. Others
    /// have their turn in between. Who cannot be given one is passed over until the next start.
    pub(super) fn give_keys(&mut self, after: Option<TenantId>, ctx: &mut SupervisedContext<Self>) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.state.tenants.range((from, Bound::Unbounded));
        let without = rest.find(|(_, record)| record.action_key.is_none());
        let Some(tenant) = without.map(|(id, _)| id.clone()) else {
            return;
        };
        let Some(data_key) = self.data_key(&tenant) else {
            tracing::error!(%tenant, "no action key is made, as the tenant's data key does not open");
            return Self::give_keys_after(tenant, ctx);
        };
        let (vault, id) = (Arc::clone(&self.parts.vault), tenant.clone());
        let make = tokio::task::spawn_blocking(move || {
            vaulted::action::find_or_make(&id, &data_key, &vault)
        });
        let then = make.into_actor(self).map(move |made, registry, ctx| {
            match made.unwrap_or_else(|error| Err(error.to_string())) {
                Ok(issued) => registry.note(HostCommand::IssueKey(issued), ctx),
                Err(error) => tracing::error!(%tenant, error, "no action key is made"),
            }
            Self::give_keys_after(tenant, ctx);
        });
        ctx.wait(then);
    }

    fn give_keys_after(tenant: TenantId, ctx: &mut SupervisedContext<Self>) {
        ctx.after(Duration::ZERO, |registry, ctx| {
            registry.give_keys(Some(tenant), ctx);
        });
    }
}
