//! What placing an alert costs, whatever the number of open incidents. The figures are printed; none is
//! a limit, since they are those of whatever machine runs the test.

use std::time::Instant;

use uuid::Uuid;
use vyrox_domain::{
    attack::Tactic,
    ids::{AlertId, IncidentId},
    incident::{Arrival, CaseFacts, Incidents, Link, LinkKind, Window},
    time::Timestamp,
    triage::Verdict,
    vendor::Vendor,
};

const ALERTS: u64 = 20_000;

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a figure is printed, nothing depends on it"
)]
fn what_an_alert_costs_with_many_incidents_open() {
    for open in [10_u64, 1_000, 10_000] {
        let mut tenant = Incidents::default();
        (0..open).for_each(|n| take(&mut tenant, n, n));

        let begun = Instant::now();
        (open..open + ALERTS).for_each(|n| take(&mut tenant, n, n % open));
        let ns = begun.elapsed().as_nanos() / u128::from(ALERTS);
        println!("{open:>6} open: {ns} ns for one place and apply");

        assert_eq!(u64::try_from(tenant.len()), Ok(open));
        let alerts: u64 = tenant.iter().map(|incident| incident.alerts).sum();
        assert_eq!(alerts, open + ALERTS);
    }
}

/// One alert on one of the machines, with the links that most alerts have.
fn take(tenant: &mut Incidents, n: u64, machine: u64) {
    let window = Window {
        open_max: 20_000,
        ..Window::default()
    };
    let link = |kind, key| Link { kind, key };
    let facts = CaseFacts {
        vendor: Vendor::Crowdstrike,
        host: Some(format!("ws-{machine}")),
        device_id: None,
        links: vec![
            link(LinkKind::VendorAlert, n),
            link(LinkKind::Host, machine),
            link(LinkKind::Host, 1 << 40 | machine),
            link(LinkKind::User, machine),
            link(LinkKind::Hash, machine),
        ],
        tactics: vec![Tactic::Execution],
        techniques: vec!["T1059.001".into()],
        reasons: vec!["A shell of an office program".into()],
    };
    let arrival = Arrival {
        alert_id: AlertId(Uuid::from_u64_pair(1, n)),
        verdict: Verdict::Medium,
        at: Timestamp::from_s(1_700_000_000).plus_ms(n / 100),
    };
    let placement = tenant.place(arrival, IncidentId(Uuid::from_u64_pair(2, n)), facts);
    tenant.apply(arrival, &placement, &window);
}
