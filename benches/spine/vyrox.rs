//! The server as it is released, on a data directory of its own, with limits that one machine's load
//! does not reach.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    alerts::{Prepared, Tenant},
    child::Child,
};

/// What is not as it is by default.
const SETTINGS: [(&str, &str); 8] = [
    ("VYROX_LIMITS__PER_TENANT_PER_S", "1000000"),
    ("VYROX_LIMITS__PER_TENANT_BURST", "1000000"),
    ("VYROX_LIMITS__AUDIT_PER_S", "100000"),
    ("VYROX_LIMITS__AUDIT_BURST", "100000"),
    ("VYROX_LIMITS__TENANT_MAX", "100000"),
    ("VYROX_LIMITS__API_PER_S", "100000"),
    ("VYROX_LIMITS__API_BURST", "100000"),
    ("VYROX_LOG__LEVEL", "error"),
];

/// A server that uses no more than [`IDLE`] in this time has come to rest; with thousands of actors, no more
/// than that above what their clocks need.
const LOOK: Duration = Duration::from_millis(250);
const IDLE: Duration = Duration::from_millis(20);
const LONGEST_REST: Duration = Duration::from_mins(2);
/// In so long everything is done that follows from one alert of each tenant.
const SETTLES: Duration = Duration::from_secs(15);
const LOOKS_AT_IDLE: usize = 8;

/// Tenants that are added at once.
const PARTS: usize = 8;

/// The running server.
pub(crate) struct Vyrox {
    child: Child,
    token: String,
    directory: TempDir,
    /// CPU of a [`LOOK`] with nothing to do.
    idle: OnceLock<Duration>,
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
    /// Starts one on an empty directory, with these settings besides.
    pub(crate) fn start(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let on_disk = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(on_disk)?;
        let directory = tempfile::Builder::new()
            .prefix("spine-")
            .tempdir_in(on_disk)?;
        let child = serve(&data_of(&directory), settings)?;
        let token = fs::read_to_string(data_of(&directory).join("admin.token"))?;
        Ok(Self {
            child,
            token: token.trim().to_owned(),
            directory,
            idle: OnceLock::new(),
        })
    }

    /// Ends it, whatever it is at, and starts it again on what it left.
    pub(crate) fn restart(self, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let Self {
            child,
            token,
            directory,
            idle,
        } = self;
        drop(child);
        Ok(Self {
            child: serve(&data_of(&directory), settings)?,
            token,
            directory,
            idle,
        })
    }

    pub(crate) fn child(&self) -> &Child {
        &self.child
    }

    /// A directory on the disk that the server writes to.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The file of a tenant's chain.
    pub(crate) fn chain_file(&self, tenant: &str) -> PathBuf {
        let tenants = data_of(&self.directory).join("journal").join("tenants");
        tenants.join(format!("{tenant}.jsonl"))
    }

    /// Who may do everything but approve.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Adds so many tenants, several at a time.
    pub(crate) fn add_tenants(&self, count: usize) -> anyhow::Result<Vec<Tenant>> {
        let add = |part: usize| {
            let numbers = (part..count).step_by(PARTS);
            let added = numbers.map(|number| self.add_tenant(format!("bench-{number:05}")));
            added.collect::<anyhow::Result<Vec<_>>>()
        };
        let parts: anyhow::Result<Vec<_>> = thread::scope(|scope| {
            let parts: Vec<_> = (0..PARTS)
                .map(|part| scope.spawn(move || add(part)))
                .collect();
            let added = parts.into_iter().map(ScopedJoinHandle::join);
            let fallen = |_panic| anyhow!("adding tenants panicked");
            added.map(|added| added.map_err(fallen)?).collect()
        });
        let mut tenants: Vec<_> = parts?.into_iter().flatten().collect();
        tenants.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(tenants)
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
            if cpu.saturating_sub(before) <= self.idle.get().copied().unwrap_or_default() + IDLE {
                return Ok(waited);
            }
        }
    }

    /// Lets what was begun end, and looks what the server uses when it has nothing to do: each tenant's actors look
    /// at their clocks once a second.
    pub(crate) fn learn_idle(&self) -> anyhow::Result<()> {
        thread::sleep(SETTLES);
        let (mut cpu, mut most) = (self.child.cpu()?, Duration::ZERO);
        for _ in 0..LOOKS_AT_IDLE {
            thread::sleep(LOOK);
            let before = std::mem::replace(&mut cpu, self.child.cpu()?);
            most = most.max(cpu.saturating_sub(before));
        }
        self.idle.get_or_init(|| most);
        Ok(())
    }

    /// The answer to one request.
    pub(crate) fn ask(&self, request: &Prepared) -> anyhow::Result<Value> {
        let text = std::str::from_utf8(request.bytes())?;
        let (first, rest) = text.split_once("\r\n").context("an empty request")?;
        let answer = self.exchange(&format!("{first}\r\nConnection: close\r\n{rest}"))?;
        Ok(serde_json::from_str(&answer)?)
    }

    /// One request on a connection of its own; `head` lacks the last two lines.
    fn call(&self, head: &str, body: &str) -> anyhow::Result<String> {
        let address = self.child.address();
        self.exchange(&format!(
            "{head}Host: {address}\r\nConnection: close\r\n\r\n{body}"
        ))
    }

    /// The body of the answer.
    fn exchange(&self, request: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.child.address())?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        let status = head.lines().next().unwrap_or_default();
        ensure!(status.starts_with("HTTP/1.1 2"), "{status}: {body}");
        Ok(body.to_owned())
    }
}

fn data_of(directory: &TempDir) -> PathBuf {
    directory.path().join("vyrox")
}

/// Runs the release binary without any setting of whoever runs the benchmark.
fn serve(data: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Child> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vyrox"));
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data);
    for (name, _) in env::vars().filter(|(name, _)| name.starts_with("VYROX_")) {
        command.env_remove(name);
    }
    let settings = SETTINGS.iter().chain(settings).copied();
    Child::start(command.envs(settings))
}
