//! Requests of callers: each is carried out once, and its outcome is remembered for a while.

use serde::{Deserialize, Serialize};

use super::{Acts, ClaimMade, Gate, OutcomeKind, Withheld};
use crate::{digest::Digest, ids::ActionId, protocol::Refusal, time::Timestamp};

/// The most requests that are remembered.
const CLAIMS_MAX: usize = 4096;

/// A caller's request: its direction and its id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClaimKey {
    /// Whether it came to `/rollback`.
    pub rollback: bool,
    /// The caller's id of it.
    pub request_id: String,
}

impl ClaimKey {
    /// That of a request.
    pub fn of(made: &ClaimMade) -> Self {
        Self {
            rollback: made.rollback,
            request_id: made.request_id.clone(),
        }
    }

    /// One text for the two, which no other pair has.
    pub fn text(&self) -> String {
        let direction = if self.rollback { "rollback" } else { "execute" };
        format!("{direction}:{}", self.request_id)
    }
}

/// What is known of a caller's request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What it said, but for `approved_at`.
    pub body_sha256: Digest,
    /// The action that was made of it.
    pub action_id: ActionId,
    /// The outcome that the caller was answered with, and when.
    pub answered: Option<(OutcomeKind, Timestamp)>,
}

impl Claim {
    /// Whether it is remembered no more: it was answered so long ago.
    fn is_over(&self, claim_ms: u64, now: Timestamp) -> bool {
        let answered = self.answered.map(|(_, at)| at);
        answered.is_some_and(|at| at.plus_ms(claim_ms) <= now)
    }

    /// What makes room first: answers to rehearsals, for a repetition of those hurts nobody, and then what was
    /// answered first. `None` for what is being carried out.
    fn goes(&self) -> Option<(bool, Timestamp)> {
        let (outcome, at) = self.answered?;
        Some((outcome != OutcomeKind::DryRun, at))
    }
}

impl Acts {
    /// What is known of a caller's request.
    pub fn claim(&self, key: &ClaimKey) -> Option<&Claim> {
        self.claims.get(&key.text())
    }

    /// Whether a request may be carried out: it is not known, or was answered so long ago that it is another.
    ///
    /// # Errors
    /// What is known of it: `ClaimInFlight`, `ClaimAnswered`, `ClaimMismatch`.
    pub fn is_unclaimed(
        &self,
        made: &ClaimMade,
        claim_ms: u64,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let now = self.trusted(now);
        let known = self.claim(&ClaimKey::of(made));
        let Some(claim) = known.filter(|claim| !claim.is_over(claim_ms, now)) else {
            return Ok(());
        };
        if claim.body_sha256 != made.body_sha256 {
            return Err(Refusal::ClaimMismatch);
        }
        Err(match claim.answered {
            Some((outcome, _)) => Refusal::ClaimAnswered(outcome),
            None => Refusal::ClaimInFlight,
        })
    }

    /// What is sent must be remembered for as long as was promised, so a request for which that cannot be done
    /// has to wait.
    pub(super) fn has_no_room_for_claim(&self, gate: &Gate, now: Timestamp) -> Option<Withheld> {
        let (claim_ms, now) = (gate.limits.claim_ms, self.trusted(now));
        let may_go = |claim: &Claim| {
            let rehearsed = claim.goes().is_some_and(|(sent, _)| !sent);
            rehearsed || claim.is_over(claim_ms, now)
        };
        let full = self.claims.len() >= CLAIMS_MAX && !self.claims.values().any(may_go);
        full.then_some(Withheld::Concurrent)
    }

    /// Remembers a request that is carried out from now on.
    pub(super) fn make_claim(&mut self, made: &ClaimMade, action_id: ActionId) {
        let claim = Claim {
            body_sha256: made.body_sha256,
            action_id,
            answered: None,
        };
        self.claims.insert(ClaimKey::of(made).text(), claim);
        while self.claims.len() > CLAIMS_MAX {
            let all = self.claims.iter();
            let all = all.filter_map(|(key, claim)| Some((claim.goes()?, key)));
            let Some((_, key)) = all.min() else { return };
            let key = key.clone();
            self.claims.remove(&key);
        }
    }

    /// The caller is answered with this outcome; a later one changes nothing about that. Where nothing was done
    /// the request is forgotten, and the caller may repeat it.
    pub(super) fn answer_claim(
        &mut self,
        (key, action_id): (&ClaimKey, ActionId),
        outcome: OutcomeKind,
        at: Timestamp,
    ) {
        if outcome == OutcomeKind::Unreachable {
            return self.drop_claim(key, action_id);
        }
        let at = self.trusted(at);
        let claim = self.claims.get_mut(&key.text());
        if let Some(claim) = claim.filter(|claim| claim.action_id == action_id) {
            claim.answered.get_or_insert((outcome, at));
        }
    }

    /// Nothing was done about a request that was not answered yet.
    pub(super) fn drop_claim(&mut self, key: &ClaimKey, action_id: ActionId) {
        let text = key.text();
        let open = |claim: &Claim| claim.action_id == action_id && claim.answered.is_none();
        if self.claims.get(&text).is_some_and(open) {
            self.claims.remove(&text);
        }
    }
}
