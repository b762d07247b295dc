//! The switch that stops all containment: on the host's chain before anybody is told that it is thrown.

use actix::{Handler, Message};
use vyrox_domain::host_protocol::{HaltChange, HostCommand};
use vyrox_supervision::{Class, Classified};

use super::{ChangeReply, Registry};

/// Halt containment, or resume it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ChangeHalt {
    /// Which way, for whom, and who asks.
    pub change: HaltChange,
    /// Answered once it is durable; whoever looks at the keyring then sees it.
    pub reply: ChangeReply<()>,
}

impl Classified for ChangeHalt {
    const CLASS: Class = Class::Control;
}

impl Handler<ChangeHalt> for Registry {
    type Result = ();

    fn handle(&mut self, message: ChangeHalt, ctx: &mut Self::Context) {
        let ChangeHalt { change, reply } = message;
        let command = HostCommand::ChangeHalt(change);
        self.change(command, ctx, move |_, result, _| {
            // Whoever asked may have gone; the switch is thrown all the same.
            reply.send(result).ok();
        });
    }
}
