//! Before and after.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use vyrox_domain::{
    action::ActionType,
    alert::Alert,
    ids::{AlertId, TenantId},
    incident::{CaseFacts, LinkKind},
    playbook::{Assets, Case, Playbooks},
    protocol::AlertTriaged,
    time::Timestamp,
    triage::{Assessment, Band, Bands, Leaning, Reason, Verdict, assess},
};
use vyrox_rules::RuleSet;

use super::waiting::Waiting;

/// An alert that would have been judged otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Whose.
    pub tenant_id: TenantId,
    /// Which.
    pub alert_id: AlertId,
    /// Where its entry stands.
    pub seq: u64,
    /// When it came in.
    pub received_at_ms: Timestamp,
    /// The machine's name, as sent.
    pub host: Option<String>,
    /// What stage 1 said at the time.
    pub before: Judgement,
    /// What it would say.
    pub after: Judgement,
    /// Ids of rules that speak now and did not then, sorted.
    pub rules_gained: Vec<String>,
    /// Ids of rules that spoke then and do not now, sorted.
    pub rules_lost: Vec<String>,
    /// What the playbooks in force propose for the verdict before.
    pub proposal_before: Vec<ActionType>,
    /// What the playbooks, changed or not, propose for the verdict after.
    pub proposal_after: Vec<ActionType>,
}

/// A word of stage 1, without its reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// What the alert is held to be.
    pub verdict: Verdict,
    /// How sure that is, in basis points.
    pub confidence_bp: u16,
    /// The band.
    pub band: Band,
}

impl Judgement {
    const fn of(assessment: &Assessment) -> Self {
        Self {
            verdict: assessment.verdict,
            confidence_bp: assessment.confidence_bp,
            band: assessment.band,
        }
    }
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Alerts that were looked at.
    pub alerts: u64,
    /// Those of them whose evidence is gone or does not match the chain.
    pub unreadable: u64,
    /// Those of them for which the chain has no word of stage 1, or none near enough.
    pub undecided: u64,
    /// Those whose verdict, band or proposal would differ.
    pub differs: u64,
    /// Those of which only the rules that spoke, or the confidence, would differ.
    pub shifted: u64,
    /// How often each verdict would become another (`LOW->HIGH`).
    pub by_change: BTreeMap<String, u64>,
    /// Actions that would be proposed and are not now.
    pub proposals_added: u64,
    /// Actions that are proposed now and would not be.
    pub proposals_removed: u64,
    /// Chains that could not be read to their end.
    pub chains_unread: u64,
}

/// How far what is said now is from what was said then.
pub(super) enum Compared {
    Same,
    /// The verdict stands, with other rules or another confidence.
    Shifted,
    Otherwise(Box<Difference>),
}

impl Tally {
    /// Counts it, and gives it back where it is a difference.
    pub(super) fn count(&mut self, compared: Compared) -> Option<Difference> {
        let difference = match compared {
            Compared::Same => return None,
            Compared::Shifted => {
                self.shifted = self.shifted.saturating_add(1);
                return None;
            }
            Compared::Otherwise(difference) => *difference,
        };
        self.differs = self.differs.saturating_add(1);
        let (before, after) = (difference.before.verdict, difference.after.verdict);
        if before != after {
            let change = self.by_change.entry(format!("{before}->{after}"));
            let times = change.or_default();
            *times = times.saturating_add(1);
        }
        let (one, other) = (&difference.proposal_before, &difference.proposal_after);
        self.proposals_added = self.proposals_added.saturating_add(missing(other, one));
        self.proposals_removed = self.proposals_removed.saturating_add(missing(one, other));
        Some(difference)
    }
}

/// How many of `wanted` are not among `others`, each counted as often as it stands there.
fn missing(wanted: &[ActionType], others: &[ActionType]) -> u64 {
    let mut rest = others.to_vec();
    let mut count = 0_u64;
    for one in wanted {
        match rest.iter().position(|other| other == one) {
            Some(at) => drop(rest.swap_remove(at)),
            None => count = count.saturating_add(1),
        }
    }
    count
}

/// What both sides are judged by.
pub(super) struct Judge {
    pub(super) rules: RuleSet,
    pub(super) bands: Bands,
    pub(super) assets: Assets,
    pub(super) before: Arc<Playbooks>,
    pub(super) after: Arc<Playbooks>,
}

impl Judge {
    /// What the changed rules say of an alert, and what is proposed then.
    pub(super) fn judge(&self, alert: &Alert) -> (Assessment, Vec<ActionType>) {
        let hits = self.rules.evaluate(alert);
        let assessment = assess(alert.severity, &hits, self.bands);
        let accusing = hits
            .into_iter()
            .filter(|hit| hit.leaning == Leaning::Malicious);
        let tactics: Vec<String> = accusing.flat_map(|hit| hit.tactics).collect();
        // The links to other alerts have no say in a proposal, so nobody's pseudonym is needed.
        let nobody = |_: LinkKind, _: &str| 0;
        let facts = CaseFacts::of(alert, &assessment, &tactics, &nobody);
        let proposal = self.proposal(&self.after, alert, (assessment.verdict, &facts));
        (assessment, proposal)
    }

    /// Holds what was said of an alert against what would be said.
    pub(super) fn compare(
        &self,
        tenant: &TenantId,
        waited: Waiting,
        triaged: &AlertTriaged,
    ) -> Compared {
        let said = &triaged.assessment;
        let facts = triaged.placed.as_ref().map(|placed| &placed.facts);
        // What has no place yet is benign or undecided, and nothing is proposed for either.
        let proposal_before = facts.map_or_else(Vec::new, |facts| {
            self.proposal(&self.before, &waited.alert, (said.verdict, facts))
        });
        let (before, after) = (Judgement::of(said), Judgement::of(&waited.after));
        let rules_gained = only_in(&waited.after.reasons, &said.reasons);
        let rules_lost = only_in(&said.reasons, &waited.after.reasons);
        let decided = |one: Judgement| (one.verdict, one.band);
        if decided(before) == decided(after) && proposal_before == waited.proposal_after {
            let same = before == after && rules_gained.is_empty() && rules_lost.is_empty();
            return if same {
                Compared::Same
            } else {
                Compared::Shifted
            };
        }
        Compared::Otherwise(Box::new(Difference {
            tenant_id: tenant.clone(),
            alert_id: waited.alert_id,
            seq: waited.seq,
            received_at_ms: waited.received_at,
            host: waited.host,
            before,
            after,
            rules_gained,
            rules_lost,
            proposal_before,
            proposal_after: waited.proposal_after,
        }))
    }

    fn proposal(
        &self,
        playbooks: &Playbooks,
        alert: &Alert,
        (verdict, facts): (Verdict, &CaseFacts),
    ) -> Vec<ActionType> {
        let tactics = facts.tactics.iter().map(|one| one.as_str().to_owned());
        let tactics: Vec<String> = tactics.collect();
        let case = Case {
            alert,
            verdict,
            tactics: &tactics,
            techniques: &facts.techniques,
        };
        let drafts = playbooks.propose(&case, &self.assets);
        drafts.iter().map(|draft| draft.action_type).collect()
    }
}

/// Ids of rules that spoke in the first reasons and not in the others, sorted.
fn only_in(first: &[Reason], others: &[Reason]) -> Vec<String> {
    let elsewhere = |id: &str| others.iter().any(|reason| reason.rule_id == id);
    let ids = first.iter().map(|reason| reason.rule_id.as_str());
    let mut alone: Vec<String> = ids.filter(|id| !elsewhere(id)).map(str::to_owned).collect();
    alone.sort_unstable();
    alone
}
