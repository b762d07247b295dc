//! The server as it is released, on a data directory of its own, with limits that one machine's load
//! does not reach.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{alerts::Tenant, child::Child};

/// What is not as it is by default.
const SETTINGS: [(&str, &str); 5] = [
    ("VYROX_LIMITS__PER_TENANT_PER_S", "1000000"),
    ("VYROX_LIMITS__PER_TENANT_BURST", "1000000"),
    ("VYROX_LIMITS__API_PER_S", "100000"),
    ("VYROX_LIMITS__API_BURST", "100000"),
    ("VYROX_LOG__LEVEL", "error"),
];

/// A server that uses no more than [`IDLE`] in this time has come to rest.
const LOOK: Duration = Duration::from_millis(250);
const IDLE: Duration = Duration::from_millis(20);
const LONGEST_REST: Duration = Duration::from_mins(2);

/// The running server.
pub(crate) struct Vyrox {
    child: Child,
    token: String,
    directory: TempDir,
}

/// What the journal has counted.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counters {
    pub(crate) entries: u64,
    pub(crate) batches: u64,
    pub(crate) fsyncs: u64,
}

impl Counters {
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            entries: self.entries.saturating_sub(before.entries),
            batches: self.batches.saturating_sub(before.batches),
            fsyncs: self.fsyncs.saturating_sub(before.fsyncs),
        }
    }
}

impl Vyrox {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let on_disk = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(on_disk)?;
        let directory = tempfile::Builder::new()
            .prefix("spine-")
            .tempdir_in(on_disk)?;
        let data = directory.path().join("vyrox");
        let mut command = Command::new(env!("CARGO_BIN_EXE_vyrox"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data);
        for (name, _) in env::vars().filter(|(name, _)| name.starts_with("VYROX_")) {
            command.env_remove(name);
        }
        let child = Child::start(command.envs(SETTINGS))?;
        let token = fs::read_to_string(data.join("admin.token"))?
            .trim()
            .to_owned();
        Ok(Self {
            child,
            token,
            directory,
        })
    }

    pub(crate) fn child(&self) -> &Child {
        &self.child
    }

    /// A directory on the disk that the server writes to.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn add_tenants(&self, count: usize) -> anyhow::Result<Vec<Tenant>> {
        (0..count)
            .map(|number| self.add_tenant(format!("bench-{number:02}")))
            .collect()
    }

    fn add_tenant(&self, id: String) -> anyhow::Result<Tenant> {
        let webhook = json!({ "vendor": "crowdstrike", "auth": "vyrox-hmac" });
        let body = json!({ "tenant_id": id, "webhooks": [webhook] }).to_string();
        let head = format!(
            "POST /onboard HTTP/1.1\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n",
            self.token,
            body.len(),
        );
        let answer: Value = serde_json::from_str(&self.call(&head, &body)?)?;
        let secret = answer.pointer("/webhooks/0/secret").and_then(Value::as_str);
        let secret = secret.context("no secret in the answer")?.to_owned();
        Ok(Tenant { id, secret })
    }

    pub(crate) fn counters(&self) -> anyhow::Result<Counters> {
        let text = self.call("GET /metrics HTTP/1.1\r\n", "")?;
        let counter = |name: &str| {
            let value = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value
                .and_then(|text| text.parse().ok())
                .with_context(|| format!("no {name}"))
        };
        Ok(Counters {
            entries: counter("vyrox_journal_entries_total")?,
            batches: counter("vyrox_journal_batches_total")?,
            fsyncs: counter("vyrox_journal_fsyncs_total")?,
        })
    }

    /// Waits until all that follows from the alerts is done; says how long that took. The last look,
    /// in which nothing happened, does not count.
    pub(crate) fn come_to_rest(&self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let mut cpu = self.child.cpu()?;
        loop {
            let waited = began.elapsed();
            if waited > LONGEST_REST {
                bail!("the server is still busy {waited:?} after the last answer");
            }
            thread::sleep(LOOK);
            let before = std::mem::replace(&mut cpu, self.child.cpu()?);
            if cpu.saturating_sub(before) <= IDLE {
                return Ok(waited);
            }
        }
    }

    /// One request on a connection of its own; `head` lacks the last two lines.
    fn call(&self, head: &str, body: &str) -> anyhow::Result<String> {
        let address = self.child.address();
        let mut stream = TcpStream::connect(address)?;
        let request = format!("{head}Host: {address}\r\nConnection: close\r\n\r\n{body}");
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        let status = head.lines().next().unwrap_or_default();
        ensure!(status.starts_with("HTTP/1.1 2"), "{status}: {body}");
        Ok(body.to_owned())
    }
}
