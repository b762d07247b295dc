//! Which alerts belong together.
//!
//! Alerts of one tenant that share a machine, a process tree, an account, a file or the vendor's own
//! id within a sliding window are one incident. The facts that decide this are journaled with each
//! verdict ([`CaseFacts`]), and so is the decision ([`Placement`]): a replay folds placements into
//! [`Incidents`] and asks nobody again.
//!
//! An incident is as bad as its worst alert, or worse: tactics that are seen in the order of an attack
//! raise it. Its level never falls. Alerts of level LOW are placed too, since an attack may be made of
//! small signs, but nobody sees their incident until it reaches MEDIUM.
//!
//! Placing and applying cost a few map lookups for each link and tactic of the alert, however many
//! incidents are open. All times are times of receipt; a vendor's clock has no say.

mod facts;
mod link;
mod links_of;

mod incidents;
mod placement;

mod chain;
mod everywhere;
mod ties;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{
    attack::{Tactic, technique_name},
    ids::{AlertId, IncidentId},
    time::Timestamp,
    triage::Verdict,
    vendor::Vendor,
};
use chain::Chain;
use facts::{TECHNIQUES_MAX, add_distinct, clipped};
use placement::is_visible;
use ties::Ties;

pub use facts::CaseFacts;
pub use incidents::Incidents;
pub use link::{InvalidLink, Link, LinkKind};
pub use links_of::{LINKS_MAX, links_of};
pub use placement::{ABSORBED_MAX, Placement, Raise};

/// How long an incident takes alerts, and how many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// An incident is over this long after its last alert, in milliseconds.
    pub quiet_ms: u64,
    /// An incident is over this long after its first alert, in milliseconds.
    pub life_ms: u64,
    /// How many incidents may be open. Past that, ones that nobody sees are dropped, and visible ones
    /// fall due.
    pub open_max: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            quiet_ms: 30 * 60 * 1000,
            life_ms: 24 * 60 * 60 * 1000,
            open_max: 1024,
        }
    }
}

/// An alert that has its verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Which alert.
    pub alert_id: AlertId,
    /// What it is held to be. A benign alert belongs to no incident, so nobody asks for one.
    pub verdict: Verdict,
    /// When we took it in.
    pub at: Timestamp,
}

/// Why a visible incident is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Nothing came for a while.
    Quiet,
    /// It went on for as long as one may.
    TooLong,
    /// There are too many.
    Room,
}

/// The most names of machines kept.
const HOSTS_MAX: usize = 8;
/// How many machines are told apart; past that they aren't counted.
const HOSTS_COUNTED: u64 = 64;
/// The most pseudonyms of machines kept for that, of which a machine has two or three.
const HOST_KEYS_MAX: usize = 192;
/// The most titles of rules kept.
const REASONS_MAX: usize = 6;
/// The most names kept of incidents that became part of one.
const ABSORBED_KEPT: usize = 32;
/// More alerts than this in [`STORM_MS`] are a storm.
const STORM_ALERTS: usize = 20;
const STORM_MS: u64 = 60_000;

/// Alerts that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub incident_id: IncidentId,
    /// When its first alert came.
    pub opened_at: Timestamp,
    /// When its last alert came.
    pub last_at: Timestamp,
    /// How bad it is; never falls.
    pub level: Verdict,
    /// What it is about, in the words of the lead alert's heaviest rule.
    pub title: String,
    /// Whose alert the lead alert is.
    pub vendor: Vendor,
    /// The alert that opened it, or whose own verdict raised it last.
    pub lead_alert: AlertId,
    /// How many alerts belong to it.
    pub alerts: u64,
    /// For how many of them its message stands.
    pub folded: u64,
    /// Names of machines, the first 8 seen.
    pub hosts: Vec<String>,
    /// How many machines; 64 means at least so many.
    pub host_count: u64,
    /// Titles of rules, the first 6 seen.
    pub reasons: Vec<String>,
    /// Tactics in the order in which they were seen.
    pub tactics: Vec<Tactic>,
    /// Ids of techniques, the first 12 seen.
    pub techniques: Vec<String>,
    /// What ties its alerts together.
    pub linked_by: BTreeSet<LinkKind>,
    /// Whether more than 20 alerts came in the minute before its last one.
    pub storm: bool,
    /// From when on it takes no more alerts.
    ends_at: Timestamp,
    ties: Ties,
    chain: Chain,
    /// Which machine, by order of appearance, each pseudonym of one means.
    host_keys: BTreeMap<Link, u64>,
    /// When its last alerts came, one more than a storm needs.
    recent: VecDeque<Timestamp>,
    /// Incidents that became part of it, the newest last.
    absorbed: Vec<IncidentId>,
}

impl Incident {
    /// Whether people see it.
    pub fn visible(&self) -> bool {
        is_visible(self.level)
    }

    /// An incident without alerts, about to take in its first.
    fn open(incident_id: IncidentId, arrival: Arrival, placement: &Placement) -> Self {
        Self {
            incident_id,
            opened_at: arrival.at,
            last_at: arrival.at,
            level: placement.level,
            title: title(placement),
            vendor: placement.facts.vendor,
            lead_alert: arrival.alert_id,
            alerts: 0,
            folded: 0,
            hosts: Vec::new(),
            host_count: 0,
            reasons: Vec::new(),
            tactics: Vec::new(),
            techniques: Vec::new(),
            linked_by: BTreeSet::new(),
            storm: false,
            ends_at: arrival.at,
            ties: Ties::default(),
            chain: Chain::default(),
            host_keys: BTreeMap::new(),
            recent: VecDeque::new(),
            absorbed: Vec::new(),
        }
    }

    /// Whether it still takes alerts.
    fn takes(&self, at: Timestamp) -> bool {
        at < self.ends_at
    }

    /// Takes in an alert, of whose links it may hold `links`. Returns the links that gave way.
    fn fold(
        &mut self,
        arrival: Arrival,
        placement: &Placement,
        links: &[Link],
        window: &Window,
    ) -> Vec<Link> {
        let facts = &placement.facts;
        self.alerts = self.alerts.saturating_add(1);
        self.folded = self.folded.saturating_add(u64::from(placement.folded));
        self.level = worst(self.level, placement.level);
        if placement.raised_by == Some(Raise::Verdict) {
            self.lead_alert = arrival.alert_id;
            self.vendor = facts.vendor;
            self.title = title(placement);
        }
        self.note_time(arrival.at, window);
        self.note_hosts(facts);
        let reasons = facts.reasons.iter().map(|text| clipped(text));
        add_distinct(&mut self.reasons, reasons, REASONS_MAX);
        let techniques = facts.techniques.iter().map(|text| clipped(text));
        add_distinct(&mut self.techniques, techniques, TECHNIQUES_MAX);
        add_distinct(
            &mut self.tactics,
            facts.tactics.iter().copied(),
            Tactic::COUNT,
        );
        self.chain.step(&facts.tactics);
        self.linked_by.extend(&placement.via);
        let host = facts.links.iter().find(|link| link.kind == LinkKind::Host);
        self.ties.tie(links, host.copied(), self.alerts)
    }

    /// Takes in all of another incident. Returns the links that gave way.
    fn absorb(&mut self, other: Self) -> Vec<Link> {
        self.alerts = self.alerts.saturating_add(other.alerts);
        self.folded = self.folded.saturating_add(other.folded);
        self.level = worst(self.level, other.level);
        self.opened_at = self.opened_at.min(other.opened_at);
        self.last_at = self.last_at.max(other.last_at);
        self.note_machines(&other.host_keys);
        add_distinct(&mut self.hosts, other.hosts, HOSTS_MAX);
        add_distinct(&mut self.reasons, other.reasons, REASONS_MAX);
        add_distinct(&mut self.techniques, other.techniques, TECHNIQUES_MAX);
        add_distinct(&mut self.tactics, other.tactics, Tactic::COUNT);
        self.chain.merge(&other.chain);
        self.linked_by.extend(other.linked_by);
        self.recent.extend(other.recent);
        self.recent.make_contiguous().sort_unstable();
        self.forget_old_times();
        self.absorbed.extend(other.absorbed);
        self.absorbed.push(other.incident_id);
        let forgotten = self.absorbed.len().saturating_sub(ABSORBED_KEPT);
        self.absorbed.drain(..forgotten);
        self.ties.absorb(other.ties, self.alerts)
    }

    /// Moves the window. A clock that was set back by more than the window would hold the incident
    /// open until it caught up, so the incident then starts from the new time.
    fn note_time(&mut self, at: Timestamp, window: &Window) {
        let set_back = self.last_at > at.plus_ms(window.quiet_ms);
        self.last_at = if set_back { at } else { self.last_at.max(at) };
        self.opened_at = self.opened_at.min(at);
        let quiet = self.last_at.plus_ms(window.quiet_ms);
        self.ends_at = quiet.min(self.opened_at.plus_ms(window.life_ms));

        self.recent.push_back(at);
        self.forget_old_times();
        let first = self
            .recent
            .front()
            .filter(|_| self.recent.len() > STORM_ALERTS);
        self.storm = first.is_some_and(|first| first.distance_ms(at) <= STORM_MS);
    }

    fn forget_old_times(&mut self) {
        while self.recent.len() > STORM_ALERTS.saturating_add(1) {
            self.recent.pop_front();
        }
    }

    fn note_hosts(&mut self, facts: &CaseFacts) {
        let keys = facts.links.iter().take(LINKS_MAX).copied();
        let keys: Vec<Link> = keys.filter(|link| link.kind == LinkKind::Host).collect();
        let new = self.note_machine(&keys);
        // A machine without a pseudonym (`localhost`) can only be told from others by its name.
        if let Some(name) = facts.host.as_ref().or(facts.device_id.as_ref())
            && (new || keys.is_empty())
        {
            add_distinct(&mut self.hosts, [clipped(name)], HOSTS_MAX);
        }
    }

    /// Counts the machine that these pseudonyms mean; whether it is a new one.
    fn note_machine(&mut self, keys: &[Link]) -> bool {
        let known = keys.iter().find_map(|key| self.host_keys.get(key)).copied();
        let new = known.is_none() && !keys.is_empty() && self.host_count < HOSTS_COUNTED;
        let machine = known.or_else(|| new.then_some(self.host_count));
        self.host_count = self.host_count.saturating_add(u64::from(new));
        if let Some(machine) = machine {
            let room = HOST_KEYS_MAX.saturating_sub(self.host_keys.len());
            let missing = keys.iter().filter(|key| !self.host_keys.contains_key(key));
            let missing: Vec<Link> = missing.take(room).copied().collect();
            self.host_keys
                .extend(missing.into_iter().map(|key| (key, machine)));
        }
        new
    }

    fn note_machines(&mut self, host_keys: &BTreeMap<Link, u64>) {
        let mut machines: BTreeMap<u64, Vec<Link>> = BTreeMap::new();
        for (key, machine) in host_keys {
            machines.entry(*machine).or_default().push(*key);
        }
        for keys in machines.values() {
            self.note_machine(keys);
        }
    }

    /// Incidents that became part of it and are still known under their own id.
    fn absorbed(&self) -> impl Iterator<Item = IncidentId> {
        self.absorbed.iter().copied()
    }
}

/// What an incident is about, going by its lead alert; of a vendor's own words none.
fn title(placement: &Placement) -> String {
    let facts = &placement.facts;
    let technique = || facts.techniques.iter().find_map(|id| technique_name(id));
    let tactic = || facts.tactics.last().map(|tactic| tactic.name());
    match facts.reasons.first() {
        Some(reason) => clipped(reason),
        None => technique()
            .or_else(tactic)
            .map_or_else(|| format!("Alert from {}", facts.vendor), str::to_owned),
    }
}

/// The worse of two verdicts.
const fn worst(a: Verdict, b: Verdict) -> Verdict {
    if a.rank() >= b.rank() { a } else { b }
}

#[cfg(test)]
mod tests;
