//! From a verified body to durable entries: what a tenant's machine and, while that is suspended,
//! its intake writer have in common. Decides and applies at memory speed; every answer leaves from
//! the journal's callback, so after the sync.

mod answer;
mod committing;
mod evidence;
mod refusing;

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use vyrox_domain::{
    digest::Digest,
    ids::{AlertId, TenantId},
    protocol::{
        AlertReceived, Command, IntakeRejected, Known, ReceiveAlert, Refusal, SecretFallbackUsed,
    },
    tenant::{TenantState, decide},
    time::Timestamp,
};
use vyrox_journal::{Append, AppendError, Class, Done, Draft, seal::DataKey};

pub use self::evidence::evidence_aad;
use self::{
    answer::Answer,
    evidence::{alert_evidence, raw_evidence},
    refusing::refused,
};
use crate::{
    claims::{self, Overlay, Row, Young},
    keyring::TenantKeys,
    loading::Loaded,
    messages::{Intake, IntakeError, ParsedAlert, Receive, Reject},
    ports::World,
};

/// The part of a tenant that takes things in. Owns the writer epoch.
pub struct Taker {
    /// The world.
    pub world: Arc<World>,
    /// Whose.
    pub tenant: TenantId,
    /// Its chain, or the one that stands in for it.
    pub chain: Arc<str>,
    /// What evidence is sealed under.
    pub data_key: Arc<DataKey>,
    /// What decisions rest on.
    pub state: TenantState,
    /// The writer epoch; an append of an older one is fenced.
    pub epoch: u64,
    /// Claims that the projections do not hold yet.
    pub overlay: Overlay,
    /// Appends whose callback has not run.
    pub in_flight: Arc<AtomicU64>,
}

/// An alert that is new and durable, with what stage 1 needs.
pub struct Fresh {
    /// Our id.
    pub alert_id: AlertId,
    /// Where its entry stands.
    pub seq: u64,
    /// The normal form.
    pub alert: Arc<vyrox_domain::alert::Alert>,
}

/// What to do once an append is known to be durable, or known not to be.
pub trait Outcome: Send + 'static {
    /// These alerts are durable now.
    fn durable(self: Box<Self>, fresh: Vec<Fresh>);
    /// The journal refused; the machine must start over.
    fn refused(self: Box<Self>, error: AppendError);
}

/// The entry of an alert that came before, or the place for a new one's hash.
#[derive(Default)]
struct First {
    hash: Arc<OnceLock<Digest>>,
    /// The chain that it is on, where that is not the tenant's own.
    held: Option<Arc<str>>,
}

struct Batch {
    drafts: Vec<Draft>,
    answers: Vec<Answer>,
    fresh: Vec<Fresh>,
}

impl Taker {
    /// A taker that goes on from what is durable.
    pub(crate) fn new(world: &Arc<World>, keys: &TenantKeys, loaded: Loaded) -> Self {
        Self {
            world: Arc::clone(world),
            tenant: keys.tenant.clone(),
            chain: loaded.chain,
            data_key: Arc::clone(&keys.data_key),
            state: loaded.state,
            epoch: loaded.epoch,
            overlay: loaded.overlay,
            in_flight: Arc::default(),
        }
    }

    /// Takes in the alerts of one body and answers once all of them are durable.
    /// Gives the new ones, with the places of their entries.
    pub fn receive(&mut self, message: Receive, outcome: Box<dyn Outcome>) -> Vec<(AlertId, u64)> {
        let Receive {
            intake,
            alerts,
            reply,
        } = message;
        let mut batch = Batch {
            drafts: Vec::new(),
            answers: Vec::new(),
            fresh: Vec::new(),
        };
        let expected_last = self.state.next_seq.checked_sub(1);
        let before = (alerts.len() > 1 || intake.fallback).then(|| self.state.clone());
        batch.drafts.extend(self.note_fallback(&intake));
        for parsed in alerts.iter() {
            if let Err(refusal) = self.take(&intake, parsed, &mut batch) {
                if let Some(before) = before {
                    self.roll_back(before);
                }
                self.note_over_quota(intake.vendor, &refusal, outcome);
                reply.send(Err(refusal)).ok();
                return Vec::new();
            }
        }
        let Batch {
            drafts,
            answers,
            fresh,
        } = batch;
        let cases = fresh.iter().map(|one| (one.alert_id, one.seq)).collect();
        let in_flight = self.departs();
        let done: Done = Box::new(move |result| {
            in_flight.fetch_sub(1, Ordering::AcqRel);
            match result {
                Ok(receipts) => {
                    let accepted: Option<Vec<_>> = answers
                        .iter()
                        .map(|answer| answer.accepted(&receipts))
                        .collect();
                    // A repeat of an entry that never became durable is as lost as that one was.
                    let lost = IntakeError::Journal(AppendError::Fenced);
                    // The caller may have gone; what is durable stays durable.
                    reply.send(accepted.ok_or(lost)).ok();
                    outcome.durable(fresh);
                }
                Err(error) => {
                    reply.send(Err(IntakeError::Journal(error.clone()))).ok();
                    outcome.refused(error);
                }
            }
        });
        self.append(Class::Intake, expected_last, drafts, done);
        cases
    }

    /// Keeps a body as evidence of which no alert is made.
    pub fn reject(&mut self, message: Reject, outcome: Box<dyn Outcome>) {
        let Reject { intake, why, reply } = message;
        let raw = raw_evidence(&intake, None);
        let rejected = IntakeRejected {
            vendor: intake.vendor,
            detail: why.detail,
            reason: why.reason,
            vendor_alert_ids: why.vendor_alert_ids,
            evidence: vec![raw],
            held_receipt: None,
        };
        let expected_last = self.state.next_seq.checked_sub(1);
        let command = Command::RejectIntake {
            rejected,
            quota: self.world.limits.quota,
        };
        // Nothing that was noted before has a say in this, so a refusal leaves no trace.
        let decided = decide(&self.state, command, intake.received_at).map_err(refused);
        let events = match self.has_room().and(decided) {
            Ok(events) => events,
            Err(refusal) => {
                self.note_over_quota(intake.vendor, &refusal, outcome);
                reply.send(Err(refusal)).ok();
                return;
            }
        };
        let mut drafts = self.note_fallback(&intake);
        let sealed = self.seal(&intake.body_sha256, &intake.body);
        drafts.extend(self.happen(&events, intake.received_at, vec![sealed]));
        let in_flight = self.departs();
        let done: Done = Box::new(move |result| {
            in_flight.fetch_sub(1, Ordering::AcqRel);
            match result {
                Ok(receipts) => {
                    if let Some(receipt) = receipts.last() {
                        reply.send(Ok((receipt.seq, Digest(receipt.hash)))).ok();
                    }
                    outcome.durable(Vec::new());
                }
                Err(error) => {
                    reply.send(Err(IntakeError::Journal(error.clone()))).ok();
                    outcome.refused(error);
                }
            }
        });
        self.append(Class::Intake, expected_last, drafts, done);
    }

    fn note_fallback(&mut self, intake: &Intake) -> Vec<Draft> {
        if !intake.fallback {
            return Vec::new();
        }
        let used = SecretFallbackUsed {
            vendor: intake.vendor,
        };
        let noted = Command::NoteFallback(used);
        let events = decide(&self.state, noted, intake.received_at).unwrap_or_default();
        self.happen(&events, intake.received_at, Vec::new())
    }

    /// Hands drafts to the journal. `done` runs after the sync, on the journal's thread.
    pub fn append(&self, class: Class, expected_last: Option<u64>, drafts: Vec<Draft>, done: Done) {
        self.world.journal.append(
            Append {
                class,
                chain: Arc::clone(&self.chain),
                epoch: self.epoch,
                expected_last,
                drafts,
            },
            done,
        );
    }

    /// Counts an append that is on its way; its callback must count it off.
    pub fn departs(&self) -> Arc<AtomicU64> {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        Arc::clone(&self.in_flight)
    }

    /// Forgets young claims that the projections hold by now.
    pub fn tidy(&mut self) {
        if let Some(applied) = self.world.progress.applied(&self.chain) {
            self.overlay.forget_up_to(applied);
        }
    }

    fn take(
        &mut self,
        intake: &Intake,
        parsed: &ParsedAlert,
        batch: &mut Batch,
    ) -> Result<(), IntakeError> {
        let first_seq = batch.fresh.first().map(|fresh| fresh.seq);
        let same = claims::sameness(intake.body_sha256, parsed.sha256);
        let key = claims::key(parsed.alert.vendor, &parsed.alert.vendor_alert_id);
        let (known, first) = self.known(&key, &same, intake);
        let evidence = vec![alert_evidence(parsed), raw_evidence(intake, first_seq)];
        let alert_id = self.world.alert_id(intake.received_at);
        let received = AlertReceived {
            polled: intake.polled,
            ..AlertReceived::of(&parsed.alert, evidence)
        };
        let command = Command::ReceiveAlert(Box::new(ReceiveAlert {
            alert_id,
            received,
            known,
            quota: self.world.limits.quota,
        }));
        let events = match decide(&self.state, command, intake.received_at) {
            Ok(events) => self.has_room().map(|()| events)?,
            Err(Refusal::Duplicate { alert_id, seq }) => {
                batch.answers.push(Answer::Repeat {
                    alert_id,
                    seq,
                    hash: first.hash,
                    held: first.held,
                });
                return Ok(());
            }
            Err(refusal) => return Err(refused(refusal)),
        };
        let seq = self.state.next_seq;
        let mut attachments = vec![self.seal(&parsed.sha256, &parsed.json)];
        if first_seq.is_none() {
            attachments.push(self.seal(&intake.body_sha256, &intake.body));
        }
        let index = batch.drafts.len();
        batch
            .drafts
            .extend(self.happen(&events, intake.received_at, attachments));
        let hash = first.hash;
        self.overlay.insert(
            key,
            Young {
                same,
                alert_id,
                seq,
                hash: Arc::clone(&hash),
            },
        );
        batch.answers.push(Answer::Fresh {
            index,
            alert_id,
            hash,
            held: self.stands_in(),
        });
        batch.fresh.push(Fresh {
            alert_id,
            seq,
            alert: Arc::clone(&parsed.alert),
        });
        Ok(())
    }

    /// What the index of earlier alerts says: the young rows first, then the projections.
    fn known(&self, key: &Digest, same: &Digest, intake: &Intake) -> (Known, First) {
        let now = intake.received_at;
        let is_it = |row_same: Digest| intake.polled || row_same == *same;
        let young = self.overlay.rows(key);
        if let Some(row) = young.iter().find(|row| is_it(row.same)) {
            let known = Known::Same {
                alert_id: row.alert_id,
                seq: row.seq,
            };
            let hash = Arc::clone(&row.hash);
            let held = self.stands_in();
            return (known, First { hash, held });
        }
        let mut seen = !young.is_empty();
        for (chain, held) in self.indexed() {
            let rows = self.claimed(&chain, key, now);
            if let Some(row) = rows.iter().find(|row| is_it(row.same)) {
                let known = Known::Same {
                    alert_id: row.alert_id,
                    seq: row.seq,
                };
                let hash = Arc::new(OnceLock::from(row.hash));
                return (known, First { hash, held });
            }
            seen |= !rows.is_empty();
        }
        let known = if seen { Known::IdReused } else { Known::New };
        (known, First::default())
    }

    /// The chain, where it stands in for the tenant's own.
    fn stands_in(&self) -> Option<Arc<str>> {
        (*self.chain != *self.tenant.as_str()).then(|| Arc::clone(&self.chain))
    }

    /// The chains whose alerts may come again: this one, and the tenant's own where this one stands in for
    /// it; each with its name if it is not the tenant's own.
    fn indexed(&self) -> Vec<(Arc<str>, Option<Arc<str>>)> {
        let held = self.stands_in();
        let own = held.is_some().then(|| (self.tenant.shared(), None));
        [(Arc::clone(&self.chain), held)]
            .into_iter()
            .chain(own)
            .collect()
    }

    fn claimed(&self, chain: &str, key: &Digest, now: Timestamp) -> Vec<Row> {
        match self.world.projections.claim(chain, &key.0, now.ms()) {
            Ok(rows) => rows.map(|bytes| claims::decode(&bytes)).unwrap_or_default(),
            Err(error) => {
                // A repeat may then count as new, which hides nothing; the alert itself is kept.
                tracing::error!(chain, %error, "the index of repeats is unreadable");
                Vec::new()
            }
        }
    }

    fn roll_back(&mut self, before: TenantState) {
        let keep = before.next_seq.checked_sub(1);
        self.overlay.forget_from(keep);
        self.state = before;
    }

    /// Seals a piece of evidence of this tenant.
    pub fn seal(&self, sha256: &Digest, plain: &[u8]) -> Vec<u8> {
        self.data_key
            .seal(&evidence_aad(&self.tenant, sha256), plain)
    }
}
