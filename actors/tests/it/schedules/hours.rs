//! Time as it really goes by over all lives of the process, and what the wall clock says of it.

use std::sync::{Arc, Mutex};

use tokio::time::Instant;
use vyrox_actors::ports::Clock;
use vyrox_domain::time::Timestamp;

use crate::house::T0;

#[derive(Clone, Default)]
pub(super) struct Hours(Arc<Mutex<Passed>>);

#[derive(Default)]
struct Passed {
    before_ms: u64,
    began: Option<Instant>,
    /// By how much the wall clock is set ahead.
    ahead_ms: u64,
}

impl Hours {
    /// A process begins. To be called on its runtime, whose clock begins anew.
    pub(super) fn begin(&self) {
        let mut passed = self.0.lock().expect("nobody panics with the lock");
        passed.began = Some(Instant::now());
    }

    /// The process is about to end, and another one begins so much later.
    pub(super) fn end(&self, pause_ms: u64) {
        let now = self.real_ms();
        let mut passed = self.0.lock().expect("nobody panics with the lock");
        (passed.before_ms, passed.began) = (now + pause_ms, None);
    }

    /// Milliseconds since the beginning.
    pub(super) fn real_ms(&self) -> u64 {
        let passed = self.0.lock().expect("nobody panics with the lock");
        let own = passed.began.map_or(0, |began| began.elapsed().as_millis());
        passed.before_ms + u64::try_from(own).expect("a test's time")
    }

    /// Somebody sets the wall clock ahead, or back to what it was.
    pub(super) fn set_ahead(&self, ahead_ms: u64) {
        let mut passed = self.0.lock().expect("nobody panics with the lock");
        passed.ahead_ms = ahead_ms;
    }
}

impl Clock for Hours {
    fn now(&self) -> Timestamp {
        let real_ms = self.real_ms();
        let passed = self.0.lock().expect("nobody panics with the lock");
        T0.plus_ms(real_ms + passed.ahead_ms)
    }
}
