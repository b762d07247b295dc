//! What each answer of a vendor comes to, for everything that can be done at each of the three: the real
//! drive, the real connectors, and stand-ins that go wrong on purpose. [`ROWS`] is the promise.

mod apart;
mod bench;

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::json;
use vyrox::mock_edr::{Answer, ComeAgain, Reply};
use vyrox_domain::{
    action::ActionType,
    containment::{
        ActReport,
        OutcomeKind::{self, Executed, Refused, Unknown, Unreachable},
    },
    vendor::Vendor,
};

use self::bench::{Bench, DEEDS, Deed, Log, THEIR_WORDS};

/// Long enough for a busy machine.
const PATIENT: Duration = Duration::from_secs(20);
/// For rows in which no answer comes. A command on a host takes a few requests, and time is kept for closing
/// its session.
const BRIEF: Duration = Duration::from_secs(12);
/// Rows that are tried at once: most of each is waiting.
const AT_ONCE: usize = 120;

/// What is answered to the request that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Usual,
    Status(u16),
    AgainInSeconds(u64),
    AgainAtDate(u64),
    AgainAtEpoch(u64),
    ErrorInSuccess,
    AnotherShape,
    Nothing,
    HalfAnObject,
    APage,
    NoAnswer,
    Reset,
    BreaksOff,
    AGibibyte,
    AGibibyteAnnounced,
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Often {
    Once,
    Always,
}

/// Whether it is done all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    No,
    Yes,
}

use Done::{No, Yes};
use Often::{Always, Once};
use Says::*;

/// An answer, how often, whether it is done all the same; what is made of it, after how many requests.
type Row = (Says, Often, Done, OutcomeKind, u32);

/// The promise.
const ROWS: [Row; 43] = [
    (Usual, Once, Yes, Executed, 1),
    // It will not do it; but what its state reads counts.
    (Status(400), Once, No, Refused, 1),
    (Status(403), Once, No, Refused, 1),
    (Status(404), Once, No, Refused, 1),
    (Status(409), Once, No, Refused, 1),
    (Status(409), Once, Yes, Executed, 1),
    (Status(307), Once, No, Refused, 1),
    (ErrorInSuccess, Once, No, Refused, 1),
    (ErrorInSuccess, Once, Yes, Executed, 1),
    // Not now: it is asked again when it says so, after a look that shows that nothing was done.
    (Status(429), Once, No, Executed, 2),
    (AgainInSeconds(2), Once, No, Executed, 2),
    (AgainAtDate(2), Once, No, Executed, 2),
    (AgainAtEpoch(2), Once, No, Executed, 2),
    (AgainInSeconds(900), Once, No, Unreachable, 1),
    (AgainAtDate(900), Once, No, Unreachable, 1),
    (AgainAtEpoch(900), Once, No, Unreachable, 1),
    (Status(502), Once, No, Executed, 2),
    (Status(503), Once, No, Executed, 2),
    (Status(504), Once, No, Executed, 2),
    (Status(502), Once, Yes, Executed, 1),
    (Status(503), Once, Yes, Executed, 1),
    (Status(504), Once, Yes, Executed, 1),
    (Status(503), Always, No, Unreachable, 4),
    // Nobody can tell: never sent again, and done only if its state reads so.
    (Status(408), Once, No, Unknown, 1),
    (Status(500), Once, No, Unknown, 1),
    (Status(500), Once, Yes, Executed, 1),
    (AnotherShape, Once, No, Unknown, 1),
    (AnotherShape, Once, Yes, Executed, 1),
    (Nothing, Once, No, Unknown, 1),
    (Nothing, Once, Yes, Executed, 1),
    (HalfAnObject, Once, No, Unknown, 1),
    (HalfAnObject, Once, Yes, Executed, 1),
    (APage, Once, No, Unknown, 1),
    (APage, Once, Yes, Executed, 1),
    (NoAnswer, Once, No, Unknown, 1),
    (NoAnswer, Once, Yes, Executed, 1),
    (Reset, Once, No, Unknown, 1),
    (Reset, Once, Yes, Executed, 1),
    (BreaksOff, Once, No, Unknown, 1),
    (BreaksOff, Once, Yes, Executed, 1),
    (AGibibyte, Once, No, Unknown, 1),
    (AGibibyte, Once, Yes, Executed, 1),
    (AGibibyteAnnounced, Once, No, Unknown, 1),
];

impl Says {
    fn answer(self) -> Answer {
        let canned = |content_type: &str, body: &str| {
            Answer::Canned(Reply {
                status: 200,
                headers: Vec::new(),
                content_type: content_type.to_owned(),
                body: body.as_bytes().to_vec(),
            })
        };
        match self {
            Self::Usual => Answer::Usual,
            Self::Status(429) => Answer::TooMany(ComeAgain::Unsaid),
            Self::Status(307) => Answer::Redirect("https://elsewhere.example/".to_owned()),
            Self::Status(status) => Answer::Status(status),
            Self::AgainInSeconds(s) => Answer::TooMany(ComeAgain::Seconds(s)),
            Self::AgainAtDate(s) => Answer::TooMany(ComeAgain::Date(s)),
            Self::AgainAtEpoch(s) => Answer::TooMany(ComeAgain::Epoch(s)),
            Self::ErrorInSuccess => Answer::ErrorsInside,
            Self::AnotherShape => Answer::Canned(Reply::json(
                200,
                &json!({ "said": ["words of the vendor", 7] }),
            )),
            Self::Nothing => canned("application/json", ""),
            Self::HalfAnObject => canned("application/json", "{\"data\":[{\"words of the vendor"),
            Self::APage => canned("text/html", "<html>Sign in to continue</html>"),
            Self::NoAnswer => Answer::Hang,
            Self::Reset => Answer::Reset,
            Self::BreaksOff => Answer::BrokenOff,
            Self::AGibibyte => Answer::Huge(false),
            Self::AGibibyteAnnounced => Answer::Huge(true),
        }
    }

    /// Whether that can be said in answer to it: where silence means success, there is nothing that could be
    /// empty, broken off or hold an error.
    fn fits(self, deed: Deed) -> bool {
        let needs_a_body = matches!(
            self,
            Self::ErrorInSuccess
                | Self::Nothing
                | Self::BreaksOff
                | Self::AGibibyte
                | Self::AGibibyteAnnounced
        );
        !(needs_a_body && deed.is_told_by_silence())
    }
}

#[test]
fn every_answer_of_crowdstrike_has_its_outcome() {
    holds_for(Vendor::Crowdstrike);
}

#[test]
fn every_answer_of_sentinelone_has_its_outcome() {
    holds_for(Vendor::Sentinelone);
}

#[test]
fn every_answer_of_defender_has_its_outcome() {
    holds_for(Vendor::Defender);
}

/// Tries all rows with all that the vendor can do, and tells everything that came out otherwise.
fn holds_for(vendor: Vendor) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (log, _listening) = Log::listen();
    let deeds = DEEDS.iter().filter(|deed| deed.vendor == vendor);
    let rows = deeds.flat_map(|deed| ROWS.iter().map(move |row| (*deed, *row)));
    let rows = rows.filter(|(deed, row)| row.0.fits(*deed));
    let tried = stream::iter(rows)
        .map(|(deed, row)| tried(deed, row))
        .buffer_unordered(AT_ONCE);
    let tried: Vec<Tried> = runtime.block_on(tried.collect());
    let mut wrong: Vec<String> = tried.iter().flat_map(|one| one.wrong.clone()).collect();
    let logged = log.text();
    let secrets = tried.iter().flat_map(|one| one.secrets.iter());
    let words = secrets.map(String::as_str).chain(THEIR_WORDS);
    let leaks = words.filter(|word| logged.contains(word));
    wrong.extend(leaks.map(|word| format!("the log tells `{word}`")));
    assert!(
        wrong.is_empty(),
        "of {}:\n{}",
        tried.len(),
        wrong.join("\n")
    );
}

struct Tried {
    wrong: Vec<String>,
    secrets: Vec<String>,
}

fn is_kill(deed: Deed) -> bool {
    deed.action == ActionType::ProcessKill
}

async fn tried(deed: Deed, row: Row) -> Tried {
    let (says, often, done, expected, sent) = row;
    // A gateway's answer leaves open whether a process is about to be ended, and it is not asked for twice.
    let (expected, sent) = match says {
        Status(502..=504) if done == No && is_kill(deed) => (Unknown, 1),
        _ => (expected, sent),
    };
    let timeout = if says == NoAnswer { BRIEF } else { PATIENT };
    let mut bench = Bench::new(deed, timeout);
    bench.prepare().await;
    let as_said = |fault: vyrox::mock_edr::Fault| {
        let fault = if often == Always {
            fault.always()
        } else {
            fault
        };
        if done == Yes { fault.applied() } else { fault }
    };
    bench.spoil(as_said, says.answer());
    let report = bench.drive().await;
    let mut wrong = Vec::new();
    if (report.outcome, report.sent) != (expected, sent) {
        wrong.push(format!("came to {report:?}"));
    }
    if bench.changes() != usize::try_from(sent).unwrap() {
        wrong.push(format!("{} changing requests", bench.changes()));
    }
    if report.outcome == Unknown {
        bench.mock.mend();
        bench.mock.forget();
        let found = bench.found_out(&report).await;
        // What was not done shows as not done, and is not sent for the looking. Of a process that still runs
        // nobody can say that it is not about to be ended.
        let waits = is_kill(deed) && found.outcome == Unknown;
        if !(found.outcome == Unreachable || waits) || bench.changes() > 0 {
            wrong.push(format!("turned out to be {found:?}"));
        }
    }
    let secrets = bench.secrets();
    wrong.extend(told(&report, &secrets));
    wrong.extend(bench.mock.violations());
    let named = |what| {
        format!(
            "{} {} undo={} {row:?}: {what}",
            deed.vendor, deed.action, deed.undo
        )
    };
    Tried {
        wrong: wrong.into_iter().map(named).collect(),
        secrets,
    }
}

/// What a report tells that it should not.
fn told(report: &ActReport, secrets: &[String]) -> Option<String> {
    let report = format!("{report:?}");
    let words = secrets.iter().map(String::as_str).chain(THEIR_WORDS);
    let leak = words.into_iter().find(|word| report.contains(word))?;
    Some(format!("the report tells `{leak}`"))
}
