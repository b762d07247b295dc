//! The threads that actors run on, and the spare ones that take over from stuck ones.

use std::{
    collections::HashMap,
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

/// So many threads may be stuck at a time; for more, no spare ones are made: whoever has lost so many is
/// better started anew.
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
    /// How many threads there are for actors while none is stuck.
    in_service: usize,
    /// The next one to be taken is the last.
    ready: Mutex<Vec<Thread>>,
    taken: Notify,
    /// Every thread ever made, by name, to be stopped in the end.
    all: Mutex<HashMap<String, Arbiter>>,
}

impl Threads {
    /// Starts them. Must be called on the system's thread.
    ///
    /// # Errors
    /// If a thread does not start.
    pub(crate) fn start(config: &SupervisionConfig) -> anyhow::Result<Self> {
        let tenants = config.arbiters.max(1);
        let spares = Arc::new(Spares::new(config.spare_threads, tenants.saturating_add(2)));
        let audit = spares.another()?.arbiter;
        let host = spares.another()?.arbiter;
        let first = spares.another()?;
        let rest = (1..tenants).map(|_| spares.another());
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
        for arbiter in lock(&self.spares.all).values() {
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

    /// Its tenants stay where they are now, so it is as good as a new one.
    fn returned(&mut self, thread: &str) -> bool {
        self.spares.take_back(thread)
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
    fn new(wanted: usize, in_service: usize) -> Self {
        Self {
            wanted,
            in_service,
            ready: Mutex::default(),
            taken: Notify::new(),
            all: Mutex::default(),
        }
    }

    fn fill(&self) -> anyhow::Result<()> {
        while lock(&self.ready).len() < self.wanted {
            let out = self.out();
            if out >= SPARES_MAX {
                anyhow::bail!("{out} threads are stuck now; the server should be restarted");
            }
            let spare = self.another()?;
            lock(&self.ready).push(spare);
        }
        Ok(())
    }

    /// How many threads stand in for others, which have not come back.
    fn out(&self) -> usize {
        let all = lock(&self.all).len();
        let idle = lock(&self.ready).len();
        all.saturating_sub(self.in_service).saturating_sub(idle)
    }

    /// Has a thread that has come back as a spare, to be taken after the others; false if it is not one
    /// of these threads.
    fn take_back(&self, name: &str) -> bool {
        let Some(arbiter) = lock(&self.all).get(name).map(Arbiter::handle) else {
            return false;
        };
        let name = name.to_owned();
        lock(&self.ready).insert(0, Thread { name, arbiter });
        // There may have been too many stuck threads for spares to be made up for.
        self.taken.notify_one();
        true
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
        lock(&self.all).insert(name.clone(), arbiter);
        Ok(Thread {
            name,
            arbiter: handle,
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads of actors counted as if they stood in for stuck ones: with 63 of them no spare was made,
    /// and the server did not start.
    #[actix::test]
    async fn only_threads_that_are_out_count_against_the_limit() {
        let spares = Spares::new(1, SPARES_MAX + 1);
        for _ in 0..=SPARES_MAX {
            spares.another().unwrap();
        }
        spares.fill().unwrap();
        assert_eq!((spares.out(), lock(&spares.ready).len()), (0, 1));
        end(&spares);
    }

    /// A thread that came back was never used again, and after 64 short blocks, one after the other, the
    /// server had no spare thread left.
    #[actix::test]
    async fn threads_that_come_back_never_use_the_spares_up() {
        let spares = Spares::new(2, 1);
        let mut in_use = spares.another().unwrap();
        spares.fill().unwrap();
        for _ in 0..2 * SPARES_MAX {
            let stuck = in_use;
            in_use = lock(&spares.ready).pop().unwrap();
            assert_ne!(in_use.name, stuck.name);
            spares.fill().unwrap();
            assert_eq!(spares.out(), 1);
            assert!(spares.take_back(&stuck.name));
            assert_eq!(spares.out(), 0);
        }
        assert_eq!(lock(&spares.all).len(), 4);
        assert!(!spares.take_back("a stranger"));
        end(&spares);
    }

    #[actix::test]
    async fn no_more_spares_are_made_while_too_many_threads_are_stuck() {
        let spares = Spares::new(1, 0);
        let mut taken = Vec::new();
        for _ in 0..SPARES_MAX {
            spares.fill().unwrap();
            taken.extend(lock(&spares.ready).pop());
        }
        assert_eq!((taken.len(), spares.out()), (SPARES_MAX, SPARES_MAX));
        let error = spares.fill().unwrap_err().to_string();
        assert!(error.starts_with("64 threads are stuck now"), "{error}");
        assert!(spares.take_back(&taken[0].name));
        spares.fill().unwrap();
        end(&spares);
    }

    fn end(spares: &Spares) {
        for arbiter in lock(&spares.all).values() {
            arbiter.stop();
        }
    }
}
