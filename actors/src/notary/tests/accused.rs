//! Accusations outlast the process that heard them.

use super::*;

/// What a witness says that has seen another log.
fn contradict(office: &Office) {
    let request = office.request(0).unwrap().unwrap();
    for next in [Next::Again, Next::Refused] {
        assert_eq!(office.answered(0, &request, Ok(reply(422, ""))), next);
    }
}

/// An office whose witness has cosigned an earlier state, so that it can refuse a proof.
fn cosigned(ground: &Ground) -> Office {
    let office = ground.signed(&[7], false);
    let request = office.request(0).unwrap().unwrap();
    office.answered(0, &request, Ok(word(7, &request)));
    ground.write();
    sign_on(&office);
    office
}

/// The process ends and another one begins, with these witnesses, that are silent from then on.
fn restarted(ground: &Ground, before: Office, witnesses: &[u8]) -> Office {
    let known = before.desk().known.clone();
    before.finish();
    drop(before);
    let office = ground.office(witnesses, false);
    assert_eq!(office.open(known), None);
    for number in 0..witnesses.len() {
        if let Some(request) = office.request(number).unwrap() {
            office.answered(number, &request, Err("down".into()));
        }
    }
    office
}

/// A restart forgot what a witness had accused the log of: whoever kept the witness from answering from then
/// on had hosts acted on again after the first question.
#[test]
fn a_restart_and_silence_take_no_accusation_back() {
    let ground = Ground::new();
    let office = cosigned(&ground);
    contradict(&office);
    let accused = fault(&office);
    assert!(matches!(accused, Some(HostFault::Contradicted { .. })));
    let office = restarted(&ground, office, &[7, 8]);
    assert_eq!(fault(&office), accused);
    // Another witness's word is none of this one's.
    let request = office.request(1).unwrap().unwrap();
    let other = office.answered(1, &request, Ok(word(8, &request)));
    assert_eq!(other, Next::Cosigned);
    assert_eq!(fault(&office), accused);
    let office = restarted(&ground, office, &[7, 8]);
    assert_eq!(fault(&office), accused, "and the next one neither");
    let request = office.request(0).unwrap().unwrap();
    let own = office.answered(0, &request, Ok(word(7, &request)));
    assert_eq!(own, Next::Cosigned);
    assert_eq!(fault(&office), None);
    let office = restarted(&ground, office, &[7, 8]);
    assert_eq!(fault(&office), None, "its own word is the end of it");
}

/// A witness that had seen more of the log had to say so again after a restart.
#[test]
fn a_log_that_was_turned_back_is_one_after_a_restart_as_well() {
    let ground = Ground::new();
    let office = ground.signed(&[7], false);
    let request = office.request(0).unwrap().unwrap();
    let boast = Ok(reply(409, "999\n"));
    assert_eq!(office.answered(0, &request, boast), Next::Refused);
    let office = restarted(&ground, office, &[7]);
    let turned_back = fault(&office);
    assert!(
        matches!(turned_back, Some(HostFault::RolledBack { seen: 999, .. })),
        "{turned_back:?}"
    );
    let rebased = office.rebase("restored".into(), "ann".into()).unwrap();
    let statement = rebased.statement.clone().unwrap();
    assert!(statement.contains("\nseen 999\n"), "{statement}");
    office.accept(&rebased);
    sign_on(&office);
    let office = restarted(&ground, office, &[7]);
    assert_eq!(fault(&office), None, "it was about the log before");
}

#[test]
fn who_is_taken_out_of_the_settings_accuses_no_longer() {
    let ground = Ground::new();
    let office = cosigned(&ground);
    contradict(&office);
    let office = restarted(&ground, office, &[8]);
    assert_eq!(fault(&office), None);
    let office = restarted(&ground, office, &[7, 8]);
    assert_eq!(fault(&office), None, "not even when it is asked again");
}
