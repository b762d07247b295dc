//! From a verdict to an incident, a proposal, and people who hear of it.

mod word;

use std::sync::Arc;

use actix::Handler;
use vyrox_domain::{
    alert::{Alert, Severity},
    ids::{ActionId, AlertId, IncidentId},
    incident::CaseFacts,
    playbook::{self, Playbooks},
    protocol::{
        Case, Command, Effect, Event, RecordReview as ReviewCommand,
        RecordVerdict as VerdictCommand, Terms,
    },
    review::{self, Failure, ReviewOutcome},
    triage::{Assessment, Verdict},
    vendor::Vendor,
};
use vyrox_supervision::SupervisedContext;

use self::word::Concluded;
pub(super) use self::word::{Judged, Word};
use super::{Machine, enriching::Added};
use crate::{
    messages::{RecordReview, RecordVerdict},
    reviewer::{Review, Reviewed},
};

/// What is kept of an alert while stage 2 is asked.
pub(super) struct InReview {
    assessment: Assessment,
    tactics: Vec<String>,
    /// Its normal form, where there is evidence.
    alert: Option<Arc<Alert>>,
    /// The entry that says that it is asked.
    seq: u64,
    /// The question is on its way.
    sent: bool,
    /// How often the machine has looked for an answer since.
    sweeps: u32,
}

/// Looks, about one a second, after which an answer of stage 2 counts as lost. The reviewer answers far
/// sooner unless it has fallen.
const REVIEW_PATIENCE: u32 = 180;

impl InReview {
    /// Said in the entry at `seq`; 0 where that has long been durable.
    fn new(judged: Judged, seq: u64) -> Self {
        Self {
            assessment: judged.triaged.assessment,
            tactics: judged.tactics,
            alert: judged.alert,
            seq,
            sent: false,
            sweeps: 0,
        }
    }
}

impl Machine {
    /// Records a verdict with what follows from it, and has stage 2 asked where that is next.
    pub(super) fn judged(&mut self, judged: Judged, ctx: &SupervisedContext<Self>) {
        let Some(taker) = &self.taker else { return };
        let alert_id = judged.alert_id;
        if self.enriching.contains_key(&alert_id) {
            return; // said before, and about to be recorded
        }
        if taker.state.in_review.contains_key(&alert_id) {
            if self.in_review.contains_key(&alert_id) {
                return; // stage 1 said it twice, and stage 2 has been asked
            }
            // Stage 1 was asked anew to know the facts again; its word stands in the chain already.
            self.in_review.insert(alert_id, InReview::new(judged, 0));
            return self.ask_stage2(ctx);
        }
        self.settled(Word::Stage1(judged), ctx);
    }

    /// Records the last word on an alert, or that stage 2 is asked for it.
    pub(super) fn record(
        &mut self,
        word: Word,
        added: Option<Added>,
        ctx: &SupervisedContext<Self>,
    ) {
        let mut case = self.case(word.said(), word.alert());
        let mut attachments = Vec::new();
        if let (Some(Added { enriched, body }), Some(taker)) = (added, &self.taker) {
            attachments.push(taker.seal(&enriched.evidence.sha256, &body));
            case.enriched = Some(Box::new(enriched));
        }
        match word {
            Word::Stage1(judged) => self.record_verdict(judged, case, attachments, ctx),
            Word::Stage2(concluded) => {
                let review = ReviewCommand {
                    alert_id: concluded.alert_id,
                    case,
                    outcome: concluded.outcome,
                    model: concluded.model,
                };
                let command = Command::RecordReview(Box::new(review));
                self.carry_out_with(command, attachments, ctx);
            }
        }
    }

    fn record_verdict(
        &mut self,
        judged: Judged,
        case: Case,
        attachments: Vec<Vec<u8>>,
        ctx: &SupervisedContext<Self>,
    ) {
        let alert_id = judged.alert_id;
        let verdict = VerdictCommand {
            alert_id,
            case,
            daily_calls: judged.alert.as_ref().and_then(|_| self.daily_calls()),
            triaged: judged.triaged.clone(),
        };
        let command = Command::RecordVerdict(Box::new(verdict));
        let events = self.carry_out_with(command, attachments, ctx);
        if events.iter().any(Event::asks_stage2) {
            // Asked once that is durable: an entry that is lost after all must not have cost a call.
            let kept = InReview::new(judged, self.last_seq());
            self.in_review.insert(alert_id, kept);
        }
    }

    /// How many calls of stage 2 this tenant may make a day; none unless it has opted in.
    fn daily_calls(&self) -> Option<u32> {
        let world = &self.parts.world;
        world.outside.llm.as_ref()?;
        let keyring = world.keyring.load();
        let keys = keyring.tenant(self.name().as_str())?;
        keys.settings.llm.then_some(world.settings.daily_calls)
    }

    /// Asks stage 2 about everything that durably waits for it. What finds no room waits on.
    pub(super) fn ask_stage2(&mut self, ctx: &SupervisedContext<Self>) {
        if self.in_review.is_empty() {
            return;
        }
        let head = self.parts.world.journal.head(self.name().as_str());
        let durable = head.map(|head| head.seq);
        let due = self.in_review.iter();
        let due = due.filter(|(_, kept)| !kept.sent && Some(kept.seq) <= durable);
        let due: Vec<AlertId> = due.map(|(alert_id, _)| *alert_id).collect();
        for alert_id in due {
            self.ask_about(alert_id, ctx);
        }
    }

    fn ask_about(&mut self, alert_id: AlertId, ctx: &SupervisedContext<Self>) {
        // The tenant may have opted out since; then nobody is asked.
        let reviewer = self.parts.reviewer.clone();
        let reviewer = reviewer.filter(|_| self.daily_calls().is_some());
        let Some(kept) = self.in_review.get_mut(&alert_id) else {
            return;
        };
        let (Some(alert), Some(reviewer)) = (kept.alert.clone(), reviewer) else {
            return self.lost(alert_id, ctx);
        };
        let machine = ctx.handle();
        let reply = Arc::new(move |reviewed: Reviewed| {
            // If there is no room, the sweep takes the answer for lost in the end.
            machine.try_cast(RecordReview(reviewed)).ok();
        });
        let review = Review {
            alert_id,
            alert,
            assessment: kept.assessment.clone(),
            reply: Some(reply),
        };
        kept.sent = reviewer.try_cast(review).is_ok();
    }

    /// Nobody has an opinion on this alert, and nobody will have one.
    fn lost(&mut self, alert_id: AlertId, ctx: &SupervisedContext<Self>) {
        if let Some(kept) = self.in_review.remove(&alert_id) {
            let outcome = review::conclude(Severity::Unknown, &kept.assessment, Err(Failure::Lost));
            self.conclude(alert_id, (outcome, None), kept, ctx);
        }
    }

    fn reviewed(&mut self, reviewed: Reviewed, ctx: &SupervisedContext<Self>) {
        let Reviewed {
            alert_id,
            outcome,
            model,
            ..
        } = reviewed;
        if let Some(kept) = self.in_review.remove(&alert_id) {
            self.conclude(alert_id, (outcome, model), kept, ctx);
        }
    }

    fn conclude(
        &mut self,
        alert_id: AlertId,
        (outcome, model): (ReviewOutcome, Option<String>),
        kept: InReview,
        ctx: &SupervisedContext<Self>,
    ) {
        let assessment = Assessment {
            verdict: outcome.verdict,
            ..kept.assessment
        };
        let concluded = Concluded {
            alert_id,
            outcome,
            model,
            assessment,
            tactics: kept.tactics,
            alert: kept.alert,
        };
        self.settled(Word::Stage2(concluded), ctx);
    }

    /// Asks what has not been asked yet, and finds answers of stage 2 that were lost; called about once a
    /// second.
    pub(super) fn sweep_reviews(&mut self, ctx: &SupervisedContext<Self>) {
        self.ask_stage2(ctx);
        let mut lost = Vec::new();
        for (alert_id, kept) in &mut self.in_review {
            kept.sweeps = kept.sweeps.saturating_add(1);
            if kept.sweeps > REVIEW_PATIENCE {
                lost.push(*alert_id);
            }
        }
        for alert_id in lost {
            self.lost(alert_id, ctx);
        }
    }

    /// What ties the alert to others, and what to propose.
    fn case(&self, (assessment, tactics): (&Assessment, &[String]), alert: Option<&Alert>) -> Case {
        let world = &self.parts.world;
        let now = world.now();
        let facts = alert.map_or_else(unread, |alert| self.facts((assessment, tactics), alert));
        let drafts = alert.map_or_else(Vec::new, |alert| {
            self.ask_playbooks((alert, assessment.verdict), &facts, |playbooks, wanted| {
                playbooks.propose(wanted, &world.assets)
            })
        });
        Case {
            facts,
            enriched: None,
            incident_id: IncidentId(world.fresh_id(now)),
            drafts: drafts
                .into_iter()
                .map(|draft| (ActionId(world.fresh_id(now)), draft))
                .collect(),
            terms: Terms {
                tenant_id: self.name().clone(),
                approval_ms: world.settings.approval_ms,
                dry_run: world.settings.dry_run,
                policy_sha256: world.policies.load().digest(),
            },
        }
    }
}

impl Machine {
    pub(super) fn facts(
        &self,
        (assessment, tactics): (&Assessment, &[String]),
        alert: &Alert,
    ) -> CaseFacts {
        let data_key = &self.parts.keys.data_key;
        let pseudonym = |kind: vyrox_domain::incident::LinkKind, text: &str| {
            data_key.pseudonym(kind.as_str(), text)
        };
        CaseFacts::of(alert, assessment, tactics, &pseudonym)
    }

    /// Puts a question about an alert to the playbooks in force.
    pub(super) fn ask_playbooks<T>(
        &self,
        (alert, verdict): (&Alert, Verdict),
        facts: &CaseFacts,
        ask: impl FnOnce(&Playbooks, &playbook::Case<'_>) -> T,
    ) -> T {
        let tactics = facts.tactics.iter().map(|one| one.as_str().to_owned());
        let tactics: Vec<String> = tactics.collect();
        let case = playbook::Case {
            alert,
            verdict,
            tactics: &tactics,
            techniques: &facts.techniques,
        };
        ask(&self.parts.world.playbooks.load(), &case)
    }
}

impl Handler<RecordVerdict> for Machine {
    type Result = ();

    fn handle(&mut self, message: RecordVerdict, ctx: &mut Self::Context) {
        self.owed.answered(message.alert_id);
        let RecordVerdict {
            alert_id,
            triaged,
            tactics,
            alert,
        } = message;
        let alert = Some(alert);
        let judged = Judged {
            alert_id,
            triaged,
            tactics,
            alert,
        };
        self.judged(judged, ctx);
        self.ask_next(ctx);
    }
}

impl Handler<RecordReview> for Machine {
    type Result = ();

    fn handle(&mut self, RecordReview(reviewed): RecordReview, ctx: &mut Self::Context) {
        self.reviewed(reviewed, ctx);
    }
}

/// The facts of an alert whose evidence nobody could read.
const fn unread() -> CaseFacts {
    CaseFacts {
        vendor: Vendor::Generic,
        host: None,
        device_id: None,
        links: Vec::new(),
        tactics: Vec::new(),
        techniques: Vec::new(),
        reasons: Vec::new(),
    }
}

/// The alerts that stage 1 has to be asked about, with the places of their entries.
pub(super) fn owed(effects: &[Effect]) -> impl Iterator<Item = super::owed::Case> {
    effects.iter().filter_map(|effect| match effect {
        Effect::Triage { alert_id, seq } => Some((*alert_id, *seq)),
        Effect::Begin { .. } | Effect::Carry { .. } | Effect::Lift { .. } => None,
    })
}
