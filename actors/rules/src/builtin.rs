//! The rules that come with Vyrox, compiled in.

/// The built-in sources as `(name, YAML)`, for a set that adds others to them.
pub fn builtin_sources() -> Vec<(String, String)> {
    SOURCES
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../config/rules/", $name)))),*]
    };
}

/// One file a tactic, in the order of an attack; then what speaks for an alert: known-good patterns, and known
/// false positives, which speak before stage 2 does.
const SOURCES: &[(&str, &str)] = embedded![
    "initial_access.yml",
    "execution.yml",
    "persistence.yml",
    "privilege_escalation.yml",
    "defense_evasion.yml",
    "credential_access.yml",
    "discovery.yml",
    "lateral_movement.yml",
    "collection.yml",
    "command_and_control.yml",
    "exfiltration.yml",
    "impact.yml",
    "vendor_claims.yml",
    "benign.yml",
    "known_false_positives.yml",
];
