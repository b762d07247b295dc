//! The order of things: in each round every server has its turn under every load.

use std::time::Duration;

use anyhow::Context as _;

use crate::{
    alerts::{Alerts, Prepared},
    baseline::Baseline,
    child::Child,
    floor, load,
    load::{Load, Ran},
    report,
    vyrox::{Counters, Vyrox},
};

/// Connections that are kept busy at once.
pub(crate) const CONNECTIONS: [usize; 3] = [16, 64, 256];
/// At so many of them Vyrox is held against the disk.
pub(crate) const DURABLE_CONNECTIONS: usize = 64;
/// Tenants that the alerts are spread over.
pub(crate) const TENANTS: usize = 16;

/// A window of Vyrox ends with its alerts, or after so long.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);
/// A baseline's window.
const WINDOW: Duration = Duration::from_secs(2);

/// How much is measured.
pub(crate) struct Plan {
    /// Rounds that count; one more goes before them to warm up.
    pub(crate) rounds: usize,
    /// Alerts of one window of Vyrox.
    pub(crate) alerts: usize,
}

/// One round's figures.
pub(crate) struct Round {
    /// In the order of [`CONNECTIONS`].
    pub(crate) turns: Vec<Turn>,
    /// One `fdatasync` a request, one after the other.
    pub(crate) serial: Window,
    /// One `fdatasync` a request, each on a thread of its own.
    pub(crate) parallel: Window,
    /// CPU of one HMAC-SHA256 and two SHA-256 over one body.
    pub(crate) hashing: Duration,
}

/// Vyrox and the echo under the same load.
pub(crate) struct Turn {
    pub(crate) connections: usize,
    pub(crate) vyrox: Window,
    pub(crate) after: Aftermath,
    pub(crate) echo: Window,
}

/// One server under one load.
pub(crate) struct Window {
    pub(crate) ran: Ran,
    /// CPU of the server until the last answer.
    pub(crate) server: Duration,
    /// CPU of the load generator.
    pub(crate) client: Duration,
}

/// What Vyrox did by the last answer, and what it still had to do.
pub(crate) struct Aftermath {
    /// Journal counters until the last answer.
    pub(crate) at_last: Counters,
    /// Journal counters until it came to rest.
    pub(crate) at_rest: Counters,
    /// How long it took to come to rest.
    pub(crate) rest: Duration,
    /// All CPU, from the first request until it came to rest.
    pub(crate) cpu: Duration,
}

/// Every server of the comparison, up and warm.
struct Servers {
    vyrox: Vyrox,
    echo: Child,
    serial: Child,
    parallel: Child,
}

impl Plan {
    /// Starts the servers and measures.
    pub(crate) fn run(&self) -> anyhow::Result<Vec<Round>> {
        let servers = Servers::start()?;
        let mut alerts = Alerts::new(servers.vyrox.add_tenants(TENANTS)?);
        let warm_up = Self {
            rounds: 0,
            alerts: self.alerts.min(4000),
        };
        servers.round(&warm_up, &mut alerts, 0).context("warm-up")?;
        let mut rounds = Vec::with_capacity(self.rounds);
        for number in 1..=self.rounds {
            report::line(&format!("spine: round {number} of {}", self.rounds));
            rounds.push(
                servers
                    .round(self, &mut alerts, number)
                    .context("a round")?,
            );
        }
        Ok(rounds)
    }
}

impl Servers {
    fn start() -> anyhow::Result<Self> {
        let vyrox = Vyrox::start(&[])?;
        let file = |name| Some(vyrox.directory().join(name));
        Ok(Self {
            echo: Baseline::Echo.start(None)?,
            serial: Baseline::Serial.start(file("serial"))?,
            parallel: Baseline::Parallel.start(file("parallel"))?,
            vyrox,
        })
    }

    /// Who goes first changes from round to round.
    fn round(&self, plan: &Plan, alerts: &mut Alerts, number: usize) -> anyhow::Result<Round> {
        let mut turns = Vec::new();
        let mut of_the_disk = None;
        let mut order = CONNECTIONS;
        order.rotate_left(number % CONNECTIONS.len());
        for connections in order {
            let prepared = alerts.prepare(plan.alerts);
            turns.push(self.turn(&prepared, connections, number.is_multiple_of(2))?);
            if connections == DURABLE_CONNECTIONS {
                let disk = |child| baseline_window(child, &prepared, connections);
                let (serial, parallel) = (disk(&self.serial)?, disk(&self.parallel)?);
                of_the_disk = Some((serial, parallel, floor::hashing(&prepared)?));
            }
        }
        turns.sort_by_key(|turn| turn.connections);
        let (serial, parallel, hashing) = of_the_disk.context("no turn for the disk")?;
        Ok(Round {
            turns,
            serial,
            parallel,
            hashing,
        })
    }

    fn turn(
        &self,
        prepared: &[Prepared],
        connections: usize,
        echo_first: bool,
    ) -> anyhow::Result<Turn> {
        let echo = || baseline_window(&self.echo, prepared, connections);
        let before = if echo_first { Some(echo()?) } else { None };
        let (vyrox, after) = self.vyrox_window(prepared, connections)?;
        let echo = match before {
            Some(echo) => echo,
            None => echo()?,
        };
        Ok(Turn {
            connections,
            vyrox,
            after,
            echo,
        })
    }

    /// Afterwards Vyrox is at rest again, so that it takes nothing from whoever is next.
    fn vyrox_window(
        &self,
        prepared: &[Prepared],
        connections: usize,
    ) -> anyhow::Result<(Window, Aftermath)> {
        let (before, cpu) = (self.vyrox.counters()?, self.vyrox.child().cpu()?);
        let load = Load {
            connections,
            requests: prepared,
            repeat: false,
            longest: LONGEST,
        };
        let window = measure(self.vyrox.child(), &load, 202)?;
        let at_last = self.vyrox.counters()?.since(&before);
        let rest = self.vyrox.come_to_rest()?;
        let after = Aftermath {
            at_last,
            at_rest: self.vyrox.counters()?.since(&before),
            rest,
            cpu: self.vyrox.child().cpu()?.saturating_sub(cpu),
        };
        Ok((window, after))
    }
}

/// A baseline under the same load.
pub(crate) fn baseline_window(
    child: &Child,
    prepared: &[Prepared],
    connections: usize,
) -> anyhow::Result<Window> {
    let load = Load {
        connections,
        requests: prepared,
        repeat: true,
        longest: WINDOW,
    };
    measure(child, &load, 200)
}

/// Loads a server and notes what that took of it.
pub(crate) fn measure(child: &Child, load: &Load<'_>, wanted: u16) -> anyhow::Result<Window> {
    let (server, client) = (child.cpu()?, load::own_cpu()?);
    let ran = load.run(child.address(), wanted)?;
    Ok(Window {
        ran,
        server: child.cpu()?.saturating_sub(server),
        client: load::own_cpu()?.saturating_sub(client),
    })
}

impl Window {
    /// CPU of the server for each answer.
    pub(crate) fn server_each(&self) -> Duration {
        self.ran.each(self.server)
    }
}
