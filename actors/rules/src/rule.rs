//! One rule: what the engine doesn't know about it, and the checks a rule must pass to be loaded.

use std::fmt;

use rsigma_eval::{CompiledRule, RuleFieldSet, compile_rule};
use rsigma_parser::{LogSource, SigmaCollection, SigmaRule};
use serde::Deserialize;
use vyrox_domain::{
    alert::Alert,
    triage::{Leaning, Level},
};

use crate::{
    example::{Example, Examples},
    field,
};

/// A rule of a set.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its Sigma `name` where it has one (readable), else its `id`; unique in the set.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Where it came from, as the loader named it.
    pub source: String,
    /// Which way it argues.
    pub leaning: Leaning,
    /// How bad it is if it is right.
    pub level: Level,
    /// How much it says, in basis points.
    pub weight_bp: u16,
    /// It knows a false positive, and speaks before stage 2 does.
    pub overrides: bool,
    /// Its ATT&CK tactics (`credential-access`).
    pub tactics: Vec<String>,
    /// Its ATT&CK techniques (`T1003.001`).
    pub techniques: Vec<String>,
    /// Alerts that it must match.
    pub positive: Vec<Example>,
    /// Alerts that it must not match.
    pub negative: Vec<Example>,
    scope: Scope,
}

/// What is wrong with a rule or a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The source, as the loader named it.
    pub source: String,
    /// The rule, where one can be named.
    pub rule: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Some(rule) => write!(f, "{}: rule {rule}: {}", self.source, self.message),
            None => write!(f, "{}: {}", self.source, self.message),
        }
    }
}

impl std::error::Error for RuleError {}

/// Which alerts a rule may be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Our own log source, `product: edr, category: alert`.
    Alert,
    /// Process creation on one operating system.
    Process(&'static str),
    /// Process creation anywhere.
    AnyProcess,
}

/// The members under a rule's `vyrox` key.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extension {
    weight_bp: Option<u16>,
    leaning: Option<Leaning>,
    #[serde(default, rename = "override")]
    overrides: bool,
    #[serde(default)]
    tests: Examples,
}

impl Extension {
    fn leaning(&self) -> Result<Leaning, String> {
        match (self.overrides, self.leaning) {
            (true, Some(Leaning::Malicious)) => Err(
                "`vyrox`: an override knows a false positive: it can't lean malicious".to_owned(),
            ),
            (true, _) => Ok(Leaning::Benign),
            (false, leaning) => Ok(leaning.unwrap_or(Leaning::Malicious)),
        }
    }
}

impl Rule {
    /// Checks and compiles one parsed rule.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong, for the first thing that is.
    pub(crate) fn compile(
        source: &str,
        parsed: &SigmaRule,
    ) -> Result<(Self, CompiledRule), String> {
        let id = parsed.id.clone().ok_or("it has no `id`")?;
        let scope = Scope::of(&parsed.logsource)?;
        if scope == Scope::Alert {
            check_own(parsed)?;
        }
        let mut compiled = compile_rule(parsed).map_err(|error| error.to_string())?;
        let extension = match compiled.custom_attributes.get("vyrox") {
            Some(value) => {
                Extension::deserialize(value).map_err(|error| format!("`vyrox`: {error}"))?
            }
            None => Extension::default(),
        };
        // Copied into every hit otherwise, and nobody reads it there.
        compiled.custom_attributes = std::sync::Arc::default();

        let level = parsed.level.map_or(Level::Medium, level);
        let leaning = extension.leaning()?;
        let weight_bp = extension.weight_bp.unwrap_or_else(|| {
            if extension.overrides {
                OVERRIDE_WEIGHT_BP
            } else {
                default_weight_bp(level)
            }
        });
        if weight_bp > 10_000 {
            return Err(format!("`vyrox.weight_bp` is {weight_bp}, above 10000"));
        }
        let (techniques, tactics) = attack_tags(&parsed.tags);
        let rule = Self {
            id: parsed.name.clone().unwrap_or(id),
            title: parsed.title.clone(),
            source: source.to_owned(),
            leaning,
            level,
            weight_bp,
            overrides: extension.overrides,
            tactics,
            techniques,
            positive: extension.tests.positive,
            negative: extension.tests.negative,
            scope,
        };
        Ok((rule, compiled))
    }

    /// Whether the rule was written for alerts like this one. An alert of unknown platform is asked
    /// about by rules of every platform.
    pub(crate) fn concerns(&self, alert: &Alert) -> bool {
        match (self.scope, alert.device.platform.as_deref()) {
            (Scope::Process(product), Some(platform @ ("windows" | "linux" | "macos"))) => {
                product == platform
            }
            _ => true,
        }
    }
}

impl Scope {
    fn of(source: &LogSource) -> Result<Self, String> {
        let lower = |text: &Option<String>| text.as_deref().map(str::to_ascii_lowercase);
        let (category, product) = (lower(&source.category), lower(&source.product));
        match (
            category.as_deref(),
            product.as_deref(),
            source.service.as_deref(),
        ) {
            (Some("alert"), Some("edr"), None) => Ok(Self::Alert),
            (Some("process_creation"), None, None) => Ok(Self::AnyProcess),
            (Some("process_creation"), Some("windows"), None) => Ok(Self::Process("windows")),
            (Some("process_creation"), Some("linux"), None) => Ok(Self::Process("linux")),
            (Some("process_creation"), Some("macos"), None) => Ok(Self::Process("macos")),
            _ => Err(
                "an alert can't answer its log source: write `product: edr, category: alert` or \
                      `category: process_creation`"
                    .to_owned(),
            ),
        }
    }
}

/// What only a rule of our own log source can be held to: a misspelt key or field would make it
/// silent for ever.
fn check_own(parsed: &SigmaRule) -> Result<(), String> {
    if let Some(key) = parsed
        .custom_attributes
        .keys()
        .filter(|key| *key != "vyrox")
        .min()
    {
        return Err(format!("unknown key `{key}`"));
    }
    if parsed.level.is_none() {
        return Err("it has no `level`".to_owned());
    }
    let mut alone = SigmaCollection::new();
    alone.rules.push(parsed.clone());
    let asked = RuleFieldSet::collect(&alone, &[], false);
    match asked.names().find(|name| field::named(name).is_none()) {
        Some(name) => Err(format!("an alert has no field `{name}`")),
        None => Ok(()),
    }
}

/// How sure an override without a weight of its own is.
const OVERRIDE_WEIGHT_BP: u16 = 9_500;

/// What a rule without a weight of its own says.
const fn default_weight_bp(level: Level) -> u16 {
    match level {
        Level::Informational => 500,
        Level::Low => 1_500,
        Level::Medium => 4_000,
        Level::High => 7_500,
        Level::Critical => 9_000,
    }
}

const fn level(level: rsigma_parser::Level) -> Level {
    match level {
        rsigma_parser::Level::Informational => Level::Informational,
        rsigma_parser::Level::Low => Level::Low,
        rsigma_parser::Level::Medium => Level::Medium,
        rsigma_parser::Level::High => Level::High,
        rsigma_parser::Level::Critical => Level::Critical,
    }
}

/// Techniques and tactics of `attack.*` tags, in the order of the tags.
fn attack_tags(tags: &[String]) -> (Vec<String>, Vec<String>) {
    let names = tags.iter().filter_map(|tag| tag.strip_prefix("attack."));
    let (techniques, others): (Vec<&str>, Vec<&str>) = names.partition(|name| is_technique(name));
    let tactics = others.iter().filter(|name| !is_group_or_software(name));
    (
        techniques
            .iter()
            .map(|name| name.to_ascii_uppercase())
            .collect(),
        tactics.map(|name| name.replace('_', "-")).collect(),
    )
}

fn is_technique(name: &str) -> bool {
    name.strip_prefix(['t', 'T'])
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn is_group_or_software(name: &str) -> bool {
    name.strip_prefix(['g', 's', 'G', 'S'])
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
