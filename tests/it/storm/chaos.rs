//! What befalls whom, drawn from a seed.

use std::{collections::BTreeMap, fmt, sync::mpsc::channel, time::Duration};

use serde_json::json;

use crate::{
    load::Dice,
    server::{Server, Tenant, now},
};

const OF_A_TENANT: [&str; 3] = ["machine", "triage_engine", "intake_writer"];
const OF_THE_HOST: [&str; 6] = [
    "registry",
    "tenants",
    "deadlines",
    "nonce_cache",
    "projector",
    "audit_writer",
];
/// One stroke in so many is at one of the host's own actors.
const HOST_ONE_IN: u64 = 4;
/// So long at the most does a handler block its thread.
const BLOCK_MS: u64 = 300;
/// Pauses between strokes.
const PAUSE_MS: (u64, u64) = (5, 120);
/// One pause in so many is used to change a secret, which the host's own actors have work with.
const CHANGE_ONE_IN: u64 = 5;

/// The storm and its dice.
pub(super) struct Chaos<'a> {
    server: &'a Server,
    tenants: &'a [Tenant],
    dice: Dice,
    done: Done,
}

/// What was done, for people to read.
#[derive(Default)]
pub(super) struct Done {
    strokes: BTreeMap<String, u64>,
    changes: BTreeMap<u16, u64>,
}

impl<'a> Chaos<'a> {
    pub(super) fn new(server: &'a Server, tenants: &'a [Tenant], dice: Dice) -> Self {
        Self {
            server,
            tenants,
            dice,
            done: Done::default(),
        }
    }

    /// Strikes for so long.
    pub(super) fn rage(mut self, time: Duration) -> Done {
        let from = now();
        // Nobody ever rings; it is the clock that is waited for.
        let (_bell, silence) = channel::<()>();
        while from.elapsed() < time {
            let pause = Duration::from_millis(self.dice.between(PAUSE_MS.0, PAUSE_MS.1));
            silence.recv_timeout(pause).ok();
            self.strike();
            if self.dice.one_in(CHANGE_ONE_IN) {
                self.change_a_secret();
            }
        }
        self.done
    }

    fn strike(&mut self) {
        let (kind, actor) = if self.dice.one_in(HOST_ONE_IN) {
            let actor = OF_THE_HOST[self.dice.index(OF_THE_HOST.len())];
            (actor, actor.to_owned())
        } else {
            let tenant = &self.tenants[self.dice.index(self.tenants.len())];
            let actor = OF_A_TENANT[self.dice.index(OF_A_TENANT.len())];
            (actor, format!("tenant/{}/{actor}", tenant.id))
        };
        let fault = match self.dice.between(0, 4) {
            0 => "panic".to_owned(),
            1 => "panic_in_started".to_owned(),
            2 => "stop".to_owned(),
            3 => "error".to_owned(),
            _ => format!("block_ms:{}", self.dice.between(1, BLOCK_MS)),
        };
        let times = u32::try_from(self.dice.between(1, 2)).expect("few");
        self.server.strike(&actor, &fault, times);
        *self.done.strokes.entry(kind.to_owned()).or_default() += 1;
    }

    /// A new secret for an entrance that nobody uses, the old one in force for a moment more.
    fn change_a_secret(&mut self) {
        let tenant = &self.tenants[self.dice.index(self.tenants.len())];
        let path = format!("/api/v1/tenants/{}/rotate-secret", tenant.id);
        let body = json!({ "vendor": "generic", "overlap_s": 1 });
        let reply = self.server.api("POST", &path, Some(&body));
        assert!(
            reply.status == 200 || (reply.status == 503 && reply.header("retry-after").is_some()),
            "a change is made or comes again: {reply:?}"
        );
        *self.done.changes.entry(reply.status).or_default() += 1;
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: u64 = self.strokes.values().sum();
        write!(
            f,
            "{all} strokes: {:?}; changes: {:?}",
            self.strokes, self.changes
        )
    }
}
