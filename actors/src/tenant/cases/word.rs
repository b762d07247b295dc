//! What was said of an alert.

use std::sync::Arc;

use vyrox_domain::{
    alert::Alert, ids::AlertId, protocol::AlertTriaged, review::ReviewOutcome, triage::Assessment,
};

/// An alert that stage 1 has judged.
pub(in crate::tenant) struct Judged {
    pub(in crate::tenant) alert_id: AlertId,
    pub(in crate::tenant) triaged: AlertTriaged,
    pub(in crate::tenant) tactics: Vec<String>,
    /// Its normal form, where there is evidence.
    pub(in crate::tenant) alert: Option<Arc<Alert>>,
}

/// The last word on an alert, and what it was said of.
#[expect(
    clippy::large_enum_variant,
    reason = "at most 64 of them wait, and each is taken apart at once otherwise"
)]
pub(in crate::tenant) enum Word {
    Stage1(Judged),
    Stage2(Concluded),
}

/// An alert that stage 2 was asked about.
pub(in crate::tenant) struct Concluded {
    pub(in crate::tenant) alert_id: AlertId,
    pub(in crate::tenant) outcome: ReviewOutcome,
    /// The model that was asked.
    pub(in crate::tenant) model: Option<String>,
    /// What is said from now on.
    pub(in crate::tenant) assessment: Assessment,
    pub(in crate::tenant) tactics: Vec<String>,
    /// Its normal form, where there is evidence.
    pub(in crate::tenant) alert: Option<Arc<Alert>>,
}

impl Word {
    pub(in crate::tenant) const fn is_of_stage1(&self) -> bool {
        matches!(self, Self::Stage1(_))
    }

    pub(in crate::tenant) const fn alert_id(&self) -> AlertId {
        match self {
            Self::Stage1(it) => it.alert_id,
            Self::Stage2(it) => it.alert_id,
        }
    }

    /// What is said, with the tactics of the rules that spoke.
    pub(in crate::tenant) fn said(&self) -> (&Assessment, &[String]) {
        match self {
            Self::Stage1(it) => (&it.triaged.assessment, &it.tactics),
            Self::Stage2(it) => (&it.assessment, &it.tactics),
        }
    }

    pub(in crate::tenant) fn alert(&self) -> Option<&Alert> {
        match self {
            Self::Stage1(it) => it.alert.as_deref(),
            Self::Stage2(it) => it.alert.as_deref(),
        }
    }

    pub(in crate::tenant) fn put_alert(&mut self, alert: Arc<Alert>) {
        match self {
            Self::Stage1(it) => it.alert = Some(alert),
            Self::Stage2(it) => it.alert = Some(alert),
        }
    }
}

impl Judged {
    /// One that nobody could read.
    pub(in crate::tenant) const fn without_evidence(
        alert_id: AlertId,
        triaged: AlertTriaged,
    ) -> Self {
        Self {
            alert_id,
            triaged,
            tactics: Vec::new(),
            alert: None,
        }
    }
}
