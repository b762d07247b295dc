//! A compiled set of policies.

use cedar_policy::{Authorizer, Decision, PolicySet, Schema};
use serde::Serialize;
use vyrox_domain::digest::Digest;

use crate::{
    builtin::DEFAULTS, error::PolicyError, load, question::Question, ruling::Ruling,
    vocabulary::Vocabulary,
};

/// Policies, held against the schema together and immutable from then on. Cheap to share behind an
/// `Arc`; replaced as a whole.
#[derive(Debug)]
pub struct Policies {
    pub(crate) schema: Schema,
    pub(crate) vocabulary: Vocabulary,
    pub(crate) set: PolicySet,
    /// Sorted by id.
    pub(crate) list: Vec<Policy>,
    pub(crate) digest: Digest,
}

/// One policy, as people are told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Its `@id`.
    pub id: String,
    /// What it does where it matches.
    pub effect: Effect,
    /// Its `@text`, empty if it has none.
    pub text: String,
    /// The source it stands in.
    pub source: String,
}

/// What a policy does where it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Says yes, unless a forbid objects.
    Permit,
    /// Says no, whatever else permits.
    Forbid,
}

impl Effect {
    /// The word in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Forbid => "forbid",
        }
    }
}

impl Policies {
    /// The policies that hold where an operator has none of his own, as `(name, Cedar)`. The hard
    /// rules are not among them: they are part of every set.
    pub const fn builtin() -> &'static [(&'static str, &'static str)] {
        DEFAULTS
    }

    /// Compiles `(name, Cedar)` sources together with the hard rules.
    ///
    /// Every policy needs an `@id` of its own: 1 to 64 characters of `a-z`, `0-9`, `.`, `_`, `-`, the
    /// first a letter or digit, and not beginning with `hard.`. All must pass Cedar's strict
    /// validation; what Cedar only warns of, such as a policy that can never apply, is an error here.
    ///
    /// # Errors
    /// Everything that is wrong, not the first thing; then no set comes to be. Too many or too long
    /// sources are refused before they are read.
    pub fn compile(sources: &[(String, String)]) -> Result<Self, Vec<PolicyError>> {
        load::compile(sources)
    }

    /// The digest of the schema and of all policies. The names and the order of sources, comments
    /// and white space do not enter it; whatever could change a ruling or its explanation does.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// All policies, the hard rules included, sorted by id.
    pub fn list(&self) -> &[Policy] {
        &self.list
    }

    /// The policy with this id.
    pub fn get(&self, id: &str) -> Option<&Policy> {
        self.list.iter().find(|policy| policy.id == id)
    }

    /// Decides. The same question gets the same ruling, and takes time that is bounded by the size
    /// of the set. Whatever goes wrong is a no that tells of it.
    pub fn decide(&self, question: &Question) -> Ruling {
        let (request, entities) = match self.vocabulary.express(question, &self.schema) {
            Ok(expressed) => expressed,
            Err(error) => return self.rule(false, Vec::new(), vec![error]),
        };
        let response = Authorizer::new().is_authorized(&request, &self.set, &entities);
        let diagnostics = response.diagnostics();
        let mut deciding: Vec<String> = diagnostics.reason().map(ToString::to_string).collect();
        deciding.sort_unstable();
        // Cedar leaves a policy out that it cannot evaluate. If that was a forbid, its yes is worth
        // nothing.
        let errors: Vec<String> = diagnostics.errors().map(ToString::to_string).collect();
        let allowed = response.decision() == Decision::Allow;
        if allowed && !errors.is_empty() {
            return self.rule(false, Vec::new(), errors);
        }
        self.rule(allowed, deciding, errors)
    }

    const fn rule(&self, allowed: bool, policies: Vec<String>, errors: Vec<String>) -> Ruling {
        Ruling {
            allowed,
            policies,
            errors,
            policy_sha256: self.digest,
        }
    }
}
