//! What a reader of the tree sees.

use crate::spec::Strategy;
use serde::Serialize;

/// One node of the tree and everything under it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Unique in the tree.
    pub id: String,
    /// What it is.
    pub kind: &'static str,
    /// What it does at this moment.
    pub state: State,
    /// How many lives the actor has had; 0 for a node without an actor.
    pub generation: u64,
    /// Unix milliseconds at which the current generation (or the node) began.
    #[serde(rename = "started_at")]
    pub started_at_ms: Option<u64>,
    /// The queue.
    pub mailbox: Mailbox,
    /// Messages taken from the queue and given to a handler.
    pub handled: u64,
    /// 99th percentile of the recent waiting times in the queue, in microseconds.
    pub queue_wait_us_p99: u64,
    /// Generations that followed a fall; planned moves do not count.
    pub restarts: u64,
    /// The last crash or stall.
    pub last_crash: Option<Crash>,
    /// Unix milliseconds at which the next generation (or the owner's next probe) is due.
    #[serde(rename = "next_restart_at")]
    pub next_restart_at_ms: Option<u64>,
    /// Messages that went to the dead letters.
    pub poisoned: u64,
    /// What the actor says of itself: what it waits for, say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Of a supervisor: who restarts with a child that fell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// The nodes under this one, by id.
    pub children: Vec<Self>,
}

/// What a node does at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// In service.
    Running,
    /// Put to rest by its owner, to be started by the next message.
    Passive,
    /// Between a fall and the next generation.
    BackingOff,
    /// Given up after too many falls, or suspended by its owner.
    Suspended,
    /// Ended.
    Stopped,
    /// Its arbiter has been stuck in one poll for longer than the watchdog allows.
    Stalled,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Running,
        Self::Passive,
        Self::BackingOff,
        Self::Suspended,
        Self::Stopped,
        Self::Stalled,
    ];
}

/// The queue of an actor, all lanes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Mailbox {
    /// Messages that wait.
    pub depth: usize,
    /// Messages that may wait.
    pub capacity: usize,
    /// Messages that were not admitted, for any reason.
    pub rejected: u64,
}

/// The end of a generation that nobody wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Crash {
    /// Unix milliseconds.
    #[serde(rename = "at")]
    pub at_ms: u64,
    /// The message type that was being handled, or what else ran: a timer, `started`, the factory.
    pub message: &'static str,
    /// The panic's text, or `stalled`.
    pub panic: String,
    /// `file:line:column`; unknown without [`crate::install_panic_hook`].
    pub location: Option<String>,
}

impl Crash {
    /// What fell is not known.
    pub(crate) const fn unknown() -> Self {
        Self {
            at_ms: 0,
            message: "no message",
            panic: String::new(),
            location: None,
        }
    }

    pub(crate) fn summary(&self) -> String {
        format!("{} (in {})", self.panic, self.message)
    }
}
