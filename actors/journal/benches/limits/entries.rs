//! Entries as the server writes them: an alert with its two pieces of sealed evidence, and what
//! follows from it, which is a line alone.

use serde_json::json;
use vyrox_journal::Draft;

/// What an entry holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A line with two attachments, together about 2.5 KiB.
    Alert,
    /// A line of about 700 bytes.
    Line,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert with evidence",
            Self::Line => "line alone",
        }
    }

    /// Bytes of the attachments.
    pub(crate) fn attached(self) -> usize {
        match self {
            Self::Alert => NORMAL_FORM + RAW,
            Self::Line => 0,
        }
    }

    /// The entry of this number.
    pub(crate) fn draft(self, number: usize) -> Draft {
        match self {
            Self::Alert => alert(number),
            Self::Line => Draft {
                attachments: Vec::new(),
                ..alert(number)
            },
        }
    }

    /// So many different ones.
    pub(crate) fn drafts(self, count: usize) -> Vec<Draft> {
        (0..count).map(|number| self.draft(number)).collect()
    }
}

/// Sealed evidence of the raw body and of the normal form: no run of zeros, nothing to compress.
const RAW: usize = 1_064;
const NORMAL_FORM: usize = 760;

fn alert(number: usize) -> Draft {
    Draft {
        event: "alert.received".into(),
        event_version: 1,
        actor: "vendor:crowdstrike".into(),
        timestamp_ms: 1_760_000_000_000 + u64::try_from(number).unwrap_or_default(),
        alert_id: Some(format!("0199c0de-0000-7000-8000-{number:012x}")),
        action: None,
        payload: json!({
            "vendor": "crowdstrike",
            "vendor_alert_id": format!("ldt:bench:{number:012}"),
            "severity": "high",
            "host": format!("WS-{:04}", number % 500),
            "device_id": format!("{:032x}", number % 500),
            "techniques": ["T1059.001"],
            "tactics": ["TA0002"],
            "occurred_at_ms": 1_760_000_000_000_u64,
            "evidence": [
                { "kind": "normalised", "sha256": format!("{number:064x}"), "bytes": NORMAL_FORM },
                { "kind": "raw", "sha256": format!("{number:064x}"), "bytes": RAW },
            ],
        }),
        attachments: vec![noise(NORMAL_FORM, number), noise(RAW, number + 1)],
    }
}

/// Bytes without a pattern, the same for the same seed; a multiplicative generator is random enough.
fn noise(len: usize, seed: usize) -> Vec<u8> {
    let mut state = u64::try_from(seed).unwrap_or_default() | 1;
    let mut next = || {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0xB);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}
