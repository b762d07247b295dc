//! A real server for a test: the built binary on a directory of the test's, a port that the system
//! picks, and the command line beside it.
//!
//! Nothing here sleeps: a start waits for the line that says where the server listens, an end for
//! the end of its output, and [`eventually`] for the answer to a question that it asks again.

use std::{
    fs::{File, Permissions},
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
    sync::{
        Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::NamedTempFile;

mod client;
mod tenant;
#[cfg(feature = "fault-injection")]
mod trials;

pub(crate) use self::{
    client::{Http, Reply, request_bytes},
    tenant::{Tenant, VENDORS, falcon_short, mac, mac_hex, sign},
};

/// How long anything may take before a test gives up on it. Far more than it ever takes.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// Settings that keep rations out of a test that is not about them.
pub(crate) const NO_RATIONS: &[(&str, &str)] = &[
    ("VYROX_LIMITS__PER_TENANT_PER_S", "100000"),
    ("VYROX_LIMITS__PER_TENANT_BURST", "100000"),
    ("VYROX_LIMITS__GLOBAL_PER_S", "100000"),
    ("VYROX_LIMITS__FAILED_PER_SOURCE_PER_S", "100000"),
    ("VYROX_LIMITS__AUDIT_PER_S", "100000"),
    ("VYROX_LIMITS__AUDIT_BURST", "100000"),
    ("VYROX_LIMITS__API_PER_S", "100000"),
    ("VYROX_LIMITS__API_BURST", "100000"),
    ("VYROX_LIMITS__EXECUTE_PER_S", "100000"),
    ("VYROX_LIMITS__EXECUTE_BURST", "100000"),
];

/// A tenant stays awake as long as a proposal of its waits for a decision; so there are none.
pub(crate) const NO_PROPOSALS: (&str, &str) = ("VYROX_PLAYBOOKS__BUILTIN", "false");

/// The shared secret of trusted services, where a test gives the server one.
pub(crate) const SERVICE_SECRET: &str =
    "5f0e4be1c7d2a8936e1f40c2b7d95a83c6e20f1b9d7a4c58e3061f2b8a9d7c45";

/// What every server of these tests is told; a test's own settings go before it.
const EVERYWHERE: &[(&str, &str)] = &[
    // Zeros are written over a new segment, and these tests make hundreds: small ones spare the disk,
    // and are used up sooner.
    ("VYROX_STORAGE__SEGMENT_BYTES", "4194304"),
    // Whoever looks until something is so looks as often as the server answers, with one token.
    ("VYROX_LIMITS__API_PER_S", "100000"),
    ("VYROX_LIMITS__API_BURST", "100000"),
    ("VYROX_LIMITS__AUDIT_PER_S", "100000"),
    ("VYROX_LIMITS__AUDIT_BURST", "100000"),
];

const BINARY: &str = env!("CARGO_BIN_EXE_vyrox");

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    dir: PathBuf,
    address: SocketAddr,
    base: String,
    /// Behind a lock so that threads of a test can share the server.
    ended: Mutex<Receiver<Said>>,
    stderr: NamedTempFile,
}

/// How a start came to nothing.
#[derive(Debug)]
pub(crate) struct NotStarted {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

/// What a server's standard output says.
enum Said {
    Listening(String),
    Ended,
}

impl Server {
    /// Starts on `dir` with `env` and nothing else in its environment.
    pub(crate) fn start(dir: &Path, env: &[(&str, &str)]) -> Self {
        match Self::try_start(dir, env) {
            Ok(server) => server,
            Err(not) => panic!("the server ended with {}:\n{}", not.status, not.stderr),
        }
    }

    /// The same for a start that may be refused.
    pub(crate) fn try_start(dir: &Path, env: &[(&str, &str)]) -> Result<Self, NotStarted> {
        // No server takes a directory that the umask opened to a group.
        if dir.is_dir() {
            std::fs::set_permissions(dir, Permissions::from_mode(0o700)).expect("the test's own");
        }
        let stderr = NamedTempFile::new().expect("a file for the log");
        let log = stderr.reopen().expect("the log opens twice");
        let mut child = command(EVERYWHERE)
            .envs(env.iter().copied())
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let (say, said) = channel();
        let stdout = child.stdout.take().expect("its output is a pipe");
        thread::spawn(move || listen(stdout, &say));
        match said.recv_timeout(DEADLINE) {
            Ok(Said::Listening(base)) => {
                let address = base.trim_start_matches("http://").parse();
                let address = address.unwrap_or_else(|why| panic!("{base} is no address: {why}"));
                Ok(Self {
                    child,
                    dir: dir.to_owned(),
                    address,
                    base,
                    ended: Mutex::new(said),
                    stderr,
                })
            }
            Ok(Said::Ended) => {
                let status = child.wait().expect("its status is ours to read");
                Err(NotStarted {
                    status,
                    stderr: read(stderr.path()),
                })
            }
            Err(_late) => {
                child.kill().ok();
                panic!(
                    "it neither listened nor ended in {DEADLINE:?}:\n{}",
                    read(stderr.path())
                );
            }
        }
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The token that the server wrote at its first start.
    pub(crate) fn token(&self) -> String {
        read(&self.dir.join("admin.token")).trim().to_owned()
    }

    /// Everything logged so far.
    pub(crate) fn stderr(&self) -> String {
        read(self.stderr.path())
    }

    /// A new connection.
    pub(crate) fn http(&self) -> Http {
        Http::new(self.address)
    }

    /// A request with the administrator's token, on a connection of its own.
    pub(crate) fn api(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let bearer = format!("Bearer {}", self.token());
        let body = body.map(Value::to_string).unwrap_or_default();
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        self.http().request(method, path, &headers, body.as_bytes())
    }

    /// The JSON that a path answers to the administrator; anything but 200 ends the test.
    pub(crate) fn get(&self, path: &str) -> Value {
        let reply = self.api("GET", path, None);
        assert_eq!(reply.status, 200, "GET {path}: {reply:?}");
        reply.json()
    }

    /// The value of an unlabelled metric, 0 where it was never counted.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.api("GET", "/metrics", None).text();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = value.unwrap_or_else(|| panic!("no metric {name} in:\n{text}"));
        value
            .parse()
            .unwrap_or_else(|why| panic!("{name} is {value:?}: {why}"))
    }

    /// A tenant with a webhook for each vendor, `vyrox-hmac`, all with one secret.
    pub(crate) fn add_tenant(&self, id: &str) -> Tenant {
        Tenant::add(self, id)
    }

    /// What the server itself finds in a chain.
    pub(crate) fn verify(&self, chain: &str) -> Value {
        self.get(&format!("/audit/verify?tenant_id={chain}"))
    }

    /// A chain's lines, each in its exact bytes without the line feed.
    pub(crate) fn export(&self, chain: &str) -> Vec<String> {
        let reply = self.api(
            "GET",
            &format!("/audit/export?tenant_id={chain}&format=jsonl"),
            None,
        );
        assert_eq!(reply.status, 200, "export of {chain}: {reply:?}");
        reply.text().lines().map(str::to_owned).collect()
    }

    /// A chain's entries.
    pub(crate) fn entries(&self, chain: &str) -> Vec<Value> {
        let parse = |line: &String| {
            serde_json::from_str(line).unwrap_or_else(|why| panic!("{line} is no entry: {why}"))
        };
        self.export(chain).iter().map(parse).collect()
    }

    /// An alert once it is triaged, or after ten seconds as it then is.
    pub(crate) fn judged(&self, tenant: &str, alert_id: &str) -> Value {
        self.get(&format!(
            "/api/v1/alerts/{alert_id}?tenant_id={tenant}&wait_ms=10000"
        ))
    }

    /// The command line, aimed at this server.
    pub(crate) fn cli(&self, args: &[&str]) -> Output {
        command(&[])
            .args(args)
            .args(["--url", &self.base, "--data-dir"])
            .arg(&self.dir)
            .stdin(Stdio::null())
            .output()
            .expect("the command runs")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid is an i32");
        kill(Pid::from_raw(pid), signal).expect("our own child takes signals");
    }

    /// Power off.
    pub(crate) fn kill9(mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("its status is ours to read");
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn terminate(self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait().0
    }

    /// Waits for an end that was asked for elsewhere: its status and the whole log.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let end = self
            .ended
            .get_mut()
            .expect("nobody fell with it")
            .recv_timeout(DEADLINE);
        assert!(
            matches!(end, Ok(Said::Ended)),
            "it did not end in {DEADLINE:?}:\n{}",
            self.stderr()
        );
        let status = self.child.wait().expect("its status is ours to read");
        (status, self.stderr())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, and then there is nothing to kill.
        self.child.kill().ok();
        self.child.wait().ok();
        if thread::panicking() {
            let log = self.stderr();
            let from = log.lines().count().saturating_sub(60);
            let end: Vec<_> = log.lines().skip(from).collect();
            println!("the end of the server's log:\n{}", end.join("\n"));
        }
    }
}

/// The binary with `env` and no other environment than the search path.
pub(crate) fn command(env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().envs(env.iter().copied());
    command
}

/// Runs the binary without a server.
pub(crate) fn vyrox(args: &[&str]) -> Output {
    command(&[])
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("the command runs")
}

fn listen(stdout: ChildStdout, say: &Sender<Said>) {
    for line in BufReader::new(stdout).lines() {
        let Ok(line) = line else { break };
        if let Some(base) = line.strip_prefix("listening on ") {
            say.send(Said::Listening(base.to_owned())).ok();
        }
    }
    say.send(Said::Ended).ok();
}

fn read(path: &Path) -> String {
    let bytes = std::fs::read(path);
    let bytes = bytes.unwrap_or_else(|why| panic!("{} can't be read: {why}", path.display()));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Asks until there is an answer. `look` must do something that takes its time, such as a request.
#[track_caller]
pub(crate) fn eventually<T>(deadline: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let from = now();
    let mut looks = 0;
    loop {
        looks += 1;
        if let Some(found) = look() {
            return found;
        }
        assert!(
            from.elapsed() < deadline,
            "not so after {looks} looks in {deadline:?}"
        );
    }
}

/// The one clock of these tests: for deadlines and printed times, never for an assertion.
#[expect(
    clippy::disallowed_methods,
    reason = "deadlines of tests, and times that are printed"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Seconds since 1970, for signed timestamps.
#[expect(
    clippy::disallowed_methods,
    reason = "a signed timestamp has to be the real one"
)]
pub(crate) fn unix_s() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("it is after 1970").as_secs()
}

/// Writes a whole file.
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    let mut file = File::create(path).expect("the file can be made");
    file.write_all(bytes).expect("the file can be written");
}
