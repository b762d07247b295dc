//! What becomes of containments long after they were begun: read again, lifted, and called for.

use std::time::Duration;

use vyrox_actors::{
    directory::Route,
    edr::{EffectSeen, Reading},
    messages::{EffectRead, StepAnswer},
};
use vyrox_domain::{
    containment::{Act, Following, Stage},
    ids::ActionId,
};

use crate::house::{Answers, HOST, House, Wish, alert, housed};

const STEP: Duration = Duration::from_secs(1);
const LIVE: Wish = Wish {
    live: true,
    ..Wish::PLAIN
};

/// An isolation of the host that Ann approved, in force.
async fn contained(house: &House) {
    let alert_id = house.take(alert(1, 1, "lsassworst")).await.alert_id;
    until_entry(house, "approval.requested", 1).await;
    house.approve(alert_id).await;
    until_entry(house, "action.executed", 1).await;
}

async fn until_entry(house: &House, event: &str, count: usize) {
    let there = |house: &House| house.entries(event).len() >= count;
    house.until(event, there).await;
}

fn called(house: &House) -> Vec<String> {
    let calls = house.entries("notify.fallback");
    let reached = calls
        .iter()
        .filter(|call| call["via"] != serde_json::json!([]));
    let reasons = reached.filter_map(|call| call["reason"].as_str());
    reasons.map(str::to_owned).collect()
}

fn host_is(house: &House, effect: EffectSeen) {
    house.cloud.lock().hosts.insert(HOST.to_owned(), effect);
}

async fn only(house: &House) -> (ActionId, Act) {
    let acts = house.acts().await;
    let first = acts.into_iter().find(|(_, act)| !act.is_release());
    first.expect("an action")
}

/// The tenant had nothing to do and was put to rest five minutes after its containment was over, so nobody read the
/// host any more, and its release behind our back was never noticed.
#[test]
fn a_tenant_with_a_contained_host_is_not_put_to_rest() {
    let wish = Wish {
        idle_ms: 60_000,
        ..LIVE
    };
    housed(wish, async |house| {
        contained(house).await;
        house.pass(Duration::from_hours(4), 60 * STEP).await;
        until_entry(house, "action.hold_ended", 1).await;
        // Its incident is closed a day after people were asked.
        house.pass(Duration::from_hours(25), 300 * STEP).await;
        house.pass(Duration::from_mins(20), STEP).await;
        house.cloud.lock().hosts.clear();
        until_entry(house, "action.drifted", 1).await;
    });
}

/// The vendor took a request and forgot it. The outcome stayed open for good, and nobody was called.
#[test]
fn what_was_accepted_and_never_shows_is_unknown() {
    housed(LIVE, async |house| {
        house.cloud.lock().answers.push_back(Answers::Waits);
        let alert_id = house.take(alert(1, 1, "lsassworst")).await.alert_id;
        until_entry(house, "approval.requested", 1).await;
        house.approve(alert_id).await;
        until_entry(house, "action.accepted", 1).await;
        host_is(house, EffectSeen::NotInEffect);
        house.pass(Duration::from_mins(9), STEP).await;
        assert_eq!(house.count("action.unknown"), 0);
        until_entry(house, "action.unknown", 1).await;
        house.pass(5 * STEP, STEP).await;
        assert_eq!(called(house), ["outcome_unknown"]);
        host_is(house, EffectSeen::InEffect);
        until_entry(house, "action.executed", 1).await;
        assert_eq!(house.cloud.sent(), 1);
    });
}

/// The credential had been taken away when a containment was over. Its lift was a rehearsal: it counted as done, over
/// and over, while the host stayed cut off and nobody knew.
#[test]
fn a_live_containment_is_not_lifted_in_a_rehearsal() {
    housed(Wish { lift: true, ..LIVE }, async |house| {
        contained(house).await;
        house.without_credential();
        house.pass(Duration::from_hours(4), 60 * STEP).await;
        house.pass(Duration::from_hours(2), 10 * STEP).await;
        assert_eq!(house.count("action.hold_ended"), 1);
        assert_eq!(house.count("action.ordered"), 0);
        assert_eq!(called(house), ["release_failed"]);
        house.with_credential(false);
        until_entry(house, "action.executed", 2).await;
        assert!(matches!(only(house).await.1.stage, Stage::Undone { .. }));
        assert_eq!(house.cloud.sent(), 2);
    });
}

/// A reading that was asked for after the first drive arrived while the second one was under way. It ended that one,
/// though its request had not left yet.
#[test]
fn a_reading_of_an_earlier_drive_says_nothing_of_this_one() {
    housed(LIVE, async |house| {
        let answers = [Answers::Loses, Answers::Hangs];
        house.cloud.lock().answers.extend(answers);
        let alert_id = house.take(alert(1, 1, "lsassworst")).await.alert_id;
        until_entry(house, "approval.requested", 1).await;
        house.approve(alert_id).await;
        until_entry(house, "action.unknown", 1).await;
        let (action_id, act) = only(house).await;
        let again = house.redrive(action_id).await;
        assert_eq!(again, StepAnswer::Begun(action_id));
        for drive in [act.drives, act.drives + 1] {
            let read = EffectRead {
                action_id,
                drive,
                why: Following::Open,
                reading: Ok(Reading {
                    effect: EffectSeen::InEffect,
                    observed: "contained".into(),
                    reference: None,
                    device: None,
                }),
            };
            house.machine().await.try_cast(read).expect("room");
            house.quiet().await;
            assert_eq!(house.count("action.executed"), 0);
        }
        until_entry(house, "action.unknown", 2).await;
    });
}

/// A vendor's view lagged behind for a moment, and somebody was called for a release that never was.
#[test]
fn one_reading_is_no_release_and_a_released_host_may_come_back() {
    housed(LIVE, async |house| {
        contained(house).await;
        let reads = house.cloud.lock().reads;
        house.cloud.lock().hosts.clear();
        let read = |house: &House| house.cloud.lock().reads > reads;
        house.until("it is read", read).await;
        host_is(house, EffectSeen::InEffect);
        house.pass(Duration::from_mins(31), STEP).await;
        assert_eq!(house.count("action.drifted"), 0);
        house.cloud.lock().hosts.clear();
        until_entry(house, "action.drifted", 1).await;
        assert!(only(house).await.1.drifted_at.is_some());
        host_is(house, EffectSeen::InEffect);
        until_entry(house, "action.drifted", 2).await;
        assert!(only(house).await.1.is_effective());
        assert_eq!(called(house), ["drifted"]);
    });
}

/// A service's action belonged to no incident. When pager and mail were down as its outcome got lost, nobody was ever
/// called for it: what is untold was looked for among incidents alone.
#[test]
fn somebody_is_called_once_for_an_action_without_an_incident() {
    housed(LIVE, async |house| {
        house.services.lock().nobody_reached = true;
        house.cloud.lock().answers.push_back(Answers::Loses);
        let answer = house.execute("r-1", "body").await;
        until_entry(house, "action.unknown", 1).await;
        answer.await.expect("an answer").expect("durable");
        house.pass(Duration::from_mins(2), STEP).await;
        assert_eq!(called(house), Vec::<String>::new());
        house.fell("machine");
        house.fell("notifier");
        house.take(alert(7, 7, "nothing")).await;
        house.services.lock().nobody_reached = false;
        let somebody = |house: &House| !called(house).is_empty();
        house.until("somebody is called", somebody).await;
        house.fell("machine");
        house.take(alert(8, 8, "nothing")).await;
        house.pass(Duration::from_mins(40), 5 * STEP).await;
        assert_eq!(called(house), ["outcome_unknown"]);
    });
}

/// The clock was a month ahead when the host was contained, and was set right while the machine was down: all that
/// its chain says lay in the future, and nobody was told.
#[test]
fn a_chain_that_ends_in_the_future_holds_the_timers() {
    housed(LIVE, async |house| {
        house.cloud.lock().clock_ahead_ms = 30 * 24 * 3_600_000;
        contained(house).await;
        house.fell("machine");
        house.cloud.lock().clock_ahead_ms = 0;
        house.take(alert(7, 7, "nothing")).await;
        until_entry(house, "clock.jumped", 1).await;
        house.pass(10 * STEP, STEP).await;
        assert_eq!(called(house), ["clock_jumped"]);
    });
}

/// The clock was looked at once a second only: what was ordered within the second in which it was set counted by the
/// new time, for budgets and for its end.
#[test]
fn the_clock_is_looked_at_before_anything_is_ordered() {
    housed(LIVE, async |house| {
        contained(house).await;
        let (id, _) = only(house).await;
        house.cloud.lock().clock_ahead_ms = 30 * 24 * 3_600_000;
        house.roll_back(id).await;
        let chain = house.chain();
        let place = |event: &str| chain.iter().position(|line| line["event"] == event);
        let (jumped, ordered) = (place("clock.jumped"), place("action.ordered"));
        assert!(
            jumped.is_some() && jumped < ordered,
            "{jumped:?} {ordered:?}"
        );
    });
}

/// A tenant was given up in the middle of an isolation: its outcome was on no chain, and nobody was called.
#[test]
fn somebody_is_called_for_an_action_of_a_suspended_tenant() {
    let wish = Wish {
        intensity: 3,
        ..LIVE
    };
    housed(wish, async |house| {
        house.cloud.lock().answers.push_back(Answers::Hangs);
        let alert_id = house.take(alert(1, 1, "lsassworst")).await.alert_id;
        until_entry(house, "approval.requested", 1).await;
        house.approve(alert_id).await;
        house.pass(2 * STEP, STEP).await;
        assert_eq!(house.cloud.sent(), 1);
        assert_eq!(house.services.lock().pages.len(), 0);
        let generation = |house: &House| {
            let machine = house.host.tree.find("tenant/acme/machine");
            machine.map_or(0, |machine| machine.generation)
        };
        let tenant = "acme".parse().expect("a tenant id");
        let suspended = || matches!(house.host.directory.get(&tenant), Some(Route::Intake(_)));
        for n in 0..20 {
            if suspended() {
                break;
            }
            let before = generation(house);
            house.fell("machine");
            drop(house.send(alert(20 + n, 20 + n, "felling")).await);
            let fallen = |house: &House| generation(house) > before || suspended();
            house.until("it fell", fallen).await;
        }
        assert!(suspended());
        house.quiet().await;
        let elsewhere = house.services.lock();
        let pages = elsewhere.pages.iter();
        let summaries: Vec<_> = pages.map(|(_, page)| page.summary.clone()).collect();
        assert_eq!(summaries.len(), 1, "{summaries:?}");
        assert!(
            summaries[0].starts_with("[acme] suspended"),
            "{summaries:?}"
        );
    });
}
