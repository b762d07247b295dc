//! Actions from their approval until they are over, and what callers were answered.

mod watched;

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    ActOrdered, Claim, ClaimKey, Manner, OutcomeKind, Withheld, ability,
    budget::{Begun, DAY_MS, HOUR_MS},
};
use crate::{
    action::{ActionManifest, ActionType, OnExpiry, same_target},
    digest::Digest,
    ids::ActionId,
    sla::FallbackReason,
    time::Timestamp,
};

/// For how long an open outcome is looked for.
const FOLLOWED_MS: u64 = 7 * DAY_MS;
/// For how long an undoing that the vendor took is waited for before a person may order another one.
const UNDOING_HANGS_MS: u64 = 2 * 60 * 1000;

/// A tenant's actions on their way or in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acts {
    pub(super) by_id: BTreeMap<ActionId, Arc<Act>>,
    /// Requests of callers, by the form that [`ClaimKey::text`] gives.
    pub(super) claims: BTreeMap<String, Claim>,
    /// When actions were begun, undoings left out.
    pub(super) begun: Begun,
    /// When undoings were begun that callers asked for.
    #[serde(default)]
    pub(super) undone: Begun,
    /// The clock was set: since when timers are held, and at which moment they stand still.
    pub(super) held_at: Option<Timestamp>,
}

/// One action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Down to the last member.
    pub manifest: ActionManifest,
    /// The digest of that.
    pub digest: Digest,
    /// The manifest with its approval, signed.
    pub jws: String,
    /// Where it stands.
    pub stage: Stage,
    /// When it came to stand there.
    pub since: Timestamp,
    /// Who approved it last, as its entries name them (`person:<id>`, `external:<name>`, `system`).
    pub approved_by: Option<String>,
    /// How often it was begun.
    pub drives: u32,
    /// How it was begun last.
    pub manner: Option<Manner>,
    /// Nobody ever learnt what an earlier drive did, so what is found in effect may be its doing.
    pub doubtful: bool,
    /// What the vendor calls it.
    pub reference: Option<String>,
    /// The vendor's own word for the state that was read last.
    pub observed: Option<String>,
    /// Why it came to stand there, in our words.
    pub why: Option<String>,
    /// It came from a caller who waits for its outcome, so after a restart it is not carried out any more.
    pub claim: Option<ClaimKey>,
    /// When it came into force: the first outcome that says so. Its time counts from here.
    pub in_force_since: Option<Timestamp>,
    /// It came into force without a request of ours that is known of: a fall lay between, or somebody else had
    /// begun it. It is never taken back without a question.
    #[serde(default)]
    pub perhaps_others: bool,
    /// When its time was found to be over.
    pub hold_ended_at: Option<Timestamp>,
    /// The last undoing of it that was ordered.
    pub undoing: Option<ActionId>,
    /// When it was found released behind our back.
    pub drifted_at: Option<Timestamp>,
    /// Nobody knows what it did, and nobody looks any more.
    #[serde(default)]
    pub given_up: bool,
    /// For what somebody was called about it, and since when that was so. Stays where its incident is long closed.
    #[serde(default)]
    pub called: BTreeMap<FallbackReason, Timestamp>,
}

/// Where an action stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// Approved and not begun.
    Approved,
    /// Not begun, and not going to be unless somebody has it driven again.
    Withheld {
        /// Why.
        why: Withheld,
    },
    /// The intent is on the chain and there is no outcome yet.
    Begun {
        /// How.
        manner: Manner,
    },
    /// There is an outcome.
    Done {
        /// Which.
        outcome: OutcomeKind,
    },
    /// It was taken back.
    Undone {
        /// By which action.
        by: ActionId,
    },
}

/// What has to be looked at again at the vendor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Following {
    /// The outcome is open: taken and not complied with, or unknown.
    Open,
    /// It is in force, and may be released behind our back.
    InForce,
}

impl Stage {
    /// Whether somebody may have it driven again: it came to nothing, or nobody knows.
    pub const fn is_redrivable(self) -> bool {
        match self {
            Self::Withheld { .. } => true,
            Self::Done { outcome } => match outcome {
                OutcomeKind::Refused | OutcomeKind::Unreachable | OutcomeKind::Unknown => true,
                OutcomeKind::Executed
                | OutcomeKind::Accepted
                | OutcomeKind::AlreadySo
                | OutcomeKind::DryRun => false,
            },
            Self::Approved | Self::Begun { .. } | Self::Undone { .. } => false,
        }
    }

    /// Its outcome, while that stands.
    pub const fn outcome(self) -> Option<OutcomeKind> {
        match self {
            Self::Done { outcome } => Some(outcome),
            Self::Approved | Self::Withheld { .. } | Self::Begun { .. } | Self::Undone { .. } => {
                None
            }
        }
    }

    /// Whether an undoing that stands here may still happen by itself.
    pub(super) const fn is_under_way(self) -> bool {
        match self {
            Self::Approved | Self::Begun { .. } => true,
            Self::Done { outcome } => matches!(outcome, OutcomeKind::Accepted),
            Self::Withheld { .. } | Self::Undone { .. } => false,
        }
    }

    pub(super) const fn is_begun(self) -> bool {
        matches!(self, Self::Begun { .. })
    }
}

impl Act {
    /// One that was approved just now.
    pub(super) fn approved(
        (manifest, digest): (&ActionManifest, Digest),
        (jws, approved_by): (&str, Option<String>),
        at: Timestamp,
    ) -> Self {
        Self {
            manifest: manifest.clone(),
            digest,
            jws: jws.to_owned(),
            stage: Stage::Approved,
            since: at,
            approved_by,
            drives: 0,
            manner: None,
            doubtful: false,
            reference: None,
            observed: None,
            why: None,
            claim: None,
            in_force_since: None,
            perhaps_others: false,
            hold_ended_at: None,
            undoing: None,
            drifted_at: None,
            given_up: false,
            called: BTreeMap::new(),
        }
    }

    /// One that was ordered just now.
    pub(super) fn ordered(ordered: &ActOrdered, at: Timestamp) -> Self {
        let what = (&ordered.manifest, ordered.manifest_sha256);
        Self {
            claim: ordered.claim.as_ref().map(ClaimKey::of),
            ..Self::approved(what, (&ordered.jws, Some(ordered.by.clone())), at)
        }
    }

    /// Whether it takes another one back.
    pub const fn is_release(&self) -> bool {
        self.manifest.release.is_some()
    }

    /// The action of ours that it takes back.
    pub fn releases(&self) -> Option<ActionId> {
        self.manifest.release.and_then(|release| release.of)
    }

    /// Whether the host is (held to be) under its effect: executed, accepted, or nobody knows yet.
    pub const fn is_in_force(&self) -> bool {
        match self.stage {
            Stage::Done { outcome } => match outcome {
                OutcomeKind::Executed | OutcomeKind::Accepted => true,
                OutcomeKind::Unknown => !self.given_up,
                OutcomeKind::AlreadySo
                | OutcomeKind::Refused
                | OutcomeKind::Unreachable
                | OutcomeKind::DryRun => false,
            },
            Stage::Approved
            | Stage::Withheld { .. }
            | Stage::Begun { .. }
            | Stage::Undone { .. } => false,
        }
    }

    /// Whether something is held down by it as far as we know: it is in force, was not found released behind
    /// our back, and is no undoing.
    pub const fn is_effective(&self) -> bool {
        self.is_in_force() && !self.is_release() && self.drifted_at.is_none()
    }

    /// Whether what was approved came to nothing, or to nothing that lasts, so that the same may be proposed
    /// again.
    pub const fn came_to_nothing(&self) -> bool {
        match self.stage {
            Stage::Withheld { .. } | Stage::Undone { .. } => true,
            Stage::Done { outcome } => match outcome {
                OutcomeKind::Refused | OutcomeKind::Unreachable => true,
                OutcomeKind::Executed | OutcomeKind::Accepted => self.drifted_at.is_some(),
                OutcomeKind::Unknown => self.given_up,
                OutcomeKind::AlreadySo | OutcomeKind::DryRun => false,
            },
            Stage::Approved | Stage::Begun { .. } => false,
        }
    }

    /// Whether it cuts a host off, or is about to.
    pub(super) const fn cuts_off(&self) -> bool {
        (self.is_effective() || self.stage.is_begun())
            && !self.is_release()
            && cuts_off(self.manifest.action_type)
    }

    /// Whether somebody was called for this reason, which has been so since then.
    pub fn knows_call(&self, reason: FallbackReason, at: Timestamp) -> bool {
        self.called.get(&reason) == Some(&at)
    }

    /// What becomes of it when its time is over.
    pub const fn on_expiry(&self) -> OnExpiry {
        if self.perhaps_others {
            OnExpiry::Ask
        } else {
            self.manifest.on_expiry
        }
    }

    /// When its time is over; `None` where it has no end, or has not come into force.
    pub fn hold_ends_at(&self) -> Option<Timestamp> {
        let ms = u64::from(self.manifest.hold_minutes).saturating_mul(60_000);
        let since = self.in_force_since.filter(|_| self.is_effective());
        since.filter(|_| ms > 0).map(|since| since.plus_ms(ms))
    }

    /// Whether something is still to happen to it by itself: its beginning, its outcome, its end.
    pub fn is_unsettled(&self) -> bool {
        match self.stage {
            Stage::Approved | Stage::Begun { .. } => true,
            Stage::Withheld { .. } | Stage::Undone { .. } => false,
            Stage::Done { .. } => self.is_open() || self.has_an_end_to_come(),
        }
    }

    /// Whether its outcome may still change by itself, and is looked for.
    pub const fn is_open(&self) -> bool {
        match self.stage {
            Stage::Done { outcome } => outcome.is_open() && !self.given_up,
            Stage::Approved
            | Stage::Withheld { .. }
            | Stage::Begun { .. }
            | Stage::Undone { .. } => false,
        }
    }

    /// A lift that came to nothing is tried again, so the end of what is to be lifted is to come until it was.
    pub(super) fn has_an_end_to_come(&self) -> bool {
        let lifts = self.on_expiry() == OnExpiry::Lift;
        self.hold_ends_at().is_some() && (self.hold_ended_at.is_none() || lifts)
    }

    /// Until when an open outcome is looked for. Each look at a kill opens a session on the host, so those end
    /// soon.
    pub(super) fn followed_until(&self) -> Timestamp {
        self.since.plus_ms(match self.manifest.action_type {
            ActionType::ProcessKill => HOUR_MS,
            ActionType::HostIsolation
            | ActionType::NetworkQuarantine
            | ActionType::HashBlock
            | ActionType::FileQuarantine => FOLLOWED_MS,
        })
    }

    /// Whether it holds something down that could be let go of again.
    pub(super) fn is_lasting(&self) -> bool {
        let ability = ability(self.manifest.vendor, self.manifest.action_type);
        self.is_effective() && ability.is_some_and(|ability| ability.reversible)
    }
}

/// Whether the action cuts a host off.
pub(super) const fn cuts_off(action: ActionType) -> bool {
    match action {
        ActionType::HostIsolation | ActionType::NetworkQuarantine => true,
        ActionType::ProcessKill | ActionType::HashBlock | ActionType::FileQuarantine => false,
    }
}

/// Whether two manifests mean the same deed: what, to whom, and about which of its processes or files. What
/// takes effect everywhere is the same from whichever machine.
pub(super) fn same_deed(one: &ActionManifest, other: &ActionManifest) -> bool {
    one.vendor == other.vendor
        && one.action_type == other.action_type
        && one.parameters == other.parameters
        && (one.action_type.is_everywhere() || same_target(&one.target_urn, &other.target_urn))
}

impl Acts {
    /// One of them.
    pub fn get(&self, id: ActionId) -> Option<&Act> {
        self.by_id.get(&id).map(AsRef::as_ref)
    }

    /// All of them, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (ActionId, &Act)> {
        self.by_id.iter().map(|(id, act)| (*id, act.as_ref()))
    }

    /// How many are under way, waited for, or have an end to come.
    pub fn unsettled(&self) -> usize {
        let all = self.by_id.values();
        all.filter(|act| act.is_unsettled()).count()
    }

    /// Whether an undoing of it may still happen by itself.
    pub fn is_being_undone(&self, act: &Act) -> bool {
        let undoing = act.undoing.and_then(|id| self.get(id));
        undoing.is_some_and(|undoing| undoing.stage.is_under_way())
    }

    /// Since when timers stand still.
    pub const fn held_at(&self) -> Option<Timestamp> {
        self.held_at
    }

    /// What time it is for budgets: where the clock was set, the moment at which timers stand still.
    pub(super) fn trusted(&self, now: Timestamp) -> Timestamp {
        self.held_at.unwrap_or(now)
    }
}
