//! Policies tested by tables: a question in a few words, and what is expected.

use std::collections::BTreeSet;

use serde::Deserialize;
use vyrox_domain::{
    action::ActionType,
    ids::{InvalidTenantId, PersonId, TenantId},
    person::Role,
    triage::Verdict,
    vendor::Vendor,
};

use crate::{
    policies::Policies,
    question::{Act, Channel, Context, Principal, Proposal, Question},
    ruling::Ruling,
};

/// The longest table, in bytes.
const TABLE_MAX_BYTES: usize = 1024 * 1024;

/// One row of a table. What is left out is a chat click about isolating an ordinary host of tenant
/// `acme` behind a critical CrowdStrike alert, that Vyrox proposed and nobody said yes to yet.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an attribute of the question by its name"
)]
pub struct Case {
    /// What it shows, in words.
    pub name: String,
    act: Act,
    person: Option<PersonId>,
    #[serde(default)]
    roles: BTreeSet<Role>,
    service: Option<String>,
    tenant: Option<TenantId>,
    #[serde(default = "isolation")]
    action: ActionType,
    #[serde(default = "critical")]
    verdict: Verdict,
    #[serde(default = "crowdstrike")]
    vendor: Vendor,
    #[serde(default)]
    tier0: bool,
    #[serde(default)]
    protected: bool,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    release: bool,
    proposer: Option<PersonId>,
    #[serde(default)]
    approvals: u32,
    #[serde(default)]
    approvers_include_proposer: bool,
    #[serde(default)]
    same_person: bool,
    #[serde(default)]
    bulk: bool,
    #[serde(default)]
    break_glass: bool,
    #[serde(default)]
    incident_given: bool,
    #[serde(default)]
    reason_chars: u32,
    channel: Option<Channel>,
    expect: Expectation,
    /// The policies that must have determined it, all of them and no other; not looked at if left
    /// out.
    by: Option<BTreeSet<String>>,
}

/// What a case expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// Yes.
    Allow,
    /// No.
    Deny,
}

/// What became of a case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The ruling.
    pub ruling: Ruling,
    /// In what it is not as expected, in words; `None` if it is.
    pub failure: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    case: Vec<Case>,
}

/// Reads a table: TOML with a `[[case]]` each.
///
/// # Errors
/// What is not such a table, with the line: unknown or missing members, a case that has not exactly
/// one of `person` and `service`, no case at all, more than a mebibyte.
pub fn parse_cases(text: &str) -> Result<Vec<Case>, String> {
    if text.len() > TABLE_MAX_BYTES {
        return Err(format!("longer than {TABLE_MAX_BYTES} bytes"));
    }
    let table: Table = toml::from_str(text).map_err(|error| error.to_string())?;
    if table.case.is_empty() {
        return Err("there is no [[case]] in it".to_owned());
    }
    for case in &table.case {
        case.question()
            .map_err(|error| format!("case \"{}\": {error}", case.name))?;
    }
    Ok(table.case)
}

impl Case {
    /// The question that the case asks.
    ///
    /// # Errors
    /// It names nobody who asks, or two; or roles of a service.
    pub fn question(&self) -> Result<Question, String> {
        let principal = match (&self.person, &self.service) {
            (Some(id), None) => Principal::Person {
                id: id.clone(),
                roles: self.roles.clone(),
            },
            (None, Some(_)) if !self.roles.is_empty() => {
                return Err("a service has no roles".to_owned());
            }
            (None, Some(name)) => Principal::Service { name: name.clone() },
            (None, None) | (Some(_), Some(_)) => {
                return Err("needs either a person or a service".to_owned());
            }
        };
        let tenant = match &self.tenant {
            Some(tenant) => tenant.clone(),
            None => "acme"
                .parse()
                .map_err(|error: InvalidTenantId| error.to_string())?,
        };
        let usual = if self.service.is_some() {
            Channel::Hmac
        } else {
            Channel::Chat
        };
        Ok(Question {
            act: self.act,
            principal,
            proposal: Proposal {
                tenant,
                action_type: self.action,
                verdict: self.verdict,
                vendor: self.vendor,
                tier0: self.tier0,
                protected: self.protected,
                dry_run: self.dry_run,
                release: self.release,
                proposer: self.proposer.clone(),
            },
            context: Context {
                approvals: self.approvals,
                approvers_include_proposer: self.approvers_include_proposer,
                same_person: self.same_person,
                bulk: self.bulk,
                break_glass: self.break_glass,
                incident_given: self.incident_given,
                reason_chars: self.reason_chars,
                channel: self.channel.unwrap_or(usual),
            },
        })
    }

    /// Asks the policies, and compares.
    ///
    /// # Errors
    /// As [`Case::question`], which no case of [`parse_cases`] comes to.
    pub fn run(&self, policies: &Policies) -> Result<Outcome, String> {
        let ruling = policies.decide(&self.question()?);
        let failure = self.difference(&ruling);
        Ok(Outcome { ruling, failure })
    }

    fn difference(&self, ruling: &Ruling) -> Option<String> {
        let by = list(ruling.policies.iter());
        let got = if ruling.allowed { "allowed" } else { "denied" };
        if ruling.allowed != (self.expect == Expectation::Allow) {
            let errors = ruling.errors.iter().map(|error| format!("; {error}"));
            return Some(format!("is {got} by {by}{}", errors.collect::<String>()));
        }
        let expected = self.by.as_ref()?;
        let as_expected = ruling.policies.iter().eq(expected.iter());
        (!as_expected).then(|| format!("is {got} by {by} in place of {}", list(expected.iter())))
    }
}

fn list<'a>(ids: impl Iterator<Item = &'a String>) -> String {
    let ids: Vec<&str> = ids.map(String::as_str).collect();
    if ids.is_empty() {
        return "no policy".to_owned();
    }
    ids.join(", ")
}

const fn isolation() -> ActionType {
    ActionType::HostIsolation
}

const fn critical() -> Verdict {
    Verdict::Critical
}

const fn crowdstrike() -> Vendor {
    Vendor::Crowdstrike
}
