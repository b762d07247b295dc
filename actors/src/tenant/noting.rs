//! What is written down beside decisions: who was turned away before the machine was asked, and who is
//! about to be shown evidence.

use actix::Handler;
use vyrox_domain::protocol::Command;

use super::{Machine, deciding::person, tell_failure};
use crate::messages::{NoteRefusal, NoteShown};

impl Handler<NoteRefusal> for Machine {
    type Result = ();

    fn handle(&mut self, message: NoteRefusal, ctx: &mut Self::Context) {
        self.idle_sweeps = 0;
        let NoteRefusal { mut refused, who } = message;
        refused.person_id = person(&self.parts.world.keyring.load(), &who);
        self.carry_out(Command::NoteRefusal(Box::new(refused)), ctx);
    }
}

impl Handler<NoteShown> for Machine {
    type Result = ();

    fn handle(&mut self, message: NoteShown, ctx: &mut Self::Context) {
        self.idle_sweeps = 0;
        let NoteShown { shown, reply } = message;
        let Some(taker) = &self.taker else { return };
        let Ok(events) = taker.decide(Command::NoteShown(shown)) else {
            return;
        };
        let (machine, epoch) = (ctx.handle(), taker.epoch);
        self.commit(&events, Vec::new(), move |durable, _| {
            if let Err(error) = &durable {
                tell_failure(&machine, epoch, error.clone());
            }
            // Whoever asked may have gone; then nothing is shown.
            reply.send(durable).ok();
        });
    }
}
