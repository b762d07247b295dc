//! The ways round chat: for each its queue, and a bound on the calls under way.

use std::collections::{BTreeMap, BTreeSet};

use vyrox_domain::{
    ids::{ActionId, IncidentId},
    sla::{Expiry, FallbackReason, Via},
    time::Timestamp,
    triage::Verdict,
};

/// Calls under way at once, a way.
const CALLS_MAX: usize = 4;

/// Why a way is taken, which tells one use of it from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// Chat was late, at this level (its rank).
    Late(u8),
    /// This approval ran out.
    Expired(ActionId),
    /// An action came to stand so.
    Called(FallbackReason, Expiry),
}

impl Cause {
    pub(super) const fn late(level: Verdict) -> Self {
        Self::Late(level.rank())
    }
}

/// One call that is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    pub(super) incident_id: IncidentId,
    pub(super) cause: Cause,
}

/// All ways.
#[derive(Debug, Default)]
pub(super) struct Escalation {
    ways: BTreeMap<Via, Way>,
}

#[derive(Debug, Default)]
struct Way {
    calls: usize,
    queue: BTreeSet<(Timestamp, Ticket)>,
}

impl Escalation {
    /// A call is to be made, not before `at`.
    pub(super) fn queue(&mut self, via: Via, ticket: Ticket, at: Timestamp) {
        self.ways.entry(via).or_default().queue.insert((at, ticket));
    }

    /// The next call whose time has come and for which there is room; it counts as under way.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<(Via, Ticket)> {
        let (via, way) = self
            .ways
            .iter_mut()
            .find(|(_, way)| way.wakes_at().is_some_and(|at| at <= now))?;
        let (_, ticket) = way.queue.pop_first()?;
        way.calls = way.calls.saturating_add(1);
        Some((*via, ticket))
    }

    /// A call ended, or came to nothing.
    pub(super) fn end(&mut self, via: Via) {
        if let Some(way) = self.ways.get_mut(&via) {
            way.calls = way.calls.saturating_sub(1);
        }
    }

    /// When to look again although no call ends.
    pub(super) fn wakes_at(&self) -> Option<Timestamp> {
        self.ways.values().filter_map(Way::wakes_at).min()
    }
}

impl Way {
    fn wakes_at(&self) -> Option<Timestamp> {
        let (at, _) = self.queue.first()?;
        (self.calls < CALLS_MAX).then_some(*at)
    }
}
