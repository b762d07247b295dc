//! A compiled set of rules.

use std::collections::HashMap;

use rsigma_eval::{Engine, EvaluationResult};
use rsigma_parser::{FilterRule, parse_sigma_yaml};
use vyrox_domain::{alert::Alert, digest::Digest, triage::RuleHit};

use crate::{
    builtin::builtin_sources,
    field,
    rule::{Rule, RuleError},
    view::View,
};

/// Rules, compiled together and immutable from then on. Cheap to share behind an `Arc`.
pub struct RuleSet {
    engine: Engine,
    /// In the order of the sources.
    rules: Vec<Rule>,
    /// The position in `rules` of each Sigma id.
    by_sigma_id: HashMap<String, usize>,
    digest: Digest,
}

impl RuleSet {
    /// The rules that come with Vyrox.
    ///
    /// # Errors
    ///
    /// As [`RuleSet::compile`]; a test keeps it from happening.
    pub fn builtin() -> Result<Self, Vec<RuleError>> {
        Self::compile(&builtin_sources())
    }

    /// Compiles `(name, YAML)` sources; each may hold several documents, rules as well as Sigma
    /// filters, which narrow rules of any source.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, not the first thing; then no set comes to be.
    pub fn compile(sources: &[(String, String)]) -> Result<Self, Vec<RuleError>> {
        let mut loader = Loader::default();
        for (name, text) in sources {
            loader.add_source(name, text);
        }
        loader.finish(digest(sources))
    }

    /// The rules that match `alert`, in the order of the sources. Never fails: what an alert doesn't
    /// tell doesn't match.
    pub fn evaluate(&self, alert: &Alert) -> Vec<RuleHit> {
        let view = View::new(alert);
        let results = self.engine.evaluate(&view);
        results
            .iter()
            .filter_map(|result| self.hit(result, &view))
            .collect()
    }

    /// The digest of the sources' names and texts, whatever their order: equal digests mean the same
    /// rules.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is no rule at all.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules, in the order of the sources.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Runs every rule's own test alerts against the whole set and returns what failed.
    pub fn run_examples(&self) -> Vec<RuleError> {
        let mut failures = Vec::new();
        for rule in &self.rules {
            let positive = rule.positive.iter().map(|example| (example, true));
            let negative = rule.negative.iter().map(|example| (example, false));
            failures.extend(
                positive
                    .chain(negative)
                    .filter_map(|(example, must_match)| example.failure(self, &rule.id, must_match))
                    .map(|message| error(&rule.source, Some(&rule.id), message)),
            );
        }
        failures
    }

    fn hit(&self, result: &EvaluationResult, view: &View<'_>) -> Option<RuleHit> {
        let position = self.by_sigma_id.get(result.header.rule_id.as_deref()?)?;
        let rule = self.rules.get(*position)?;
        rule.concerns(view.alert).then(|| RuleHit {
            rule_id: rule.id.clone(),
            title: rule.title.clone(),
            leaning: rule.leaning,
            level: rule.level,
            weight_bp: rule.weight_bp,
            overrides: rule.overrides,
            tactics: rule.tactics.clone(),
            techniques: rule.techniques.clone(),
            matched: matched(result, view),
        })
    }
}

/// The members of the normal form that made the rule match, sorted.
fn matched(result: &EvaluationResult, view: &View<'_>) -> Vec<String> {
    let fields = result
        .as_detection()
        .into_iter()
        .flat_map(|body| &body.matched_fields);
    let mut members: Vec<&str> = fields
        .filter_map(|matched| field::named(&matched.field))
        .flat_map(|field| field.members(view))
        .collect();
    members.sort_unstable();
    members.dedup();
    members.into_iter().map(str::to_owned).collect()
}

/// Collects rules and errors until all sources are read.
#[derive(Default)]
struct Loader {
    engine: Engine,
    compiled: Vec<rsigma_eval::CompiledRule>,
    rules: Vec<Rule>,
    by_sigma_id: HashMap<String, usize>,
    filters: Vec<(String, FilterRule)>,
    errors: Vec<RuleError>,
}

impl Loader {
    fn add_source(&mut self, source: &str, text: &str) {
        let collection = match parse_sigma_yaml(text) {
            Ok(collection) => collection,
            Err(problem) => return self.errors.push(error(source, None, problem.to_string())),
        };
        let problems = collection.errors.into_iter();
        self.errors
            .extend(problems.map(|problem| error(source, None, problem)));
        let correlations = collection.correlations.iter();
        self.errors.extend(correlations.map(|rule| {
            let message = "correlations need more than one alert; stage 1 sees one".to_owned();
            error(source, Some(&rule.title), message)
        }));
        for rule in &collection.rules {
            match Rule::compile(source, rule) {
                Ok((rule, compiled)) => self.add_rule(rule, compiled),
                Err(message) => self.errors.push(error(source, Some(&rule.title), message)),
            }
        }
        self.filters.extend(
            collection
                .filters
                .into_iter()
                .map(|filter| (source.to_owned(), filter)),
        );
    }

    fn add_rule(&mut self, rule: Rule, compiled: rsigma_eval::CompiledRule) {
        let sigma_id = compiled.id.clone().unwrap_or_default();
        let taken = self.by_sigma_id.contains_key(&sigma_id)
            || self.rules.iter().any(|other| other.id == rule.id);
        if taken {
            let message = "its id or name is taken by another rule".to_owned();
            return self
                .errors
                .push(error(&rule.source, Some(&rule.id), message));
        }
        self.by_sigma_id.insert(sigma_id, self.rules.len());
        self.rules.push(rule);
        self.compiled.push(compiled);
    }

    fn finish(mut self, digest: Digest) -> Result<RuleSet, Vec<RuleError>> {
        self.engine.extend_compiled_rules(self.compiled);
        for (source, filter) in &self.filters {
            if let Err(problem) = self.engine.apply_filter(filter) {
                self.errors
                    .push(error(source, Some(&filter.title), problem.to_string()));
            }
        }
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        Ok(RuleSet {
            engine: self.engine,
            rules: self.rules,
            by_sigma_id: self.by_sigma_id,
            digest,
        })
    }
}

fn digest(sources: &[(String, String)]) -> Digest {
    let mut sorted: Vec<&(String, String)> = sources.iter().collect();
    sorted.sort_unstable();
    let parts: Vec<&[u8]> = sorted
        .into_iter()
        .flat_map(|(name, text)| [name.as_bytes(), text.as_bytes()])
        .collect();
    Digest::of_parts(&parts)
}

fn error(source: &str, rule: Option<&str>, message: String) -> RuleError {
    RuleError {
        source: source.to_owned(),
        rule: rule.map(str::to_owned),
        message,
    }
}
