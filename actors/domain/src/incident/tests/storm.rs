//! Many alerts at once.

use std::collections::BTreeSet;

use super::*;

#[test]
fn a_storm_is_few_incidents_with_few_messages() {
    // 50,000 alerts in a minute: 15 machines, 12 accounts that wander between them, one tool.
    let mut tenant = Tenant::default();
    let mut told = BTreeMap::<IncidentId, u32>::new();
    let verdicts = [Low, Medium, Medium, High, Low, Critical, Medium];
    for n in 0..50_000_u64 {
        let machine = n * 7 % 15;
        let account = (n / 15) % 12;
        let own = Link {
            kind: LinkKind::VendorAlert,
            key: n,
        };
        let links = [
            own,
            host(machine),
            host(1 << 40 | machine),
            user(account),
            hash(1),
        ];
        let tactic = Tactic::ALL[usize::try_from(n % 14).expect("small")];
        let verdict = verdicts[usize::try_from(n % 7).expect("small")];
        tenant.alerts += 1;
        let arrival = Arrival {
            alert_id: AlertId(Uuid::from_u64_pair(1, n)),
            verdict,
            at: at(n * MINUTE_MS / 50_000),
        };
        let placed = tenant
            .incidents
            .place(arrival, id(n), facts(&links, &[tactic]));
        tenant.incidents.apply(arrival, &placed, &tenant.window);
        if !placed.folded {
            *told.entry(placed.incident_id).or_default() += 1;
        }
    }
    tenant.incidents.check();
    assert!((1..=20).contains(&told.len()), "{} incidents", told.len());
    assert!(told.values().all(|messages| *messages <= 4), "{told:?}");
    let alerts: u64 = tenant
        .incidents
        .iter()
        .map(|incident| incident.alerts)
        .sum();
    assert_eq!(alerts, 50_000);
    assert!(tenant.incidents.iter().all(|incident| incident.storm));
    println!(
        "50,000 alerts: {} incident(s), {told:?} messages",
        tenant.incidents.len()
    );
}

#[test]
fn a_storm_passes() {
    let mut tenant = Tenant::default();
    for n in 0..21 {
        tenant.take(n * 1000, Medium, facts(&[host(1)], &[]));
        assert_eq!(tenant.only().storm, n == 20);
    }
    tenant.take(5 * MINUTE_MS, Medium, facts(&[host(1)], &[]));
    assert!(!tenant.only().storm);
}

#[test]
fn unrelated_streams_stay_apart_whatever_their_order() {
    let streams: Vec<u64> = (0..30).collect();
    let run = |order: &mut dyn Iterator<Item = u64>| {
        let mut tenant = Tenant::default();
        for (n, stream) in order.enumerate() {
            tenant.take(n as u64, Medium, facts(&[host(stream), user(stream)], &[]));
        }
        let sizes: Vec<(u64, Vec<String>)> = tenant
            .incidents
            .iter()
            .map(|incident| (incident.alerts, incident.hosts.clone()))
            .collect();
        assert!(
            sizes
                .iter()
                .all(|(alerts, hosts)| *alerts == 10 && hosts.len() == 1)
        );
        sizes.into_iter().collect::<BTreeSet<_>>()
    };
    let one_after_another = run(&mut streams.iter().flat_map(|s| [*s; 10]));
    let in_turn = run(&mut (0..10).flat_map(|_| streams.clone()));
    assert_eq!(one_after_another, in_turn);
    assert_eq!(in_turn.len(), 30);
}
