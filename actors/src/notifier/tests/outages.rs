//! Long outages, storms, and more incidents than there is room for.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::sleep;
use vyrox_domain::{
    sla::Slas,
    triage::Verdict::{self, Critical, High, Medium},
};
use vyrox_supervision::{
    install_panic_hook,
    testing::{Random, each_seed, run, settle},
};

use super::{
    MS, Report, down,
    rig::{Rig, id, minutes, notice, rig},
};

/// One incident a minute for an hour without chat, each third of one level.
async fn hour_without_chat(rig: &Rig, crash_every: Option<u64>) {
    rig.outside().chat_error = Some(down());
    for minute in 0..60 {
        rig.show(notice(minute, level_of(minute), 1));
        sleep(minutes(1)).await;
        if crash_every.is_some_and(|every| minute % every == 3) {
            rig.crash().await;
        }
    }
}

const fn level_of(number: u64) -> Verdict {
    match number % 3 {
        0 => Critical,
        1 => High,
        _ => Medium,
    }
}

fn each_critical_was_paged_in_time_and_once(rig: &Rig) {
    let outside = rig.outside();
    let limit = Slas::default().critical.within_ms;
    let mut worst = 0;
    // Those that began less than five minutes before the end were chat's to tell.
    for number in (0..55).step_by(3) {
        let key = id(number).to_string();
        let pages: Vec<_> = outside
            .pages
            .iter()
            .filter(|(_, page)| page.dedup_key == key)
            .collect();
        assert_eq!(pages.len(), 1, "incident {number}");
        let due = outside.ledger[&id(number)].1.due_since;
        worst = worst.max(pages[0].0.distance_ms(due));
    }
    println!("each CRITICAL was paged once, {worst} ms after it began at most");
    assert!(worst <= limit, "{worst} ms");
    assert_eq!(outside.pages.len(), 19);
}

async fn chat_comes_back(rig: &Rig) {
    let (pages, mails) = {
        let mut outside = rig.outside();
        outside.chat_error = None;
        (outside.pages.len(), outside.mails.len())
    };
    sleep(minutes(60)).await;
    let outside = rig.outside();
    assert_eq!((outside.pages.len(), outside.mails.len()), (pages, mails));
    assert_eq!((outside.posts, outside.messages.len()), (60, 60));
    for message in outside.messages.values() {
        let (_, state) = &outside.ledger[&message.notice.incident_id];
        let told = state.fell_back == Some(message.notice.level);
        assert_eq!(message.quietly, told, "{:?}", message.notice);
    }
    let quiet = outside.messages.values().filter(|m| m.quietly).count();
    println!("{quiet} of 60 were posted without a sound when chat was back");
    // Mailed for HIGH: those at least ten minutes old. Paged: those at least five minutes old.
    assert_eq!(quiet, 19 + 17);
}

#[test]
fn chat_is_down_for_an_hour() {
    run(async {
        let rig = rig();
        hour_without_chat(&rig, None).await;
        each_critical_was_paged_in_time_and_once(&rig);
        assert_eq!(rig.tally.breaches.load(Ordering::Relaxed), 0);
        chat_comes_back(&rig).await;
    });
}

#[test]
fn chat_is_down_for_an_hour_and_the_notifier_falls_all_the_time() {
    install_panic_hook();
    run(async {
        let rig = rig();
        hour_without_chat(&rig, Some(5)).await;
        assert_eq!(rig.handle.snapshot().generation, 13);
        each_critical_was_paged_in_time_and_once(&rig);
        chat_comes_back(&rig).await;
    });
}

#[test]
fn fifty_thousand_changes_in_a_minute() {
    const INCIDENTS: u64 = 20;
    const CHANGES: u64 = 50_000;
    run(async {
        let rig = rig();
        for change in 0..CHANGES {
            rig.show(notice(change % INCIDENTS, High, change / INCIDENTS + 1));
            if change % 25 == 24 {
                sleep(30 * MS).await;
            }
            if change % 1_000 == 999 {
                settle().await;
            }
        }
        sleep(minutes(1)).await;
        let outside = rig.outside();
        println!(
            "{CHANGES} changes of {INCIDENTS} incidents: {} posts, {} edits, {} reports",
            outside.posts,
            outside.edits,
            outside.reports.len()
        );
        assert_eq!(outside.posts, INCIDENTS);
        // One edit each two seconds of the minute, and the last one.
        assert!(outside.edits <= INCIDENTS * 32, "{}", outside.edits);
        assert!(outside.under_way_max <= 2);
        for message in outside.messages.values() {
            assert_eq!(message.notice.revision, CHANGES / INCIDENTS);
        }
    });
}

#[test]
fn too_many_incidents_cost_the_least_of_them() {
    run(async {
        let rig = rig();
        rig.outside().chat_error = Some(down());
        for number in 0..3_000 {
            let level = if number % 10 == 0 { Critical } else { Medium };
            rig.show(notice(number, level, 1));
            if number % 100 == 99 {
                settle().await;
            }
        }
        sleep(minutes(10)).await;
        assert_eq!(rig.tally.dropped.load(Ordering::Relaxed), 3_000 - 2_048);
        assert_eq!(rig.outside().pages.len(), 300, "no CRITICAL was let go");
        rig.outside().chat_error = None;
        sleep(minutes(60)).await;
        let outside = rig.outside();
        assert_eq!(outside.posts, 2_048);
        let newest = outside
            .messages
            .values()
            .filter(|message| message.notice.level == Medium)
            .map(|message| message.notice.incident_id)
            .max();
        assert!(
            newest < Some(id(2_048)),
            "the newest went first: {newest:?}"
        );
    });
}

#[test]
fn newcomers_that_matter_less_are_turned_away() {
    run(async {
        let rig = rig();
        rig.outside().channel = None;
        for number in 0..2_048 {
            rig.show(notice(number, High, 1));
            if number % 100 == 99 {
                settle().await;
            }
        }
        rig.show(notice(9_999, Medium, 1));
        rig.show(notice(9_998, Critical, 1));
        sleep(minutes(1)).await;
        assert_eq!(rig.tally.dropped.load(Ordering::Relaxed), 2);
        assert_eq!(rig.outside().mails.len(), 2_049);
        assert_eq!(rig.outside().pages.len(), 1);
    });
}

/// Services fail and come back at random, incidents come, change and rise at random, and the notifier
/// falls now and then. Once all is well again every incident is shown as it is, in one message, and
/// nobody was called more often than once a level.
#[test]
fn whatever_happens_all_is_shown_in_the_end() {
    install_panic_hook();
    each_seed("a notifier in a storm", 40, |seed| {
        run(async {
            let (rig, mut random) = (rig(), Random::new(seed, "notifier"));
            let mut revisions = [0_u64; 12];
            for _ in 0..400 {
                disturb(&rig, &mut random, &mut revisions).await;
                sleep(Duration::from_millis(random.below(20_000))).await;
            }
            {
                let mut outside = rig.outside();
                outside.chat_error = None;
                (outside.pager_error, outside.mail_error) = (None, None);
            }
            sleep(minutes(60)).await;
            all_is_shown(&rig);
        });
    });
}

async fn disturb(rig: &Rig, random: &mut Random, revisions: &mut [u64; 12]) {
    let number = random.below(12);
    let revision = &mut revisions[usize::try_from(number).expect("small")];
    match random.below(20) {
        0 => rig.outside().chat_error = Some(down()),
        1 | 2 => rig.outside().chat_error = None,
        3 => rig.outside().pager_error = Some(crate::outbound::ReachError::Unavailable("x".into())),
        4 | 5 => rig.outside().pager_error = None,
        6 => rig.crash().await,
        _ => {
            *revision += 1;
            let level = match (*revision, number % 3) {
                (20.., _) | (_, 0) => Critical,
                (10.., _) | (_, 1) => High,
                _ => Medium,
            };
            rig.show(notice(number, level, *revision));
        }
    }
}

fn all_is_shown(rig: &Rig) {
    let outside = rig.outside();
    for (id, (notice, state)) in &outside.ledger {
        assert!(state.shows(notice.revision), "{id} {state:?}");
        let message = state.message.as_ref().expect("a message");
        let shown = &outside.messages[&message.message_id].notice;
        assert_eq!(shown.revision, notice.revision);
        let messages = outside.messages.values();
        let same = messages.filter(|m| m.notice.incident_id == *id).count();
        assert_eq!(same, 1, "one message an incident");
        let key = id.to_string();
        let pages = outside.pages.iter().filter(|(_, p)| p.dedup_key == key);
        assert!(pages.count() <= 1, "one page an incident");
        let told = outside.reports.iter().filter(|(_, report)| {
            matches!(report, Report::FellBack { incident_id, via, .. } if incident_id == id && !via.is_empty())
        });
        assert!(told.count() <= 2, "one fallback a level");
    }
}

/// After a claim in another guild every incident that was shown before stayed in the one that was left.
#[test]
fn after_a_move_to_another_channel_it_is_posted_there_and_the_old_one_gets_no_more_edits() {
    run(async {
        let rig = rig();
        rig.show(notice(1, High, 1));
        sleep(minutes(1)).await;
        rig.outside().channel = Some("200".into());
        rig.show(notice(1, High, 2));
        sleep(minutes(1)).await;
        let outside = rig.outside();
        assert_eq!((outside.posts, outside.edits), (2, 0));
        let state = &outside.ledger[&id(1)].1;
        assert!(state.shows(2));
        let shown_in = state.message.as_ref().map(|m| m.channel_id.as_str());
        assert_eq!(shown_in, Some("200"));
    });
}
