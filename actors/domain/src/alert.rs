//! The normalised alert: the one shape that rules, people and playbooks see, whatever the vendor.
//!
//! This form is frozen: members may be added, never renamed, removed or given another meaning.
//! `docs/alert.md` is its reference. What a vendor sent beyond it lives on in the raw evidence.

mod parse;

mod completed;

mod crowdstrike;
mod defender;
mod generic;
mod sentinelone;

mod field;
mod words;

use serde::{Deserialize, Serialize};

use crate::{time::Timestamp, vendor::Vendor};
pub use parse::InvalidPayload;

/// The version of the normal form that this build writes.
pub const ALERT_VERSION: u32 = 1;

/// The longest body that is parsed, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 1024 * 1024;
/// How deep a body may be nested.
pub const MAX_PAYLOAD_DEPTH: usize = 64;
/// How many JSON values a body may have.
pub const MAX_PAYLOAD_VALUES: usize = 65_536;
/// How many alerts one body may bring; more are refused, not cut.
pub const MAX_ALERTS: usize = 64;
/// How many items a list of an alert has; what comes after them is left to the raw evidence.
pub const MAX_ITEMS: usize = 64;
/// The longest text, in bytes of UTF-8; longer ones are cut between characters.
pub const MAX_TEXT_BYTES: usize = 4096;
/// The longest command line, in bytes of UTF-8; longer ones are cut between characters.
pub const MAX_COMMAND_LINE_BYTES: usize = 32 * 1024;
/// The longest id, in bytes. A longer one is as good as none: half an id means something else.
pub const MAX_ID_BYTES: usize = 512;

/// One alert in normal form. Every text is as the vendor sent it, lone surrogates become U+FFFD.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The version of this form, [`ALERT_VERSION`].
    pub version: u32,
    /// Who detected it.
    pub vendor: Vendor,
    /// The vendor's product (`epp`, `idp`, `mde`, ...), where it says so.
    pub product: Option<String>,
    /// The vendor's own id of the alert; never empty.
    pub vendor_alert_id: String,
    /// The vendor's id of the customer, as it stood in the payload.
    pub account: Option<String>,
    /// When the vendor made the alert.
    pub created_at: Option<Timestamp>,
    /// When the behaviour was first seen.
    pub first_seen_at: Option<Timestamp>,
    /// The vendor's severity on our scale.
    pub severity: Severity,
    /// The vendor's severity on a scale of 0..=100; a word is put at the middle of its bucket.
    pub severity_score: u8,
    /// A short title.
    pub title: Option<String>,
    /// The vendor's description.
    pub description: Option<String>,
    /// MITRE ATT&CK tactics as sent: names or ids (`Credential Access`, `TA0006`).
    pub tactics: Vec<String>,
    /// MITRE ATT&CK technique ids (`T1003.001`), upper case; names where the vendor has only names.
    pub techniques: Vec<String>,
    /// Where it happened.
    pub device: Device,
    /// Under whose account.
    pub user: User,
    /// The process that it is about.
    pub process: Process,
    /// Its parent.
    pub parent: Process,
    /// Its parent's parent.
    pub grandparent: Process,
    /// The file that it is about, where that is not the process's image.
    pub file: File,
    /// Network connections, at most 64.
    pub network: Vec<Connection>,
    /// What in the vendor's product detected it (engine, detector, pattern).
    pub detection_source: Option<String>,
    /// What the vendor did itself (`blocked`, `quarantined`, `detected`), as it says it.
    pub disposition: Option<String>,
    /// The vendor's verdict words (`malicious`, `suspicious`, `true_positive`), as sent.
    pub vendor_verdict: Option<String>,
    /// A link back into the vendor's console; only `https` links are kept.
    pub link: Option<String>,
    /// The vendor's id of the threat to mitigate, where that differs from the alert's (SentinelOne).
    pub threat_id: Option<String>,
}

/// The vendor's severity on our scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Absent or not understood.
    Unknown,
    /// CrowdStrike 1-19.
    Informational,
    /// CrowdStrike 20-39.
    Low,
    /// CrowdStrike 40-59.
    Medium,
    /// CrowdStrike 60-79.
    High,
    /// CrowdStrike 80-100.
    Critical,
}

/// The machine. `id` is the vendor's device id and the only target of a containment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The vendor's device id (`aid`, `agentId`, `machineId`).
    pub id: Option<String>,
    /// Its host name.
    pub hostname: Option<String>,
    /// `windows`, `linux`, `macos`, or the vendor's word in lower case.
    pub platform: Option<String>,
    /// `workstation`, `server`, `domain_controller`, or the vendor's word in lower case.
    pub role: Option<String>,
    /// Its domain.
    pub domain: Option<String>,
    /// Its addresses, at most 64.
    pub ips: Vec<String>,
}

impl Device {
    /// What a machine is for, in our words where the vendor's is known.
    pub fn role_of(word: &str) -> String {
        let word = word.trim().to_lowercase();
        match word.as_str() {
            "desktop" | "laptop" | "client" => "workstation".to_owned(),
            "domain controller" | "domaincontroller" => "domain_controller".to_owned(),
            _ => word,
        }
    }
}

/// An account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Account name as sent (`DOMAIN\name` stays whole).
    pub name: Option<String>,
    /// Its domain, where sent apart.
    pub domain: Option<String>,
    /// Windows SID or the vendor's user id.
    pub sid: Option<String>,
}

/// A process; all members empty where nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The image's file name (`powershell.exe`).
    pub image: Option<String>,
    /// The image's whole path.
    pub path: Option<String>,
    /// The command line.
    pub command_line: Option<String>,
    /// The process id as the operating system knows it; never a vendor's own graph id.
    pub pid: Option<u64>,
    /// Hashes of the image.
    pub hashes: Hashes,
}

/// A file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name.
    pub name: Option<String>,
    /// Its whole path.
    pub path: Option<String>,
    /// Its hashes.
    pub hashes: Hashes,
}

/// Lower-case hex digests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashes {
    /// MD5, 32 digits.
    pub md5: Option<String>,
    /// SHA-1, 40 digits.
    pub sha1: Option<String>,
    /// SHA-256, 64 digits.
    pub sha256: Option<String>,
}

/// One network connection, URL or address that the alert names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The other side's address.
    pub remote_ip: Option<String>,
    /// The other side's port.
    pub remote_port: Option<u16>,
    /// Its name, domain or URL.
    pub remote_name: Option<String>,
    /// `tcp`, `udp` or the vendor's word in lower case.
    pub protocol: Option<String>,
}

impl Alert {
    /// An alert of which only the vendor, the id and nothing else is known.
    pub fn bare(vendor: Vendor, vendor_alert_id: String) -> Self {
        Self {
            version: ALERT_VERSION,
            vendor,
            product: None,
            vendor_alert_id,
            account: None,
            created_at: None,
            first_seen_at: None,
            severity: Severity::Unknown,
            severity_score: 0,
            title: None,
            description: None,
            tactics: Vec::new(),
            techniques: Vec::new(),
            device: Device::default(),
            user: User::default(),
            process: Process::default(),
            parent: Process::default(),
            grandparent: Process::default(),
            file: File::default(),
            network: Vec::new(),
            detection_source: None,
            disposition: None,
            vendor_verdict: None,
            link: None,
            threat_id: None,
        }
    }
}

impl Severity {
    /// The bucket of a score on CrowdStrike's scale of 1..=100; 0 and above 100 are unknown.
    pub const fn from_score(score: u8) -> Self {
        match score {
            1..=19 => Self::Informational,
            20..=39 => Self::Low,
            40..=59 => Self::Medium,
            60..=79 => Self::High,
            80..=100 => Self::Critical,
            _ => Self::Unknown,
        }
    }

    /// The middle of the bucket, 0 for unknown.
    pub const fn middle(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Informational => 10,
            Self::Low => 30,
            Self::Medium => 50,
            Self::High => 70,
            Self::Critical => 90,
        }
    }

    /// Lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}
