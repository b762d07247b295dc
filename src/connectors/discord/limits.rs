//! Discord's rate limits as it tells them: a bucket a route and channel, a pace for the bot as a whole, and
//! what an answer of 429 says. Pure: moments are given, as the time since some beginning.
//!
//! A bucket that nothing is known of lets one request through and waits for what its answer says.

use std::{collections::HashMap, time::Duration};

/// Requests that may start at once after a pause. With the pace it stays below Discord's 50 in any second.
const BURST: u32 = 5;

/// Buckets that are remembered before those that have nothing to say are dropped.
const BUCKETS_KEPT: usize = 4096;

/// Where a request goes, as far as limits tell requests apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Route {
    /// Method and path without ids.
    pub(super) kind: &'static str,
    /// The channel, guild or interaction in the path.
    pub(super) place: String,
    /// Counts towards the bot's pace; answers to interactions do not.
    pub(super) paced: bool,
}

/// What an answer said about limits; no length of time in it is above an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The bucket that the route belongs to.
    pub(super) bucket: Option<String>,
    /// Requests left in it.
    pub(super) remaining: Option<u32>,
    /// The time until it is full again.
    pub(super) reset_after: Option<Duration>,
    /// An order to wait, with whether it is for the bot as a whole.
    pub(super) wait: Option<Wait>,
}

/// An answer of 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    /// How long.
    pub(super) time: Duration,
    /// For everything that this bot sends.
    pub(super) global: bool,
}

/// What is known of all buckets.
#[derive(Debug)]
pub(super) struct Limits {
    /// Time between two paced requests.
    interval: Duration,
    /// When the next paced request would be due if all kept the pace exactly.
    due: Duration,
    /// Nothing paced starts before this.
    silent_until: Duration,
    names: HashMap<&'static str, String>,
    buckets: HashMap<Key, Bucket>,
    /// Requests whose answer has not come, by kind and place: what an answer says of a bucket's name must not
    /// make them forgotten.
    under_way: HashMap<(&'static str, String), u32>,
}

/// The bucket's name, which is the route's kind until Discord tells it, and the place.
type Key = (String, String);

#[derive(Debug, Default)]
struct Bucket {
    /// Requests that may still start before `reset_at`; `None` when that is not known.
    remaining: Option<u32>,
    reset_at: Duration,
    silent_until: Duration,
}

impl Limits {
    /// With a pace for the bot as a whole; at most 45 leaves room below Discord's 50.
    pub(super) fn new(per_s: u32) -> Self {
        Self {
            interval: Duration::from_secs(1) / per_s.max(1),
            due: Duration::ZERO,
            silent_until: Duration::ZERO,
            names: HashMap::new(),
            buckets: HashMap::new(),
            under_way: HashMap::new(),
        }
    }

    /// When a request on this route may start: `now` or earlier means at once. `None` until the answer to one
    /// under way has come.
    pub(super) fn ready_at(&self, route: &Route, now: Duration) -> Option<Duration> {
        let paced = if route.paced {
            let burst = self.interval * (BURST - 1);
            self.due.saturating_sub(burst).max(self.silent_until)
        } else {
            Duration::ZERO
        };
        let alone = self.under_way_beside(route) == 0;
        let at = match self.buckets.get(&self.key(route)) {
            Some(bucket) => bucket.ready_at(now, alone)?,
            None => alone.then_some(Duration::ZERO)?,
        };
        Some(at.max(paced))
    }

    /// Counts a request that starts now; give it back with [`Limits::end`].
    pub(super) fn start(&mut self, route: &Route, now: Duration) {
        if route.paced {
            self.due = self.due.max(now) + self.interval;
        }
        if self.buckets.len() >= BUCKETS_KEPT {
            self.buckets.retain(|_, bucket| bucket.has_a_say(now));
        }
        let count = self.under_way.entry((route.kind, route.place.clone()));
        *count.or_default() += 1;
        if let Some(bucket) = self.buckets.get_mut(&self.key(route)) {
            let known = bucket.remaining.filter(|_| now < bucket.reset_at);
            bucket.remaining = known.map(|remaining| remaining.saturating_sub(1));
        }
    }

    /// Takes in that a request ended, and what the answer said, if there was one.
    pub(super) fn end(&mut self, route: &Route, now: Duration, told: &Told) {
        let key = (route.kind, route.place.clone());
        if let Some(count) = self.under_way.get_mut(&key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.under_way.remove(&key);
            }
        }
        if let Some(name) = &told.bucket {
            self.rename(route.kind, name);
        }
        let until = told.wait.map(|wait| now + wait.time);
        let global = told.wait.is_some_and(|wait| wait.global);
        if let Some(until) = until.filter(|_| global) {
            self.silent_until = self.silent_until.max(until);
        }
        let others = self.under_way_beside(route);
        let bucket = self.buckets.entry(self.key(route)).or_default();
        bucket.learn(now, told, others);
        if let Some(until) = until.filter(|_| !global) {
            bucket.silent_until = bucket.silent_until.max(until);
        }
    }

    /// Requests under way in the bucket that the route belongs to, whatever kind they are of.
    fn under_way_beside(&self, route: &Route) -> u32 {
        let name = self.names.get(route.kind);
        let others = self.names.iter();
        let others = others.filter(|(kind, other)| Some(*other) == name && **kind != route.kind);
        let kinds = others.map(|(kind, _)| *kind).chain([route.kind]);
        let counts = kinds.filter_map(|kind| self.under_way.get(&(kind, route.place.clone())));
        counts.fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// What was learned under a kind's provisional name goes on under the bucket's own.
    fn rename(&mut self, kind: &'static str, name: &str) {
        let old = self.names.insert(kind, name.to_owned());
        if old.is_some() {
            return;
        }
        let provisional = |(key, _): &(&Key, &mut Bucket)| key.0 == kind;
        let places: Vec<_> = self
            .buckets
            .iter_mut()
            .filter(provisional)
            .map(|(key, bucket)| (key.1.clone(), std::mem::take(bucket)))
            .collect();
        self.buckets.retain(|key, _| key.0 != kind);
        for (place, bucket) in places {
            self.buckets
                .entry((name.to_owned(), place))
                .or_insert(bucket);
        }
    }

    fn key(&self, route: &Route) -> Key {
        let name = self.names.get(route.kind);
        let name = name.map_or(route.kind, String::as_str);
        (name.to_owned(), route.place.clone())
    }
}

impl Bucket {
    /// `alone`: no request of this bucket is under way.
    fn ready_at(&self, now: Duration, alone: bool) -> Option<Duration> {
        let known = self.remaining.filter(|_| now < self.reset_at);
        match known {
            Some(0) => Some(self.reset_at.max(self.silent_until)),
            Some(_) => Some(self.silent_until),
            None => alone.then_some(self.silent_until),
        }
    }

    /// Within one window the smaller count holds: answers may come in another order than the requests went. At
    /// the beginning of one, the `others` that are under way may have been counted after this one.
    fn learn(&mut self, now: Duration, told: &Told, others: u32) {
        let (Some(remaining), Some(reset_after)) = (told.remaining, told.reset_after) else {
            return;
        };
        let reset_at = now + reset_after;
        let known = self.remaining.filter(|_| now < self.reset_at);
        self.remaining = Some(match known {
            Some(known) => known.min(remaining),
            None => remaining.saturating_sub(others),
        });
        self.reset_at = match known {
            Some(_) => self.reset_at.max(reset_at),
            None => reset_at,
        };
    }

    fn has_a_say(&self, now: Duration) -> bool {
        now < self.reset_at || now < self.silent_until
    }
}
