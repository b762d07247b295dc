//! Services elsewhere: chat, pager, mail, a language model.

use serde::{Deserialize, Deserializer, de};
use vyrox_domain::{
    interaction::InteractionKey,
    sla::{Sla, Slas},
};

use super::{Secret, secret_or_unset, text_or_unset};

/// `[llm]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LlmConfig {
    /// Where the endpoint is, without a slash at its end and without `/chat/completions`; without it stage
    /// 2 is off.
    #[serde(deserialize_with = "text_or_unset")]
    pub base_url: Option<String>,
    /// The model's name, as the endpoint knows it; set where `base_url` is.
    pub model: String,
    /// What the endpoint knows us by.
    #[serde(deserialize_with = "secret_or_unset")]
    pub api_key: Option<Secret>,
    /// Time from a question to its answer.
    pub timeout_ms: u64,
    /// Calls at once, a tenant.
    pub concurrency: usize,
    /// Calls a day, a tenant.
    pub daily_calls: u32,
}

/// `[discord]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscordConfig {
    /// The application's id, decimal digits; interactions for another one are refused.
    #[serde(deserialize_with = "text_or_unset")]
    pub application_id: Option<String>,
    /// The key that Discord signs interactions with; without it their route answers 501.
    #[serde(deserialize_with = "key_or_unset")]
    pub public_key: Option<InteractionKey>,
    /// The bot's token.
    #[serde(deserialize_with = "secret_or_unset")]
    pub bot_token: Option<Secret>,
    /// Where the API is, without a slash at its end; https, or http to loopback.
    pub api_base: String,
    /// Requests a second of the bot.
    pub per_s: u32,
    /// Messages of one tenant that may wait.
    pub queue_per_tenant: usize,
    /// Time of one try.
    pub attempt_ms: u64,
    /// Time of a message, waiting and tries included.
    pub give_up_ms: u64,
}

/// `[notify]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifyConfig {
    /// Time within which people must have heard of a CRITICAL incident.
    pub critical_within_s: u64,
    /// Time without chat after which it goes to pager and mail; below `critical_within_s`.
    pub critical_fallback_s: u64,
    /// The same for HIGH.
    pub high_within_s: u64,
    /// The same for HIGH.
    pub high_fallback_s: u64,
    /// HIGH is paged too.
    pub page_high: bool,
}

impl NotifyConfig {
    /// The limits as the notifier takes them.
    pub const fn slas(&self) -> Slas {
        Slas {
            critical: Sla {
                within_ms: self.critical_within_s.saturating_mul(1000),
                fallback_after_ms: self.critical_fallback_s.saturating_mul(1000),
            },
            high: Sla {
                within_ms: self.high_within_s.saturating_mul(1000),
                fallback_after_ms: self.high_fallback_s.saturating_mul(1000),
            },
        }
    }
}

/// `[pagerduty]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagerdutyConfig {
    /// Integration key; without it nobody is paged.
    #[serde(deserialize_with = "secret_or_unset")]
    pub routing_key: Option<Secret>,
    /// Where events go, without a slash at its end.
    #[serde(deserialize_with = "text_or_unset")]
    pub base_url: Option<String>,
}

/// `[email]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// The SMTP server; without it no mail is sent.
    #[serde(deserialize_with = "text_or_unset")]
    pub host: Option<String>,
    /// Its port.
    pub port: u16,
    /// How the connection is kept private.
    pub tls: MailTls,
    /// The account; set exactly when `password` is.
    #[serde(deserialize_with = "text_or_unset")]
    pub username: Option<String>,
    /// Its password.
    #[serde(deserialize_with = "secret_or_unset")]
    pub password: Option<Secret>,
    /// The sender; set if `host` is.
    #[serde(deserialize_with = "text_or_unset")]
    pub from: Option<String>,
    /// The recipients, separated by commas; set if `host` is.
    #[serde(deserialize_with = "text_or_unset")]
    pub to: Option<String>,
}

/// How the connection to a mail server is kept private.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// Begins in the clear and goes no further without TLS.
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// In the clear; only to this machine.
    None,
}

fn key_or_unset<'de, D: Deserializer<'de>>(from: D) -> Result<Option<InteractionKey>, D::Error> {
    let text = String::deserialize(from)?;
    let key = (!text.is_empty()).then(|| InteractionKey::from_hex(&text));
    key.transpose().map_err(de::Error::custom)
}
