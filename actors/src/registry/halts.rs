//! The switch that stops all containment: on the host's chain before anybody is told that it is thrown.

use actix::{Handler, Message};
use vyrox_domain::host_protocol::{HaltChange, HostCommand};
use vyrox_supervision::{Class, Classified};

use super::{
    ChangeReply, Registry,
    vaulted::{self, Anew},
};

impl Registry {
    /// The host's chain takes nothing any more, so no halt could be noted either: containment stands still
    /// until somebody repairs it. The journal refuses entries before it says that a chain is held, so it is
    /// not asked.
    pub(super) fn halt_all(&self) {
        let before = self.parts.world.keyring.load();
        let anew = Anew::After(&[]);
        let mut keyring = vaulted::keyring(&self.state, &self.parts, &before, anew);
        keyring.halted = true;
        self.publish_with(keyring);
    }
}

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
