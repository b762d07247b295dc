//! Tactics in the order of an attack: how many steps of one have been seen.

use serde::{Deserialize, Serialize};

use crate::{attack::Tactic, triage::Verdict};

/// For each tactic the longest ordered chain that ends with it: each step a later tactic of
/// [`Tactic::ALL`], each step another alert's. Tactics may be left out on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chain([u8; Tactic::COUNT]);

impl Chain {
    /// Takes in one alert. It takes part with each of its tactics, but can't be two steps at once: a
    /// vendor that tags an alert with everything would make an attack of it.
    pub(super) fn step(&mut self, tactics: &[Tactic]) {
        let before = *self;
        for tactic in tactics {
            let earlier = before.ends().filter(|(seen, _)| seen < tactic);
            let longest = earlier.map(|(_, length)| length).max().unwrap_or(0);
            let mut cells = Tactic::ALL.iter().zip(&mut self.0);
            if let Some((_, cell)) = cells.find(|(known, _)| *known == tactic) {
                *cell = (*cell).max(longest.saturating_add(1));
            }
        }
    }

    /// Takes in another incident's chain. The two attacks turned out to be one, but what lay between
    /// their steps isn't known, so they aren't strung together.
    pub(super) fn merge(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own = (*own).max(other);
        }
    }

    /// The steps of the longest chain.
    pub(super) fn longest(&self) -> u8 {
        self.0.iter().copied().max().unwrap_or(0)
    }

    /// What a chain of that length says by itself, whatever the alerts' own verdicts.
    pub(super) fn level(&self) -> Option<Verdict> {
        match self.longest() {
            0 | 1 => None,
            2 => Some(Verdict::Medium),
            3 | 4 => Some(Verdict::High),
            5.. => Some(Verdict::Critical),
        }
    }

    fn ends(&self) -> impl Iterator<Item = (Tactic, u8)> {
        Tactic::ALL.into_iter().zip(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Tactic::{Collection, Execution, Impact, InitialAccess, LateralMovement, Persistence};

    fn chain(alerts: &[&[Tactic]]) -> Chain {
        let mut chain = Chain::default();
        for tactics in alerts {
            chain.step(tactics);
        }
        chain
    }

    #[test]
    fn steps_count_in_the_order_of_an_attack_only() {
        let cases: [(&[&[Tactic]], u8); 7] = [
            (&[], 0),
            (&[&[Execution], &[Execution], &[Execution]], 1),
            (&[&[Impact], &[Execution], &[InitialAccess]], 1),
            (&[&[InitialAccess], &[Execution], &[Persistence]], 3),
            (
                &[&[InitialAccess], &[Impact], &[Execution], &[Persistence]],
                3,
            ),
            (
                &[&[InitialAccess, Execution, Persistence, Collection, Impact]],
                1,
            ),
            (
                &[
                    &[InitialAccess, Execution],
                    &[Persistence, LateralMovement],
                    &[Impact],
                ],
                3,
            ),
        ];
        for (alerts, longest) in cases {
            assert_eq!(chain(alerts).longest(), longest, "{alerts:?}");
        }
    }

    #[test]
    fn the_longer_the_chain_the_worse() {
        let levels = |alerts: &[&[Tactic]]| chain(alerts).level();
        assert_eq!(levels(&[&[Execution]]), None);
        assert_eq!(levels(&[&[Execution], &[Impact]]), Some(Verdict::Medium));
        assert_eq!(
            levels(&[&[Execution], &[Collection], &[Impact]]),
            Some(Verdict::High)
        );
        assert_eq!(
            levels(&[
                &[InitialAccess],
                &[Execution],
                &[Persistence],
                &[LateralMovement],
                &[Impact]
            ]),
            Some(Verdict::Critical)
        );
    }
}
