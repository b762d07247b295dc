//! What only shows when the settings are seen together.

use std::{net::IpAddr, path::Path, thread};

use crate::connectors::{email::Email, pagerduty::Pagerduty, witness::addresses};

use super::{Config, Origin, report::Report, secret::is_key_hex};

/// Worker threads that more cores don't raise by themselves.
const DEFAULT_WORKERS_MAX: usize = 8;

/// The settings as types, with what depends on the machine filled in; `None` after an error that
/// leaves nothing to check.
pub(super) fn checked(merged: config::Config, report: &mut Report) -> Option<Config> {
    let mut config: Config = match merged.try_deserialize() {
        Ok(config) => config,
        Err(error) => {
            report.error(&Origin::Together, "", error.to_string());
            return None;
        }
    };
    if config.server.workers == 0 {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        config.server.workers = cores.min(DEFAULT_WORKERS_MAX);
    }
    transport(&config, report);
    secrets(&config, report);
    triage(&config, report);
    edr(&config, report);
    audit(&config, report);
    policy(&config, report);
    llm(&config, report);
    notification(&config, report);
    bounds(&config, report);
    Some(config)
}

/// Whether an address can be reached from this machine alone.
pub(super) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn transport(config: &Config, report: &mut Report) {
    let server = &config.server;
    match (&server.tls_cert_path, &server.tls_key_path) {
        (Some(_), None) => {
            together(
                report,
                "server.tls_key_path",
                "is missing beside server.tls_cert_path",
            );
        }
        (None, Some(_)) => {
            together(
                report,
                "server.tls_cert_path",
                "is missing beside server.tls_key_path",
            );
        }
        (None, None) => plain_http(config, report),
        (Some(certificate), Some(key)) => {
            must_be_file(report, "server.tls_cert_path", certificate);
            must_be_file(report, "server.tls_key_path", key);
        }
    }
}

fn plain_http(config: &Config, report: &mut Report) {
    let listen = config.server.listen;
    if is_loopback(listen.ip()) {
        return;
    }
    if config.server.allow_insecure {
        let message = "alerts and tokens travel unencrypted to a proxy that must end TLS";
        report.warn(&Origin::Together, "server.allow_insecure", message);
    } else {
        let message = format!(
            "{listen} is not loopback and there is no TLS: set TLS_CERT_PATH and TLS_KEY_PATH, or \
             ALLOW_INSECURE=true behind a proxy that ends TLS"
        );
        together(report, "server.listen", message);
    }
}

fn secrets(config: &Config, report: &mut Report) {
    let secret = config.auth.hmac_secret.as_ref();
    if secret.is_some_and(|secret| !is_key_hex(secret.expose())) {
        let message = "is not 64 hex characters; it is used as it is";
        report.warn(&Origin::Together, "auth.hmac_secret", message);
    }
    if config.auth.webhook_fallback {
        match secret {
            Some(_) => {
                let message = "tenants without a secret of their own share auth.hmac_secret";
                report.warn(&Origin::Together, "auth.webhook_fallback", message);
            }
            None => together(report, "auth.webhook_fallback", "needs auth.hmac_secret"),
        }
    }
    let storage = &config.storage;
    let beside = storage.host_key.is_none() && storage.host_key_file.is_none();
    if beside && !is_loopback(config.server.listen.ip()) {
        let message = "is not set: the host key lies in the data directory, beside what it seals";
        report.warn(&Origin::Together, "storage.host_key_file", message);
    }
}

fn edr(config: &Config, report: &mut Report) {
    if config.edr.allow_private {
        let message =
            "a tenant's EDR may be this machine or one in its network: for a stand-in alone";
        report.warn(&Origin::Together, "edr.allow_private", message);
    }
}

fn audit(config: &Config, report: &mut Report) {
    let nobody = addresses(&config.audit.witnesses).is_ok_and(|found| found.is_empty());
    if config.audit.witness_required && nobody {
        let message = "is true and audit.witnesses names none: set it to KEY URL of a witness";
        together(report, "audit.witness_required", message);
    }
}

fn triage(config: &Config, report: &mut Report) {
    let triage = &config.triage;
    if triage.closed_to_bp >= triage.classified_from_bp {
        let message = "must be below triage.classified_from_bp";
        together(report, "triage.closed_to_bp", message);
    }
    match &triage.rules_dir {
        Some(directory) if !directory.is_dir() => {
            let message = format!("{} is not a directory", directory.display());
            together(report, "triage.rules_dir", message);
        }
        None if !triage.builtin_rules => {
            let message = "is false and triage.rules_dir is not set: there would be no rules";
            together(report, "triage.builtin_rules", message);
        }
        _ => {}
    }
}

fn policy(config: &Config, report: &mut Report) {
    if let Some(directory) = config.policy.dir.as_ref().filter(|dir| !dir.is_dir()) {
        let message = format!("{} is not a directory", directory.display());
        together(report, "policy.dir", message);
    }
}

fn llm(config: &Config, report: &mut Report) {
    if config.llm.base_url.is_some() && config.llm.model.is_empty() {
        together(report, "llm.model", "is missing beside llm.base_url");
    }
}

fn notification(config: &Config, report: &mut Report) {
    let notify = &config.notify;
    if notify.critical_fallback_s >= notify.critical_within_s {
        let message = "must be below notify.critical_within_s";
        together(report, "notify.critical_fallback_s", message);
    }
    if notify.high_fallback_s >= notify.high_within_s {
        let message = "must be below notify.high_within_s";
        together(report, "notify.high_fallback_s", message);
    }
    if let Err(fault) = Pagerduty::new(&config.pagerduty) {
        together(report, fault.key, fault.message);
    }
    if let Err(fault) = Email::new(&config.email) {
        together(report, fault.key, fault.message);
    }
}

fn bounds(config: &Config, report: &mut Report) {
    let storage = &config.storage;
    if u64::try_from(storage.batch_bytes).is_ok_and(|batch| batch > storage.segment_bytes) {
        together(
            report,
            "storage.batch_bytes",
            "must not be above storage.segment_bytes",
        );
    }
    if storage.batch_entries > storage.queue_entries {
        together(
            report,
            "storage.batch_entries",
            "must not be above storage.queue_entries",
        );
    }
    if config.supervision.backoff_ms > config.supervision.backoff_max_ms {
        let message = "must not be above supervision.backoff_max_ms";
        together(report, "supervision.backoff_ms", message);
    }
}

fn must_be_file(report: &mut Report, key: &str, path: &Path) {
    if !path.is_file() {
        together(report, key, format!("{} is not a file", path.display()));
    }
}

fn together(report: &mut Report, key: &str, message: impl Into<String>) {
    report.error(&Origin::Together, key, message);
}
