//! A notifier in a world whose clock stands still until everybody waits.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::sleep;
use vyrox_domain::{
    action::{ActionType, OnExpiry},
    digest::Digest,
    ids::ActionId,
    notice::{Notice, Proposal, Standing},
    triage::Verdict::{Critical, High, Medium},
};
use vyrox_supervision::{
    install_panic_hook,
    testing::{run, settle},
};

use super::{Expired, Forget, Report, TryChat};
use crate::outbound::ChatError;

mod fallback;
mod outages;
mod rig;

use rig::{id, minutes, notice, rig};

const MS: Duration = Duration::from_millis(1);

fn down() -> ChatError {
    ChatError::Unavailable("503".into())
}

fn proposal(standing: Standing) -> Proposal {
    Proposal {
        action_id: ActionId(uuid::Uuid::from_u128(1)),
        alert_id: notice(1, Critical, 1).lead_alert,
        action_type: ActionType::HostIsolation,
        target_urn: "urn:edr:crowdstrike:abc".into(),
        parameters: BTreeMap::new(),
        verdict: Critical,
        host: Some("ws-1".into()),
        dry_run: false,
        protected: None,
        on_expiry: OnExpiry::Ask,
        hold_minutes: 60,
        digest: Digest::of(b"manifest"),
        expires_at: rig::T0.plus_ms(600_000),
        standing,
        act: None,
    }
}

fn waits() -> Standing {
    Standing::Waiting {
        approved_by: vec![],
    }
}

fn with_proposal(mut notice: Notice, standing: Standing) -> Notice {
    notice.proposals = vec![proposal(standing)];
    notice
}

#[test]
fn an_incident_is_one_message_edited_in_place() {
    run(async {
        let rig = rig();
        rig.show(with_proposal(notice(1, High, 1), waits()));
        sleep(minutes(1)).await;
        rig.show(notice(1, High, 2));
        sleep(minutes(1)).await;
        let outside = rig.outside();
        assert_eq!((outside.posts, outside.edits), (1, 1));
        assert_eq!(outside.messages["1"].notice.revision, 2);
        let shown: Vec<_> = outside
            .reports
            .iter()
            .filter_map(|(_, report)| match report {
                Report::Shown {
                    revision,
                    shown,
                    quietly,
                    level,
                    ..
                } => Some((*revision, shown.clone(), *quietly, *level)),
                _ => None,
            })
            .collect();
        let digest = Digest::of(b"manifest");
        assert_eq!(
            shown,
            [(1, vec![digest], false, High), (2, vec![], false, High)]
        );
        assert_eq!(outside.reports[0].1, Report::Began);
        assert_eq!(outside.reports.len(), 3);
        assert!(outside.pages.is_empty() && outside.mails.is_empty());
    });
}

#[test]
fn edits_keep_apart_unless_proposals_changed() {
    run(async {
        let rig = rig();
        rig.show(notice(1, High, 1));
        sleep(200 * MS).await;
        rig.show(notice(1, High, 2));
        sleep(200 * MS).await;
        rig.show(notice(1, High, 3));
        sleep(200 * MS).await;
        assert_eq!(rig.outside().edits, 0, "too soon after the post");
        rig.show(with_proposal(notice(1, High, 4), waits()));
        sleep(200 * MS).await;
        assert_eq!(rig.outside().edits, 1, "a proposal waits for nothing");
        rig.show(with_proposal(notice(1, High, 5), waits()));
        sleep(1_500 * MS).await;
        assert_eq!(rig.outside().edits, 1);
        sleep(700 * MS).await;
        assert_eq!(rig.outside().edits, 2);
    });
}

#[test]
fn counts_are_shown_together_a_little_later() {
    run(async {
        let rig = rig();
        rig.show(notice(1, Medium, 1));
        sleep(minutes(1)).await;
        for alerts in 2..102 {
            let mut counted = notice(1, Medium, 1);
            counted.alerts = alerts;
            rig.refresh(counted);
            sleep(100 * MS).await;
        }
        assert_eq!(rig.outside().edits, 0);
        sleep(6_000 * MS).await;
        assert_eq!(rig.outside().edits, 1);
        assert_eq!(rig.outside().messages["1"].notice.alerts, 101);
        sleep(minutes(10)).await;
        let outside = rig.outside();
        assert_eq!(outside.edits, 1);
        assert_eq!(outside.reports.len(), 2, "counts alone are no news");
    });
}

/// A notifier that came back knows nothing of an incident that chat shows already: its counts are shown
/// all the same, in the message that is there.
#[test]
fn counts_of_an_incident_that_was_shown_before_a_fall() {
    install_panic_hook();
    run(async {
        let rig = rig();
        rig.show(notice(1, Medium, 1));
        sleep(minutes(1)).await;
        rig.crash().await;
        let mut counted = notice(1, Medium, 1);
        counted.alerts = 7;
        rig.refresh(counted);
        sleep(minutes(1)).await;
        let outside = rig.outside();
        assert_eq!((outside.posts, outside.edits), (1, 1));
        assert_eq!(outside.messages["1"].notice.alerts, 7);
    });
}

#[test]
fn what_was_overtaken_on_the_way_changes_nothing() {
    run(async {
        let rig = rig();
        rig.show(notice(1, High, 5));
        sleep(minutes(1)).await;
        rig.refresh(notice(1, High, 4));
        sleep(minutes(1)).await;
        let outside = rig.outside();
        assert_eq!((outside.posts, outside.edits), (1, 0));
    });
}

#[test]
fn a_message_that_is_gone_is_posted_anew_once() {
    run(async {
        let rig = rig();
        rig.show(notice(1, High, 1));
        sleep(minutes(1)).await;
        rig.outside().messages.clear();
        rig.show(notice(1, High, 2));
        sleep(minutes(1)).await;
        let first = {
            let mut outside = rig.outside();
            assert_eq!((outside.posts, outside.edits), (2, 0));
            let (_, message) = outside.messages.pop_first().expect("posted anew");
            message.nonce
        };
        rig.show(notice(1, High, 3));
        sleep(minutes(5)).await;
        assert_eq!(rig.outside().posts, 2, "somebody keeps deleting it");
        sleep(minutes(6)).await;
        let outside = rig.outside();
        assert_eq!(outside.posts, 3);
        assert!(outside.messages.values().all(|m| m.nonce != first));
        assert!(outside.pages.is_empty() && outside.mails.is_empty());
    });
}

/// Chat had taken the message, and the notifier fell before it heard so.
#[test]
fn a_fall_between_the_post_and_its_answer_makes_no_second_message() {
    install_panic_hook();
    run(async {
        let rig = rig();
        rig.outside().answer_takes = Duration::from_secs(10);
        rig.show(notice(1, Critical, 1));
        sleep(Duration::from_secs(5)).await;
        assert_eq!(rig.outside().posts, 1);
        rig.crash().await;
        sleep(minutes(30)).await;
        let state = rig.state(id(1));
        assert!(state.shows(1));
        let outside = rig.outside();
        assert_eq!((outside.posts, outside.messages.len()), (1, 1));
        assert!(outside.pages.is_empty());
    });
}

#[test]
fn a_token_that_is_refused_is_not_tried_again_for_five_minutes() {
    run(async {
        let rig = rig();
        rig.outside().chat_error = Some(ChatError::NotAuthorised);
        rig.show(notice(1, Medium, 1));
        rig.show(notice(2, Medium, 1));
        sleep(minutes(29)).await;
        assert_eq!(rig.outside().chat_calls.len(), 6);
        rig.outside().chat_error = None;
        rig.handle.try_cast(TryChat).expect("room");
        sleep(200 * MS).await;
        assert_eq!(rig.outside().posts, 2, "nobody waits for the pause to end");
    });
}

#[test]
fn the_worst_come_first_and_few_at_once() {
    run(async {
        let rig = rig();
        rig.outside().chat_error = Some(down());
        for number in 0..30 {
            let level = [Medium, High, Critical][usize::try_from(number % 3).expect("small")];
            rig.show(notice(number, level, 1));
        }
        sleep(minutes(1)).await;
        rig.outside().chat_error = None;
        rig.outside().chat_calls.clear();
        sleep(minutes(3)).await;
        let outside = rig.outside();
        let mut levels: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (id, message) in &outside.messages {
            let order: u64 = id.parse().expect("a number");
            levels
                .entry(message.notice.level.rank())
                .or_default()
                .push(order);
        }
        let (critical, high, medium) = (&levels[&4], &levels[&3], &levels[&2]);
        // The probe that found chat back may be anybody's.
        let late = critical.iter().filter(|order| **order > 11).count();
        assert_eq!(late, 0, "{levels:?}");
        assert!(high.iter().max() < Some(&22), "{levels:?}");
        assert_eq!(medium.len(), 10);
        assert!(outside.under_way_max <= 2);
    });
}

#[test]
fn a_connector_that_never_answers_is_chat_that_is_down() {
    run(async {
        let rig = rig();
        rig.outside().chat_takes = Duration::from_hours(1);
        rig.show(notice(1, Critical, 1));
        sleep(minutes(20)).await;
        assert_eq!(rig.paged().len(), 1);
        rig.outside().chat_takes = Duration::ZERO;
        sleep(minutes(3)).await;
        assert_eq!(rig.outside().posts, 1);
    });
}

#[test]
fn a_connector_that_panics_takes_nobody_along() {
    install_panic_hook();
    run(async {
        let rig = rig();
        rig.outside().chat_panics_over = Some(id(1));
        rig.show(notice(1, Critical, 1));
        for number in 2..10 {
            rig.show(notice(number, Medium, 1));
        }
        sleep(minutes(10)).await;
        assert_eq!(rig.handle.snapshot().generation, 1);
        assert_eq!(rig.outside().posts, 8, "the others are shown");
        assert_eq!(rig.paged(), [id(1).to_string()]);
    });
}

#[test]
fn what_is_forgotten_is_not_shown() {
    run(async {
        let rig = rig();
        rig.outside().chat_error = Some(down());
        rig.show(notice(1, Critical, 1));
        sleep(minutes(1)).await;
        rig.handle.try_cast(Forget(id(1))).expect("room");
        rig.outside().chat_error = None;
        sleep(minutes(60)).await;
        let outside = rig.outside();
        assert_eq!((outside.posts, outside.pages.len()), (0, 0));
    });
}

/// An incident ended while its first post was under way: the post was not reported, and what it showed was
/// never edited again.
#[test]
fn a_post_that_ends_after_its_incident_was_forgotten_is_reported() {
    run(async {
        let rig = rig();
        rig.show(notice(1, Critical, 1));
        settle().await;
        rig.handle.try_cast(Forget(id(1))).expect("room");
        sleep(minutes(1)).await;
        let outside = rig.outside();
        assert_eq!(outside.posts, 1);
        assert!(
            matches!(outside.reports.last(), Some((_, Report::Shown { incident_id, .. })) if *incident_id == id(1))
        );
    });
}
