//! Rates: one, and one a key with a bound on the keys.

use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    num::NonZeroU32,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use governor::{
    NotUntil, Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed, keyed::DashMapStateStore},
};

use super::Decision;

/// One rate.
pub(super) struct Ration<C: Clock> {
    limiter: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
    clock: C,
}

impl<C: Clock + Clone> Ration<C> {
    pub(super) fn new(per_s: u32, burst: u32, clock: &C) -> Self {
        let limiter = RateLimiter::direct_with_clock(quota(per_s, burst), clock.clone());
        Self {
            limiter,
            clock: clock.clone(),
        }
    }

    pub(super) fn take(&self) -> Decision {
        decision(self.limiter.check(), &self.clock)
    }
}

/// One rate a key. At most `keys_max` keys are tracked one by one.
///
/// A key whose ration is full again is the same as one never seen, so forgetting it changes nothing;
/// that is done before the table can outgrow its bound. If so many keys are busy that there is nothing
/// to forget, all of them draw on a fixed number of slots, chosen by a keyed hash that no sender can
/// foresee, until the table has room again.
pub(super) struct Rations<K: Hash + Eq + Clone, C: Clock> {
    exact: Keyed<K, C>,
    slots: Keyed<u16, C>,
    hasher: RandomState,
    clock: C,
    /// How long one takes to be refilled.
    cell: Duration,
    half: usize,
    taken_since_sweep: AtomicUsize,
    crowded: AtomicBool,
}

type Keyed<K, C> = RateLimiter<K, DashMapStateStore<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;

impl<K: Hash + Eq + Clone, C: Clock + Clone> Rations<K, C> {
    pub(super) fn new(per_s: u32, burst: u32, keys_max: usize, clock: &C) -> Self {
        let quota = quota(per_s, burst);
        Self {
            exact: RateLimiter::dashmap_with_clock(quota, clock.clone()),
            slots: RateLimiter::dashmap_with_clock(quota, clock.clone()),
            hasher: RandomState::new(),
            clock: clock.clone(),
            cell: quota.replenish_interval(),
            half: (keys_max / 2).max(1),
            taken_since_sweep: AtomicUsize::new(0),
            crowded: AtomicBool::new(false),
        }
    }

    pub(super) fn take(&self, key: &K) -> Decision {
        // Each call adds one key at most. A sweep every `half` calls, and none added while more than
        // `half` are left, keep the table within twice that.
        if self.taken_since_sweep.fetch_add(1, Ordering::Relaxed) >= self.half {
            self.sweep();
        }
        if self.crowded.load(Ordering::Relaxed) {
            decision(self.slots.check_key(&self.slot(key)), &self.clock)
        } else {
            decision(self.exact.check_key(key), &self.clock)
        }
    }

    /// Takes `more` at once, beside the one that the same call has taken before, or nothing. A refusal
    /// says when both would fit: coming back costs that one again.
    pub(super) fn take_more(&self, key: &K, more: usize) -> Decision {
        let Some(more) = NonZeroU32::new(u32::try_from(more).unwrap_or(u32::MAX)) else {
            return Decision::Admit;
        };
        let checked = if self.crowded.load(Ordering::Relaxed) {
            self.slots.check_key_n(&self.slot(key), more)
        } else {
            self.exact.check_key_n(key, more)
        };
        // More than ever fits at once is kept from here by the least burst that can be configured.
        let decided = checked.map_or(
            Decision::Limited {
                retry_after: self.cell,
            },
            |checked| decision(checked, &self.clock),
        );
        match decided {
            Decision::Limited { retry_after } => Decision::Limited {
                retry_after: retry_after.saturating_add(self.cell),
            },
            other => other,
        }
    }

    pub(super) fn sweep(&self) {
        self.taken_since_sweep.store(0, Ordering::Relaxed);
        self.exact.retain_recent();
        self.slots.retain_recent();
        self.crowded
            .store(self.exact.len() > self.half, Ordering::Relaxed);
    }

    pub(super) fn len(&self) -> usize {
        self.exact.len()
    }

    fn slot(&self, key: &K) -> u16 {
        let [one, other, ..] = self.hasher.hash_one(key).to_le_bytes();
        u16::from_le_bytes([one, other])
    }
}

impl<C: Clock> fmt::Debug for Ration<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ration").finish_non_exhaustive()
    }
}

impl<K: Hash + Eq + Clone, C: Clock> fmt::Debug for Rations<K, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rations")
            .field("keys", &self.exact.len())
            .finish_non_exhaustive()
    }
}

/// `burst` at once, refilled at `per_s` a second. Neither is ever 0 in a checked configuration.
fn quota(per_s: u32, burst: u32) -> Quota {
    let positive = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(positive(per_s)).allow_burst(positive(burst))
}

fn decision<C: Clock>(checked: Result<(), NotUntil<C::Instant>>, clock: &C) -> Decision {
    match checked {
        Ok(()) => Decision::Admit,
        Err(refusal) => Decision::Limited {
            retry_after: refusal.wait_time_from(clock.now()),
        },
    }
}
