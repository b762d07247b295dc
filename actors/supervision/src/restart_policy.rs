//! When to restart and when to give up: a pure record of falls. Time comes in as an argument.

use crate::poison::Key;
use crate::spec::{Backoff, Policy, Restart};
use std::collections::VecDeque;
use std::time::Duration;

/// The largest window that is kept, whatever the policy's intensity says.
const MAX_INTENSITY: usize = 65_536;

/// What follows a fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The next generation, after this pause.
    RestartAfter(Duration),
    GiveUp,
}

/// What a fall is put down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The actor itself, or a message that could not be told from others of its type.
    Actor,
    /// A message that may come again.
    Suspect(Key),
    /// A message that the quarantine will not let through again.
    Poison(Key),
}

impl Blame {
    const fn key(&self) -> Option<&Key> {
        match self {
            Self::Actor => None,
            Self::Suspect(key) | Self::Poison(key) => Some(key),
        }
    }

    const fn is_poison(&self) -> bool {
        matches!(self, Self::Poison(_))
    }
}

/// The falls of one actor. Times are durations since the actor was first supervised.
#[derive(Default)]
pub(crate) struct Falls {
    /// Of an actor without a supervisor, whose own policy judges. Made by the first fall: most never fall.
    window: Option<Box<Window>>,
    streak: Streak,
}

impl Falls {
    /// A generation begins.
    pub(crate) const fn began(&mut self, now: Duration) {
        self.streak.began(now);
    }

    /// The generation fell at `now`, by the fault of `blame`. `seed` belongs to the actor.
    pub(crate) fn fell(
        &mut self,
        policy: &Policy,
        seed: u64,
        now: Duration,
        blame: Blame,
    ) -> Verdict {
        let pause = self.pause(policy, seed, now);
        let span = (policy.intensity, policy.period);
        let window = self.window.get_or_insert_default();
        if policy.restart == Restart::Temporary || !window.bears(span, now, (0, blame)) {
            return Verdict::GiveUp;
        }
        Verdict::RestartAfter(pause)
    }

    /// The generation fell at `now`, and somebody else judges whether that is too often: the pause before
    /// the next one, if there is one.
    pub(crate) fn pause(&mut self, policy: &Policy, seed: u64, now: Duration) -> Duration {
        self.streak.fell(policy.backoff, seed, now)
    }
}

/// Which child fell, where there are several, and what for.
type Culprit = (u64, Blame);

/// Falls within a sliding period.
///
/// A message has one entry a child, however often it fells that one: its latest fall takes the place of those
/// before. The entries of quarantined messages, whose falls have an end, have a budget apart from all
/// others. Each of the two budgets is the intensity; so one bad message never uses one up, while many
/// different ones do.
#[derive(Default)]
pub(crate) struct Window {
    /// Oldest first; no key twice for one child.
    recent: VecDeque<(Duration, Culprit)>,
    /// How many of them are [`Blame::Poison`].
    poisonings: usize,
}

impl Window {
    /// Counts a fall at `now`; false if that is more than `intensity` within `period` of it.
    pub(crate) fn bears(
        &mut self,
        (intensity, period): (u32, Duration),
        now: Duration,
        culprit: Culprit,
    ) -> bool {
        self.count(now, culprit);
        while self
            .recent
            .front()
            .is_some_and(|(at, _)| now.saturating_sub(*at) > period)
        {
            self.forget(0);
        }
        let intensity = usize::try_from(intensity).unwrap_or(usize::MAX);
        let others = self.recent.len().saturating_sub(self.poisonings);
        others.max(self.poisonings) <= intensity.min(MAX_INTENSITY)
    }

    fn count(&mut self, now: Duration, (child, blame): Culprit) {
        let same = blame.key().and_then(|key| {
            let known = |(_, (other, b)): &(_, Culprit)| *other == child && b.key() == Some(key);
            self.recent.iter().position(known)
        });
        if let Some(at) = same {
            self.forget(at);
        }
        self.poisonings = self
            .poisonings
            .saturating_add(usize::from(blame.is_poison()));
        self.recent.push_back((now, (child, blame)));
    }

    fn forget(&mut self, at: usize) {
        if let Some((_, (_, blame))) = self.recent.remove(at) {
            self.poisonings = self
                .poisonings
                .saturating_sub(usize::from(blame.is_poison()));
        }
    }
}

/// How often something fell in a row, and how long it should pause for that.
#[derive(Default)]
pub(crate) struct Streak {
    began: Duration,
    /// Falls without a healthy life between them.
    length: u32,
    /// All falls ever: the position in the sequence of random numbers.
    total: u64,
}

impl Streak {
    /// A life begins.
    pub(crate) const fn began(&mut self, now: Duration) {
        self.began = now;
    }

    /// It fell at `now`; the pause before its next life.
    pub(crate) fn fell(&mut self, backoff: Backoff, seed: u64, now: Duration) -> Duration {
        if now.saturating_sub(self.began) >= backoff.reset_after {
            self.length = 0;
        }
        self.length = self.length.saturating_add(1);
        self.total = self.total.wrapping_add(1);
        jittered(ceiling(backoff, self.length), seed, self.total)
    }
}

/// The longest pause after the `streak`-th fall in a row.
fn ceiling(backoff: Backoff, streak: u32) -> Duration {
    let doublings = streak.saturating_sub(1).min(31);
    backoff.base.saturating_mul(1 << doublings).min(backoff.max)
}

/// Full jitter: the `nth` random point between zero and `ceiling`.
fn jittered(ceiling: Duration, seed: u64, nth: u64) -> Duration {
    let random = mix(seed ^ mix(nth));
    let share = (ceiling.as_nanos() * u128::from(random)) >> 64;
    Duration::from_nanos(u64::try_from(share).unwrap_or(u64::MAX))
}

/// The seed of one child.
pub(crate) fn seed_of(tree_seed: u64, id: &str) -> u64 {
    id.bytes()
        .fold(mix(tree_seed), |seed, byte| mix(seed ^ u64::from(byte)))
}

/// The finaliser of `SplitMix64`. Written out, so that a seed means the same run in every version of
/// every library.
pub(crate) const fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy(intensity: u32, period_ms: u64, backoff: Backoff) -> Policy {
        Policy {
            intensity,
            period: Duration::from_millis(period_ms),
            backoff,
            ..Policy::default()
        }
    }

    #[test]
    fn jitter_covers_its_range_and_repeats_by_seed() {
        let pauses = |seed| (0..1000).map(move |n| jittered(Duration::from_secs(1), seed, n));
        assert!(pauses(7).eq(pauses(7)));
        assert!(pauses(7).ne(pauses(8)));
        assert!(pauses(7).all(|pause| pause < Duration::from_secs(1)));
        for tenth in 0..10u64 {
            let range =
                Duration::from_millis(tenth * 100)..Duration::from_millis(tenth * 100 + 100);
            let hits = pauses(7).filter(|pause| range.contains(pause)).count();
            assert!(
                (50..=150).contains(&hits),
                "{hits} of 1000 pauses in {range:?}"
            );
        }
    }

    #[test]
    fn siblings_have_seeds_of_their_own() {
        assert_ne!(seed_of(1, "tenant/a"), seed_of(1, "tenant/b"));
        assert_ne!(seed_of(1, "tenant/a"), seed_of(2, "tenant/a"));
    }

    #[test]
    fn the_ceiling_doubles_up_to_its_maximum() {
        let backoff = Backoff::default();
        let ceilings: Vec<_> = (1..=11).map(|n| ceiling(backoff, n).as_millis()).collect();
        assert_eq!(
            ceilings,
            [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5000, 5000]
        );
        assert_eq!(ceiling(backoff, u32::MAX).as_millis(), 5000);
    }

    /// A fall over the message of this number; none is the actor's own.
    fn blame(message: Option<u64>, poison: bool) -> Blame {
        let key = message.map(|digest| Key {
            message: "M",
            digest,
        });
        match key {
            None => Blame::Actor,
            Some(key) if poison => Blame::Poison(key),
            Some(key) => Blame::Suspect(key),
        }
    }

    /// Of some falls, those that count: a message's latest only.
    fn counting(falls: &[(u64, Blame)]) -> Vec<Blame> {
        let is_latest = |at: usize, key: &Key| {
            falls[at + 1..]
                .iter()
                .all(|(_, later)| later.key() != Some(key))
        };
        let counts = |(at, blame): (usize, Blame)| {
            blame
                .key()
                .is_none_or(|key| is_latest(at, key))
                .then_some(blame)
        };
        let blames = falls.iter().map(|(_, blame)| *blame);
        blames.enumerate().filter_map(counts).collect()
    }

    /// Whether an actor of this intensity survives falls at one and the same moment.
    fn survives(intensity: u32, falls: &[Blame]) -> bool {
        let policy = policy(intensity, 1_000, Backoff::default());
        let mut record = Falls::default();
        falls
            .iter()
            .all(|blame| record.fell(&policy, 1, Duration::ZERO, *blame) != Verdict::GiveUp)
    }

    #[test]
    fn a_bad_message_costs_one_restart_of_the_budget_and_none_once_it_is_quarantined() {
        let (actor, suspect, poison) = (
            Blame::Actor,
            |n| blame(Some(n), false),
            |n| blame(Some(n), true),
        );
        for (intensity, falls, survived) in [
            (1, vec![suspect(1), poison(1)], true),
            (1, vec![suspect(1), suspect(1), suspect(1), poison(1)], true),
            (1, vec![poison(1)], true),
            (1, vec![suspect(1), actor], false),
            (1, vec![suspect(1), poison(1), actor], true),
            (1, vec![actor, suspect(1)], false),
            (1, vec![suspect(1), suspect(2)], false),
            (1, vec![suspect(1), poison(1), suspect(2)], true),
            (1, vec![poison(1), poison(2)], false),
            (1, vec![poison(1), suspect(1), poison(1), poison(1)], true),
            (
                2,
                vec![poison(1), suspect(2), poison(2), actor, actor],
                true,
            ),
            (2, vec![poison(1), poison(2), actor, actor, actor], false),
            (2, vec![poison(1), poison(2), poison(3)], false),
            (0, vec![poison(1)], false),
            (0, vec![suspect(1)], false),
        ] {
            assert_eq!(survives(intensity, &falls), survived, "{falls:?}");
        }
    }

    proptest! {
        #[test]
        fn no_single_message_ends_an_actor(
            intensity in 1u32..6,
            limit in 1usize..10,
            rounds in 1usize..4,
        ) {
            let mut round = vec![blame(Some(7), false); limit - 1];
            round.push(blame(Some(7), true));
            prop_assert!(survives(intensity, &round.repeat(rounds)));
        }

        /// Against a reference that keeps every fall and counts anew each time.
        #[test]
        fn windows_and_backoff_agree_with_the_reference(
            lives in prop::collection::vec(
                (0u64..3_000, 0u64..2_000, prop::option::of(0u64..4), any::<bool>()),
                1..60,
            ),
            intensity in 0u32..6,
            period_ms in 0u64..10_000,
            base_ms in 0u64..50,
            reset_ms in 0u64..2_000,
            seed: u64,
        ) {
            let backoff = Backoff {
                base: Duration::from_millis(base_ms),
                max: Duration::from_millis(400),
                reset_after: Duration::from_millis(reset_ms),
            };
            let policy = policy(intensity, period_ms, backoff);
            let (mut falls, mut all, mut now, mut streak) = (Falls::default(), Vec::new(), 0, 0);
            for (pause_ms, life_ms, message, poison) in lives {
                now += pause_ms;
                falls.began(Duration::from_millis(now));
                now += life_ms;
                let blame = blame(message, poison);
                all.push((now, blame));
                streak = if life_ms >= reset_ms { 1 } else { streak + 1 };
                all.retain(|(at, _)| now - *at <= period_ms);
                let (poisonings, others): (Vec<_>, Vec<_>) =
                    counting(&all).into_iter().partition(Blame::is_poison);
                let most = poisonings.len().max(others.len());
                let most_ms = (1..streak).fold(base_ms, |ms, _| (ms * 2).min(400)).min(400);
                match falls.fell(&policy, seed, Duration::from_millis(now), blame) {
                    Verdict::GiveUp => prop_assert!(most > intensity as usize),
                    Verdict::RestartAfter(pause) => {
                        prop_assert!(most <= intensity as usize);
                        prop_assert!(pause <= Duration::from_millis(most_ms));
                    }
                }
            }
        }

        #[test]
        fn a_temporary_actor_falls_once(
            intensity: u32,
            at_ms in 0u64..1_000_000,
            message in prop::option::of(0u64..4),
            poison: bool,
        ) {
            let policy = Policy { restart: Restart::Temporary, intensity, ..Policy::default() };
            let at = Duration::from_millis(at_ms);
            let verdict = Falls::default().fell(&policy, 0, at, blame(message, poison));
            prop_assert_eq!(verdict, Verdict::GiveUp);
        }
    }
}
