//! The host as a pure state machine of its own: which tenants there are, how their senders prove
//! themselves, which keys are in force. Values of secrets are never here; they lie sealed in the
//! vault under the name and version that these events give.

mod audit_log;
mod chat;
mod credentials;
mod halts;
mod people;
mod removal;
mod retirements;
mod secrets;
mod tenants;

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

pub use self::{
    chat::{ChatBinding, PendingCode},
    credentials::{CredentialRecord, CredentialSlot, Credentials},
    halts::{HALT_REASON_MAX, Halt, is_reason},
    people::{
        LINKS_MAX, PEOPLE_MAX, People, PersonRecord, TOKEN_LIFE_MAX_MS, TOKENS_MAX, TokenRecord,
    },
    removal::RemovedTenant,
    retirements::{Retirement, retirements},
    secrets::HostSecret,
    tenants::{ActionKeyRecord, Previous, TenantRecord, TenantSettings, WebhookRecord},
};
use crate::{
    entry::{Recorded, ReplayError},
    host_protocol::{AuditLog, HostCommand, HostEvent},
    ids::TenantId,
    time::Timestamp,
};

/// Everything about the host that decisions rest on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostState {
    /// The seq that the next entry gets.
    pub next_seq: u64,
    /// Tenants by name. Shared, so that a copy of the state for readers costs little.
    pub tenants: BTreeMap<TenantId, Arc<TenantRecord>>,
    /// Tenants that are served no more, by name.
    #[serde(default)]
    pub removed: BTreeMap<TenantId, RemovedTenant>,
    /// Digest of the rules that were last said to be in force.
    pub rules_sha256: Option<String>,
    /// Who there is.
    pub people: People,
    /// Secrets of the host itself, by name.
    pub secrets: BTreeMap<String, HostSecret>,
    /// Containment is halted for all tenants.
    pub halted: Option<Halt>,
    /// The signed log over all chains, once there is one.
    #[serde(default)]
    pub audit_log: Option<AuditLog>,
}

/// Why the host refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostRefusal {
    /// There is a tenant of that name.
    #[error("there is a tenant of that name already")]
    TenantExists,
    /// There was one, and its chain stays.
    #[error("a tenant of that name was removed; its chain stays, so the name is not given again")]
    TenantWasRemoved,
    /// There is none.
    #[error("there is no such tenant")]
    UnknownTenant,
    /// It has no webhook for that vendor.
    #[error("the tenant has no webhook for that vendor")]
    UnknownWebhook,
    /// The same vendor was named twice, or none.
    #[error("name each vendor once, and at least one")]
    BadWebhooks,
    /// The account belongs to a tenant already, or is no account.
    #[error("the account {0} belongs to another tenant, or is not 1 to 128 characters long")]
    AccountTaken(String),
    /// The host holds as many tenants as it is configured to.
    #[error("the host is full: no more than {0} tenants are configured")]
    TooManyTenants(usize),
    /// There is a person of that name.
    #[error("there is a person of that name already")]
    PersonExists,
    /// There is none.
    #[error("there is no such person")]
    UnknownPerson,
    /// The host knows as many people as it can.
    #[error("the host is full: it knows {PEOPLE_MAX} people at most")]
    TooManyPeople,
    /// The account stands for somebody else.
    #[error("the account stands for another person")]
    AccountLinked,
    /// The account does not stand for the person.
    #[error("the account does not stand for that person")]
    NotLinked,
    /// The person has as many accounts as one may have.
    #[error("a person has {LINKS_MAX} accounts at most")]
    TooManyLinks,
    /// The person has as many tokens as one may have.
    #[error(
        "a person has {TOKENS_MAX} tokens that count at most; revoke one, or wait until one expires"
    )]
    TooManyTokens,
    /// There is no token of that name.
    #[error("there is no such token")]
    UnknownToken,
    /// A token that would count for too long, or not at all.
    #[error("a personal token counts for 24 hours at most, and for a second at least")]
    BadLifetime,
    /// An id that chat would never give.
    #[error("an id of Discord is a decimal number of 1 to 20 digits")]
    BadChatId,
    /// The code is nobody's, was used, was replaced, or has expired.
    #[error("this code is not, or no longer, good")]
    WrongCode,
    /// The place in chat is another tenant's.
    #[error("this chat server belongs to another tenant; release it there first")]
    GuildTaken,
    /// The tenant has no place in chat.
    #[error("the tenant has no place in chat")]
    NoChat,
    /// There is nothing to speak to.
    #[error("no actions are carried out at that vendor, so there is no credential for it")]
    NoSuchEdr,
    /// There is no such credential.
    #[error("the tenant has no such credential")]
    NoCredential,
    /// A reason that says nothing, or too much.
    #[error("a reason has 1 to {HALT_REASON_MAX} characters and no control characters")]
    BadReason,
    /// There is no halt that could be lifted.
    #[error("containment is not halted there")]
    NotHalted,
    /// Nothing to be done.
    #[error("nothing to do")]
    NothingToDo,
}

/// What follows from `command` at `now`.
///
/// # Errors
/// [`HostRefusal`] where it is not possible in this state.
pub fn decide(
    state: &HostState,
    command: HostCommand,
    now: Timestamp,
    tenant_max: usize,
) -> Result<Vec<HostEvent>, HostRefusal> {
    let event = match command {
        HostCommand::OpenChain(_) if state.next_seq > 0 => return Err(HostRefusal::NothingToDo),
        HostCommand::OpenChain(opened) => HostEvent::ChainOpened(opened),
        HostCommand::AddTenant(added, key) => {
            tenants::may_add(state, &added, tenant_max)?;
            return Ok(vec![
                HostEvent::TenantAdded(added),
                HostEvent::KeyIssued(key),
            ]);
        }
        HostCommand::IssueKey(issued) => {
            tenants::may_have_key(state, &issued)?;
            HostEvent::KeyIssued(issued)
        }
        HostCommand::UpdateTenant(updated) => {
            tenants::may_update(state, &updated)?;
            HostEvent::TenantUpdated(updated)
        }
        HostCommand::RemoveTenant(removed) => {
            removal::may_remove(state, &removed)?;
            HostEvent::TenantRemoved(removed)
        }
        HostCommand::RotateSecret(rotated) => {
            tenants::webhook(state, &rotated.tenant_id, rotated.vendor)?;
            HostEvent::SecretRotated(rotated)
        }
        HostCommand::RetireSecret(retired) => {
            tenants::may_retire(state, &retired)?;
            HostEvent::SecretRetired(retired)
        }
        HostCommand::IssueToken(issued) => people::issue_token(&state.people, issued, now)?,
        HostCommand::ChangePeople(change) => people::decide(state, change)?,
        HostCommand::IssueChatCode(issued) => chat::issue_code(state, issued)?,
        HostCommand::ClaimChat(claim) => chat::claim(state, claim, now)?,
        HostCommand::ReleaseChat(released) => chat::release(state, released)?,
        HostCommand::SealSecret(sealed) => secrets::seal(state, sealed)?,
        HostCommand::ChangeCredential(change) => credentials::decide(state, change)?,
        HostCommand::ChangeHalt(change) => halts::decide(state, change)?,
        HostCommand::ChangeRules(changed)
            if state.rules_sha256.as_ref() == Some(&changed.rules_sha256) =>
        {
            return Err(HostRefusal::NothingToDo);
        }
        HostCommand::ChangeRules(changed) => HostEvent::RulesChanged(changed),
        HostCommand::NoteRecovery(recovered) => HostEvent::JournalRecovered(recovered),
        HostCommand::NoteDamage(damaged) => HostEvent::JournalDamaged(damaged),
        HostCommand::NoteQuarantine(held) => HostEvent::JournalQuarantined(held),
        HostCommand::NoteTenant(noted) if !state.tenants.contains_key(&noted.tenant_id) => {
            return Err(HostRefusal::UnknownTenant);
        }
        HostCommand::NoteTenant(noted) => HostEvent::TenantNoted(noted),
        HostCommand::SettleLetter(settled) => HostEvent::LetterSettled(settled),
        HostCommand::OrderRepair(ordered) if !state.tenants.contains_key(&ordered.tenant_id) => {
            return Err(HostRefusal::UnknownTenant);
        }
        HostCommand::OrderRepair(ordered) => HostEvent::RepairOrdered(ordered),
        HostCommand::NoteRepair(repaired) => HostEvent::Repaired(repaired),
        HostCommand::ChangeAuditLog(change) => audit_log::decide(state, change)?,
    };
    Ok(vec![event])
}

/// Makes it so.
pub fn apply(state: &mut HostState, event: &HostEvent, at: Timestamp) {
    state.next_seq = state.next_seq.saturating_add(1);
    match event {
        HostEvent::ChainOpened(_)
        | HostEvent::JournalRecovered(_)
        | HostEvent::JournalDamaged(_)
        | HostEvent::JournalQuarantined(_)
        | HostEvent::Repaired(_)
        | HostEvent::LetterSettled(_) => {}
        HostEvent::RepairOrdered(ordered) => tenants::order_repair(state, ordered),
        HostEvent::TenantAdded(added) => tenants::add(state, added, at),
        HostEvent::TenantUpdated(updated) => tenants::update(state, updated),
        HostEvent::TenantRemoved(removed) => removal::remove(state, removed, at),
        HostEvent::SecretRotated(rotated) => tenants::rotate(state, rotated, at),
        HostEvent::SecretRetired(retired) => tenants::retire(state, retired),
        HostEvent::TenantNoted(noted) => tenants::note(state, noted, at),
        HostEvent::KeyIssued(issued) => tenants::give_key(state, issued),
        HostEvent::TokenIssued(issued) => people::add_token(&mut state.people, issued, at),
        HostEvent::People(change) => people::apply(&mut state.people, change, at),
        HostEvent::Chat(change) => chat::apply(state, change),
        HostEvent::SecretSealed(sealed) => secrets::apply(state, sealed, at),
        HostEvent::Credential(change) => credentials::apply(state, change, at),
        HostEvent::Halt(change) => halts::apply(state, change, at),
        HostEvent::AuditLog(change) => state.audit_log = Some(change.log().clone()),
        HostEvent::RulesChanged(changed) => {
            state.rules_sha256 = Some(changed.rules_sha256.clone());
        }
    }
}

/// Applies one line of the host's chain, which must be the next one.
///
/// # Errors
/// [`ReplayError`] where the line is out of order, unknown or malformed.
pub fn replay(state: &mut HostState, recorded: &Recorded) -> Result<HostEvent, ReplayError> {
    if recorded.seq != state.next_seq {
        return Err(ReplayError::OutOfOrder {
            expected: state.next_seq,
            found: recorded.seq,
        });
    }
    let event = HostEvent::from_recorded(recorded)?;
    apply(state, &event, recorded.timestamp_ms);
    Ok(event)
}
