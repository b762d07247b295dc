//! A vendor that answers well, badly, late or never, and knows what its answers were worth.

mod port;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::time::sleep;
use vyrox_actors::{
    edr::{
        Checked, Edr, EdrCredential, EdrError, EdrSetupError, Edrs, EffectSeen, Guard, LineState,
        Polled, Reading, Sent,
    },
    supervision::testing::Random,
};
use vyrox_domain::{
    action::{ActionManifest, jws::SignedAction},
    ids::{ActionId, TenantId},
    time::Timestamp,
    vendor::Vendor,
};

use super::{Bug, hours::Hours, watch::Watching};

/// What is held down, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Off,
    TurningOn,
    On,
    TurningOff,
}

/// A change at the vendor's, now or to come.
#[derive(Clone, Copy)]
struct Change {
    at_ms: u64,
    to: Held,
}

/// One request that could change something.
struct Request {
    action_id: ActionId,
    /// When its effect showed, or shows; `None` where it had none.
    effect_ms: Option<u64>,
    /// The vendor said that it did not even look at it.
    surely_not: bool,
    /// Since this process began, nothing fell.
    life: u64,
}

/// What becomes of a request.
#[derive(Clone, Copy)]
struct Fate {
    /// After how long its effect shows; `None` for none.
    effect: Option<u64>,
    /// How long the host takes to comply.
    lag: u64,
    says: Says,
    /// How long the answer takes.
    answer_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    Taken,
    Busy(u16),
    Error,
    Lost,
    Refused,
    NotSent { transient: bool },
}

struct Sky {
    changes: BTreeMap<String, Vec<Change>>,
    requests: Vec<Request>,
    random: Random,
    dark_until: u64,
    calm: bool,
    life: u64,
}

/// The vendor.
#[derive(Clone)]
pub(super) struct Model {
    sky: Arc<Mutex<Sky>>,
    hours: Hours,
    watching: Watching,
    bug: Option<Bug>,
}

impl Model {
    pub(super) fn new(seed: u64, hours: &Hours, watching: &Watching, bug: Option<Bug>) -> Self {
        let sky = Sky {
            changes: BTreeMap::new(),
            requests: Vec::new(),
            random: Random::new(seed, "vendor"),
            dark_until: 0,
            calm: false,
            life: 0,
        };
        Self {
            sky: Arc::new(Mutex::new(sky)),
            hours: hours.clone(),
            watching: watching.clone(),
            bug,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sky> {
        self.sky.lock().expect("nobody panics with the lock")
    }

    /// From now on it answers as it should.
    pub(super) fn calm(&self) {
        let mut sky = self.lock();
        (sky.calm, sky.dark_until) = (true, 0);
    }

    /// Another process speaks to it.
    pub(super) fn next_life(&self) {
        self.lock().life += 1;
    }

    /// Nothing can be read for a while.
    pub(super) fn darken(&self, for_ms: u64) {
        self.lock().dark_until = self.hours.real_ms() + for_ms;
    }

    /// Somebody at the vendor's own console contains a host, or releases it.
    pub(super) fn meddle(&self, key: &str, on: bool) {
        let to = if on { Held::On } else { Held::Off };
        let at_ms = self.hours.real_ms();
        self.lock().change(key, (at_ms, 0), to);
    }

    fn sees(&self, manifest: &ActionManifest) -> EffectSeen {
        let held = self.lock().held(&key(manifest), self.hours.real_ms());
        match (held, manifest.release.is_some()) {
            (Held::On | Held::TurningOff, false) | (Held::Off, true) => EffectSeen::InEffect,
            (Held::TurningOn, false) | (Held::TurningOff, true) => EffectSeen::Pending,
            (Held::Off, false) | (Held::On | Held::TurningOn, true) => EffectSeen::NotInEffect,
        }
    }

    /// A request arrives; gives what becomes of it.
    fn arrives(&self, action: &SignedAction) -> Fate {
        let manifest = action.manifest();
        let now = self.hours.real_ms();
        let shown = self.sees(manifest);
        let mut sky = self.lock();
        let fate = sky.fate();
        if let Says::NotSent { .. } = fate.says {
            return fate;
        }
        let action_id = manifest.action_id;
        let mut earlier = sky.requests.iter();
        let twice = earlier.any(|it| {
            it.action_id == action_id && it.effect_ms.is_some_and(|effect_ms| effect_ms <= now)
        });
        let twice = twice && matches!(shown, EffectSeen::InEffect | EffectSeen::Pending);
        self.watching.sent(action, twice);
        let effect_ms = fate.effect.map(|after| now + after);
        if let Some(at_ms) = effect_ms {
            let to = if manifest.release.is_some() {
                Held::Off
            } else {
                Held::On
            };
            sky.change(&key(manifest), (at_ms, fate.lag), to);
        }
        let life = sky.life;
        sky.requests.push(Request {
            action_id,
            effect_ms,
            surely_not: matches!(fate.says, Says::Busy(429) | Says::Refused),
            life,
        });
        drop(sky);
        if !matches!(fate.says, Says::Busy(429) | Says::Refused) {
            self.watching.may_have_changed(action_id);
        }
        fate
    }

    async fn answer_to(self, action: SignedAction) -> Result<Sent, EdrError> {
        let fate = self.arrives(&action);
        sleep(Duration::from_millis(fate.answer_ms)).await;
        let action_id = action.manifest().action_id;
        match fate.says {
            Says::Taken => {
                self.watching.taken(action_id);
                let reference = Some("call-1".into());
                let status = 202;
                Ok(Sent { status, reference })
            }
            Says::Busy(status) => {
                let retry_at = None;
                Err(EdrError::Busy { status, retry_at })
            }
            Says::Error => Err(lost(Some(500))),
            Says::Lost => Err(lost(None)),
            Says::Refused => Err(EdrError::Refused {
                status: 403,
                why: "no".into(),
            }),
            Says::NotSent { transient } => Err(EdrError::Unsent {
                why: "no connection".into(),
                transient,
            }),
        }
    }

    async fn read_of(self, manifest: ActionManifest) -> Result<Reading, EdrError> {
        let (answer_ms, bad) = {
            let mut sky = self.lock();
            let dark = self.hours.real_ms() < sky.dark_until;
            let bad = dark || (!sky.calm && sky.random.one_in(8));
            let slow = !sky.calm && sky.random.one_in(20);
            let most = if slow { 29_000 } else { 900 };
            (5 + sky.random.below(most), bad)
        };
        sleep(Duration::from_millis(answer_ms)).await;
        if bad {
            return Err(self.lock().unreadable());
        }
        let (id, seen) = (manifest.action_id, self.told(&manifest));
        self.watching.read(id, self.sees(&manifest));
        Ok(Reading {
            effect: seen,
            observed: format!("{seen:?}"),
            reference: None,
            device: None,
        })
    }

    /// What its connector makes of what is so.
    fn told(&self, manifest: &ActionManifest) -> EffectSeen {
        let seen = self.sees(manifest);
        let sky = self.lock();
        let mut own = sky.requests.iter();
        let own = own.rfind(|it| it.action_id == manifest.action_id);
        match (self.bug, own) {
            // What was sent before the fall is not looked for.
            (Some(Bug::ForgetsReconcile), Some(it)) if it.life < sky.life => {
                EffectSeen::NotInEffect
            }
            (Some(Bug::TakesWordForDeed), Some(it)) if !it.surely_not => EffectSeen::InEffect,
            _ => seen,
        }
    }
}

fn lost(status: Option<u16>) -> EdrError {
    EdrError::Ambiguous {
        status,
        why: "broken off".into(),
    }
}

/// What an action is done to.
pub(super) fn key(manifest: &ActionManifest) -> String {
    let everywhere = manifest.action_type.is_everywhere();
    let target = if everywhere { "" } else { &manifest.target_urn };
    format!(
        "{} {target} {:?}",
        manifest.action_type, manifest.parameters
    )
}

impl Sky {
    fn held(&self, key: &str, now: u64) -> Held {
        let mut changes = self.changes.get(key).into_iter().flatten();
        let last = changes.rfind(|change| change.at_ms <= now);
        last.map_or(Held::Off, |change| change.to)
    }

    /// From `at_ms` on it is so, after the `lag` that the host takes to comply; what was to come later does not
    /// come any more.
    fn change(&mut self, key: &str, (at_ms, lag): (u64, u64), to: Held) {
        if self.held(key, at_ms) == to {
            return;
        }
        let changes = self.changes.entry(key.to_owned()).or_default();
        changes.retain(|change| change.at_ms < at_ms);
        if lag > 0 {
            let turning = if to == Held::On {
                Held::TurningOn
            } else {
                Held::TurningOff
            };
            changes.push(Change { at_ms, to: turning });
        }
        let at_ms = at_ms + lag;
        changes.push(Change { at_ms, to });
    }

    fn fate(&mut self) -> Fate {
        let well = Fate {
            effect: Some(0),
            lag: 0,
            says: Says::Taken,
            answer_ms: 5,
        };
        if self.calm {
            return well;
        }
        let random = &mut self.random;
        let lag = match random.below(3) {
            0 => 1 + random.below(200_000),
            _ => 0,
        };
        let soon = Some(random.below(2_000));
        let late = Some(random.below(40_000));
        let perhaps = [None, Some(0), soon, late];
        let perhaps = random.pick(&perhaps).copied().flatten();
        let says = match random.below(20) {
            0..=7 => Says::Taken,
            8 => Says::Busy(429),
            9 | 10 => Says::Busy(503),
            11 => Says::Busy(504),
            12 | 13 => Says::Error,
            14..=16 => Says::Lost,
            17 => Says::Refused,
            18 => Says::NotSent { transient: true },
            _ => Says::NotSent { transient: false },
        };
        let effect = match says {
            Says::Taken if random.one_in(5) => late,
            Says::Taken => Some(0),
            // Who takes the trouble to say that it is busy has done it by then or does not do it.
            Says::Busy(504) => random.one_in(2).then_some(0),
            Says::Busy(_) | Says::Refused | Says::NotSent { .. } => None,
            Says::Error | Says::Lost => perhaps,
        };
        let hangs = says == Says::Lost && random.one_in(2);
        let answer_ms = if hangs {
            30_000
        } else {
            5 + random.below(3_000)
        };
        Fate {
            effect,
            lag,
            says,
            answer_ms,
        }
    }

    fn unreadable(&mut self) -> EdrError {
        let status = 503;
        match self.random.below(4) {
            0 => EdrError::Busy {
                status,
                retry_at: None,
            },
            1 => EdrError::Unsent {
                why: "no connection".into(),
                transient: true,
            },
            _ => lost(None),
        }
    }
}
