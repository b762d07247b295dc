//! Requests as a vendor sends them, made in advance: each body is its own, and really signed.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

/// Length of every body.
pub(crate) const BODY_BYTES: usize = 1024;

/// Machines that the alerts are about.
const HOSTS: usize = 500;

/// Who sends, and under which secret.
#[derive(Clone)]
pub(crate) struct Tenant {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// A whole HTTP request.
pub(crate) struct Prepared {
    bytes: Vec<u8>,
    head_len: usize,
}

impl Prepared {
    /// A JSON body, signed with `secret`.
    pub(crate) fn post(path: &str, secret: &str, body: &str) -> Self {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nX-Vyrox-Signature: sha256={}\r\n\r\n",
            body.len(),
            signature(secret, body.as_bytes()),
        );
        let mut bytes = head.into_bytes();
        let head_len = bytes.len();
        bytes.extend_from_slice(body.as_bytes());
        Self { bytes, head_len }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(self.head_len..).unwrap_or_default()
    }
}

/// Where the alert of this number was seen.
pub(crate) fn hostname(number: usize) -> String {
    format!("WS-{:04}", number % HOSTS)
}

/// Never makes the same alert twice.
pub(crate) struct Alerts {
    tenants: Vec<Tenant>,
    made: usize,
}

impl Alerts {
    pub(crate) fn new(tenants: Vec<Tenant>) -> Self {
        Self { tenants, made: 0 }
    }

    /// Makes so many new ones, one tenant after the other.
    pub(crate) fn prepare(&mut self, count: usize) -> Vec<Prepared> {
        self.prepare_for(self.tenants.len(), count)
    }

    /// Makes so many new ones of the first so many tenants.
    pub(crate) fn prepare_for(&mut self, tenants: usize, count: usize) -> Vec<Prepared> {
        let first = self.made;
        self.made += count;
        let numbers = first..self.made;
        numbers
            .zip(self.tenants.iter().take(tenants).cycle())
            .map(|(n, tenant)| request(tenant, n))
            .collect()
    }
}

fn request(tenant: &Tenant, number: usize) -> Prepared {
    let body = body(&tenant.id, number);
    Prepared::post("/webhook/crowdstrike", &tenant.secret, &body)
}

fn signature(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    mac.map(|mac| hex::encode(mac.chain_update(body).finalize().into_bytes()))
        .unwrap_or_default()
}

struct Kind {
    severity: &'static str,
    tactic: &'static str,
    technique: &'static str,
    user: &'static str,
    file: &'static str,
    command: &'static str,
    /// What the command line goes on with, as often as there is room.
    filler: &'static str,
}

/// From the worst to the harmless, so that rules of every kind speak.
const KINDS: [Kind; 4] = [
    Kind {
        severity: "CRITICAL",
        tactic: "Credential Access",
        technique: "T1003.001",
        user: r"CORP\ann.lee",
        file: "mimikatz.exe",
        command: r#"mimikatz.exe "privilege::debug" "sekurlsa::logonpasswords" "exit""#,
        filler: " /log:out.txt /inject",
    },
    Kind {
        severity: "HIGH",
        tactic: "Execution",
        technique: "T1059.001",
        user: r"CORP\bo.kim",
        file: "powershell.exe",
        command: "powershell.exe -NoProfile -WindowStyle Hidden -EncodedCommand ",
        filler: "SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQA",
    },
    Kind {
        severity: "MEDIUM",
        tactic: "Persistence",
        technique: "T1543.003",
        user: r"NT AUTHORITY\SYSTEM",
        file: "updater.exe",
        command: r"C:\Program Files\Contoso\updater.exe --channel stable",
        filler: " --component agent --retry 3 --verify yes",
    },
    Kind {
        severity: "LOW",
        tactic: "Collection",
        technique: "T1074.002",
        user: r"CORP\svc_backup",
        file: "robocopy.exe",
        command: r"robocopy.exe D:\Data \\nas01\backup\daily /MIR /R:3 /XD",
        filler: " D:/Data/Projects/Cache",
    },
];

fn body(tenant: &str, number: usize) -> String {
    let kind = KINDS.get(number % KINDS.len()).unwrap_or(&KINDS[0]);
    let bare = body_with(tenant, number, kind, kind.command).len();
    let room = BODY_BYTES.saturating_sub(bare);
    let filler: String = kind.filler.chars().cycle().take(room).collect();
    body_with(tenant, number, kind, &format!("{}{filler}", kind.command))
}

/// CrowdStrike's short form.
fn body_with(tenant: &str, number: usize, kind: &Kind, command_line: &str) -> String {
    let host = number % HOSTS;
    json!({
        "detect_id": format!("ldt:bench:{number:012}"),
        "customer_id": tenant,
        "timestamp": 1_760_000_000 + number,
        "severity": kind.severity,
        "tactic": kind.tactic,
        "technique": kind.technique,
        "sensor": { "hostname": hostname(number), "agent_id": format!("{host:032x}") },
        "process": {
            "user_name": kind.user,
            "file_name": kind.file,
            "command_line": command_line,
            "sha256": format!("{number:064x}"),
        },
    })
    .to_string()
}
