//! A tenant whose chain is held, and what happens while it is repaired.

use std::{pin::pin, sync::atomic::Ordering, time::Duration};

use vyrox_actors::{
    directory::Route,
    router::{Activate, Release},
    supervision::Fault,
};

use crate::house::{House, Wish, alert, housed, tenant};

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
