//! A vendor that answers as it is told, and a clock that is the test's.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use futures_util::future::BoxFuture;

use super::*;
use crate::edr::{Checked, DeviceSeen, LineState, Polled, Reading, Sent};

/// What the vendor does at one call.
#[derive(Clone, Debug)]
pub(super) enum Does {
    Reads(EffectSeen),
    Takes,
    /// It asks whether it may, and takes it.
    Asks,
    Fails(EdrError),
    Hangs,
    Panics,
}
pub(super) use Does::{Asks, Fails, Hangs, Panics, Reads, Takes};

/// A vendor that does as it is told, in turn; the last word holds.
#[derive(Clone, Default)]
pub(super) struct Vendors(Arc<Mutex<Script>>);

#[derive(Default)]
pub(super) struct Script {
    reads: VecDeque<Does>,
    sends: VecDeque<Does>,
    calls: String,
    device: Option<DeviceSeen>,
}

impl Vendors {
    /// What it knows the device by.
    pub(super) fn is(&self, device: DeviceSeen) {
        self.0.lock().unwrap().device = Some(device);
    }

    pub(super) fn new(reads: &[Does], sends: &[Does]) -> Self {
        Self(Arc::new(Mutex::new(Script {
            reads: reads.iter().cloned().collect(),
            sends: sends.iter().cloned().collect(),
            calls: String::new(),
            device: None,
        })))
    }

    fn next(&self, sends: bool) -> Does {
        let mut script = self.0.lock().unwrap();
        script.calls.push(if sends { 'S' } else { 'r' });
        let turns = if sends {
            &mut script.sends
        } else {
            &mut script.reads
        };
        if turns.len() > 1 {
            return turns.pop_front().unwrap();
        }
        turns
            .front()
            .cloned()
            .expect("the script says no such call")
    }

    /// `r` for each reading, `S` for each request.
    pub(super) fn calls(&self) -> String {
        self.0.lock().unwrap().calls.clone()
    }
}

pub(super) async fn answer<T>(
    does: Does,
    good: impl FnOnce(Option<EffectSeen>) -> T,
) -> Result<T, EdrError> {
    match does {
        Reads(effect) => Ok(good(Some(effect))),
        Takes | Asks => Ok(good(None)),
        Fails(error) => Err(error),
        Hangs => std::future::pending().await,
        Panics => panic!("as the script says"),
    }
}

impl Edr for Vendors {
    fn read(
        &self,
        _: &ActionManifest,
        reference: Option<&str>,
    ) -> BoxFuture<'static, Result<Reading, EdrError>> {
        let (does, reference) = (self.next(false), reference.map(str::to_owned));
        let device = self.0.lock().unwrap().device.clone();
        Box::pin(answer(does, |effect| Reading {
            effect: effect.expect("a reading"),
            observed: format!("{effect:?}"),
            reference,
            device,
        }))
    }

    fn send(
        &self,
        _: &SignedAction,
        _: Option<&str>,
        guard: Guard,
    ) -> BoxFuture<'static, Result<Sent, EdrError>> {
        let does = match self.next(true) {
            Asks => guard().map_or_else(
                |why| {
                    let transient = false;
                    Fails(EdrError::Unsent { why, transient })
                },
                |()| Asks,
            ),
            does => does,
        };
        Box::pin(answer(does, |_| Sent {
            status: 202,
            reference: Some("act-1".into()),
        }))
    }

    fn check(&self) -> BoxFuture<'static, Result<Checked, EdrError>> {
        Box::pin(std::future::pending())
    }

    fn poll(
        &self,
        _: Timestamp,
        _: Timestamp,
        _: usize,
    ) -> BoxFuture<'static, Result<Polled, EdrError>> {
        Box::pin(std::future::pending())
    }

    fn alert(&self, _: &str) -> BoxFuture<'static, Result<Option<Vec<u8>>, EdrError>> {
        Box::pin(std::future::pending())
    }

    fn line(&self) -> LineState {
        LineState::default()
    }
}

pub(super) struct Paused(pub(super) Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        T0.plus_ms(u64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}
