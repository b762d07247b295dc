//! What policies are asked.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};
use vyrox_domain::{
    action::ActionType,
    ids::{PersonId, TenantId},
    person::Role,
    triage::Verdict,
    vendor::Vendor,
};

/// One question: may this one do that, as things stand?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What is to be done.
    pub act: Act,
    /// By whom.
    pub principal: Principal,
    /// With which proposed action.
    pub proposal: Proposal,
    /// Under which circumstances.
    pub context: Context,
}

/// What can be done with a proposal.
///
/// Whoever collects the yeses asks [`Act::Approve`], or [`Act::BreakGlass`] in its place for a yes
/// that is given as an emergency; if it counts, [`Act::Execute`] with the new number of approvals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// This person's yes counts.
    Approve,
    /// This person's no ends it.
    Deny,
    /// What was said is enough to carry it out. The principal is the last person who said yes, or
    /// the service that asks.
    Execute,
    /// This person's yes counts, given as an emergency: in place of the second person's.
    BreakGlass,
    /// This person may take back what was carried out.
    Release,
}

impl Act {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Approve,
        Self::Deny,
        Self::Execute,
        Self::BreakGlass,
        Self::Release,
    ];

    /// The name in policies and cases.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Execute => "execute",
            Self::BreakGlass => "break_glass",
            Self::Release => "release",
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A person of the registry.
    Person {
        /// Who.
        id: PersonId,
        /// The person's roles in the proposal's tenant.
        roles: BTreeSet<Role>,
    },
    /// Something that is no person.
    Service {
        /// `compat` (signs with the shared secret) or `triage` (Vyrox itself). Any other name is
        /// refused with an error.
        name: String,
    },
}

/// What the action is, as far as policies can see it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an attribute that a policy asks for by its name"
)]
pub struct Proposal {
    /// Whose host.
    pub tenant: TenantId,
    /// What is to be done.
    pub action_type: ActionType,
    /// What triage made of the alert.
    pub verdict: Verdict,
    /// Whose API would do it.
    pub vendor: Vendor,
    /// The organisation cannot do without the host.
    pub tier0: bool,
    /// The host is on the tenant's list of protected ones.
    pub protected: bool,
    /// A rehearsal.
    pub dry_run: bool,
    /// It takes something back.
    pub release: bool,
    /// The person who proposed it; `None` if Vyrox did.
    pub proposer: Option<PersonId>,
}

/// How things stand when the question is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an attribute that a policy asks for by its name"
)]
pub struct Context {
    /// How many different persons have said yes, this one included.
    pub approvals: u32,
    /// The proposer is one of them.
    pub approvers_include_proposer: bool,
    /// This person had said yes to this proposal before.
    pub same_person: bool,
    /// More hosts of the tenant within an hour than one person may answer for.
    pub bulk: bool,
    /// It is an emergency.
    pub break_glass: bool,
    /// An incident was named for it.
    pub incident_given: bool,
    /// How many characters the reason has.
    pub reason_chars: u32,
    /// On which way the question came.
    pub channel: Channel,
}

/// On which way a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A button in chat, from a linked account.
    Chat,
    /// A person's own token.
    Token,
    /// The shared secret of trusted services.
    Hmac,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Chat, Self::Token, Self::Hmac];

    /// The name in policies and cases.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Token => "token",
            Self::Hmac => "hmac",
        }
    }
}
