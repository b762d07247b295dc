//! Asks each witness, again and again: one checkpoint of the whole host an interval. What
//! is appended never waits for it; what is signed, and containment, wait for the first answer after a
//! start, and while a witness contradicts the log.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, WrapFuture as _};
use vyrox_supervision::SupervisedContext;

use super::{office::Office, witnessing::Next};

/// How often the actor looks whom to ask.
const LOOK: Duration = Duration::from_millis(250);
/// The first pause after an answer of no use; each one after it is twice as long.
const PAUSE_MS: u64 = 1000;
/// The longest.
const PAUSE_MAX_MS: u64 = 60_000;

/// The actor.
pub struct Witnesses {
    office: Arc<Office>,
    calls: Vec<Call>,
}

/// When a witness is asked next.
#[derive(Clone, Default)]
struct Call {
    /// When it was last asked, and how long it is left alone from then on; `None` for at once.
    left: Option<(u64, u64)>,
    in_hand: bool,
    failures: u32,
}

impl Witnesses {
    /// Nobody was asked yet.
    pub fn new(office: Arc<Office>) -> Self {
        let calls = vec![Call::default(); office.witness_count()];
        Self { office, calls }
    }

    fn look(&mut self, ctx: &mut SupervisedContext<Self>) {
        let now = self.office.now_ms();
        let mut due = Vec::new();
        for (number, call) in self.calls.iter_mut().enumerate() {
            if call.is_due(now) {
                call.in_hand = true;
                due.push(number);
            }
        }
        for number in due {
            let asked = ask(Arc::clone(&self.office), number).into_actor(self);
            ctx.spawn(asked.map(move |next, asker: &mut Self, _| asker.asked(number, next)));
        }
    }

    fn asked(&mut self, number: usize, next: Option<Next>) {
        let (now, interval) = (self.office.now_ms(), self.office.interval_ms());
        if let Some(call) = self.calls.get_mut(number) {
            call.end(next, now, interval);
        }
    }
}

impl Call {
    /// Also where the clock was set back, or far ahead.
    fn is_due(&self, now_ms: u64) -> bool {
        let rested = |(at, pause): (u64, u64)| now_ms.abs_diff(at) >= pause;
        !self.in_hand && self.left.is_none_or(rested)
    }

    fn end(&mut self, next: Option<Next>, now_ms: u64, interval_ms: u64) {
        self.in_hand = false;
        let pause = match next {
            None => LOOK.as_millis().try_into().unwrap_or(PAUSE_MS),
            Some(Next::Cosigned) => {
                self.failures = 0;
                interval_ms
            }
            Some(Next::Refused | Next::Again) => {
                let pause = PAUSE_MS.saturating_mul(1 << self.failures.min(16));
                self.failures = self.failures.saturating_add(1);
                pause.min(PAUSE_MAX_MS)
            }
        };
        self.left = Some((now_ms, pause));
    }
}

/// How often a witness may name another size before it is left alone for a while.
const ROUNDS: usize = 4;
/// All of those together; more than one answer may take.
const QUESTION: Duration = Duration::from_secs(12);

/// Asks one witness; `None` where there is nothing to ask it about.
pub(super) async fn ask(office: Arc<Office>, number: usize) -> Option<Next> {
    let rounds = tokio::time::timeout(QUESTION, rounds(&office, number)).await;
    let why = match rounds {
        Ok(Some(Next::Again)) => "it names another size whenever it is asked",
        Ok(next) => return next,
        Err(_elapsed) => "it has not come to an end of its answer in time",
    };
    let given_up = move || office.given_up(number, why);
    tokio::task::spawn_blocking(given_up).await.ok()
}

/// Asks until it is no more to be asked at once, or too often.
async fn rounds(office: &Arc<Office>, number: usize) -> Option<Next> {
    for _ in 0..ROUNDS {
        let asking = Arc::clone(office);
        let request = tokio::task::spawn_blocking(move || asking.request(number)).await;
        let request = match request.ok()? {
            Ok(request) => request?,
            Err(next) => return Some(next),
        };
        let witness = office.parts.witnessing.witnesses.get(number)?;
        let reply = witness.add_checkpoint(request.body.clone()).await;
        let judging = Arc::clone(office);
        let judged = tokio::task::spawn_blocking(move || judging.answered(number, &request, reply));
        match judged.await.ok()? {
            Next::Again => {}
            next => return Some(next),
        }
    }
    Some(Next::Again)
}

impl Actor for Witnesses {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let mut open = self.office.opened();
        let opened = async move { open.wait_for(|open| *open).await.is_ok() };
        ctx.spawn(opened.into_actor(self).map(|opened, asker, ctx| {
            if opened {
                asker.look(ctx);
                ctx.run_interval(LOOK, Self::look);
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_is_asked_ever_more_seldom_and_whoever_answers_once_an_interval() {
        let mut call = Call::default();
        assert!(call.is_due(0));
        let pauses: Vec<_> = (0..8)
            .map(|_| {
                call.end(Some(Next::Refused), 0, 5000);
                call.left.unwrap().1
            })
            .collect();
        assert_eq!(
            pauses,
            [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]
        );
        call.end(Some(Next::Cosigned), 100_000, 5000);
        assert!(!call.is_due(104_999) && call.is_due(105_000));
        assert!(call.is_due(90_000), "the clock was set back");
        call.end(Some(Next::Refused), 0, 5000);
        assert_eq!(call.left, Some((0, 1000)), "and it begins anew");
    }
}
