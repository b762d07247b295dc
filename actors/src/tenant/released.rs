//! What a machine's append sets free once it is durable, or was refused.

use vyrox_journal::AppendError;
use vyrox_supervision::Handle;

use super::Machine;
use crate::{
    intake::{Fresh, Outcome},
    messages::{AppendFailed, Assess},
    triage_engine::TriageEngine,
};

/// What a machine's append sets free.
pub(super) struct Released {
    pub(super) machine: Handle<Machine>,
    pub(super) triage: Handle<TriageEngine>,
    pub(super) epoch: u64,
}

impl Outcome for Released {
    fn durable(self: Box<Self>, fresh: Vec<Fresh>) {
        for Fresh {
            alert_id, alert, ..
        } in fresh
        {
            let machine = self.machine.clone();
            // A full lane loses nothing: the machine's sweep asks again for what is owed.
            self.triage
                .try_cast(Assess {
                    alert_id,
                    alert,
                    machine,
                })
                .ok();
        }
    }

    fn refused(self: Box<Self>, error: AppendError) {
        tell_failure(&self.machine, self.epoch, error);
    }
}

pub(super) fn tell_failure(machine: &Handle<Machine>, epoch: u64, error: AppendError) {
    // If the lane is full, an earlier failure of the same epoch stands in it.
    machine.try_cast(AppendFailed { epoch, error }).ok();
}
