//! How a child is to be supervised.

use crate::lane::{Class, Lane, Overflow};
use std::time::Duration;

/// Names a child of the tree and says how to supervise it.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Unique in the tree; `/` separates levels (`tenant/acme/machine`).
    pub id: String,
    /// What it is, for a reader of the tree (`machine`).
    pub kind: &'static str,
    /// The node it hangs under; without one, the longest registered prefix of `id`, else the root.
    pub parent: Option<String>,
    /// Bounds, restarts and deadlines.
    pub policy: Policy,
}

impl Spec {
    /// A child with the default policy, placed by its id.
    pub fn new(id: impl Into<String>, kind: &'static str) -> Self {
        Self {
            id: id.into(),
            kind,
            parent: None,
            policy: Policy::default(),
        }
    }

    /// Hangs the child under `parent`, which must be registered before it.
    #[must_use]
    pub fn under(mut self, parent: impl Into<String>) -> Self {
        self.parent = Some(parent.into());
        self
    }

    /// Supervises the child by `policy`.
    #[must_use]
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }
}

/// Names a supervisor of the tree and says what it does when one of its children falls.
///
/// Its children are the actors and supervisors that are placed under it, in the order in which they came.
/// It has no thread and no queue of its own: it is a rule that the falls of its children are judged by.
#[derive(Clone, Debug)]
pub struct Group {
    /// Unique in the tree; `/` separates levels (`tenant/acme`).
    pub id: String,
    /// What it is, for a reader of the tree (`tenant`).
    pub kind: &'static str,
    /// As in [`Spec::parent`].
    pub parent: Option<String>,
    /// Who restarts with a child that fell.
    pub strategy: Strategy,
    /// More falls than this within `period`, those of all its children together, are too many: the
    /// supervisor ends them all and falls itself. At most 65,536.
    pub intensity: u32,
    /// The sliding window of `intensity`.
    pub period: Duration,
    /// What follows when the supervisor itself falls and hangs under another supervisor. That one restarts
    /// a `Permanent` one with all its children; any other is given up. So is one without a supervisor above.
    pub restart: Restart,
    /// The pause before a restart of the supervisor itself. A child's own pause is in its [`Policy`].
    pub backoff: Backoff,
}

impl Group {
    /// A permanent one-for-one supervisor with the intensity and period of [`Policy::default`].
    pub fn new(id: impl Into<String>, kind: &'static str) -> Self {
        let policy = Policy::default();
        Self {
            id: id.into(),
            kind,
            parent: None,
            strategy: Strategy::OneForOne,
            intensity: policy.intensity,
            period: policy.period,
            restart: Restart::Permanent,
            backoff: policy.backoff,
        }
    }

    /// Hangs the supervisor under `parent`, which must be registered before it.
    #[must_use]
    pub fn under(mut self, parent: impl Into<String>) -> Self {
        self.parent = Some(parent.into());
        self
    }

    /// Restarts by `strategy`.
    #[must_use]
    pub const fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Bears `intensity` falls within `period`.
    #[must_use]
    pub const fn bears(mut self, intensity: u32, period: Duration) -> Self {
        (self.intensity, self.period) = (intensity, period);
        self
    }
}

/// Who restarts with a child that fell: the strategies of Erlang/OTP's `supervisor`.
///
/// Children that restart together are first ended in the reverse order of their start, then started in
/// order, each once the one before it has begun: its `started`, and what that waits for, is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The child alone.
    OneForOne,
    /// All children.
    OneForAll,
    /// The child and those that were started after it.
    RestForOne,
}

/// Bounds, restarts and deadlines of one child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The lanes in the order of [`Class::ALL`].
    pub lanes: [Lane; 3],
    /// Which ends lead to a new generation.
    pub restart: Restart,
    /// More falls than this within `period` end the actor with [`crate::Exit::GaveUp`]. At most 65,536.
    /// Under a supervisor ([`Group`]) that one's intensity and period count instead.
    ///
    /// Falls over one message that has a digest count once, however many they are, and not at all once
    /// the message is quarantined: a single bad message ends no actor whose intensity is 1 or more.
    /// That this is no way to fall for ever, more *different* messages than the intensity that are
    /// quarantined within `period` end the actor as well.
    pub intensity: u32,
    /// The sliding window of `intensity`.
    pub period: Duration,
    /// The pause before a generation that follows a fall.
    pub backoff: Backoff,
    /// Messages that one poll of the actor may handle before its neighbours have a turn; 0 counts as 1.
    pub budget: u32,
    /// Time after which a poll takes no further message, though `budget` is not used up.
    pub slice: Duration,
    /// A message (type and digest) that crashed the actor this often is not handled again but goes to
    /// the dead letters. 0 turns the quarantine off.
    pub poison_after: u32,
    /// Messages that are kept as dead letters, to be re-driven; a newer one pushes out the oldest. 0
    /// keeps no message, only the newest 64 records.
    pub dead_letters: usize,
    /// How long a drain may take before the actor is killed.
    pub stop_deadline: Duration,
}

impl Policy {
    /// The lane of a class.
    pub const fn lane(&self, class: Class) -> Lane {
        let [control, containment, bulk] = self.lanes;
        match class {
            Class::Control => control,
            Class::Containment => containment,
            Class::Bulk => bulk,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        let lane = |capacity, overflow| Lane { capacity, overflow };
        Self {
            lanes: [
                lane(64, Overflow::Wait(Duration::from_secs(1))),
                lane(1024, Overflow::Reject),
                lane(4096, Overflow::Reject),
            ],
            restart: Restart::Permanent,
            intensity: 5,
            period: Duration::from_mins(1),
            backoff: Backoff::default(),
            budget: 16,
            slice: Duration::from_micros(50),
            poison_after: 2,
            dead_letters: 64,
            stop_deadline: Duration::from_secs(5),
        }
    }
}

/// Which ends of a generation lead to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Every end that nobody asked for, `ctx.stop()` included.
    Permanent,
    /// Only a crash or a stall.
    Transient,
    /// None: the first fall ends the actor.
    Temporary,
}

/// Exponential backoff with full jitter: before the n-th generation after a fall the actor pauses a
/// random time between 0 and `base * 2^(n-1)`, at most `max`. The randomness comes from the tree's seed
/// and the child's id, so a run can be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The ceiling of the first pause. Zero: no pause at all.
    pub base: Duration,
    /// The ceiling that is never exceeded.
    pub max: Duration,
    /// A generation that lived this long sets the exponent back.
    pub reset_after: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(10),
            max: Duration::from_secs(5),
            reset_after: Duration::from_secs(30),
        }
    }
}
