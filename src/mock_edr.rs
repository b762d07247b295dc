//! Stand-ins of the three EDRs: one HTTP server on this machine that is CrowdStrike Falcon below
//! `/crowdstrike`, SentinelOne below `/sentinelone`, and Microsoft Defender below `/defender` with its login
//! below `/login`. For tests, and for trying the whole way out without an EDR (`vyrox mock-edr`).
//!
//! They are strict: what the vendors' documentation does not allow is answered 400 and remembered as a
//! violation. They remember every request, and go wrong on demand. They are no part of the server.

mod alerts;
mod answering;
mod calls;
mod control;
mod crowdstrike;
mod defender;
mod fault;
mod filter;
mod http;
mod route;
mod sentinelone;
mod serving;
mod shape;
mod tokens;
mod world;

#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};

use serde_json::Value;
use tokio::sync::oneshot;
use uuid::Uuid;
use vyrox_domain::{time::Timestamp, vendor::Vendor};

use self::serving::Desk;
pub use self::{
    calls::Call,
    fault::{Answer, ComeAgain, Fault, NoFault},
    http::{Reply, Request},
    route::Route,
    world::{Host, Network, Process, VENDORS},
};
use crate::scenario::Sighting;

/// How they are set up.
#[derive(Clone, Copy, Debug)]
pub struct MockSettings {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Hosts and threats that nobody has heard of come to be when they are first asked for.
    pub any_host: bool,
    /// How often an online host must be read until it has done what it was told.
    pub settle_after: u32,
    /// How long a token holds.
    pub token_ttl_s: u64,
}

impl Default for MockSettings {
    /// On any free port, known hosts only, which obey at once; tokens hold as long as the vendors' do.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            any_host: false,
            settle_after: 0,
            token_ttl_s: 1799,
        }
    }
}

/// What a client needs to speak to one of them.
#[derive(Clone)]
pub struct Credential {
    /// Where its API is.
    pub base_url: String,
    /// Where its tokens come from, where that is another place.
    pub login_url: Option<String>,
    /// The client's id, where there is one.
    pub client_id: Option<String>,
    /// The client's secret, or the API token. New at each start.
    pub secret: String,
    /// What the vendor calls the tenant.
    pub realm: Option<String>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// Those of all three.
#[derive(Clone, Debug)]
struct Credentials {
    crowdstrike: Credential,
    sentinelone: Credential,
    defender: Credential,
}

impl Credentials {
    fn new(address: SocketAddr) -> Self {
        let secret = || format!("mock-{}", Uuid::new_v4().simple());
        let of = |root: &str| Credential {
            base_url: format!("http://{address}/{root}"),
            login_url: None,
            client_id: None,
            secret: secret(),
            realm: None,
        };
        Self {
            crowdstrike: Credential {
                client_id: Some(Uuid::new_v4().simple().to_string()),
                ..of("crowdstrike")
            },
            sentinelone: of("sentinelone"),
            defender: Credential {
                login_url: Some(format!("http://{address}/{}", answering::LOGIN_ROOT)),
                client_id: Some(Uuid::new_v4().to_string()),
                realm: Some(Uuid::new_v4().to_string()),
                ..of("defender")
            },
        }
    }

    fn of(&self, vendor: Vendor) -> &Credential {
        match vendor {
            Vendor::Crowdstrike => &self.crowdstrike,
            Vendor::Sentinelone => &self.sentinelone,
            Vendor::Defender | Vendor::Generic => &self.defender,
        }
    }
}

/// The three, listening, on a thread of their own: they outlive whatever is tried on them. They end with
/// this value.
#[derive(Debug)]
pub struct MockEdr {
    desk: Arc<Desk>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl MockEdr {
    /// Starts them. They take requests when this returns.
    ///
    /// # Errors
    /// The address cannot be listened at, or no thread be had.
    pub fn start(settings: MockSettings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.listen)?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let desk = Arc::new(Desk::new(settings, Credentials::new(address)));
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let serving = serving::serve(listener, Arc::clone(&desk), stopped);
        let thread = thread::Builder::new()
            .name("mock-edr".to_owned())
            .spawn(move || runtime.block_on(serving))?;
        Ok(Self {
            desk,
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where they listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a client needs to speak to that one. `Generic` has no API and gets Defender's.
    pub fn credential(&self, vendor: Vendor) -> &Credential {
        self.desk.credentials().of(vendor)
    }

    /// Where that one's API is.
    pub fn base(&self, vendor: Vendor) -> &str {
        &self.credential(vendor).base_url
    }

    /// Lets something go wrong, after everything that was scripted before.
    pub fn fault(&self, fault: Fault) {
        self.desk.with(|state| state.script.add(fault));
    }

    /// Nothing goes wrong any more, and every answer held back by [`Answer::Hang`] is given.
    pub fn mend(&self) {
        self.desk.with(|state| state.script.clear());
        self.let_go();
    }

    /// Gives every answer that is held back by [`Answer::Hang`].
    pub fn let_go(&self) {
        self.desk.let_go();
    }

    /// Every request so far, the oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.desk
            .with(|state| state.calls.iter().cloned().collect())
    }

    /// The requests to that vendor that could change something about that host (or threat).
    pub fn changes(&self, vendor: Vendor, subject: &str) -> Vec<Call> {
        let is_it = |call: &Call| {
            call.changes && call.vendor == vendor && call.subject.as_deref() == Some(subject)
        };
        self.calls().into_iter().filter(is_it).collect()
    }

    /// How many requests of that kind came.
    pub fn count(&self, vendor: Vendor, route: Route) -> usize {
        let is_it = |call: &&Call| call.is(vendor, route);
        self.desk
            .with(|state| state.calls.iter().filter(is_it).count())
    }

    /// How requests broke the vendors' contracts: empty, where all is well.
    pub fn violations(&self) -> Vec<String> {
        let told = |call: &Call| {
            let why = call.violation.as_ref()?;
            Some(format!("{} {}: {why}", call.method, call.target))
        };
        self.desk
            .with(|state| state.calls.iter().filter_map(told).collect())
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.desk.with(|state| state.calls.clear());
    }

    /// Waits until `so` holds of the requests so far; false if it does not within `at_most`. Blocks the
    /// thread: not for asynchronous code.
    pub fn wait_until(&self, at_most: Duration, so: impl Fn(&[Call]) -> bool) -> bool {
        self.desk.wait_until(at_most, so)
    }

    /// A host as it is now, without a reading's step.
    pub fn host(&self, vendor: Vendor, id: &str) -> Option<Host> {
        let is_it = |host: &&Host| host.vendor == vendor && host.id == id;
        self.desk
            .with(|state| state.world.hosts.iter().find(is_it).cloned())
    }

    /// Adds a host, in the place of one with its id.
    pub fn add_host(&self, host: Host) {
        self.desk.with(|state| {
            let same = |known: &Host| known.vendor == host.vendor && known.id == host.id;
            state.world.hosts.retain(|known| !same(known));
            state.world.hosts.push(host);
        });
    }

    /// Switches hosts of that id or name on or off, whoever knows them; how many there are.
    pub fn set_online(&self, called: &str, online: bool) -> usize {
        self.desk.with(|state| {
            let hosts = state.world.hosts_called(called);
            hosts.map(|host| host.online = online).count()
        })
    }

    /// Somebody else lets hosts of that id or name back; how many there are.
    pub fn release_behind_back(&self, called: &str) -> usize {
        self.desk
            .with(|state| control::behind_back(&mut state.world, called, false))
    }

    /// Somebody else cuts hosts of that id or name off; how many there are.
    pub fn contain_behind_back(&self, called: &str) -> usize {
        self.desk
            .with(|state| control::behind_back(&mut state.world, called, true))
    }

    /// From now on every command in a session answers this on standard error and does nothing.
    pub fn set_stderr(&self, stderr: Option<&str>) {
        self.desk
            .with(|state| state.world.stderr = stderr.map(str::to_owned));
    }

    /// From now on an online host must be read so often until it has done what it is told.
    pub fn set_settle_after(&self, readings: u32) {
        self.desk.with(|state| state.world.settle_after = readings);
    }

    /// Every token given so far holds no longer.
    pub fn expire_tokens(&self) {
        self.desk.with(|state| state.world.tokens.clear());
    }

    /// Every token that holds: what nobody else should ever be shown.
    pub fn tokens(&self) -> Vec<String> {
        self.desk.with(|state| {
            let tokens = state.world.tokens.keys();
            tokens.map(|(_, token)| token.clone()).collect()
        })
    }

    /// Every session is closed.
    pub fn close_sessions(&self) {
        self.desk.with(|state| state.world.sessions.clear());
    }

    /// The hashes that are blocked at that vendor.
    pub fn blocked(&self, vendor: Vendor) -> Vec<String> {
        let ours = |block: &&world::Block| block.vendor == vendor;
        self.desk.with(|state| {
            let found = state.world.blocks.iter().filter(ours);
            found.map(|block| block.value.clone()).collect()
        })
    }

    /// Sets what becomes of a machine action of Defender: `Failed`, `TimeOut`, `Cancelled`; whether there is one.
    pub fn end_action(&self, id: &str, status: &'static str) -> bool {
        self.desk.with(|state| {
            let mut actions = state.world.actions.iter_mut();
            let found = actions.find(|action| action.id == id);
            found.map(|action| action.status = status).is_some()
        })
    }

    /// Adds an alert about a sighting, in the vendor's full shape, as of `created`; its id.
    pub fn add_sighting(&self, vendor: Vendor, seen: &Sighting, created: Timestamp) -> String {
        self.desk.with(|state| {
            let id = format!(
                "{}",
                3_000_000_000_000_000_000_u64.saturating_add(state.world.number())
            );
            let alert = alerts::of_sighting(vendor, seen, &id, created);
            let id = alert.id.clone();
            state.world.alerts.push(alert);
            id
        })
    }

    /// Adds an alert as it is, by the id that it is asked for by.
    pub fn add_alert(&self, vendor: Vendor, id: &str, created: Timestamp, body: Value) {
        self.desk.with(|state| {
            state.world.alerts.push(world::Alert {
                vendor,
                id: id.to_owned(),
                created,
                body,
            });
        });
    }

    /// Ends them and waits for the end.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            // A thread that is gone already has nothing to be told.
            stop.send(()).ok();
        }
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Drop for MockEdr {
    fn drop(&mut self) {
        self.end();
    }
}
