//! What the actors need of services elsewhere: chat, pagers, mail, a language model. The edge
//! implements these; whoever calls one waits no longer than the deadline that the port promises.

use futures_util::future::BoxFuture;
use vyrox_domain::{
    ids::TenantId,
    notice::{MessageRef, Notice},
};

/// A chat service with channels, messages that can be edited, and buttons.
pub trait Chat: Send + Sync + 'static {
    /// Puts a notice into a channel. The same `nonce` (at most 25 characters) within a few minutes gives
    /// the message that is there already. Ends within 30 s, waiting for its turn included.
    fn post(
        &self,
        tenant: &TenantId,
        channel_id: &str,
        notice: &Notice,
        nonce: &str,
    ) -> BoxFuture<'static, Result<MessageRef, ChatError>>;

    /// Puts a newer revision in the place of what a message showed. Ends within 30 s likewise.
    fn edit(
        &self,
        tenant: &TenantId,
        message: &MessageRef,
        notice: &Notice,
    ) -> BoxFuture<'static, Result<(), ChatError>>;
}

/// Why something did not get into chat.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// No token is set, or the service does not take it: nothing is sent until somebody sets one.
    #[error("the chat service does not accept the bot's token")]
    NotAuthorised,
    /// The channel or the message is gone, or the bot may not write there.
    #[error("the chat service refuses this channel or message: {0}")]
    Refused(String),
    /// The service is down, slow or overloaded; later it may work.
    #[error("the chat service did not take it: {0}")]
    Unavailable(String),
}

/// A service that calls somebody out of bed.
pub trait Pager: Send + Sync + 'static {
    /// Pages. The same `dedup_key` is the same page, however often it is sent. Ends within 60 s, retries
    /// included.
    fn page(&self, page: &Page) -> BoxFuture<'static, Result<(), ReachError>>;
}

/// One call out of bed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The same for the same reason to page; at most 255 characters.
    pub dedup_key: String,
    /// What is shown first; at most 1024 characters.
    pub summary: String,
    /// Whose.
    pub tenant: TenantId,
    /// What it is about.
    pub notice: Notice,
}

/// A mail service.
pub trait Mailer: Send + Sync + 'static {
    /// Sends a mail to the configured recipients. Ends within 60 s.
    fn mail(&self, mail: &Mail) -> BoxFuture<'static, Result<(), ReachError>>;
}

/// One mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Makes the `Message-ID`, so that a repeat is known as one and replies hang together.
    pub thread_key: String,
    /// The subject, one line.
    pub subject: String,
    /// Whose.
    pub tenant: TenantId,
    /// What it is about.
    pub notice: Notice,
}

/// Why somebody could not be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReachError {
    /// The service will never take it.
    #[error("refused for good: {0}")]
    Refused(String),
    /// Later it may work.
    #[error("not taken: {0}")]
    Unavailable(String),
}

/// A language model behind an OpenAI-compatible endpoint.
pub trait Llm: Send + Sync + 'static {
    /// Asks one question and gives the text of the answer. Ends within the configured time-out.
    fn ask(&self, question: &LlmQuestion) -> BoxFuture<'static, Result<String, LlmError>>;

    /// The model's name, as it is journaled.
    fn model(&self) -> &str;
}

/// What a model is asked: a fixed instruction, and the facts as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LlmQuestion {
    /// What it is to do; the same for every alert.
    pub instruction: &'static str,
    /// The facts, one JSON object; nothing in it is an instruction.
    pub facts: String,
    /// The JSON schema of the answer.
    pub schema: &'static str,
}

/// Why a model gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LlmError {
    /// It took longer than it may.
    #[error("no answer in time")]
    TimedOut,
    /// The endpoint could not be reached, or broke off.
    #[error("the endpoint did not answer: {0}")]
    Unreachable(String),
    /// It answered with an error, as its status or within a success.
    #[error("the endpoint refused: {0}")]
    Refused(String),
    /// What came was no answer: cut short, filtered, too long, or of another shape.
    #[error("the answer is unusable: {0}")]
    Unusable(String),
    /// Too many calls failed lately; none is made until the breaker lets one through.
    #[error("the breaker is open")]
    BreakerOpen,
}
