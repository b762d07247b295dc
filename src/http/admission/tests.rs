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

/// How many of so many requests at once may be verified.
fn press(
    gates: &Admission<FakeRelativeClock>,
    times: usize,
    source: Source,
    tenant: Option<&TenantId>,
) -> usize {
    let admitted = |_: &usize| gates.before_authentication(source, tenant) == Decision::Admit;
    (0..times).filter(admitted).count()
}

/// Both gates that a webhook passes.
fn webhook(gates: &Admission<FakeRelativeClock>, source: Source, tenant: &TenantId) -> Decision {
    match gates.before_authentication(source, Some(tenant)) {
        Decision::Admit => gates.spend(Class::Webhook, &tenant.shared()),
        refused => refused,
    }
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
            // Signed, unsigned under the flooder's name, unsigned under no name.
            flood_admitted += u32::from(webhook(&gates, proxy, &flooder) == Decision::Admit);
            press(&gates, 1, proxy, Some(&flooder));
            press(&gates, 1, proxy, None);
        }
        // 40 alerts a second: one each five ticks.
        if tick % 5 == 0 {
            assert_eq!(
                webhook(&gates, proxy, &quiet),
                Decision::Admit,
                "tick {tick}"
            );
        }
    }
    assert!(flood_admitted <= 100 + 50 * 20, "{flood_admitted}");
}

#[test]
fn strangers_starve_nobody_but_each_other() {
    let (gates, clock) = gates(&limits());
    let quiet = tenant("quiet");
    let mut verified = 0;
    for tick in 0..1000 {
        clock.advance(Duration::from_millis(25));
        for stranger in 0..100 {
            verified +=
                u32::from(gates.before_authentication(source(stranger), None) == Decision::Admit);
        }
        assert_eq!(
            webhook(&gates, source(7), &quiet),
            Decision::Admit,
            "tick {tick}"
        );
    }
    assert!(
        verified <= 1000 + 25 * 1000,
        "all strangers together stay within 1000/s: {verified}"
    );
    assert!(verified >= 25 * 1000, "and they do get it: {verified}");
}

#[test]
fn a_stranger_spends_its_own_ration_not_the_tenants() {
    let (gates, _clock) = gates(&limits());
    let victim = tenant("victim");
    assert_eq!(press(&gates, 1000, source(66), Some(&victim)), 100);
    assert!(matches!(
        gates.before_authentication(source(66), Some(&victim)),
        Decision::Limited { .. }
    ));
    assert_eq!(webhook(&gates, source(1), &victim), Decision::Admit);
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
fn tracked_senders_are_bounded_and_the_bound_does_not_open_the_gate() {
    let (gates, clock) = gates(&LimitsConfig {
        tracked_sources_max: 1024,
        ..limits()
    });
    let acme = tenant("acme");
    let mut admitted = 0;
    for number in 0..100_000 {
        let decision = gates.before_authentication(source(number), Some(&acme));
        admitted += u32::from(decision == Decision::Admit);
        assert!(gates.named.len() <= 1024 + 1, "{}", gates.named.len());
    }
    assert!(
        admitted >= 99_000,
        "many sources, little from each: {admitted}"
    );
    // All busy at the same moment: they share slots, whose number is fixed.
    assert!(press(&gates, 150, source(1), Some(&acme)) <= 100);
    assert!(matches!(
        gates.before_authentication(source(1), Some(&acme)),
        Decision::Limited { .. }
    ));
    clock.advance(Duration::from_secs(10));
    gates.sweep();
    assert_eq!(gates.usage().tracked, 0, "who was quiet is forgotten");
    assert_eq!(webhook(&gates, source(1), &acme), Decision::Admit);
}

#[test]
fn above_half_of_the_room_nobody_has_more_than_a_share() {
    let (gates, _clock) = gates(&LimitsConfig {
        in_flight_max: 90,
        ..limits()
    });
    let (flooder, quiet, proxy) = (tenant("flooder"), tenant("quiet"), source(1));
    let enter = |tenant: &TenantId| gates.enter(proxy)?.names(Some(tenant));
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
                held.extend(entered.names((who % 2 == 0).then_some(&name)));
            }
            prop_assert!(held.len() <= 16);
            prop_assert_eq!(gates.usage().in_flight, held.len());
        }
        drop(held);
        prop_assert_eq!(gates.usage().in_flight, 0);
    }
}
