//! Takes calls, has each wait for its turn, sends it, and tries again what may work later. One task a bot
//! asks the queue what to do next; each request under way is a task beside it, on the runtime that the bot
//! was started on: a caller whose own thread is stuck holds nobody else's connection.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
    time::{Instant, sleep_until, timeout},
};
use vyrox_actors::outbound::ChatError;

use super::{
    TokenSource,
    halts::{Halt, Halts},
    limits::{Limits, Told},
    queue::{Lane, Queue, Step, Ticket, Waiting},
    wire::{Answer, Call, End, Wire},
};
use crate::config::{DiscordConfig, Secret};

/// First and longest pause before what went wrong is tried again.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(4);

/// How much later than the queue a caller gives up, so that it learns why.
const GRACE: Duration = Duration::from_millis(500);

/// All that goes to Discord goes through here.
pub(super) struct Dispatch {
    queue: Mutex<Queue<Job>>,
    halts: Mutex<Halts>,
    changed: Arc<Notify>,
    wire: Wire,
    token: TokenSource,
    attempt: Duration,
    give_up: Duration,
    begin: Instant,
}

struct Job {
    call: Call,
    tries: u32,
    reply: oneshot::Sender<Result<Value, ChatError>>,
}

impl Dispatch {
    /// Starts it on the runtime that this is called in. It ends when the last handle is dropped.
    ///
    /// # Errors
    /// There is no runtime, or HTTP can't be set up.
    pub(super) fn start(settings: &DiscordConfig, token: TokenSource) -> anyhow::Result<Arc<Self>> {
        let home = Handle::try_current()?;
        let limits = Limits::new(settings.per_s);
        let dispatch = Arc::new(Self {
            queue: Mutex::new(Queue::new(limits, settings.queue_per_tenant)),
            halts: Mutex::default(),
            changed: Arc::default(),
            wire: Wire::new(settings)?,
            token,
            attempt: Duration::from_millis(settings.attempt_ms),
            give_up: Duration::from_millis(settings.give_up_ms),
            begin: Instant::now(),
        });
        let changed = Arc::clone(&dispatch.changed);
        home.spawn(drive(Arc::downgrade(&dispatch), changed));
        Ok(dispatch)
    }

    /// Sends a call when its turn comes; ends within the time that the settings give it.
    pub(super) fn submit(
        &self,
        lane: Lane,
        call: Call,
    ) -> BoxFuture<'static, Result<Value, ChatError>> {
        let now = self.now();
        let (reply, answer) = oneshot::channel();
        let token = (self.token)();
        if let Some(error) = self.refusal(&call, token.as_ref(), now) {
            return Box::pin(async { Err(error) });
        }
        let route = call.route.clone();
        let waiting = Waiting {
            job: Job {
                call,
                tries: 0,
                reply,
            },
            route,
            not_before: now,
            deadline: now + self.give_up,
        };
        if !self.enqueue(lane, waiting) {
            let why = "too many messages wait already".to_owned();
            return Box::pin(async { Err(ChatError::Unavailable(why)) });
        }
        self.changed.notify_one();
        let patience = self.give_up + GRACE;
        Box::pin(async move {
            let ended = timeout(patience, answer).await.ok().and_then(Result::ok);
            ended.unwrap_or_else(|| Err(late()))
        })
    }

    /// How many wait, and how many requests were refused in the last ten minutes.
    pub(super) fn state(&self) -> (usize, usize) {
        let waiting = lock(&self.queue).waiting();
        (waiting, lock(&self.halts).invalid(self.now()))
    }

    fn enqueue(&self, lane: Lane, waiting: Waiting<Job>) -> bool {
        let mut queue = lock(&self.queue);
        if !queue.is_full(&lane) {
            return queue.push(lane, waiting).is_ok();
        }
        drop(queue.take(|job| job.reply.is_closed()));
        queue.push(lane, waiting).is_ok()
    }

    /// Does what can be done now; gives the moment to come back at, if there is one.
    fn step(self: &Arc<Self>) -> Option<Duration> {
        loop {
            let step = lock(&self.queue).next(self.now());
            match step {
                Step::Start(ticket, waiting) => {
                    let this = Arc::clone(self);
                    // It ends by itself within the time of one try.
                    drop(tokio::spawn(this.attempt(ticket, waiting)));
                }
                Step::Late(job) => answer(job, Err(late())),
                Step::Until(at) => return Some(at),
                Step::Idle => return None,
            }
        }
    }

    async fn attempt(self: Arc<Self>, ticket: Ticket, waiting: Waiting<Job>) {
        let now = self.now();
        let token = (self.token)();
        let call = &waiting.job.call;
        let gone = waiting.job.reply.is_closed();
        let refusal = self.refusal(call, token.as_ref(), now);
        let Some(error) = refusal.or_else(|| gone.then(late)) else {
            let time = self.attempt.min(waiting.deadline.saturating_sub(now));
            let answer = self.wire.send(call, token.as_ref(), time).await;
            self.note(call, token.as_ref(), &answer.end);
            return self.conclude(ticket, waiting, answer);
        };
        self.finish(ticket, waiting, &Told::default(), Err(error));
    }

    /// Why a call is not sent at all.
    fn refusal(&self, call: &Call, token: Option<&Secret>, now: Duration) -> Option<ChatError> {
        if !call.as_bot {
            return None;
        }
        let Some(token) = token else {
            return Some(ChatError::NotAuthorised);
        };
        let halt = lock(&self.halts).stands(token, &call.route.place, now)?;
        Some(match halt {
            Halt::Token => ChatError::NotAuthorised,
            Halt::Place => refused(403, None),
            Halt::Crowded => ChatError::Unavailable("too much was refused lately".into()),
        })
    }

    /// Remembers what must not be asked again.
    fn note(&self, call: &Call, token: Option<&Secret>, end: &End) {
        let now = self.now();
        let mut halts = lock(&self.halts);
        match (end, token.filter(|_| call.as_bot)) {
            // A 403 without a code of Discord's is its gatekeeper's: for the whole bot.
            (End::Refused(401, _) | End::Refused(403, None), Some(token)) => {
                halts.reject(token, now);
                drop(halts);
                tracing::warn!(
                    "Discord refuses the bot's token: nothing is sent until there is another, or for 5 minutes"
                );
                self.turn_all_away();
            }
            (End::Refused(403, Some(code)), Some(_)) => {
                halts.close(&call.route.place, now);
                let place = &call.route.place;
                tracing::warn!(
                    code,
                    place,
                    "Discord lets the bot not write there: paused for 5 minutes"
                );
            }
            (End::Refused(401 | 403, _) | End::Limited { ours: true }, _) => halts.count(now),
            _ => {}
        }
    }

    /// Tells all who wait with a refused token, instead of trying each.
    fn turn_all_away(&self) {
        for job in lock(&self.queue).take(|job| job.call.as_bot) {
            answer(job, Err(ChatError::NotAuthorised));
        }
    }

    fn conclude(&self, ticket: Ticket, mut waiting: Waiting<Job>, answer: Answer) {
        let Answer { told, end } = answer;
        let now = self.now();
        let later = match &end {
            End::Limited { .. } => told.wait.map(|wait| now + wait.time),
            End::Trouble { unsent, .. } if *unsent || waiting.job.call.repeatable => {
                Some(now + pause(waiting.job.tries))
            }
            End::Taken(_) | End::Refused(..) | End::Trouble { .. } => None,
        };
        let result = match end {
            End::Taken(value) => Ok(value),
            End::Refused(401, _) | End::Refused(403, None) if waiting.job.call.as_bot => {
                Err(ChatError::NotAuthorised)
            }
            End::Refused(status, code) => Err(refused(status, code)),
            End::Limited { .. } => Err(ChatError::Unavailable("it asks to slow down".into())),
            End::Trouble { cause, .. } => Err(ChatError::Unavailable(cause)),
        };
        match later.filter(|at| *at < waiting.deadline) {
            Some(at) => {
                waiting.not_before = at;
                waiting.job.tries = waiting.job.tries.saturating_add(1);
                lock(&self.queue).again(ticket, waiting, now, &told);
                self.changed.notify_one();
            }
            None => self.finish(ticket, waiting, &told, result),
        }
    }

    fn finish(
        &self,
        ticket: Ticket,
        waiting: Waiting<Job>,
        told: &Told,
        result: Result<Value, ChatError>,
    ) {
        lock(&self.queue).done(ticket, &waiting.route, self.now(), told);
        answer(waiting.job, result);
        self.changed.notify_one();
    }

    fn now(&self) -> Duration {
        self.begin.elapsed()
    }
}

impl Drop for Dispatch {
    fn drop(&mut self) {
        self.changed.notify_one();
    }
}

/// Runs until the dispatch is dropped; holds it only while it does something.
async fn drive(dispatch: Weak<Dispatch>, changed: Arc<Notify>) {
    loop {
        let Some(at) = dispatch.upgrade().map(|this| (this.step(), this.begin)) else {
            return;
        };
        match at {
            (Some(wake), begin) => tokio::select! {
                () = changed.notified() => {}
                () = sleep_until(begin + wake) => {}
            },
            (None, _) => changed.notified().await,
        }
    }
}

/// Full jitter over a doubling pause, so that those who failed together do not come back together.
fn pause(tries: u32) -> Duration {
    let longest = PAUSE.saturating_mul(1 << tries.min(8)).min(PAUSE_MAX);
    let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(rand::random_range(longest / 2..=longest))
}

/// What a refusal means, in words of ours: Discord's own text may repeat what an alert said.
fn refused(status: u16, code: Option<u64>) -> ChatError {
    let meaning = match code {
        Some(10003) => "there is no such channel",
        Some(10004) => "there is no such server",
        Some(10008) => "there is no such message",
        Some(10015 | 10062 | 50027) => "the interaction is over",
        Some(50001) => "the bot does not see this channel",
        Some(50013) => "the bot lacks a permission in this channel",
        Some(50035) => "the message has a form that Discord does not take",
        _ if status == 403 => "the bot may not do that here",
        _ => "Discord does not take it",
    };
    let code = code.map_or_else(
        || status.to_string(),
        |code| format!("{status}, code {code}"),
    );
    ChatError::Refused(format!("{meaning} ({code})"))
}

fn late() -> ChatError {
    ChatError::Unavailable("its time was over before its turn or its answer came".into())
}

/// A caller that does not wait any more needs no answer.
fn answer(job: Job, result: Result<Value, ChatError>) {
    drop(job.reply.send(result));
}

/// A panic elsewhere while it was held leaves nothing half done that a next caller could trip over.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
