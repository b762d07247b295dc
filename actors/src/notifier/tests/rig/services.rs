//! Chat, pager, mail and clock, as they are told to be.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::time::{Instant, sleep};
use vyrox_domain::{
    ids::{IncidentId, TenantId},
    notice::{MessageRef, Notice},
    time::Timestamp,
};

use super::{Message, Outside, T0};
use crate::{
    outbound::{Chat, ChatError, Mail, Mailer, Page, Pager, ReachError},
    ports::Clock,
};

#[derive(Clone)]
pub(super) struct Services(pub(super) Arc<Mutex<Outside>>);

impl Services {
    pub(super) fn lock(&self) -> MutexGuard<'_, Outside> {
        self.0.lock().expect("nobody panics with the lock")
    }

    fn begin(&self, id: IncidentId) -> (Duration, Duration) {
        let mut outside = self.lock();
        let now = outside.now();
        outside.chat_calls.push((now, id));
        outside.under_way += 1;
        outside.under_way_max = outside.under_way_max.max(outside.under_way);
        (outside.chat_takes, outside.answer_takes)
    }
}

/// Ends with the call, also when the call is dropped.
struct UnderWay(Services);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.lock().under_way -= 1;
    }
}

impl Chat for Services {
    fn post(
        &self,
        _: &TenantId,
        channel_id: &str,
        notice: &Notice,
        nonce: &str,
    ) -> BoxFuture<'static, Result<MessageRef, ChatError>> {
        let (services, notice) = (self.clone(), notice.clone());
        let (channel_id, nonce) = (channel_id.to_owned(), nonce.to_owned());
        async move {
            let (takes, answer) = services.begin(notice.incident_id);
            let _under_way = UnderWay(services.clone());
            sleep(takes).await;
            let cursed = services.lock().chat_panics_over;
            assert_ne!(cursed, Some(notice.incident_id), "unlucky");
            let message_id = {
                let mut outside = services.lock();
                if let Some(error) = &outside.chat_error {
                    return Err(error.clone());
                }
                assert!(nonce.len() <= 25, "{nonce}");
                if let Some(known) = outside.by_nonce.get(&nonce) {
                    known.clone()
                } else {
                    outside.posts += 1;
                    let id = outside.posts.to_string();
                    outside.by_nonce.insert(nonce.clone(), id.clone());
                    let message = Message {
                        quietly: notice.quietly,
                        notice,
                        nonce,
                    };
                    outside.messages.insert(id.clone(), message);
                    id
                }
            };
            sleep(answer).await;
            Ok(MessageRef {
                channel_id,
                message_id,
            })
        }
        .boxed()
    }

    fn edit(
        &self,
        _: &TenantId,
        message: &MessageRef,
        notice: &Notice,
    ) -> BoxFuture<'static, Result<(), ChatError>> {
        let (services, notice, message) = (self.clone(), notice.clone(), message.clone());
        async move {
            let (takes, _) = services.begin(notice.incident_id);
            let _under_way = UnderWay(services.clone());
            sleep(takes).await;
            let mut outside = services.lock();
            if let Some(error) = &outside.chat_error {
                return Err(error.clone());
            }
            let shown = outside.messages.get_mut(&message.message_id);
            let Some(shown) = shown else {
                return Err(ChatError::Refused("unknown message".into()));
            };
            shown.notice = notice;
            outside.edits += 1;
            Ok(())
        }
        .boxed()
    }
}

impl Pager for Services {
    fn page(&self, page: &Page) -> BoxFuture<'static, Result<(), ReachError>> {
        let (services, page) = (self.clone(), page.clone());
        async move {
            let mut outside = services.lock();
            let now = outside.now();
            if let Some(error) = &outside.pager_error {
                return Err(error.clone());
            }
            outside.pages.push((now, page));
            Ok(())
        }
        .boxed()
    }
}

impl Mailer for Services {
    fn mail(&self, mail: &Mail) -> BoxFuture<'static, Result<(), ReachError>> {
        let (services, mail) = (self.clone(), mail.clone());
        async move {
            let mut outside = services.lock();
            let now = outside.now();
            if let Some(error) = &outside.mail_error {
                return Err(error.clone());
            }
            outside.mails.push((now, mail));
            Ok(())
        }
        .boxed()
    }
}

pub(super) struct Paused(pub(super) Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        let passed = self.0.elapsed().as_millis();
        T0.plus_ms(u64::try_from(passed).expect("a test's time"))
    }
}
