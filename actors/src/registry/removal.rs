//! A tenant that is served no more: on the host's chain first, then its secrets go, and its evidence if that
//! is erased. The entry is what counts. What of the rest a full disk or a crash keeps is tried again until
//! it is done, also by the next start.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use actix::{ActorFutureExt as _, AsyncContext as _, Handler, Message, WrapFuture as _};
use vyrox_domain::{
    host::HostState,
    host_protocol::{HostCommand, TenantRemoved},
    ids::TenantId,
};
use vyrox_journal::{
    Erased, Journal, JournalError,
    vault::{DATA_KEY_ROW, SealedRow, Vault, VaultError},
};
use vyrox_supervision::{Class, Classified, SupervisedContext};

use super::{ChangeReply, Registry, RegistryParts};
use crate::held::owner;

/// How long what is left of a removal waits for its next attempt.
const AGAIN: Duration = Duration::from_secs(10);
/// Of so many of a removed tenant's newest entries a start sees whether their evidence is gone.
const LOOKED_AT: usize = 1_000;

/// Removed tenants of whom something waits for the next attempt; with true, evidence too.
pub(super) type Unfinished = BTreeMap<TenantId, bool>;

/// Serve a tenant no more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RemoveTenant {
    /// Which, why, and who asks.
    pub removed: TenantRemoved,
    /// Answered once its chain and the host's say so. Its secrets have gone by then, or are tried again.
    pub reply: ChangeReply<()>,
}

/// Do what is left of the removal of a tenant that is served no more and has come to rest.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FinishRemoval {
    /// Which.
    pub tenant: TenantId,
    /// What came of it.
    pub reply: ChangeReply<Finished>,
}

/// How far the removal of a tenant has come. What is left is tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// Secrets and keys lie in the vault still.
    pub secrets_left: bool,
    /// Evidence that is to be erased is not overwritten yet.
    pub evidence_left: bool,
    /// What the erasure came to.
    pub erased: Erased,
}

impl Classified for RemoveTenant {
    const CLASS: Class = Class::Containment;
}

impl Classified for FinishRemoval {
    const CLASS: Class = Class::Containment;
}

impl Handler<RemoveTenant> for Registry {
    type Result = ();

    fn handle(&mut self, message: RemoveTenant, ctx: &mut Self::Context) {
        let RemoveTenant { removed, reply } = message;
        let (tenant, erased) = (removed.tenant_id.clone(), removed.erased);
        let command = HostCommand::RemoveTenant(removed);
        self.change(command, ctx, move |registry, result, ctx| {
            if result.is_err() {
                reply.send(result).ok();
                return;
            }
            let vault = Arc::clone(&registry.parts.vault);
            let gone = tenant.clone();
            let forget = tokio::task::spawn_blocking(move || forget(&vault, &gone, erased));
            let tell = forget
                .into_actor(registry)
                .map(move |forgotten, registry, ctx| {
                    if !matches!(forgotten, Ok(Ok(()))) {
                        registry.try_again(tenant, false, ctx);
                    }
                    reply.send(Ok(())).ok();
                });
            ctx.wait(tell);
        });
    }
}

impl Handler<FinishRemoval> for Registry {
    type Result = ();

    fn handle(&mut self, message: FinishRemoval, ctx: &mut Self::Context) {
        let FinishRemoval { tenant, reply } = message;
        self.finish(tenant, true, ctx, |finished| {
            reply.send(Ok(finished)).ok();
        });
    }
}

impl Registry {
    /// Others are served meanwhile: nobody else sees to what a removed tenant left.
    fn finish(
        &self,
        tenant: TenantId,
        evidence: bool,
        ctx: &mut SupervisedContext<Self>,
        tell: impl FnOnce(Finished) + 'static,
    ) {
        let Some(removed) = self.state.removed.get(&tenant) else {
            return;
        };
        let (parts, id) = (self.parts.clone(), tenant.clone());
        let (erased, evidence) = (removed.erased, removed.erased && evidence);
        let work = tokio::task::spawn_blocking(move || finish(&parts, &id, (erased, evidence)));
        let told = work.into_actor(self).map(move |finished, registry, ctx| {
            let finished = finished.unwrap_or_else(|_fell| Finished {
                secrets_left: true,
                evidence_left: evidence,
                erased: Erased::default(),
            });
            if finished.secrets_left || finished.evidence_left {
                registry.try_again(tenant, finished.evidence_left, ctx);
            }
            tell(finished);
        });
        ctx.spawn(told);
    }

    /// What an earlier process left of removals.
    pub(super) fn finish_removals(&self, ctx: &mut SupervisedContext<Self>) {
        let (parts, state) = (self.parts.clone(), self.state.clone());
        let look = tokio::task::spawn_blocking(move || unfinished(&parts, &state));
        let begin = look.into_actor(self).map(|left, registry, ctx| {
            for tenant in left.unwrap_or_default() {
                registry.finish(tenant, true, ctx, |_finished| ());
            }
        });
        ctx.spawn(begin);
    }

    fn try_again(&mut self, tenant: TenantId, evidence: bool, ctx: &mut SupervisedContext<Self>) {
        match self.unfinished.entry(tenant) {
            // An attempt is on its way.
            Entry::Occupied(mut known) => *known.get_mut() |= evidence,
            Entry::Vacant(fresh) => {
                let tenant = fresh.key().clone();
                fresh.insert(evidence);
                ctx.after(AGAIN, move |registry, ctx| {
                    let evidence = registry.unfinished.remove(&tenant).unwrap_or_default();
                    registry.finish(tenant, evidence, ctx, |_finished| ());
                });
            }
        }
    }
}

fn finish(parts: &RegistryParts, tenant: &TenantId, (erased, evidence): (bool, bool)) -> Finished {
    let forgotten = forget(&parts.vault, tenant, erased);
    if let Err(error) = &forgotten {
        tracing::error!(%tenant, %error, "secrets of a removed tenant lie in the vault");
    }
    let overwritten = if evidence {
        overwrite(&*parts.world.journal, tenant)
    } else {
        Ok(Erased::default())
    };
    if let Err(error) = &overwritten {
        tracing::error!(%tenant, %error, "a removed tenant's evidence is not overwritten yet");
    }
    Finished {
        secrets_left: forgotten.is_err(),
        evidence_left: overwritten.is_err(),
        erased: overwritten.unwrap_or_default(),
    }
}

/// The removed tenants of whom something is left that should not be.
fn unfinished(parts: &RegistryParts, state: &HostState) -> Vec<TenantId> {
    let journal = &*parts.world.journal;
    let removed = state.removed.iter();
    let left = removed.filter(|(tenant, removed)| {
        // What cannot be read is tried, and says so then.
        let rows = parts.vault.for_tenant(tenant.as_str()).unwrap_or_default();
        rows.iter().any(|row| goes(row, removed.erased))
            || removed.erased && chains(journal, tenant).any(|chain| has_evidence(journal, chain))
    });
    left.map(|(tenant, _)| tenant.clone()).collect()
}

/// Takes a tenant's secrets out of the vault; the key of its evidence only where that is erased.
fn forget(vault: &Vault, tenant: &TenantId, erased: bool) -> Result<(), VaultError> {
    for row in vault.for_tenant(tenant.as_str())? {
        if goes(&row, erased) {
            vault.remove(tenant.as_str(), &row.name, row.version)?;
        }
    }
    Ok(())
}

fn goes(row: &SealedRow, erased: bool) -> bool {
    erased || row.name != DATA_KEY_ROW
}

/// The same for every tenant that was removed before.
pub(super) fn forget_removed(vault: &Vault, state: &HostState) {
    for (tenant, removed) in &state.removed {
        if let Err(error) = forget(vault, tenant, removed.erased) {
            tracing::error!(%tenant, %error, "secrets of a removed tenant lie in the vault");
        }
    }
}

/// The tenant's own chain and those that ever stood in for it, each with its last seq.
fn chains(journal: &dyn Journal, tenant: &TenantId) -> impl Iterator<Item = (String, u64)> {
    let mut chains = journal.chains();
    chains.retain(|chain| owner(chain) == tenant.as_str());
    chains.into_iter().filter_map(|chain| {
        let head = journal.head(&chain)?;
        Some((chain, head.seq))
    })
}

fn has_evidence(journal: &dyn Journal, (chain, last): (String, u64)) -> bool {
    let mut newest = (0..=last).rev().take(LOOKED_AT);
    newest.any(|seq| matches!(journal.evidence(&chain, seq), Ok(found) if !found.is_empty()))
}

/// Erases them all. One that fails keeps no other from it; the first failure is the answer.
fn overwrite(journal: &dyn Journal, tenant: &TenantId) -> Result<Erased, JournalError> {
    let mut all = Ok(Erased::default());
    for (chain, last) in chains(journal, tenant) {
        let erased = journal.erase(&chain, &[(0, last)]);
        all = all.and_then(|all: Erased| {
            erased.map(|erased| Erased {
                entries: all.entries.saturating_add(erased.entries),
                // Those of the journal, and not of one chain.
                copies: erased.copies,
                unfinished: erased.unfinished,
            })
        });
    }
    all
}
