//! A server in a process of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;

/// What a server says on standard output once it can be reached.
pub(crate) const LISTENING: &str = "listening on http://";

/// The unit of CPU time in `/proc`: a hundredth of a second on Linux.
const TICK: Duration = Duration::from_millis(10);

/// Killed when this is dropped.
pub(crate) struct Child {
    process: std::process::Child,
    address: SocketAddr,
    /// Open as long as the child may write.
    _stdout: BufReader<ChildStdout>,
}

impl Child {
    /// Starts it and waits until it listens. Its standard input stays open as long as we live.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        let stdout = process.stdout.take().context("no standard output")?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let address = line
            .trim()
            .strip_prefix(LISTENING)
            .and_then(|text| text.parse().ok());
        let address = address.with_context(|| format!("{command:?} said {line:?}"))?;
        Ok(Self {
            process,
            address,
            _stdout: stdout,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Memory that it holds, in KiB.
    pub(crate) fn resident_kib(&self) -> anyhow::Result<u64> {
        self.memory("VmRSS:")
    }

    /// The most memory that it has held since [`forget_peak`](Self::forget_peak), in KiB.
    pub(crate) fn peak_kib(&self) -> anyhow::Result<u64> {
        self.memory("VmHWM:")
    }

    /// From here on the peak is counted anew.
    pub(crate) fn forget_peak(&self) -> anyhow::Result<()> {
        let path = format!("/proc/{}/clear_refs", self.process.id());
        fs::write(&path, "5").with_context(|| format!("writing {path}"))
    }

    fn memory(&self, field: &str) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let value = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = value.and_then(|text| text.trim().strip_suffix(" kB")?.parse().ok());
        kib.with_context(|| format!("no {field}"))
    }

    /// CPU that it has used so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        cpu_of(&self.process.id().to_string())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// User and system time of a process, in steps of [`TICK`].
pub(crate) fn cpu_of(process: &str) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in brackets may hold spaces; what follows it may not.
    let (_, fields) = stat.rsplit_once(") ").context("an unreadable stat")?;
    let ticks = fields.split(' ').skip(11).take(2);
    let ticks: u32 = ticks
        .map(|field| field.parse::<u32>().unwrap_or_default())
        .sum();
    Ok(TICK * ticks)
}
