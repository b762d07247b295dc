//! What the three vendors know: hosts and what runs on them, alerts, blocked hashes, actions under way.
//! Each vendor has its own; a machine with two agents is two hosts here.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vyrox_domain::{time::Timestamp, vendor::Vendor};

use super::{alerts, filter::Clause};
use crate::scenario::{Scenario, Sighting};

/// The three that have an API.
pub const VENDORS: [Vendor; 3] = [Vendor::Crowdstrike, Vendor::Sentinelone, Vendor::Defender];

/// A host as one vendor knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// Whose agent is on it.
    pub vendor: Vendor,
    /// That vendor's id of it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether its agent answers.
    pub online: bool,
    /// Whether it is cut off.
    pub network: Network,
    /// How often it must still be read before it does what it was told.
    pub settles_in: u32,
    /// What runs on it.
    pub processes: Vec<Process>,
    /// SHA-1 of the files that were taken away there.
    pub quarantined: Vec<String>,
}

/// Whether a host is cut off, and where it is on its way to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// It is not.
    Normal,
    /// It was told to cut itself off.
    ContainPending,
    /// It is.
    Contained,
    /// It was told to come back.
    ReleasePending,
}

impl Network {
    /// For the page of all hosts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::ContainPending => "contain_pending",
            Self::Contained => "contained",
            Self::ReleasePending => "release_pending",
        }
    }
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The operating system's id of it.
    pub pid: u32,
    /// File name of its image.
    pub image: String,
}

/// An alert, a threat: in the vendor's own full shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alert {
    /// Whose.
    pub(super) vendor: Vendor,
    /// The id by which it is asked for.
    pub(super) id: String,
    /// When it came to be.
    pub(super) created: Timestamp,
    /// All of it.
    pub(super) body: Value,
}

/// A blocked hash.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block {
    /// Whose.
    pub(super) vendor: Vendor,
    /// The vendor's id of it.
    pub(super) id: String,
    /// The hash.
    pub(super) value: String,
    /// The object as the vendor shows it.
    pub(super) body: Value,
}

/// A machine action of Defender.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MachineAction {
    /// Its id.
    pub(super) id: String,
    /// The machine's id.
    pub(super) host: String,
    /// `Isolate`, `Unisolate`, `StopAndQuarantineFile`, ...
    pub(super) kind: &'static str,
    /// `Pending`, `InProgress`, `Succeeded`, `Failed`, `TimeOut`, `Cancelled`.
    pub(super) status: &'static str,
    /// What was given as a reason.
    pub(super) comment: String,
    /// The file, where it is about one.
    pub(super) sha1: Option<String>,
    /// When it was asked for.
    pub(super) created: Timestamp,
}

/// What SentinelOne was asked to do about a threat and is not known to be done.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mitigation {
    pub(super) threat: String,
    pub(super) action: &'static str,
    pub(super) settles_in: u32,
}

/// A session with a host and the commands given in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) host: String,
}

/// A command's answer, piece by piece.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spoken {
    pub(super) id: String,
    pub(super) session: String,
    pub(super) base_command: String,
    pub(super) pieces: Vec<String>,
    pub(super) stderr: String,
    /// How often it must still be asked for.
    pub(super) settles_in: u32,
}

/// All of it. A request is tried on a copy, which takes the original's place if the request is to have an
/// effect: so a lost answer and a lost request differ in nothing else.
#[derive(Clone, Debug)]
pub(super) struct World {
    /// Hosts and threats that nobody has heard of come to be when they are first asked for.
    pub(super) any_host: bool,
    /// How many readings it takes until an online host has done what it was told.
    pub(super) settle_after: u32,
    pub(super) token_ttl_s: u64,
    pub(super) hosts: Vec<Host>,
    pub(super) alerts: Vec<Alert>,
    pub(super) blocks: Vec<Block>,
    pub(super) actions: Vec<MachineAction>,
    pub(super) mitigations: Vec<Mitigation>,
    pub(super) sessions: Vec<Session>,
    pub(super) spoken: Vec<Spoken>,
    /// Vendor and token, and until when it holds.
    pub(super) tokens: BTreeMap<(Vendor, String), Timestamp>,
    /// What a command answers on standard error from now on.
    pub(super) stderr: Option<String>,
    next_id: u64,
}

impl World {
    /// The hosts of the built-in attacks, all online.
    pub(super) fn new(any_host: bool, settle_after: u32, token_ttl_s: u64) -> Self {
        let mut world = Self {
            any_host,
            settle_after,
            token_ttl_s,
            hosts: Vec::new(),
            alerts: Vec::new(),
            blocks: Vec::new(),
            actions: Vec::new(),
            mitigations: Vec::new(),
            sessions: Vec::new(),
            spoken: Vec::new(),
            tokens: BTreeMap::new(),
            stderr: None,
            next_id: 0,
        };
        for seen in Scenario::ALL.iter().flat_map(|story| story.sightings()) {
            for vendor in VENDORS {
                world.meet(vendor, seen);
            }
        }
        world
    }

    /// Adds the host of a sighting, if it is new, and the process that was seen.
    fn meet(&mut self, vendor: Vendor, seen: &Sighting) {
        let id = seen.device_id(vendor);
        if !self.hosts.iter().any(|host| host.id == id) {
            self.hosts.push(Host::new(vendor, &id, seen.host));
        }
        let host = self.hosts.iter_mut().find(|host| host.id == id);
        if let Some(host) = host
            && host.processes.iter().all(|known| known.image != seen.image)
        {
            let last = host.processes.iter().map(|known| known.pid).max();
            host.processes.push(Process {
                pid: last.unwrap_or(4000).saturating_add(12),
                image: seen.image.to_owned(),
            });
        }
    }

    /// The host of that id; a new one where any host will do.
    pub(super) fn host(&mut self, vendor: Vendor, id: &str) -> Option<&mut Host> {
        let is_it = |host: &Host| host.vendor == vendor && host.id == id;
        if self.any_host && !self.hosts.iter().any(is_it) {
            // It goes by no name, so it is by none that an alert does not give it.
            self.hosts.push(Host::new(vendor, id, ""));
        }
        self.hosts.iter_mut().find(|host| is_it(host))
    }

    /// Hosts by their id or name, whoever knows them.
    pub(super) fn hosts_called<'a>(
        &'a mut self,
        called: &'a str,
    ) -> impl Iterator<Item = &'a mut Host> {
        let fits = move |host: &&mut Host| host.id == called || host.name == called;
        self.hosts.iter_mut().filter(fits)
    }

    /// A number that was not given before.
    pub(super) fn number(&mut self) -> u64 {
        self.next_id = self.next_id.saturating_add(1);
        self.next_id
    }

    /// The alerts of a vendor that all clauses fit, the oldest first.
    pub(super) fn alerts_that(&self, vendor: Vendor, clauses: &[Clause]) -> Vec<&Alert> {
        let fits = |alert: &&Alert| {
            alert.vendor == vendor && clauses.iter().all(|clause| clause.fits_alert(alert))
        };
        let mut found: Vec<_> = self.alerts.iter().filter(fits).collect();
        found.sort_by_key(|alert| alert.created);
        found
    }

    /// Actions that hang on a host move on: called whenever one of them is read.
    pub(super) fn step_actions(&mut self) {
        let hosts = &mut self.hosts;
        for action in &mut self.actions {
            if !matches!(action.status, "Pending" | "InProgress") {
                continue;
            }
            let is_its = |host: &&mut Host| {
                host.vendor == Vendor::Defender && host.id == action.host && host.online
            };
            let Some(host) = hosts.iter_mut().find(is_its) else {
                continue;
            };
            if host.settles_in > 0 {
                host.settles_in -= 1;
                action.status = "InProgress";
                continue;
            }
            action.status = "Succeeded";
            host.settle();
            if let Some(sha1) = action.sha1.clone() {
                host.quarantined.push(sha1);
            }
        }
    }
}

impl World {
    /// One reading of these threats: what was asked for on online hosts comes one step nearer.
    pub(super) fn step_mitigations(&mut self, threats: &[String], now: Timestamp) {
        let mut under_way = std::mem::take(&mut self.mitigations);
        under_way.retain_mut(|mitigation| {
            let is_it = |alert: &&mut Alert| {
                alert.vendor == Vendor::Sentinelone && alert.id == mitigation.threat
            };
            let Some(threat) = self.alerts.iter_mut().find(is_it) else {
                return false;
            };
            let host = alerts::host_of_threat(&threat.body);
            let is_off = |known: &Host| {
                known.vendor == Vendor::Sentinelone
                    && Some(known.id.as_str()) == host
                    && !known.online
            };
            if !threats.contains(&mitigation.threat) || self.hosts.iter().any(is_off) {
                return true;
            }
            if mitigation.settles_in > 0 {
                mitigation.settles_in -= 1;
                return true;
            }
            alerts::note_mitigation(&mut threat.body, mitigation.action, "success", now);
            false
        });
        self.mitigations = under_way;
    }
}

impl Host {
    /// A host that is online and not cut off.
    pub fn new(vendor: Vendor, id: &str, name: &str) -> Self {
        Self {
            vendor,
            id: id.to_owned(),
            name: name.to_owned(),
            online: true,
            network: Network::Normal,
            settles_in: 0,
            processes: vec![Process {
                pid: 4,
                image: "System".to_owned(),
            }],
            quarantined: Vec::new(),
        }
    }

    /// Tells it to cut itself off or to come back; whether that changes anything.
    pub(super) fn told(&mut self, contained: bool, settles_in: u32) -> bool {
        let goes_on = match self.network {
            Network::Normal | Network::ReleasePending => contained,
            Network::Contained | Network::ContainPending => !contained,
        };
        if goes_on {
            self.settles_in = settles_in;
            self.network = if contained {
                Network::ContainPending
            } else {
                Network::ReleasePending
            };
        }
        goes_on
    }

    /// One reading: an online host comes one step nearer to what it was told.
    pub(super) fn read(&mut self) -> Network {
        if self.online {
            if self.settles_in > 0 {
                self.settles_in -= 1;
            } else {
                self.settle();
            }
        }
        self.network
    }

    fn settle(&mut self) {
        self.network = match self.network {
            Network::Normal | Network::ReleasePending => Network::Normal,
            Network::Contained | Network::ContainPending => Network::Contained,
        };
    }

    /// For the page of all hosts.
    pub(super) fn to_json(&self) -> Value {
        let processes: Vec<_> = self
            .processes
            .iter()
            .map(|process| json!({ "pid": process.pid, "image": process.image }))
            .collect();
        json!({
            "vendor": self.vendor,
            "id": self.id,
            "name": self.name,
            "online": self.online,
            "network": self.network.as_str(),
            "processes": processes,
            "quarantined": self.quarantined,
        })
    }
}
