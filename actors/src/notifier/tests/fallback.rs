//! Pager and mail: when, how often, and what is reported.

use std::sync::atomic::Ordering;

use tokio::time::sleep;
use vyrox_domain::{
    ids::ActionId,
    notice::{Notice, Standing},
    sla::{Expiry, FallbackReason, NoticeState, Via},
    triage::Verdict::{Critical, High, Medium},
};
use vyrox_supervision::{install_panic_hook, testing::run};

use super::{
    Expired, MS, Report, down,
    rig::{Rig, id, minutes, notice, rig},
    with_proposal,
};
use crate::outbound::{ChatError, ReachError};

fn fallbacks(rig: &Rig) -> Vec<(Vec<Via>, Vec<Via>, FallbackReason)> {
    let outside = rig.outside();
    let mut found = Vec::new();
    for (_, report) in &outside.reports {
        if let Report::FellBack {
            via,
            failed,
            reason,
            ..
        } = report
        {
            found.push((via.clone(), failed.clone(), *reason));
        }
    }
    found
}

#[test]
fn without_chat_people_are_told_at_once() {
    run(async {
        let rig = rig();
        rig.outside().channel = None;
        rig.show(notice(1, Critical, 1));
        rig.show(notice(2, High, 1));
        rig.show(notice(3, Medium, 1));
        sleep(MS).await;
        assert_eq!(rig.paged(), [id(1).to_string()]);
        assert_eq!(rig.outside().mails.len(), 2);
        let both = vec![Via::Pager, Via::Mail];
        let reason = FallbackReason::NoChat;
        let mut told = fallbacks(&rig);
        told.sort_by_key(|(via, ..)| via.len());
        assert_eq!(
            told,
            [(vec![Via::Mail], vec![], reason), (both, vec![], reason)]
        );
        sleep(minutes(60)).await;
        rig.outside().channel = Some("100".into());
        sleep(minutes(1)).await;
        let outside = rig.outside();
        let quiet: Vec<_> = outside.messages.values().map(|m| m.quietly).collect();
        assert_eq!(quiet, [true, true, false], "a claim is noticed by itself");
        assert_eq!((outside.pages.len(), outside.mails.len()), (1, 2));
    });
}

#[test]
fn a_rise_to_critical_may_page_once_more() {
    run(async {
        let rig = rig();
        rig.outside().chat_error = Some(down());
        rig.show(notice(1, High, 1));
        sleep(minutes(20)).await;
        assert_eq!(rig.outside().mails.len(), 1);
        assert_eq!(rig.outside().pages.len(), 0);
        rig.show(notice(1, Critical, 2));
        sleep(minutes(4)).await;
        assert_eq!(rig.outside().pages.len(), 0);
        sleep(minutes(60)).await;
        let outside = rig.outside();
        assert_eq!((outside.pages.len(), outside.mails.len()), (1, 2));
        let keys: Vec<_> = outside.mails.iter().map(|(_, m)| &m.thread_key).collect();
        let root = id(1);
        assert_eq!(keys, [&format!("{root}/high"), &format!("{root}/critical")]);
    });
}

/// What the machine says of the one proposal in this notice.
fn expired(notice: Notice, stood: NoticeState) -> Expired {
    let proposal = &notice.proposals[0];
    let expiry = Expiry {
        at: proposal.expires_at,
        action_id: proposal.action_id,
    };
    Expired {
        expiry,
        notice,
        stood,
    }
}

/// A pager that refused the page counted as having been told, and nobody was.
#[test]
fn an_approvals_end_that_the_pager_refuses_is_mailed_and_a_later_one_is_news() {
    run(async {
        let rig = rig();
        let mut over = with_proposal(notice(1, Critical, 2), Standing::Expired);
        rig.outside().pager_error = Some(ReachError::Refused("400".into()));
        rig.outside().mail_error = Some(ReachError::Refused("550".into()));
        rig.show(over.clone());
        let tell = |notice: &Notice| {
            let call = expired(notice.clone(), rig.state(id(1)));
            rig.handle.try_cast(call).expect("room");
        };
        tell(&over);
        sleep(minutes(16)).await;
        assert_eq!(rig.state(id(1)).expiries_told_to, None);
        rig.outside().mail_error = None;
        tell(&over);
        sleep(minutes(1)).await;
        let first = over.proposals[0].expires_at;
        assert_eq!(rig.outside().mails.len(), 1);
        assert_eq!(rig.state(id(1)).expiries_told_to, Some(first));
        rig.outside().pager_error = None;
        over.proposals[0].action_id = ActionId(uuid::Uuid::from_u128(2));
        over.proposals[0].expires_at = first.plus_ms(1);
        tell(&over);
        sleep(minutes(1)).await;
        let action = over.proposals[0].action_id;
        assert_eq!(
            rig.paged(),
            [format!("{}/approval-expired/{action}", id(1))]
        );
    });
}

#[test]
fn an_approval_that_ran_out_pages_once() {
    install_panic_hook();
    run(async {
        let rig = rig();
        let over = with_proposal(notice(1, Critical, 2), Standing::Expired);
        rig.show(over.clone());
        for _ in 0..3 {
            let stood = rig.state(id(1));
            let notice = over.clone();
            rig.handle.try_cast(expired(notice, stood)).expect("room");
            sleep(minutes(1)).await;
        }
        rig.crash().await;
        let (stood, notice) = (rig.state(id(1)), over.clone());
        rig.handle.try_cast(expired(notice, stood)).expect("room");
        sleep(minutes(1)).await;
        let action = over.proposals[0].action_id;
        assert_eq!(
            rig.paged(),
            [format!("{}/approval-expired/{action}", id(1))]
        );
        let reason = FallbackReason::ApprovalExpired;
        assert_eq!(fallbacks(&rig), [(vec![Via::Pager], vec![], reason)]);
        let outside = rig.outside();
        assert_eq!(outside.messages.len(), 1, "it is shown as well");
        let summary = &outside.pages[0].1.summary;
        assert_eq!(
            summary,
            "[acme] CRITICAL: nobody decided in time about HOST_ISOLATION: LSASS memory was read on ws-1"
        );
    });
}

#[test]
fn one_of_two_ways_is_tried_again_for_a_while() {
    run(async {
        let rig = rig();
        rig.outside().channel = None;
        rig.outside().pager_error = Some(ReachError::Unavailable("429".into()));
        rig.show(notice(1, Critical, 1));
        sleep(minutes(3)).await;
        assert_eq!(rig.outside().mails.len(), 1);
        assert_eq!(fallbacks(&rig), [], "the pager may come back");
        rig.outside().pager_error = None;
        sleep(minutes(3)).await;
        assert_eq!(rig.outside().pages.len(), 1);
        let reason = FallbackReason::NoChat;
        assert_eq!(
            fallbacks(&rig),
            [(vec![Via::Pager, Via::Mail], vec![], reason)]
        );
        assert_eq!(rig.tally.breaches.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn when_nobody_can_be_reached_it_is_said_once_and_tried_on() {
    run(async {
        let rig = rig();
        {
            let mut outside = rig.outside();
            outside.chat_error = Some(down());
            outside.pager_error = Some(ReachError::Unavailable("down".into()));
            outside.mail_error = Some(ReachError::Refused("no such mailbox".into()));
        }
        rig.show(notice(1, Critical, 1));
        sleep(minutes(14)).await;
        assert_eq!(rig.tally.breaches.load(Ordering::Relaxed), 0);
        sleep(minutes(46)).await;
        assert_eq!(rig.tally.breaches.load(Ordering::Relaxed), 1);
        assert!(rig.state(id(1)).breached);
        rig.outside().pager_error = None;
        sleep(minutes(2)).await;
        let reason = FallbackReason::ChatUnavailable;
        assert_eq!(
            fallbacks(&rig),
            [(vec![Via::Pager], vec![Via::Mail], reason)]
        );
        assert_eq!(rig.paged().len(), 1);
    });
}

#[test]
fn a_channel_that_refuses_is_chat_that_is_down() {
    run(async {
        let rig = rig();
        rig.outside().chat_error = Some(ChatError::Refused("missing access".into()));
        rig.show(notice(1, Critical, 1));
        sleep(minutes(10)).await;
        let both = vec![Via::Pager, Via::Mail];
        assert_eq!(
            fallbacks(&rig),
            [(both, vec![], FallbackReason::ChatRefused)]
        );
        let calls = rig.outside().chat_calls.len();
        assert!((10..=16).contains(&calls), "{calls} tries in ten minutes");
    });
}
