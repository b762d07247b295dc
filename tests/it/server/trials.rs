//! Faults ordered from outside, and what health tells of them.

use serde_json::{Value, json};

use super::{DEADLINE, Server, eventually};

impl Server {
    /// Lets `fault` befall the next so many messages of an actor.
    #[track_caller]
    pub(crate) fn strike(&self, actor: &str, fault: &str, times: u32) {
        let body = json!({ "actor": actor, "fault": fault, "times": times });
        let reply = self.api("POST", "/api/v1/faults", Some(&body));
        assert_eq!(reply.status, 204, "{fault} for {actor}: {reply:?}");
    }

    /// An actor as the tree shows it.
    pub(crate) fn node(&self, actor: &str) -> Value {
        self.get(&format!("/health/actors/{actor}"))
    }

    /// How a tenant is served.
    pub(crate) fn health(&self, tenant: &str) -> Value {
        self.get(&format!("/health/tenants/{tenant}"))
    }

    /// A tenant's health once `look` finds in it what the test waits for.
    #[track_caller]
    pub(crate) fn await_health(&self, tenant: &str, look: impl Fn(&Value) -> bool) -> Value {
        eventually(DEADLINE, || Some(self.health(tenant)).filter(&look))
    }

    /// An actor once it is in that state.
    #[track_caller]
    pub(crate) fn await_state(&self, actor: &str, state: &str) -> Value {
        eventually(DEADLINE, || {
            Some(self.node(actor)).filter(|node| node["state"] == state)
        })
    }
}
