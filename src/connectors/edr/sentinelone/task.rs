//! What an action comes down to at SentinelOne: one of a few requests, about things named one by one.

use serde_json::{Value, json};
use vyrox_actors::edr::EdrError;
use vyrox_domain::{
    action::{ActionManifest, ActionType, parse_target},
    vendor::Vendor,
};

use super::{
    super::{Call, id::Id, never, reading::mark},
    RESTRICTIONS,
};

/// An action, or the taking back of one, in SentinelOne's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    /// What is to be so.
    pub(super) goal: Goal,
    /// That it is to be so no more.
    pub(super) undo: bool,
}

/// What can be brought about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// The agent's host is off the network.
    OffNetwork(Id),
    /// Something was done about a threat.
    Mitigated(Mitigation),
    /// A hash is on the blocklist.
    Blocked(Block),
}

/// What is done about a threat, on the host of this agent and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mitigation {
    /// The host's agent.
    pub(super) agent: Id,
    /// The threat.
    pub(super) threat: Id,
    /// What is done.
    pub(super) measure: Measure,
}

/// What SentinelOne does about threats at our wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// Its processes end.
    Kill,
    /// Its files are taken away.
    Quarantine,
    /// Its host is cut off as part of its mitigation.
    NetworkQuarantine,
}

/// An entry of the blocklist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// SHA-256 or SHA-1, in lower-case hex digits.
    pub(super) hash: String,
    /// The list: there is one an operating system.
    pub(super) platform: &'static str,
    /// Where it holds.
    pub(super) scope: Scope,
    /// What our entry says of itself. Of an undoing: what the entry says that it takes back, where that is
    /// one of ours.
    pub(super) mark: Option<String>,
}

/// Where an entry of the blocklist holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Everywhere that the token reaches.
    Tenant,
    /// At one site.
    Site(Id),
}

impl Task {
    /// What this manifest asks for, of a console in which blocklists go by `site`.
    ///
    /// # Errors
    /// SentinelOne cannot do that, or the manifest does not say whom or what.
    pub(super) fn of(manifest: &ActionManifest, site: Option<&Id>) -> Result<Self, EdrError> {
        let agent = match parse_target(&manifest.target_urn) {
            Some((Vendor::Sentinelone, id)) => Id::parse(id),
            Some((Vendor::Crowdstrike | Vendor::Defender | Vendor::Generic, _)) | None => None,
        };
        let agent = agent.ok_or_else(|| never("the target is no agent of SentinelOne"))?;
        let mitigated = |measure| mitigation(manifest, agent.clone(), measure);
        let goal = match manifest.action_type {
            ActionType::HostIsolation => Goal::OffNetwork(agent),
            ActionType::ProcessKill => mitigated(Measure::Kill)?,
            ActionType::FileQuarantine => mitigated(Measure::Quarantine)?,
            ActionType::NetworkQuarantine => mitigated(Measure::NetworkQuarantine)?,
            ActionType::HashBlock => Goal::Blocked(block(manifest, site)?),
        };
        let task = Self {
            goal,
            undo: manifest.release.is_some(),
        };
        if task.undo && !task.goal.is_reversible() {
            return Err(never("SentinelOne cannot take this back"));
        }
        Ok(task)
    }
}

impl Goal {
    const fn is_reversible(&self) -> bool {
        match self {
            Self::OffNetwork(_) | Self::Blocked(_) => true,
            Self::Mitigated(mitigation) => mitigation.measure.undone_by().is_some(),
        }
    }
}

impl Measure {
    /// The last segment of the path that asks for it; [`Self::undone_by`] likewise.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Quarantine => "quarantine",
            Self::NetworkQuarantine => "network-quarantine",
        }
    }

    pub(super) const fn undone_by(self) -> Option<&'static str> {
        match self {
            Self::Quarantine => Some("un-quarantine"),
            Self::Kill | Self::NetworkQuarantine => None,
        }
    }
}

/// The body of a request about one agent or one threat. A filter without ids would mean everything in the
/// token's scope; this is the only place that writes one, and it takes exactly one id. One of another site
/// than the given one is not affected.
pub(super) fn one(id: &Id, site: Option<&Id>) -> Value {
    match site {
        Some(site) => json!({ "filter": { "ids": [id.as_str()], "siteIds": [site.as_str()] } }),
        None => json!({ "filter": { "ids": [id.as_str()] } }),
    }
}

impl Block {
    /// The body that puts it on the list. Its filter says where the entry holds, not whom it is about.
    pub(super) fn addition(&self) -> Value {
        let filter = match &self.scope {
            Scope::Site(site) => json!({ "siteIds": [site.as_str()] }),
            Scope::Tenant => json!({ "tenant": true }),
        };
        json!({
            "data": {
                "type": BLOCKLIST,
                "value": self.hash,
                "osType": self.platform,
                "source": "user",
                "description": self.mark.as_deref().unwrap_or("Vyrox"),
            },
            "filter": filter,
        })
    }

    /// What finds it on the list, with what else there is about the hash.
    pub(super) fn query(&self) -> Call {
        let call = Call::get(RESTRICTIONS)
            .query("type", BLOCKLIST)
            .query("value", self.hash.clone());
        match &self.scope {
            // What holds above the site holds in it.
            Scope::Site(site) => call
                .query("siteIds", site.as_str())
                .query("includeParents", "true"),
            Scope::Tenant => call.query("tenant", "true"),
        }
    }
}

/// The body that takes one entry off the blocklist.
pub(super) fn removal(entry: &Id) -> Value {
    json!({ "data": { "type": BLOCKLIST, "ids": [entry.as_str()] } })
}

/// SentinelOne's name of the list of blocked hashes.
pub(super) const BLOCKLIST: &str = "black_hash";

fn mitigation(manifest: &ActionManifest, agent: Id, measure: Measure) -> Result<Goal, EdrError> {
    let threat = manifest.parameters.get("threat_id");
    let threat = threat
        .and_then(|id| Id::parse(id))
        .ok_or_else(|| never("the action names no threat"))?;
    Ok(Goal::Mitigated(Mitigation {
        agent,
        threat,
        measure,
    }))
}

fn block(manifest: &ActionManifest, site: Option<&Id>) -> Result<Block, EdrError> {
    let of_length = |name: &str, length: usize| {
        let hash = manifest.parameters.get(name)?;
        (hash.len() == length && hash.bytes().all(|b| b.is_ascii_hexdigit()))
            .then(|| hash.to_ascii_lowercase())
    };
    let hash = of_length("sha256", 64)
        .or_else(|| of_length("sha1", 40))
        .ok_or_else(|| never("the action names no SHA-256 and no SHA-1"))?;
    let platform = match manifest.parameters.get("platform").map(String::as_str) {
        Some("windows") => "windows",
        Some("linux") => "linux",
        Some("macos") => "macos",
        Some(_) | None => return Err(never("the action names no operating system")),
    };
    let ours = match manifest.release {
        Some(release) => release.of,
        None => Some(manifest.action_id),
    };
    Ok(Block {
        hash,
        platform,
        scope: site.map_or(Scope::Tenant, |site| Scope::Site(site.clone())),
        mark: ours.map(mark),
    })
}
