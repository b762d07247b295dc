//! A circuit breaker: after failures in a row nobody is called for a while, then one call at a time is
//! let through until one succeeds.
//!
//! Pure: `now` is an argument, and a clock that jumps back shortens a pause rather than lengthening it.

use crate::time::Timestamp;

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerLimits {
    /// So many failures in a row open it; 0 counts as 1.
    pub failures: u32,
    /// The first pause, in milliseconds. Each failed trial doubles it.
    pub pause_ms: u64,
    /// The longest pause, in milliseconds.
    pub pause_max_ms: u64,
}

/// The breaker of one endpoint, as one caller sees it.
#[derive(Clone, Debug)]
pub struct Breaker {
    limits: BreakerLimits,
    state: State,
    /// Changes with the state: a call of an earlier round has no say in this one.
    round: u64,
}

/// Leave for one call, to be shown again with what came of it. If nothing is said of a trial call, no
/// other is ever made: say [`Breaker::gave_up`] rather than nothing.
#[derive(Debug)]
#[must_use = "say what came of the call"]
pub struct Pass {
    round: u64,
}

/// No call may be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many calls failed lately")]
pub struct Open;

/// What a breaker is doing, for those who watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls are made.
    Closed,
    /// None is made.
    Open,
    /// One is being tried.
    HalfOpen,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        since: Timestamp,
        pause_ms: u64,
    },
    /// `busy`: the trial call is under way.
    HalfOpen {
        pause_ms: u64,
        busy: bool,
    },
}

impl Breaker {
    /// A closed breaker.
    pub const fn new(limits: BreakerLimits) -> Self {
        Self {
            limits,
            state: State::Closed { failures: 0 },
            round: 0,
        }
    }

    /// Leave to call at `now`.
    ///
    /// # Errors
    /// While the pause lasts, and while a trial call is under way.
    pub fn admit(&mut self, now: Timestamp) -> Result<Pass, Open> {
        match self.state {
            State::Closed { .. } => {}
            State::Open { since, pause_ms } if now.distance_ms(since) >= pause_ms => {
                self.turn(State::HalfOpen {
                    pause_ms,
                    busy: true,
                });
            }
            State::HalfOpen {
                pause_ms,
                busy: false,
            } => {
                self.turn(State::HalfOpen {
                    pause_ms,
                    busy: true,
                });
            }
            State::Open { .. } | State::HalfOpen { busy: true, .. } => return Err(Open),
        }
        Ok(Pass { round: self.round })
    }

    /// The call was answered: the breaker closes, or stays closed and forgets earlier failures.
    pub fn succeeded(&mut self, pass: &Pass) {
        if pass.round != self.round {
            return;
        }
        match &mut self.state {
            State::Closed { failures } => *failures = 0,
            State::HalfOpen { .. } => self.turn(State::Closed { failures: 0 }),
            State::Open { .. } => {}
        }
    }

    /// The call failed: one failure too many in a row, or a failed trial, opens the breaker.
    pub fn failed(&mut self, pass: &Pass, now: Timestamp) {
        if pass.round != self.round {
            return;
        }
        match self.state {
            State::Closed { failures } => {
                let failures = failures.saturating_add(1);
                if failures >= self.limits.failures {
                    self.open(now, self.limits.pause_ms);
                } else {
                    self.state = State::Closed { failures };
                }
            }
            State::HalfOpen { pause_ms, .. } => self.open(now, pause_ms.saturating_mul(2)),
            State::Open { .. } => {}
        }
    }

    /// The call was never made, or nobody knows what came of it: a trial is given to the next who asks.
    pub fn gave_up(&mut self, pass: &Pass) {
        if let (State::HalfOpen { pause_ms, .. }, true) = (self.state, pass.round == self.round) {
            self.turn(State::HalfOpen {
                pause_ms,
                busy: false,
            });
        }
    }

    /// What it is doing.
    pub const fn state(&self) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    fn open(&mut self, since: Timestamp, pause_ms: u64) {
        let pause_ms = pause_ms.min(self.limits.pause_max_ms);
        self.turn(State::Open { since, pause_ms });
    }

    const fn turn(&mut self, state: State) {
        self.state = state;
        self.round = self.round.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests;
