//! What one tenant's calls to one vendor have in common, whoever makes them: the pace, the breaker, and who
//! is waiting for an answer.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};
use vyrox_actors::edr::{EdrError, LineState};
use vyrox_domain::{
    breaker::{Breaker, BreakerLimits, BreakerState, Pass},
    time::Timestamp,
};

use super::{
    not_now,
    pacing::{Pace, Pacing, Purpose},
};
use crate::clock;

const BREAKER: BreakerLimits = BreakerLimits {
    failures: 5,
    pause_ms: 30_000,
    pause_max_ms: 30_000,
};

/// How long nothing is asked where the vendor says that it is too much and not for how long.
const SILENCE_UNSAID: Duration = Duration::from_secs(1);

/// The state of the line.
pub(crate) struct Line {
    began: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    pacing: Pacing,
    /// That of containing, and that of looking for alerts: an alerts API that is ill must keep nobody from
    /// containing a host.
    breakers: [Breaker; 2],
    in_flight: BTreeMap<u64, Timestamp>,
    next: u64,
}

/// What a call meant for the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// The vendor answered.
    Well,
    /// No connection, no answer in time, or a 5xx.
    Ill,
    /// The call says nothing about the vendor.
    Unknown,
}

impl Line {
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            began: Instant::now(),
            inner: Mutex::new(Inner {
                pacing: Pacing::new(pace),
                breakers: [Breaker::new(BREAKER), Breaker::new(BREAKER)],
                in_flight: BTreeMap::new(),
                next: 0,
            }),
        }
    }

    /// Waits for a turn that comes before `latest`, and asks the breaker. The call counts as under way until what is
    /// returned is dropped.
    ///
    /// # Errors
    /// There is no turn in time, or the breaker is open; nothing was sent.
    pub(super) async fn turn(
        &self,
        purpose: Purpose,
        latest: Instant,
    ) -> Result<UnderWay<'_>, EdrError> {
        if Instant::now() > latest {
            return Err(not_now("no turn in time"));
        }
        loop {
            let now = Instant::now().saturating_duration_since(self.began);
            let taken = self.lock().pacing.take(now, purpose);
            let Err(again) = taken else {
                break;
            };
            let again = self.began.checked_add(again);
            match again.filter(|again| *again < latest) {
                Some(again) => sleep_until(again).await,
                None => return Err(not_now("no turn in time")),
            }
        }
        let mut inner = self.lock();
        let now = clock::now();
        let pass = inner.breaker(purpose).admit(now);
        let pass = pass.map_err(|_open| not_now("the breaker is open"))?;
        let ticket = inner.next;
        inner.next = ticket.wrapping_add(1);
        inner.in_flight.insert(ticket, now);
        drop(inner);
        Ok(UnderWay {
            line: self,
            purpose,
            pass,
            ticket,
            said: Health::Unknown,
        })
    }

    /// The vendor wants nothing of that kind before that moment; without one, for a second.
    pub(super) fn silence(&self, purpose: Purpose, retry_at: Option<Timestamp>) {
        let wait = retry_at.map_or(SILENCE_UNSAID, |at| {
            Duration::from_millis(at.ms().saturating_sub(clock::now_ms()))
        });
        let now = Instant::now().saturating_duration_since(self.began);
        self.lock()
            .pacing
            .silence(purpose, now.saturating_add(wait));
    }

    /// How it is, for health endpoints.
    pub(crate) fn state(&self) -> LineState {
        let mut inner = self.lock();
        let breaker_open = inner.breaker(Purpose::Containing).state() != BreakerState::Closed;
        LineState {
            breaker_open,
            in_flight: u32::try_from(inner.in_flight.len()).unwrap_or(u32::MAX),
            oldest_since: inner.in_flight.values().min().copied(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    const fn breaker(&mut self, purpose: Purpose) -> &mut Breaker {
        let [containing, looking] = &mut self.breakers;
        match purpose {
            Purpose::Containing => containing,
            Purpose::Looking => looking,
        }
    }
}

/// A call that has its turn. Dropped without a word it tells the breaker that nobody knows.
pub(super) struct UnderWay<'a> {
    line: &'a Line,
    purpose: Purpose,
    pass: Pass,
    ticket: u64,
    said: Health,
}

impl UnderWay<'_> {
    /// What came of it, so far.
    pub(super) const fn say(&mut self, health: Health) {
        self.said = health;
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut inner = self.line.lock();
        inner.in_flight.remove(&self.ticket);
        let breaker = inner.breaker(self.purpose);
        match self.said {
            Health::Well => breaker.succeeded(&self.pass),
            Health::Ill => breaker.failed(&self.pass, clock::now()),
            Health::Unknown => breaker.gave_up(&self.pass),
        }
    }
}
