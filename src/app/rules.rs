//! Rules from the binary and from the configured directory.

use std::{fs, path::Path};

use vyrox_actors::rules::{RuleSet, builtin_sources};

use crate::config::Config;

/// Everything that is wrong with what the configuration points to, one line each; empty if nothing
/// is.
pub fn check(config: &Config) -> Vec<String> {
    load(config).err().unwrap_or_default()
}

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
        sources.extend(read_dir(dir)?);
    }
    RuleSet::compile(&sources).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn read_dir(dir: &Path) -> Result<Vec<(String, String)>, Vec<String>> {
    let failed = |error: std::io::Error| vec![format!("{}: {error}", dir.display())];
    let (mut sources, mut errors) = (Vec::new(), Vec::new());
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort();
    for path in paths {
        let is_rule = path
            .extension()
            .is_some_and(|ext| ext == "yml" || ext == "yaml");
        if !is_rule {
            continue;
        }
        match fs::read_to_string(&path) {
            Ok(text) => sources.push((path.display().to_string(), text)),
            Err(error) => errors.push(format!("{}: {error}", path.display())),
        }
    }
    if errors.is_empty() {
        Ok(sources)
    } else {
        Err(errors)
    }
}
