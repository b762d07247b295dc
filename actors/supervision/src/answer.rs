//! Which answers a handler may give: those that stay within its context.

use crate::context::Supervised;
use crate::lane::Classified;
use actix::dev::ResponseActFuture;
use actix::{ActorResponse, Addr, AtomicResponse, Handler, Message, MessageResult};
use std::sync::Arc;

/// An actor that handles `M` and answers within its context; nothing to implement.
///
/// It is the bound for code that is generic over the message it sends:
///
/// ```
/// use vyrox_supervision::{Classified, Handle, Rejected, Serves};
///
/// fn tell<A: Serves<M>, M: Classified>(whom: &Handle<A>, what: M) -> Result<(), Rejected<M>> {
///     whom.try_cast(what)
/// }
/// ```
pub trait Serves<M: Classified>: Supervised + Handler<M, Result: Contained> {}

impl<A, M> Serves<M> for A
where
    A: Supervised + Handler<M, Result: Contained>,
    M: Classified,
{
}

/// An answer that leaves nothing running outside of the context: a value, or a future that the context
/// itself polls, so that it is fenced and supervised with its actor.
///
/// actix runs a `ResponseFuture` as a task of its own. A panic in there is seen by nobody, and it goes
/// on when its generation is long over. A handle therefore does not send to such a handler:
///
/// ```compile_fail,E0277
/// # use actix::prelude::*;
/// # use vyrox_supervision::{Class, Classified, Handle, SupervisedContext};
/// # struct Clerk;
/// # impl Actor for Clerk { type Context = SupervisedContext<Self>; }
/// # #[derive(Message)]
/// # #[rtype(result = "u64")]
/// # struct Count;
/// # impl Classified for Count { const CLASS: Class = Class::Bulk; }
/// impl Handler<Count> for Clerk {
///     type Result = ResponseFuture<u64>;
///
///     fn handle(&mut self, _: Count, _: &mut Self::Context) -> Self::Result {
///         Box::pin(async { 1 })
///     }
/// }
///
/// fn count(clerk: &Handle<Clerk>) {
///     clerk.try_cast(Count).unwrap();
/// }
/// ```
///
/// A `ResponseActFuture` (or an `AtomicResponse`, which holds back the lanes until it is done) does:
///
/// ```
/// # use actix::prelude::*;
/// # use vyrox_supervision::{Class, Classified, Handle, SupervisedContext};
/// # struct Clerk;
/// # impl Actor for Clerk { type Context = SupervisedContext<Self>; }
/// # #[derive(Message)]
/// # #[rtype(result = "u64")]
/// # struct Count;
/// # impl Classified for Count { const CLASS: Class = Class::Bulk; }
/// impl Handler<Count> for Clerk {
///     type Result = ResponseActFuture<Self, u64>;
///
///     fn handle(&mut self, _: Count, _: &mut Self::Context) -> Self::Result {
///         Box::pin(async { 1 }.into_actor(self))
///     }
/// }
///
/// fn count(clerk: &Handle<Clerk>) {
///     clerk.try_cast(Count).unwrap();
/// }
/// ```
///
/// A type of one's own that is its own answer (`#[derive(MessageResponse)]`) needs one line:
///
/// ```
/// # use actix::prelude::*;
/// #[derive(MessageResponse)]
/// struct Total(u64);
///
/// impl vyrox_supervision::Contained for Total {}
/// ```
///
/// What a handle does not see is a message that an actor sends itself through actix's own
/// `ctx.notify(..)` or `ctx.notify_later(..)`; a handler that only these reach is not checked.
#[diagnostic::on_unimplemented(
    message = "a handler that answers with `{Self}` cannot be sent to: is that answer given within the context?",
    label = "the handler's answer is not `Contained`",
    note = "instead of `ResponseFuture`, which actix runs outside of the context, answer with `ResponseActFuture`: `Box::pin(future.into_actor(self))`",
    note = "a value type of your own needs one line: `impl Contained for It {{}}`"
)]
pub trait Contained {
    /// The answer has been given once the handler has returned. Nothing is lost by leaving this as it is,
    /// but a little time.
    #[doc(hidden)]
    const AT_ONCE: bool = false;
}

macro_rules! values {
    ($($value:ty)*) => { $(impl Contained for $value { const AT_ONCE: bool = true; })* };
}
values!(() bool u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 char String);

impl<T> Contained for Option<T> {
    const AT_ONCE: bool = true;
}
impl<T, E> Contained for Result<T, E> {
    const AT_ONCE: bool = true;
}
impl<T> Contained for Vec<T> {
    const AT_ONCE: bool = true;
}
impl<T> Contained for Arc<T> {
    const AT_ONCE: bool = true;
}
impl<A: actix::Actor> Contained for Addr<A> {
    const AT_ONCE: bool = true;
}
/// Carries any value: the way for tuples, which are no answers of actix's by themselves.
impl<M: Message> Contained for MessageResult<M> {
    const AT_ONCE: bool = true;
}
impl<A, T> Contained for ResponseActFuture<A, T> {}
impl<A, T> Contained for AtomicResponse<A, T> {}
impl<A, T> Contained for ActorResponse<A, T> {}
