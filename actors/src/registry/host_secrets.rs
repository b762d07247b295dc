//! Secrets of the host itself: the token that speaks for it in chat, say.

use actix::{ActorFutureExt as _, AsyncContext as _, Handler, Message, WrapFuture as _};
use vyrox_domain::{
    host_protocol::{HostCommand, SecretSealed},
    webhook::{AuthScheme, Secret},
};
use vyrox_supervision::{Class, Classified, SupervisedContext};

use super::{ChangeReply, Registry, RegistryError, change::flaw, stale_secret, vaulted};

/// Put a secret of the host in force, in place of the one before it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SealSecret {
    /// What it is: [`crate::keyring::DISCORD_BOT_TOKEN`].
    pub name: &'static str,
    /// Its value, which is sent in a header.
    pub secret: Secret,
    /// Who asks.
    pub by: String,
    /// Answered with its version once it is sealed and durable.
    pub reply: ChangeReply<u64>,
}

impl Classified for SealSecret {
    const CLASS: Class = Class::Containment;
}

impl Handler<SealSecret> for Registry {
    type Result = ();

    fn handle(&mut self, message: SealSecret, ctx: &mut Self::Context) {
        let SealSecret {
            name,
            secret,
            by,
            reply,
        } = message;
        if let Some(flaw) = flaw(&AuthScheme::Bearer, &secret) {
            reply.send(Err(RegistryError::WeakSecret(flaw))).ok();
            return;
        }
        let before = self.state.secrets.get(name);
        let version = before.map_or(1, |known| known.secret_version.saturating_add(1));
        let parts = self.parts.clone();
        let seal = tokio::task::spawn_blocking(move || {
            vaulted::host::seal(&parts, name, version, &secret)
        });
        let then = seal.into_actor(self).map(move |sealed, registry, ctx| {
            let sealed = sealed.unwrap_or_else(|error| Err(error.to_string()));
            let key_id = match sealed {
                Ok(key_id) => key_id,
                Err(error) => {
                    reply.send(Err(RegistryError::NotDurable(error))).ok();
                    return;
                }
            };
            let command = HostCommand::SealSecret(SecretSealed {
                name: name.to_owned(),
                secret_version: version,
                key_id,
                by,
            });
            registry.change(command, ctx, move |_, result, _| {
                // Whoever asked may have gone; the secret is in force all the same.
                reply.send(result.map(|()| version)).ok();
            });
        });
        ctx.wait(then);
    }
}

impl Registry {
    /// Once the chain names a version, the others are forgotten.
    pub(super) fn prune_host(&self, sealed: &SecretSealed, ctx: &mut SupervisedContext<Self>) {
        let (parts, sealed) = (self.parts.clone(), sealed.clone());
        let prune = tokio::task::spawn_blocking(move || {
            vaulted::host::prune(&parts.vault, &sealed.name, sealed.secret_version)
        });
        let log = prune.into_actor(self).map(|pruned, _, _| match pruned {
            Ok(Ok(())) => {}
            Ok(Err(error)) => stale_secret(&error),
            Err(error) => stale_secret(&error),
        });
        ctx.wait(log);
    }
}
