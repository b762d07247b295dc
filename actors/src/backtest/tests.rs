//! Backtests over a chain that is made up entry by entry while it is read, so that it may be long.

mod ground;

use std::collections::BTreeSet;

use vyrox_domain::{
    action::ActionType,
    playbook::Playbooks,
    time::Timestamp,
    triage::{Band, Verdict},
};
use vyrox_rules::RuleSet;

use self::ground::{Ground, Made, rules, said_at, tenant};
use super::{Backtest, CHUNK_ALERTS, Difference, Plan, Said, Summary, Tally, WAITING_MAX};

/// Everything that a backtest told.
struct Told {
    differences: Vec<Difference>,
    unread: Vec<String>,
    summary: Summary,
    steps: usize,
}

fn plan(ground: &Ground, rules: RuleSet) -> Plan {
    Plan {
        rules,
        playbooks: None,
        since: Timestamp::from_ms(0),
        until: None,
        tenants: ground.tenants(),
        differences_max: u64::MAX,
    }
}

fn run(ground: &Ground, plan: Plan) -> Told {
    let mut backtest = Backtest::new(ground.present(), plan);
    let (mut differences, mut unread, mut summary) = (Vec::new(), Vec::new(), None);
    let mut steps = 0;
    while !backtest.is_over() {
        let said = backtest.step();
        assert!(!said.is_empty(), "a step always tells something");
        steps += 1;
        for one in said {
            assert!(summary.is_none(), "nothing follows the end");
            match one {
                Said::Progress(progress) => assert!(progress.done <= progress.of),
                Said::Differs(difference) => differences.push(*difference),
                Said::Unread(one) => unread.push(one.tenant_id.to_string()),
                Said::Done(done) => summary = Some(done),
            }
        }
    }
    assert!(backtest.step().is_empty(), "it is over");
    let summary = summary.expect("an end was told");
    Told {
        differences,
        unread,
        summary,
        steps,
    }
}

#[test]
fn a_new_rule_shows_which_alerts_it_would_have_turned() {
    let ground = Ground::of([Made::new("acme", 30, &[])]);
    let told = run(&ground, plan(&ground, rules(&["word"])));
    let ids: Vec<_> = told.differences.iter().map(|one| one.seq).collect();
    // Every third alert has the word in it, and each has two entries.
    assert_eq!(ids, (0..10).map(|n| n * 6).collect::<Vec<_>>());
    let first = &told.differences[0];
    assert_eq!(first.tenant_id, tenant("acme"));
    assert_eq!(first.received_at_ms, said_at(0));
    assert_eq!(first.host.as_deref(), Some("ws-0"));
    assert_eq!(
        (
            first.before.verdict,
            first.before.confidence_bp,
            first.before.band
        ),
        (Verdict::Medium, 5_000, Band::Stage2),
    );
    assert_eq!(first.after.verdict, Verdict::Critical);
    assert_eq!(first.after.band, Band::Classified);
    assert_eq!(first.rules_gained, ["site.word"]);
    assert!(first.rules_lost.is_empty());
    assert!(first.proposal_before.is_empty());
    assert_eq!(first.proposal_after, [ActionType::HostIsolation]);

    let expected = Tally {
        alerts: 30,
        differs: 10,
        by_change: [("MEDIUM->CRITICAL".to_owned(), 10)].into(),
        proposals_added: 10,
        ..Tally::default()
    };
    assert_eq!(told.summary.tally, expected);
    assert_eq!(told.summary.rules_sha256, rules(&["word"]).digest());
}

#[test]
fn a_rule_that_goes_takes_its_verdicts_and_proposals_along() {
    let ground = Ground::of([Made::new("acme", 9, &["word"])]);
    let told = run(&ground, plan(&ground, rules(&[])));
    assert_eq!(told.differences.len(), 3);
    for one in &told.differences {
        assert_eq!(one.rules_lost, ["site.word"]);
        assert_eq!(one.proposal_before, [ActionType::HostIsolation]);
        assert!(one.proposal_after.is_empty());
    }
    assert_eq!(told.summary.tally.by_change["CRITICAL->MEDIUM"], 3);
    assert_eq!(told.summary.tally.proposals_removed, 3);
    assert_eq!(told.summary.tally.proposals_added, 0);
}

#[test]
fn what_only_its_reasons_would_change_is_counted_and_not_listed() {
    let ground = Ground::of([Made::new("acme", 9, &["word"])]);
    let told = run(&ground, plan(&ground, rules(&["word", "faint"])));
    assert!(told.differences.is_empty());
    assert_eq!(
        (told.summary.tally.differs, told.summary.tally.shifted),
        (0, 3)
    );
    let told = run(&ground, plan(&ground, rules(&["word"])));
    assert_eq!(
        (told.summary.tally.differs, told.summary.tally.shifted),
        (0, 0)
    );
}

#[test]
fn changed_playbooks_are_a_difference_of_their_own() {
    let ground = Ground::of([Made::new("acme", 9, &["word"])]);
    let none = Playbooks::compile(&[]).expect("no playbook is broken");
    let plan = Plan {
        playbooks: Some(none),
        ..plan(&ground, rules(&["word"]))
    };
    let tally = run(&ground, plan).summary.tally;
    assert_eq!((tally.differs, tally.proposals_removed), (3, 3));
    assert!(tally.by_change.is_empty(), "no verdict changes");
}

#[test]
fn only_so_many_are_told_and_all_are_counted() {
    let ground = Ground::of([Made::new("acme", 30, &[])]);
    let plan = Plan {
        differences_max: 4,
        ..plan(&ground, rules(&["word"]))
    };
    let told = run(&ground, plan);
    assert_eq!(
        (told.differences.len(), told.summary.tally.differs),
        (4, 10)
    );
}

#[test]
fn the_span_is_of_entries_between_two_moments_however_long_the_chain_is() {
    let ground = Ground::of([Made::new("acme", 15_000, &[])]);
    // Alert n is received at entry 2n, so these are 14,000 to 14,099.
    for (first, alerts) in [(14_000_u64, 100_u64), (0, 50), (12_951, 3), (14_999, 1)] {
        let plan = Plan {
            since: said_at(first * 2),
            until: Some(said_at((first + alerts) * 2 - 1)),
            ..plan(&ground, rules(&["word"]))
        };
        let told = run(&ground, plan);
        assert_eq!(told.summary.tally.alerts, alerts, "from {first}");
        let wanted: Vec<u64> = (first..first + alerts).filter(|n| n % 3 == 0).collect();
        let found: Vec<u64> = told.differences.iter().map(|one| one.seq / 2).collect();
        assert_eq!(found, wanted, "from {first}");
    }
}

#[test]
fn evidence_that_is_gone_or_altered_is_counted_and_the_rest_goes_on() {
    let mut made = Made::new("acme", 30, &[]);
    made.gone = BTreeSet::from([0, 3]);
    made.altered = BTreeSet::from([6, 7]);
    let ground = Ground::of([made]);
    let tally = run(&ground, plan(&ground, rules(&["word"]))).summary.tally;
    assert_eq!((tally.alerts, tally.unreadable, tally.differs), (30, 4, 7));
    assert_eq!(tally.undecided, 0, "what cannot be read waits for nothing");
}

#[test]
fn a_chain_that_breaks_off_is_told_and_the_next_one_is_read() {
    let mut broken = Made::new("acme", 30, &[]);
    broken.damaged_at = Some(10);
    let ground = Ground::of([
        broken,
        Made::new("globex", 30, &[]),
        Made::new("empty", 0, &[]),
    ]);
    let told = run(&ground, plan(&ground, rules(&["word"])));
    assert_eq!(told.unread, ["acme"]);
    assert_eq!(told.summary.tally.chains_unread, 1);
    // Five alerts of the one, of which two have the word, and all of the other.
    assert_eq!(
        (told.summary.tally.alerts, told.summary.tally.differs),
        (35, 12)
    );
}

#[test]
fn an_alert_that_stage_1_has_not_judged_yet_is_undecided() {
    let mut made = Made::new("acme", 30, &[]);
    made.lag = 30;
    made.unjudged = 4;
    let ground = Ground::of([made]);
    let tally = run(&ground, plan(&ground, rules(&[]))).summary.tally;
    assert_eq!((tally.alerts, tally.undecided), (30, 4));
}

/// A chain may be as long as a year, and a storm may put thousands of alerts before the first verdict.
/// Whatever it looks like, no more is held than the waiting room and the words of one chunk.
#[test]
fn however_long_the_chain_no_more_is_held_than_the_bound() {
    let lag = WAITING_MAX as u64 + 200;
    let alerts = lag + 1_000;
    let mut made = Made::new("acme", alerts, &[]);
    made.lag = lag;
    let ground = Ground::of([made]);
    let mut backtest = Backtest::new(ground.present(), plan(&ground, rules(&["word"])));
    let mut most = 0;
    let mut steps = 0_u64;
    while !backtest.is_over() {
        let said = backtest.step().len() as u64;
        assert!(said <= CHUNK_ALERTS + 3, "{said} words in one chunk");
        let held = backtest.open.as_ref().map(|chain| chain.waiting.held());
        let (alerts, bytes) = held.unwrap_or_default();
        assert!(alerts <= WAITING_MAX && bytes <= super::WAITING_MAX_BYTES);
        most = most.max(alerts);
        steps += 1;
    }
    assert_eq!(most, WAITING_MAX, "the storm filled the waiting room");
    assert!(
        steps >= alerts / CHUNK_ALERTS,
        "it was worked off in chunks"
    );
    let undecided = backtest.tally.undecided;
    assert!(undecided > 0, "some had to go before their verdict came");
    assert_eq!(backtest.tally.alerts, alerts);
}

#[test]
fn a_chunk_ends_when_its_time_is_over() {
    let mut ground = Ground::of([Made::new("acme", 100, &[])]);
    // The clock moves on by 100 ms with each look at it.
    ground.tick_ms = 100;
    let told = run(&ground, plan(&ground, rules(&[])));
    assert_eq!(told.summary.tally.alerts, 100);
    assert!(told.steps >= 40, "{} steps", told.steps);
}
