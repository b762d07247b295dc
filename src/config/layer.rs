//! One layer of settings at a time, each value checked where it is written; then all merged.

use std::{
    collections::{BTreeMap, HashMap},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use config::{Map, Source, Value, ValueKind};

use super::{
    ConfigError, DEFAULT_TOML, Origin,
    report::Report,
    schema::{Schema, Setting, flatten, parse},
    short_names,
};

/// A file of settings is never longer.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// Settings that hold a secret.
const SECRETS: [&str; 6] = [
    "auth.hmac_secret",
    "storage.host_key",
    "discord.bot_token",
    "llm.api_key",
    "pagerduty.routing_key",
    "email.password",
];

/// The valid settings of one source; what was not valid is in the report.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer {
    values: BTreeMap<String, (Setting, Origin)>,
}

impl Layer {
    /// The compiled-in defaults.
    pub(super) fn defaults(schema: &Schema, report: &mut Report) -> Self {
        Self::document(DEFAULT_TOML, &Origin::Defaults, schema, report)
    }

    /// The file, if one is named.
    pub(super) fn file(path: Option<&Path>, schema: &Schema, report: &mut Report) -> Self {
        let Some(path) = path else {
            return Self::default();
        };
        let origin = Origin::File(path.to_owned());
        let document = match read_bounded(path) {
            Ok(document) => document,
            Err(message) => {
                report.error(&origin, "", message);
                return Self::default();
            }
        };
        let layer = Self::document(&document, &origin, schema, report);
        layer.warn_of_readable_secrets(path, &origin, report);
        layer
    }

    /// `VYROX_<SECTION>__<KEY>`; names without a double underscore belong to others.
    pub(super) fn environment(
        env: &BTreeMap<String, String>,
        schema: &Schema,
        report: &mut Report,
    ) -> Self {
        let mut layer = Self::default();
        for (variable, text) in env {
            let Some(name) = setting_of(variable) else {
                continue;
            };
            let origin = Origin::Environment(variable.clone());
            layer.add(&name, schema.read_text(&name, text), origin, report);
        }
        layer
    }

    /// The short names, like `BIND_ADDR`.
    pub(super) fn short_names(
        env: &BTreeMap<String, String>,
        schema: &Schema,
        report: &mut Report,
    ) -> Self {
        let mut layer = Self::default();
        for found in short_names::read(env, schema) {
            let origin = Origin::Environment(found.variable.to_owned());
            if let Some(message) = found.warning {
                report.warn(&origin, found.setting, message);
            }
            if let Some(value) = found.value {
                layer.add(found.setting, value, origin, report);
            }
        }
        layer
    }

    /// Settings given as flags.
    pub(super) fn flags(
        flags: &BTreeMap<String, String>,
        schema: &Schema,
        report: &mut Report,
    ) -> Self {
        let mut layer = Self::default();
        for (name, text) in flags {
            layer.add(name, schema.read_text(name, text), Origin::Flag, report);
        }
        layer
    }

    fn document(text: &str, origin: &Origin, schema: &Schema, report: &mut Report) -> Self {
        let mut layer = Self::default();
        match parse(text) {
            Ok(table) => {
                for (name, value) in flatten(&table) {
                    layer.add(
                        &name,
                        schema.read_toml(&name, value),
                        origin.clone(),
                        report,
                    );
                }
            }
            Err(message) => report.error(origin, "", message),
        }
        layer
    }

    fn add(
        &mut self,
        name: &str,
        value: Result<Setting, String>,
        origin: Origin,
        report: &mut Report,
    ) {
        match value {
            Ok(setting) => {
                self.values.insert(name.to_owned(), (setting, origin));
            }
            Err(message) => report.error(&origin, name, message),
        }
    }

    fn warn_of_readable_secrets(&self, path: &Path, origin: &Origin, report: &mut Report) {
        let set = |name: &&str| {
            let value = self.values.get(*name);
            value.is_some_and(|(setting, _)| *setting != Setting::Text(String::new()))
        };
        let readable =
            std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0);
        if let Some(name) = SECRETS.iter().find(|name| set(name)).filter(|_| readable) {
            report.warn(origin, name, "others may read this file; chmod 600 it");
        }
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        let value = |(name, (setting, origin)): (&String, &(Setting, Origin))| {
            let kind = match setting {
                Setting::Switch(on) => ValueKind::Boolean(*on),
                Setting::Number(number) => ValueKind::I64(*number),
                Setting::Text(text) => ValueKind::String(text.clone()),
            };
            (name.clone(), Value::new(Some(&origin.to_string()), kind))
        };
        Ok(self.values.iter().map(value).collect::<HashMap<_, _>>())
    }
}

/// Lays the layers over each other, the last on top.
///
/// # Errors
/// The merging library refuses; every value was checked before, so this is a defect of ours.
pub(super) fn merge(
    layers: impl IntoIterator<Item = Layer>,
) -> Result<config::Config, ConfigError> {
    layers
        .into_iter()
        .fold(config::Config::builder(), |builder, layer| {
            builder.add_source(layer)
        })
        .build()
        .map_err(|error| ConfigError {
            origin: Origin::Together,
            key: None,
            message: error.to_string(),
        })
}

/// `VYROX_SERVER__LISTEN` -> `server.listen`.
fn setting_of(variable: &str) -> Option<String> {
    let (section, key) = variable.strip_prefix("VYROX_")?.split_once("__")?;
    Some(format!(
        "{}.{}",
        section.to_ascii_lowercase(),
        key.to_ascii_lowercase()
    ))
}

fn read_bounded(path: &Path) -> Result<String, String> {
    let meta = std::fs::metadata(path).map_err(|error| format!("can't be read: {error}"))?;
    if !meta.is_file() {
        return Err("is not a file".into());
    }
    if meta.len() > FILE_MAX_BYTES {
        return Err(format!("is longer than {FILE_MAX_BYTES} bytes"));
    }
    std::fs::read_to_string(path).map_err(|error| format!("can't be read: {error}"))
}
