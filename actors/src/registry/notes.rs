//! What others have the registry write down on the host's chain; nobody waits for an answer.

use actix::{Handler, Message};
use vyrox_domain::{
    digest::Digest,
    host_protocol::{
        HostCommand, JournalDamaged, JournalQuarantined, JournalRecovered, RulesChanged,
        TenantHealth, TenantNoted, TokenIssued,
    },
    ids::TenantId,
};
use vyrox_supervision::{Class, Classified};

use super::Registry;

/// Write down how a tenant fares.
#[derive(Message)]
#[rtype(result = "()")]
pub struct NoteTenant {
    /// Which.
    pub tenant: TenantId,
    /// How.
    pub health: TenantHealth,
}

/// Write down which rules are in force, if that changed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct NoteRules {
    /// Their digest.
    pub sha256: Digest,
    /// How many there are.
    pub rules: usize,
}

/// Write down that a token was made.
#[derive(Message)]
#[rtype(result = "()")]
pub struct NoteToken(pub TokenIssued);

/// Write down what a start cut off the journal or found damaged in it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct NoteRecovery(pub JournalRecovered);

/// Write down that bytes of a chain's files turned bad.
#[derive(Message)]
#[rtype(result = "()")]
pub struct NoteDamage(pub JournalDamaged);

/// Write down that a chain's files could not be written, so that it is held.
#[derive(Message)]
#[rtype(result = "()")]
pub struct NoteQuarantine(pub JournalQuarantined);

macro_rules! control {
    ($($message:ty),*) => { $(impl Classified for $message { const CLASS: Class = Class::Control; })* };
}
control!(
    NoteTenant,
    NoteRules,
    NoteToken,
    NoteRecovery,
    NoteDamage,
    NoteQuarantine
);

impl Handler<NoteTenant> for Registry {
    type Result = ();

    fn handle(&mut self, message: NoteTenant, ctx: &mut Self::Context) {
        let NoteTenant {
            tenant: tenant_id,
            health,
        } = message;
        self.note(
            HostCommand::NoteTenant(TenantNoted { tenant_id, health }),
            ctx,
        );
    }
}

impl Handler<NoteRules> for Registry {
    type Result = ();

    fn handle(&mut self, message: NoteRules, ctx: &mut Self::Context) {
        let rules = u64::try_from(message.rules).unwrap_or(u64::MAX);
        let changed = RulesChanged {
            rules_sha256: message.sha256.to_hex(),
            rules,
        };
        self.note(HostCommand::ChangeRules(changed), ctx);
    }
}

impl Handler<NoteToken> for Registry {
    type Result = ();

    fn handle(&mut self, NoteToken(issued): NoteToken, ctx: &mut Self::Context) {
        self.note(HostCommand::IssueToken(issued), ctx);
    }
}

impl Handler<NoteRecovery> for Registry {
    type Result = ();

    fn handle(&mut self, NoteRecovery(found): NoteRecovery, ctx: &mut Self::Context) {
        self.note(HostCommand::NoteRecovery(found), ctx);
    }
}

impl Handler<NoteDamage> for Registry {
    type Result = ();

    fn handle(&mut self, NoteDamage(found): NoteDamage, ctx: &mut Self::Context) {
        self.note(HostCommand::NoteDamage(found), ctx);
    }
}

impl Handler<NoteQuarantine> for Registry {
    type Result = ();

    fn handle(&mut self, NoteQuarantine(held): NoteQuarantine, ctx: &mut Self::Context) {
        self.note(HostCommand::NoteQuarantine(held), ctx);
    }
}
