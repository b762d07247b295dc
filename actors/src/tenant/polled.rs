//! How far the tenant's vendors were polled.

use actix::Handler;
use vyrox_domain::protocol::Command;

use super::Machine;
use crate::messages::{NotePolled, WherePolled};

impl Handler<WherePolled> for Machine {
    type Result = ();

    fn handle(&mut self, message: WherePolled, _: &mut Self::Context) {
        if let Some(taker) = &self.taker {
            message.answer(&taker.state);
        }
    }
}

impl Handler<NotePolled> for Machine {
    type Result = ();

    fn handle(&mut self, NotePolled(polled): NotePolled, ctx: &mut Self::Context) {
        self.carry_out(Command::NotePolled(polled), ctx);
    }
}
