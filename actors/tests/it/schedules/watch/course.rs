//! What an action's entries on the chain may follow from.

use super::*;

impl Watch {
    pub(super) fn comes(&mut self, manifest: &ActionManifest, claim: Option<ClaimKey>) {
        let seen = Seen {
            name: self.acts.len() + 1,
            manifest: manifest.clone(),
            claim,
            begun: None,
            open_since: None,
            doubtful: false,
            signs: BTreeSet::new(),
        };
        self.acts.insert(manifest.action_id, seen);
    }

    pub(super) fn begins(&mut self, begun: &ActBegun) {
        let now = self.hours.real_ms();
        let Some(seen) = self.acts.get_mut(&begun.about.action_id) else {
            return self.problem("an intent of an action that nobody ordered".into());
        };
        let twice = seen.open_since.replace(now).is_some();
        seen.begun = Some(begun.clone());
        seen.signs.clear();
        let name = seen.name;
        if twice {
            self.problem(format!("{name}: begun twice"));
        }
    }

    pub(super) fn ends(&mut self, ended: &ActOutcome) {
        let outcome = ended.outcome;
        let tally = format!("{outcome:?}");
        *self.report.outcomes.entry(tally).or_default() += 1;
        let Some(seen) = self.acts.get_mut(&ended.about.action_id) else {
            return self.problem("an outcome of an action that nobody ordered".into());
        };
        seen.open_since = None;
        let (name, borne_out) = (seen.name, seen.bears_out(outcome));
        let dry = seen.manifest.dry_run && outcome != OutcomeKind::DryRun;
        if !borne_out || dry {
            self.problem(format!("{name}: it is not true that it is {outcome:?}"));
        }
    }
}

impl Seen {
    /// Whether what was sent and read bears the outcome out.
    fn bears_out(&self, outcome: OutcomeKind) -> bool {
        let has = |sign| self.signs.contains(&sign);
        match outcome {
            OutcomeKind::Executed => has(Sign::InEffect),
            OutcomeKind::Accepted => has(Sign::Taken) || has(Sign::Pending),
            OutcomeKind::AlreadySo => {
                (has(Sign::InEffect) || has(Sign::Pending)) && !has(Sign::Sent)
            }
            OutcomeKind::Refused | OutcomeKind::Unreachable => !self.doubtful,
            OutcomeKind::Unknown => true,
            OutcomeKind::DryRun => !has(Sign::Asked) && !has(Sign::Sent),
        }
    }
}
