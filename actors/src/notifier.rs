//! Tells people of a tenant's incidents: one chat message an incident, edited in place; pager and mail
//! when chat does not take it in time.
//!
//! However fast an incident changes, only its newest notice is kept, and one call at a time is made for
//! it. Worse incidents come first, then those that have been due longest. What is done when is decided
//! by [`vyrox_domain::sla`]; what was done is reported, so that the chain knows it. Everything here may
//! be done twice: a crash between a call and its report repeats the call under the same name (the nonce
//! of a post, the key of a page, the `Message-ID` of a mail), and the service takes it for the same.
//!
//! A generation begins with an empty board and says so ([`Report::Began`]); whoever hears it sends every
//! incident again that is not up to date.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix::{Actor, Handler};
use futures_util::{FutureExt as _, future::BoxFuture};
use vyrox_domain::{
    ids::{IncidentId, TenantId},
    notice::Notice,
    sla::{NoticeState, Slas},
    time::Timestamp,
};
use vyrox_supervision::{SupervisedContext, TimerKey};

mod messages;

mod board;
mod chat_line;
mod entry;

mod alarm;
mod alarms;
mod escalation;
mod showing;
mod words;

pub use self::messages::{Call, Expired, Forget, Refresh, Report, Show, TryChat};
use self::{board::Board, chat_line::ChatLine, entry::Entry, escalation::Escalation};
use crate::{
    outbound::{Chat, Mailer, Pager},
    ports::Clock,
};

/// The clock may be set, and a channel claimed, while we wait: no wait is longer than this.
const LOOK_AGAIN_MS: u64 = 30_000;

/// What a notifier works with.
#[derive(Clone)]
pub struct Setup {
    /// Whose notifier it is.
    pub tenant: TenantId,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// The chat service, if one is configured.
    pub chat: Option<Arc<dyn Chat>>,
    /// The pager, if one is configured.
    pub pager: Option<Arc<dyn Pager>>,
    /// The mail service, if one is configured.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// The tenant's channel, asked before each call, for a claim may come at any time.
    pub channel: Arc<dyn Fn() -> Option<String> + Send + Sync>,
    /// Where reports go. Called on the actor's thread: it must not block.
    pub report: Arc<dyn Fn(Report) + Send + Sync>,
    /// By when what is due.
    pub slas: Slas,
    /// HIGH goes to the pager too, not to mail alone.
    pub page_high: bool,
    /// What was done, counted.
    pub tally: Arc<Tally>,
}

/// What notifiers did, since the server began.
#[derive(Debug, Default)]
pub struct Tally {
    /// Messages posted.
    pub posts: AtomicU64,
    /// Messages edited.
    pub edits: AtomicU64,
    /// Calls that chat did not take.
    pub chat_failures: AtomicU64,
    /// Pages taken.
    pub pages: AtomicU64,
    /// Mails taken.
    pub mails: AtomicU64,
    /// Calls to pager or mail that failed.
    pub fallback_failures: AtomicU64,
    /// Limits that passed with nobody told.
    pub breaches: AtomicU64,
    /// Incidents let go unshown for want of room.
    pub dropped: AtomicU64,
}

/// One more.
fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The actor.
pub struct Notifier {
    setup: Setup,
    board: Board,
    chat: ChatLine,
    ways: Escalation,
    timer: Option<(Timestamp, TimerKey)>,
    /// Something was let go since there was room last, which has been said.
    full: bool,
}

impl Notifier {
    /// Nothing to show yet.
    pub fn new(setup: Setup) -> Self {
        Self {
            setup,
            board: Board::default(),
            chat: ChatLine::default(),
            ways: Escalation::default(),
            timer: None,
            full: false,
        }
    }

    /// Takes a notice in, whatever message it came with.
    fn take(&mut self, notice: Notice, stood: NoticeState, now: Timestamp) {
        let id = notice.incident_id;
        match self.board.get(id) {
            Some(entry) => {
                for report in entry.unheard(&stood) {
                    (self.setup.report)(report);
                }
                entry.take(notice, stood, now);
            }
            None => self.add(id, Entry::new(notice, stood)),
        }
    }

    /// Reports what became of an incident, and remembers it in case it is not heard.
    fn report(&mut self, id: IncidentId, report: Report) {
        if let Some(entry) = self.board.get(id) {
            entry.say(&report);
        }
        (self.setup.report)(report);
    }

    fn add(&mut self, id: IncidentId, entry: Entry) {
        let Some(gone) = self.board.add(id, entry) else {
            self.full = false;
            return;
        };
        if gone.owes() {
            count(&self.setup.tally.dropped);
            // It is handed over again before long, and often if this lasts.
            if std::mem::replace(&mut self.full, true) {
                return;
            }
            let (tenant, incident_id) = (&self.setup.tenant, gone.notice.incident_id);
            let level = gone.notice.level;
            tracing::warn!(%tenant, %incident_id, %level, "too many incidents: one is let go unshown");
            (self.setup.report)(Report::Failed {
                incident_id,
                revision: gone.notice.revision,
                why: "too many incidents wait to be shown".into(),
            });
        }
    }

    /// Does what is due, and sets the alarm clock for what comes next.
    fn turn(&mut self, ctx: &mut SupervisedContext<Self>) {
        let now = self.setup.clock.now();
        while let Some(id) = self.board.due(now) {
            self.look(id, now);
        }
        self.call_round_chat(ctx, now);
        self.call_chat(ctx, now);
        self.wind(ctx, now);
    }

    /// Decides what an incident needs now, and when to look at it again.
    fn look(&mut self, id: IncidentId, now: Timestamp) {
        if let (Some(channel), Some(entry)) = ((self.setup.channel)(), self.board.get(id)) {
            entry.belongs_in(&channel);
        }
        let wake = self.keep_limits(id, now);
        // Time that passes by the look itself must not make it look again at once, for ever.
        let wake = wake.map(|at| at.max(now.plus_ms(1)));
        self.board.place(id, wake, now);
    }

    fn wind(&mut self, ctx: &mut SupervisedContext<Self>, now: Timestamp) {
        let chat = self.board.is_waiting().then(|| {
            let back = self.chat.wakes_at().filter(|_| self.has_chat());
            back.unwrap_or_else(|| now.plus_ms(LOOK_AGAIN_MS))
        });
        let wakes = [chat, self.board.wakes_at(), self.ways.wakes_at()];
        let Some(at) = wakes.into_iter().flatten().min() else {
            return;
        };
        let at = at.clamp(now.plus_ms(1), now.plus_ms(LOOK_AGAIN_MS));
        match self.timer {
            Some((set, _)) if set <= at && set > now => return,
            Some((_, timer)) => {
                ctx.cancel(timer);
            }
            None => {}
        }
        let wait = Duration::from_millis(at.ms().saturating_sub(now.ms()));
        let timer = ctx.after(wait, |notifier, ctx| {
            notifier.timer = None;
            notifier.turn(ctx);
        });
        self.timer = Some((at, timer));
    }
}

/// Runs a call to a service: within `limit`, and whatever it does it does not take the actor along.
fn guarded<T: Send + 'static>(
    call: impl Future<Output = T> + Send + 'static,
    limit: Duration,
) -> BoxFuture<'static, Result<T, &'static str>> {
    let call = AssertUnwindSafe(call).catch_unwind();
    async move {
        match tokio::time::timeout(limit, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_panic)) => Err("the connector broke"),
            Err(_elapsed) => Err("the connector gave no answer in time"),
        }
    }
    .boxed()
}

impl Actor for Notifier {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        (self.setup.report)(Report::Began);
    }
}

impl Handler<Show> for Notifier {
    type Result = ();

    fn handle(&mut self, Show { notice, stood }: Show, ctx: &mut Self::Context) {
        let (id, now) = (notice.incident_id, self.setup.clock.now());
        self.take(notice, stood, now);
        self.look(id, now);
        self.turn(ctx);
    }
}

impl Handler<Refresh> for Notifier {
    type Result = ();

    fn handle(&mut self, Refresh { notice, stood }: Refresh, ctx: &mut Self::Context) {
        let (id, now) = (notice.incident_id, self.setup.clock.now());
        let known = self.board.has(id);
        self.take(notice, stood, now);
        if let Some(entry) = self.board.get(id).filter(|_| !known) {
            entry.recount(now);
        }
        self.look(id, now);
        self.turn(ctx);
    }
}

impl Handler<Expired> for Notifier {
    type Result = ();

    fn handle(&mut self, expired: Expired, ctx: &mut Self::Context) {
        let Expired {
            expiry,
            notice,
            stood,
        } = expired;
        let (id, now) = (notice.incident_id, self.setup.clock.now());
        self.take(notice, stood, now);
        self.tell_of_expiry(id, expiry, now);
        self.look(id, now);
        self.turn(ctx);
    }
}

impl Handler<Call> for Notifier {
    type Result = ();

    fn handle(&mut self, call: Call, ctx: &mut Self::Context) {
        let Call {
            reason,
            of,
            notice,
            stood,
        } = call;
        let (id, now) = (notice.incident_id, self.setup.clock.now());
        self.take(notice, stood, now);
        self.call_for(id, (reason, of), now);
        self.look(id, now);
        self.turn(ctx);
    }
}

impl Handler<Forget> for Notifier {
    type Result = ();

    fn handle(&mut self, Forget(id): Forget, _: &mut Self::Context) {
        self.board.remove(id);
    }
}

impl Handler<TryChat> for Notifier {
    type Result = ();

    fn handle(&mut self, _: TryChat, ctx: &mut Self::Context) {
        self.chat.try_now();
        let now = self.setup.clock.now();
        for id in self.board.ids() {
            if let Some(entry) = self.board.get(id) {
                entry.try_now();
            }
            self.look(id, now);
        }
        self.turn(ctx);
    }
}

#[cfg(test)]
mod tests;
