//! The signed log over all chains: what the host's chain has of it.

use actix::{Handler, Message};
use vyrox_domain::host_protocol::{AuditLogChange, HostCommand};
use vyrox_supervision::{Class, Classified};

use super::{ChangeReply, Registry};

/// Write down that the log began, or that another one follows it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ChangeAuditLog {
    /// What became of it.
    pub change: AuditLogChange,
    /// Answered once it is durable.
    pub reply: ChangeReply<()>,
}

impl Classified for ChangeAuditLog {
    const CLASS: Class = Class::Control;
}

impl Handler<ChangeAuditLog> for Registry {
    type Result = ();

    fn handle(&mut self, message: ChangeAuditLog, ctx: &mut Self::Context) {
        let ChangeAuditLog { change, reply } = message;
        let command = HostCommand::ChangeAuditLog(change);
        self.change(command, ctx, move |_, result, _| {
            // Whoever asked may have gone; it stands all the same.
            reply.send(result).ok();
        });
    }
}
