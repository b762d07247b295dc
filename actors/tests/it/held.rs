//! A tenant whose chain is held, and what happens while it is repaired.

use std::{pin::pin, sync::atomic::Ordering, time::Duration};

use vyrox_actors::{
    directory::Route,
    journal::{
        Head,
        projection::{Batch, Put},
    },
    router::{Activate, Release},
    supervision::Fault,
};

use crate::house::{Answers, House, Wish, alert, housed, tenant};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

async fn activated(house: &House) -> Route {
    let asked = house.host.tenants.ask(Activate(tenant()), MINUTE);
    asked.await.expect("an answer").expect("a tenant")
}

/// The router fell while a chain was repaired, and the next one found it held still: it had the alerts kept on
/// the chain that stood in, and did so for good, for nobody told it that the repair was done.
#[test]
fn a_router_that_falls_during_a_repair_serves_the_tenant_all_the_same() {
    housed(Wish::PLAIN, async |house| {
        let end = house.journal.hold_chain("acme");
        assert!(matches!(activated(house).await, Route::Intake(_)));
        let tenants = &house.host.tenants;
        let mut order = pin!(tenants.ask(Release(tenant()), MINUTE));
        let repairs = |house: &House| house.journal.repairs.load(Ordering::Acquire);
        tokio::select! {
            answer = &mut order => panic!("{answer:?}"),
            _ = house.until("it is repaired", repairs) => {}
        }
        assert!(house.host.tree.inject("tenants", Fault::Panic, 1));
        let ten = 10 * SECOND;
        tokio::select! {
            _ = tenants.ask(Activate(tenant()), MINUTE) => {}
            () = house.pass(ten, SECOND) => {}
        }
        house.pass(ten, SECOND).await;
        assert!(order.await.is_err(), "who carried it out fell");
        assert!(matches!(activated(house).await, Route::Intake(_)));
        drop(end);
        let serves = |house: &House| {
            let route = house.host.directory.get(&tenant());
            matches!(route, Some(Route::Machine(_)))
        };
        house.until("it is served", serves).await;
        house.take(alert(1, 1, "lsassworst")).await;
        house.verify();
    });
}

fn is_held(house: &House) -> bool {
    let route = house.host.directory.get(&tenant());
    matches!(route, Some(Route::Intake(_)))
}

fn is_served(house: &House) -> bool {
    let route = house.host.directory.get(&tenant());
    matches!(route, Some(Route::Machine(_)))
}

/// The order to release the tenant is carried out.
async fn released(house: &House) {
    let mut order = pin!(house.host.tenants.ask(Release(tenant()), MINUTE));
    let answer = tokio::select! {
        answer = &mut order => answer,
        () = house.pass(MINUTE, SECOND) => panic!("no answer"),
    };
    answer.expect("an answer").expect("it is repaired");
}

/// A chain was quarantined while its tenant was served, and nothing had been sent since: the machine was there
/// still, and whoever ordered the repair was told that there was nothing to repair. What had been derived of
/// entries that were lost was believed after it.
#[test]
fn a_tenant_that_came_to_be_held_while_it_was_served_can_be_released() {
    housed(Wish::PLAIN, async |house| {
        house.take(alert(1, 1, "lsassworst")).await;
        assert!(is_served(house));
        let lost = Put::Alert {
            chain: "acme".into(),
            alert_id: [9; 16],
            received_ms: 1,
            value: Vec::new(),
        };
        let batch = Batch {
            puts: vec![lost],
            applied: vec![(
                "acme".into(),
                Head {
                    seq: 5_000,
                    hash: [9; 32],
                },
            )],
        };
        let projections = &house.world.projections;
        projections.apply(&batch).expect("written");
        drop(house.journal.hold_chain("acme"));
        assert!(is_served(house), "nobody has noticed");
        released(house).await;
        let found = projections.alert("acme", &[9; 16]).expect("readable");
        assert_eq!(found, None);
        house.until("it is served", is_served).await;
        house.take(alert(2, 1, "lsassworst")).await;
        house.verify();
    });
}

#[test]
fn a_tenant_whose_chain_comes_to_be_held_is_held_though_nothing_is_sent() {
    housed(Wish::PLAIN, async |house| {
        house.take(alert(1, 1, "lsassworst")).await;
        assert!(is_served(house));
        drop(house.journal.hold_chain("acme"));
        house.until("it is held", is_held).await;
        released(house).await;
        house.until("it is served", is_served).await;
        house.take(alert(2, 1, "lsassworst")).await;
        house.verify();
    });
}

/// An EDR kept the tenant's adapter waiting when the chain came to be held, and for so long its alerts were refused.
#[test]
fn a_tenant_that_comes_to_be_held_waits_for_none_of_its_actors() {
    let live = Wish {
        live: true,
        ..Wish::PLAIN
    };
    housed(live, async |house| {
        house.cloud.lock().answers.push_back(Answers::Hangs);
        let alert_id = house.take(alert(1, 1, "lsassworst")).await.alert_id;
        let is_asked = |house: &House| house.count("approval.requested") == 1;
        house.until("somebody is asked", is_asked).await;
        house.approve(alert_id).await;
        house
            .until("it is sent", |house| house.cloud.sent() == 1)
            .await;
        drop(house.journal.hold_chain("acme"));
        let seconds = house.until("it is held", is_held).await;
        assert!(seconds <= 3, "{seconds} seconds");
        released(house).await;
        house.until("it is served", is_served).await;
        house.take(alert(2, 1, "lsassworst")).await;
        house.verify();
    });
}
