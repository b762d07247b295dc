//! The same for what is done to processes, files and threats: done once, whenever the process dies.

use vyrox::mock_edr::Route;
use vyrox_actors::failpoint::Step;
use vyrox_domain::vendor::Vendor;

use super::{AROUND_THE_REQUEST, Way, at_each, has_told};
use crate::{
    containment::{
        deeds::{Deed, changes},
        house::House,
    },
    server::{DEADLINE, eventually},
};

#[test]
fn a_death_at_any_step_ends_a_process_once() {
    at_each(Way::Contain.steps(), |step| done_once(Deed::Kill, step));
}

#[test]
fn a_death_at_any_step_blocks_a_file_once() {
    let deeds = [Vendor::Crowdstrike, Vendor::Defender].map(Deed::Block);
    let cases = deeds
        .into_iter()
        .flat_map(|deed| Way::Contain.steps().map(move |step| (deed, step)));
    at_each(cases, |(deed, step)| done_once(deed, step));
}

#[test]
fn a_death_around_the_request_does_everything_else_once() {
    let deeds = [
        Deed::Block(Vendor::Sentinelone),
        Deed::TakeFile(Vendor::Sentinelone),
        Deed::TakeFile(Vendor::Defender),
        Deed::KillThreat,
        Deed::CutThreat,
    ];
    let cases = deeds
        .into_iter()
        .flat_map(|deed| AROUND_THE_REQUEST.map(|step| (deed, step)));
    at_each(cases, |(deed, step)| done_once(deed, step));
}

fn done_once(deed: Deed, step: Step) {
    let playbook = deed.playbook();
    let house = deed.house(&playbook);
    let alert = deed.alert(&house);
    let proposed = house.proposed("acme", &alert);
    deed.seconded(&house, &proposed);
    assert!(!deed.is_done(&house), "{deed:?} is still to be done");
    house.die_at(step);
    // Whether there is an answer hangs on how fast it dies.
    house.try_approve(&proposed).ok();
    let house = house.died();
    if deed.is_kill() && is_in_doubt(step) {
        return is_left_to_people(deed, &house, &proposed.action_id);
    }
    let action = house.settled("acme", &proposed.action_id);
    assert_eq!(action["outcome"], "executed", "{deed:?}, {step}: {action}");
    let outcomes = house.outcomes("acme", &proposed.action_id);
    assert_eq!(outcomes, ["executed"], "{deed:?}, {step}");
    assert_eq!(changes(&house), [deed.route()], "{deed:?}, {step}");
    assert!(deed.is_done(&house), "{deed:?}, {step}");
    house.is_whole();
}

/// The intent is durable, and what came after it nobody can tell.
fn is_in_doubt(step: Step) -> bool {
    !matches!(step, Step::Approved | Step::BeforeIntent) && !has_told(step)
}

/// The id of a process is given again, so a kill that may have been sent is never sent again: it is shown as
/// unknown, though it was not sent, and nothing is.
fn is_left_to_people(deed: Deed, house: &House, action_id: &str) {
    house.await_action("acme", action_id, |action| action["outcome"] == "unknown");
    eventually(DEADLINE, || {
        let told = house.told("acme", action_id, "action.unknown");
        (told.len() == 1).then_some(())
    });
    assert_eq!(house.outcomes("acme", action_id), ["unknown"]);
    assert_eq!(changes(house), []);
    assert!(!deed.is_done(house), "{deed:?}");
    house.is_whole();
}

#[test]
fn a_death_around_the_request_lets_a_file_run_again_once() {
    let deeds = [Vendor::Crowdstrike, Vendor::Sentinelone, Vendor::Defender].map(Deed::Block);
    let cases = deeds
        .into_iter()
        .flat_map(|deed| AROUND_THE_REQUEST.map(|step| (deed, step)));
    at_each(cases, |(deed, step)| undone_once(deed, step));
}

fn undone_once(deed: Deed, step: Step) {
    let playbook = deed.playbook();
    let house = deed.house(&playbook);
    let alert = deed.alert(&house);
    let proposed = house.proposed("acme", &alert);
    deed.seconded(&house, &proposed);
    house.approve(&proposed);
    let blocked = house.settled("acme", &proposed.action_id);
    assert_eq!(blocked["outcome"], "executed", "{deed:?}: {blocked}");
    assert!(deed.is_done(&house), "{deed:?}");
    house.mock.forget();
    house.die_at(step);
    house.try_roll_back("acme", &proposed.action_id).ok();
    let house = house.died();
    let release = house.undoing("acme", &proposed.action_id);
    let release = release.unwrap_or_else(|| panic!("{deed:?}, {step}: it had begun"));
    let id = release["action_id"].as_str().unwrap();
    let release = house.settled("acme", id);
    assert_eq!(
        release["outcome"], "executed",
        "{deed:?}, {step}: {release}"
    );
    assert_eq!(house.outcomes("acme", id), ["executed"], "{deed:?}, {step}");
    assert_eq!(changes(&house), [Route::UnblockHash], "{deed:?}, {step}");
    assert!(!deed.is_done(&house), "{deed:?}, {step}");
    let blocked = house.action("acme", &proposed.action_id);
    assert_eq!(blocked["stage"], "undone", "{deed:?}, {step}: {blocked}");
    house.is_whole();
}
