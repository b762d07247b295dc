//! Entries that become durable together.

use std::sync::mpsc;

use vyrox_domain::{
    ids::TenantId,
    protocol::{Command, Event},
    tenant::{apply, decide},
    time::Timestamp,
};
use vyrox_journal::{Append, AppendError, Class, Draft};

use crate::{
    draft::draft,
    loading::{LoadError, Loaded, claim},
    ports::World,
};

/// Entries that are taken over with one append.
const TOGETHER: usize = 64;
/// Bytes of evidence after which an append takes no more of them.
const TOGETHER_BYTES: usize = 1 << 20;

#[derive(Default)]
pub(super) struct Batch {
    drafts: Vec<Draft>,
    events: Vec<Event>,
    bytes: usize,
    /// The seq before the first of them.
    expected_last: Option<u64>,
}

impl Batch {
    pub(super) fn add(
        &mut self,
        loaded: &mut Loaded,
        command: Command,
        (at, attachments): (Timestamp, Vec<Vec<u8>>),
    ) -> Result<(), String> {
        let events = decide(&loaded.state, command, at).map_err(|error| error.to_string())?;
        if self.drafts.is_empty() {
            self.expected_last = loaded.state.next_seq.checked_sub(1);
        }
        self.bytes += attachments.iter().map(Vec::len).sum::<usize>();
        let mut attachments = Some(attachments);
        for event in events {
            apply(&mut loaded.state, &event, at);
            let own = attachments.take().unwrap_or_default();
            self.drafts.push(draft(event.entry(at), own));
            self.events.push(event);
        }
        Ok(())
    }

    pub(super) fn is_full(&self) -> bool {
        self.drafts.len() >= TOGETHER || self.bytes >= TOGETHER_BYTES
    }

    /// Waits until the entries are durable. After an error the state is not that of the chain.
    pub(super) fn append(
        self,
        world: &World,
        tenant: &TenantId,
        loaded: &mut Loaded,
    ) -> Result<(), LoadError> {
        if self.drafts.is_empty() {
            return Ok(());
        }
        let (tell, told) = mpsc::channel();
        let append = Append {
            class: Class::Ordinary,
            chain: tenant.shared(),
            epoch: loaded.epoch,
            expected_last: self.expected_last,
            drafts: self.drafts,
        };
        // Nobody listens any more only if this thread has fallen.
        let done = Box::new(move |result| drop(tell.send(result)));
        world.journal.append(append, done);
        let answer = told
            .recv()
            .map_err(|_gone| "the journal gave no answer".to_owned())?;
        let receipts = answer.map_err(|error| match error {
            AppendError::Full => LoadError::NoRoom,
            error => error.to_string().into(),
        })?;
        for (event, receipt) in self.events.iter().zip(receipts) {
            claim(&mut loaded.overlay, event, (receipt.seq, receipt.hash));
        }
        Ok(())
    }
}
