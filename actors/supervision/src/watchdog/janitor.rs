//! Where debris goes that the watchdog must not clear up itself.
//!
//! Telling debris runs code of others: a message's `Drop`, a factory's, the waker of an asker. On the
//! watchdog's thread any of them could block the watch for good.

use crate::fall::Debris;
use crate::lock::lock;
use std::cell::RefCell;
use std::mem;
use std::sync::{Arc, Mutex};
use std::thread;

thread_local!(static ASIDE: RefCell<Option<Vec<Debris>>> = const { RefCell::new(None) });

/// Keeps `debris` for the janitor if this thread has one at present, else gives it back.
pub(crate) fn set_aside(debris: Debris) -> Option<Debris> {
    let mut debris = Some(debris);
    // While the thread is being torn down there is no janitor either.
    let _torn_down = ASIDE.try_with(|aside| {
        if let Ok(mut aside) = aside.try_borrow_mut()
            && let Some(aside) = aside.as_mut()
        {
            aside.extend(debris.take());
        }
    });
    debris
}

/// Has all debris of a stretch of work told on a thread made for it. A `Drop` that blocks there keeps nothing
/// but that thread, and what was to be dropped after it.
#[derive(Default)]
pub(super) struct Janitor {
    /// What no thread has fetched yet.
    pile: Arc<Mutex<Vec<Debris>>>,
}

impl Janitor {
    /// Does the work, and has cleared up after it.
    pub(super) fn clear_up<T>(&self, work: impl FnOnce() -> T) -> T {
        ASIDE.set(Some(Vec::new()));
        let done = work();
        let left = ASIDE.take().unwrap_or_default();
        let something = {
            let mut pile = lock(&self.pile);
            pile.extend(left);
            !pile.is_empty()
        };
        if something {
            self.send_for();
        }
        done
    }

    fn send_for(&self) {
        let pile = Arc::clone(&self.pile);
        let clear = move || {
            let debris = mem::take(&mut *lock(&pile));
            // Everybody is told before anything is dropped: the first `Drop` may be the last.
            let told = debris.into_iter().map(Debris::tell_those_who_wait);
            let remains: Vec<_> = told.collect();
            for drop_it in remains {
                drop_it();
            }
        };
        let janitor = thread::Builder::new().name("janitor".to_owned());
        if let Err(error) = janitor.spawn(clear) {
            tracing::error!(%error, "no thread for what replaced actors left: it has to wait");
        }
    }
}
