//! Reading the vendor's state: once, again where that may help, and until there is nothing to wait for.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Drive, FIRST_PAUSE, PAUSE_MAX, Patience, READ_BACK, RETRY_AFTER_MAX, rest};
use crate::{
    edr::{EdrError, EffectSeen},
    failpoint::{Step, reach},
};

impl Drive<'_> {
    /// Reads a few times, until there is nothing to wait for; the last that was seen. That it was not in
    /// effect some readings ago says nothing once the vendor cannot be read any more.
    pub(super) async fn read_back(&mut self) -> Option<EffectSeen> {
        let mut last = None;
        for pause in READ_BACK {
            rest(pause).await;
            match self.read_once().await {
                Ok(seen @ (EffectSeen::InEffect | EffectSeen::Failed)) => return Some(seen),
                Ok(seen) => last = Some(seen),
                Err(_) => last = last.filter(|seen| *seen == EffectSeen::Pending),
            }
        }
        last
    }

    /// Reads, again where that may help.
    pub(super) async fn read(&mut self, patience: Patience) -> Result<EffectSeen, EdrError> {
        reach(Step::BeforeRead);
        let mut tried = 0;
        loop {
            let error = match self.read_once().await {
                Ok(seen) => return Ok(seen),
                Err(error) => error,
            };
            let hopeless = matches!(
                error,
                EdrError::Refused { .. }
                    | EdrError::NotAuthorised { .. }
                    | EdrError::Unsent {
                        transient: false,
                        ..
                    }
            );
            let pause = match patience {
                _ if hopeless => None,
                Patience::Retries(most) if tried >= most => None,
                Patience::Retries(_) => self.pause(tried, &error),
                Patience::Until(end) => {
                    let pause = self.pause(tried, &error).unwrap_or(PAUSE_MAX);
                    (Instant::now() + pause < end).then_some(pause)
                }
            };
            let Some(pause) = pause else {
                return Err(error);
            };
            sleep(pause).await;
            tried = tried.saturating_add(1);
        }
    }

    pub(super) async fn read_once(&mut self) -> Result<EffectSeen, EdrError> {
        let manifest = &self.errand.manifest;
        let reference = self.course.reference.as_deref();
        match self.edr.read(manifest, reference).await {
            Ok(reading) => Ok(self.course.read(reading)),
            Err(error) => {
                self.course.unreadable(&error);
                Err(error)
            }
        }
    }

    /// The pause before another try: what the vendor asks for, else twice the one before. `None` where the
    /// vendor wants to be left alone for too long.
    pub(super) fn pause(&self, tried: u32, error: &EdrError) -> Option<Duration> {
        let own = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(tried).unwrap_or(u32::MAX));
        let own = own.min(PAUSE_MAX);
        let EdrError::Busy {
            retry_at: Some(at), ..
        } = error
        else {
            return Some(own);
        };
        let asked = Duration::from_millis(at.ms().saturating_sub(self.clock.now().ms()));
        (asked <= RETRY_AFTER_MAX).then(|| own.max(asked))
    }
}
