//! All incidents of a tenant that are to be shown, and in which order. Every change costs the logarithm
//! of their number, however many there are.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
};

use vyrox_domain::{ids::IncidentId, time::Timestamp};

use super::{chat_line::Room, entry::Entry};

/// The most incidents.
const INCIDENTS_MAX: usize = 2048;

/// Incidents and their order.
#[derive(Debug, Default)]
pub(super) struct Board {
    entries: HashMap<IncidentId, (Entry, Place)>,
    /// When to look at whom again.
    agenda: BTreeSet<(Timestamp, IncidentId)>,
    /// Who is to be posted now, worst and oldest first.
    posts: BTreeSet<Turn>,
    /// Who is to be edited now, likewise.
    edits: BTreeSet<Turn>,
    /// Whom to let go first.
    spare: BTreeSet<Worth>,
}

/// The worst first, then who is due longest.
type Turn = (Reverse<u8>, Timestamp, IncidentId);

/// What owes nothing is worth least, then what is least bad, then what has waited for the shortest time.
type Worth = (bool, u8, Reverse<Timestamp>, Reverse<IncidentId>);

fn worth(id: IncidentId, entry: &Entry) -> Worth {
    let rank = entry.notice.level.rank();
    (
        entry.owes(),
        rank,
        Reverse(entry.state.due_since),
        Reverse(id),
    )
}

/// Where an incident stands in those sets.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    agenda: Option<(Timestamp, IncidentId)>,
    post: Option<Turn>,
    edit: Option<Turn>,
    spare: Option<Worth>,
}

impl Board {
    pub(super) fn get(&mut self, id: IncidentId) -> Option<&mut Entry> {
        self.entries.get_mut(&id).map(|(entry, _)| entry)
    }

    pub(super) fn has(&self, id: IncidentId) -> bool {
        self.entries.contains_key(&id)
    }

    pub(super) fn ids(&self) -> Vec<IncidentId> {
        self.entries.keys().copied().collect()
    }

    /// Adds an incident, which must then be placed. What had to go for it: itself, where every other one
    /// matters more.
    pub(super) fn add(&mut self, id: IncidentId, entry: Entry) -> Option<Entry> {
        let full = self.entries.len() >= INCIDENTS_MAX;
        let least = self.spare.first().filter(|_| full).copied();
        if least.is_some_and(|least| worth(id, &entry) < least) {
            return Some(entry);
        }
        let gone = least.and_then(|(.., Reverse(id))| self.remove(id));
        self.entries.insert(id, (entry, Place::default()));
        gone
    }

    pub(super) fn remove(&mut self, id: IncidentId) -> Option<Entry> {
        let (entry, place) = self.entries.remove(&id)?;
        self.unplace(place);
        Some(entry)
    }

    /// Finds the place of an incident that changed, which is looked at again at `wake` at the latest.
    pub(super) fn place(&mut self, id: IncidentId, wake: Option<Timestamp>, now: Timestamp) {
        let Some((entry, old)) = self.entries.get_mut(&id) else {
            return;
        };
        let old = std::mem::take(old);
        let (rank, due) = (entry.notice.level.rank(), entry.state.due_since);
        let turn = (Reverse(rank), due, id);
        let chat_at = entry.chat_at();
        let ready = chat_at.is_some_and(|at| at <= now);
        let later = chat_at.filter(|_| !ready);
        let wake = [wake, later].into_iter().flatten().min();
        let place = Place {
            agenda: wake.map(|at| (at, id)),
            post: (ready && entry.posts()).then_some(turn),
            edit: (ready && !entry.posts()).then_some(turn),
            spare: Some(worth(id, entry)),
        };
        self.unplace(old);
        self.agenda.extend(place.agenda);
        self.posts.extend(place.post);
        self.edits.extend(place.edit);
        self.spare.extend(place.spare);
        if let Some((_, kept)) = self.entries.get_mut(&id) {
            *kept = place;
        }
    }

    fn unplace(&mut self, place: Place) {
        place.agenda.map(|key| self.agenda.remove(&key));
        place.post.map(|key| self.posts.remove(&key));
        place.edit.map(|key| self.edits.remove(&key));
        place.spare.map(|key| self.spare.remove(&key));
    }

    /// Whose moment has come; the caller places it again.
    pub(super) fn due(&self, now: Timestamp) -> Option<IncidentId> {
        let (at, id) = self.agenda.first()?;
        (*at <= now).then_some(*id)
    }

    /// The next moment at which somebody is to be looked at.
    pub(super) fn wakes_at(&self) -> Option<Timestamp> {
        self.agenda.first().map(|(at, _)| *at)
    }

    /// Whether anybody is to be shown in chat now.
    pub(super) fn is_waiting(&self) -> bool {
        !self.posts.is_empty() || !self.edits.is_empty()
    }

    /// Who is to be shown next, as far as there is room; `last` only if there is nobody else.
    pub(super) fn next(&self, room: Room, last: Option<IncidentId>) -> Option<IncidentId> {
        let heads = [(room.post, &self.posts), (room.edit, &self.edits)];
        let mut turns: Vec<&Turn> = heads
            .into_iter()
            .filter(|(room, _)| *room)
            .flat_map(|(_, set)| set.iter().take(2))
            .collect();
        turns.sort();
        let other = turns.iter().find(|(.., id)| Some(*id) != last);
        other.or_else(|| turns.first()).map(|(.., id)| *id)
    }
}
