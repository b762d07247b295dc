//! The actor at work: it enters each request in its ledger and answers, at once or later.

use crate::storms::ledger::Ledger;
use actix::fut;
use actix::prelude::*;
use std::time::Duration;
use vyrox_supervision::{Class, Classified, SupervisedContext};

pub(super) struct Clerk {
    pub(super) ledger: Ledger,
}

impl Actor for Clerk {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.every(Duration::from_mins(10), |clerk, _| clerk.ledger.ticked());
    }
}

/// What is asked of a clerk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) number: u64,
    pub(super) work: Work,
}

/// How it answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    AtOnce,
    After(Duration),
    /// After a pause in which it takes no other message.
    Alone(Duration),
}

pub(super) struct Control(pub(super) Request);
pub(super) struct Containment(pub(super) Request);
pub(super) struct Bulk(pub(super) Request);

macro_rules! request {
    ($name:ident) => {
        impl Message for $name {
            type Result = u64;
        }

        impl Classified for $name {
            const CLASS: Class = Class::$name;
        }

        impl Handler<$name> for Clerk {
            type Result = ResponseActFuture<Self, u64>;

            fn handle(&mut self, message: $name, ctx: &mut Self::Context) -> Self::Result {
                self.handle_request(Class::$name, message.0, ctx)
            }
        }
    };
}
request!(Control);
request!(Containment);
request!(Bulk);

impl Clerk {
    fn handle_request(
        &mut self,
        class: Class,
        Request { number, work }: Request,
        ctx: &mut SupervisedContext<Self>,
    ) -> ResponseActFuture<Self, u64> {
        self.ledger.handled(class, number);
        match work {
            Work::AtOnce => Box::pin(fut::ready(number)),
            Work::After(pause) => {
                let pause = tokio::time::sleep(pause).into_actor(self);
                Box::pin(pause.map(move |(), _, _| number))
            }
            Work::Alone(pause) => {
                ctx.wait(tokio::time::sleep(pause).into_actor(self));
                Box::pin(fut::ready(number))
            }
        }
    }
}
