//! What may be set: the names and kinds come from the compiled-in defaults, the ranges stand here.

use std::{collections::BTreeMap, net::SocketAddr};

use actix_web::http::Uri;
use lettre::Address;
use tracing_subscriber::EnvFilter;
use vyrox_domain::interaction::InteractionKey;

use super::{
    ConfigError, DEFAULT_TOML, Origin,
    secret::{host_key_fault, shared_secret_fault, token_fault},
};
use crate::connectors::{http::is_loopback, witness::addresses};

/// The kind of a setting, told by its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Switch,
    Number,
    Text,
}

/// All settings by dotted name.
#[derive(Debug)]
pub(super) struct Schema {
    kinds: BTreeMap<String, Kind>,
}

/// The value of one setting, of the right kind and in its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Setting {
    Switch(bool),
    Number(i64),
    Text(String),
}

/// Lower and upper limit of every number. Each has both: a typing mistake must not become a queue
/// without end or a time-out of a century.
const RANGES: &[(&str, i64, i64)] = &[
    ("server.workers", 0, 1024),
    // The account is looked for in the first 256 KiB, so a longer body could never be verified.
    ("server.body_limit_bytes", 1024, 262_144),
    ("server.body_timeout_ms", 100, 600_000),
    ("server.head_timeout_ms", 100, 600_000),
    ("server.keep_alive_s", 1, 3600),
    ("server.max_connections", 1, 1_000_000),
    ("server.request_timeout_ms", 100, 600_000),
    ("storage.evidence_retention_days", 0, 36_500),
    ("storage.segment_bytes", 1 << 20, 1 << 30),
    ("storage.reserve_bytes", 0, 1 << 44),
    ("storage.batch_entries", 1, 65_536),
    ("storage.batch_bytes", 4096, 64 << 20),
    ("storage.queue_entries", 1, 1 << 20),
    ("storage.checkpoint_ms", 10, 600_000),
    ("storage.scrub_bytes_per_s", 0, 16 << 30),
    ("storage.scrub_pause_ms", 10, 7 * 24 * 3_600_000),
    ("storage.projection_cache_bytes", 1 << 20, 64 << 30),
    ("limits.per_tenant_per_s", 1, 1_000_000),
    // A body with as many alerts as one may hold must fit, or it could never be sent.
    ("limits.per_tenant_burst", 64, 1_000_000),
    ("limits.global_per_s", 1, 10_000_000),
    ("audit.checkpoint_ms", 100, 3_600_000),
    ("audit.check_s", 10, 86_400),
    ("audit.witness_interval_s", 1, 21_600),
    ("limits.failed_per_source_per_s", 1, 1_000_000),
    ("limits.audit_per_s", 1, 100_000),
    ("limits.audit_burst", 1, 100_000),
    ("limits.api_per_s", 1, 100_000),
    ("limits.api_burst", 1, 100_000),
    ("limits.chat_per_s", 1, 100_000),
    ("limits.chat_burst", 1, 100_000),
    ("limits.notify_per_s", 1, 100_000),
    ("limits.notify_burst", 1, 100_000),
    ("limits.execute_per_s", 1, 100_000),
    ("limits.execute_burst", 1, 100_000),
    ("limits.dedup_window_s", 60, 2_592_000),
    ("limits.tenant_max", 1, 1_000_000),
    ("limits.tenant_queue", 1, 1 << 20),
    ("limits.in_flight_max", 1, 1 << 20),
    ("limits.tracked_sources_max", 1024, 1 << 24),
    ("limits.tenant_quota_bytes", 0, 1 << 50),
    ("limits.tenant_daily_alerts", 0, 1 << 40),
    ("limits.tenant_daily_bytes", 0, 1 << 50),
    ("triage.closed_to_bp", 0, 10_000),
    ("triage.classified_from_bp", 0, 10_000),
    ("llm.timeout_ms", 100, 120_000),
    ("llm.concurrency", 1, 64),
    ("llm.daily_calls", 1, 1_000_000),
    ("policy.bulk_hosts", 1, 100_000),
    ("actions.approval_s", 60, 604_800),
    ("containment.per_hour", 0, 10_000),
    ("containment.per_day", 0, 100_000),
    ("containment.concurrent", 1, 1000),
    ("containment.contained_hosts", 0, 100_000),
    ("containment.protected_hosts", 0, 100_000),
    ("containment.drift_s", 0, 86_400),
    ("edr.timeout_s", 1, 120),
    ("edr.poll_s", 0, 86_400),
    ("auth.nonce_retention_s", 60, 604_800),
    ("supervision.arbiters", 1, 256),
    ("supervision.intensity", 0, 1000),
    ("supervision.period_s", 1, 86_400),
    ("supervision.backoff_ms", 1, 600_000),
    ("supervision.backoff_max_ms", 1, 3_600_000),
    ("supervision.probe_ms", 1, 600_000),
    ("supervision.budget", 1, 4096),
    ("supervision.slice_us", 1, 100_000),
    ("supervision.idle_passivate_s", 1, 604_800),
    ("supervision.stall_notice_ms", 10, 600_000),
    ("supervision.stall_ms", 10, 600_000),
    ("supervision.spare_threads", 1, 32),
    ("discord.per_s", 1, 45),
    ("discord.queue_per_tenant", 1, 65_536),
    ("discord.attempt_ms", 100, 30_000),
    // Who sends a message is promised an end within 30 s.
    ("discord.give_up_ms", 100, 29_000),
    ("notify.critical_within_s", 60, 86_400),
    ("notify.critical_fallback_s", 10, 86_400),
    ("notify.high_within_s", 60, 86_400),
    ("notify.high_fallback_s", 10, 86_400),
    ("email.port", 1, 65_535),
];

impl Schema {
    /// Reads the names and kinds off the compiled-in defaults.
    ///
    /// # Errors
    /// The defaults are broken; a test keeps that from happening.
    pub(super) fn compiled_in() -> Result<Self, ConfigError> {
        let table = parse(DEFAULT_TOML).map_err(|message| ConfigError {
            origin: Origin::Defaults,
            key: None,
            message,
        })?;
        let kinds = flatten(&table)
            .into_iter()
            .filter_map(|(name, value)| Some((name, kind_of(value)?)))
            .collect();
        Ok(Self { kinds })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }

    /// Reads a value that was written as TOML.
    pub(super) fn read_toml(&self, name: &str, value: &toml::Value) -> Result<Setting, String> {
        let setting = match (self.kind(name)?, value) {
            (Kind::Switch, toml::Value::Boolean(on)) => Setting::Switch(*on),
            (Kind::Number, toml::Value::Integer(number)) => Setting::Number(*number),
            (Kind::Text, toml::Value::String(text)) => Setting::Text(text.clone()),
            (Kind::Switch, _) => return Err("expected true or false".into()),
            (Kind::Number, _) => return Err("expected a whole number".into()),
            (Kind::Text, _) => return Err("expected a text in quotes".into()),
        };
        checked(name, setting)
    }

    /// Reads a value that was written as plain text, in the environment or as a flag.
    pub(super) fn read_text(&self, name: &str, text: &str) -> Result<Setting, String> {
        if text.contains('\u{fffd}') {
            return Err("the value is not valid UTF-8".into());
        }
        let setting = match self.kind(name)? {
            Kind::Switch => Setting::Switch(
                switch(text).ok_or("expected true, 1, yes or on; or false, 0, no or off")?,
            ),
            Kind::Number => Setting::Number(number(text).ok_or("expected a whole number")?),
            Kind::Text => Setting::Text(text.to_owned()),
        };
        checked(name, setting)
    }

    fn kind(&self, name: &str) -> Result<Kind, String> {
        self.kinds
            .get(name)
            .copied()
            .ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &str) -> String {
        let section = name.split('.').next().unwrap_or_default();
        let prefix = format!("{section}.");
        let keys: Vec<_> = self
            .names()
            .filter_map(|known| known.strip_prefix(&prefix))
            .collect();
        if keys.is_empty() {
            let mut sections: Vec<_> = self
                .names()
                .filter_map(|known| known.split('.').next())
                .collect();
            sections.dedup();
            return format!("unknown section; there are {}", sections.join(", "));
        }
        format!("unknown setting; [{section}] has {}", keys.join(", "))
    }
}

/// `true`, `1`, `yes`, `on` and their opposites, in any case.
pub(super) fn switch(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Parses a TOML document. The error has a line but never the line's text, which may be a secret.
pub(super) fn parse(document: &str) -> Result<toml::Table, String> {
    document.parse().map_err(|error: toml::de::Error| {
        let before = error
            .span()
            .and_then(|span| document.get(..span.start))
            .unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        format!("line {line}: not valid TOML: {}", error.message())
    })
}

/// All values of a document by dotted name.
pub(super) fn flatten(table: &toml::Table) -> Vec<(String, &toml::Value)> {
    let mut found = Vec::new();
    for (section, value) in table {
        match value {
            toml::Value::Table(keys) => {
                found.extend(
                    keys.iter()
                        .map(|(key, value)| (format!("{section}.{key}"), value)),
                );
            }
            _ => found.push((section.clone(), value)),
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found
}

fn number(text: &str) -> Option<i64> {
    text.trim().replace('_', "").parse().ok()
}

fn kind_of(value: &toml::Value) -> Option<Kind> {
    match value {
        toml::Value::Boolean(_) => Some(Kind::Switch),
        toml::Value::Integer(_) => Some(Kind::Number),
        toml::Value::String(_) => Some(Kind::Text),
        _ => None,
    }
}

fn checked(name: &str, setting: Setting) -> Result<Setting, String> {
    let fault = match &setting {
        Setting::Switch(_) => None,
        Setting::Number(number) => out_of_range(name, *number),
        Setting::Text(text) => text_fault(name, text),
    };
    fault.map_or(Ok(setting), Err)
}

fn out_of_range(name: &str, number: i64) -> Option<String> {
    let (_, low, high) = RANGES.iter().find(|(known, ..)| *known == name)?;
    (!(low..=high).contains(&&number))
        .then(|| format!("{number} is out of range, {low} to {high} are possible"))
}

fn text_fault(name: &str, text: &str) -> Option<String> {
    match name {
        "server.listen" => text.parse::<SocketAddr>().is_err().then(|| {
            "expected an IP address and a port, like 127.0.0.1:8001 or [::1]:8001".to_owned()
        }),
        "storage.data_dir" => text.is_empty().then(|| "expected a directory".to_owned()),
        "log.format" => {
            (!matches!(text, "text" | "json")).then(|| "expected text or json".to_owned())
        }
        "email.tls" => (!matches!(text, "starttls" | "tls" | "none"))
            .then(|| "expected starttls, tls or none".to_owned()),
        "pagerduty.base_url" => url_fault(text),
        "log.level" => EnvFilter::try_new(text).is_err().then(|| {
            "expected a level, like info, or directives, like info,vyrox=debug".to_owned()
        }),
        "discord.api_base" => endpoint_fault(text),
        _ if text.is_empty() => None,
        "server.public_url" => url_fault(text),
        "audit.witnesses" => addresses(text).err(),
        "llm.base_url" => endpoint_fault(text),
        "llm.api_key" => header_fault(text),
        "auth.hmac_secret" => shared_secret_fault(text).map(str::to_owned),
        "discord.public_key" => fault_of(InteractionKey::from_hex(text)),
        "discord.application_id" => {
            (!is_snowflake(text)).then(|| "expected an id of Discord's, up to 20 digits".to_owned())
        }
        "storage.host_key" => host_key_fault(text).map(str::to_owned),
        "discord.bot_token" => token_fault(text).map(str::to_owned),
        "pagerduty.routing_key" => routing_key_fault(text),
        "email.from" => addresses_fault(text).or_else(|| {
            text.contains(',')
                .then(|| "expected one address".to_owned())
        }),
        "email.to" => addresses_fault(text),
        _ => None,
    }
}

fn fault_of<T, E: std::fmt::Display>(read: Result<T, E>) -> Option<String> {
    read.err().map(|error| error.to_string())
}

fn routing_key_fault(text: &str) -> Option<String> {
    let good = text.len() == 32 && text.bytes().all(|b| b.is_ascii_alphanumeric());
    (!good).then(|| "expected the 32 letters and digits of an integration key".to_owned())
}

fn addresses_fault(text: &str) -> Option<String> {
    let good = text
        .split(',')
        .all(|address| address.trim().parse::<Address>().is_ok());
    (!good).then(|| "expected mail addresses, like soc@example.org, with commas between".to_owned())
}

fn url_fault(text: &str) -> Option<String> {
    let good = text.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some()
            && uri.query().is_none()
    });
    (!good).then(|| "expected a URL, like https://vyrox.example.org".to_owned())
}

fn is_snowflake(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// An address that is called with a key: encrypted, unless it is on this machine.
fn endpoint_fault(text: &str) -> Option<String> {
    let message =
        "expected an https URL, like https://llm.example.org/v1; http is for this machine alone";
    let url = reqwest::Url::parse(text).ok().filter(|url| {
        let whole = url.has_host() && url.query().is_none() && url.fragment().is_none();
        whole && url.username().is_empty() && url.password().is_none()
    });
    let good = url.is_some_and(|url| match url.scheme() {
        "https" => true,
        "http" => is_loopback(&url),
        _ => false,
    });
    (!good).then(|| message.to_owned())
}

/// A key that is sent in a header.
fn header_fault(text: &str) -> Option<String> {
    let fits = text.len() <= 4096 && text.bytes().all(|byte| byte.is_ascii_graphic());
    (!fits)
        .then(|| "expected a key of visible characters; is there a line break at its end?".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_range_and_every_range_a_number() {
        let schema = Schema::compiled_in().expect("defaults");
        for (name, kind) in &schema.kinds {
            let ranges = RANGES.iter().filter(|(known, ..)| known == name).count();
            assert_eq!(ranges, usize::from(*kind == Kind::Number), "{name}");
        }
        for (name, low, high) in RANGES {
            assert!(low < high, "{name}");
            assert_eq!(schema.kinds.get(*name), Some(&Kind::Number), "{name}");
        }
    }

    #[test]
    fn the_fullest_body_fits_every_burst() {
        let range = RANGES
            .iter()
            .find(|(name, ..)| *name == "limits.per_tenant_burst");
        let (_, low, _) = range.expect("a range");
        assert_eq!(usize::try_from(*low), Ok(vyrox_domain::alert::MAX_ALERTS));
    }

    #[test]
    fn a_broken_line_is_numbered_and_not_repeated() {
        for document in [
            "[auth]\nhmac_secret = top-secret\n",
            "[auth]\nhmac_secret = 'top-secret\n",
        ] {
            let message = parse(document).expect_err("broken");
            assert!(message.starts_with("line 2: not valid TOML: "), "{message}");
            assert!(!message.contains("top-secret"), "{message}");
        }
    }
}
