//! Actors that crash together do not come back together.

use crate::worker::{Boom, Diary, LONG, Note, Worker, ms, quick};
use actix::prelude::*;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use vyrox_supervision::testing::{each_seed, run};
use vyrox_supervision::{Backoff, Handle, Policy, Spec, Tree, install_panic_hook};

const HERD: usize = 500;

/// The herd, and the virtual times at which generations are made.
struct Herd {
    all: Vec<Handle<Worker>>,
    born: Arc<Mutex<Vec<Instant>>>,
    _tree: Tree,
}

impl Herd {
    fn new(seed: u64) -> Self {
        let (tree, born) = (Tree::new(seed), Arc::<Mutex<Vec<_>>>::default());
        let backoff = Backoff {
            base: Duration::from_secs(1),
            max: Duration::from_mins(1),
            reset_after: Duration::from_secs(30),
        };
        let policy = Policy { backoff, ..quick() };
        let all = (0..HERD).map(|n| {
            let (born, diary) = (Arc::clone(&born), Diary::default());
            let spec = Spec::new(format!("tenant/{n}"), "worker").policy(policy);
            tree.supervise(spec, &Arbiter::current(), move |generation| {
                born.lock().unwrap().push(Instant::now());
                let diary = diary.clone();
                Worker { generation, diary }
            })
        });
        Self {
            all: all.collect(),
            born,
            _tree: tree,
        }
    }

    /// All crash at once. How many came back in each tenth of `window`; none comes back later.
    async fn crash(&self, window: Duration) -> [usize; 10] {
        let crashed_at = Instant::now();
        self.born.lock().unwrap().clear();
        for handle in &self.all {
            handle.try_cast(Boom).unwrap();
        }
        sleep(window + ms(2)).await;
        let (born, mut tenths) = (self.born.lock().unwrap(), [0; 10]);
        assert_eq!(born.len(), HERD, "each came back within the window");
        for at in &*born {
            let tenth = (*at - crashed_at).as_millis() * 10 / window.as_millis();
            let tenth = usize::try_from(tenth).unwrap().min(9);
            *tenths.get_mut(tenth).unwrap() += 1;
        }
        tenths
    }
}

#[test]
fn five_hundred_that_crash_at_once_spread_over_the_window() {
    install_panic_hook();
    each_seed("a herd", 5, |seed| {
        run(async {
            let herd = Herd::new(seed);
            for handle in &herd.all {
                assert_eq!(handle.ask(Note(0), LONG).await, Ok(1));
            }
            let second = Duration::from_secs(1);
            // Crashing again soon doubles the window, being healthy for long sets it back.
            let first = herd.crash(second).await;
            let again = herd.crash(2 * second).await;
            sleep(Duration::from_secs(31)).await;
            let healthy = herd.crash(second).await;
            println!("seed {seed}: {first:?}, then {again:?}, healthy again {healthy:?}");
            for tenths in [first, again, healthy] {
                // 50 on average, with a standard deviation of 6.7.
                assert!(
                    tenths.iter().all(|count| (20..=80).contains(count)),
                    "{tenths:?}"
                );
            }
        });
    });
}
