use std::net::Ipv4Addr;

use governor::clock::FakeRelativeClock;
use proptest::prelude::*;

use super::*;
use crate::config::{Config, Sources};

fn limits() -> LimitsConfig {
    Config::load(&Sources::default())
        .expect("defaults")
        .0
        .limits
}

fn gates(limits: &LimitsConfig) -> (Admission<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    (Admission::with_clock(limits, &clock), clock)
}

fn tenant(name: &str) -> TenantId {
    name.parse().expect("a tenant id")
}

fn source(number: u32) -> Source {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | number)).into()
}

/// How many of so many failures at once are answered as such.
fn fail(gates: &Admission<FakeRelativeClock>, times: usize, source: Source) -> usize {
    let answered = |_: &usize| gates.failed(source) == Decision::Admit;
    (0..times).filter(answered).count()
}

/// The budget of a signed alert.
fn webhook(gates: &Admission<FakeRelativeClock>, tenant: &TenantId) -> Decision {
    gates.spend(Class::Webhook, &tenant.shared())
}

/// Two comparable products give the quiet tenant 3 % and 0 % of its requests in this situation,
/// because the budget before authentication is one bucket for all.
#[test]
fn a_flood_of_one_tenant_is_not_felt_by_another_at_the_same_address() {
    let (gates, clock) = gates(&limits());
    let (flooder, quiet, proxy) = (tenant("flooder"), tenant("quiet"), source(1));
    let mut flood_admitted = 0;
    for tick in 0..4000 {
        clock.advance(Duration::from_millis(5));
        for _ in 0..40 {
            // Signed, and unsigned under any name.
            flood_admitted += u32::from(webhook(&gates, &flooder) == Decision::Admit);
            fail(&gates, 2, proxy);
        }
        // 40 alerts a second: one each five ticks.
        if tick % 5 == 0 {
            assert_eq!(webhook(&gates, &quiet), Decision::Admit, "tick {tick}");
        }
    }
    assert!(flood_admitted <= 100 + 50 * 20, "{flood_admitted}");
}

#[test]
fn failures_are_rationed_by_source_and_all_together_and_cost_tenants_nothing() {
    let (gates, clock) = gates(&limits());
    let quiet = tenant("quiet");
    let mut answered = 0;
    for tick in 0..1000 {
        clock.advance(Duration::from_millis(25));
        for stranger in 0..100 {
            answered += fail(&gates, 1, source(stranger));
        }
        assert_eq!(webhook(&gates, &quiet), Decision::Admit, "tick {tick}");
    }
    assert!(
        answered <= 1000 + 25 * 1000,
        "all strangers together stay within 1000/s: {answered}"
    );
    assert!(answered >= 25 * 1000, "and they do get it: {answered}");
}

#[test]
fn a_source_over_its_ration_draws_on_nobody_elses() {
    let (gates, clock) = gates(&limits());
    assert_eq!(fail(&gates, 5000, source(66)), 50);
    assert!(matches!(gates.failed(source(66)), Decision::Limited { .. }));
    let others: usize = (0..19).map(|other| fail(&gates, 100, source(other))).sum();
    assert_eq!(others, 19 * 50, "all that is left of the common ration");
    assert_eq!(fail(&gates, 100, source(20)), 0);
    clock.advance(Duration::from_secs(1));
    assert_eq!(fail(&gates, 100, source(66)), 50);
}

#[test]
fn a_body_counts_as_many_times_as_it_holds_alerts() {
    let (gates, clock) = gates(&LimitsConfig {
        per_tenant_per_s: 1,
        per_tenant_burst: 64,
        ..limits()
    });
    let acme: Arc<str> = "acme".into();
    let body = |alerts: usize| match gates.spend(Class::Webhook, &acme) {
        Decision::Admit => gates.spend_more(Class::Webhook, &acme, alerts - 1),
        refused => refused,
    };
    assert_eq!(
        body(64),
        Decision::Admit,
        "the fullest body fits a full budget"
    );
    assert!(matches!(body(1), Decision::Limited { .. }));
    for alerts in [50, 64] {
        clock.advance(Duration::from_secs(40));
        let Decision::Limited { retry_after } = body(alerts) else {
            panic!("{alerts} do not fit");
        };
        // Who comes back when told to is let in: the try that failed is paid for in that time.
        clock.advance(retry_after);
        assert_eq!(
            body(alerts),
            Decision::Admit,
            "{alerts} after {retry_after:?}"
        );
    }
    assert_eq!(
        gates.spend(Class::Webhook, &"globex".into()),
        Decision::Admit
    );
}

#[test]
fn classes_have_budgets_of_their_own() {
    let (gates, _clock) = gates(&limits());
    let name: Arc<str> = "acme".into();
    let spent = |class| {
        (0..1000)
            .filter(|_| gates.spend(class, &name) == Decision::Admit)
            .count()
    };
    assert_eq!(spent(Class::Webhook), 100);
    assert_eq!(spent(Class::Audit), 20);
    assert_eq!(spent(Class::Api), 100);
}

#[test]
fn a_refusal_says_when_to_come_back_and_keeps_its_word() {
    let (gates, clock) = gates(&limits());
    let name: Arc<str> = "acme".into();
    while gates.spend(Class::Webhook, &name) == Decision::Admit {}
    let Decision::Limited { retry_after } = gates.spend(Class::Webhook, &name) else {
        panic!("the budget is used up");
    };
    assert!(retry_after > Duration::ZERO && retry_after <= Duration::from_millis(20));
    clock.advance(retry_after);
    assert_eq!(gates.spend(Class::Webhook, &name), Decision::Admit);
    let problem = Decision::Limited { retry_after }
        .into_result()
        .expect_err("a refusal");
    assert_eq!(problem.code(), Code::RateLimited);
    assert!(problem.body().contains("\"retry_after\":1"));
}

#[test]
fn tracked_sources_are_bounded_and_the_bound_does_not_open_the_gate() {
    let (gates, clock) = gates(&LimitsConfig {
        tracked_sources_max: 1024,
        global_per_s: 10_000_000,
        ..limits()
    });
    let mut answered = 0;
    for number in 0..100_000 {
        answered += fail(&gates, 1, source(number));
        assert!(gates.failures.len() <= 1024 + 1, "{}", gates.failures.len());
    }
    assert!(
        answered >= 99_000,
        "many sources, little from each: {answered}"
    );
    // All busy at the same moment: they share slots, whose number is fixed.
    assert!(fail(&gates, 150, source(1)) <= 50);
    assert!(matches!(gates.failed(source(1)), Decision::Limited { .. }));
    clock.advance(Duration::from_secs(10));
    gates.sweep();
    assert_eq!(gates.usage().tracked, 0, "who was quiet is forgotten");
    assert_eq!(gates.failed(source(1)), Decision::Admit);
}

#[test]
fn above_half_of_the_room_nobody_has_more_than_a_share() {
    let (gates, _clock) = gates(&LimitsConfig {
        in_flight_max: 90,
        ..limits()
    });
    let (flooder, quiet, proxy) = (tenant("flooder"), tenant("quiet"), source(1));
    let enter = |tenant: &TenantId| gates.enter(proxy)?.speaks_for(tenant);
    let mut flood: Vec<_> = std::iter::from_fn(|| enter(&flooder).ok()).collect();
    assert_eq!(flood.len(), 45, "a lone sender gets half");
    let neighbours: Vec<_> = std::iter::from_fn(|| enter(&quiet).ok()).collect();
    assert!(neighbours.len() >= 22, "{}", neighbours.len());
    // What the flood gives back it can't take again while it is over its share.
    flood.truncate(40);
    assert!(enter(&flooder).is_err());
    assert!(gates.usage().in_flight < 90);
    drop(flood);
    drop(neighbours);
    assert_eq!(gates.usage().in_flight, 0);
    let refusal = Decision::Overloaded {
        retry_after: ROOM_RETRY_AFTER,
    }
    .into_result();
    assert_eq!(refusal.expect_err("a refusal").code(), Code::Overloaded);
}

#[test]
fn a_peer_without_an_address_is_a_source_like_any_other() {
    let address: IpAddr = "192.0.2.1".parse().expect("an address");
    assert_eq!(Source::of_peer(Some(address)), Source::from(address));
    assert_eq!(Source::of_peer(None), Source::UNKNOWN);
}

proptest! {
    /// Whatever comes and goes: never more places than there are, none lost, none left over.
    #[test]
    fn places_are_conserved(steps in prop::collection::vec((0_u32..6, any::<bool>(), 0_usize..64), 0..300)) {
        let (gates, _clock) = gates(&LimitsConfig { in_flight_max: 16, ..limits() });
        let mut held: Vec<InFlight> = Vec::new();
        for (who, leaves, place) in steps {
            if leaves && !held.is_empty() {
                let place = place % held.len();
                drop(held.swap_remove(place));
            } else if let Ok(entered) = gates.enter(source(who)) {
                let name = tenant(&format!("t{}", who % 3));
                if who % 2 == 0 {
                    held.extend(entered.speaks_for(&name));
                } else {
                    held.push(entered);
                }
            }
            prop_assert!(held.len() <= 16);
            prop_assert_eq!(gates.usage().in_flight, held.len());
        }
        drop(held);
        prop_assert_eq!(gates.usage().in_flight, 0);
    }
}
