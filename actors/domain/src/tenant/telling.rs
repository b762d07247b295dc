//! Which incidents people were told of, and what they are shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ids::IncidentId,
    incident::Incident,
    protocol::{ClosedBecause, NotifySent},
    sla::NoticeState,
    time::Timestamp,
    triage::Verdict,
};

/// The most closed incidents whose last word is not in chat yet; the oldest are forgotten first.
const CLOSED_MAX: usize = 256;
/// The most ended incidents that no message was known of; the oldest are forgotten first.
const LAPSED_MAX: usize = 256;
/// For how long chat may refuse the last word about an incident before it is left unsaid.
const LAST_WORD_MS: u64 = 24 * 60 * 60 * 1000;

/// What people know of a tenant's incidents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telling {
    told: BTreeMap<IncidentId, Told>,
    /// Ended, and their message does not say so yet.
    closed: BTreeMap<IncidentId, Ended>,
    /// Ended without a message. A post may have been under way at that moment: it comes to light late, and
    /// has to be edited then.
    #[serde(default)]
    lapsed: BTreeMap<IncidentId, Lapsed>,
}

/// How one incident stands with those who must know of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Grows with every change that people must see.
    pub revision: u64,
    /// The entry that made it grow last.
    pub seq: u64,
    /// How far they were told.
    pub state: NoticeState,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ended {
    incident: Incident,
    because: ClosedBecause,
    /// When chat first did not take its last word.
    #[serde(default)]
    failed_since: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Lapsed {
    told: Told,
    ended: Ended,
}

impl Told {
    /// Whether there is something that they have not seen.
    pub const fn is_behind(&self) -> bool {
        self.revision > self.state.revision_shown
    }

    fn move_on(&mut self, seq: u64) {
        self.revision = self.revision.saturating_add(1);
        self.seq = seq;
    }
}

impl Telling {
    /// How an incident stands.
    pub fn get(&self, id: IncidentId) -> Option<&Told> {
        self.told.get(&id)
    }

    /// All of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (IncidentId, &Told)> {
        self.told.iter().map(|(id, told)| (*id, told))
    }

    /// How far people were told of it, also if it ended without a message lately.
    pub(super) fn stood(&self, id: IncidentId) -> Option<&NoticeState> {
        let lapsed = || Some(&self.lapsed.get(&id)?.told);
        self.told.get(&id).or_else(lapsed).map(|told| &told.state)
    }

    /// Incidents that ended lately with no message known: nobody is told of them any more.
    pub fn lapsed(&self) -> impl Iterator<Item = IncidentId> {
        self.lapsed.keys().copied()
    }

    pub(super) fn state_mut(&mut self, id: IncidentId) -> Option<&mut NoticeState> {
        self.told.get_mut(&id).map(|told| &mut told.state)
    }

    /// People have to hear of this incident from now on.
    pub(super) fn opened(&mut self, id: IncidentId, seq: u64, at: Timestamp) {
        let told = self.told.entry(id).or_insert_with(|| Told {
            revision: 0,
            seq,
            state: NoticeState::new(at),
        });
        told.move_on(seq);
    }

    /// It is worse than it was.
    pub(super) fn raised(&mut self, id: IncidentId, from: Verdict, seq: u64, at: Timestamp) {
        if let Some(told) = self.told.get_mut(&id) {
            told.state.rise(from, at);
            told.move_on(seq);
        }
    }

    /// People must see that something changed about this incident, if they were to hear of it at all.
    pub(super) fn changed(&mut self, id: IncidentId, seq: u64) {
        if let Some(told) = self.told.get_mut(&id) {
            told.move_on(seq);
        }
    }

    /// It takes no more alerts. A message that shows it has to say so; without one nobody is told of it any
    /// more, unless a message comes to light.
    pub(super) fn ended(&mut self, incident: Incident, because: ClosedBecause, seq: u64) {
        let id = incident.incident_id;
        let ended = Ended {
            incident,
            because,
            failed_since: None,
        };
        match self.told.remove(&id) {
            Some(told) if told.state.message.is_some() => self.close(id, told, ended, seq),
            Some(told) => {
                self.lapsed.insert(id, Lapsed { told, ended });
                while self.lapsed.len() > LAPSED_MAX {
                    self.lapsed.pop_first();
                }
            }
            None => {}
        }
    }

    fn close(&mut self, id: IncidentId, told: Told, ended: Ended, seq: u64) {
        self.told.insert(id, told);
        self.changed(id, seq);
        self.closed.insert(id, ended);
        while self.closed.len() > CLOSED_MAX {
            let Some((oldest, _)) = self.closed.pop_first() else {
                return;
            };
            self.told.remove(&oldest);
        }
    }

    /// Chat shows it. One that ended before that was known has a message now, which has to say so.
    pub(super) fn sent(&mut self, sent: &NotifySent, seq: u64) {
        let id = sent.incident_id;
        if let Some(Lapsed { told, ended }) = self.lapsed.remove(&id) {
            self.close(id, told, ended, seq);
        }
        if let Some(state) = self.state_mut(id) {
            state.show(sent.message.clone(), sent.revision, sent.level);
        }
        self.forget_if_done(id);
    }

    /// Chat did not take what it was given of this incident. A last word that it has not taken for a day
    /// is left unsaid, or the tenant would never rest.
    pub(super) fn failed(&mut self, id: IncidentId, at: Timestamp) {
        let Some(ended) = self.closed.get_mut(&id) else {
            return;
        };
        let since = *ended.failed_since.get_or_insert(at);
        if since.plus_ms(LAST_WORD_MS) <= at {
            self.closed.remove(&id);
            self.told.remove(&id);
        }
    }

    /// Closed incidents whose last word chat has not taken for a day, each with its revision.
    pub(super) fn unsaid(&self, now: Timestamp) -> impl Iterator<Item = (IncidentId, u64)> {
        let late = move |since: Timestamp| since.plus_ms(LAST_WORD_MS) <= now;
        let all = self.closed.iter();
        let unsaid = all.filter(move |(_, ended)| ended.failed_since.is_some_and(late));
        unsaid.filter_map(|(id, _)| Some((*id, self.told.get(id)?.revision)))
    }

    /// The last word about a closed incident is out.
    fn forget_if_done(&mut self, id: IncidentId) {
        let done = self.told.get(&id).is_none_or(|told| !told.is_behind());
        if done && self.closed.remove(&id).is_some() {
            self.told.remove(&id);
        }
    }

    pub(super) fn closed(&self, id: IncidentId) -> Option<(&Incident, ClosedBecause)> {
        let ended = self.closed.get(&id)?;
        Some((&ended.incident, ended.because))
    }
}
