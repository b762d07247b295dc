//! What else can be done than to cut a host off, each at a vendor that has it: the alert that it is proposed
//! for, the requests that it takes, and whether it is so.

use std::fs;

use serde_json::json;
use tempfile::TempDir;
use vyrox::{
    mock_edr::Route,
    scenario::{Occasion, Scenario},
};
use vyrox_domain::{time::Timestamp, vendor::Vendor};

use super::house::{House, Proposed};
use crate::server::unix_s;

/// An action at a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// The process that CrowdStrike reported is ended.
    Kill,
    /// The process of a threat is ended, by SentinelOne.
    KillThreat,
    /// The file that was reported runs nowhere any more.
    Block(Vendor),
    /// The file is taken away.
    TakeFile(Vendor),
    /// The threat is cut off at the network, by SentinelOne.
    CutThreat,
}

impl Deed {
    pub(super) const fn vendor(self) -> Vendor {
        match self {
            Self::Kill => Vendor::Crowdstrike,
            Self::KillThreat | Self::CutThreat => Vendor::Sentinelone,
            Self::Block(vendor) | Self::TakeFile(vendor) => vendor,
        }
    }

    const fn action(self) -> &'static str {
        match self {
            Self::Kill | Self::KillThreat => "PROCESS_KILL",
            Self::Block(_) => "HASH_BLOCK",
            Self::TakeFile(_) => "FILE_QUARANTINE",
            Self::CutThreat => "NETWORK_QUARANTINE",
        }
    }

    /// The request that does it.
    pub(super) const fn route(self) -> Route {
        match self {
            Self::Kill => Route::Kill,
            Self::Block(_) => Route::BlockHash,
            Self::KillThreat | Self::TakeFile(_) | Self::CutThreat => Route::Mitigate,
        }
    }

    pub(super) const fn is_kill(self) -> bool {
        matches!(self, Self::Kill | Self::KillThreat)
    }

    /// The one playbook that there is, in a directory that must outlive the house.
    pub(super) fn playbook(self) -> TempDir {
        let dir = TempDir::new().expect("a directory");
        let text = format!(
            "id = 'own'\ntitle = 'Own'\npriority = 1\nwhen = {{ min_verdict = 'HIGH' }}\nsteps = [{{ action = '{}' }}]\n",
            self.action()
        );
        fs::write(dir.path().join("own.toml"), text).expect("a file");
        dir
    }

    /// A house in which nothing but this is proposed.
    pub(super) fn house(self, playbook: &TempDir) -> House {
        let dir = playbook.path().to_str().expect("a plain path");
        let env = [
            ("VYROX_PLAYBOOKS__BUILTIN", "false"),
            ("VYROX_PLAYBOOKS__DIR", dir),
        ];
        House::open(&env, &[self.vendor()])
    }

    /// The alert with what the action needs to know; gives its id.
    pub(super) fn alert(self, house: &House) -> String {
        let vendor = self.vendor();
        let now = Timestamp::from_s(unix_s());
        let seen = &Scenario::Mimikatz.sightings()[0];
        let at = Occasion {
            id: "1",
            now,
            tenant: "acme",
        };
        let mut body = Scenario::Mimikatz.alerts(vendor, at).remove(0).body;
        match vendor {
            Vendor::Crowdstrike => {
                body["process"]["pid"] = json!(pid(house));
                body["process"]["file_path"] = json!(seen.path);
            }
            Vendor::Sentinelone => {
                let threat = house.mock.add_sighting(vendor, seen, now);
                body["threatId"] = json!(threat);
                body["agentRealtimeInfo"]["agentOsType"] = json!("windows");
            }
            Vendor::Defender | Vendor::Generic => body["evidence"][0]["sha1"] = json!(SHA1),
        }
        house.send("acme", vendor, &body)
    }

    /// How the vendor has it now: whether it is done.
    pub(super) fn is_done(self, house: &House) -> bool {
        let vendor = self.vendor();
        let device = Scenario::Mimikatz.sightings()[0].device_id(vendor);
        let host = house.mock.host(vendor, &device).expect("a known host");
        match self {
            Self::Kill => pid(house).is_none(),
            Self::Block(_) => !house.mock.blocked(vendor).is_empty(),
            Self::TakeFile(Vendor::Defender) => host.quarantined == [SHA1],
            // The stand-in keeps no more of it than that it was told, and the vendor's word was read.
            Self::KillThreat | Self::TakeFile(_) | Self::CutThreat => {
                house.mock.count(vendor, Route::Mitigate) > 0
            }
        }
    }

    /// Bob says yes where one person's is not enough.
    pub(super) fn seconded(self, house: &House, what: &Proposed) {
        if !matches!(self, Self::Block(_)) {
            return;
        }
        let server = &house.server;
        let bob = json!({ "person_id": "bob" });
        let added = server.api("POST", "/api/v1/people", Some(&bob));
        assert_eq!(added.status, 201, "{added:?}");
        let roles = json!({ "roles": ["approver"] });
        let path = format!("/api/v1/people/bob/roles/{}", what.tenant);
        let granted = server.api("PUT", &path, Some(&roles));
        assert_eq!(granted.status, 200, "{granted:?}");
        let issued = server.api("POST", "/api/v1/people/bob/tokens", Some(&json!({})));
        let bearer = format!(
            "Bearer {}",
            issued.json()["token"].as_str().expect("a token")
        );
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let path = format!("/api/v1/alerts/{}/approve", what.alert_id);
        let yes = json!({ "tenant_id": what.tenant, "manifest_sha256": what.digest });
        let mut http = server.http();
        let reply = http.post(&path, &headers, yes.to_string().as_bytes());
        assert_eq!(reply.status, 200, "{reply:?}");
    }
}

/// The requests that could have changed something.
pub(super) fn changes(house: &House) -> Vec<Route> {
    let calls = house.mock.calls().into_iter();
    let changes = calls.filter(|call| call.changes);
    changes
        .map(|call| call.route.expect("a known one"))
        .collect()
}

const SHA1: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

/// The reported process on its host, as long as it runs.
fn pid(house: &House) -> Option<u32> {
    let seen = &Scenario::Mimikatz.sightings()[0];
    let device = seen.device_id(Vendor::Crowdstrike);
    let host = house.mock.host(Vendor::Crowdstrike, &device)?;
    let mut running = host.processes.iter();
    let found = running.find(|process| process.image == seen.image)?;
    Some(found.pid)
}
