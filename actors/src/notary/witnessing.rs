//! What witnesses are asked and what follows from their answers.
//!
//! A checkpoint is durable before a witness sees it, so no crash makes a witness know more than is here:
//! one that does is the proof that the log was turned back.

mod accusing;

use vyrox_domain::log_key::is_signed;
use vyrox_journal::proof::{
    Cosignature, Memory, Notary, NotaryError, VerifierKey, WitnessAnswer, WitnessRequest,
};

use super::{
    office::{Desk, Office},
    witness::{WitnessReply, WitnessState, WitnessView, WitnessesView},
};
use crate::integrity::{Findings, HostFault};

/// A witness's word counts as its answer if it was signed no longer than this ago, or ahead of this host's clock:
/// in milliseconds.
const WORD_MS: u64 = 5 * 60_000;

/// What is known of one witness.
pub(super) struct Known {
    key: VerifierKey,
    state: WitnessState,
    /// It has to speak before anything is believed: nothing came of asking it since the log was opened.
    pending: bool,
    /// It has given its word since the start, or somebody's order stands in for it.
    heard: bool,
    /// The size that it named, until its next word.
    names: Option<u64>,
    /// The kept hashes were made anew because it could not follow them, and it has not given its word since.
    rebuilt: bool,
    cosigned_at_ms: Option<u64>,
}

impl Known {
    pub(super) fn new(key: VerifierKey) -> Self {
        Self {
            key,
            state: WitnessState::Unasked,
            pending: true,
            heard: false,
            names: None,
            rebuilt: false,
            cosigned_at_ms: None,
        }
    }
}

/// What is to be done after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask again at once, with what was learnt.
    Again,
    /// It has given its word.
    Cosigned,
    /// It has not.
    Refused,
}

impl Desk {
    /// The log was opened. One that this very opening began has nothing that could have been turned back; of
    /// one that was there before and seems empty a witness may have seen more.
    pub(super) fn meet_witnesses(&mut self, now_ms: u64) {
        let Some(notary) = &mut self.notary else {
            return;
        };
        let asked: Vec<_> = self.witnesses.iter().map(|known| &known.key).collect();
        if let Err(error) = notary.dismiss_all_but(&asked) {
            tracing::error!(%error, "what a witness of before accused the log of is still kept");
        }
        for known in &mut self.witnesses {
            let word = notary.witnessed().find(|word| word.key == known.key);
            // The time is the witness's; one from the future would never grow old.
            known.cosigned_at_ms = word.map(|word| word.time.saturating_mul(1000).min(now_ms));
            known.pending &= !notary.is_fresh();
            known.recall(notary);
        }
    }

    /// Another log began, by somebody's order; that stands in for the words of witnesses, who do not
    /// know it yet.
    pub(super) fn leave_witnesses(&mut self, now_ms: u64) {
        self.asked_since_ms = now_ms;
        for known in &mut self.witnesses {
            *known = Known {
                pending: false,
                heard: true,
                ..Known::new(known.key.clone())
            };
        }
    }

    /// The most that a witness has seen of the log.
    pub(super) fn seen(&self) -> Option<u64> {
        let seen = |known: &Known| match known.state {
            WitnessState::RolledBack { seen, .. } => Some(seen),
            WitnessState::Contradicts { size } => Some(size),
            WitnessState::Unasked | WitnessState::Cosigned | WitnessState::Failing(_) => None,
        };
        self.witnesses.iter().filter_map(seen).max()
    }

    /// What keeps the log from being believed, as far as witnesses are concerned. Where a word is needed, a log that
    /// has just begun needs one too: it may stand in the place of one that somebody took away.
    pub(super) fn doubt(&self, required: bool) -> Option<HostFault> {
        let has_begun = self.notary.as_ref()?.has_begun();
        let accused = self.witnesses.iter().find_map(|known| {
            let witness = known.key.name().to_string();
            match known.state {
                WitnessState::RolledBack { local, seen } => Some(HostFault::RolledBack {
                    witness,
                    local,
                    seen,
                }),
                WitnessState::Contradicts { size } => {
                    Some(HostFault::Contradicted { witness, size })
                }
                WitnessState::Unasked | WitnessState::Cosigned | WitnessState::Failing(_) => None,
            }
        });
        accused.or_else(|| {
            if self.witnesses.iter().any(|known| known.pending) {
                return Some(HostFault::Asking);
            }
            let heard = self.witnesses.iter().any(|known| known.heard);
            let asked = |known: &Known| has_begun || known.state != WitnessState::Unasked;
            let unheard = required && !heard && self.witnesses.iter().any(asked);
            unheard.then_some(HostFault::Unheard)
        })
    }

    /// Whether one more signature under this name could contradict what a witness has seen.
    pub(super) fn is_unsafe_to_sign(&self, required: bool) -> bool {
        let has_begun = self.notary.as_ref().is_some_and(Notary::has_begun);
        match self.doubt(required) {
            None => false,
            // No witness knows it, and none would get to know a log that is not signed.
            Some(HostFault::Unheard) => !has_begun,
            Some(_) => true,
        }
    }
}

impl Office {
    /// Whether anybody is asked.
    pub fn has_witnesses(&self) -> bool {
        self.witness_count() > 0
    }

    /// How many witnesses there are.
    pub(super) fn witness_count(&self) -> usize {
        self.parts.witnessing.witnesses.len()
    }

    /// What a witness is asked about the newest checkpoint; `None` for a log that has just begun. Blocks.
    ///
    /// # Errors
    /// What it would be asked cannot be read; it counts as one that was asked in vain.
    pub(super) fn request(&self, number: usize) -> Result<Option<WitnessRequest>, Next> {
        let mut desk = self.desk();
        let Desk {
            notary: Some(notary),
            witnesses,
            ..
        } = &mut *desk
        else {
            return Ok(None);
        };
        let Some(known) = witnesses.get_mut(number) else {
            return Ok(None);
        };
        if notary.is_fresh() {
            return Ok(None);
        }
        let error = match known.question(notary) {
            Ok(request) => return Ok(request),
            Err(error) => error,
        };
        let before = known.state.clone();
        let next = known.fail(format!("it cannot be asked: {error}"));
        known.pending = false;
        tell(known, &before);
        self.note(&desk);
        Err(next)
    }

    /// Takes a witness's answer to a request. Blocks.
    pub(super) fn answered(
        &self,
        number: usize,
        request: &WitnessRequest,
        reply: Result<WitnessReply, String>,
    ) -> Next {
        let mut desk = self.desk();
        let now = self.now_ms();
        let Desk {
            notary: Some(notary),
            witnesses,
            ..
        } = &mut *desk
        else {
            return Next::Refused;
        };
        let Some(known) = witnesses.get_mut(number) else {
            return Next::Refused;
        };
        let newest = notary.head();
        if newest.origin != request.origin() {
            // Another log was begun meanwhile.
            return Next::Again;
        }
        let before = known.state.clone();
        let next = match reply {
            Err(why) => known.fail(why),
            Ok(reply) => {
                let answer = request.read_answer(&known.key, is_signed, reply.status, &reply.body);
                known.take(notary, (request, newest.size), (answer, now))
            }
        };
        if next != Next::Again {
            known.pending = false;
        }
        known.heard |= next == Next::Cosigned;
        known.keep_accusation(notary, now);
        tell(known, &before);
        self.note(&desk);
        next
    }

    /// Puts what witnesses say into what was found, and shows it. Called with the desk in hand.
    pub(super) fn note(&self, desk: &Desk) {
        self.parts.integrity.witnessed(self.view(desk));
        if desk.notary.is_none() || desk.rebasing.is_some() {
            return;
        }
        let host = desk.doubt(self.parts.witnessing.required);
        let found = self.parts.integrity.findings();
        if found.host != host && found.host != Some(HostFault::Unchecked) {
            let chains = found.chains.clone();
            self.parts.integrity.found(Findings { host, chains });
        }
        self.noted.send_replace(());
    }

    fn view(&self, desk: &Desk) -> WitnessesView {
        let notary = desk.notary.as_ref();
        let view = |known: &Known| WitnessView {
            name: known.key.name().to_string(),
            state: known.state.clone(),
            size: notary.map_or(0, |notary| notary.witnessed_size(&known.key)),
            cosigned_at_ms: known.cosigned_at_ms,
        };
        WitnessesView {
            required: self.parts.witnessing.required,
            since_ms: desk.asked_since_ms,
            witnesses: desk.witnesses.iter().map(view).collect(),
        }
    }
}

impl Known {
    /// What it is asked. Hashes that cannot be read are made anew from the leaves, once until its next word.
    fn question(&mut self, notary: &mut Notary) -> Result<Option<WitnessRequest>, NotaryError> {
        let old = self.names;
        let old = old.unwrap_or_else(|| notary.witnessed_size(&self.key));
        match notary.request(old) {
            Err(error) if !self.rebuilt => {
                tracing::warn!(%error, "what a witness is asked cannot be read: its hashes are made anew");
                self.rebuilt = true;
                notary.rebuild()?;
                notary.request(old)
            }
            made => made,
        }
    }

    fn fail(&mut self, why: impl Into<String>) -> Next {
        // A witness that has seen more than there is does not take it back by being silent.
        let accuses = matches!(
            self.state,
            WitnessState::RolledBack { .. } | WitnessState::Contradicts { .. }
        );
        if !accuses {
            self.state = WitnessState::Failing(why.into());
        }
        Next::Refused
    }

    fn take(
        &mut self,
        notary: &mut Notary,
        (request, local): (&WitnessRequest, u64),
        (answer, now_ms): (WitnessAnswer, u64),
    ) -> Next {
        match answer {
            WitnessAnswer::Cosigned(word) => self.keep(notary, (request, word), now_ms),
            WitnessAnswer::Knows { size } => match Memory::compare(local, size) {
                Memory::RolledBack { local, seen } => {
                    self.state = WitnessState::RolledBack { local, seen };
                    Next::Refused
                }
                Memory::Known => {
                    self.names = Some(size);
                    Next::Again
                }
            },
            WitnessAnswer::Forked if !self.rebuilt && request.old > 0 => {
                self.rebuild(notary, request)
            }
            WitnessAnswer::Forked => self.contradicts(request),
            WitnessAnswer::UnknownLog => self.fail("it does not know this log: it has to be told"),
            WitnessAnswer::UnknownKey => self.fail("it does not know the log's key"),
            WitnessAnswer::Unusable { status } => {
                self.fail(format!("an answer of no use, of status {status}"))
            }
        }
    }

    fn keep(
        &mut self,
        notary: &mut Notary,
        (request, word): (&WitnessRequest, Cosignature),
        now_ms: u64,
    ) -> Next {
        self.names = None;
        let signed_ms = word.time().saturating_mul(1000);
        if now_ms.abs_diff(signed_ms) > WORD_MS {
            // Whoever kept an old word could answer with it for a log that was turned back to it.
            return self
                .fail("its word was not signed within 5 minutes of now, by this host's clock");
        }
        if let Err(error) = notary.accept(request, word) {
            return self.fail(format!("its word could not be kept: {error}"));
        }
        (self.state, self.rebuilt) = (WitnessState::Cosigned, false);
        self.cosigned_at_ms = Some(now_ms);
        Next::Cosigned
    }

    /// A proof that leads nowhere may come of kept hashes that turned bad: they are made anew from the
    /// leaves, once until its next word. Where that fails, nothing speaks against the witness.
    fn rebuild(&mut self, notary: &mut Notary, request: &WitnessRequest) -> Next {
        self.rebuilt = true;
        match notary.rebuild() {
            Ok(()) => Next::Again,
            Err(error) => {
                tracing::error!(%error, "the log's hashes cannot be made anew, and a witness refuses its proof");
                self.contradicts(request)
            }
        }
    }

    fn contradicts(&mut self, request: &WitnessRequest) -> Next {
        let size = request.checkpoint.checkpoint().size;
        self.state = WitnessState::Contradicts { size };
        Next::Refused
    }
}

fn tell(known: &Known, before: &WitnessState) {
    let (witness, state) = (known.key.name(), &known.state);
    if state == before {
        return;
    }
    match state {
        WitnessState::Unasked => {}
        WitnessState::Cosigned => tracing::info!(%witness, "a witness has cosigned the log"),
        WitnessState::Failing(why) => {
            tracing::warn!(%witness, why, "a witness has not cosigned the log");
        }
        WitnessState::RolledBack { .. } | WitnessState::Contradicts { .. } => {
            tracing::error!(%witness, %state, "a witness has seen another log than there is");
        }
    }
}

impl Office {
    /// Nothing comes of asking a witness.
    pub(super) fn given_up(&self, number: usize, why: &str) -> Next {
        let mut desk = self.desk();
        if let Some(known) = desk.witnesses.get_mut(number) {
            let before = known.state.clone();
            known.fail(why);
            (known.pending, known.names) = (false, None);
            tell(known, &before);
        }
        self.note(&desk);
        Next::Refused
    }
}
