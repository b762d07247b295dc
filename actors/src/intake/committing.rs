//! From a command to durable entries.

use std::sync::atomic::Ordering;

use vyrox_domain::{
    protocol::{Command, Event, Refusal},
    tenant::{apply, decide},
    time::Timestamp,
};
use vyrox_journal::{AppendError, Class, Done, Draft};

use super::Taker;
use crate::draft::draft;

impl Taker {
    /// What would follow from a command now.
    ///
    /// # Errors
    /// The machine's own refusal.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        decide(&self.state, command, self.world.now())
    }

    /// Decides, applies and appends a command that nobody waits for. A refusal of the machine's own
    /// leaves everything as it is; one of the journal's goes to `failed`.
    pub fn carry_out(
        &mut self,
        command: Command,
        failed: impl FnOnce(AppendError) + Send + 'static,
    ) {
        if let Ok(events) = self.decide(command) {
            self.commit(&events, Vec::new(), |durable| {
                if let Err(error) = durable {
                    failed(error);
                }
            });
        }
    }

    /// Makes events so and appends them; the attachments go with the one that names them, else the first. `then` learns, on the
    /// journal's thread, whether they are durable.
    pub fn commit(
        &mut self,
        events: &[Event],
        attachments: Vec<Vec<u8>>,
        then: impl FnOnce(Result<(), AppendError>) + Send + 'static,
    ) {
        let expected_last = self.state.next_seq.checked_sub(1);
        let drafts = self.happen(events, self.world.now(), attachments);
        let in_flight = self.departs();
        let done: Done = Box::new(move |result| {
            in_flight.fetch_sub(1, Ordering::AcqRel);
            then(result.map(|_receipts| ()));
        });
        self.append(class_of(events), expected_last, drafts, done);
    }

    /// Applies events and makes their drafts; the attachments go with the one that names what the vendor's
    /// API added, else with the first.
    pub fn happen(
        &mut self,
        events: &[Event],
        at: Timestamp,
        mut attachments: Vec<Vec<u8>>,
    ) -> Vec<Draft> {
        let mut drafts = Vec::with_capacity(events.len());
        let bearer = events.iter().position(|event| event.enriched().is_some());
        let bearer = bearer.unwrap_or(0);
        for (place, event) in events.iter().enumerate() {
            apply(&mut self.state, event, at);
            let own = if place == bearer {
                std::mem::take(&mut attachments)
            } else {
                Vec::new()
            };
            drafts.push(draft(event.entry(at), own));
        }
        drafts
    }
}

/// The last room is for what happens to machines: an outcome that could not be written down would be one
/// that nobody knows.
fn class_of(events: &[Event]) -> Class {
    if events.iter().any(|event| event.about_act().is_some()) {
        return Class::Containment;
    }
    Class::Ordinary
}
