//! What one request and its answer do not show: what was so before, hosts that are away, tokens, doors that
//! are shut, and the oddities of each vendor.

use std::{net::TcpListener, time::Duration};

use futures_util::future::join_all;
use serde_json::json;
use vyrox::mock_edr::{Answer, Fault, Host, Process, Reply, Route, VENDORS};
use vyrox_domain::{
    action::ActionType::HashBlock,
    containment::OutcomeKind::{Accepted, AlreadySo, Executed, Refused, Unknown, Unreachable},
    vendor::Vendor,
};

use super::{
    PATIENT,
    bench::{Bench, DEEDS, Deed, IMAGE, PID},
    told,
};

const FETCHED: [Vendor; 2] = [Vendor::Crowdstrike, Vendor::Defender];
/// Nothing ever comes of these calls.
const NO_TOKEN: Duration = Duration::from_secs(3);

fn cut_off(vendor: Vendor) -> Bench {
    Bench::new(Deed::isolation(vendor), PATIENT)
}

fn kill() -> Bench {
    let deed = DEEDS.into_iter().find(|deed| deed.is_command());
    Bench::new(deed.unwrap(), PATIENT)
}

#[tokio::test]
async fn what_is_so_already_is_not_sent() {
    for deed in DEEDS {
        let bench = Bench::new(deed, PATIENT);
        // What was never done is as good as taken back.
        if !deed.undo {
            assert_eq!(bench.drive().await.outcome, Executed, "{deed:?}");
        }
        bench.mock.forget();
        let report = bench.drive().await;
        assert_eq!(
            (report.outcome, report.sent),
            (AlreadySo, 0),
            "{deed:?} {report:?}"
        );
        assert_eq!(bench.changes(), 0, "{deed:?}");
    }
}

#[tokio::test]
async fn a_host_that_is_away_is_followed_until_it_complies() {
    let on_hosts = |deed: &Deed| deed.action != HashBlock && !deed.is_command();
    join_all(DEEDS.into_iter().filter(on_hosts).map(follows)).await;
}

async fn follows(deed: Deed) {
    let mut bench = Bench::new(deed, PATIENT);
    bench.prepare().await;
    bench.mock.set_online(&bench.device, false);
    let report = bench.drive().await;
    assert_eq!(
        (report.outcome, report.sent),
        (Accepted, 1),
        "{deed:?} {report:?}"
    );
    bench.mock.set_online(&bench.device, true);
    let later = bench.found_out(&report).await;
    assert_eq!(later.outcome, Executed, "{deed:?} {later:?}");
    assert_eq!(bench.changes(), 1, "{deed:?}");
}

#[tokio::test]
async fn a_host_that_is_let_back_behind_our_back_is_seen_to_be() {
    for vendor in VENDORS {
        let bench = cut_off(vendor);
        let report = bench.drive().await;
        assert_eq!(report.outcome, Executed, "{vendor}");
        assert_eq!(bench.mock.release_behind_back(&bench.device), 1);
        let later = bench.found_out(&report).await;
        assert_eq!(
            (later.outcome, later.sent),
            (Unreachable, 0),
            "{vendor} {later:?}"
        );
        bench.mock.contain_behind_back(&bench.device);
        let again = bench.drive().await;
        assert_eq!(again.outcome, AlreadySo, "{vendor} {again:?}");
    }
}

#[tokio::test]
async fn what_nobody_knows_is_refused() {
    for vendor in VENDORS {
        let mut bench = cut_off(vendor);
        bench.device = "0000000000000000000000000000000000000009".to_owned();
        let report = bench.drive().await;
        assert_eq!(report.outcome, Refused, "{vendor} {report:?}");
        assert!(bench.mock.violations().is_empty(), "{vendor}");
    }
}

#[tokio::test]
async fn a_token_that_does_not_hold_is_replaced_once() {
    for vendor in VENDORS {
        for always in [false, true] {
            let bench = cut_off(vendor);
            bench.spoil(
                |fault| if always { fault.always() } else { fault },
                Answer::Status(401),
            );
            let report = bench.drive().await;
            let fetched = FETCHED.contains(&vendor);
            let expected = if fetched && !always {
                Executed
            } else {
                Refused
            };
            assert_eq!(
                (report.outcome, report.sent),
                (expected, 1),
                "{vendor} {report:?}"
            );
            assert_eq!(bench.changes(), if fetched { 2 } else { 1 }, "{vendor}");
            assert_eq!(told(&report, &bench.secrets()), None);
        }
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let answers = [
        Answer::Status(401),
        Answer::Status(503),
        Answer::WrongType,
        Answer::Hang,
    ];
    let rows = FETCHED.map(|vendor| answers.clone().map(|answer| no_token(vendor, answer)));
    join_all(rows.into_iter().flatten()).await;
}

async fn no_token(vendor: Vendor, answer: Answer) {
    let bench = Bench::new(Deed::isolation(vendor), NO_TOKEN);
    let fault = Fault::once(vendor, Route::Token, answer.clone());
    bench.mock.fault(fault.always());
    let report = bench.drive().await;
    let said = format!("{vendor} {answer:?} {report:?}");
    assert_eq!((report.outcome, report.sent), (Unreachable, 0), "{said}");
    assert_eq!(bench.changes(), 0, "{said}");
    assert_eq!(told(&report, &bench.secrets()), None);
}

#[tokio::test]
async fn where_nobody_listens_nothing_is_sent() {
    for vendor in VENDORS {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let nowhere = format!("http://{}", free.local_addr().unwrap());
        drop(free);
        let deed = Deed::isolation(vendor);
        let shut = Bench::with(deed, PATIENT, |given| given.base_url.clone_from(&nowhere));
        // It is spoken to in TLS and answers in plain words.
        let plain = Bench::with(deed, PATIENT, |given| {
            given.base_url = given.base_url.replacen("http://", "https://", 1);
        });
        for bench in [shut, plain] {
            let report = bench.drive().await;
            assert_eq!(
                (report.outcome, report.sent),
                (Unreachable, 0),
                "{vendor} {report:?}"
            );
            assert_eq!(bench.changes(), 0, "{vendor}");
        }
    }
}

#[tokio::test]
async fn nobody_is_followed_elsewhere() {
    for vendor in VENDORS {
        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
        elsewhere.set_nonblocking(true).unwrap();
        let address = elsewhere.local_addr().unwrap();
        let bench = cut_off(vendor);
        bench.spoil(
            Fault::always,
            Answer::Redirect(format!("http://{address}/")),
        );
        let report = bench.drive().await;
        assert_eq!(report.outcome, Refused, "{vendor} {report:?}");
        assert!(elsewhere.accept().is_err(), "{vendor} went elsewhere");
    }
}

#[tokio::test]
async fn a_request_that_is_under_way_at_defender_is_adopted() {
    let busy = || {
        let error = json!({
            "code": "ActiveRequestAlreadyExists",
            "message": "Action is already in progress",
        });
        Answer::Canned(Reply::json(400, &json!({ "error": error })))
    };
    let bench = cut_off(Vendor::Defender);
    bench.mock.set_online(&bench.device, false);
    bench.spoil(Fault::applied, busy());
    let report = bench.drive().await;
    assert_eq!((report.outcome, report.sent), (Accepted, 1), "{report:?}");
    assert!(report.reference.is_some());
    assert_eq!(told(&report, &bench.secrets()), None);

    // It says so, and there is none.
    let bench = cut_off(Vendor::Defender);
    bench.spoil(|fault| fault, busy());
    let report = bench.drive().await;
    assert_eq!((report.outcome, report.sent), (Refused, 1), "{report:?}");
}

#[tokio::test]
async fn a_request_of_sentinelone_that_affects_nobody_is_refused() {
    for done in [false, true] {
        let bench = cut_off(Vendor::Sentinelone);
        let none = Answer::Canned(Reply::json(200, &json!({ "data": { "affected": 0 } })));
        bench.spoil(|fault| if done { fault.applied() } else { fault }, none);
        let report = bench.drive().await;
        let expected = if done { Executed } else { Refused };
        assert_eq!((report.outcome, report.sent), (expected, 1), "{report:?}");
    }
}

/// A machine action had failed. It was tried again, and the connection broke: the reading showed the first
/// failure, which was taken for that of the second request, of which nobody could tell anything.
#[tokio::test]
async fn the_failure_of_an_earlier_try_is_not_that_of_a_later_one() {
    let mut bench = cut_off(Vendor::Defender);
    bench.mock.set_online(&bench.device, false);
    let first = bench.drive().await;
    assert_eq!(first.outcome, Accepted, "{first:?}");
    let failed = first.reference.clone().unwrap();
    assert!(bench.mock.end_action(&failed, "Failed"));
    assert_eq!(bench.found_out(&first).await.outcome, Refused);

    bench.reference = first.reference;
    bench.spoil(|fault| fault, Answer::Reset);
    let second = bench.drive().await;
    assert_eq!((second.outcome, second.sent), (Unknown, 1), "{second:?}");
    // What is sent and taken is told from it too.
    let third = bench.drive().await;
    assert_eq!((third.outcome, third.sent), (Accepted, 1), "{third:?}");
    assert_ne!(third.reference, Some(failed));
}

#[tokio::test]
async fn a_command_for_a_host_that_is_away_is_never_left_there() {
    let bench = kill();
    bench.mock.set_online(&bench.device, false);
    let report = bench.drive().await;
    assert_eq!((report.outcome, report.sent), (Refused, 0), "{report:?}");
    assert_eq!(bench.changes(), 0);
}

#[tokio::test]
async fn a_process_that_is_gone_or_another_by_now_is_left_alone() {
    for image in [None, Some("winword.exe")] {
        let bench = kill();
        let mut host = Host::new(Vendor::Crowdstrike, &bench.device, "ws-1");
        let now = image.map(|image| Process {
            pid: PID,
            image: image.to_owned(),
        });
        host.processes.extend(now);
        bench.mock.add_host(host);
        let report = bench.drive().await;
        // That it has another image is no proof that it ended: whatever runs there may have renamed itself.
        let (outcome, word) = if image.is_some() {
            (Refused, "pid_reused")
        } else {
            (AlreadySo, "gone")
        };
        assert_eq!((report.outcome, report.sent), (outcome, 0), "{report:?}");
        assert_eq!(report.observed.as_deref(), Some(word));
        assert_eq!(bench.changes(), 0);
    }
}

#[tokio::test]
async fn a_host_that_does_not_end_the_process_has_refused() {
    let bench = kill();
    bench.mock.set_stderr(Some("words of the vendor"));
    let report = bench.drive().await;
    assert_eq!((report.outcome, report.sent), (Refused, 1), "{report:?}");
    assert_eq!(told(&report, &bench.secrets()), None);
    let host = bench.mock.host(Vendor::Crowdstrike, &bench.device).unwrap();
    assert!(host.processes.iter().any(|process| process.image == IMAGE));
}

#[tokio::test]
async fn a_session_that_is_gone_is_looked_for_in_vain_and_the_host_is_asked() {
    let lost = |route| Fault::once(Vendor::Crowdstrike, route, Answer::Status(404));
    // Before the command.
    let bench = kill();
    bench.mock.fault(lost(Route::Look));
    let report = bench.drive().await;
    assert_eq!((report.outcome, report.sent), (Refused, 0), "{report:?}");
    // After it: a new session shows that the process is gone.
    for answer in [Answer::Status(404), Answer::Reset, Answer::Garbled] {
        let bench = kill();
        let fault = Fault::once(Vendor::Crowdstrike, Route::KillResult, answer);
        bench.mock.fault(fault.delayed(Duration::from_millis(1)));
        let report = bench.drive().await;
        assert_eq!((report.outcome, report.sent), (Executed, 1), "{report:?}");
        assert_eq!(bench.changes(), 1);
    }
}
