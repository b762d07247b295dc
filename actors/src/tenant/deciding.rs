//! A decision about a proposed action: who it is, what the policies say, the approval signed, all of it
//! durable, and only then the answer.

use std::sync::Arc;

use actix::Handler;
use vyrox_domain::{
    action::{
        ActionManifest,
        jws::{ActionKey, Approval, ApprovalKind, sign},
    },
    digest::Digest,
    ids::PersonId,
    protocol::{
        Command, Decide, Event, Evidence, EvidenceKind, NotDecided, PolicySaid, Ruling, Verb, Via,
    },
    tenant::{Proposed, TenantState, may_decide},
    time::Timestamp,
    triage::Verdict,
};
use vyrox_policy::{Act, Channel, Context, Principal, Proposal, Question};
use vyrox_supervision::SupervisedContext;

use super::{Machine, showing::tell, tell_failure};
use crate::{
    keyring::{Keyring, TenantKeys},
    messages::{DecideAction, Outcome, Who},
};

/// Refused decisions that get onto a tenant's chain within a minute. Anybody who sees a button can press it.
const REFUSALS_A_MINUTE: u32 = 256;

/// How many refused decisions were journaled lately.
#[derive(Default)]
pub(super) struct Refused {
    minute: u64,
    count: u32,
}

impl Refused {
    /// Whether one more may be journaled.
    fn note(&mut self, now: Timestamp) -> bool {
        let minute = now.s() / 60;
        if self.minute != minute {
            *self = Self { minute, count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count <= REFUSALS_A_MINUTE
    }
}

/// For how long approvals of different hosts count together.
const BULK_WINDOW_MS: u64 = 60 * 60 * 1000;

impl Machine {
    fn decide_action(&mut self, message: DecideAction, ctx: &SupervisedContext<Self>) {
        let now = self.parts.world.now();
        let keyring = self.parts.world.keyring.load();
        let Some(taker) = &self.taker else { return };
        let mut decide = Decide {
            alert_id: message.alert_id,
            shown: message.shown,
            verb: message.verb,
            person: person(&keyring, &message.who),
            barred: keyring
                .tenant(self.name().as_str())
                .and_then(|keys| barred(keys, &message.who, &message.via)),
            via: message.via,
            reason: message.reason.as_deref().map(reason),
            incident_id: message.incident_id,
            earlier: Vec::new(),
            ruling: Ruling::NotAsked,
        };
        decide.barred = decide
            .barred
            .or_else(|| self.in_vain(&taker.state, &decide));
        decide.earlier = self.still_count(&taker.state, &decide, &keyring);
        let reason_chars = message
            .reason
            .as_deref()
            .map_or(0, |text| text.chars().count());
        decide.ruling = self.ruling(&taker.state, &decide, &keyring, (reason_chars, now));
        let sealed = decide.reason.as_ref().zip(message.reason.as_deref());
        let sealed = sealed.map(|(piece, text)| taker.seal(&piece.sha256, text.as_bytes()));
        let Ok(events) = taker.decide(Command::Decide(Box::new(decide))) else {
            return;
        };
        let outcome = outcome(&taker.state, &events);
        if matches!(outcome, Outcome::Refused { .. }) && !self.refused.note(now) {
            // The chain has enough of these for this minute; whoever asked is told all the same.
            tracing::warn!(tenant = %self.name(), "refused decisions are not journaled for a while: too many");
            message.reply.send(Ok(outcome)).ok();
            return;
        }
        let keeps_reason = events.first().is_some_and(names_reason);
        let attachments = sealed.filter(|_| keeps_reason).into_iter().collect();
        let (machine, epoch, reply) = (ctx.handle(), taker.epoch, message.reply);
        let told = Arc::clone(&self.told);
        self.commit(&events, attachments, move |durable, _| {
            match durable {
                Ok(()) => {
                    // Whoever asked may have gone; the decision stands.
                    reply.send(Ok(outcome)).ok();
                    tell(&machine, &told);
                }
                Err(error) => {
                    reply.send(Err(error.clone())).ok();
                    tell_failure(&machine, epoch, error);
                }
            }
        });
    }

    /// Of those who said yes before, the ones whose yes would still count now: a role may have been taken
    /// from somebody since, or the person be gone.
    fn still_count(
        &self,
        state: &TenantState,
        decide: &Decide,
        keyring: &Keyring,
    ) -> Vec<PersonId> {
        let named = state
            .proposals
            .named(decide.alert_id, decide.shown.as_deref());
        let Ok(proposed) = named else {
            return Vec::new();
        };
        let policies = self.parts.world.policies.load();
        let counts = |person: &&PersonId| {
            let question = Question {
                act: Act::Approve,
                principal: self.principal(keyring, person),
                proposal: proposal(&proposed.manifest, proposed.verdict),
                context: Context {
                    approvers_include_proposer: named_by(proposed, person),
                    approvals: 1,
                    same_person: false,
                    bulk: false,
                    break_glass: false,
                    incident_given: false,
                    reason_chars: 0,
                    channel: channel(&decide.via),
                },
            };
            policies.decide(&question).allowed
        };
        proposed
            .approvers()
            .iter()
            .filter(counts)
            .cloned()
            .collect()
    }

    pub(super) fn principal(&self, keyring: &Keyring, person: &PersonId) -> Principal {
        let known = keyring.people.person(person);
        let roles = known.and_then(|known| known.roles.get(self.name()).cloned());
        Principal::Person {
            id: person.clone(),
            roles: roles.unwrap_or_default(),
        }
    }

    /// What the policies say; they are not asked about what cannot count anyway.
    fn ruling(
        &self,
        state: &TenantState,
        decide: &Decide,
        keyring: &Keyring,
        (reason_chars, now): (usize, Timestamp),
    ) -> Ruling {
        let named = state
            .proposals
            .named(decide.alert_id, decide.shown.as_deref());
        let Ok(proposed) = named else {
            return Ruling::NotAsked;
        };
        let Ok(person) = may_decide(state, proposed, decide, now) else {
            return Ruling::NotAsked;
        };
        let policies = self.parts.world.policies.load();
        let tenant = self.name();
        let mut question = Question {
            act: match decide.verb {
                Verb::Approve => Act::Approve,
                Verb::Deny => Act::Deny,
                Verb::BreakGlass => Act::BreakGlass,
            },
            principal: self.principal(keyring, person),
            proposal: proposal(&proposed.manifest, proposed.verdict),
            context: self.context(state, proposed, decide, (reason_chars, now)),
        };
        let said = |ruling: vyrox_policy::Ruling| PolicySaid {
            policy_sha256: policies.digest(),
            policies: ruling.policies,
        };
        let first = policies.decide(&question);
        if !first.allowed {
            return Ruling::Denied(said(first));
        }
        if decide.verb == Verb::Deny {
            return Ruling::Counts(said(first));
        }
        question.act = Act::Execute;
        let enough = policies.decide(&question);
        if !enough.allowed {
            return Ruling::Counts(said(first));
        }
        let mut policy = said(enough);
        policy.policies.extend(first.policies);
        policy.policies.sort();
        policy.policies.dedup();
        let jws = keyring
            .tenant(tenant.as_str())
            .and_then(|keys| signed(keys, proposed, person, (decide, &policy, now)));
        Ruling::Suffices { policy, jws }
    }

    fn context(
        &self,
        state: &TenantState,
        proposed: &Proposed,
        decide: &Decide,
        (reason_chars, now): (usize, Timestamp),
    ) -> Context {
        let since = Timestamp::from_ms(now.ms().saturating_sub(BULK_WINDOW_MS));
        let approved = state.proposals.approved_targets_since(since);
        let before = decide
            .person
            .as_ref()
            .is_some_and(|it| decide.earlier.contains(it));
        let yeses = decide.earlier.len().saturating_add(usize::from(!before));
        let mut approvers = decide.earlier.iter().chain(decide.person.iter());
        Context {
            approvers_include_proposer: approvers.any(|person| named_by(proposed, person)),
            approvals: u32::try_from(yeses).unwrap_or(u32::MAX),
            same_person: before,
            bulk: approved >= self.parts.world.settings.bulk_hosts,
            break_glass: decide.verb == Verb::BreakGlass,
            incident_given: decide.incident_id.is_some(),
            reason_chars: u32::try_from(reason_chars).unwrap_or(u32::MAX),
            channel: channel(&decide.via),
        }
    }
}

pub(super) const fn channel(via: &Via) -> Channel {
    match via {
        Via::Chat { .. } => Channel::Chat,
        Via::Token { .. } => Channel::Token,
    }
}

/// Whether the person proposed the action.
fn named_by(proposed: &Proposed, person: &PersonId) -> bool {
    proposed.manifest.proposed_by == named(person)
}

/// A manifest, as far as policies can see it.
pub(super) fn proposal(manifest: &ActionManifest, verdict: Verdict) -> Proposal {
    let protected = manifest.protected.as_deref();
    Proposal {
        tenant: manifest.tenant_id.clone(),
        action_type: manifest.action_type,
        verdict,
        vendor: manifest.vendor,
        tier0: protected == Some("tier0"),
        protected: protected.is_some(),
        dry_run: manifest.dry_run,
        release: manifest.release.is_some(),
        proposer: manifest
            .proposed_by
            .strip_prefix("person:")
            .and_then(|id| id.parse().ok()),
    }
}

pub(super) fn person(keyring: &Keyring, who: &Who) -> Option<PersonId> {
    match who {
        Who::Person(id) => keyring.people.person(id).map(|known| known.id.clone()),
        Who::Account { account_id, .. } => {
            let known = keyring.people.by_account("discord", account_id)?;
            Some(known.id.clone())
        }
    }
}

/// What the chat service's own words about the press already rule out.
fn barred(keys: &TenantKeys, who: &Who, via: &Via) -> Option<NotDecided> {
    let (Who::Account { roles, .. }, Via::Chat { guild_id, .. }) = (who, via) else {
        return None;
    };
    let Some(binding) = keys
        .settings
        .chat
        .as_ref()
        .filter(|it| it.guild_id == *guild_id)
    else {
        return Some(NotDecided::WrongPlace);
    };
    let wanted = binding.admin_role_id.as_ref();
    let lacks = wanted.is_some_and(|role| !roles.contains(role));
    lacks.then_some(NotDecided::RoleMissing)
}

fn reason(text: &str) -> Evidence {
    Evidence {
        kind: EvidenceKind::Reason,
        sha256: Digest::of(text.as_bytes()),
        length: text.len() as u64,
        at_seq: None,
    }
}

fn signed(
    keys: &TenantKeys,
    proposed: &Proposed,
    person: &PersonId,
    (decide, policy, now): (&Decide, &PolicySaid, Timestamp),
) -> Option<String> {
    let mut approvers: Vec<_> = decide.earlier.iter().map(named).collect();
    let last = named(person);
    if !approvers.contains(&last) {
        approvers.push(last);
    }
    let approval = Approval {
        kind: match (decide.verb, &decide.via) {
            (Verb::BreakGlass, _) => ApprovalKind::BreakGlass,
            (_, Via::Chat { .. }) => ApprovalKind::Chat,
            (_, Via::Token { .. }) => ApprovalKind::PersonalToken,
        },
        approvers,
        approved_at_ms: now,
        policies: policy.policies.clone(),
    };
    let key = ActionKey::from_seed(keys.action_seed.as_ref()?.expose());
    sign(&key, &proposed.manifest, &approval).ok()
}

fn named(person: &PersonId) -> String {
    format!("person:{person}")
}

fn outcome(state: &TenantState, events: &[Event]) -> Outcome {
    match events.first() {
        Some(Event::ApprovalGranted(granted)) => Outcome::Granted {
            by: granted.facts.approvers.clone(),
            digest: granted.facts.about.manifest_sha256,
        },
        Some(Event::ApprovalGiven(given)) => Outcome::Given {
            by: given.facts.person_id.clone(),
            approvals: given.facts.approvals,
        },
        Some(Event::ApprovalDenied(denied)) => Outcome::Denied {
            by: denied.facts.person_id.clone(),
        },
        Some(Event::ApprovalRefused(refused)) => Outcome::Refused {
            why: refused.why,
            standing: refused
                .action_id
                .and_then(|id| state.proposals.get(id))
                .map(|proposed| proposed.standing.clone()),
        },
        _ => Outcome::Refused {
            why: NotDecided::UnknownAction,
            standing: None,
        },
    }
}

/// Whether the entry names the reason that was given, so that it has to be kept.
fn names_reason(event: &Event) -> bool {
    match event {
        Event::ApprovalDenied(_) => true,
        Event::ApprovalGranted(granted) => granted.facts.break_glass.is_some(),
        _ => false,
    }
}

impl Handler<DecideAction> for Machine {
    type Result = ();

    fn handle(&mut self, message: DecideAction, ctx: &mut Self::Context) {
        self.idle_sweeps = 0;
        self.decide_action(message, ctx);
    }
}
