//! The configuration: strict types, layered, and every mistake reported at once with where it stands.
//!
//! Layers, each overriding the one before: `config/default.toml` (compiled in, and at the same time
//! the list of all settings), the file of `--config`, `VYROX_<SECTION>__<KEY>` in the environment, the
//! short environment names ([`short_names()`]), flags. This module is the only reader of the process
//! environment.

use std::{collections::BTreeMap, path::PathBuf};

mod checks;
mod layer;
mod report;
mod schema;
mod secret;
mod sections;
mod short_names;

use self::{layer::Layer, report::Report, schema::Schema};
pub use self::{
    report::{ConfigError, Origin, Warning},
    secret::{PLACEHOLDER_WORDS, Secret},
    sections::{
        ActionsConfig, AssetsConfig, AuditConfig, AuthConfig, Config, ContainmentConfig,
        DiscordConfig, EdrConfig, EmailConfig, HostKeySource, LimitsConfig, LlmConfig, LogConfig,
        LogFormat, MailTls, NotifyConfig, PagerdutyConfig, PlaybooksConfig, PolicyConfig,
        ServerConfig, StorageConfig, SupervisionConfig, TriageConfig,
    },
    short_names::short_names,
};

/// `config/default.toml` as compiled in.
pub const DEFAULT_TOML: &str = include_str!("../config/default.toml");

/// Where the settings over the defaults come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file of `--config`; one that can't be read is an error.
    pub file: Option<PathBuf>,
    /// The environment, by name; [`process_environment`] reads the real one.
    pub env: BTreeMap<String, String>,
    /// Settings given as flags, by dotted name (`server.listen`).
    pub overrides: BTreeMap<String, String>,
}

impl Config {
    /// Reads, merges and checks all layers.
    ///
    /// # Errors
    /// Every mistake of every layer, in the order of the layers, then those that only show when the
    /// settings are seen together. The list is never empty.
    pub fn load(sources: &Sources) -> Result<(Self, Vec<Warning>), Vec<ConfigError>> {
        let schema = Schema::compiled_in().map_err(|error| vec![error])?;
        let mut report = Report::default();
        let layers = [
            Layer::defaults(&schema, &mut report),
            Layer::file(sources.file.as_deref(), &schema, &mut report),
            Layer::environment(&sources.env, &schema, &mut report),
            Layer::short_names(&sources.env, &schema, &mut report),
            Layer::flags(&sources.overrides, &schema, &mut report),
        ];
        let merged = layer::merge(layers).map_err(|error| vec![error])?;
        let config = checks::checked(merged, &mut report);
        report.finish(config)
    }
}

/// The environment of this process. A name or value that is not UTF-8 has U+FFFD in its place, which
/// no setting accepts.
pub fn process_environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        })
        .collect()
}

/// The dotted names of all settings, in alphabetical order.
///
/// # Errors
/// The compiled-in defaults are broken; a test keeps that from happening.
pub fn setting_names() -> Result<Vec<String>, ConfigError> {
    Ok(Schema::compiled_in()?.names().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests;
