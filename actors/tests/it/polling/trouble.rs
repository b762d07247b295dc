//! Polling while something is wrong: with the vendor, the tenant, or the poller itself.

use std::time::Duration;

use vyrox_actors::{directory::Route, edr::EdrError};
use vyrox_domain::vendor::Vendor;

use super::{MINUTE, POLLED, S1, all_rise, at, threat};
use crate::house::{House, Wish, alert, housed};

const STEP: Duration = Duration::from_secs(5);

/// A thousand alerts of the last minutes, one each half a second.
fn a_thousand(house: &House) {
    house.cloud(|cloud| {
        let before = |n: u64| at(-550 + i64::try_from(n / 2).expect("small"));
        cloud
            .alerts
            .extend((0..1000).map(|n| (before(n), threat(n, "undefined"))));
    });
}

#[test]
fn a_poller_and_a_machine_that_fall_in_the_middle_lose_nothing_and_double_nothing() {
    housed(POLLED, async |house| {
        a_thousand(house);
        house.credentials("acme", S1, &[1]);
        for so_far in [100, 300, 600] {
            house
                .until("some of it is durable", |house| house.received() >= so_far)
                .await;
            house.cloud(|cloud| cloud.fells = 1);
            house.fell("machine");
        }
        house
            .until("all is taken in", |house| house.received() == 1000)
            .await;
        house.pass(2 * MINUTE, STEP).await;
        house.has_each_once(0..1000);
        let node = house
            .host
            .tree
            .find("tenant/acme/poller/sentinelone")
            .expect("a poller");
        assert!(node.restarts >= 1, "{node:?}");
        all_rise(&house.entries("intake.polled"));
        house.verify();
    });
}

/// Both start over together: where the poller goes on is what the chain says.
#[test]
fn after_a_restart_polling_goes_on_from_the_durable_place() {
    housed(POLLED, async |house| {
        house.cloud(|cloud| cloud.alerts.push((at(-60), threat(1, "undefined"))));
        house.credentials("acme", S1, &[1]);
        house
            .until("it is said to have come", |house| {
                house.said_to_have_come() == 1
            })
            .await;
        let place = house.last_place().expect("a place");
        house.pass(20 * MINUTE, STEP).await;
        let asked = house.cloud(|cloud| {
            cloud.fells = 1;
            cloud.asked.len()
        });
        house.fell("machine");
        house
            .until("it has fallen and asked again", |house| {
                house.cloud(|cloud| cloud.asked.len() >= asked + 2)
            })
            .await;
        let from = house.cloud(|cloud| cloud.asked.last().map(|one| one.from.ms()));
        assert_eq!(from, Some(place - 300_000));
        house.has_each_once(1..2);
    });
}

#[test]
fn a_vendor_that_is_down_for_an_hour_is_asked_seldom_and_nothing_of_the_hour_is_lost() {
    housed(POLLED, async |house| {
        house.credentials("acme", S1, &[1]);
        house
            .until("the first place is durable", |house| {
                house.last_place().is_some()
            })
            .await;
        let asked = house.cloud(|cloud| {
            cloud.fails = Some(EdrError::Ambiguous {
                status: Some(500),
                why: "an answer that is none".into(),
            });
            cloud.asked.len()
        });
        for n in 0..60 {
            let now = house.world.now();
            house.cloud(|cloud| cloud.alerts.push((now, threat(n, "undefined"))));
            house.pass(MINUTE, STEP).await;
        }
        assert_eq!(house.received(), 0);
        let questions = house.cloud(|cloud| {
            cloud.fails = None;
            cloud.asked.len() - asked
        });
        assert!(
            (8..=12).contains(&questions),
            "{questions} questions in the hour"
        );
        let waited = house
            .until("all is taken in", |house| house.received() == 60)
            .await;
        assert!(waited <= 11 * 60, "{waited} s");
        house.has_each_once(0..60);
        house.verify();
    });
}

#[test]
fn a_busy_vendor_is_left_alone_as_long_as_it_asks_for() {
    housed(POLLED, async |house| {
        house.cloud(|cloud| {
            let retry_at = Some(at(1_500));
            cloud.fails = Some(EdrError::Busy {
                status: 429,
                retry_at,
            });
        });
        house.credentials("acme", S1, &[1]);
        house
            .until("it was asked", |house| {
                house.cloud(|cloud| !cloud.asked.is_empty())
            })
            .await;
        house.cloud(|cloud| cloud.fails = None);
        house
            .until("it was asked again", |house| {
                house.cloud(|cloud| cloud.asked.len() > 1)
            })
            .await;
        let to = house.cloud(|cloud| cloud.asked[1].to);
        assert!(to.plus_ms(5_000) >= at(1_500), "{to}");
    });
}

#[test]
fn a_credential_that_is_not_accepted_is_tried_seldom_and_a_new_one_at_once() {
    housed(POLLED, async |house| {
        house.cloud(|cloud| cloud.rejects = vec![1]);
        house.credentials("acme", S1, &[1]);
        house.pass(35 * MINUTE, STEP).await;
        let asked = house.cloud(|cloud| cloud.asked.len());
        assert!((3..=5).contains(&asked), "{asked} questions");
        house.credentials("acme", S1, &[2]);
        let waited = house
            .until("the new one is used", |house| house.last_place().is_some())
            .await;
        assert!(waited <= 15, "{waited} s");
    });
}

#[test]
fn while_a_rotation_overlaps_the_credential_before_it_stands_in() {
    housed(POLLED, async |house| {
        house.cloud(|cloud| cloud.rejects = vec![2]);
        house.credentials("acme", S1, &[1, 2]);
        house
            .until("the vendor is polled", |house| house.last_place().is_some())
            .await;
        house.pass(5 * MINUTE, STEP).await;
        let versions: Vec<_> =
            house.cloud(|cloud| cloud.asked.iter().map(|one| one.version).collect());
        assert_eq!(versions[..3], [2, 1, 1], "{versions:?}");
        assert!(
            versions[1..].iter().all(|version| *version == 1),
            "{versions:?}"
        );
        // The overlap ends, and the one in force is still not accepted.
        house.pass(10 * MINUTE, STEP).await;
        let last = house.cloud(|cloud| cloud.asked.last().map(|one| one.version));
        assert_eq!(last, Some(2));
    });
}

#[test]
fn a_vendor_that_hangs_for_one_tenant_delays_no_other() {
    housed(POLLED, async |house| {
        house.take_on("globex").await;
        house.clouds.of("globex", S1, |cloud| cloud.hangs = true);
        house
            .clouds
            .of("acme", Vendor::Defender, |cloud| cloud.hangs = true);
        for (tenant, vendor) in [("globex", S1), ("acme", Vendor::Defender), ("acme", S1)] {
            house.credentials(tenant, vendor, &[1]);
        }
        let mut slowest = 0;
        for n in 0..20 {
            let now = house.world.now();
            house.cloud(|cloud| cloud.alerts.push((now, threat(n, "undefined"))));
            let waited = house
                .until("it is taken in", |house| house.received() as u64 == n + 1)
                .await;
            slowest = slowest.max(waited);
        }
        assert!(slowest <= 80, "{slowest} s");
        for (tenant, vendor) in [("globex", S1), ("acme", Vendor::Defender)] {
            let (asked, most) = house
                .clouds
                .of(tenant, vendor, |cloud| (cloud.asked.len(), cloud.open.1));
            assert!(asked > 1, "given up on after two minutes, and asked again");
            assert_eq!(most, 1, "{tenant} {vendor}");
        }
    });
}

fn suspended(house: &House) -> bool {
    let acme = "acme".parse().expect("a tenant id");
    matches!(house.host.directory.get(&acme), Some(Route::Intake(_)))
}

/// Makes the machine fall until its tenant is suspended.
async fn suspend(house: &House) {
    let generation = |house: &House| {
        let machine = house.host.tree.find("tenant/acme/machine");
        machine.map_or(0, |machine| machine.generation)
    };
    for n in 0..20 {
        if suspended(house) {
            return;
        }
        let before = generation(house);
        house.fell("machine");
        drop(house.send(alert(n, n, "felling")).await);
        house
            .until("it fell", |house| {
                generation(house) > before || suspended(house)
            })
            .await;
    }
    panic!("it is not suspended")
}

#[test]
fn a_suspended_tenants_vendors_are_polled_on() {
    let wish = Wish {
        intensity: 3,
        ..POLLED
    };
    housed(wish, async |house| {
        house.credentials("acme", S1, &[1]);
        house
            .until("the first place is durable", |house| {
                house.last_place().is_some()
            })
            .await;
        suspend(house).await;
        // The registry has published the tenant's keys anew, without what the test had put there.
        let equipped = |house: &House| house.credentials("acme", S1, &[1]);
        for n in 0..5 {
            equipped(house);
            let now = house.world.now();
            house.cloud(|cloud| cloud.alerts.push((now, threat(n, "undefined"))));
            house.pass(MINUTE, STEP).await;
        }
        house
            .until("all is taken in", |house| house.said_to_have_come() == 5)
            .await;
        assert!(suspended(house));
        assert_eq!(house.count("alert.triaged"), 0);
        house
            .until("the machine judges them", |house| {
                house.count("alert.triaged") == 5
            })
            .await;
        assert!(!suspended(house));
        let asked = house.cloud(|cloud| cloud.asked.len());
        house
            .until("the vendor is asked again", |house| {
                equipped(house);
                house.cloud(|cloud| cloud.asked.len() > asked + 2)
            })
            .await;
        house.has_each_once(0..5);
        let most = house.cloud(|cloud| cloud.open.1);
        assert_eq!(most, 1, "never two at once");
        all_rise(&house.entries("intake.polled"));
        house.verify();
    });
}
