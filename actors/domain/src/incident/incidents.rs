//! The open incidents of a tenant, and how alerts fold into them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Arrival, Ended, Incident, LINKS_MAX, Link, Window,
    placement::{ABSORBED_MAX, Placement},
};
use crate::{ids::IncidentId, time::Timestamp};

/// How many ended incidents that nobody sees one alert clears away at most. More than one comes at
/// most by each alert, so that they can't pile up.
const SWEPT_MAX: usize = 4;

/// The open incidents of a tenant. All that isn't the incidents themselves is derived from them, and a
/// snapshot holds the incidents alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Incident>", into = "Vec<Incident>")]
pub struct Incidents {
    open: BTreeMap<IncidentId, Incident>,
    /// Who holds a link: always an open incident, and one that knows of it.
    index: BTreeMap<Link, IncidentId>,
    /// Incidents that nobody sees, by when they end.
    quiet: BTreeSet<(Timestamp, IncidentId)>,
    /// Incidents that people see, by when they end.
    visible: BTreeSet<(Timestamp, IncidentId)>,
    /// What an absorbed incident is called now.
    absorbed: BTreeMap<IncidentId, IncidentId>,
}

impl Incidents {
    /// Folds an alert in, where `placement` says. Whatever that names, known or not, something
    /// sensible follows: an incident that isn't there is opened, one that was absorbed stands for
    /// itself in the other, and unknown ones are not absorbed.
    pub fn apply(&mut self, arrival: Arrival, placement: &Placement, window: &Window) {
        let id = self.resolve(placement.incident_id);
        let others: Vec<Incident> = placement
            .absorbed
            .iter()
            .take(ABSORBED_MAX)
            .filter(|other| **other != id)
            .filter_map(|other| self.remove(*other))
            .collect();
        let links = self.claim(id, &placement.facts.links, arrival.at);
        self.unshelve(id);
        let incident = self
            .open
            .entry(id)
            .or_insert_with(|| Incident::open(id, arrival, placement));

        let mut dropped = Vec::new();
        if !others.is_empty() {
            for old in incident.absorbed() {
                self.absorbed.remove(&old);
            }
            for other in others {
                self.index.extend(other.ties.links().map(|link| (link, id)));
                dropped.extend(incident.absorb(other));
            }
            self.absorbed
                .extend(incident.absorbed().map(|old| (old, id)));
        }
        self.index.extend(links.iter().map(|link| (*link, id)));
        dropped.extend(incident.fold(arrival, placement, &links, window));
        for link in dropped {
            // What gave way while absorbing may have come back with the alert.
            if !incident.ties.holds(link) {
                self.index.remove(&link);
            }
        }
        self.shelve(id);
        self.sweep(id, arrival.at, window);
    }

    /// An open incident by its own id; see [`Incidents::resolve`] for one that was absorbed.
    pub fn get(&self, id: IncidentId) -> Option<&Incident> {
        self.open.get(&id)
    }

    /// An open incident, to be changed. Its id and level are changed by [`Incidents::apply`] alone.
    pub fn get_mut(&mut self, id: IncidentId) -> Option<&mut Incident> {
        self.open.get_mut(&id)
    }

    /// The incident that `id` is a part of now, as long as that is open; otherwise `id` itself.
    pub fn resolve(&self, id: IncidentId) -> IncidentId {
        self.absorbed.get(&id).copied().unwrap_or(id)
    }

    /// How many are open, visible or not.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The open ones, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Incident> {
        self.open.values()
    }

    /// Visible incidents that are over, at most `at_most`, those first that ended first. They stay
    /// until [`Incidents::close`]. Where more are visible than there is room for, those follow that
    /// would end next.
    ///
    /// An incident that would end later than any can has seen a clock that was set back since; it is
    /// over too, or it might never be.
    pub fn due(&self, now: Timestamp, window: &Window, at_most: usize) -> Vec<(IncidentId, Ended)> {
        let excess = self.visible.len().saturating_sub(window.open_max);
        let mut due: Vec<(IncidentId, Ended)> = self
            .visible
            .iter()
            .take(at_most)
            .enumerate()
            .map_while(|(before, (ends_at, id))| {
                let over = *ends_at <= now;
                let ended = if over {
                    self.how_ended(*id, now, window)
                } else {
                    Ended::Room
                };
                (over || before < excess).then_some((*id, ended))
            })
            .collect();
        let never = horizon(now, window).plus_ms(1);
        let stray = self.visible.range((never, IncidentId(Uuid::nil()))..);
        for (_, id) in stray.take(at_most) {
            if due.len() < at_most && !due.iter().any(|(known, _)| known == id) {
                due.push((*id, Ended::Quiet));
            }
        }
        due
    }

    /// Lets go of an incident and of everything that led to it.
    pub fn close(&mut self, id: IncidentId) {
        self.remove(id);
    }

    /// The open incident that holds a link.
    pub(super) fn holder(&self, link: Link) -> Option<&Incident> {
        self.index.get(&link).and_then(|id| self.open.get(id))
    }

    fn how_ended(&self, id: IncidentId, now: Timestamp, window: &Window) -> Ended {
        let opened_at = self.open.get(&id).map(|incident| incident.opened_at);
        if opened_at.is_some_and(|opened_at| opened_at.plus_ms(window.life_ms) <= now) {
            Ended::TooLong
        } else {
            Ended::Quiet
        }
    }

    /// The links of an alert that its incident may hold: those that are free, its own, and those of
    /// incidents that are over, which lose them.
    fn claim(&mut self, id: IncidentId, links: &[Link], at: Timestamp) -> Vec<Link> {
        let mut claimed = Vec::new();
        for link in links.iter().take(LINKS_MAX) {
            let holder = self.index.get(link).copied().filter(|holder| *holder != id);
            let holder = holder.and_then(|holder| self.open.get_mut(&holder));
            match holder {
                Some(other) if other.takes(at) => continue,
                Some(over) => over.ties.forget(*link),
                None => {}
            }
            claimed.push(*link);
        }
        claimed.sort_unstable();
        claimed.dedup();
        claimed
    }

    /// Takes an incident out, with every entry that leads to it.
    fn remove(&mut self, id: IncidentId) -> Option<Incident> {
        self.unshelve(id);
        let incident = self.open.remove(&id)?;
        for link in incident.ties.links() {
            self.index.remove(&link);
        }
        for old in incident.absorbed() {
            self.absorbed.remove(&old);
        }
        Some(incident)
    }

    fn shelve(&mut self, id: IncidentId) {
        if let Some(incident) = self.open.get(&id) {
            let place = if incident.visible() {
                &mut self.visible
            } else {
                &mut self.quiet
            };
            place.insert((incident.ends_at, id));
        }
    }

    fn unshelve(&mut self, id: IncidentId) {
        if let Some(incident) = self.open.get(&id) {
            self.visible.remove(&(incident.ends_at, id));
            self.quiet.remove(&(incident.ends_at, id));
        }
    }

    /// Clears away incidents that nobody sees: those that are over, and, if there are too many, those
    /// that would end next. Never `current`.
    fn sweep(&mut self, current: IncidentId, now: Timestamp, window: &Window) {
        let horizon = horizon(now, window);
        for _ in 0..SWEPT_MAX {
            let crowded = self.open.len() > window.open_max;
            let ends = [
                self.quiet.iter().find(|(_, id)| *id != current),
                self.quiet.last(),
            ];
            let over = ends.into_iter().flatten().find(|(ends_at, id)| {
                *id != current && (crowded || *ends_at <= now || *ends_at > horizon)
            });
            let Some((_, id)) = over.copied() else { return };
            self.remove(id);
        }
    }
}

/// The last moment at which an incident that has an alert now can end.
fn horizon(now: Timestamp, window: &Window) -> Timestamp {
    now.plus_ms(window.quiet_ms.max(window.life_ms))
}

impl From<Vec<Incident>> for Incidents {
    /// Of two incidents that claim one link, or one id, the first has it.
    fn from(list: Vec<Incident>) -> Self {
        let mut incidents = Self::default();
        for mut incident in list {
            let id = incident.incident_id;
            if incidents.open.contains_key(&id) {
                continue;
            }
            let links: Vec<Link> = incident.ties.links().collect();
            for link in links {
                if *incidents.index.entry(link).or_insert(id) != id {
                    incident.ties.forget(link);
                }
            }
            incidents
                .absorbed
                .extend(incident.absorbed().map(|old| (old, id)));
            incidents.open.insert(id, incident);
            incidents.shelve(id);
        }
        incidents
    }
}

impl From<Incidents> for Vec<Incident> {
    fn from(incidents: Incidents) -> Self {
        incidents.open.into_values().collect()
    }
}
