//! An EDR's cloud, whose hosts are contained or are not, and which answers as it is told.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use vyrox_actors::edr::{
    Checked, Edr, EdrCredential, EdrError, EdrSetupError, Edrs, EffectSeen, Guard, LineState,
    Polled, Reading, Sent,
};
use vyrox_domain::{
    action::{ActionManifest, jws::SignedAction},
    ids::TenantId,
    time::Timestamp,
    vendor::Vendor,
};

/// The host that `house::alert(_, 1, _)` is about.
pub(crate) const HOST: &str = "urn:edr:crowdstrike:00000000000000000000000000000001";

/// How the next request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// It is taken, and so at once.
    Does,
    /// It is taken, and the host has yet to comply.
    Waits,
    /// It is done, and the answer is lost.
    DoesAndLoses,
    /// It is not done, and the answer is lost.
    Loses,
    /// It is refused.
    Refuses,
    /// Never.
    Hangs,
}

/// What the cloud says of alerts.
#[derive(Clone, Debug, Default)]
pub(crate) enum Full {
    /// It knows none.
    #[default]
    Unknown,
    /// This, whatever the id.
    Says(String),
    /// It cannot be asked now.
    Fails,
    /// Never anything.
    Hangs,
}

#[derive(Default)]
pub(crate) struct Sky {
    /// Hosts that are contained, or about to be.
    pub(crate) hosts: BTreeMap<String, EffectSeen>,
    /// How the next requests are answered; then with [`Answers::Does`].
    pub(crate) answers: VecDeque<Answers>,
    /// Every request that could change something: the target, and whether it was a release.
    pub(crate) sent: Vec<(String, bool)>,
    pub(crate) reads: usize,
    /// Nothing can be read.
    pub(crate) dark: bool,
    /// What it says of alerts that it is asked about.
    pub(crate) full: Full,
    /// The ids that it was asked about.
    pub(crate) looked_up: Vec<String>,
    /// By how much the wall clock is set ahead, in milliseconds.
    pub(crate) clock_ahead_ms: u64,
}

#[derive(Clone, Default)]
pub(crate) struct Cloud(Arc<Mutex<Sky>>);

impl Cloud {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Sky> {
        self.0.lock().expect("nobody panics with the lock")
    }

    /// How many requests could have changed something.
    pub(crate) fn sent(&self) -> usize {
        self.lock().sent.len()
    }
}

impl Edrs for Cloud {
    fn connect(
        &self,
        _: &TenantId,
        _: Vendor,
        _: &EdrCredential,
    ) -> Result<Arc<dyn Edr>, EdrSetupError> {
        Ok(Arc::new(self.clone()))
    }
}

fn lost() -> EdrError {
    EdrError::Ambiguous {
        status: None,
        why: "broken off".into(),
    }
}

impl Edr for Cloud {
    fn read(
        &self,
        manifest: &ActionManifest,
        _: Option<&str>,
    ) -> BoxFuture<'static, Result<Reading, EdrError>> {
        let mut sky = self.lock();
        sky.reads += 1;
        let held = sky.hosts.get(&manifest.target_urn).copied();
        let held = held.unwrap_or(EffectSeen::NotInEffect);
        let effect = match (held, manifest.release.is_some()) {
            (seen, false) | (seen @ EffectSeen::Pending, true) => seen,
            (EffectSeen::InEffect, true) => EffectSeen::NotInEffect,
            (_, true) => EffectSeen::InEffect,
        };
        let reading = Reading {
            effect,
            observed: format!("{held:?}"),
            reference: None,
            device: None,
        };
        let answer = if sky.dark { Err(lost()) } else { Ok(reading) };
        async { answer }.boxed()
    }

    fn send(
        &self,
        action: &SignedAction,
        _: Option<&str>,
        _: Guard,
    ) -> BoxFuture<'static, Result<Sent, EdrError>> {
        let mut sky = self.lock();
        let manifest = action.manifest();
        let (target, release) = (manifest.target_urn.clone(), manifest.release.is_some());
        sky.sent.push((target.clone(), release));
        let answer = sky.answers.pop_front().unwrap_or(Answers::Does);
        let then = if release {
            EffectSeen::NotInEffect
        } else {
            EffectSeen::InEffect
        };
        match answer {
            Answers::Does | Answers::DoesAndLoses => {
                sky.hosts.insert(target, then);
            }
            Answers::Waits => {
                sky.hosts.insert(target, EffectSeen::Pending);
            }
            Answers::Loses | Answers::Refuses | Answers::Hangs => {}
        }
        let sent = Sent {
            status: 202,
            reference: Some(format!("call-{}", sky.sent.len())),
        };
        async move {
            match answer {
                Answers::Does | Answers::Waits => Ok(sent),
                Answers::DoesAndLoses | Answers::Loses => Err(lost()),
                Answers::Refuses => Err(EdrError::Refused {
                    status: 403,
                    why: "no".into(),
                }),
                Answers::Hangs => std::future::pending().await,
            }
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'static, Result<Checked, EdrError>> {
        std::future::pending().boxed()
    }

    fn poll(
        &self,
        _: Timestamp,
        _: Timestamp,
        _: usize,
    ) -> BoxFuture<'static, Result<Polled, EdrError>> {
        std::future::pending().boxed()
    }

    fn alert(&self, id: &str) -> BoxFuture<'static, Result<Option<Vec<u8>>, EdrError>> {
        let mut sky = self.lock();
        sky.looked_up.push(id.to_owned());
        let full = sky.full.clone();
        async move {
            match full {
                Full::Unknown => Ok(None),
                Full::Says(body) => Ok(Some(body.into_bytes())),
                Full::Fails => Err(lost()),
                Full::Hangs => std::future::pending().await,
            }
        }
        .boxed()
    }

    fn line(&self) -> LineState {
        LineState::default()
    }
}
