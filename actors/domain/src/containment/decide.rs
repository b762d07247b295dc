//! What follows from a word about an action.

use super::{
    Act, ActAbout, ActBegun, ActDrifted, ActOutcome, ActWithheld, Acts, Begin, Gate, Manner, Order,
    OutcomeKind, Redrive, Stage, Withheld, ability,
    acts::same_deed,
    budget::DAY_MS,
    report::{OBSERVED_MAX, word},
};
use super::{ClockJumped, TimersReleased};
use crate::{
    action::{ActionManifest, Release},
    ids::ActionId,
    protocol::{ActionTop, Decided, Event, Refusal},
    tenant::TenantState,
    time::Timestamp,
};

/// What was approved begins, or is withheld. Where only too much is under way it waits, for as long as its manifest
/// holds: whoever approved it has done all that was theirs to do.
///
/// # Errors
/// `Withheld(Concurrent)` for one that waits.
pub(crate) fn begin(
    state: &TenantState,
    command: &Begin,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    let acts = &state.acts;
    let act = acts.get(command.action_id).ok_or(Refusal::UnknownAction)?;
    // One that a caller waits for was begun in the breath in which it was ordered, or never is.
    if act.stage != Stage::Approved || act.claim.is_some() {
        return Err(Refusal::WrongStage);
    }
    let step = Step {
        act,
        flaw: command.flaw.as_deref(),
        gate: &command.gate,
        redriven_by: None,
        by_person: false,
    };
    step.may_release(acts, now)?;
    match step.withheld(acts, now) {
        Some(why @ Withheld::Concurrent) => Err(Refusal::Withheld(why)),
        Some(why) => Ok(vec![step.not_begun(why)]),
        None => Ok(step.begun()),
    }
}

/// What was ordered begins, or is withheld. An order that answers a caller's request leaves nothing behind when it
/// is withheld: the caller hears of it, and may ask again.
pub(crate) fn ordered(
    state: &TenantState,
    command: Order,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    let (acts, gate) = (&state.acts, &command.gate);
    let claim = command.ordered.claim.as_ref();
    if let Some(made) = claim {
        acts.is_unclaimed(made, gate.limits.claim_ms, now)?;
    }
    let act = Act::ordered(&command.ordered, now);
    if acts.get(act.manifest.action_id).is_some() {
        return Err(Refusal::WrongStage);
    }
    let step = Step {
        act: &act,
        flaw: command.flaw.as_deref(),
        gate,
        redriven_by: None,
        by_person: is_person(&command.ordered.by),
    };
    step.may_release(acts, now)?;
    let claimed = claim.is_some();
    let no_room = || acts.has_no_room_for_claim(gate, now);
    let withheld = step.withheld(acts, now);
    let withheld = withheld.or_else(|| claimed.then(no_room).flatten());
    let follows = match withheld {
        Some(why) if claimed => return Err(Refusal::Withheld(why)),
        Some(why) => vec![step.not_begun(why)],
        None => step.begun(),
    };
    let mut events = vec![Event::ActOrdered(Box::new(command.ordered))];
    events.extend(follows);
    Ok(events)
}

/// What came to nothing begins once more. Where it is withheld it stays as it stands, and whoever asked hears of it:
/// an outcome that nobody knows must still be followed.
pub(crate) fn redriven(
    state: &TenantState,
    command: &Redrive,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    let acts = &state.acts;
    let act = acts.get(command.action_id).ok_or(Refusal::UnknownAction)?;
    // Two requests, one to do it and one to undo it, would decide by their order which one holds.
    if !act.stage.is_redrivable() || acts.is_being_undone(act) {
        return Err(Refusal::WrongStage);
    }
    let step = Step {
        act,
        flaw: command.flaw.as_deref(),
        gate: &command.gate,
        redriven_by: Some(&command.by),
        by_person: is_person(&command.by),
    };
    step.may_release(acts, now)?;
    match step.withheld(acts, now) {
        Some(why) => Err(Refusal::Withheld(why)),
        None => Ok(step.begun()),
    }
}

/// A containment is no more in force, or it is again; not where another action did that.
pub(crate) fn drifted(
    state: &TenantState,
    (action_id, observed): (ActionId, &str),
    back: bool,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    let acts = &state.acts;
    let act = acts.get(action_id).ok_or(Refusal::UnknownAction)?;
    let executed = act.stage.outcome() == Some(OutcomeKind::Executed);
    let ours = !executed || act.is_release() || acts.is_being_undone(act);
    let by_another = || back && is_done_or_under_way(acts, &act.manifest, now);
    if ours || act.drifted_at.is_some() != back || by_another() {
        return Err(Refusal::NothingNew);
    }
    let facts = ActDrifted {
        about: about(act),
        observed: word(observed, OBSERVED_MAX).unwrap_or_else(|| "?".into()),
        back,
    };
    Ok(vec![Event::ActDrifted(decided(act, facts))])
}

/// The clock was set. Timers that are held already stay held where they are.
pub(crate) fn clock_jumped(
    state: &TenantState,
    jumped: ClockJumped,
) -> Result<Vec<Event>, Refusal> {
    match state.acts.held_at() {
        Some(_) => Err(Refusal::NothingNew),
        None => Ok(vec![Event::ClockJumped(jumped)]),
    }
}

/// Timers run again. Also where none are held and something is written down that lies ahead of the clock, or a
/// slip into the future while nobody watched would use up the budgets until then.
pub(crate) fn released(
    state: &TenantState,
    released: TimersReleased,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    if state.acts.held_at().is_none() && !state.acts.is_ahead_of(now) {
        return Err(Refusal::NothingNew);
    }
    Ok(vec![Event::TimersReleased(released)])
}

/// One action at the gates.
struct Step<'a> {
    act: &'a Act,
    /// What is wrong with what was signed.
    flaw: Option<&'a str>,
    gate: &'a Gate,
    redriven_by: Option<&'a str>,
    /// A person wants this very step.
    by_person: bool,
}

impl Step<'_> {
    /// An undoing undoes what is there to be undone, and once at a time. A rehearsal can be undone in a rehearsal.
    fn may_release(&self, acts: &Acts, now: Timestamp) -> Result<(), Refusal> {
        let (act, manner) = (self.act, self.gate.manner);
        let Some(Release { of }) = act.manifest.release else {
            return Ok(());
        };
        let own = act.manifest.action_id;
        let begun = |other: &Act| {
            other.stage.is_begun()
                && other.is_release()
                && same_deed(&other.manifest, &act.manifest)
        };
        let mut others = acts.iter().filter(|(id, _)| *id != own);
        // Where a caller asks, or nothing is named, what it would undo may be on its way: both would be sent.
        let on_its_way = |other: &Act| {
            (of.is_none() || act.claim.is_some())
                && other.stage.is_begun()
                && !other.is_release()
                && same_deed(&other.manifest, &act.manifest)
        };
        if others.any(|(_, other)| begun(other) || on_its_way(other)) {
            return Err(Refusal::WrongStage);
        }
        let Some(of) = of else { return Ok(()) };
        let released = acts.get(of).ok_or(Refusal::UnknownAction)?;
        let stands = match released.stage {
            Stage::Done { outcome } => match outcome {
                OutcomeKind::Executed
                | OutcomeKind::Accepted
                | OutcomeKind::Unknown
                | OutcomeKind::AlreadySo => true,
                OutcomeKind::DryRun => manner.is_rehearsal(),
                OutcomeKind::Refused | OutcomeKind::Unreachable => false,
            },
            Stage::Approved
            | Stage::Withheld { .. }
            | Stage::Begun { .. }
            | Stage::Undone { .. } => false,
        };
        let by_another = released.undoing != Some(own) && acts.is_being_undone(released);
        let hangs = || self.by_person && acts.undoing_hangs(released, now);
        let same = same_deed(&released.manifest, &act.manifest) && !released.is_release();
        (stands && same && (!by_another || hangs()))
            .then_some(())
            .ok_or(Refusal::WrongStage)
    }

    /// The first gate that it does not pass. A rehearsal passes the same ones, or it would predict nothing.
    fn withheld(&self, acts: &Acts, now: Timestamp) -> Option<Withheld> {
        let (act, manifest) = (self.act, &self.act.manifest);
        // Who has a host contained that should not be gets it back, whatever else stands still.
        let may_release = act.is_release() && self.by_person;
        if self.gate.unproven && !may_release {
            return Some(Withheld::Unproven);
        }
        if self.gate.halted && !may_release {
            return Some(Withheld::Halted);
        }
        if self.flaw.is_some() {
            return Some(Withheld::Manifest);
        }
        if !act.is_release() && is_done_or_under_way(acts, manifest, now) {
            return Some(Withheld::InForce);
        }
        // Whoever has it driven again is a person.
        let for_caller = act.claim.is_some() && self.redriven_by.is_none();
        let over = acts.over_budget(act, (&self.gate.limits, for_caller), now);
        over.or_else(|| (!is_supported(manifest)).then_some(Withheld::Unsupported))
    }

    fn not_begun(&self, why: Withheld) -> Event {
        let flaw = self.flaw.filter(|_| why == Withheld::Manifest);
        not_begun(self.act, why, flaw)
    }

    /// The intent; where nothing is to be sent, what became of it is known at once.
    fn begun(&self) -> Vec<Event> {
        let act = Act {
            drives: self.act.drives.saturating_add(1),
            manner: Some(self.gate.manner),
            ..self.act.clone()
        };
        let facts = ActBegun {
            about: about(&act),
            drive: act.drives,
            manner: self.gate.manner,
            by: self.redriven_by.map(str::to_owned),
        };
        let mut events = vec![Event::ActBegun(decided(&act, facts))];
        if self.gate.manner.is_rehearsal() {
            events.push(rehearsed(&act));
        }
        events
    }
}

/// The outcome of a rehearsal.
pub(super) fn rehearsed(act: &Act) -> Event {
    let why = match act.manner {
        Some(Manner::NoCredentials) => "there are no credentials to send it with",
        Some(Manner::DryRun | Manner::Live) | None => "a rehearsal: nothing was sent",
    };
    by_itself(act, OutcomeKind::DryRun, why, false)
}

/// An outcome that no adapter tells of.
pub(super) fn by_itself(act: &Act, outcome: OutcomeKind, why: &str, given_up: bool) -> Event {
    let facts = ActOutcome {
        about: about(act),
        drive: act.drives,
        outcome,
        observed: None,
        reference: None,
        status: None,
        why: Some(why.into()),
        sent: 0,
        reconciled: false,
        given_up,
    };
    Event::ActOutcome(decided(act, facts))
}

pub(super) fn not_begun(act: &Act, why: Withheld, detail: Option<&str>) -> Event {
    let facts = ActWithheld {
        about: about(act),
        why,
        detail: detail.map(str::to_owned),
    };
    Event::ActWithheld(decided(act, facts))
}

pub(super) fn about(act: &Act) -> ActAbout {
    ActAbout {
        action_id: act.manifest.action_id,
        manifest_sha256: act.digest,
        release: act.manifest.release,
    }
}

pub(super) fn decided<T>(act: &Act, facts: T) -> Decided<T> {
    let top = ActionTop::of(&act.manifest);
    Decided {
        alert_id: act.manifest.alert_id,
        action: ActionTop {
            approved_by: act.approved_by.clone(),
            dry_run: top.dry_run || act.manner.is_some_and(Manner::is_rehearsal),
            ..top
        },
        facts,
    }
}

fn is_supported(manifest: &ActionManifest) -> bool {
    let ability = ability(manifest.vendor, manifest.action_type);
    ability.is_some_and(|ability| ability.reversible || manifest.release.is_none())
}

/// Whether another action does the same. What can't be taken back does not last: a process that was killed may
/// be there again a day later.
fn is_done_or_under_way(acts: &Acts, manifest: &ActionManifest, now: Timestamp) -> bool {
    let now = acts.trusted(now);
    let counts = |act: &Act| {
        let lately = || act.since.plus_ms(DAY_MS) > now;
        let done = act.is_effective() && (act.is_lasting() || act.is_unsettled() || lately());
        !act.is_release() && (act.stage.is_begun() || done)
    };
    let mut others = acts.iter().filter(|(id, _)| *id != manifest.action_id);
    others.any(|(_, act)| counts(act) && same_deed(&act.manifest, manifest))
}

fn is_person(by: &str) -> bool {
    by.starts_with("person:")
}
