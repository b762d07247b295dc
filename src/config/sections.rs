//! The settings as types. What each means and its default stand in `config/default.toml`.

mod containment;
mod services;

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Deserializer};

pub use self::containment::{ContainmentConfig, EdrConfig};
pub use self::services::{
    DiscordConfig, EmailConfig, LlmConfig, MailTls, NotifyConfig, PagerdutyConfig,
};
use super::Secret;

/// All settings, checked: a value of this type comes from [`Config::load`] alone.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The HTTP server.
    pub server: ServerConfig,
    /// What lasts, and where.
    pub storage: StorageConfig,
    /// What is signed of the chains.
    pub audit: AuditConfig,
    /// Rates, bounds and quotas.
    pub limits: LimitsConfig,
    /// Verdicts.
    pub triage: TriageConfig,
    /// What is proposed.
    pub playbooks: PlaybooksConfig,
    /// Which machines are special.
    pub assets: AssetsConfig,
    /// Who may do what.
    pub policy: PolicyConfig,
    /// Stage 2.
    pub llm: LlmConfig,
    /// Restarts and fairness of actors.
    pub supervision: SupervisionConfig,
    /// Shared secrets.
    pub auth: AuthConfig,
    /// Chat.
    pub discord: DiscordConfig,
    /// Containment.
    pub actions: ActionsConfig,
    /// `[containment]`
    pub containment: ContainmentConfig,
    /// `[edr]`
    pub edr: EdrConfig,
    /// Limits of notification.
    pub notify: NotifyConfig,
    /// The pager.
    pub pagerduty: PagerdutyConfig,
    /// Mail.
    pub email: EmailConfig,
    /// Logging.
    pub log: LogConfig,
}

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Base of printed URLs, without a slash at its end; see [`ServerConfig::base_url`].
    #[serde(deserialize_with = "text_or_unset")]
    pub public_url: Option<String>,
    /// HTTP worker threads; at least 1 once loaded.
    pub workers: usize,
    /// PEM certificate chain; set exactly when `tls_key_path` is.
    #[serde(deserialize_with = "path_or_unset")]
    pub tls_cert_path: Option<PathBuf>,
    /// PEM private key.
    #[serde(deserialize_with = "path_or_unset")]
    pub tls_key_path: Option<PathBuf>,
    /// Plain HTTP off loopback is wanted.
    pub allow_insecure: bool,
    /// Largest request body.
    pub body_limit_bytes: usize,
    /// Time for a whole body.
    pub body_timeout_ms: u64,
    /// Time for a request line and headers.
    pub head_timeout_ms: u64,
    /// Idle time of a connection.
    pub keep_alive_s: u64,
    /// Connections at once.
    pub max_connections: usize,
    /// Time from a complete body to its answer.
    pub request_timeout_ms: u64,
}

impl ServerConfig {
    /// Whether this server ends TLS itself.
    pub fn tls(&self) -> bool {
        self.tls_cert_path.is_some()
    }

    /// The base of URLs that point to this server: `public_url`, else the address it listens on,
    /// with the port it really got.
    pub fn base_url(&self, bound: SocketAddr) -> String {
        let scheme = if self.tls() { "https" } else { "http" };
        self.public_url
            .clone()
            .unwrap_or_else(|| format!("{scheme}://{bound}"))
    }
}

/// `[storage]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageConfig {
    /// Directory of everything that lasts.
    pub data_dir: PathBuf,
    /// File of the host key; [`StorageConfig::host_key_source`] says where to look.
    #[serde(deserialize_with = "path_or_unset")]
    pub host_key_file: Option<PathBuf>,
    /// The host key itself, 64 hex characters.
    #[serde(deserialize_with = "secret_or_unset")]
    pub host_key: Option<Secret>,
    /// Days after which evidence is erased; 0 keeps it for ever.
    pub evidence_retention_days: u64,
    /// Size of a log segment.
    pub segment_bytes: u64,
    /// Entries of one group commit at most.
    pub batch_entries: usize,
    /// Bytes of one group commit at most.
    pub batch_bytes: usize,
    /// Entries that may wait for a commit.
    pub queue_entries: usize,
    /// Pause between checkpoints.
    pub checkpoint_ms: u64,
    /// Bytes of the disk that are kept free for what is under way.
    pub reserve_bytes: u64,
    /// Bytes a second that are read again of the chains' files; 0 reads none.
    pub scrub_bytes_per_s: u64,
    /// Pause between two rounds of that.
    pub scrub_pause_ms: u64,
    /// Page cache of the projections.
    pub projection_cache_bytes: usize,
    /// Where the server writes backups, if it does.
    #[serde(deserialize_with = "path_or_unset")]
    pub backup_dir: Option<PathBuf>,
}

/// Where the host key comes from.
#[derive(Debug, Clone)]
pub enum HostKeySource {
    /// Given as 64 hex characters.
    Given(Secret),
    /// Kept in this file, which the first start makes.
    File(PathBuf),
}

impl StorageConfig {
    /// How long evidence is kept, in milliseconds; `None` for ever.
    pub fn evidence_retention_ms(&self) -> Option<u64> {
        const DAY_MS: u64 = 24 * 60 * 60 * 1000;
        let days = Some(self.evidence_retention_days).filter(|days| *days > 0);
        days.map(|days| days.saturating_mul(DAY_MS))
    }

    /// Where the host key comes from: given, else the named file, else `host.key` in `data_dir`.
    pub fn host_key_source(&self) -> HostKeySource {
        match (&self.host_key, &self.host_key_file) {
            (Some(key), _) => HostKeySource::Given(key.clone()),
            (None, Some(file)) => HostKeySource::File(file.clone()),
            (None, None) => HostKeySource::File(self.data_dir.join("host.key")),
        }
    }
}

/// `[audit]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditConfig {
    /// File of the key that the log is signed with; `checkpoint.key` in `data_dir` if not set.
    #[serde(deserialize_with = "path_or_unset")]
    pub signing_key_file: Option<PathBuf>,
    /// Pause between signatures.
    pub checkpoint_ms: u64,
    /// Pause between comparisons of all chains with what was signed.
    pub check_s: u64,
    /// Keys and addresses of witnesses, with commas or ends of lines between them.
    pub witnesses: String,
    /// A witness's word is needed.
    pub witness_required: bool,
    /// Pause between two questions to a witness.
    pub witness_interval_s: u64,
}

/// `[limits]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Alerts a second of one tenant.
    pub per_tenant_per_s: u32,
    /// Alerts at once of one tenant; as many as one body may hold, at least.
    pub per_tenant_burst: u32,
    /// Failed authentications a second, all sources together.
    pub global_per_s: u32,
    /// Failed authentications a second, one source.
    pub failed_per_source_per_s: u32,
    /// Audit calls a second of one tenant.
    pub audit_per_s: u32,
    /// Audit calls at once of one tenant.
    pub audit_burst: u32,
    /// API calls a second of one token.
    pub api_per_s: u32,
    /// API calls at once of one token.
    pub api_burst: u32,
    /// Buttons and commands a second of one account in chat.
    pub chat_per_s: u32,
    /// Buttons and commands at once of one account.
    pub chat_burst: u32,
    /// Texts a second of external workers for one tenant.
    pub notify_per_s: u32,
    /// Texts at once for one tenant.
    pub notify_burst: u32,
    /// Requests a second to `/execute` and `/rollback` for one tenant.
    pub execute_per_s: u32,
    /// Requests at once to `/execute` and `/rollback` for one tenant.
    pub execute_burst: u32,
    /// How long a repeat is recognised.
    pub dedup_window_s: u64,
    /// Tenants on this host.
    pub tenant_max: usize,
    /// Messages waiting in front of one tenant.
    pub tenant_queue: usize,
    /// Requests handled at once.
    pub in_flight_max: usize,
    /// Sources whose failures are tracked one by one.
    pub tracked_sources_max: usize,
    /// Disk of one tenant.
    pub tenant_quota_bytes: u64,
    /// Alerts of one tenant a day.
    pub tenant_daily_alerts: u64,
    /// Bytes of evidence of one tenant a day.
    pub tenant_daily_bytes: u64,
}

/// `[triage]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriageConfig {
    /// Confidence up to which an alert is closed; below `classified_from_bp`.
    pub closed_to_bp: u16,
    /// Confidence from which an alert is classified at once; at most 10000.
    pub classified_from_bp: u16,
    /// Directory of further rules.
    #[serde(deserialize_with = "path_or_unset")]
    pub rules_dir: Option<PathBuf>,
    /// Whether the compiled-in rules take part.
    pub builtin_rules: bool,
}

/// `[playbooks]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaybooksConfig {
    /// Directory of further playbooks.
    #[serde(deserialize_with = "path_or_unset")]
    pub dir: Option<PathBuf>,
    /// Whether the compiled-in playbooks take part.
    pub builtin: bool,
}

/// `[assets]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetsConfig {
    /// Patterns of machines that give everything to whoever has them.
    #[serde(deserialize_with = "list")]
    pub tier0: Vec<String>,
    /// Patterns of other machines that no action may touch without saying so.
    #[serde(deserialize_with = "list")]
    pub protected: Vec<String>,
}

/// `[policy]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// Directory of the policies that stand in place of the compiled-in defaults.
    #[serde(deserialize_with = "path_or_unset")]
    pub dir: Option<PathBuf>,
    /// So many hosts approved within an hour make the next one a matter for two persons.
    pub bulk_hosts: usize,
}

/// `[supervision]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SupervisionConfig {
    /// Threads that actors run on.
    pub arbiters: usize,
    /// Falls in a period before suspension.
    pub intensity: u32,
    /// The period.
    pub period_s: u64,
    /// First pause before a restart; at most `backoff_max_ms`.
    pub backoff_ms: u64,
    /// Longest pause before a restart.
    pub backoff_max_ms: u64,
    /// First pause before a suspended tenant is tried again.
    pub probe_ms: u64,
    /// Messages in one turn.
    pub budget: u32,
    /// Time of one turn.
    pub slice_us: u64,
    /// Silence after which a tenant leaves memory.
    pub idle_passivate_s: u64,
    /// Time after which a handler that blocks its thread is reported.
    pub stall_notice_ms: u64,
    /// Time after which the actors of a blocked thread move to another one.
    pub stall_ms: u64,
    /// Threads at hand for that.
    pub spare_threads: usize,
}

/// `[auth]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// Shared secret of trusted services; without it their routes answer 501.
    #[serde(deserialize_with = "secret_or_unset")]
    pub hmac_secret: Option<Secret>,
    /// Whether `hmac_secret` stands in for a tenant that has no secret.
    pub webhook_fallback: bool,
    /// How long a request to `/execute` or `/rollback` is remembered once it has its outcome.
    pub nonce_retention_s: u64,
}

/// `[actions]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionsConfig {
    /// Nothing is sent to any EDR.
    pub dry_run: bool,
    /// How long a proposed action can be approved.
    pub approval_s: u64,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// Filter directives.
    pub level: String,
    /// Shape of a line.
    pub format: LogFormat,
}

/// Shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

fn text_or_unset<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    let text = text.trim_end_matches('/');
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// What stands between commas and ends of lines.
fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let text = String::deserialize(from)?;
    let items = text.split([',', '\n']).map(str::trim);
    let items = items.filter(|item| !item.is_empty());
    Ok(items.map(str::to_owned).collect())
}

fn path_or_unset<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(from)?;
    Ok((!text.is_empty()).then(|| text.into()))
}

fn secret_or_unset<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    let text = String::deserialize(from)?;
    Ok((!text.is_empty()).then(|| Secret::new(text)))
}
