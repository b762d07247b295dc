//! A fair queue in front of the one bot that all tenants share: each lane first in, first out, one of its
//! requests under way at a time, and the lanes by turns. So the flood of one tenant delays another by one
//! turn, and what a tenant says of one message stays in order. Pure: moments are given.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use vyrox_domain::ids::TenantId;

use super::limits::{Limits, Route, Told};

/// Requests under way at once, over all lanes: a service that hangs must not collect connections.
const IN_FLIGHT_MAX: usize = 64;

/// Who queues.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    /// A tenant's notices.
    Notices(TenantId),
    /// Answers to people of a tenant, who wait in front of a screen.
    Answers(TenantId),
    /// The host's own.
    Host,
}

/// What waits.
#[derive(Debug)]
pub(super) struct Waiting<J> {
    /// The work.
    pub(super) job: J,
    /// Where it goes.
    pub(super) route: Route,
    /// Not to be started before.
    pub(super) not_before: Duration,
    /// Of no use after.
    pub(super) deadline: Duration,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Step<J> {
    /// Send this, and give the ticket back with [`Queue::done`] or [`Queue::again`].
    Start(Ticket, Waiting<J>),
    /// Its time is over; nothing was sent.
    Late(J),
    /// Ask again at this moment, or when something changed.
    Until(Duration),
    /// Nothing can start before something changed.
    Idle,
}

/// One request under way.
#[derive(Debug)]
pub(super) struct Ticket(Lane);

/// All lanes.
#[derive(Debug)]
pub(super) struct Queue<J> {
    lanes: HashMap<Lane, State<J>>,
    /// Lanes with something to start, the next one first; none that has a request under way.
    turns: VecDeque<Lane>,
    limits: Limits,
    lane_max: usize,
    in_flight: usize,
}

#[derive(Debug)]
struct State<J> {
    waiting: VecDeque<Waiting<J>>,
    busy: bool,
}

impl<J> Queue<J> {
    /// With at most `lane_max` waiting in each lane.
    pub(super) fn new(limits: Limits, lane_max: usize) -> Self {
        Self {
            lanes: HashMap::new(),
            turns: VecDeque::new(),
            limits,
            lane_max,
            in_flight: 0,
        }
    }

    /// Puts something at the end of a lane.
    ///
    /// # Errors
    /// The lane is full; the job comes back.
    pub(super) fn push(&mut self, lane: Lane, waiting: Waiting<J>) -> Result<(), J> {
        let state = self.lanes.entry(lane.clone()).or_insert_with(State::empty);
        if state.waiting.len() >= self.lane_max {
            return Err(waiting.job);
        }
        if state.waiting.is_empty() && !state.busy {
            self.turns.push_back(lane);
        }
        state.waiting.push_back(waiting);
        Ok(())
    }

    /// Whether nothing more goes into a lane.
    pub(super) fn is_full(&self, lane: &Lane) -> bool {
        let state = self.lanes.get(lane);
        state.is_some_and(|state| state.waiting.len() >= self.lane_max)
    }

    /// The next step. Ask until it is [`Step::Until`] or [`Step::Idle`].
    pub(super) fn next(&mut self, now: Duration) -> Step<J> {
        let mut wake: Option<Duration> = None;
        for at in 0..self.turns.len() {
            let head = self.turns.get(at).and_then(|lane| self.head(lane));
            let Some(head) = head else { continue };
            if head.deadline <= now {
                return self.late(at);
            }
            let ready = self.limits.ready_at(&head.route, now);
            let ready = ready.map(|ready| ready.max(head.not_before));
            if ready.is_some_and(|ready| ready <= now) && self.in_flight < IN_FLIGHT_MAX {
                return self.start(at, now);
            }
            // What can't be sent in time is told so at its deadline.
            let due = ready.map_or(head.deadline, |ready| ready.min(head.deadline));
            let due = due.max(now + Duration::from_millis(1));
            wake = Some(wake.map_or(due, |wake| wake.min(due)));
        }
        wake.map_or(Step::Idle, Step::Until)
    }

    /// A request ended for good.
    pub(super) fn done(&mut self, ticket: Ticket, route: &Route, now: Duration, told: &Told) {
        self.limits.end(route, now, told);
        self.release(ticket.0);
    }

    /// A request ended and goes back to the head of its lane.
    pub(super) fn again(
        &mut self,
        ticket: Ticket,
        waiting: Waiting<J>,
        now: Duration,
        told: &Told,
    ) {
        self.limits.end(&waiting.route, now, told);
        if let Some(state) = self.lanes.get_mut(&ticket.0) {
            state.waiting.push_front(waiting);
        }
        self.release(ticket.0);
    }

    /// Takes out everything that waits and that `gone` says so of.
    pub(super) fn take(&mut self, gone: impl Fn(&J) -> bool) -> Vec<J> {
        let mut taken = Vec::new();
        for state in self.lanes.values_mut() {
            for waiting in std::mem::take(&mut state.waiting) {
                if gone(&waiting.job) {
                    taken.push(waiting.job);
                } else {
                    state.waiting.push_back(waiting);
                }
            }
        }
        self.lanes
            .retain(|_, state| state.busy || !state.waiting.is_empty());
        let lanes = &self.lanes;
        self.turns.retain(|lane| lanes.contains_key(lane));
        taken
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.lanes.values().map(|state| state.waiting.len()).sum()
    }

    fn head(&self, lane: &Lane) -> Option<&Waiting<J>> {
        self.lanes.get(lane)?.waiting.front()
    }

    fn late(&mut self, at: usize) -> Step<J> {
        match self.pop(at) {
            Some((lane, waiting)) => {
                self.rest(lane);
                Step::Late(waiting.job)
            }
            None => Step::Idle,
        }
    }

    fn start(&mut self, at: usize, now: Duration) -> Step<J> {
        let Some((lane, waiting)) = self.pop(at) else {
            return Step::Idle;
        };
        if let Some(state) = self.lanes.get_mut(&lane) {
            state.busy = true;
        }
        self.in_flight += 1;
        self.limits.start(&waiting.route, now);
        Step::Start(Ticket(lane), waiting)
    }

    fn pop(&mut self, at: usize) -> Option<(Lane, Waiting<J>)> {
        let lane = self.turns.remove(at)?;
        let waiting = self.lanes.get_mut(&lane)?.waiting.pop_front()?;
        Some((lane, waiting))
    }

    fn release(&mut self, lane: Lane) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(state) = self.lanes.get_mut(&lane) {
            state.busy = false;
        }
        self.rest(lane);
    }

    /// A lane that has something to start waits for its next turn; an empty one is forgotten.
    fn rest(&mut self, lane: Lane) {
        match self.lanes.get(&lane) {
            Some(state) if state.waiting.is_empty() => {
                self.lanes.remove(&lane);
            }
            Some(_) => self.turns.push_back(lane),
            None => {}
        }
    }
}

impl<J> State<J> {
    fn empty() -> Self {
        Self {
            waiting: VecDeque::new(),
            busy: false,
        }
    }
}

#[cfg(test)]
mod tests;
