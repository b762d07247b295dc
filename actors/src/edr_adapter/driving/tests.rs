//! Every way in which a vendor can answer, and what it comes to. The clock is the test's.

mod last_moment;
mod vendor;

use std::{collections::BTreeMap, sync::Mutex};

use vyrox_domain::{
    action::{
        ActionType, MANIFEST_VERSION, OnExpiry,
        jws::{ActionKey, Approval, ApprovalKind, Expected, sign, verify},
    },
    containment::OutcomeKind::{Executed, Refused, Unknown, Unreachable},
    digest::Digest,
    ids::{AlertId, IncidentId, TenantId},
    time::Timestamp,
    vendor::Vendor,
};
use vyrox_supervision::testing::run;

use self::vendor::{Asks, Does, Fails, Hangs, Panics, Paused, Reads, Takes, Vendors};
use super::*;
use EffectSeen::{Failed, InEffect, NoSuchTarget, NotInEffect, Pending};

const T0: Timestamp = Timestamp::from_s(1_768_473_000);

fn tenant() -> TenantId {
    "acme".parse().unwrap()
}

pub(in crate::edr_adapter) fn manifest() -> ActionManifest {
    ActionManifest {
        manifest_version: MANIFEST_VERSION,
        action_id: ActionId(uuid::Uuid::from_u128(7)),
        tenant_id: tenant(),
        alert_id: AlertId(uuid::Uuid::from_u128(8)),
        incident_id: IncidentId(uuid::Uuid::from_u128(9)),
        vendor: Vendor::Crowdstrike,
        action_type: ActionType::HostIsolation,
        target_urn: "urn:edr:crowdstrike:abc".into(),
        host: None,
        parameters: BTreeMap::new(),
        dry_run: false,
        on_expiry: OnExpiry::Ask,
        hold_minutes: 0,
        playbook: "external".into(),
        playbook_sha256: Digest::of(b"external"),
        policy_sha256: Digest::of(b"policies"),
        protected: None,
        proposed_by: "service:triage".into(),
        proposed_at_ms: T0,
        expires_at_ms: T0.plus_ms(900_000),
        release: None,
    }
}

fn signed() -> SignedAction {
    signed_by(ApprovalKind::Chat, &manifest())
}

pub(in crate::edr_adapter) fn signed_by(
    kind: ApprovalKind,
    manifest: &ActionManifest,
) -> SignedAction {
    let key = ActionKey::from_seed(&[7; 32]);
    let approval = Approval {
        kind,
        approvers: vec!["person:ann".into()],
        approved_at_ms: T0,
        policies: vec![],
    };
    let jws = sign(&key, manifest, &approval).unwrap();
    let expected = Expected {
        tenant: &tenant(),
        keys: &[key.public()],
        policy_sha256: None,
        now: T0,
    };
    verify(&jws, &expected).unwrap()
}

fn errand(reconcile: bool, may_send: bool) -> Errand {
    let manifest = manifest();
    Errand {
        action_id: manifest.action_id,
        drive: 1,
        manifest,
        reference: None,
        reconcile,
        may_send,
        landing: false,
    }
}

/// Drives it, with an approval that holds as often as `holds` says; gives how long that took, too.
fn driven(
    errand: &Errand,
    vendor: &Vendors,
    holds: usize,
    barred: Barred,
) -> (ActReport, Duration) {
    let asked = Mutex::new(0);
    let action = signed();
    let verify: Arc<Verify> = Arc::new(move || {
        let mut asked = asked.lock().unwrap();
        *asked += 1;
        if *asked > holds {
            return Err(barred);
        }
        Ok(action.clone())
    });
    run(async {
        let began = Instant::now();
        let assets = Assets::default();
        let clock = Paused(began);
        let report = drive(errand, vendor, verify, (&clock, &assets)).await;
        (report, began.elapsed())
    })
}

/// What a word of the tables below says.
fn does(word: &str) -> Does {
    let why = || "as the table says".to_owned();
    let busy = |status, seconds: Option<u64>| {
        let retry_at = seconds.map(|seconds| T0.plus_ms(seconds * 1000));
        Fails(EdrError::Busy { status, retry_at })
    };
    match word {
        "in-effect" => Reads(InEffect),
        "pending" => Reads(Pending),
        "not" => Reads(NotInEffect),
        "failed" => Reads(Failed),
        "nobody" => Reads(NoSuchTarget),
        "takes" => Takes,
        "asks" => Asks,
        "hangs" => Hangs,
        "breaks" => Panics,
        "401" => Fails(EdrError::NotAuthorised { status: 401 }),
        "403" | "409" => Fails(EdrError::Refused {
            status: word.parse().unwrap(),
            why: why(),
        }),
        "lost" => Fails(EdrError::Ambiguous {
            status: None,
            why: why(),
        }),
        "unsent" | "never" => Fails(EdrError::Unsent {
            why: why(),
            transient: word == "unsent",
        }),
        _ => match word.split_once('+') {
            Some((status, seconds)) => {
                busy(status.parse().unwrap(), Some(seconds.parse().unwrap()))
            }
            None => busy(word.parse().unwrap(), None),
        },
    }
}

fn script(words: &str) -> Vec<Does> {
    words.split_whitespace().map(does).collect()
}

/// Holds drives against a table: a name, what the vendor says when it is read and when it is sent to, the
/// outcome, and the calls (`r` for a reading, `S` for a request).
fn check(table: &str, errand: &Errand) {
    for row in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let [name, reads, sends, outcome, calls] = row.split('|').collect::<Vec<_>>()[..] else {
            panic!("not a row: {row}")
        };
        let vendor = Vendors::new(&script(reads), &script(sends));
        let (report, took) = driven(errand, &vendor, usize::MAX, Barred::Halted);
        assert_eq!(
            format!("{:?}", report.outcome),
            outcome.trim(),
            "{name}: {report:?}"
        );
        assert_eq!(vendor.calls(), calls.trim(), "{name}: {report:?}");
        assert!(took <= DEADLINE, "{name} took {took:?}");
        assert!(
            report.sent as usize <= calls.matches('S').count(),
            "{name}: {report:?}"
        );
    }
}

const ANSWERS: &str = "
    in effect before                    | in-effect                         |                 | AlreadySo   | r
    under way before                    | pending                           |                 | Accepted    | r
    no such host                        | nobody                            |                 | Refused     | r
    taken and done                      | not in-effect                     | takes           | Executed    | rSr
    an old failure, then done           | failed in-effect                  | takes           | Executed    | rSr
    done a moment later                 | not not pending in-effect         | takes           | Executed    | rSrrr
    taken, the host is offline          | not pending                       | takes           | Accepted    | rSrrrr
    taken and not shown                 | not                               | takes           | Accepted    | rSrrrr
    taken and unreadable                | not 503                           | takes           | Accepted    | rSrrrr
    taken and failed                    | not failed                        | takes           | Refused     | rSr
    refused                             | not                               | 403             | Refused     | rSr
    the credential is not accepted      | not                               | 401             | Refused     | rSr
    refused, for it is so               | not in-effect                     | 409             | Executed    | rSr
    refused and unreadable              | not 403                           | 403             | Refused     | rSr
    lost, and it is so                  | not in-effect                     | lost            | Executed    | rSr
    lost, and under way                 | not pending                       | lost            | Accepted    | rSrrrr
    lost, and not shown                 | not                               | lost            | Unknown     | rSrrrr
    lost and unreadable                 | not lost                          | lost            | Unknown     | rSrrrr
    lost, and failed                    | not failed                        | lost            | Refused     | rSr
    never reached                       | never                             |                 | Unreachable | r
    never reached, tried four times     | unsent                            |                 | Unreachable | rrrr
    busy when read                      | 429                               |                 | Unreachable | rrrr
    nothing but 500 when read           | lost                              |                 | Unreachable | rrrr
    unknown credential when read        | 401                               |                 | Unreachable | r
    may not be read                     | 403                               |                 | Refused     | r
";

#[test]
fn every_answer_has_its_outcome() {
    check(ANSWERS, &errand(false, true));
}

const AGAIN: &str = "
    busy once                           | not not not not not in-effect     | 503 takes       | Executed    | rSrrrrSr
    taken all the same                  | not in-effect                     | 504             | Executed    | rSr
    under way all the same              | not pending                       | 502             | Accepted    | rSrrrr
    taken, and shown late               | not not not in-effect             | 504             | Executed    | rSrrr
    busy for ever                       | not                               | 503             | Unreachable | rSrrrrSrrrrSrrrrSrrrr
    limited for ever                    | not                               | 429             | Unreachable | rSrSrSrSr
    busy and unreadable                 | not lost                          | 503             | Unknown     | rSrrrr
    limited and unreadable              | not lost                          | 429             | Unreachable | rSrr
    never sent                          | not                               | unsent          | Unreachable | rSSSSr
    nothing left to do                  | not in-effect                     | unsent          | AlreadySo   | rSSSSr
    never to be sent                    | not                               | never           | Unreachable | rS
    sent at last                        | not in-effect                     | unsent takes    | Executed    | rSSr
    busy, then lost                     | not                               | 503 lost        | Unknown     | rSrrrrSrrrr
    limited for too long                | not                               | 429+21          | Unreachable | rSr
";

#[test]
fn a_second_request_follows_a_reading_alone() {
    check(AGAIN, &errand(false, true));
}

const AFTER_A_FALL: &str = "
    it is so                            | in-effect                         |                 | Executed    | rr
    it is under way                     | pending                           |                 | Accepted    | rrrrr
    it shows late                       | not not in-effect                 |                 | Executed    | rrr
    it is not                           | not not not not not in-effect     | takes           | Executed    | rrrrrSr
    it is not, and then nobody can tell | not not lost                      |                 | Unknown     | rrrrr
    it shows while nothing can be sent  | not not not not not in-effect     | unsent takes    | Executed    | rrrrrSr
    it failed                           | failed                            |                 | Refused     | rr
    no such host                        | nobody                            |                 | Refused     | rrrrr
    unknown credential                  | 401                               |                 | Unknown     | r
";

const NOT_SENT_ANY_MORE: &str = "
    it is so                            | in-effect                         |                 | Executed    | rr
    it is not, and is not sent any more | not                               |                 | Unreachable | rrrrr
";

#[test]
fn after_a_fall_the_vendor_is_read_and_what_is_so_was_our_doing() {
    check(AFTER_A_FALL, &errand(true, true));
    check(NOT_SENT_ANY_MORE, &errand(true, false));
}

#[test]
fn what_cannot_be_read_for_long_is_unknown_after_a_fall() {
    let vendor = Vendors::new(&[does("503")], &[]);
    let (report, took) = driven(&errand(true, true), &vendor, usize::MAX, Barred::Halted);
    assert_eq!((report.outcome, report.sent), (Unknown, 0), "{report:?}");
    assert!(
        took > Duration::from_secs(30) && took <= DEADLINE,
        "{took:?}"
    );
    assert_eq!(vendor.calls().matches('S').count(), 0);
}

const HANGS: &str = "
    hangs when read                     | hangs                             |                 | Unreachable | r
    hangs when sent                     | not                               | hangs           | Unknown     | rS
    hangs when read back                | not hangs                         | takes           | Accepted    | rSr
    breaks when read                    | breaks                            |                 | Unreachable | r
    breaks when sent                    | not                               | breaks          | Unknown     | rS
    breaks when read back               | not breaks                        | takes           | Accepted    | rSr
";

const HANGS_AFTER_A_FALL: &str = "
    hangs after a fall                  | hangs                             |                 | Unknown     | r
    breaks after a fall                 | breaks                            |                 | Unknown     | r
";

#[test]
fn a_vendor_that_hangs_or_breaks_ends_in_time() {
    check(HANGS, &errand(false, true));
    check(HANGS_AFTER_A_FALL, &errand(true, true));
}

#[test]
fn the_vendors_own_pause_is_kept_where_it_is_short() {
    let not = || Reads(NotInEffect);
    let vendor = Vendors::new(&[not(), not(), Reads(InEffect)], &[does("429+15"), Takes]);
    let (report, took) = driven(&errand(false, true), &vendor, usize::MAX, Barred::Halted);
    assert_eq!(report.outcome, Executed, "{report:?}");
    assert!(took >= Duration::from_secs(15), "{took:?}");
}

#[test]
fn nothing_is_sent_that_is_not_approved_at_that_moment() {
    let not = || Reads(NotInEffect);
    let expired = Barred::Rejected(JwsError::Expired);
    for (holds, reconcile, barred, outcome, calls) in [
        (0, false, Barred::Rejected(JwsError::Signature), Refused, ""),
        (0, false, Barred::Halted, Unreachable, ""),
        (1, false, Barred::Rejected(JwsError::Policy), Refused, "r"),
        (1, false, Barred::Halted, Unreachable, "r"),
        (0, true, expired, Unreachable, "rrrrr"),
        (
            0,
            true,
            Barred::Rejected(JwsError::Signature),
            Refused,
            "rrrrr",
        ),
        (2, false, expired, Refused, "rSr"),
    ] {
        let vendor = Vendors::new(&[not()], &[does("429")]);
        let (report, _) = driven(&errand(reconcile, true), &vendor, holds, barred);
        assert_eq!(
            report.outcome, outcome,
            "{barred:?} after {holds}: {report:?}"
        );
        assert_eq!(vendor.calls(), calls, "{barred:?} after {holds}");
        let why = report.why.unwrap();
        assert!(why.contains(&barred.to_string()), "{why}");
    }
}

#[test]
fn a_report_says_what_the_vendor_calls_it() {
    let vendor = Vendors::new(&[Reads(NotInEffect), Reads(InEffect)], &[Takes]);
    let (report, _) = driven(&errand(false, true), &vendor, usize::MAX, Barred::Halted);
    assert_eq!(report.reference.as_deref(), Some("act-1"));
    assert_eq!(report.observed.as_deref(), Some("Some(InEffect)"));
    assert_eq!(
        (report.status, report.sent, report.reconciled),
        (Some(202), 1, false)
    );
}

const KILLS: &str = "
    done                                | not in-effect                     | takes           | Executed    | rSr
    limited, so surely not taken        | not not in-effect                 | 429 takes       | Executed    | rSrSr
    a gateway may have passed it on     | not                               | 503             | Unknown     | rSrrrr
";

const KILLS_AFTER_A_FALL: &str = "
    it is so                            | in-effect                         |                 | Executed    | rr
    it may have been sent               | not                               |                 | Unknown     | rrrrr
";

/// A kill was asked for again as soon as one reading said that the process was still there, though the first
/// request may have been on its way.
#[test]
fn a_process_is_not_killed_twice_where_nobody_can_tell() {
    let kill = |reconcile| {
        let mut errand = errand(reconcile, true);
        errand.manifest.action_type = ActionType::ProcessKill;
        errand
    };
    check(KILLS, &kill(false));
    check(KILLS_AFTER_A_FALL, &kill(true));
}

const OLD_FAILURE: &str = "
    lost after an old failure           | failed                            | lost            | Unknown     | rSrrrr
    busy after an old failure           | failed failed failed failed failed in-effect | 503 takes | Executed | rSrrrrSr
";

/// What an earlier try's failure reads like was taken for this one's: refused for good, and then done.
#[test]
fn an_old_failure_says_nothing_of_a_new_request() {
    check(OLD_FAILURE, &errand(false, true));
}

const LANDING: &str = "
    nothing shows yet                   | in-effect                         | takes           | Executed    | rSr
";

/// A host was released while the order to contain it was still on its way to it: it read as released, and was
/// contained a moment later.
#[test]
fn what_takes_back_what_is_still_landing_is_sent_whatever_is_read() {
    check(
        LANDING,
        &Errand {
            landing: true,
            ..errand(false, true)
        },
    );
}
