//! Actions that were proposed, from the moment that somebody has to decide until nobody asks any more.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    action::{ActionManifest, ActionType, parse_target, short},
    containment::{Act, Acts},
    digest::Digest,
    ids::{ActionId, AlertId, PersonId},
    notice::Standing,
    protocol::{ApprovalRequested, NotDecided},
    time::Timestamp,
    triage::Verdict,
};

/// The most proposals that may wait for a decision.
pub const WAITING_MAX: usize = 512;
/// The most proposals that are remembered; the oldest decided ones go first.
const KEPT_MAX: usize = 2048;
/// How long an approved action without an end of its own keeps the same one from being proposed again.
const SETTLED_MS: u64 = 24 * 60 * 60 * 1000;
/// How long a denial keeps the same action from being proposed for a new alert. Whoever may not approve
/// may deny, so a no must not keep a machine from being contained for hours.
const DENIED_MS: u64 = 15 * 60 * 1000;

/// A tenant's proposals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposals {
    by_id: BTreeMap<ActionId, Proposed>,
    /// The last proposal for each action and target, in the form that [`place`] gives.
    last: BTreeMap<String, ActionId>,
    waiting: usize,
}

/// One proposed action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposed {
    /// Down to the last member.
    pub manifest: ActionManifest,
    /// The digest of that.
    pub digest: Digest,
    /// The verdict that called for it.
    pub verdict: Verdict,
    /// Where it stands.
    pub standing: Standing,
    /// When it came to stand there.
    pub since: Timestamp,
}

/// What makes two actions the same: what, to whom, and about which of its processes or files. A file that is
/// blocked everywhere is, for one vendor, the same from whichever machine it is proposed. Each text is told apart by
/// its length, so that no two different actions have one form.
pub(super) fn place(
    action: ActionType,
    target_urn: &str,
    parameters: &BTreeMap<String, String>,
) -> String {
    let vendor = parse_target(target_urn).filter(|_| action.is_everywhere());
    let target = vendor.map_or(target_urn, |(vendor, _)| vendor.as_str());
    let mut place = format!("{action} {}:{target}", target.len());
    for (name, value) in parameters {
        place = format!("{place} {}:{name} {}:{value}", name.len(), value.len());
    }
    place
}

fn place_of(manifest: &ActionManifest) -> String {
    place(
        manifest.action_type,
        &manifest.target_urn,
        &manifest.parameters,
    )
}

impl Proposed {
    /// Whether somebody can still decide about it.
    pub const fn is_waiting(&self) -> bool {
        matches!(self.standing, Standing::Waiting { .. })
    }

    /// Who said yes so far.
    pub fn approvers(&self) -> &[PersonId] {
        match &self.standing {
            Standing::Waiting { approved_by } => approved_by,
            Standing::Approved { by } => by,
            Standing::Denied { .. } | Standing::Expired => &[],
        }
    }

    /// Until when the same action need not be proposed again.
    fn holds_until(&self) -> Timestamp {
        let minutes = u64::from(self.manifest.hold_minutes);
        let hold_ms = minutes.saturating_mul(60_000);
        let hold_ms = if hold_ms == 0 { SETTLED_MS } else { hold_ms };
        self.since.plus_ms(hold_ms)
    }
}

impl Proposals {
    /// One of them.
    pub fn get(&self, id: ActionId) -> Option<&Proposed> {
        self.by_id.get(&id)
    }

    /// All of them, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Proposed> {
        self.by_id.values()
    }

    /// How many wait.
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// The proposal that a decision names: by the digest that was shown (whole, or its first digits as
    /// chat shows them), or by the alert alone while that has had exactly one.
    ///
    /// # Errors
    /// Why none is meant.
    pub fn named(&self, alert: AlertId, shown: Option<&str>) -> Result<&Proposed, NotDecided> {
        let mut of_alert = self
            .by_id
            .values()
            .filter(|one| one.manifest.alert_id == alert);
        let Some(shown) = shown else {
            let first = of_alert.next().ok_or(NotDecided::UnknownAction)?;
            return match of_alert.next() {
                None => Ok(first),
                Some(_) => Err(NotDecided::DigestNeeded),
            };
        };
        let mut known = false;
        for one in of_alert {
            known = true;
            if shown == one.digest.to_hex() || shown == short(&one.digest) {
                return Ok(one);
            }
        }
        Err(if known {
            NotDecided::DigestMismatch
        } else {
            NotDecided::UnknownAction
        })
    }

    /// Whether the action of that [`place`] is worth proposing: not while the same waits, holds, or was
    /// denied a short while ago and nothing got worse since. What was approved and came to nothing holds nothing.
    pub(super) fn is_worth(
        &self,
        place: &str,
        verdict: Verdict,
        acts: &Acts,
        now: Timestamp,
    ) -> bool {
        let last = self.last.get(place);
        let Some(last) = last.and_then(|id| self.by_id.get(id)) else {
            return true;
        };
        match last.standing {
            Standing::Waiting { .. } => false,
            Standing::Approved { .. } => {
                let act = acts.get(last.manifest.action_id);
                act.is_some_and(Act::came_to_nothing) || now > last.holds_until()
            }
            Standing::Denied { .. } => {
                verdict.rank() > last.verdict.rank() || now > last.since.plus_ms(DENIED_MS)
            }
            Standing::Expired => true,
        }
    }

    /// How many different targets were approved since `from`.
    pub fn approved_targets_since(&self, from: Timestamp) -> usize {
        let approved = self
            .by_id
            .values()
            .filter(|one| matches!(one.standing, Standing::Approved { .. }) && one.since >= from);
        let targets: std::collections::BTreeSet<_> = approved
            .map(|one| one.manifest.target_urn.as_str())
            .collect();
        targets.len()
    }

    /// Those that wait and whose time is over.
    pub(super) fn overdue(&self, now: Timestamp) -> impl Iterator<Item = &Proposed> {
        let waiting = self.by_id.values().filter(|one| one.is_waiting());
        waiting.filter(move |one| now > one.manifest.expires_at_ms)
    }

    pub(super) fn add(&mut self, requested: &ApprovalRequested, at: Timestamp) {
        let manifest = requested.manifest.clone();
        let id = manifest.action_id;
        let place = place_of(&manifest);
        let proposed = Proposed {
            manifest,
            digest: requested.manifest_sha256,
            verdict: requested.verdict,
            standing: Standing::Waiting {
                approved_by: Vec::new(),
            },
            since: at,
        };
        self.last.insert(place, id);
        let before = self.by_id.insert(id, proposed);
        self.waiting = self.waiting.saturating_add(1);
        if before.is_some_and(|one| one.is_waiting()) {
            self.waiting = self.waiting.saturating_sub(1);
        }
        self.make_room();
    }

    pub(super) fn stands(&mut self, id: ActionId, standing: Standing, at: Timestamp) {
        let Some(proposed) = self.by_id.get_mut(&id) else {
            return;
        };
        let (was, is) = (
            proposed.is_waiting(),
            matches!(standing, Standing::Waiting { .. }),
        );
        proposed.standing = standing;
        proposed.since = at;
        if was && !is {
            self.waiting = self.waiting.saturating_sub(1);
        }
    }

    fn make_room(&mut self) {
        if self.by_id.len() <= KEPT_MAX {
            return;
        }
        let oldest = self.by_id.values().find(|one| !one.is_waiting());
        let Some(manifest) = oldest.map(|one| &one.manifest) else {
            return;
        };
        let (id, place) = (manifest.action_id, place_of(manifest));
        self.by_id.remove(&id);
        if self.last.get(&place) == Some(&id) {
            self.last.remove(&place);
        }
    }
}
