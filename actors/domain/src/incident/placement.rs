//! Where an alert belongs: the question asked once, its answer journaled.

use std::{cmp::Reverse, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use super::{Arrival, CaseFacts, Incident, Incidents, LINKS_MAX, LinkKind, chain::Chain, worst};
use crate::{ids::IncidentId, time::Timestamp, triage::Verdict};

/// The most incidents that one alert can show to be the same as its own.
pub const ABSORBED_MAX: usize = 4;

/// What an alert means for the incidents. It is journaled with the alert's verdict, so that a replay
/// needs no second opinion, even if the rules of placing have changed since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Where it belongs.
    pub incident_id: IncidentId,
    /// Whether the incident begins with it.
    pub fresh: bool,
    /// Why it belongs there, strongest first; empty if fresh.
    pub via: Vec<LinkKind>,
    /// The incident's level from now on.
    pub level: Verdict,
    /// What raised the level of an incident that was there before.
    pub raised_by: Option<Raise>,
    /// Incidents that it shows to be the same one; at most [`ABSORBED_MAX`].
    pub absorbed: Vec<IncidentId>,
    /// Whether the incident's message stands for it: it neither opened a visible incident nor raised
    /// one.
    pub folded: bool,
    /// What was known of it.
    pub facts: CaseFacts,
}

/// Why an incident became worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Raise {
    /// The verdict of the alert itself.
    Verdict,
    /// Tactics seen in the order of an attack.
    Tactics {
        /// How many.
        in_order: u8,
    },
}

/// An open incident that some of the alert's links name.
struct Candidate<'a> {
    incident: &'a Incident,
    /// By which kinds, strongest first.
    kinds: Vec<LinkKind>,
    /// Whether any of the links makes it the same incident as the others so named.
    firm: bool,
}

impl Incidents {
    /// Where the alert belongs. Nothing changes; [`Incidents::apply`] does that.
    ///
    /// Incidents that a machine, process tree, vendor's id or account names are all the same one. Of
    /// them the one with the highest level stays, so that a message that people already look at is
    /// not the one that goes; among equals the one with the strongest link, then the oldest. Up to
    /// [`ABSORBED_MAX`] others are absorbed. An incident that only a hash or a hub names is joined if
    /// there is nothing better, the strongest link first, then the oldest.
    pub fn place(&self, arrival: Arrival, fresh_id: IncidentId, facts: CaseFacts) -> Placement {
        let candidates = self.ranked(&facts, arrival.at);
        let Some((chosen, others)) = candidates.split_first() else {
            return fresh(arrival.verdict, fresh_id, facts);
        };
        let mut absorbed = Vec::new();
        let mut chain: Chain = chosen.incident.chain;
        if chosen.firm {
            for other in others.iter().take(ABSORBED_MAX) {
                absorbed.push(other.incident.incident_id);
                chain.merge(&other.incident.chain);
            }
        }
        chain.step(&facts.tactics);

        let before = chosen.incident.level;
        let by_verdict = worst(before, arrival.verdict);
        let level = chain
            .level()
            .map_or(by_verdict, |of_chain| worst(by_verdict, of_chain));
        let reason = if by_verdict == level {
            Raise::Verdict
        } else {
            Raise::Tactics {
                in_order: chain.longest(),
            }
        };
        let raised_by = (level.rank() > before.rank()).then_some(reason);
        Placement {
            incident_id: chosen.incident.incident_id,
            fresh: false,
            via: chosen.kinds.clone(),
            level,
            raised_by,
            absorbed,
            folded: raised_by.is_none() || !is_visible(level),
            facts,
        }
    }

    /// The incidents that the alert may belong to, best first. If some are firm, only those.
    fn ranked(&self, facts: &CaseFacts, at: Timestamp) -> Vec<Candidate<'_>> {
        let mut named: BTreeMap<IncidentId, Candidate<'_>> = BTreeMap::new();
        for link in facts.links.iter().take(LINKS_MAX) {
            let Some(incident) = self.holder(*link).filter(|incident| incident.takes(at)) else {
                continue;
            };
            let candidate = named
                .entry(incident.incident_id)
                .or_insert_with(|| Candidate {
                    incident,
                    kinds: Vec::new(),
                    firm: false,
                });
            candidate.kinds.push(link.kind);
            candidate.firm |= incident.ties.absorbs(*link);
        }
        let mut candidates: Vec<Candidate<'_>> = named.into_values().collect();
        for candidate in &mut candidates {
            candidate.kinds.sort_unstable();
            candidate.kinds.dedup();
        }
        if candidates.iter().any(|candidate| candidate.firm) {
            candidates.retain(|candidate| candidate.firm);
        }
        candidates.sort_by_key(Candidate::rank);
        candidates
    }
}

impl Candidate<'_> {
    /// Sorts the best first.
    fn rank(&self) -> (Reverse<u8>, Option<LinkKind>, Timestamp, IncidentId) {
        let level = if self.firm {
            self.incident.level.rank()
        } else {
            0
        };
        (
            Reverse(level),
            self.kinds.first().copied(),
            self.incident.opened_at,
            self.incident.incident_id,
        )
    }
}

/// Whether people see an incident of this level.
pub(super) const fn is_visible(level: Verdict) -> bool {
    level.rank() >= Verdict::Medium.rank()
}

fn fresh(level: Verdict, incident_id: IncidentId, facts: CaseFacts) -> Placement {
    Placement {
        incident_id,
        fresh: true,
        via: Vec::new(),
        level,
        raised_by: None,
        absorbed: Vec::new(),
        folded: !is_visible(level),
        facts,
    }
}
