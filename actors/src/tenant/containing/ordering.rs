//! What a trusted service has had approved by its own people.

use std::{borrow::Cow, collections::BTreeSet};

use actix::Handler;
use vyrox_domain::{
    action::{
        ActionManifest, MANIFEST_VERSION, OnExpiry, Release,
        jws::{Approval, ApprovalKind},
        same_target, target_urn,
    },
    alert::Alert,
    containment::{Act, Acts, ContainmentLimits, Manner, Order, OutcomeKind, Stage, Withheld},
    digest::Digest,
    ids::{ActionId, IncidentId},
    notice::Standing,
    protocol::{Command, PolicySaid, Refusal},
    tenant::TenantState,
    time::Timestamp,
    triage::Verdict,
};
use vyrox_policy::{Act as Asked, Channel, Context, Principal, Question, Ruling};
use vyrox_supervision::SupervisedContext;

use super::{
    super::{Machine, deciding::proposal},
    gate::Ordered,
};
use crate::{
    failpoint::{Step, reach},
    messages::{ExecuteAction, ExecuteAnswer, External, ExternalTarget, NoTarget},
};

/// How long what was ordered may be carried out, in milliseconds.
pub(super) const ORDER_MS: u64 = 5 * 60 * 1000;
/// How far from now a service's approval may lie, in milliseconds.
const FRESH_MS: u64 = 30_000;
/// For how long contained hosts count together, in milliseconds.
const BULK_WINDOW_MS: u64 = 60 * 60 * 1000;
/// What stands in a manifest in the place of a playbook.
const EXTERNAL: &str = "external";
/// When to ask again where nobody can tell when there will be room.
const LATER_S: u64 = 60;
/// When to ask again where others are under way.
const SOON_S: u64 = 5;

impl Machine {
    /// Looks at a request in the order that callers rely on.
    fn examine(&self, request: &External) -> Result<Box<Order>, ExecuteAnswer> {
        let (now, limits) = (
            self.parts.world.now(),
            self.parts.world.settings.containment,
        );
        let Some(taker) = &self.taker else {
            return Err(denied("the tenant's machine is not ready"));
        };
        let acts = &taker.state.acts;
        acts.is_unclaimed(&request.claim, limits.claim_ms, now)
            .map_err(|refusal| self.answer_to(refusal, request.claim.rollback, now))?;
        let room = room(acts, request.claim.rollback, (&limits, now));
        if room.is_none_or(|at| at > now) {
            return Err(over_budget(room, now));
        }
        if now.ms().abs_diff(request.approved_at.ms()) > FRESH_MS {
            return Err(ExecuteAnswer::Stale);
        }
        let target = self.target(request)?;
        let manifest = self.external(&taker.state, (request, &target), now);
        let ruling = self.may_service(&taker.state, (&manifest, target.verdict), now);
        if !ruling.allowed {
            let by = ruling.policies.join(", ");
            let why = if by.is_empty() {
                "no policy permits it".to_owned()
            } else {
                format!("the policies forbid it: {by}")
            };
            return Err(ExecuteAnswer::Denied { why });
        }
        let by = format!("external:{}", request.approved_by);
        let ordered = Ordered {
            approval: Approval {
                kind: ApprovalKind::ExternalHmac,
                approvers: vec![by.clone()],
                approved_at_ms: request.approved_at,
                policies: ruling.policies.clone(),
            },
            manifest,
            by,
            policy: PolicySaid {
                policy_sha256: ruling.policy_sha256,
                policies: ruling.policies,
            },
            claim: Some(request.claim.clone()),
        };
        self.order(ordered).map_err(denied)
    }

    fn execute(&mut self, message: ExecuteAction, ctx: &SupervisedContext<Self>) {
        let ExecuteAction { request, reply } = message;
        let examined = self.examine(&request);
        let now = self.parts.world.now();
        let Some(taker) = &self.taker else { return };
        let decided = examined.and_then(|order| {
            let id = order.ordered.manifest.action_id;
            let events = taker.decide(Command::Order(order));
            let rollback = request.claim.rollback;
            let events = events.map_err(|refusal| self.answer_to(refusal, rollback, now))?;
            Ok((id, events))
        });
        match decided {
            Ok((id, events)) => {
                self.acting.waiting.insert(id, reply);
                reach(Step::BeforeIntent);
                self.settle(&events, ctx);
            }
            Err(answer) => {
                // What came of a request before, or is on its way, may be decided and not durable yet.
                self.once_durable(move |durable| {
                    // Whoever asked may have gone.
                    reply.send(durable.map(|()| answer)).ok();
                });
            }
        }
    }

    fn answer_to(&self, refusal: Refusal, rollback: bool, now: Timestamp) -> ExecuteAnswer {
        match refusal {
            Refusal::ClaimInFlight => ExecuteAnswer::InFlight,
            Refusal::ClaimMismatch => ExecuteAnswer::Mismatch,
            Refusal::ClaimAnswered(outcome) => ExecuteAnswer::Replayed(outcome),
            Refusal::Withheld(Withheld::Unsupported) => ExecuteAnswer::Unsupported,
            Refusal::Withheld(Withheld::HourBudget | Withheld::DayBudget) => {
                let limits = self.parts.world.settings.containment;
                let acts = self.taker.as_ref().map(|taker| &taker.state.acts);
                over_budget(
                    acts.and_then(|acts| room(acts, rollback, (&limits, now))),
                    now,
                )
            }
            // For an undoing, what it would undo or another undoing of it is under way.
            Refusal::Withheld(Withheld::Concurrent) | Refusal::WrongStage => {
                ExecuteAnswer::OverBudget {
                    retry_after_s: SOON_S,
                }
            }
            Refusal::Withheld(why) => ExecuteAnswer::Withheld(why),
            other => denied(other),
        }
    }

    /// Whom a request means. Who has something taken back whose alert cannot be read any more means whom that
    /// something was done to: a host does not stay contained because its evidence is gone.
    fn target<'a>(&self, request: &'a External) -> Result<Cow<'a, ExternalTarget>, ExecuteAnswer> {
        let missing = match &request.target {
            Ok(target) => return Ok(Cow::Borrowed(target)),
            Err(missing) => missing,
        };
        let held_down = match missing {
            NoTarget::Unreadable { host } | NoTarget::Erased { host } if request.claim.rollback => {
                self.held_down(request, host)
            }
            NoTarget::Unreadable { .. }
            | NoTarget::Erased { .. }
            | NoTarget::Missing(_)
            | NoTarget::OtherHost => None,
        };
        held_down
            .map(Cow::Owned)
            .ok_or_else(|| ExecuteAnswer::NoTarget(missing.clone()))
    }

    /// The target of the newest action about the request's alert that can be taken back and means its host.
    fn held_down(&self, request: &External, host: &str) -> Option<ExternalTarget> {
        let acts = self.taker.as_ref()?.state.acts.iter();
        let meant = acts.map(|(_, act)| act).filter(|act| {
            let manifest = &act.manifest;
            let named = manifest.host.as_ref();
            let urn = target_urn(manifest.vendor, host);
            (stands(act) || self.stands_in_rehearsal(act))
                && manifest.alert_id == request.alert_id
                && manifest.action_type == request.action_type
                && (named.is_some_and(|name| name.to_lowercase() == host.to_lowercase())
                    || urn.is_some_and(|urn| same_target(&urn, &manifest.target_urn)))
        });
        let manifest = &meant.last()?.manifest;
        Some(ExternalTarget {
            vendor: manifest.vendor,
            target_urn: manifest.target_urn.clone(),
            host: manifest.host.clone(),
            parameters: manifest.parameters.clone(),
            protected: self
                .protected_by_now(manifest)
                .or_else(|| manifest.protected.clone()),
            verdict: None,
            incident_id: Some(manifest.incident_id),
        })
    }

    /// Why its machine is special by now, as far as its id and name tell.
    fn protected_by_now(&self, manifest: &ActionManifest) -> Option<String> {
        let mut known = Alert::bare(manifest.vendor, String::new());
        let device = manifest.target_urn.rsplit(':').next();
        known.device.id = device.map(str::to_owned);
        known.device.hostname.clone_from(&manifest.host);
        let why = self.parts.world.assets.of(&known)?;
        Some(why.to_string())
    }

    /// What was rehearsed is taken back in a rehearsal, which predicts what would be.
    fn stands_in_rehearsal(&self, act: &Act) -> bool {
        let rehearsed = matches!(
            act.stage,
            Stage::Done {
                outcome: OutcomeKind::DryRun
            }
        );
        let manner = self.gate(act.manifest.vendor, false).manner;
        rehearsed && manner.is_rehearsal() && !act.is_release()
    }

    /// What a service asks for, as a manifest.
    fn external(
        &self,
        state: &TenantState,
        (request, target): (&External, &ExternalTarget),
        now: Timestamp,
    ) -> ActionManifest {
        let world = &self.parts.world;
        let mut manifest = ActionManifest {
            manifest_version: MANIFEST_VERSION,
            action_id: ActionId(world.fresh_id(now)),
            tenant_id: self.name().clone(),
            alert_id: request.alert_id,
            incident_id: target.incident_id.unwrap_or(IncidentId(uuid::Uuid::nil())),
            vendor: target.vendor,
            action_type: request.action_type,
            target_urn: target.target_urn.clone(),
            host: target.host.clone(),
            parameters: target.parameters.clone(),
            // What its caller was told to be a rehearsal must never be sent later.
            dry_run: self.gate(target.vendor, false).manner != Manner::Live,
            on_expiry: OnExpiry::Ask,
            hold_minutes: 0,
            playbook: EXTERNAL.to_owned(),
            playbook_sha256: Digest::of(EXTERNAL.as_bytes()),
            policy_sha256: world.policies.load().digest(),
            protected: target.protected.clone(),
            proposed_by: "service:compat".to_owned(),
            proposed_at_ms: now,
            expires_at_ms: now.plus_ms(ORDER_MS),
            release: None,
        };
        if request.claim.rollback {
            let of = in_force(state, &manifest);
            if let Some(act) = of.and_then(|id| state.acts.get(id)) {
                manifest.parameters = act.manifest.parameters.clone();
                // What people contained as a special machine is one, whatever this request's alert tells of it.
                let special = act.manifest.protected.clone();
                manifest.protected = special.or(manifest.protected);
            }
            manifest.release = Some(Release { of });
        }
        manifest
    }

    /// What the policies say to a service that signs with the shared secret.
    fn may_service(
        &self,
        state: &TenantState,
        (manifest, verdict): (&ActionManifest, Option<Verdict>),
        now: Timestamp,
    ) -> Ruling {
        let world = &self.parts.world;
        let hosts = contained_since(
            state,
            Timestamp::from_ms(now.ms().saturating_sub(BULK_WINDOW_MS)),
        );
        let question = Question {
            act: Asked::Execute,
            principal: Principal::Service {
                name: "compat".to_owned(),
            },
            proposal: proposal(manifest, verdict.unwrap_or(Verdict::Medium)),
            context: Context {
                approvals: 0,
                approvers_include_proposer: false,
                same_person: false,
                bulk: manifest.release.is_none() && hosts >= world.settings.bulk_hosts,
                break_glass: false,
                incident_given: false,
                reason_chars: 0,
                channel: Channel::Hmac,
            },
        };
        world.policies.load().decide(&question)
    }
}

/// The newest action that does to the same target what this manifest would take back.
fn in_force(state: &TenantState, manifest: &ActionManifest) -> Option<ActionId> {
    let same = state.acts.iter().filter(|(_, act)| {
        let meant = act.manifest.action_type == manifest.action_type
            && same_target(&act.manifest.target_urn, &manifest.target_urn);
        stands(act) && meant
    });
    same.last().map(|(id, _)| id)
}

/// Whether it is something done that may hold a machine down, so that it can be taken back.
fn stands(act: &Act) -> bool {
    let may_stand = matches!(
        act.stage,
        Stage::Done {
            outcome: OutcomeKind::AlreadySo | OutcomeKind::Unknown
        }
    );
    (act.is_in_force() || may_stand) && !act.is_release()
}

/// On how many hosts something was approved or begun since then.
fn contained_since(state: &TenantState, from: Timestamp) -> usize {
    let begun = state.acts.iter().map(|(_, act)| act).filter(|act| {
        let withheld = matches!(act.stage, Stage::Withheld { .. });
        !act.is_release() && !withheld && act.manifest.proposed_at_ms >= from
    });
    let approved = state
        .proposals
        .iter()
        .filter(|one| matches!(one.standing, Standing::Approved { .. }) && one.since >= from);
    let hosts = begun.map(|act| act.manifest.target_urn.as_str());
    let hosts = hosts.chain(approved.map(|one| one.manifest.target_urn.as_str()));
    hosts.collect::<BTreeSet<_>>().len()
}

/// When a caller's request fits its budgets of the hour and the day.
fn room(
    acts: &Acts,
    rollback: bool,
    (limits, now): (&ContainmentLimits, Timestamp),
) -> Option<Timestamp> {
    let share = limits.callers_share();
    if rollback {
        acts.room_to_undo_again(now, &share)
    } else {
        acts.room_again(now, &share)
    }
}

fn denied(why: impl std::fmt::Display) -> ExecuteAnswer {
    let why = why.to_string();
    ExecuteAnswer::Denied { why }
}

fn over_budget(room: Option<Timestamp>, now: Timestamp) -> ExecuteAnswer {
    let wait_ms = room.map(|at| at.ms().saturating_sub(now.ms()));
    let retry_after_s = wait_ms.map_or(LATER_S, |ms| ms.div_ceil(1000).max(1));
    ExecuteAnswer::OverBudget { retry_after_s }
}

impl Handler<ExecuteAction> for Machine {
    type Result = ();

    fn handle(&mut self, message: ExecuteAction, ctx: &mut Self::Context) {
        self.idle_sweeps = 0;
        self.watch_clock(ctx);
        self.execute(message, ctx);
    }
}
