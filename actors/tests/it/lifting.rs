//! The end of a containment that is lifted by time: what is done about it at the same moment is done once, and
//! nothing is done by a clock that nobody can trust.

use std::time::Duration;

use vyrox_domain::{
    containment::{ClaimMade, Stage},
    digest::Digest,
    ids::ActionId,
    time::Timestamp,
};

use crate::house::{HOST, House, Wish, alert, housed};

const STEP: Duration = Duration::from_secs(1);
const MONTH_MS: u64 = 30 * 24 * 3_600_000;
const LIFTED: Wish = Wish {
    live: true,
    lift: true,
    ..Wish::PLAIN
};

/// Who asks for the host to be given back, of 64 who all do.
const ASKERS: usize = 64;

/// Isolates the host; gives the action and when its time is over.
async fn contained(house: &House) -> (ActionId, Timestamp) {
    let alert_id = house.take(alert(1, 1, "lsassworst")).await.alert_id;
    until_entry(house, "approval.requested", 1).await;
    house.approve(alert_id).await;
    until_entry(house, "action.executed", 1).await;
    let acts = house.acts().await;
    let (id, act) = acts.first().expect("an action");
    (*id, act.hold_ends_at().expect("an end"))
}

async fn until_entry(house: &House, event: &str, count: usize) {
    let there = |house: &House| house.entries(event).len() >= count;
    house.until(event, there).await;
}

/// The `nth` asks, and waits for no answer: Ann, or a service with a request of its own.
async fn ask_back(house: &House, id: ActionId, nth: usize) {
    if nth.is_multiple_of(2) {
        house.press_roll_back(id).await;
    } else {
        let request_id = format!("back-{nth}");
        let claim = ClaimMade {
            body_sha256: Digest::of(request_id.as_bytes()),
            request_id,
            rollback: true,
        };
        drop(house.request(claim, HOST).await);
    }
}

/// Lets time go by until so long before the end.
async fn until_before(house: &House, end: Timestamp, before: Duration) {
    let left = end.ms().saturating_sub(house.world.now().ms());
    let left = Duration::from_millis(left).saturating_sub(before);
    house.pass(left.saturating_sub(60 * STEP), 60 * STEP).await;
    house.pass(left.min(60 * STEP), STEP).await;
}

/// A person, services and the timer all let a host go in the same seconds, each with an action of its own.
#[test]
fn of_all_who_let_a_host_go_at_its_end_one_does() {
    // How many ask in each second from the fifth before the end on, and when containment is halted.
    for (per_second, halted_from) in [(64, None), (6, None), (6, Some(0)), (6, Some(4)), (3, None)]
    {
        housed(LIFTED, async |house| {
            let (id, end) = contained(house).await;
            until_before(house, end, 5 * STEP).await;
            for nth in 0..ASKERS {
                if halted_from == Some(nth) {
                    house.with_credential(true);
                }
                ask_back(house, id, nth).await;
                if (nth + 1) % per_second == 0 {
                    house.pass(STEP, STEP).await;
                }
            }
            house.pass(Duration::from_mins(10), 5 * STEP).await;
            let acts = house.acts().await;
            let act = acts.iter().find(|(other, _)| *other == id).expect("it");
            assert!(matches!(act.1.stage, Stage::Undone { .. }), "{act:?}");
            // Whoever came later found it done.
            let executed = house.entries("action.executed");
            let lifts = executed.iter().filter(|one| one.get("release").is_some());
            assert_eq!(lifts.count(), 1, "{per_second} a second, {halted_from:?}");
            assert_eq!(house.cloud.sent(), 2, "one isolation, one lift");
            house.verify();
        });
    }
}

/// The server was off, and the clock was a month ahead when it started again. Its chain lies in the past, as after a
/// month without the server: every host was let go at once.
#[test]
fn a_host_that_should_have_been_let_go_long_ago_is_not_let_go_without_a_question() {
    housed(LIFTED, async |house| {
        contained(house).await;
        house.fell("machine");
        house.cloud.lock().clock_ahead_ms = MONTH_MS;
        house.take(alert(7, 7, "nothing")).await;
        until_entry(house, "clock.jumped", 1).await;
        house.pass(Duration::from_mins(5), STEP).await;
        assert_eq!(house.count("action.hold_ended"), 0);
        assert_eq!(house.cloud.sent(), 1);
    });
}

/// A server that was off for no longer than an hour past the end lets the host go as it was approved.
#[test]
fn a_host_that_should_have_been_let_go_just_now_is() {
    housed(LIFTED, async |house| {
        let (_, end) = contained(house).await;
        let left = end.ms().saturating_sub(house.world.now().ms());
        house.fell("machine");
        house.cloud.lock().clock_ahead_ms = left + 30 * 60_000;
        house.take(alert(7, 7, "nothing")).await;
        until_entry(house, "action.executed", 2).await;
        assert_eq!(house.count("clock.jumped"), 0);
        assert_eq!(house.cloud.sent(), 2);
    });
}
