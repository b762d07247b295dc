//! Reviews that somebody still waits for. They outlive the generation that took them, so that the next
//! one can tell their callers that the call is lost.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use vyrox_domain::{alert::Severity, ids::AlertId, review::ReviewOutcome, triage::Assessment};

use super::{Reply, Review, Reviewed, lost};

/// The open reviews of one tenant. Whoever takes one out answers it; nobody can answer it twice.
#[derive(Default)]
pub(super) struct OpenReviews(Mutex<Ledger>);

/// Names one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

#[derive(Default)]
struct Ledger {
    next: u64,
    owed: BTreeMap<Ticket, Owed>,
}

struct Owed {
    alert_id: AlertId,
    severity: Severity,
    assessment: Assessment,
    called: bool,
    reply: Reply,
}

impl OpenReviews {
    pub(super) fn len(&self) -> usize {
        self.lock().owed.len()
    }

    pub(super) fn enter(&self, review: &Review, reply: Reply) -> Ticket {
        let owed = Owed {
            alert_id: review.alert_id,
            severity: review.alert.severity,
            assessment: review.assessment.clone(),
            called: false,
            reply,
        };
        let mut ledger = self.lock();
        let ticket = Ticket(ledger.next);
        ledger.next = ledger.next.wrapping_add(1);
        ledger.owed.insert(ticket, owed);
        ticket
    }

    /// The call is about to be made.
    pub(super) fn called(&self, ticket: Ticket) {
        if let Some(owed) = self.lock().owed.get_mut(&ticket) {
            owed.called = true;
        }
    }

    pub(super) fn alert_of(&self, ticket: Ticket) -> Option<AlertId> {
        self.lock().owed.get(&ticket).map(|owed| owed.alert_id)
    }

    /// Answers one, unless a later generation has done so already.
    pub(super) fn answer(
        &self,
        ticket: Ticket,
        outcome: ReviewOutcome,
        reasons: Vec<String>,
        model: &str,
    ) {
        let owed = self.lock().owed.remove(&ticket);
        if let Some(owed) = owed {
            (owed.reply)(Reviewed {
                alert_id: owed.alert_id,
                outcome,
                reasons,
                model: owed.called.then(|| model.to_owned()),
                called: owed.called,
            });
        }
    }

    /// Answers all of them: their calls are lost.
    pub(super) fn lose_all(&self, model: &str) {
        let owed = std::mem::take(&mut self.lock().owed);
        for owed in owed.into_values() {
            let model = owed.called.then_some(model);
            (owed.reply)(lost(owed.alert_id, owed.severity, &owed.assessment, model));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
