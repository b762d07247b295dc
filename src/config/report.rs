//! What is wrong or doubtful in the settings, and where it was written.

use std::{fmt, path::PathBuf};

use super::Config;

/// Where a setting was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The compiled-in defaults.
    Defaults,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable, by name.
    Environment(String),
    /// A flag of the command line.
    Flag,
    /// Several settings that don't go together.
    Together,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defaults => f.write_str("defaults"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag => f.write_str("command line"),
            Self::Together => f.write_str("settings together"),
        }
    }
}

/// One mistake in the settings. Its text never holds the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where it stands.
    pub origin: Origin,
    /// The setting's dotted name, if it is about one.
    pub key: Option<String>,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_finding(f, &self.origin, self.key.as_deref(), &self.message)
    }
}

impl std::error::Error for ConfigError {}

/// Something that works but should be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where it stands.
    pub origin: Origin,
    /// The setting's dotted name.
    pub key: Option<String>,
    /// What was found and what is done about it.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_finding(f, &self.origin, self.key.as_deref(), &self.message)
    }
}

fn write_finding(
    f: &mut fmt::Formatter<'_>,
    origin: &Origin,
    key: Option<&str>,
    message: &str,
) -> fmt::Result {
    write!(f, "{origin}: ")?;
    if let Some(key) = key {
        write!(f, "{key}: ")?;
    }
    f.write_str(message)
}

/// Collects findings while the layers are read.
#[derive(Debug, Default)]
pub(super) struct Report {
    errors: Vec<ConfigError>,
    warnings: Vec<Warning>,
}

impl Report {
    pub(super) fn error(&mut self, origin: &Origin, key: &str, message: impl Into<String>) {
        let key = (!key.is_empty()).then(|| key.to_owned());
        self.errors.push(ConfigError {
            origin: origin.clone(),
            key,
            message: message.into(),
        });
    }

    pub(super) fn warn(&mut self, origin: &Origin, key: &str, message: impl Into<String>) {
        let key = (!key.is_empty()).then(|| key.to_owned());
        self.warnings.push(Warning {
            origin: origin.clone(),
            key,
            message: message.into(),
        });
    }

    /// The configuration if nothing was wrong with it. `config` is absent only after an error.
    pub(super) fn finish(
        mut self,
        config: Option<Config>,
    ) -> Result<(Config, Vec<Warning>), Vec<ConfigError>> {
        match config {
            Some(config) if self.errors.is_empty() => Ok((config, self.warnings)),
            Some(_) => Err(self.errors),
            None => {
                if self.errors.is_empty() {
                    self.error(&Origin::Together, "", "the settings could not be read");
                }
                Err(self.errors)
            }
        }
    }
}
