//! Chat, pager, mail and a model, which do as they are told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::time::Instant;
use vyrox_actors::outbound::{
    Chat, ChatError, Llm, LlmError, LlmQuestion, Mail, Mailer, Page, Pager, ReachError,
};
use vyrox_domain::{
    ids::TenantId,
    notice::{MessageRef, Notice},
};

/// How the model answers.
#[derive(Clone, Debug)]
pub(crate) enum Model {
    /// Never.
    Silent,
    /// It cannot be reached.
    Down,
    /// With this text.
    Says(&'static str),
}

/// Everything outside.
pub(crate) struct Elsewhere {
    pub(crate) chat_down: bool,
    /// Neither pager nor mail takes anything.
    pub(crate) nobody_reached: bool,
    /// What stands in chat, by message id.
    pub(crate) messages: BTreeMap<u64, Posted>,
    pub(crate) posts: u64,
    pub(crate) edits: u64,
    pub(crate) pages: Vec<(Instant, Page)>,
    pub(crate) mails: Vec<(Instant, Mail)>,
    pub(crate) model: Model,
    pub(crate) questions: Vec<LlmQuestion>,
}

pub(crate) struct Posted {
    pub(crate) notice: Notice,
    /// As it was when it was posted.
    pub(crate) quietly: bool,
    nonce: String,
}

impl Default for Elsewhere {
    fn default() -> Self {
        Self {
            chat_down: false,
            nobody_reached: false,
            messages: BTreeMap::new(),
            posts: 0,
            edits: 0,
            pages: Vec::new(),
            mails: Vec::new(),
            model: Model::Silent,
            questions: Vec::new(),
        }
    }
}

impl Elsewhere {
    fn reached(&self) -> Result<(), ReachError> {
        if self.nobody_reached {
            return Err(ReachError::Unavailable("down".into()));
        }
        Ok(())
    }
}

#[derive(Clone, Default)]
pub(crate) struct Services(Arc<Mutex<Elsewhere>>);

impl Services {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Elsewhere> {
        self.0.lock().expect("nobody panics with the lock")
    }

    fn chat(&self) -> Result<MutexGuard<'_, Elsewhere>, ChatError> {
        let elsewhere = self.lock();
        if elsewhere.chat_down {
            return Err(ChatError::Unavailable("down".into()));
        }
        Ok(elsewhere)
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
            let mut chat = services.chat()?;
            let known = chat.messages.iter().find(|(_, one)| one.nonce == nonce);
            let known = known.map(|(id, _)| *id);
            let id = known.unwrap_or_else(|| {
                chat.posts += 1;
                let (id, quietly) = (chat.posts, notice.quietly);
                let posted = Posted {
                    notice,
                    quietly,
                    nonce,
                };
                chat.messages.insert(id, posted);
                id
            });
            Ok(MessageRef {
                channel_id,
                message_id: id.to_string(),
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
        let (services, notice) = (self.clone(), notice.clone());
        let id: u64 = message.message_id.parse().expect("an id of ours");
        async move {
            let mut chat = services.chat()?;
            chat.edits += 1;
            let gone = || ChatError::Refused("unknown message".into());
            chat.messages.get_mut(&id).ok_or_else(gone)?.notice = notice;
            Ok(())
        }
        .boxed()
    }
}

impl Pager for Services {
    fn page(&self, page: &Page) -> BoxFuture<'static, Result<(), ReachError>> {
        let mut elsewhere = self.lock();
        let answer = elsewhere.reached();
        if answer.is_ok() {
            elsewhere.pages.push((Instant::now(), page.clone()));
        }
        async { answer }.boxed()
    }
}

impl Mailer for Services {
    fn mail(&self, mail: &Mail) -> BoxFuture<'static, Result<(), ReachError>> {
        let mut elsewhere = self.lock();
        let answer = elsewhere.reached();
        if answer.is_ok() {
            elsewhere.mails.push((Instant::now(), mail.clone()));
        }
        async { answer }.boxed()
    }
}

impl Llm for Services {
    fn ask(&self, question: &LlmQuestion) -> BoxFuture<'static, Result<String, LlmError>> {
        let mut elsewhere = self.lock();
        elsewhere.questions.push(question.clone());
        let model = elsewhere.model.clone();
        async move {
            match model {
                Model::Silent => std::future::pending().await,
                Model::Down => Err(LlmError::Unreachable("nobody is there".into())),
                Model::Says(text) => Ok(text.to_owned()),
            }
        }
        .boxed()
    }

    fn model(&self) -> &'static str {
        "a-model"
    }
}
