//! A server that dies where it is told to.

use std::os::unix::process::ExitStatusExt as _;

use nix::sys::signal::Signal;
use serde_json::json;
use vyrox_actors::failpoint::Step;

use super::{House, start};

impl House {
    /// The server dies when it next comes to that step.
    pub(in super::super) fn die_at(&self, step: Step) {
        let order = json!({ "die_at": step.as_str(), "nth": 1 });
        let reply = self.server.api("POST", "/api/v1/faults", Some(&order));
        assert_eq!(reply.status, 204, "{reply:?}");
    }

    /// The server has died of [`Self::die_at`] and is started again; anything else ends the test.
    pub(in super::super) fn died(self) -> Self {
        let Self {
            server,
            mock,
            token,
            tenants,
            dir,
            env,
        } = self;
        let (status, log) = server.wait();
        let abort = Some(Signal::SIGABRT as i32);
        assert_eq!(status.signal(), abort, "it ended with {status}:\n{log}");
        Self {
            server: start(&dir, &env),
            mock,
            token,
            tenants,
            dir,
            env,
        }
    }
}
