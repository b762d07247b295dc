//! What the actors go by, from the configuration.

use vyrox_actors::{
    ports::{CaseSettings, Limits, Watching},
    reviewer::ReviewLimits,
};
use vyrox_domain::{tenant::Quota, triage::Bands};

use crate::config::Config;

/// The terms of cases.
pub(super) fn cases(config: &Config) -> CaseSettings {
    let (llm, notify) = (&config.llm, &config.notify);
    CaseSettings {
        approval_ms: config.actions.approval_s.saturating_mul(1000),
        dry_run: config.actions.dry_run,
        bulk_hosts: config.policy.bulk_hosts,
        daily_calls: llm.daily_calls,
        review: ReviewLimits::new(llm.concurrency, llm.timeout_ms),
        slas: notify.slas(),
        page_high: notify.page_high,
        containment: config.containment.limits(config.auth.nonce_retention_s),
        watching: Watching {
            drift_ms: config.containment.drift_s.saturating_mul(1000),
            poll_ms: config.edr.poll_s.saturating_mul(1000),
        },
    }
}

/// Limits and windows.
pub(super) fn limits(config: &Config) -> Limits {
    let (limits, supervision) = (&config.limits, &config.supervision);
    Limits {
        bands: Bands {
            closed_to_bp: config.triage.closed_to_bp,
            classified_from_bp: config.triage.classified_from_bp,
        },
        dedup_window_ms: limits.dedup_window_s.saturating_mul(1000),
        quota: Quota {
            bytes: limited(limits.tenant_quota_bytes),
            daily_alerts: limited(limits.tenant_daily_alerts),
            daily_bytes: limited(limits.tenant_daily_bytes),
        },
        retention_ms: config.storage.evidence_retention_ms(),
        idle_passivate_ms: supervision.idle_passivate_s.saturating_mul(1000),
        tenant_max: limits.tenant_max,
        tenant_queue: limits.tenant_queue,
        intensity: supervision.intensity,
        period_ms: supervision.period_s.saturating_mul(1000),
        backoff_ms: supervision.backoff_ms,
        backoff_max_ms: supervision.backoff_max_ms,
        probe_ms: supervision.probe_ms,
        budget: supervision.budget,
        slice_us: supervision.slice_us,
    }
}

/// A limit of which 0 means none.
fn limited(most: u64) -> Option<u64> {
    Some(most).filter(|most| *most > 0)
}
