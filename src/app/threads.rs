//! The threads that actors run on, and the spare ones that take over from stuck ones.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use actix::{Arbiter, ArbiterHandle};
use anyhow::Context as _;
use tokio::{sync::Notify, task::JoinHandle};
use vyrox_actors::{
    arbiters::{Arbiters, Thread},
    supervision::{OnStall, Plan, Stall, Tree, Watchdog},
};

use crate::config::SupervisionConfig;

/// More spare threads than this are not made: whoever has lost so many is better started anew.
const SPARES_MAX: usize = 64;
/// A new thread that does not tell its name in this time will not be of use either.
const START: Duration = Duration::from_secs(10);

/// All threads of a server's actors.
pub(crate) struct Threads {
    /// The audit writer's own.
    pub(crate) audit: ArbiterHandle,
    /// That of the host's other actors.
    pub(crate) host: ArbiterHandle,
    /// Those that tenants share.
    pub(crate) tenants: Arbiters,
    spares: Arc<Spares>,
    refill: JoinHandle<()>,
}

/// Threads at hand for when one is stuck. The watchdog takes them, on its own thread, where none can be
/// made; so they are made up for on the system's.
struct Spares {
    wanted: usize,
    ready: Mutex<Vec<Thread>>,
    taken: Notify,
    /// Every thread ever made, to be stopped in the end.
    all: Mutex<Vec<Arbiter>>,
}

impl Threads {
    /// Starts them. Must be called on the system's thread.
    ///
    /// # Errors
    /// If a thread does not start.
    pub(crate) fn start(config: &SupervisionConfig) -> anyhow::Result<Self> {
        let spares = Arc::new(Spares {
            wanted: config.spare_threads,
            ready: Mutex::default(),
            taken: Notify::new(),
            all: Mutex::default(),
        });
        let audit = spares.another()?.arbiter;
        let host = spares.another()?.arbiter;
        let first = spares.another()?;
        let rest = (1..config.arbiters.max(1)).map(|_| spares.another());
        let tenants = Arbiters::new(first, rest.collect::<anyhow::Result<_>>()?);
        spares.fill()?;
        let refill = actix::spawn(refill(Arc::clone(&spares)));
        Ok(Self {
            audit,
            host,
            tenants,
            spares,
            refill,
        })
    }

    /// Sees stuck threads, says whose handler it is, and moves the actors to a spare thread.
    ///
    /// # Errors
    /// If the watchdog's thread does not start.
    pub(crate) fn watch(
        &self,
        tree: &Tree,
        config: &SupervisionConfig,
    ) -> anyhow::Result<Watchdog> {
        let plan = Plan {
            notice_after: Duration::from_millis(config.stall_notice_ms),
            replace_after: Duration::from_millis(config.stall_ms),
            ..Plan::default()
        };
        let relief = Relief {
            spares: Arc::clone(&self.spares),
            tenants: self.tenants.clone(),
        };
        Watchdog::spawn(tree, plan, relief).context("no thread for the watchdog")
    }

    /// Ends all of them, without waiting for those that are stuck.
    pub(crate) fn stop(&self) {
        self.refill.abort();
        for arbiter in lock(&self.spares.all).iter() {
            arbiter.stop();
        }
    }
}

/// Gives a spare thread for a stuck one, to the actors that live there and to tenants that come later.
struct Relief {
    spares: Arc<Spares>,
    tenants: Arbiters,
}

impl OnStall for Relief {
    fn spare(&mut self, stall: &Stall) -> Option<ArbiterHandle> {
        let spare = lock(&self.spares.ready).pop();
        self.spares.taken.notify_one();
        let Some(spare) = spare else {
            tracing::error!(
                thread = stall.thread,
                "no spare thread is left for a stuck one; restart the server if this goes on"
            );
            return None;
        };
        if let Some(stuck) = &stall.thread {
            self.tenants.replace(stuck, &spare);
        }
        Some(spare.arbiter)
    }
}

/// Makes up for spares that were taken.
async fn refill(spares: Arc<Spares>) {
    loop {
        spares.taken.notified().await;
        if let Err(error) = spares.fill() {
            tracing::error!(%error, "spare threads are not made up for");
        }
    }
}

impl Spares {
    fn fill(&self) -> anyhow::Result<()> {
        while lock(&self.ready).len() < self.wanted {
            if lock(&self.all).len() >= SPARES_MAX + self.wanted {
                anyhow::bail!("{SPARES_MAX} threads are stuck; the server should be restarted");
            }
            let spare = self.another()?;
            lock(&self.ready).push(spare);
        }
        Ok(())
    }

    fn another(&self) -> anyhow::Result<Thread> {
        let arbiter = Arbiter::new();
        let (tell, told) = channel();
        let asked = arbiter.spawn_fn(move || {
            // The start has failed already if nobody listens any more.
            tell.send(thread::current().name().map(str::to_owned)).ok();
        });
        let name = match told.recv_timeout(START) {
            Ok(name) if asked => name.unwrap_or_default(),
            Ok(_) | Err(RecvTimeoutError::Disconnected) => anyhow::bail!("a thread does not start"),
            Err(RecvTimeoutError::Timeout) => anyhow::bail!("a thread takes too long to start"),
        };
        let handle = arbiter.handle();
        lock(&self.all).push(arbiter);
        Ok(Thread {
            name,
            arbiter: handle,
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
