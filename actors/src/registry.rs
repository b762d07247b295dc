//! The `_host` machine: tenants, their secrets' metadata, people, tokens. Whatever it answers is durable on
//! the host's own chain; what it publishes (the keyring, the view of the host) follows only then.
//!
//! The order of a change: sealed rows into the vault first, then the entry that names them. A crash
//! between the two leaves rows that nothing names, never an entry whose secret is missing.

mod action_keys;
mod audit_log;
mod change;
mod chat;
mod credentials;
mod halts;
mod host_secrets;
mod letters;
mod loading;
mod notes;
mod people;
mod removal;
mod repairs;
mod vaulted;

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Handler, Message, WrapFuture as _};
use arc_swap::ArcSwap;
use tokio::sync::oneshot;
use vyrox_domain::{
    host::{HostRefusal, HostState, Retirement, apply, decide, retirements},
    host_protocol::{
        CredentialChange, EdrCredentialRetired, HostCommand, HostEvent, SecretRetired,
    },
    ids::{HOST_CHAIN, TenantId},
    protocol::ChainOpened,
};
use vyrox_journal::{Append, AppendError, Draft, Receipt, seal::HostKey, vault::Vault};
use vyrox_supervision::{Class, Classified, Handle, SupervisedContext};

pub use self::audit_log::ChangeAuditLog;
pub use self::change::{AddTenant, Issued, IssuedWebhook, NewWebhook, RotateSecret, UpdateTenant};
pub use self::chat::{ClaimChat, IssueChatCode, IssuedChatCode, ReleaseChat};
pub use self::credentials::{
    RemoveActionSecret, RemoveEdrCredential, SetActionSecret, SetEdrCredential,
};
pub use self::halts::ChangeHalt;
pub use self::host_secrets::SealSecret;
pub use self::letters::SettleLetter;
pub use self::notes::{NoteDamage, NoteQuarantine, NoteRecovery, NoteRules, NoteTenant, NoteToken};
pub use self::people::{APPROVE, ChangePeople, IssueToken, IssuedToken, PERSONAL_PREFIX};
pub use self::removal::{FinishRemoval, Finished, RemoveTenant};
pub use self::repairs::{HostReleased, OrderHostRepair, OrderRepair};
use self::{
    chat::Tries,
    loading::{Loaded, load},
    vaulted::Anew,
};
use crate::{
    deadlines::{Deadlines, Promise},
    draft::draft,
    keyring::Keyring,
    ports::{World, opaque_id},
};

/// What the registry is made of; the factory keeps it over all generations.
#[derive(Clone)]
pub struct RegistryParts {
    /// The world.
    pub world: Arc<World>,
    /// Where secrets lie, sealed.
    pub vault: Arc<Vault>,
    /// What opens them.
    pub host_key: Arc<HostKey>,
    /// What the edge reads of the host.
    pub view: Arc<ArcSwap<HostState>>,
    /// Who remembers the end of a rotation's overlap.
    pub deadlines: Handle<Deadlines>,
}

/// The actor.
pub struct Registry {
    parts: RegistryParts,
    state: HostState,
    epoch: u64,
    /// Wrong codes that chat servers showed.
    tries: Tries,
    unfinished: removal::Unfinished,
}

/// Why a change of the host came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// It is not possible now.
    #[error(transparent)]
    Refused(#[from] HostRefusal),
    /// A secret that was given protects nothing.
    #[error("{0}")]
    WeakSecret(String),
    /// Too many wrong codes came from one chat server.
    #[error("too many wrong codes from this chat server; try again in an hour")]
    TooManyTries,
    /// The journal has no room now.
    #[error("the journal has no room now; try again later")]
    NoRoom,
    /// The end of the host's own chain can't be proven.
    #[error(
        "the host's chain is held since a damage; nothing can be changed until it is repaired: vyrox audit repair _host"
    )]
    Held,
    /// The disk failed, or the journal did not take it.
    #[error("the change could not be made durable: {0}")]
    NotDurable(String),
}

/// The answer to a change.
pub type ChangeReply<T> = oneshot::Sender<Result<T, RegistryError>>;

/// The overlap of a rotation has ended.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct Retire(pub Retirement);

/// Answered once the host's chain is read and the keyring is published.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ready;

macro_rules! control {
    ($($message:ty),*) => { $(impl Classified for $message { const CLASS: Class = Class::Control; })* };
}
control!(Retire, Ready);

impl Registry {
    /// A registry that reads the host's chain when it starts.
    pub fn new(parts: RegistryParts) -> Self {
        Self {
            parts,
            state: HostState::default(),
            epoch: 0,
            tries: Tries::default(),
            unfinished: removal::Unfinished::new(),
        }
    }

    fn begin(&mut self, loaded: Loaded, ctx: &mut SupervisedContext<Self>) {
        let repaired = loaded.repaired.clone();
        self.take_up(loaded, ctx);
        self.finish_removals(ctx);
        if self.state.next_seq == 0 {
            self.note(self.chain_opened(), ctx);
        }
        match repaired {
            // It is noted by the next load.
            Some(_) if self.state.next_seq == 0 => self.give_keys(None, ctx),
            Some(repaired) => self.note_repair(repaired, |_noted| (), ctx),
            None => self.give_keys(None, ctx),
        }
    }

    fn chain_opened(&self) -> HostCommand {
        HostCommand::OpenChain(ChainOpened {
            opaque_id: opaque_id(),
            format_version: 1,
            key_ids: vec![self.parts.host_key.id()],
            stands_for: None,
        })
    }

    fn take_up(&mut self, loaded: Loaded, ctx: &SupervisedContext<Self>) {
        self.state = loaded.state;
        self.epoch = loaded.epoch;
        self.publish_with(loaded.keyring);
        for (until, retired) in retirements(&self.state) {
            self.promise(until.ms(), retired, ctx);
        }
    }

    fn publish(&self, happened: &[HostEvent]) {
        let before = self.parts.world.keyring.load();
        let anew = Anew::After(happened);
        self.publish_with(vaulted::keyring(&self.state, &self.parts, &before, anew));
    }

    /// While the host's chain is held, nobody knows what was halted or whose rights were taken: containment
    /// stands still everywhere.
    fn publish_with(&self, mut keyring: Keyring) {
        keyring.halted |= self.parts.world.is_held(HOST_CHAIN);
        self.parts.world.keyring.store(Arc::new(keyring));
        self.parts.view.store(Arc::new(self.state.clone()));
    }

    fn promise(&self, at_ms: u64, retired: Retirement, ctx: &SupervisedContext<Self>) {
        let promise = Promise {
            at_ms,
            registry: ctx.handle(),
            retire: Retire(retired),
        };
        if self.parts.deadlines.try_cast(promise).is_err() {
            tracing::error!(
                "a deadline was not taken; it is read from the chain at the next start"
            );
        }
    }

    /// Decides, makes durable, applies, publishes; nothing else is handled meanwhile. `then` gets
    /// the outcome.
    fn change(
        &mut self,
        command: HostCommand,
        ctx: &mut SupervisedContext<Self>,
        then: impl FnOnce(&mut Self, Result<(), RegistryError>, &mut SupervisedContext<Self>) + 'static,
    ) {
        let at = self.parts.world.now();
        let tenant_max = self.parts.world.limits.tenant_max;
        let events = match decide(&self.state, command, at, tenant_max) {
            Ok(events) => events,
            Err(refusal) => return then(self, Err(refusal.into()), ctx),
        };
        let drafts = events
            .iter()
            .map(|event| draft(event.entry(at), Vec::new()))
            .collect();
        let durable = self.durable(drafts);
        let finish = durable
            .into_actor(self)
            .map(move |result, registry, ctx| match result {
                Ok(_) => {
                    for event in &events {
                        apply(&mut registry.state, event, at);
                        registry.follow(event, ctx);
                    }
                    registry.publish(&events);
                    then(registry, Ok(()), ctx);
                }
                // There was no room; nothing happened, and the caller is told.
                Err(AppendError::Full) => {
                    then(registry, Err(RegistryError::NoRoom), ctx);
                }
                Err(AppendError::Held) => {
                    registry.halt_all();
                    then(registry, Err(RegistryError::Held), ctx);
                }
                Err(error) => {
                    let told = RegistryError::NotDurable(error.to_string());
                    then(registry, Err(told), ctx);
                    ctx.fail(format!("the journal refused an append: {error}"));
                }
            });
        ctx.wait(finish);
    }

    fn follow(&self, event: &HostEvent, ctx: &mut SupervisedContext<Self>) {
        match event {
            HostEvent::SecretRotated(rotated) => {
                if let Some(until) = rotated.previous_until_ms {
                    let retired = SecretRetired {
                        tenant_id: rotated.tenant_id.clone(),
                        vendor: rotated.vendor,
                        secret_version: rotated.secret_version.saturating_sub(1),
                    };
                    self.promise(until.ms(), Retirement::Webhook(retired), ctx);
                }
                self.prune(&rotated.tenant_id, ctx);
            }
            HostEvent::SecretRetired(retired) => self.prune(&retired.tenant_id, ctx),
            HostEvent::TenantUpdated(updated) => self.prune(&updated.tenant_id, ctx),
            HostEvent::SecretSealed(sealed) => self.prune_host(sealed, ctx),
            HostEvent::Credential(change) => self.follow_credential(change, ctx),
            HostEvent::ChainOpened(_)
            | HostEvent::TenantAdded(_)
            | HostEvent::TenantRemoved(_)
            | HostEvent::KeyIssued(_)
            | HostEvent::People(_)
            | HostEvent::Chat(_)
            | HostEvent::Halt(_)
            | HostEvent::TokenIssued(_)
            | HostEvent::RulesChanged(_)
            | HostEvent::JournalRecovered(_)
            | HostEvent::JournalDamaged(_)
            | HostEvent::JournalQuarantined(_)
            | HostEvent::RepairOrdered(_)
            | HostEvent::Repaired(_)
            | HostEvent::AuditLog(_)
            | HostEvent::TenantNoted(_)
            | HostEvent::LetterSettled(_) => {}
        }
    }

    fn follow_credential(&self, change: &CredentialChange, ctx: &mut SupervisedContext<Self>) {
        if let CredentialChange::EdrSet(set) = change {
            let in_force = self.edr_in_force(&set.tenant_id, set.vendor);
            if let Some(previous) = in_force.and_then(|record| record.previous) {
                let retired = EdrCredentialRetired {
                    tenant_id: set.tenant_id.clone(),
                    vendor: set.vendor,
                    secret_version: previous.secret_version,
                };
                self.promise(previous.until.ms(), Retirement::Edr(retired), ctx);
            }
        }
        self.prune(change.tenant(), ctx);
    }

    /// The chain first, then the vault: should a row stay behind, nothing names it any more. Nothing
    /// else is handled meanwhile, so no row of a change to come is taken for a stale one.
    fn prune(&self, tenant: &TenantId, ctx: &mut SupervisedContext<Self>) {
        let Some(record) = self.state.tenants.get(tenant).map(Arc::clone) else {
            return;
        };
        let (vault, tenant) = (Arc::clone(&self.parts.vault), tenant.clone());
        let prune = tokio::task::spawn_blocking(move || vaulted::prune(&vault, &tenant, &record));
        let log = prune.into_actor(self).map(|pruned, _, _| match pruned {
            Ok(Ok(())) => {}
            Ok(Err(error)) => stale_secret(&error),
            Err(error) => stale_secret(&error),
        });
        ctx.wait(log);
    }

    fn note(&mut self, command: HostCommand, ctx: &mut SupervisedContext<Self>) {
        let again = command.clone();
        self.change(command, ctx, |_, result, ctx| match result {
            Ok(()) => {}
            // Nobody waits for an answer, so nobody else would try again.
            Err(RegistryError::NoRoom) => {
                ctx.after(NOTE_AGAIN, |registry, ctx| registry.note(again, ctx));
            }
            Err(error) => tracing::debug!(%error, "nothing was noted"),
        });
    }

    fn durable(
        &self,
        drafts: Vec<Draft>,
    ) -> impl Future<Output = Result<Vec<Receipt>, AppendError>> + use<> {
        let (tell, told) = oneshot::channel();
        let append = Append {
            class: vyrox_journal::Class::Ordinary,
            chain: HOST_CHAIN.into(),
            epoch: self.epoch,
            expected_last: self.state.next_seq.checked_sub(1),
            drafts,
        };
        let done = Box::new(move |result| {
            // The registry may have been rebuilt meanwhile; it then reads the chain.
            tell.send(result).ok();
        });
        self.parts.world.journal.append(append, done);
        async move {
            told.await
                .unwrap_or_else(|_| Err(AppendError::Io("the journal gave no answer".into())))
        }
    }
}

impl Actor for Registry {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // The keys are opened here, too: with many tenants that takes its time, and the arbiter is
        // for others as well.
        let parts = self.parts.clone();
        let load = tokio::task::spawn_blocking(move || load(&parts));
        let begin = load
            .into_actor(self)
            .map(|loaded, registry, ctx| match loaded {
                Ok(Ok(loaded)) => registry.begin(loaded, ctx),
                Ok(Err(error)) => ctx.fail(error),
                Err(error) => ctx.fail(format!("the load of the host's chain fell: {error}")),
            });
        ctx.wait(begin);
    }
}

impl Handler<Ready> for Registry {
    type Result = ();

    /// The lanes are held back while the chain is read, so that it is read is the whole answer.
    fn handle(&mut self, _: Ready, _: &mut Self::Context) {}
}

impl Handler<Retire> for Registry {
    type Result = ();

    fn handle(&mut self, Retire(retired): Retire, ctx: &mut Self::Context) {
        self.note(retired.into_command(), ctx);
    }
}

/// How long a note waits for room in the journal.
const NOTE_AGAIN: Duration = Duration::from_secs(1);

fn stale_secret(error: &dyn std::fmt::Display) {
    tracing::error!(%error, "a secret that is out of force lies in the vault");
}

/// The longest overlap of a rotation: 30 days.
pub const OVERLAP_MAX: Duration = Duration::from_hours(30 * 24);

#[cfg(test)]
pub(crate) mod tests;
