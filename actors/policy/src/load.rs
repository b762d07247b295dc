//! From texts to a set of policies.

use std::{collections::BTreeMap, str::FromStr as _};

use cedar_policy::{
    Effect as CedarEffect, Policy as CedarPolicy, PolicyId, PolicySet, Schema, SchemaFragment,
    ValidationMode, Validator, ffi::DetailedError,
};
use serde_json::Value;

use crate::{
    builtin::{HARD, HARD_PREFIX, SCHEMA},
    canonical,
    error::PolicyError,
    policies::{Effect, Policies, Policy},
    statement::{Statement, statements},
    vocabulary::Vocabulary,
};

/// How many policies a set has at most, the hard rules not counted.
pub const POLICIES_MAX: usize = 256;

/// How many bytes the sources of a set have at most, all together.
pub const SOURCES_MAX_BYTES: usize = 256 * 1024;

/// The longest `@id`, in characters.
const ID_MAX: usize = 64;

pub(crate) fn compile(sources: &[(String, String)]) -> Result<Policies, Vec<PolicyError>> {
    within_bounds(sources)?;
    let fragment = schema_fragment()?;
    let schema = Schema::from_schema_fragments([fragment.clone()])
        .map_err(|error| vec![PolicyError::of_source(SCHEMA.0, error.to_string())])?;
    let mut loader = Loader::default();
    loader.add_source(HARD.0, HARD.1);
    let hard = loader.found.len();
    for (name, text) in sources {
        loader.add_source(name, text);
    }
    loader.count(hard);
    loader.validate(schema.clone());
    loader.finish(fragment, schema, hard)
}

fn within_bounds(sources: &[(String, String)]) -> Result<(), Vec<PolicyError>> {
    let mut bytes = 0_usize;
    for (name, text) in sources {
        bytes = bytes.saturating_add(text.len());
        if bytes > SOURCES_MAX_BYTES {
            let message =
                format!("all policies together are longer than {SOURCES_MAX_BYTES} bytes");
            return Err(vec![PolicyError::of_source(name, message)]);
        }
    }
    Ok(())
}

fn schema_fragment() -> Result<SchemaFragment, Vec<PolicyError>> {
    let (name, text) = SCHEMA;
    match SchemaFragment::from_cedarschema_str(text) {
        Ok((fragment, mut warnings)) => match warnings.next() {
            None => Ok(fragment),
            Some(warning) => Err(vec![PolicyError::of_source(name, warning.to_string())]),
        },
        Err(error) => Err(vec![PolicyError::of_source(name, error.to_string())]),
    }
}

/// Collects policies, and everything that is wrong with them.
#[derive(Default)]
struct Loader<'a> {
    found: Vec<Found<'a>>,
    /// The position in `found` of each `@id`.
    by_id: BTreeMap<String, usize>,
    errors: Vec<PolicyError>,
}

/// A policy as it was found.
struct Found<'a> {
    source: &'a str,
    text: &'a str,
    /// Its `@id`, if that is a good one.
    id: Option<String>,
    policy: CedarPolicy,
}

impl<'a> Loader<'a> {
    fn add_source(&mut self, source: &'a str, text: &'a str) {
        let statements = statements(text);
        let unbounded = statements.iter().filter_map(|statement| {
            let message = statement.excess()?;
            Some(PolicyError {
                line: Some(statement.line),
                ..PolicyError::of_source(source, message)
            })
        });
        let before = self.errors.len();
        self.errors.extend(unbounded);
        if self.errors.len() > before {
            return;
        }
        let set = match PolicySet::from_str(text) {
            Ok(set) => set,
            Err(errors) => {
                let told = errors.iter().map(DetailedError::from);
                let told = told.map(|error| located(source, text, None, &error));
                self.errors.extend(told);
                return;
            }
        };
        if set.num_of_templates() > 0 {
            let message = "?principal and ?resource have no use here; name what is meant";
            self.errors.push(PolicyError::of_source(source, message));
        }
        // Cedar numbers policies in the order of the text, and hands them out in none.
        let mut policies: Vec<_> = set.policies().cloned().collect();
        policies.sort_by_key(|policy| number_of(policy.id()));
        for policy in policies {
            let at = number_of(policy.id()).and_then(|number| statements.get(number));
            self.add_policy((source, text), at, policy);
        }
    }

    fn add_policy(
        &mut self,
        (source, text): (&'a str, &'a str),
        at: Option<&Statement>,
        policy: CedarPolicy,
    ) {
        let id = match self.good_id(source, policy.annotation("id")) {
            Ok(id) => {
                self.by_id.insert(id.clone(), self.found.len());
                Some(id)
            }
            Err(message) => {
                self.errors.push(PolicyError {
                    line: at.map(|statement| statement.line),
                    policy: policy.annotation("id").map(str::to_owned),
                    ..PolicyError::of_source(source, message)
                });
                None
            }
        };
        self.found.push(Found {
            source,
            text,
            id,
            policy,
        });
    }

    fn good_id(&self, source: &str, id: Option<&str>) -> Result<String, String> {
        let Some(id) = id else {
            return Err(
                "has no @id(\"...\"); rulings and the audit chain name policies by it".into(),
            );
        };
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let well_formed = id.len() <= ID_MAX
            && id.bytes().next().is_some_and(plain)
            && id
                .bytes()
                .all(|b| plain(b) || matches!(b, b'.' | b'_' | b'-'));
        if !well_formed {
            return Err(format!(
                "an @id is 1 to {ID_MAX} characters of a-z, 0-9, '.', '_' and '-', the first a letter or digit"
            ));
        }
        if id.starts_with(HARD_PREFIX) && source != HARD.0 {
            return Err(format!(
                "an @id that begins with {HARD_PREFIX} is kept for the hard rules"
            ));
        }
        if let Some(first) = self.by_id.get(id).and_then(|at| self.found.get(*at)) {
            return Err(format!("the same @id stands in {} already", first.source));
        }
        Ok(id.to_owned())
    }

    fn count(&mut self, hard: usize) {
        if self.found.len().saturating_sub(hard) > POLICIES_MAX {
            let message = format!("there are more than {POLICIES_MAX} policies");
            self.errors
                .push(PolicyError::of_source("policies", message));
        }
    }

    /// Holds all against the schema, under their positions in place of ids that some may lack.
    fn validate(&mut self, schema: Schema) {
        let mut set = PolicySet::new();
        for (position, found) in self.found.iter().enumerate() {
            let numbered = found.policy.new_id(PolicyId::new(position.to_string()));
            if let Err(error) = set.add(numbered) {
                let error = PolicyError::of_source(found.source, error.to_string());
                self.errors.push(error);
            }
        }
        let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
        let mut told = Vec::new();
        for error in result.validation_errors() {
            told.push(self.objection(error.policy_id(), &DetailedError::from(error)));
        }
        for warning in result.validation_warnings() {
            told.push(self.objection(warning.policy_id(), &DetailedError::from(warning)));
        }
        told.sort_by(|one, other| (&one.source, one.line).cmp(&(&other.source, other.line)));
        self.errors.extend(told);
    }

    fn objection(&self, id: &PolicyId, error: &DetailedError) -> PolicyError {
        let number: &str = id.as_ref();
        let found = number.parse().ok().and_then(|at: usize| self.found.get(at));
        let Some(found) = found else {
            return PolicyError::of_source("policies", error.message.clone());
        };
        let prefix = format!("for policy `{number}`, ");
        let mut error = error.clone();
        if let Some(message) = error.message.strip_prefix(&prefix) {
            error.message = message.to_owned();
        }
        located(found.source, found.text, found.id.clone(), &error)
    }

    fn finish(
        self,
        fragment: SchemaFragment,
        schema: Schema,
        hard: usize,
    ) -> Result<Policies, Vec<PolicyError>> {
        let mut errors = self.errors;
        let failed = |error: String| vec![PolicyError::of_source("policies", error)];
        let mut set = PolicySet::new();
        let mut list: Vec<(Policy, Value)> = Vec::new();
        for (position, found) in self.found.into_iter().enumerate() {
            let Some(id) = found.id else { continue };
            let policy = found.policy.new_id(PolicyId::new(&id));
            let told = told(id, found.source, &policy);
            if position < hard && told.effect != Effect::Forbid {
                errors.push(PolicyError::of_source(HARD.0, "a hard rule only forbids"));
            }
            let canonical = policy.to_json().map_err(|e| failed(e.to_string()))?;
            list.push((told, canonical));
            set.add(policy).map_err(|e| failed(e.to_string()))?;
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        list.sort_by(|(one, _), (other, _)| one.id.cmp(&other.id));
        let shape = fragment
            .to_json_value()
            .map_err(|e| failed(e.to_string()))?;
        let digest = canonical::digest(&shape, list.iter().map(|(_, canonical)| canonical));
        Ok(Policies {
            schema,
            vocabulary: Vocabulary::new().map_err(failed)?,
            set,
            list: list.into_iter().map(|(told, _)| told).collect(),
            digest,
        })
    }
}

/// What people are told of a policy.
fn told(id: String, source: &str, policy: &CedarPolicy) -> Policy {
    Policy {
        id,
        effect: match policy.effect() {
            CedarEffect::Permit => Effect::Permit,
            CedarEffect::Forbid => Effect::Forbid,
        },
        text: policy.annotation("text").unwrap_or_default().to_owned(),
        source: source.to_owned(),
    }
}

/// Cedar's error, at its place in the source.
fn located(source: &str, text: &str, policy: Option<String>, error: &DetailedError) -> PolicyError {
    let start = error.source_locations.first().map(|label| label.loc.start);
    let before = start.and_then(|start| text.get(..start));
    let mut message = error.message.clone();
    if let Some(help) = &error.help {
        message = format!("{message} ({help})");
    }
    PolicyError {
        source: source.to_owned(),
        line: before.map(|before| before.matches('\n').count().saturating_add(1)),
        policy,
        message,
    }
}

/// The position of a policy in its source: Cedar names them `policy0`, `policy1`, ...
fn number_of(id: &PolicyId) -> Option<usize> {
    let id: &str = id.as_ref();
    id.strip_prefix("policy")?.parse().ok()
}
