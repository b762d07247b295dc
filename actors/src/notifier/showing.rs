//! The notifier's calls to chat.

use std::{sync::Arc, time::Duration};

use actix::{ActorFutureExt as _, AsyncContext as _, WrapFuture as _};
use vyrox_domain::{
    ids::IncidentId,
    notice::{MessageRef, Notice},
    sla::ChatHealth,
    time::Timestamp,
};
use vyrox_supervision::SupervisedContext;

use super::{Notifier, Report, count, entry, guarded, words::nonce};
use crate::outbound::{Chat, ChatError};

/// Longer than a connector may take by its contract.
const CALL_LIMIT: Duration = Duration::from_secs(35);

/// A call that ended.
struct Ended {
    notice: Notice,
    /// The message that was to be edited.
    edited: Option<MessageRef>,
    result: Result<MessageRef, ChatError>,
}

impl Notifier {
    /// How chat is for this tenant.
    pub(super) fn health(&self) -> ChatHealth {
        if self.has_chat() {
            self.chat.health()
        } else {
            ChatHealth::Absent
        }
    }

    /// Whether the tenant has a channel.
    pub(super) fn has_chat(&self) -> bool {
        self.line().is_some()
    }

    fn line(&self) -> Option<(Arc<dyn Chat>, String)> {
        let chat = self.setup.chat.as_ref()?;
        Some((Arc::clone(chat), (self.setup.channel)()?))
    }

    /// Begins as many calls as there is room for.
    pub(super) fn call_chat(&mut self, ctx: &mut SupervisedContext<Self>, now: Timestamp) {
        if !self.board.is_waiting() || !self.chat.room(now).edit {
            return;
        }
        let Some((chat, channel)) = self.line() else {
            return;
        };
        while let Some(id) = self
            .board
            .next(self.chat.room(now), self.chat.last_failed())
        {
            let Some(entry) = self.board.get(id) else {
                break;
            };
            let call = entry.begin();
            let post = call.message.is_none();
            self.chat.begin(post);
            self.look(id, now);
            let sent = self.send(&chat, &channel, call);
            ctx.spawn(sent.into_actor(self).map(move |ended, notifier, ctx| {
                notifier.chat.end(post);
                notifier.chat_ended(id, ended);
                notifier.turn(ctx);
            }));
        }
    }

    fn send(
        &self,
        chat: &Arc<dyn Chat>,
        channel: &str,
        call: entry::Call,
    ) -> impl Future<Output = Ended> + use<> {
        let (tenant, chat) = (self.setup.tenant.clone(), Arc::clone(chat));
        let channel = channel.to_owned();
        let entry::Call {
            notice,
            message: edited,
            attempt,
        } = call;
        async move {
            let (sent, message) = (notice.clone(), edited.clone());
            let asked = async move {
                if let Some(message) = message {
                    let edit = chat.edit(&tenant, &message, &sent).await;
                    edit.map(|()| message)
                } else {
                    let nonce = nonce(sent.incident_id, attempt);
                    chat.post(&tenant, &channel, &sent, &nonce).await
                }
            };
            let result = guarded(asked, CALL_LIMIT).await;
            Ended {
                notice,
                edited,
                result: result.unwrap_or_else(|why| Err(ChatError::Unavailable(why.into()))),
            }
        }
    }

    fn chat_ended(&mut self, id: IncidentId, ended: Ended) {
        let now = self.setup.clock.now();
        match ended.result {
            Ok(message) => {
                let edited = ended.edited.is_some();
                let tally = &self.setup.tally;
                count(if edited { &tally.edits } else { &tally.posts });
                self.chat.answered();
                self.shown(id, &ended.notice, message);
            }
            Err(error) => {
                count(&self.setup.tally.chat_failures);
                self.refused(id, ended.edited, &error);
            }
        }
        self.look(id, now);
    }

    fn shown(&mut self, id: IncidentId, notice: &Notice, message: MessageRef) {
        let now = self.setup.clock.now();
        // One that was let go meanwhile has a message all the same, which has to be known.
        let entry = self.board.get(id);
        if entry.is_some_and(|entry| !entry.shown(notice, message.clone(), now)) {
            return;
        }
        let report = Report::Shown {
            incident_id: id,
            revision: notice.revision,
            level: notice.level,
            message,
            shown: entry::waiting(notice).map(|one| one.digest).collect(),
            quietly: notice.quietly,
        };
        self.report(id, report);
        self.chat_was_in_time(id);
    }

    fn refused(&mut self, id: IncidentId, edited: Option<MessageRef>, error: &ChatError) {
        let now = self.setup.clock.now();
        let lost = matches!(error, ChatError::Refused(_))
            .then_some(edited)
            .flatten();
        if lost.is_some() {
            // The service is there, the message is not.
            self.chat.answered();
        } else {
            self.chat.failed(error, id, now);
        }
        let tenant = &self.setup.tenant;
        let Some(entry) = self.board.get(id) else {
            return;
        };
        let news = entry.failed(now);
        if let Some(message) = lost {
            entry.lost(message, now);
        }
        if news {
            tracing::warn!(%tenant, incident_id = %id, %error, "chat does not show an incident");
            (self.setup.report)(Report::Failed {
                incident_id: id,
                revision: entry.notice.revision,
                why: error.to_string(),
            });
        }
    }
}
