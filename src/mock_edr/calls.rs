//! What was asked: every request, with whether it changed something.

use std::collections::VecDeque;

use serde_json::{Value, json};
use vyrox_domain::{time::Timestamp, vendor::Vendor};

use super::route::Route;

/// So many requests are remembered.
const KEPT: usize = 100_000;

/// One request, as it is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// When it came.
    pub at: Timestamp,
    /// To whom.
    pub vendor: Vendor,
    /// What it is, if it is anything.
    pub route: Option<Route>,
    /// Method.
    pub method: String,
    /// Path and query as they were sent.
    pub target: String,
    /// Whether such a request changes something, by its kind.
    pub changes: bool,
    /// The host or threat that it is about, where it names one.
    pub subject: Option<String>,
    /// Its body; never shown by the control interface, for it may hold a secret.
    pub body: Vec<u8>,
    /// SHA-256 of the body, in hex.
    pub body_sha256: String,
    /// Whether it was in order and took effect.
    pub applied: bool,
    /// The status that was answered; `None` where none was.
    pub status: Option<u16>,
    /// The fault that it met.
    pub fault: Option<String>,
    /// How it breaks the vendor's contract.
    pub violation: Option<String>,
}

impl Call {
    /// Whether it is of that kind, to that vendor.
    pub fn is(&self, vendor: Vendor, route: Route) -> bool {
        self.vendor == vendor && self.route == Some(route)
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "at": self.at.to_string(),
            "vendor": self.vendor,
            "request": self.route.map(Route::as_str),
            "method": self.method,
            "target": self.target,
            "changes": self.changes,
            "subject": self.subject,
            "body_sha256": self.body_sha256,
            "applied": self.applied,
            "status": self.status,
            "fault": self.fault,
            "violation": self.violation,
        })
    }
}

/// The latest requests, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Calls {
    kept: VecDeque<Call>,
}

impl Calls {
    pub(super) fn add(&mut self, call: Call) {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(call);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Call> {
        self.kept.iter()
    }

    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }
}
