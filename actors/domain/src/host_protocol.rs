//! What the host can be told and what can happen to it, with the form of each on the host's chain.

mod audit_log;
mod chat;
mod credentials;
mod halts;
mod letters;
mod noted;
mod people;
mod removal;
mod repairs;

use serde::{Deserialize, Serialize};

pub use self::{
    audit_log::{AuditLog, AuditLogChange, AuditRebased, ChainRebased, KeyRotated},
    chat::{ChatChange, ChatClaimed, ChatCodeIssued, ChatReleased, ClaimChat, is_snowflake},
    credentials::{
        ActionSecretRemoved, ActionSecretSet, CredentialChange, EdrCredentialRemoved,
        EdrCredentialRetired, EdrCredentialSet,
    },
    halts::{ContainmentHalted, ContainmentResumed, HaltChange},
    letters::{LetterFate, LetterSettled},
    noted::{RulesChanged, TenantHealth, TenantNoted},
    people::{
        PeopleChange, PersonAdded, PersonGranted, PersonLink, PersonRemoved, PersonalToken,
        Provider, TokenIssued, TokenRevoked, UnknownProvider,
    },
    removal::TenantRemoved,
    repairs::{
        DamagedPart, HeldChain, HostRepaired, JournalDamaged, JournalQuarantined, JournalRecovered,
        LogRead, RepairOrdered, RestoredTo,
    },
};
use crate::{
    entry::{Entry, Recorded, ReplayError, payload},
    ids::TenantId,
    protocol::ChainOpened,
    time::Timestamp,
    vendor::Vendor,
    webhook::AuthScheme,
};

/// Something that the host is asked to do. Secrets and ids were made before, by the shell.
#[derive(Clone, Debug)]
pub enum HostCommand {
    /// Write entry 0 of the host's chain.
    OpenChain(ChainOpened),
    /// Take on a tenant, with the key that its actions are signed with.
    AddTenant(TenantAdded, KeyIssued),
    /// Give a tenant that has none the key that its actions are signed with.
    IssueKey(KeyIssued),
    /// Change how a tenant's senders prove themselves, which accounts are its own, or its settings.
    UpdateTenant(TenantUpdated),
    /// Serve a tenant no more.
    RemoveTenant(TenantRemoved),
    /// Put a new secret in force for a webhook.
    RotateSecret(SecretRotated),
    /// The overlap of a rotation has ended.
    RetireSecret(SecretRetired),
    /// Write down that a token was made.
    IssueToken(TokenIssued),
    /// Change who there is, what a person may do, or by what one is known.
    ChangePeople(PeopleChange),
    /// Write down that a code was made that a place in chat can be claimed with.
    IssueChatCode(ChatCodeIssued),
    /// Tie a place in chat to the tenant whose code was shown.
    ClaimChat(ClaimChat),
    /// Untie a tenant from its place in chat.
    ReleaseChat(ChatReleased),
    /// Put a secret of the host itself in force.
    SealSecret(SecretSealed),
    /// Put a tenant's credential in force, or out of it.
    ChangeCredential(CredentialChange),
    /// Throw the switch that stops containment, one way or the other.
    ChangeHalt(HaltChange),
    /// The rules were replaced.
    ChangeRules(RulesChanged),
    /// Write down what a start cut off the journal or found damaged in it.
    NoteRecovery(JournalRecovered),
    /// Write down that bytes of a chain's files turned bad.
    NoteDamage(JournalDamaged),
    /// Write down that a chain's files could not be written, so that it is held.
    NoteQuarantine(JournalQuarantined),
    /// Write down that a tenant is suspended, was tried again, or serves again.
    NoteTenant(TenantNoted),
    /// Write down what an operator orders about a dead letter.
    SettleLetter(LetterSettled),
    /// Write down what somebody orders about a tenant's held chain: lines put back, or that it goes on.
    OrderRepair(RepairOrdered),
    /// Write down that the host's own chain was held and goes on.
    NoteRepair(HostRepaired),
    /// Write down that the signed log over all chains began, or that another follows it.
    ChangeAuditLog(AuditLogChange),
}

/// Something that happened to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostEvent {
    /// `chain.opened`
    ChainOpened(ChainOpened),
    /// `tenant.added`
    TenantAdded(TenantAdded),
    /// `tenant.updated`
    TenantUpdated(TenantUpdated),
    /// `tenant.removed`
    TenantRemoved(TenantRemoved),
    /// `secret.rotated`
    SecretRotated(SecretRotated),
    /// `secret.retired`
    SecretRetired(SecretRetired),
    /// `token.issued`
    TokenIssued(TokenIssued),
    /// `person.added` and the others about people
    People(PeopleChange),
    /// `tenant.chat_code_issued` and the others about chat
    Chat(ChatChange),
    /// `secret.sealed`
    SecretSealed(SecretSealed),
    /// `edr.credential_set` and the others about credentials
    Credential(CredentialChange),
    /// `containment.halted` or `containment.resumed`
    Halt(HaltChange),
    /// `key.issued`
    KeyIssued(KeyIssued),
    /// `rules.changed`
    RulesChanged(RulesChanged),
    /// `journal.recovered`
    JournalRecovered(JournalRecovered),
    /// `journal.damaged`
    JournalDamaged(JournalDamaged),
    /// A chain's files could not be written while the server ran, so it is held.
    JournalQuarantined(JournalQuarantined),
    /// `tenant.suspended`, `tenant.probed` or `tenant.resumed`
    TenantNoted(TenantNoted),
    /// `dead_letter.redriven` or `dead_letter.discarded`
    LetterSettled(LetterSettled),
    /// `journal.repair_ordered`
    RepairOrdered(RepairOrdered),
    /// `journal.repaired`
    Repaired(HostRepaired),
    /// `audit.log_begun` or `audit.rebased`
    AuditLog(AuditLogChange),
}

/// A tenant was taken on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantAdded {
    /// Its name.
    pub tenant_id: TenantId,
    /// A random id that tells nothing about it.
    pub opaque_id: String,
    /// Its webhooks, at least one.
    pub webhooks: Vec<Webhook>,
    /// Vendors' ids that are its own, beside its name.
    pub accounts: Vec<Account>,
    /// The id of the key that its secrets and evidence are sealed under.
    pub data_key_id: String,
    /// Who asked for it.
    pub by: String,
}

/// A tenant's webhooks, accounts or settings were changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantUpdated {
    /// Which.
    pub tenant_id: TenantId,
    /// Webhooks that are new or have another scheme now.
    pub webhooks: Vec<Webhook>,
    /// Accounts that are new.
    pub add_accounts: Vec<Account>,
    /// Accounts that are gone.
    pub remove_accounts: Vec<Account>,
    /// Whether a language model may be asked about its alerts from now on, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm: Option<bool>,
    /// Who may give orders in its place in chat from now on, where that was said; empty for nobody
    /// but the chat server's own administrators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_admin_role: Option<String>,
    /// Who asked for it.
    pub by: String,
}

/// A tenant has a key that its actions are signed with. The seed lies sealed in the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyIssued {
    /// Whose.
    pub tenant_id: TenantId,
    /// The key's name.
    pub kid: String,
    /// What its signatures are checked with, 64 hex digits.
    pub public_key_hex: String,
}

/// A secret of the host itself is in force, in place of the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretSealed {
    /// What it is: `discord/bot_token`, say.
    pub name: String,
    /// The version in the vault.
    pub secret_version: u64,
    /// The id of the key that it is sealed under.
    pub key_id: String,
    /// Who asked for it.
    pub by: String,
}

/// One way in for alerts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Whose alerts.
    pub vendor: Vendor,
    /// How the sender proves itself.
    pub auth: AuthScheme,
    /// The version of the secret in the vault.
    pub secret_version: u64,
}

/// A vendor's own id of a customer (a Falcon CID, say).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Account {
    /// Whose id.
    pub vendor: Vendor,
    /// The id, 1 to 128 characters.
    pub id: String,
}

/// A new secret is in force; the one before it still counts until `previous_until_ms`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretRotated {
    /// Whose.
    pub tenant_id: TenantId,
    /// Of which webhook.
    pub vendor: Vendor,
    /// The version now in force.
    pub secret_version: u64,
    /// When the version before it ends, `None` if it ended at once.
    pub previous_until_ms: Option<Timestamp>,
    /// Who asked for it.
    pub by: String,
}

/// A secret that was replaced no longer counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretRetired {
    /// Whose.
    pub tenant_id: TenantId,
    /// Of which webhook.
    pub vendor: Vendor,
    /// The version that ended.
    pub secret_version: u64,
}

impl HostEvent {
    /// The entry that says so, made at `at`.
    pub fn entry(&self, at: Timestamp) -> Entry {
        let (event, actor, payload) = match self {
            Self::ChainOpened(facts) => ("chain.opened", "system", payload(facts)),
            Self::TenantAdded(facts) => ("tenant.added", facts.by.as_str(), payload(facts)),
            Self::TenantUpdated(facts) => ("tenant.updated", facts.by.as_str(), payload(facts)),
            Self::TenantRemoved(facts) => ("tenant.removed", facts.by.as_str(), payload(facts)),
            Self::SecretRotated(facts) => ("secret.rotated", facts.by.as_str(), payload(facts)),
            Self::SecretRetired(facts) => ("secret.retired", "system", payload(facts)),
            Self::TokenIssued(facts) => {
                let by = facts.personal.as_ref().map_or("system", |own| &own.by);
                ("token.issued", by, payload(facts))
            }
            Self::People(change) => change.told(),
            Self::Chat(change) => change.told(),
            Self::Credential(change) => change.told(),
            Self::Halt(change) => change.told(),
            Self::AuditLog(change) => change.told(),
            Self::SecretSealed(facts) => ("secret.sealed", facts.by.as_str(), payload(facts)),
            Self::KeyIssued(facts) => ("key.issued", "system", payload(facts)),
            Self::RulesChanged(facts) => ("rules.changed", "system", payload(facts)),
            Self::JournalRecovered(facts) => ("journal.recovered", "system", payload(facts)),
            Self::JournalQuarantined(facts) => ("journal.quarantined", "system", payload(facts)),
            Self::JournalDamaged(facts) => ("journal.damaged", "system", payload(facts)),
            Self::TenantNoted(facts) => (facts.health.event(), "system", payload(facts)),
            Self::LetterSettled(facts) => (facts.fate.event(), facts.by.as_str(), payload(facts)),
            Self::RepairOrdered(facts) => {
                ("journal.repair_ordered", facts.by.as_str(), payload(facts))
            }
            Self::Repaired(facts) => ("journal.repaired", facts.by.as_str(), payload(facts)),
        };
        Entry {
            event,
            event_version: 1,
            actor: actor.into(),
            at,
            alert_id: None,
            action: None,
            payload,
        }
    }

    /// Reads an event back from the chain.
    ///
    /// # Errors
    /// [`ReplayError`] where the event is unknown to this release or malformed.
    pub fn from_recorded(recorded: &Recorded) -> Result<Self, ReplayError> {
        let event = match (recorded.event.as_str(), recorded.event_version) {
            ("chain.opened", 1) => Self::ChainOpened(recorded.read()?),
            ("tenant.added", 1) => Self::TenantAdded(recorded.read()?),
            ("tenant.updated", 1) => Self::TenantUpdated(recorded.read()?),
            ("tenant.removed", 1) => Self::TenantRemoved(recorded.read()?),
            ("secret.rotated", 1) => Self::SecretRotated(recorded.read()?),
            ("secret.retired", 1) => Self::SecretRetired(recorded.read()?),
            ("token.issued", 1) => Self::TokenIssued(recorded.read()?),
            ("secret.sealed", 1) => Self::SecretSealed(recorded.read()?),
            ("key.issued", 1) => Self::KeyIssued(recorded.read()?),
            ("rules.changed", 1) => Self::RulesChanged(recorded.read()?),
            ("journal.recovered", 1) => Self::JournalRecovered(recorded.read()?),
            ("journal.quarantined", 1) => Self::JournalQuarantined(recorded.read()?),
            ("journal.damaged", 1) => Self::JournalDamaged(recorded.read()?),
            ("journal.repair_ordered", 1) => Self::RepairOrdered(recorded.read()?),
            ("journal.repaired", 1) => Self::Repaired(recorded.read()?),
            ("tenant.suspended" | "tenant.probed" | "tenant.resumed", 1) => {
                Self::TenantNoted(recorded.read()?)
            }
            ("dead_letter.redriven" | "dead_letter.discarded", 1) => {
                Self::LetterSettled(recorded.read()?)
            }
            _ => Self::of_a_kind(recorded)?,
        };
        Ok(event)
    }

    fn of_a_kind(recorded: &Recorded) -> Result<Self, ReplayError> {
        if let Some(change) = PeopleChange::read(recorded)? {
            return Ok(Self::People(change));
        }
        if let Some(change) = CredentialChange::read(recorded)? {
            return Ok(Self::Credential(change));
        }
        if let Some(change) = HaltChange::read(recorded)? {
            return Ok(Self::Halt(change));
        }
        if let Some(change) = AuditLogChange::read(recorded)? {
            return Ok(Self::AuditLog(change));
        }
        let chat = ChatChange::read(recorded)?;
        chat.map(Self::Chat).ok_or_else(|| recorded.unknown())
    }
}
