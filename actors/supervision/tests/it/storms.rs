//! Hours of faults over a busy office: whatever strikes, the promises hold, and a seed tells the whole
//! story again.

mod clerk;
mod client;
mod ledger;

use crate::storms::client::{Office, Totals};
use crate::worker::{LONG, Note, quick, run_in, worker_in};
use actix::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;
use vyrox_supervision::testing::{Played, Stage, Storm, What, each_seed, play};
use vyrox_supervision::{Fault, install_panic_hook};

const CLERKS: usize = 20;

fn storm(seed: u64, hours: u64) -> Storm {
    Storm::new(seed, Duration::from_hours(hours))
        .over((0..CLERKS).map(client::id))
        .with(Fault::Panic, 60)
        .with(Fault::PanicInStarted, 15)
        .with(Fault::Error, 30)
        .with(Fault::Stop, 20)
        .with(Fault::BlockMs(0), 5)
}

fn storm_over_an_office(seed: u64, hours: u64) -> Played<Totals> {
    play(&storm(seed, hours), async |stage| {
        let office = Office::open(&stage, CLERKS);
        office.work().await;
        let totals = office.close().await;
        generations_follow_each_other(&stage);
        totals
    })
}

fn storm_over_teams(seed: u64, hours: u64) -> Played<Totals> {
    play(&storm(seed, hours), async |stage| {
        let office = Office::open_with_teams(&stage, CLERKS);
        office.work().await;
        let totals = office.close().await;
        no_generation_is_made_twice(&stage);
        totals
    })
}

/// No generation is made twice, and none is left out, whatever the actor's ends and new beginnings.
fn generations_follow_each_other(stage: &Stage) {
    let mut last = BTreeMap::new();
    for record in stage.trace().all() {
        if let What::Began(generation) = record.what {
            let before = last.insert(record.actor, generation).unwrap_or(0);
            assert_eq!(generation, before + 1);
        }
    }
    assert_eq!(last.len(), CLERKS);
}

/// Numbers may be left out: a generation that is ended for its siblings' sake before its time has come is
/// never made.
fn no_generation_is_made_twice(stage: &Stage) {
    let mut last = BTreeMap::new();
    for record in stage.trace().all() {
        if let What::Began(generation) = record.what {
            let before = last.insert(record.actor, generation).unwrap_or(0);
            assert!(generation > before);
        }
    }
    assert_eq!(last.len(), CLERKS);
}

#[test]
fn a_day_of_faults_breaks_no_promise_and_is_the_same_each_time() {
    install_panic_hook();
    let day = storm_over_an_office(7, 24);
    println!(
        "{:.1} virtual hours a second, {} records: {:?}",
        day.hours_a_second(),
        day.trace.total(),
        day.value
    );
    assert!(day.value.struck > 3_000);
    assert_eq!(day.value.outcomes.values().sum::<u64>(), day.value.requests);
    assert!(day.value.ticks > 0 && day.value.restarts > 1_000 && day.value.ended > CLERKS);
    let again = storm_over_an_office(7, 24);
    assert_eq!(day.trace.parting(&again.trace), None);
    assert_eq!(day.trace.digest(), again.trace.digest());
    assert_ne!(
        day.trace.digest(),
        storm_over_an_office(8, 1).trace.digest()
    );
}

#[test]
fn storms_of_many_seeds_break_no_promise() {
    install_panic_hook();
    each_seed("a storm over an office", 36, |seed| {
        let played = storm_over_an_office(seed, 1);
        assert!(played.value.struck > 50, "{:?}", played.value);
    });
}

#[test]
fn storms_over_teams_break_no_promise_and_repeat() {
    install_panic_hook();
    each_seed("a storm over teams", 24, |seed| {
        let played = storm_over_teams(seed, 1);
        assert!(played.value.struck > 50, "{:?}", played.value);
        assert!(
            played.value.restarts > played.value.struck as u64,
            "siblings restart too"
        );
        let again = storm_over_teams(seed, 1);
        assert_eq!(played.trace.parting(&again.trace), None);
    });
}

/// A harness whose actors kept their slices of real time gave another order of events whenever the
/// machine was busy: a seed then told another story each time.
#[test]
fn real_time_moves_nothing_on_a_stage() {
    const MESSAGES: u64 = 8;
    let storm = Storm::new(1, Duration::from_hours(1));
    let played = play(&storm, async |stage| {
        let (slow, first) = worker_in(stage.tree(), "slow", quick(), &Arbiter::current());
        let (quick, second) = worker_in(stage.tree(), "quick", quick(), &Arbiter::current());
        // Longer each than a slice, all together shorter than a budget.
        stage.tree().inject("slow", Fault::BlockMs(1), 8);
        for n in 0..MESSAGES {
            slow.try_cast(Note(n)).unwrap();
        }
        let count = run_in(move |quick, _| quick.note(first.notes().len() as u64));
        quick.ask(count, LONG).await.unwrap();
        (second.notes(), stage.elapsed())
    });
    assert_eq!(played.value, (vec![MESSAGES], Duration::ZERO));
    assert!(played.wall_time >= Duration::from_millis(MESSAGES));
}

#[test]
#[should_panic(expected = "host/clerk is down")]
fn a_check_that_fails_fails_the_run() {
    let storm = storm(1, 1);
    play(&storm, async |stage| {
        stage.check(|root| assert!(root.children.is_empty(), "host/clerk is down"));
        let office = Office::open(&stage, CLERKS);
        office.work().await;
    });
}
