use uuid::Uuid;

use super::*;
use crate::triage::Verdict::{Critical, High, Low, Medium};

mod lifecycle;
mod links;
mod properties;
mod storm;

const MINUTE_MS: u64 = 60_000;
/// Long after the epoch, so that a clock can be set back.
const START_MS: u64 = 1_700_000_000_000;

fn id(n: u64) -> IncidentId {
    IncidentId(Uuid::from_u64_pair(0, n))
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(START_MS).plus_ms(ms)
}

fn host(key: u64) -> Link {
    let kind = LinkKind::Host;
    Link { kind, key }
}

fn user(key: u64) -> Link {
    let kind = LinkKind::User;
    Link { kind, key }
}

fn hash(key: u64) -> Link {
    let kind = LinkKind::Hash;
    Link { kind, key }
}

fn facts(links: &[Link], tactics: &[Tactic]) -> CaseFacts {
    let name = links.iter().find(|link| link.kind == LinkKind::Host);
    CaseFacts {
        vendor: Vendor::Crowdstrike,
        host: name.map(|link| format!("ws-{}", link.key)),
        device_id: None,
        links: links.to_vec(),
        tactics: tactics.to_vec(),
        techniques: Vec::new(),
        reasons: Vec::new(),
    }
}

/// A tenant whose incidents and alerts are numbered.
#[derive(Default)]
struct Tenant {
    incidents: Incidents,
    window: Window,
    alerts: u64,
}

impl Tenant {
    fn take(&mut self, ms: u64, verdict: Verdict, facts: CaseFacts) -> Placement {
        self.alerts += 1;
        let arrival = Arrival {
            alert_id: AlertId(Uuid::from_u64_pair(1, self.alerts)),
            verdict,
            at: at(ms),
        };
        let placement = self.incidents.place(arrival, id(self.alerts), facts);
        self.incidents.apply(arrival, &placement, &self.window);
        self.incidents.check();
        placement
    }

    fn only(&self) -> &Incident {
        let mut all = self.incidents.iter();
        let first = all.next().expect("an incident");
        assert!(all.next().is_none(), "more than one incident");
        first
    }
}
