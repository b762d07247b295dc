//! What is read again: outcomes that are open, and containments in force, which somebody may release behind
//! our back. And the clock, by which they end.

use std::{collections::BTreeMap, time::Duration};

use actix::Handler;
use tokio::time::Instant;
use vyrox_domain::{
    containment::{Act, ActReport, Acts, ClockJumped, Following, OutcomeKind, Stage, ability},
    ids::ActionId,
    protocol::Command,
    time::Timestamp,
};
use vyrox_supervision::SupervisedContext;

use super::{super::Machine, carrying::reference};
use crate::{
    edr::{EffectSeen, Reading},
    messages::{EffectRead, LookAt},
};

/// The pauses between looks at what the vendor has taken and the host has not complied with.
const ACCEPTED: [Duration; 5] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(40),
    Duration::from_mins(1),
];
/// The pause between the first looks at what nobody can tell about.
const UNKNOWN: Duration = Duration::from_secs(10);
/// How many those are.
const UNKNOWN_LOOKS: usize = 6;
/// The pause after all of these.
const LATER: Duration = Duration::from_mins(5);
/// How far readings lie apart that say the same of a containment before it counts as released: a vendor's view may
/// lag behind for a moment.
const APART: Duration = Duration::from_secs(30);
/// What the vendor took and what reads as not in effect for so long will not come by itself.
const IN_VAIN: Duration = Duration::from_mins(10);
/// Looks that are asked for at once.
const LOOKS_AT_ONCE: usize = 8;
/// A clock that is off by more was set.
const JUMP_MS: u64 = 5 * 60 * 1000;
/// A host that should have been let go so long ago is not let go without a question.
const MISSED_MS: u64 = 60 * 60 * 1000;

/// When what is looked at again.
#[derive(Default)]
pub(super) struct Looks(BTreeMap<ActionId, Look>);

struct Look {
    next: Instant,
    rounds: usize,
    /// Since when each reading said that it is not in effect.
    absent_since: Option<Instant>,
}

impl Looks {
    /// Takes a reading in; for how long each one has said that it is not in effect. Where that is new, the next
    /// one is made before long.
    fn absent_for(&mut self, id: ActionId, effect: EffectSeen) -> Option<Duration> {
        let look = self.0.get_mut(&id)?;
        if effect != EffectSeen::NotInEffect {
            look.absent_since = None;
            return None;
        }
        let now = Instant::now();
        let since = *look.absent_since.get_or_insert_with(|| {
            look.next = look.next.min(now + APART);
            now
        });
        Some(now.duration_since(since))
    }

    /// Another rhythm begins.
    pub(super) fn forget(&mut self, id: ActionId) {
        self.0.remove(&id);
    }
}

/// Why an action is to be read again, and the pause before that; `None` for one that is not.
fn rhythm(
    (acts, act): (&Acts, &Act),
    rounds: usize,
    (drift_ms, now): (u64, Timestamp),
) -> Option<(Following, Duration)> {
    let Stage::Done { outcome } = act.stage else {
        return None;
    };
    match outcome {
        OutcomeKind::Accepted | OutcomeKind::Unknown if !act.is_open() => None,
        OutcomeKind::Accepted => {
            let pause = ACCEPTED.get(rounds).copied().unwrap_or(LATER);
            Some((Following::Open, pause))
        }
        OutcomeKind::Unknown => {
            let early = rounds < UNKNOWN_LOOKS;
            Some((Following::Open, if early { UNKNOWN } else { LATER }))
        }
        OutcomeKind::Executed => {
            let manifest = &act.manifest;
            let ability = ability(manifest.vendor, manifest.action_type);
            let lasts = ability.is_some_and(|ability| ability.reversible);
            let watched = lasts && (acts.is_watched(act) || acts.may_come_back(act, now));
            let pause = Duration::from_millis(drift_ms);
            (watched && drift_ms > 0).then_some((Following::InForce, pause))
        }
        OutcomeKind::AlreadySo
        | OutcomeKind::Refused
        | OutcomeKind::Unreachable
        | OutcomeKind::DryRun => None,
    }
}

impl Machine {
    /// Has the adapters read what it is time to read again.
    pub(super) fn look_again(&mut self, ctx: &SupervisedContext<Self>) {
        let Some(taker) = &self.taker else { return };
        let world = &self.parts.world;
        let (now, by) = (
            Instant::now(),
            (world.settings.watching.drift_ms, world.now()),
        );
        let acts = &taker.state.acts;
        let looks = &mut self.acting.looks.0;
        looks.retain(|id, look| {
            let act = acts.get(*id);
            act.is_some_and(|act| rhythm((acts, act), look.rounds, by).is_some())
        });
        let mut asked = 0;
        for (id, act) in acts.iter() {
            let rounds = looks.get(&id).map_or(0, |look| look.rounds);
            let Some((why, pause)) = rhythm((acts, act), rounds, by) else {
                continue;
            };
            let look = looks.entry(id).or_insert_with(|| Look {
                next: now + pause,
                rounds: 0,
                absent_since: None,
            });
            if look.next > now || asked >= LOOKS_AT_ONCE {
                continue;
            }
            let Some(adapter) = self.parts.adapters.get(act.manifest.vendor) else {
                continue;
            };
            let wanted = LookAt {
                action_id: id,
                drive: act.drives,
                why,
                manifest: act.manifest.clone(),
                reference: reference(&taker.state, act),
                machine: ctx.handle(),
            };
            if adapter.try_cast(wanted).is_err() {
                continue;
            }
            asked += 1;
            look.rounds = look.rounds.saturating_add(1);
            let next = rhythm((acts, act), look.rounds, by);
            look.next = now + next.map_or(LATER, |(_, pause)| pause);
        }
    }

    fn seen(&mut self, read: EffectRead, ctx: &SupervisedContext<Self>) {
        let EffectRead {
            action_id,
            drive,
            why,
            reading,
        } = read;
        let Ok(reading) = reading else { return };
        let Some(taker) = &self.taker else { return };
        let Some(act) = taker.state.acts.get(action_id) else {
            return;
        };
        // What was read after an earlier drive says nothing of this one, and of one that is under way its adapter
        // alone knows whether the reading came before the request.
        if drive != act.drives || matches!(act.stage, Stage::Begun { .. }) {
            return;
        }
        let absent = self.acting.looks.absent_for(action_id, reading.effect);
        let command = match why {
            Following::Open => opened(act, reading, absent),
            Following::InForce => in_force(act, reading, absent),
        };
        let decided = command.map(|command| taker.decide(command));
        if let Some(Ok(events)) = decided {
            self.settle(&events, ctx);
        }
    }

    /// Holds timers where the wall clock was set: it and the time that went by say different things.
    pub(in super::super) fn watch_clock(&mut self, ctx: &SupervisedContext<Self>) {
        let (now, wall) = (Instant::now(), self.parts.world.now());
        let before = self.acting.clocks.replace((now, wall));
        let Some((then, wall_then)) = before else {
            return;
        };
        let passed = u64::try_from(now.duration_since(then).as_millis()).unwrap_or(u64::MAX);
        let expected = wall_then.plus_ms(passed);
        let acts = self.taker.as_ref().map(|taker| taker.state.acts.iter());
        let concerned = acts.is_some_and(|mut acts| acts.next().is_some());
        if concerned && wall.ms().abs_diff(expected.ms()) > JUMP_MS {
            self.hold_timers(wall, expected, ctx);
        }
    }

    /// Holds timers where nobody watched the clock and it cannot be believed: where the chain ends in the future, for
    /// the clock was set back, or was ahead; and where a host should have been let go long ago, for the clock may have
    /// been set ahead as well as nobody may have been there. Called at a start.
    pub(in super::super) fn compare_clock(&mut self, ctx: &SupervisedContext<Self>) {
        let Some(taker) = &self.taker else { return };
        let (wall, acts) = (self.parts.world.now(), &taker.state.acts);
        let Some(last) = taker.state.last_at.filter(|_| acts.iter().next().is_some()) else {
            return;
        };
        let missed = acts.next_lift().filter(|end| end.plus_ms(MISSED_MS) < wall);
        if last > wall.plus_ms(JUMP_MS) || missed.is_some() {
            self.hold_timers(wall, last, ctx);
        }
    }

    fn hold_timers(&mut self, wall: Timestamp, expected: Timestamp, ctx: &SupervisedContext<Self>) {
        tracing::error!(tenant = %self.name(), %expected, found = %wall, "the clock was set: timers are held");
        let jumped = ClockJumped {
            found_ms: wall,
            expected_ms: expected,
        };
        self.carry_out(Command::NoteClock(jumped), ctx);
    }
}

/// What a reading says of a containment in force, and of one that was found released.
fn in_force(act: &Act, reading: Reading, absent: Option<Duration>) -> Option<Command> {
    let back = act.drifted_at.is_some();
    let new = if back {
        reading.effect == EffectSeen::InEffect
    } else {
        absent.is_some_and(|absent| absent >= APART)
    };
    new.then_some(Command::NoteDrift {
        action_id: act.manifest.action_id,
        observed: reading.observed,
        back,
    })
}

/// What a reading says of an outcome that is open.
fn opened(act: &Act, reading: Reading, absent: Option<Duration>) -> Option<Command> {
    let accepted = act.stage.outcome() == Some(OutcomeKind::Accepted);
    let in_vain = accepted && absent.is_some_and(|absent| absent >= IN_VAIN);
    let outcome = match reading.effect {
        EffectSeen::InEffect => OutcomeKind::Executed,
        EffectSeen::Pending => OutcomeKind::Accepted,
        EffectSeen::Failed => OutcomeKind::Refused,
        EffectSeen::NotInEffect if in_vain => OutcomeKind::Unknown,
        EffectSeen::NotInEffect | EffectSeen::NoSuchTarget => return None,
    };
    Some(Command::RecordAct(Box::new(ActReport {
        action_id: act.manifest.action_id,
        drive: act.drives,
        outcome,
        observed: Some(reading.observed),
        reference: reading.reference,
        status: None,
        why: in_vain.then(|| "the vendor took it and the host does not comply".into()),
        sent: 0,
        reconciled: true,
    })))
}

impl Handler<EffectRead> for Machine {
    type Result = ();

    fn handle(&mut self, read: EffectRead, ctx: &mut Self::Context) {
        self.seen(read, ctx);
    }
}
