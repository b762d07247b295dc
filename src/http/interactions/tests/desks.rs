//! A desk that keeps what it was asked, and answers when the test says so.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use futures_util::future::{BoxFuture, FutureExt as _, ready};
use serde_json::{Value, json};
use tokio::sync::{
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    oneshot,
};
use vyrox_domain::ids::TenantId;

use super::super::desk::{
    Announced, Announcement, Away, Click, Decided, Desk, Look, Ordered, Promised, Said, Shown,
    TurnedAway, Verb,
};

/// What a desk was asked, in order.
#[derive(Debug)]
pub(in crate::http) enum Asked {
    Decide(Click),
    Investigate(Look),
    Command(Ordered),
    FollowUp {
        application_id: String,
        token: String,
        message: Value,
        file: Option<(String, Vec<u8>)>,
    },
    Away(Away, Option<TenantId>),
    Say(Announcement),
}

pub(in crate::http) struct Recording {
    tell: UnboundedSender<Asked>,
    /// The next decisions wait for these.
    gates: Mutex<VecDeque<oneshot::Receiver<Decided>>>,
    announced: Announced,
}

impl Recording {
    pub(in crate::http) fn open() -> (Arc<Self>, UnboundedReceiver<Asked>) {
        Self::announcing(Announced::Queued)
    }

    pub(in crate::http) fn announcing(
        announced: Announced,
    ) -> (Arc<Self>, UnboundedReceiver<Asked>) {
        let (tell, asked) = unbounded_channel();
        let gates = Mutex::default();
        let desk = Self {
            tell,
            gates,
            announced,
        };
        (Arc::new(desk), asked)
    }

    /// Lets one more of the next decisions wait until it is given.
    pub(super) fn hold(&self) -> oneshot::Sender<Decided> {
        let (give, gate) = oneshot::channel();
        self.gates.lock().expect("sound").push_back(gate);
        give
    }

    fn note(&self, asked: Asked) {
        // A test that has seen enough may be gone.
        self.tell.send(asked).ok();
    }
}

impl Desk for Recording {
    fn tenant_of_guild(&self, guild_id: &str) -> Option<TenantId> {
        let name = match guild_id {
            "290926798626357999" => "acme",
            "290926798626358000" => "globex",
            _ => return None,
        };
        name.parse().ok()
    }

    fn decide(&self, click: Click) -> BoxFuture<'static, Decided> {
        let by = "alice".to_owned();
        let at_once = match click.verb {
            Verb::Approve => Decided::Approved { by },
            Verb::Deny { .. } => Decided::Denied { by },
        };
        self.note(Asked::Decide(click));
        match self.gates.lock().expect("sound").pop_front() {
            // A test that lets go of the gate makes this future panic, as a broken desk would.
            Some(gate) => async move { gate.await.expect("a decision") }.boxed(),
            None => ready(at_once).boxed(),
        }
    }

    fn investigate(&self, look: Look) -> BoxFuture<'static, Shown> {
        self.note(Asked::Investigate(look));
        let message = json!({ "embeds": [{ "title": "CRITICAL" }] });
        let file = Some(("alert.json".to_owned(), b"{\"raw\":1}".to_vec()));
        ready(Shown::Detail { message, file }).boxed()
    }

    fn command(&self, command: Ordered) -> BoxFuture<'static, Said> {
        self.note(Asked::Command(command));
        ready(Said::Message(json!({ "content": "serving" }))).boxed()
    }

    fn follow_up(
        &self,
        to: Promised,
        message: Value,
        file: Option<(String, Vec<u8>)>,
    ) -> BoxFuture<'static, bool> {
        self.note(Asked::FollowUp {
            token: String::from_utf8_lossy(to.token.expose()).into_owned(),
            application_id: to.application_id,
            message,
            file,
        });
        ready(true).boxed()
    }

    fn turned_away(&self, away: TurnedAway) {
        self.note(Asked::Away(away.why, away.tenant));
    }

    fn knows(&self, tenant: &TenantId) -> bool {
        matches!(tenant.as_str(), "acme" | "globex")
    }

    fn say(&self, announcement: Announcement) -> BoxFuture<'static, Announced> {
        self.note(Asked::Say(announcement));
        ready(self.announced).boxed()
    }
}
