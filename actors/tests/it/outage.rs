//! Chat is down, and somebody must hear of it all the same.

use std::time::Duration;

use tokio::time::Instant;
use vyrox_actors::outbound::Page;

use crate::house::{House, T0, Wish, alert, housed};

const STEP: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_mins(1);

/// An hour without chat; CRITICAL and HIGH come at four moments. With `fall`, the machine falls in it.
async fn an_hour_without_chat(house: &House, fall: bool) {
    let began = Instant::now();
    house.services.lock().chat_down = true;
    for n in 0..4 {
        house.take(alert(n * 2, n * 2, "lsassworst")).await;
        house.take(alert(n * 2 + 1, n * 2 + 1, "lsassbad")).await;
        house.pass(3 * MINUTE, STEP).await;
        if fall {
            house.fell("machine");
        }
    }
    house.pass(18 * MINUTE, STEP).await;
    {
        let outside = house.services.lock();
        let late = |page: &Page| !page.dedup_key.contains("/approval-expired/");
        for (at, page) in outside.pages.iter().filter(|(_, page)| late(page)) {
            let opened = page.notice.opened_at.ms().saturating_sub(T0.ms());
            let opened = began + Duration::from_millis(opened);
            let since = at.duration_since(opened);
            assert!(since <= 15 * MINUTE, "{since:?}: {page:?}");
        }
        assert_eq!(outside.posts, 0);
    }
    house.pass(30 * MINUTE, STEP).await;
    house.services.lock().chat_down = false;
    house.pass(10 * MINUTE, STEP).await;
}

fn told(house: &House) {
    let fallbacks = house.entries("notify.fallback");
    let by_reason = |reason: &str| {
        let of_it = fallbacks.iter().filter(|one| one["reason"] == reason);
        of_it
            .map(|one| one["incident_id"].to_string())
            .collect::<Vec<_>>()
    };
    let mut late = by_reason("chat_unavailable");
    assert_eq!(late.len(), 8, "{fallbacks:#?}");
    late.sort();
    late.dedup();
    assert_eq!(late.len(), 8, "each incident once");
    assert_eq!(by_reason("approval_expired").len(), 4, "{fallbacks:#?}");
    assert_eq!(house.entries("sla.breached").len(), 0);
    let outside = house.services.lock();
    assert_eq!(
        outside.pages.len(),
        8,
        "four late, four for want of a decision"
    );
    assert_eq!(outside.mails.len(), 8, "CRITICAL and HIGH");
}

#[test]
fn an_hour_without_chat_pages_once_each_and_wakes_nobody_afterwards() {
    housed(Wish::default(), async |house| {
        an_hour_without_chat(house, false).await;
        told(house);
        house.verify();
    });
}

#[test]
fn a_machine_that_falls_in_the_outage_changes_nothing() {
    housed(Wish::default(), async |house| {
        an_hour_without_chat(house, true).await;
        told(house);
        house.verify();
    });
}

#[test]
fn chat_that_is_back_shows_what_was_paged_without_a_sound() {
    housed(Wish::default(), async |house| {
        house.services.lock().chat_down = true;
        house.take(alert(1, 1, "lsassworst")).await;
        house.take(alert(2, 2, "lsassbad")).await;
        house.pass(11 * MINUTE, STEP).await;
        house.services.lock().chat_down = false;
        house
            .until("both stand in chat", |house| {
                house.services.lock().posts == 2
            })
            .await;
        house.pass(3 * MINUTE, STEP).await;
        let outside = house.services.lock();
        assert!(outside.messages.values().all(|message| message.quietly));
        assert_eq!(
            (outside.posts, outside.pages.len(), outside.mails.len()),
            (2, 1, 2)
        );
        drop(outside);
        let sent = house.entries("notify.sent");
        assert!(sent.iter().any(|one| one["quietly"] == true), "{sent:#?}");
    });
}

/// A tenant with nothing else to do was put away after five minutes, and its clocks with it: the page
/// that was due at that very moment was never sent.
#[test]
fn an_idle_tenant_is_not_put_away_before_people_were_told() {
    let wish = Wish {
        idle_ms: 120_000,
        ..Wish::default()
    };
    housed(wish, async |house| {
        house.services.lock().chat_down = true;
        // No device to act upon, so that no decision keeps the tenant in memory.
        let mut quiet = alert(1, 1, "lsassworst");
        quiet.device.id = None;
        house.take(quiet).await;
        house.pass(6 * MINUTE, Duration::from_secs(1)).await;
        assert_eq!(house.entries("approval.requested").len(), 0);
        assert_eq!(house.services.lock().pages.len(), 1);
    });
}
