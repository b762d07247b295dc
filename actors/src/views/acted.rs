//! What became of an action, as people read it with its alert.

use serde::{Deserialize, Serialize};
use vyrox_domain::{
    containment::{ActBegun, ActOutcome, ActWithheld, OutcomeKind, Withheld},
    ids::ActionId,
    time::Timestamp,
};

use super::Status;

/// An action on its way, or over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActView {
    /// How far it is.
    pub state: ActState,
    /// Since when.
    pub since_ms: Timestamp,
    /// How often it was begun.
    #[serde(default)]
    pub drives: u32,
    /// Who ordered it, where there was no proposal (`external:<name>`).
    #[serde(default)]
    pub ordered_by: Option<String>,
    /// Why it was not begun.
    #[serde(default)]
    pub withheld: Option<Withheld>,
    /// The vendor's own word for the state that was read last.
    #[serde(default)]
    pub observed: Option<String>,
    /// Why it came to stand so, in our words.
    #[serde(default)]
    pub why: Option<String>,
    /// When it came into force.
    #[serde(default)]
    pub in_force_since_ms: Option<Timestamp>,
    /// When its time is over; none for what has no end.
    #[serde(default)]
    pub hold_ends_at_ms: Option<Timestamp>,
    /// When its time was found to be over.
    #[serde(default)]
    pub hold_ended_at_ms: Option<Timestamp>,
    /// When it was found released behind our back.
    #[serde(default)]
    pub drifted_at_ms: Option<Timestamp>,
    /// The last action that takes it back.
    #[serde(default)]
    pub undoing: Option<ActionId>,
    /// What became of that one.
    #[serde(default)]
    pub undoing_outcome: Option<OutcomeKind>,
}

/// How far an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActState {
    /// Approved, and not begun.
    Ordered,
    /// Not begun, and not going to be unless somebody has it driven again.
    Withheld,
    /// Its intent is durable.
    Executing,
    /// The vendor's state reads so.
    Executed,
    /// The vendor took it and the host has yet to comply.
    Containing,
    /// It was so before.
    AlreadySo,
    /// The vendor will not do it.
    Refused,
    /// Nothing reached the vendor.
    Failed,
    /// Nobody can tell whether it happened.
    Unknown,
    /// A rehearsal: nothing was sent.
    DryRun,
    /// It was taken back.
    RolledBack,
}

impl ActState {
    /// The name in rows and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Withheld => "withheld",
            Self::Executing => "executing",
            Self::Executed => "executed",
            Self::Containing => "containing",
            Self::AlreadySo => "already_so",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::DryRun => "dry_run",
            Self::RolledBack => "rolled_back",
        }
    }

    const fn of(outcome: OutcomeKind) -> Self {
        match outcome {
            OutcomeKind::Executed => Self::Executed,
            OutcomeKind::Accepted => Self::Containing,
            OutcomeKind::AlreadySo => Self::AlreadySo,
            OutcomeKind::Refused => Self::Refused,
            OutcomeKind::Unreachable => Self::Failed,
            OutcomeKind::Unknown => Self::Unknown,
            OutcomeKind::DryRun => Self::DryRun,
        }
    }

    /// What an alert's status is with such an action. One that was only rehearsed is approved, and no more.
    pub(super) const fn status(self) -> Status {
        match self {
            Self::Ordered | Self::DryRun => Status::Approved,
            Self::Executing => Status::Executing,
            Self::Executed | Self::AlreadySo => Status::Executed,
            Self::Containing => Status::Containing,
            Self::Refused => Status::Refused,
            Self::Failed | Self::Withheld => Status::Failed,
            Self::Unknown => Status::Unknown,
            Self::RolledBack => Status::RolledBack,
        }
    }
}

impl ActView {
    /// One that was approved at `at`.
    pub(super) const fn new(at: Timestamp) -> Self {
        Self {
            state: ActState::Ordered,
            since_ms: at,
            drives: 0,
            ordered_by: None,
            withheld: None,
            observed: None,
            why: None,
            in_force_since_ms: None,
            hold_ends_at_ms: None,
            hold_ended_at_ms: None,
            drifted_at_ms: None,
            undoing: None,
            undoing_outcome: None,
        }
    }

    /// Its intent is durable. What an earlier drive came to is no longer how it stands.
    pub(super) fn begun(&mut self, begun: &ActBegun, at: Timestamp) {
        self.stands(ActState::Executing, at);
        self.drives = begun.drive;
        (self.withheld, self.observed, self.why) = (None, None, None);
    }

    pub(super) fn withheld(&mut self, withheld: &ActWithheld, at: Timestamp) {
        self.stands(ActState::Withheld, at);
        self.withheld = Some(withheld.why);
        let why = withheld.detail.clone();
        self.why = why.or_else(|| Some(withheld.why.to_string()));
    }

    /// There is an outcome; of one that has a time, that begins with the first in which it is in force.
    pub(super) fn ended(&mut self, outcome: &ActOutcome, hold_minutes: u32, at: Timestamp) {
        self.stands(ActState::of(outcome.outcome), at);
        self.observed.clone_from(&outcome.observed);
        self.why.clone_from(&outcome.why);
        let in_force = matches!(
            outcome.outcome,
            OutcomeKind::Executed | OutcomeKind::Accepted
        );
        if in_force && self.in_force_since_ms.is_none() {
            self.in_force_since_ms = Some(at);
            let hold_ms = u64::from(hold_minutes).saturating_mul(60_000);
            self.hold_ends_at_ms = (hold_ms > 0).then(|| at.plus_ms(hold_ms));
        }
    }

    /// An action that takes it back has an outcome.
    pub(super) fn undoing_ended(&mut self, undoing: &ActOutcome, at: Timestamp) {
        self.undoing = Some(undoing.about.action_id);
        self.undoing_outcome = Some(undoing.outcome);
        match undoing.outcome {
            OutcomeKind::Executed | OutcomeKind::AlreadySo => {
                self.observed.clone_from(&undoing.observed);
                self.stands(ActState::RolledBack, at);
            }
            OutcomeKind::Accepted
            | OutcomeKind::Refused
            | OutcomeKind::Unreachable
            | OutcomeKind::Unknown
            | OutcomeKind::DryRun => {}
        }
    }

    fn stands(&mut self, state: ActState, at: Timestamp) {
        (self.state, self.since_ms) = (state, at);
    }
}
