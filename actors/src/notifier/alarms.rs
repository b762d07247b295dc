//! The notifier's ways round chat: limits kept, pages and mails sent.

use std::{sync::Arc, time::Duration};

use actix::{ActorFutureExt as _, AsyncContext as _, WrapFuture as _};
use futures_util::future::BoxFuture;
use vyrox_domain::{
    ids::IncidentId,
    sla::{self, ChatHealth, Expiry, FallbackReason, Next, Via},
    time::Timestamp,
    triage::Verdict,
};
use vyrox_supervision::SupervisedContext;

use super::{
    Notifier, Report,
    alarm::{Alarm, Ended},
    chat_line::backoff_ms,
    count,
    entry::Entry,
    escalation::{Cause, Ticket},
    guarded, words,
};
use crate::outbound::ReachError;

/// Longer than a connector may take by its contract.
const CALL_LIMIT: Duration = Duration::from_secs(70);

impl Entry {
    /// The alarm that a ticket is for; `None` if another took its place.
    fn alarm(&mut self, cause: Cause) -> Option<&mut Alarm> {
        match cause {
            Cause::Late(rank) => self.late.as_mut().filter(|late| late.level.rank() == rank),
            Cause::Expired(action_id) => {
                let (expiry, alarm) = self.expired.as_mut()?;
                (expiry.action_id == action_id).then_some(alarm)
            }
            Cause::Called(reason, of) => {
                let mut all = self.called.iter_mut();
                let found = all.find(|(own, alarm)| *own == of && alarm.reason == reason);
                found.map(|(_, alarm)| alarm)
            }
        }
    }

    /// Notes what people have been told of by this cause's alarm.
    fn tell(&mut self, cause: Cause) {
        let Some(alarm) = self.alarm(cause).filter(|alarm| alarm.tells()) else {
            return;
        };
        let (via, failed) = alarm.outcome();
        if sla::tells(alarm.level, &via, &failed) {
            let level = alarm.level;
            self.state.fall_back(level);
        }
        if let (Cause::Expired(_), Some((expiry, _))) = (cause, &self.expired) {
            self.state.tell_expiry(expiry.at);
        }
        if let Cause::Called(reason, of) = cause {
            self.state.tell_call(reason, of);
        }
    }
}

impl Notifier {
    /// Does what the limits ask for by now. When to look again.
    pub(super) fn keep_limits(&mut self, id: IncidentId, now: Timestamp) -> Option<Timestamp> {
        let health = self.health();
        let slas = self.setup.slas;
        // A breach is said once, and then whatever else is due.
        for _ in 0..2 {
            let entry = self.board.get(id)?;
            let level = entry.notice.level;
            match slas.next(level, &entry.state, health, now) {
                Next::Nothing => return None,
                Next::WaitUntil(at) => return Some(at),
                Next::Fallback => {
                    let breaches_at = slas.breaches_at(level, &entry.state);
                    self.fall_back(id, level, now);
                    return breaches_at;
                }
                Next::Breach => self.breach(id, level),
            }
        }
        None
    }

    fn breach(&mut self, id: IncidentId, level: Verdict) {
        let Some(entry) = self.board.get(id) else {
            return;
        };
        entry.state.breach();
        count(&self.setup.tally.breaches);
        let tenant = &self.setup.tenant;
        tracing::error!(%tenant, incident_id = %id, %level, "nobody was told of an incident in time");
        let report = Report::Breached {
            incident_id: id,
            level,
        };
        self.report(id, report);
    }

    /// Goes round chat, unless that is under way at this level.
    fn fall_back(&mut self, id: IncidentId, level: Verdict, now: Timestamp) {
        let vias = self.vias(level);
        let health = self.health();
        let line_refused = self.chat.is_refused();
        let good_for = self
            .setup
            .slas
            .of(level)
            .map_or(0, |sla| sla.fallback_after_ms);
        let Some(entry) = self.board.get(id) else {
            return;
        };
        let under_way = |late: &Alarm| late.level.rank() >= level.rank();
        if entry.late.as_ref().is_some_and(under_way) {
            return;
        }
        let reason = match health {
            ChatHealth::Absent => FallbackReason::NoChat,
            ChatHealth::Up | ChatHealth::Down if entry.refused || line_refused => {
                FallbackReason::ChatRefused
            }
            ChatHealth::Up | ChatHealth::Down => FallbackReason::ChatUnavailable,
        };
        entry.late = Some(Alarm::new(level, reason, now.plus_ms(good_for), &vias));
        let tenant = &self.setup.tenant;
        let (by, reason) = (names(&vias), reason.as_str());
        if vias.is_empty() {
            tracing::error!(%tenant, incident_id = %id, %level, reason, "no pager or mail to tell of an incident");
        } else {
            tracing::warn!(%tenant, incident_id = %id, %level, reason, by, "going round chat");
        }
        self.raise(id, Cause::late(level), now);
    }

    /// Pages for an approval that ran out, only for a CRITICAL incident. One at a time: another waits until
    /// whoever asks for it asks again.
    pub(super) fn tell_of_expiry(&mut self, id: IncidentId, expiry: Expiry, now: Timestamp) {
        let Some(via) = self.vias(Verdict::Critical).first().copied() else {
            return;
        };
        let good_until = now.plus_ms(self.setup.slas.critical.within_ms);
        let Some(entry) = self.board.get(id) else {
            return;
        };
        let under_way = |(_, alarm): &(Expiry, Alarm)| !alarm.is_past(now);
        let told =
            entry.state.knows_expiry(expiry) || entry.expired.as_ref().is_some_and(under_way);
        if entry.notice.level == Verdict::Critical && !told {
            let reason = FallbackReason::ApprovalExpired;
            let alarm = Alarm::new(Verdict::Critical, reason, good_until, &[via]);
            entry.expired = Some((expiry, alarm));
            self.raise(id, Cause::Expired(expiry.action_id), now);
        }
    }

    /// Calls somebody for what became of an action, whatever the level of its incident.
    pub(super) fn call_for(
        &mut self,
        id: IncidentId,
        (reason, of): (FallbackReason, Expiry),
        now: Timestamp,
    ) {
        let Some(via) = self.vias(Verdict::Critical).first().copied() else {
            return;
        };
        let good_until = now.plus_ms(self.setup.slas.critical.within_ms);
        let Some(entry) = self.board.get(id) else {
            return;
        };
        entry.called.retain(|(_, alarm)| !alarm.is_past(now));
        let cause = Cause::Called(reason, of);
        if entry.state.knows_call(reason, of) || entry.alarm(cause).is_some() {
            return;
        }
        let alarm = Alarm::new(entry.notice.level, reason, good_until, &[via]);
        entry.called.push((of, alarm));
        self.raise(id, cause, now);
    }

    fn vias(&self, level: Verdict) -> Vec<Via> {
        let critical = level == Verdict::Critical;
        let pager = self.setup.pager.is_some() && (critical || self.setup.page_high);
        let mail = self.setup.mailer.is_some();
        let all = [(pager, Via::Pager), (mail, Via::Mail)];
        all.into_iter()
            .filter_map(|(there, via)| there.then_some(via))
            .collect()
    }

    fn raise(&mut self, incident_id: IncidentId, cause: Cause, now: Timestamp) {
        let alarm = self
            .board
            .get(incident_id)
            .and_then(|entry| entry.alarm(cause));
        for via in alarm.map(|alarm| alarm.vias()).unwrap_or_default() {
            let ticket = Ticket { incident_id, cause };
            self.ways.queue(via, ticket, now);
        }
    }

    /// Begins as many pages and mails as there is room for.
    pub(super) fn call_round_chat(&mut self, ctx: &mut SupervisedContext<Self>, now: Timestamp) {
        while let Some((via, ticket)) = self.ways.next(now) {
            let Some(call) = self.dial(via, ticket) else {
                self.ways.end(via);
                continue;
            };
            ctx.spawn(call.into_actor(self).map(move |result, notifier, ctx| {
                notifier.ways.end(via);
                notifier.reached(via, ticket, &result);
                notifier.turn(ctx);
            }));
        }
    }

    fn dial(
        &mut self,
        via: Via,
        ticket: Ticket,
    ) -> Option<BoxFuture<'static, Result<(), ReachError>>> {
        let entry = self.board.get(ticket.incident_id)?;
        if !entry.alarm(ticket.cause)?.begin(via) {
            return None;
        }
        let (tenant, notice) = (&self.setup.tenant, &entry.notice);
        let answer = match via {
            Via::Pager => {
                let pager = Arc::clone(self.setup.pager.as_ref()?);
                let page = words::page(tenant, notice, ticket.cause, self.setup.page_high);
                guarded(async move { pager.page(&page).await }, CALL_LIMIT)
            }
            Via::Mail => {
                let mailer = Arc::clone(self.setup.mailer.as_ref()?);
                let mail = words::mail(tenant, notice, ticket.cause);
                guarded(async move { mailer.mail(&mail).await }, CALL_LIMIT)
            }
        };
        Some(Box::pin(async move {
            let broken = |why: &str| Err(ReachError::Unavailable(why.to_owned()));
            answer.await.unwrap_or_else(broken)
        }))
    }

    fn reached(&mut self, via: Via, ticket: Ticket, result: &Result<(), ReachError>) {
        let now = self.setup.clock.now();
        let (id, tally) = (ticket.incident_id, &self.setup.tally);
        let ended = match result {
            Ok(()) => {
                count(match via {
                    Via::Pager => &tally.pages,
                    Via::Mail => &tally.mails,
                });
                Ended::Reached
            }
            Err(ReachError::Refused(_)) => Ended::Refused,
            Err(ReachError::Unavailable(_)) => Ended::Unavailable,
        };
        if let Err(error) = result {
            count(&tally.fallback_failures);
            let (tenant, by) = (&self.setup.tenant, via.as_str());
            tracing::error!(%tenant, incident_id = %id, by, %error, "somebody could not be reached");
        }
        let Some(entry) = self.board.get(id) else {
            return;
        };
        let Some(alarm) = entry.alarm(ticket.cause) else {
            return;
        };
        let again = alarm.end(via, ended, now);
        let by_mail = ended == Ended::Refused && via == Via::Pager && self.setup.mailer.is_some();
        if by_mail && matches!(ticket.cause, Cause::Expired(_) | Cause::Called(..)) {
            alarm.add(Via::Mail);
            self.ways.queue(Via::Mail, ticket, now);
        }
        // The report waits for the other ways; the limit is kept from now on.
        entry.tell(ticket.cause);
        if let Some(failures) = again {
            let at = now.plus_ms(backoff_ms(failures));
            self.ways.queue(via, ticket, at);
        }
        self.settle(id, ticket.cause);
        self.look(id, now);
    }

    /// Chat shows the incident: no further way round it is taken.
    pub(super) fn chat_was_in_time(&mut self, id: IncidentId) {
        let Some(entry) = self.board.get(id) else {
            return;
        };
        let Some(late) = entry
            .late
            .as_mut()
            .filter(|_| entry.state.told(entry.notice.level))
        else {
            return;
        };
        if late.is_settled() {
            // It told nobody, which was reported.
            entry.late = None;
            return;
        }
        late.give_up();
        let cause = Cause::late(late.level);
        self.settle(id, cause);
    }

    /// Reports an alarm that nothing more comes of.
    fn settle(&mut self, id: IncidentId, cause: Cause) {
        let Some(entry) = self.board.get(id) else {
            return;
        };
        let Some(alarm) = entry.alarm(cause).filter(|alarm| alarm.is_settled()) else {
            return;
        };
        let (level, reason, tells) = (alarm.level, alarm.reason, alarm.tells());
        let (via, failed) = alarm.outcome();
        let needless = alarm.is_over() && via.is_empty();
        let expired = entry.expired.as_ref().map(|(expiry, _)| *expiry);
        let expired = match cause {
            Cause::Called(_, of) => Some(of),
            Cause::Late(_) | Cause::Expired(_) => {
                expired.filter(|expiry| cause == Cause::Expired(expiry.action_id))
            }
        };
        match cause {
            Cause::Late(_) if needless => {
                entry.late = None;
                return;
            }
            // One that told nobody stays, so that no other takes its place (for an expiry: at once).
            Cause::Late(_) | Cause::Expired(_) | Cause::Called(..) if !tells => {}
            Cause::Late(_) => entry.late = None,
            Cause::Expired(_) => entry.expired = None,
            Cause::Called(reason, of) => entry
                .called
                .retain(|(own, alarm)| *own != of || alarm.reason != reason),
        }
        let report = Report::FellBack {
            incident_id: id,
            level,
            via,
            failed,
            reason,
            expired,
        };
        self.report(id, report);
    }
}

fn names(vias: &[Via]) -> String {
    let names: Vec<_> = vias.iter().map(|via| via.as_str()).collect();
    names.join("+")
}
