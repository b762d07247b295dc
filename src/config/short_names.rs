//! The short environment names that work without a section.

use std::collections::BTreeMap;

use super::schema::{Schema, Setting, switch};

/// How the value of a short name is taken.
#[derive(Debug, Clone, Copy)]
enum Manner {
    /// As it is; empty means not set.
    Plain,
    /// As it is; empty is a mistake, because somebody meant to give a secret.
    Secret,
    /// A switch that falls to its safe side, with a warning, on anything it can't read.
    Switch { safe: bool },
    /// A rate that keeps the value below it, with a warning, on 0 or anything it can't read.
    Rate,
}

const SHORT_NAMES: &[(&str, &str, Manner)] = &[
    ("VYROX_HMAC_SECRET", "auth.hmac_secret", Manner::Secret),
    ("VYROX_HOST_KEY", "storage.host_key", Manner::Secret),
    ("VYROX_DATA_DIR", "storage.data_dir", Manner::Plain),
    ("DRY_RUN", "actions.dry_run", Manner::Switch { safe: true }),
    ("BIND_ADDR", "server.listen", Manner::Plain),
    ("TLS_CERT_PATH", "server.tls_cert_path", Manner::Plain),
    ("TLS_KEY_PATH", "server.tls_key_path", Manner::Plain),
    (
        "ALLOW_INSECURE",
        "server.allow_insecure",
        Manner::Switch { safe: false },
    ),
    (
        "RATE_LIMIT_PER_TENANT",
        "limits.per_tenant_per_s",
        Manner::Rate,
    ),
    ("RATE_LIMIT_GLOBAL", "limits.global_per_s", Manner::Rate),
    (
        "NONCE_RETENTION_SECONDS",
        "auth.nonce_retention_s",
        Manner::Rate,
    ),
    ("EDR_HTTP_TIMEOUT_SECS", "edr.timeout_s", Manner::Rate),
    ("DISCORD_BOT_TOKEN", "discord.bot_token", Manner::Secret),
    ("DISCORD_PUBLIC_KEY", "discord.public_key", Manner::Plain),
    (
        "DISCORD_APPLICATION_ID",
        "discord.application_id",
        Manner::Plain,
    ),
];

/// Each short name with the setting that it sets.
pub fn short_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    SHORT_NAMES
        .iter()
        .map(|(variable, setting, _)| (*variable, *setting))
}

/// A short name that was found in the environment.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) variable: &'static str,
    pub(super) setting: &'static str,
    /// What it sets; absent when it is ignored.
    pub(super) value: Option<Result<Setting, String>>,
    pub(super) warning: Option<String>,
}

/// Reads all short names that are in the environment.
pub(super) fn read(env: &BTreeMap<String, String>, schema: &Schema) -> Vec<Found> {
    SHORT_NAMES
        .iter()
        .filter_map(|(variable, setting, manner)| {
            let text = env.get(*variable)?;
            let (value, warning) = match manner {
                Manner::Plain if text.is_empty() => (None, None),
                Manner::Secret if text.is_empty() => (
                    Some(Err("is empty; give a value or remove it".to_owned())),
                    None,
                ),
                Manner::Plain | Manner::Secret => (Some(schema.read_text(setting, text)), None),
                Manner::Switch { safe } => read_switch(text, *safe),
                Manner::Rate => read_rate(schema, setting, text),
            };
            Some(Found {
                variable,
                setting,
                value,
                warning,
            })
        })
        .collect()
}

type Reading = (Option<Result<Setting, String>>, Option<String>);

fn read_switch(text: &str, safe: bool) -> Reading {
    match switch(text) {
        Some(on) => (Some(Ok(Setting::Switch(on))), None),
        None => (
            Some(Ok(Setting::Switch(safe))),
            Some(format!(
                "neither true/1/yes/on nor false/0/no/off; {safe} it stays"
            )),
        ),
    }
}

fn read_rate(schema: &Schema, setting: &str, text: &str) -> Reading {
    match schema.read_text(setting, text) {
        Ok(rate) => (Some(Ok(rate)), None),
        Err(message) => (None, Some(format!("{message}; ignored"))),
    }
}
