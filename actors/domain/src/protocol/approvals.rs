//! What stands on a chain about proposals and decisions: payloads of its entries.

use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::{
    action::{ActionManifest, ActionType},
    digest::Digest,
    ids::{ActionId, AlertId, IncidentId, PersonId},
    triage::Verdict,
};

/// Somebody has to decide about an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRequested {
    /// The action, down to the last member.
    pub manifest: ActionManifest,
    /// SHA-256 of its canonical form: what an approval binds to.
    pub manifest_sha256: Digest,
    /// The verdict that called for it.
    pub verdict: Verdict,
}

/// An action would have been proposed, and too many wait already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalNotRequested {
    /// The incident that the alert belongs to.
    pub incident_id: IncidentId,
    /// What.
    pub action_type: ActionType,
    /// To whom.
    pub target_urn: String,
    /// The verdict that called for it.
    pub verdict: Verdict,
}

/// Which action a decision is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its id.
    pub action_id: ActionId,
    /// The digest of its manifest.
    pub manifest_sha256: Digest,
}

/// How a decision reached us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "via", rename_all = "snake_case")]
pub enum Via {
    /// A button under a message.
    Chat {
        /// The guild that it came from.
        guild_id: String,
        /// The channel.
        channel_id: String,
        /// The message that showed the button.
        message_id: Option<String>,
        /// The account that pressed it.
        account_id: String,
        /// The chat service's id of the press.
        interaction_id: String,
    },
    /// A person's own token.
    Token {
        /// Its name; never its text.
        token_id: String,
    },
}

/// Which policies decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySaid {
    /// The digest of all policies in force.
    pub policy_sha256: Digest,
    /// The ids of those that decided; empty where none permitted it.
    pub policies: Vec<String>,
}

/// One person's yes, where more than one is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalGiven {
    /// To what.
    #[serde(flatten)]
    pub about: About,
    /// Whose.
    pub person_id: PersonId,
    /// How it reached us.
    #[serde(flatten)]
    pub via: Via,
    /// How many said yes by now.
    pub approvals: u32,
    /// Why it counts.
    pub policy: PolicySaid,
}

/// The action may be carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalGranted {
    /// Which.
    #[serde(flatten)]
    pub about: About,
    /// Everybody who said yes, the last one last.
    pub approvers: Vec<PersonId>,
    /// How the last yes reached us.
    #[serde(flatten)]
    pub via: Via,
    /// Why that is enough.
    pub policy: PolicySaid,
    /// Whether and why the second person was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlass>,
    /// The manifest with its approval, signed by the tenant's action key (compact JWS).
    pub jws: String,
}

/// The second person was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakGlass {
    /// The incident that was named.
    pub incident_id: IncidentId,
    /// The reason, kept as evidence.
    pub reason: Evidence,
}

/// The action will not be carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalDenied {
    /// Which.
    #[serde(flatten)]
    pub about: About,
    /// Who said no.
    pub person_id: PersonId,
    /// How it reached us.
    #[serde(flatten)]
    pub via: Via,
    /// The reason, kept as evidence.
    pub reason: Evidence,
    /// Why that person may.
    pub policy: PolicySaid,
}

/// Nobody decided in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalExpired {
    /// About what.
    #[serde(flatten)]
    pub about: About,
}

/// Somebody tried to decide and could not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRefused {
    /// Which action, where one was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_id: Option<ActionId>,
    /// The alert that was named.
    pub alert_id: AlertId,
    /// What was tried.
    pub verb: Verb,
    /// Who, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_id: Option<PersonId>,
    /// How it reached us.
    #[serde(flatten)]
    pub via: Via,
    /// Why not.
    pub why: NotDecided,
    /// The policies that were asked, if it came to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicySaid>,
}

/// Somebody is about to be shown what is kept of an alert beside the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceShown {
    /// The alert.
    pub alert_id: AlertId,
    /// Who.
    pub by: PersonId,
    /// How the wish reached us.
    #[serde(flatten)]
    pub via: Via,
}

/// What somebody wants to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Yes.
    Approve,
    /// No.
    Deny,
    /// Yes, and the second person is skipped.
    BreakGlass,
}

/// Why a decision did not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum NotDecided {
    /// Nothing of that alert waits for a decision.
    #[error("nothing of this alert waits for a decision")]
    UnknownAction,
    /// The digest is not that of what waits.
    #[error("what was shown is not what waits for a decision")]
    DigestMismatch,
    /// The alert has had several proposals, and the digest was not given.
    #[error("the alert has several proposals; name the digest of one")]
    DigestNeeded,
    /// The press came from another message than the one that shows it.
    #[error("this message is not the one that shows the proposal now")]
    WrongMessage,
    /// It came from a guild or channel that is not the tenant's.
    #[error("this guild or channel is not the tenant's")]
    WrongPlace,
    /// The chat service posted the same press before.
    #[error("this press was posted before")]
    Replayed,
    /// The account lacks the tenant's role.
    #[error("the account lacks the role that may decide here")]
    RoleMissing,
    /// The account is no person's.
    #[error("the account is not linked to a person")]
    NotAPerson,
    /// Whoever proposed it cannot approve it.
    #[error("whoever proposed an action cannot approve it")]
    SelfApproval,
    /// The policies do not permit it.
    #[error("the policies do not permit it")]
    PolicyDenied,
    /// The person has said yes before; another one is needed.
    #[error("this person has said yes already; another one is needed")]
    SamePerson,
    /// It was decided before.
    #[error("it was decided before")]
    AlreadyDecided,
    /// Its time is over.
    #[error("its time is over")]
    Expired,
    /// The incident that was named for breaking the glass is another one.
    #[error("the incident that was named is not the one of this action")]
    WrongIncident,
    /// The approval could not be signed.
    #[error("the approval could not be signed")]
    Unsigned,
    /// The chains are not what was signed of them, so nothing would be done.
    #[error(
        "the audit log is not what was signed of it, so nothing is done to hosts: vyrox audit integrity \
         says what is wrong, and it can be approved once that is settled"
    )]
    Unproven,
}
