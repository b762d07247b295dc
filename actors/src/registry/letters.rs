//! What an operator orders about dead letters: on the host's chain before it is done.

use actix::{Handler, Message};
use vyrox_domain::host_protocol::{HostCommand, LetterSettled};
use vyrox_supervision::{Class, Classified};

use super::{ChangeReply, Registry};

/// Write down what becomes of a dead letter.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SettleLetter {
    /// What, of which letter, by whose order.
    pub settled: LetterSettled,
    /// Answered once it is durable; the order may be carried out then.
    pub reply: ChangeReply<()>,
}

impl Classified for SettleLetter {
    const CLASS: Class = Class::Containment;
}

impl Handler<SettleLetter> for Registry {
    type Result = ();

    fn handle(&mut self, message: SettleLetter, ctx: &mut Self::Context) {
        let SettleLetter { settled, reply } = message;
        self.change(
            HostCommand::SettleLetter(settled),
            ctx,
            move |_, result, _| {
                // Whoever asked may have gone; the letter is then where it was.
                reply.send(result).ok();
            },
        );
    }
}
