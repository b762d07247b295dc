//! Actions taken back by a person, or because their time is over; and driven again by a person.

use std::time::Duration;

use actix::Handler;
use tokio::time::Instant;
use vyrox_domain::{
    action::{
        ActionManifest, Release,
        jws::{Approval, ApprovalKind},
    },
    containment::{Act, Manner, Redrive},
    ids::{ActionId, PersonId},
    protocol::{Command, Event, PolicySaid, Refusal, Via},
    triage::Verdict,
};
use vyrox_journal::AppendError;
use vyrox_policy::{Act as Asked, Channel, Context, Question, Ruling};
use vyrox_supervision::SupervisedContext;

use super::{
    super::{
        Machine,
        deciding::{channel, proposal},
        tell_failure,
    },
    gate::Ordered,
    ordering::ORDER_MS,
};
use crate::{
    failpoint::{Step, reach},
    messages::{RedriveAction, RollBackAction, StepAnswer},
};

/// The first pause before the lifting of a containment is tried again; each further one is twice as long.
const LIFT_AGAIN: Duration = Duration::from_mins(5);
/// The longest of those pauses.
const LIFT_AGAIN_MAX: Duration = Duration::from_hours(6);

type Reply = tokio::sync::oneshot::Sender<Result<StepAnswer, AppendError>>;

impl Machine {
    /// The order that takes an action back.
    fn releasing(&self, of: ActionId, act: &Act, proposed_by: String) -> ActionManifest {
        let world = &self.parts.world;
        let now = world.now();
        ActionManifest {
            action_id: ActionId(world.fresh_id(now)),
            release: Some(Release { of: Some(of) }),
            hold_minutes: 0,
            policy_sha256: world.policies.load().digest(),
            proposed_by,
            proposed_at_ms: now,
            expires_at_ms: now.plus_ms(ORDER_MS),
            ..act.manifest.clone()
        }
    }

    fn roll_back(&self, message: &RollBackAction) -> Result<(ActionId, Vec<Event>), StepAnswer> {
        let RollBackAction {
            action_id,
            person,
            via,
            ..
        } = message;
        let taker = self.taker.as_ref().ok_or_else(not_ready)?;
        let act = taker.state.acts.get(*action_id);
        let act = act.ok_or(StepAnswer::Unknown)?;
        let by = format!("person:{person}");
        let manifest = self.releasing(*action_id, act, by.clone());
        let ruling = self.may_person(Asked::Release, person, (&manifest, channel(via)));
        let policy = permitted(ruling)?;
        let ordered = Ordered {
            approval: Approval {
                kind: match via {
                    Via::Chat { .. } => ApprovalKind::Chat,
                    Via::Token { .. } => ApprovalKind::PersonalToken,
                },
                approvers: vec![by.clone()],
                approved_at_ms: manifest.proposed_at_ms,
                policies: policy.policies.clone(),
            },
            by,
            policy,
            claim: None,
            manifest,
        };
        let order = self.order(ordered).map_err(StepAnswer::NotNow)?;
        let id = order.ordered.manifest.action_id;
        let events = taker.decide(Command::Order(order));
        Ok((id, events.map_err(not_now)?))
    }

    fn redrive(&self, message: &RedriveAction) -> Result<(ActionId, Vec<Event>), StepAnswer> {
        let RedriveAction {
            action_id, person, ..
        } = message;
        let taker = self.taker.as_ref().ok_or_else(not_ready)?;
        let act = taker.state.acts.get(*action_id);
        let act = act.ok_or(StepAnswer::Unknown)?;
        // Whoever may say yes to it may have it tried again.
        let asked = if act.is_release() {
            Asked::Release
        } else {
            Asked::Approve
        };
        permitted(self.may_person(asked, person, (&act.manifest, Channel::Token)))?;
        if act.stage.is_redrivable() && self.parts.world.now() > act.manifest.expires_at_ms {
            return Err(StepAnswer::NotNow(over(act)));
        }
        let redrive = Redrive {
            action_id: *action_id,
            by: format!("person:{person}"),
            flaw: self.flaw(&act.jws),
            gate: self.gate(act.manifest.vendor, act.manifest.dry_run),
        };
        let events = taker.decide(Command::Redrive(Box::new(redrive)));
        Ok((*action_id, events.map_err(not_now)?))
    }

    fn may_person(
        &self,
        act: Asked,
        person: &PersonId,
        (manifest, channel): (&ActionManifest, Channel),
    ) -> Ruling {
        let world = &self.parts.world;
        let state = self.taker.as_ref().map(|taker| &taker.state);
        let meant = manifest.release.and_then(|release| release.of);
        let meant = meant.unwrap_or(manifest.action_id);
        let proposed = state.and_then(|state| state.proposals.get(meant));
        let verdict = proposed.map_or(Verdict::Medium, |proposed| proposed.verdict);
        let question = Question {
            act,
            principal: self.principal(&world.keyring.load(), person),
            proposal: proposal(manifest, verdict),
            context: Context {
                approvals: 1,
                approvers_include_proposer: false,
                same_person: false,
                bulk: false,
                break_glass: false,
                incident_given: false,
                reason_chars: 0,
                channel,
            },
        };
        world.policies.load().decide(&question)
    }

    /// Makes a person's step so, and answers once its intent is durable.
    fn step(
        &mut self,
        decided: Result<(ActionId, Vec<Event>), StepAnswer>,
        reply: Reply,
        ctx: &SupervisedContext<Self>,
    ) {
        let (id, events) = match decided {
            Ok(decided) => decided,
            Err(answer) => {
                // Whoever asked may have gone.
                reply.send(Ok(answer)).ok();
                return;
            }
        };
        let withheld = events.iter().find_map(|event| match event {
            Event::ActWithheld(withheld) => Some(StepAnswer::Withheld(withheld.facts.why)),
            _ => None,
        });
        let answer = withheld.unwrap_or(StepAnswer::Begun(id));
        reach(Step::BeforeIntent);
        let (machine, epoch) = (ctx.handle(), self.epoch());
        let told = std::sync::Arc::clone(&self.told);
        self.commit(&events, Vec::new(), move |durable, _| match durable {
            Ok(()) => {
                reply.send(Ok(answer)).ok();
                super::tell(&machine, &told);
            }
            Err(error) => {
                reply.send(Err(error.clone())).ok();
                tell_failure(&machine, epoch, error);
            }
        });
    }

    /// Takes back what was approved to be taken back when its time is over.
    pub(super) fn lift_what_is_over(&mut self, ctx: &SupervisedContext<Self>) {
        let Some(taker) = &self.taker else { return };
        let now = Instant::now();
        let due: Vec<ActionId> = taker.state.acts.lifts_due().collect();
        self.acting.lifts.retain(|id, _| due.contains(id));
        let tried = &self.acting.lifts;
        let due = due.into_iter();
        let due: Vec<_> = due
            .filter(|id| tried.get(id).is_none_or(|(_, again)| *again <= now))
            .collect();
        for id in due {
            self.lift(id, ctx);
        }
    }

    fn lift(&mut self, id: ActionId, ctx: &SupervisedContext<Self>) {
        let Some(taker) = &self.taker else { return };
        let Some(act) = taker.state.acts.get(id) else {
            return;
        };
        let gate = self.gate(act.manifest.vendor, act.manifest.dry_run);
        if gate.halted || gate.unproven {
            return;
        }
        let tries = self.acting.lifts.get(&id).map_or(0, |(tries, _)| *tries);
        let pause = LIFT_AGAIN.saturating_mul(1_u32.checked_shl(tries).unwrap_or(u32::MAX));
        let again = Instant::now() + pause.min(LIFT_AGAIN_MAX);
        self.acting
            .lifts
            .insert(id, (tries.saturating_add(1), again));
        // What was sent is not taken back by a rehearsal: somebody has to see that it can't be sent any more.
        if act.manner == Some(Manner::Live) && gate.manner.is_rehearsal() {
            return self.call_for_lift(id);
        }
        let manifest = self.releasing(id, act, "system".to_owned());
        let ordered = Ordered {
            approval: Approval {
                kind: ApprovalKind::OnExpiry,
                approvers: vec![act.approved_by.clone().unwrap_or_else(|| "system".into())],
                approved_at_ms: manifest.proposed_at_ms,
                policies: Vec::new(),
            },
            by: "system".to_owned(),
            policy: PolicySaid {
                policy_sha256: manifest.policy_sha256,
                policies: Vec::new(),
            },
            claim: None,
            manifest,
        };
        let order = self.order(ordered).map_err(|error| {
            tracing::error!(tenant = %self.name(), action_id = %id, error, "a containment cannot be lifted");
        });
        let decided = order.map(|order| taker.decide(Command::Order(order)));
        if let Ok(Ok(events)) = decided {
            self.settle(&events, ctx);
        }
    }
}

/// What to do where an approval has run out: it cannot be stretched, for another time is another manifest, to which
/// nobody has said yes.
fn over(act: &Act) -> String {
    if let Some(of) = act.releases() {
        return format!(
            "Its time to be sent is over. Take the action back anew: vyrox rollback {of}"
        );
    }
    if act.is_release() {
        return "Its time to be sent is over. It has to be asked for anew.".to_owned();
    }
    "Its approval is over. The next alert about it proposes it again, to be approved anew."
        .to_owned()
}

fn permitted(ruling: Ruling) -> Result<PolicySaid, StepAnswer> {
    if !ruling.allowed {
        return Err(StepAnswer::Denied(ruling.policies));
    }
    Ok(PolicySaid {
        policy_sha256: ruling.policy_sha256,
        policies: ruling.policies,
    })
}

fn not_now(refusal: Refusal) -> StepAnswer {
    match refusal {
        Refusal::UnknownAction => StepAnswer::Unknown,
        Refusal::Withheld(why) => StepAnswer::Withheld(why),
        other => StepAnswer::NotNow(other.to_string()),
    }
}

fn not_ready() -> StepAnswer {
    StepAnswer::NotNow("the tenant's machine is not ready".to_owned())
}

impl Handler<RollBackAction> for Machine {
    type Result = ();

    fn handle(&mut self, message: RollBackAction, ctx: &mut Self::Context) {
        self.idle_sweeps = 0;
        self.watch_clock(ctx);
        let decided = self.roll_back(&message);
        self.step(decided, message.reply, ctx);
    }
}

impl Handler<RedriveAction> for Machine {
    type Result = ();

    fn handle(&mut self, message: RedriveAction, ctx: &mut Self::Context) {
        self.idle_sweeps = 0;
        self.watch_clock(ctx);
        let decided = self.redrive(&message);
        self.step(decided, message.reply, ctx);
    }
}
