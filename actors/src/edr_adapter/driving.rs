//! One drive of an action: read the vendor, verify the approval, send one request, read back.
//!
//! Before any second request the state is read, and a second one follows only where the reading says
//! that the action is not in effect and the vendor has said that it did not take the first
//! (429, 502, 503, 504), or the first was never sent. What cannot be known is called unknown.

mod reading;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::time::{Instant, sleep, timeout};
use vyrox_domain::{
    action::{
        ActionManifest,
        jws::{JwsError, SignedAction},
    },
    containment::{ActReport, OutcomeKind, ability},
    ids::ActionId,
    playbook::Assets,
};

use super::{
    device,
    ending::{Course, Ending},
};
use crate::{
    edr::{Edr, EdrError, EffectSeen, Guard},
    failpoint::{Step, reach},
    ports::Clock,
};

/// The longest that a drive takes, all told: no intent is older than a minute without an outcome.
pub(super) const DEADLINE: Duration = Duration::from_secs(50);
/// How long the vendor is tried to be read where something may have been sent before.
const RECONCILE_PATIENCE: Duration = Duration::from_secs(45);
/// Tries after the first.
const RETRIES: u32 = 3;
/// The pause before the first of them; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest of those pauses.
const PAUSE_MAX: Duration = Duration::from_secs(8);
/// A vendor that wants to be left alone for longer is not waited for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(20);
/// When the state is read after a request, each counted from the reading before.
const READ_BACK: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// What is to be carried out, or found out about.
#[derive(Clone, Debug)]
pub struct Errand {
    /// Which action.
    pub action_id: ActionId,
    /// Which drive of it.
    pub drive: u32,
    /// What was approved.
    pub manifest: ActionManifest,
    /// What the vendor calls it, or the action that it takes back.
    pub reference: Option<String>,
    /// Something may have been sent before.
    pub reconcile: bool,
    /// It may be sent where it is not in effect.
    pub may_send: bool,
    /// It takes back what may still be on its way to the host: that the state reads as it should proves
    /// nothing yet.
    pub landing: bool,
}

impl Errand {
    /// Whether asking for it twice does no more than asking once.
    fn is_repeatable(&self) -> bool {
        ability(self.manifest.vendor, self.manifest.action_type).is_some_and(|it| it.repeatable)
    }
}

/// Why an action may not be sent, although its intent is on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Barred {
    /// What was signed does not hold.
    #[error("manifest.rejected: {0}")]
    Rejected(#[from] JwsError),
    /// Somebody stopped all containment meanwhile.
    #[error("containment is halted")]
    Halted,
    /// The chains do not prove what they should.
    #[error("the audit log's integrity is in doubt")]
    Unproven,
    /// Whoever waited for it was told of an error meanwhile.
    #[error("whoever asked for it has been told of an error")]
    CallerGone,
    /// Its machine gave it up meanwhile.
    #[error("it took too long, and its outcome was said to be unknown")]
    GivenUp,
    /// The credential that it would go out with was taken away meanwhile.
    #[error("the credential is no longer in force")]
    CredentialGone,
}

/// Verifies the approval, now. Asked before anything is read, and again right before each request: by the
/// drive, and by the connector once all waiting is over.
pub type Verify = dyn Fn() -> Result<SignedAction, Barred> + Send + Sync;

/// Drives an action as far as it goes, on no special machine that was not approved as one. Ends within
/// 50 s and does not panic, whatever the connector does.
pub async fn drive(
    errand: &Errand,
    edr: &dyn Edr,
    verify: Arc<Verify>,
    (clock, assets): (&dyn Clock, &Assets),
) -> ActReport {
    let mut drive = Drive {
        errand,
        edr,
        verify,
        clock,
        assets,
        course: Course::new(errand),
    };
    let way = AssertUnwindSafe(timeout(DEADLINE, drive.go())).catch_unwind();
    let ending = match way.await {
        Ok(Ok(ending)) => ending,
        Ok(Err(_elapsed)) => drive.course.cut_short("the vendor gave no answer in time"),
        Err(_panic) => drive.course.cut_short("the connector broke"),
    };
    reach(Step::BeforeReport);
    drive.course.report(errand, ending)
}

struct Drive<'a> {
    errand: &'a Errand,
    edr: &'a dyn Edr,
    verify: Arc<Verify>,
    clock: &'a dyn Clock,
    assets: &'a Assets,
    course: Course,
}

/// How long a reading is tried.
#[derive(Clone, Copy)]
enum Patience {
    /// So many times after the first.
    Retries(u32),
    /// Until then.
    Until(Instant),
}

impl Drive<'_> {
    async fn go(&mut self) -> Ending {
        if !self.errand.reconcile
            && let Err(barred) = (self.verify)()
        {
            return self.course.barred(barred);
        }
        let begun = if self.errand.reconcile {
            self.reconcile().await
        } else {
            self.look_first().await
        };
        match begun {
            Some(ending) => ending,
            None => self.send().await,
        }
    }

    /// Reads before anything was sent; `None` where it is to be sent.
    async fn look_first(&mut self) -> Option<Ending> {
        let effect = match self.read(Patience::Retries(RETRIES)).await {
            Ok(effect) => effect,
            Err(error) => return Some(self.course.unread(&error)),
        };
        match effect {
            EffectSeen::InEffect if self.errand.landing => None,
            EffectSeen::InEffect => Some(Ending::plain(OutcomeKind::AlreadySo)),
            // Somebody else's doing, and followed until it is done.
            EffectSeen::Pending => Some(Ending::new(
                OutcomeKind::Accepted,
                "it was under way before anything was sent",
            )),
            EffectSeen::NoSuchTarget => Some(self.course.no_such_target()),
            // An earlier try that failed says nothing against this one.
            EffectSeen::Failed => {
                self.course.failed_before();
                None
            }
            EffectSeen::NotInEffect => None,
        }
    }

    /// Reads where something may have been sent before; `None` where it surely is not in effect and may be
    /// sent.
    async fn reconcile(&mut self) -> Option<Ending> {
        let patience = Patience::Until(Instant::now() + RECONCILE_PATIENCE);
        if let Err(error) = self.read(patience).await {
            return Some(self.course.unread(&error));
        }
        // A request that was sent a moment ago may take a moment to show.
        match self.read_back().await {
            Some(EffectSeen::InEffect) => Some(Ending::plain(OutcomeKind::Executed)),
            Some(EffectSeen::Pending) => Some(Ending::plain(OutcomeKind::Accepted)),
            Some(EffectSeen::Failed) => Some(self.course.failed()),
            Some(EffectSeen::NoSuchTarget) => Some(self.course.no_such_target()),
            // What was sent a moment ago may be on its way, and must not be asked for twice.
            Some(EffectSeen::NotInEffect) if !self.errand.is_repeatable() => Some(
                self.course
                    .cut_short("it may have been sent, and must not be sent twice"),
            ),
            Some(EffectSeen::NotInEffect) => {
                self.course.is_not_in_effect();
                let why = "it is not in effect, and is not sent any more";
                (!self.errand.may_send).then(|| Ending::new(OutcomeKind::Unreachable, why))
            }
            None => Some(self.course.cut_short("the vendor's state cannot be read")),
        }
    }

    /// Sends until the vendor has taken it, or will not.
    async fn send(&mut self) -> Ending {
        for tried in 0..=RETRIES {
            let action = match (self.verify)() {
                Ok(action) => action,
                Err(barred) => return self.course.barred(barred),
            };
            if let Some(why) = self.objection() {
                return self.course.objected(why);
            }
            reach(Step::BeforeSend);
            let doubt = self.course.departs();
            let reference = self.course.reference.as_deref();
            let answer = self.edr.send(&action, reference, self.guard()).await;
            reach(Step::AfterSend);
            let error = match answer {
                Ok(sent) => {
                    self.course.taken(sent);
                    return self.follow().await;
                }
                Err(error) => error,
            };
            self.course.answered(&error, doubt);
            match &error {
                EdrError::Refused { .. } | EdrError::NotAuthorised { .. } => {
                    return self.after_a_no(&error).await;
                }
                EdrError::Ambiguous { .. } => return self.follow().await,
                EdrError::Unsent {
                    transient: false, ..
                } => return self.never_left(&error),
                EdrError::Unsent { .. } | EdrError::Busy { .. } => {}
            }
            let pause = (tried < RETRIES)
                .then(|| self.pause(tried, &error))
                .flatten();
            rest(pause.unwrap_or_default()).await;
            if let Some(ending) = self.look_before_another(&error, pause.is_none()).await {
                return ending;
            }
            if pause.is_none() {
                return self.course.gave_up(&error);
            }
        }
        self.course.cut_short("no further try is made")
    }

    /// What the connector asks when its waiting is over.
    fn guard(&self) -> Guard {
        let verify = Arc::clone(&self.verify);
        Arc::new(move || match verify() {
            Ok(_) => Ok(()),
            Err(barred) => Err(barred.to_string()),
        })
    }

    /// What speaks against this very device, by what the vendor says of it.
    fn objection(&self) -> Option<&'static str> {
        let seen = self.course.device.as_ref()?;
        device::objection(&self.errand.manifest, seen, self.assets)
    }

    /// It was stopped on its last steps, or cannot be sent at all.
    fn never_left(&self, error: &EdrError) -> Ending {
        match (self.verify)() {
            Err(barred) => self.course.barred(barred),
            Ok(_) => self.course.gave_up(error),
        }
    }

    /// Reads the state after a request that the vendor says it did not take; `None` where it is not in
    /// effect. Where nothing was sent, now or before a fall, there is nothing to look for, but at the end: the
    /// connector may have found nothing left to do.
    async fn look_before_another(&mut self, error: &EdrError, last: bool) -> Option<Ending> {
        if self.course.sent == 0 && !self.errand.reconcile {
            let so = last && matches!(self.read_once().await, Ok(EffectSeen::InEffect));
            return so.then(|| Ending::plain(OutcomeKind::AlreadySo));
        }
        // A limit is hit before anything is done. A gateway may have passed the request on, which then takes a
        // moment to show.
        let seen = if self.course.in_doubt() {
            self.read_back().await
        } else {
            self.read(Patience::Retries(1)).await.ok()
        };
        match seen {
            Some(EffectSeen::NotInEffect)
                if self.course.in_doubt() && !self.errand.is_repeatable() =>
            {
                Some(self.course.gave_up(error))
            }
            Some(EffectSeen::NotInEffect) => {
                self.course.is_not_in_effect();
                None
            }
            Some(seen) => Some(self.course.seen(seen)),
            None => Some(self.course.gave_up(error)),
        }
    }

    /// The vendor will not do it. What its state reads counts all the same.
    async fn after_a_no(&mut self, error: &EdrError) -> Ending {
        reach(Step::BeforeReadBack);
        match self.read(Patience::Retries(1)).await {
            Ok(seen @ (EffectSeen::InEffect | EffectSeen::Pending)) => self.course.seen(seen),
            Ok(EffectSeen::NotInEffect | EffectSeen::Failed | EffectSeen::NoSuchTarget) => {
                Ending::new(OutcomeKind::Refused, error)
            }
            Err(_) => self.course.refused_unread(error),
        }
    }

    /// Reads back what was taken, or what nobody can tell about.
    async fn follow(&mut self) -> Ending {
        reach(Step::BeforeReadBack);
        match self.read_back().await {
            Some(EffectSeen::NotInEffect | EffectSeen::NoSuchTarget) | None => {
                self.course.cut_short("the vendor's state does not show it")
            }
            Some(seen) => self.course.seen(seen),
        }
    }
}

/// No time is no turn given away.
async fn rest(pause: Duration) {
    if !pause.is_zero() {
        sleep(pause).await;
    }
}

#[cfg(test)]
pub(super) mod tests;
