//! Rules from the binary and from the configured directory.

use vyrox_actors::rules::{RuleSet, builtin_sources};

use super::sources::read_dir;
use crate::config::Config;

/// The rules that the configuration asks for.
///
/// # Errors
/// Every broken rule and unreadable file, one line each.
pub(crate) fn load(config: &Config) -> Result<RuleSet, Vec<String>> {
    let triage = &config.triage;
    let mut sources = Vec::new();
    if triage.builtin_rules {
        sources.extend(builtin_sources());
    }
    if let Some(dir) = &triage.rules_dir {
        sources.extend(read_dir(dir, &["yml", "yaml"])?);
    }
    RuleSet::compile(&sources).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}
