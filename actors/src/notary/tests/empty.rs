//! A log without leaves: one that has just begun, or one that somebody has put back.

use vyrox_domain::host_protocol::AuditLog;

use super::*;

/// A log that was begun, and of which the process ended before it signed anything more.
fn begun(ground: &Ground) -> AuditLog {
    let office = ground.office(&[], false);
    let Some(AuditLogChange::Begun(log)) = office.open(None) else {
        panic!("no log began");
    };
    log
}

fn has_leaves(office: &Office) -> bool {
    office.log().unwrap().checkpoint.is_some()
}

#[test]
fn nobody_is_asked_about_a_log_that_has_just_begun() {
    let ground = Ground::new();
    let office = ground.office(&[7], true);
    assert!(matches!(office.open(None), Some(AuditLogChange::Begun(_))));
    assert_eq!((office.request(0), fault(&office)), (Ok(None), None));
    sign_on(&office);
    assert!(has_leaves(&office));
    let request = office.request(0).unwrap().unwrap();
    assert_eq!(request.checkpoint.checkpoint().size, size(&office));
}

/// A log that seemed empty had nothing that could have been turned back, so hosts were acted on before any
/// witness was asked; and one more signature would have contradicted what witnesses had seen.
#[test]
fn a_log_that_was_there_and_seems_empty_is_asked_about() {
    let ground = Ground::new();
    let log = begun(&ground);
    let office = ground.office(&[7], false);
    assert_eq!(office.open(Some(log)), None);
    assert_eq!(fault(&office), Some(HostFault::Asking));
    sign_on(&office);
    assert!(!has_leaves(&office), "no signature yet");
    let request = office.request(0).unwrap().unwrap();
    assert_eq!((request.old, request.checkpoint.checkpoint().size), (0, 0));
    let boast = Ok(reply(409, "5\n"));
    assert_eq!(office.answered(0, &request, boast), Next::Refused);
    let turned_back = fault(&office);
    assert!(
        matches!(
            turned_back,
            Some(HostFault::RolledBack {
                local: 0,
                seen: 5,
                ..
            })
        ),
        "{turned_back:?}"
    );
    sign_on(&office);
    assert!(!has_leaves(&office));

    let rebased = office.rebase("restored".into(), "ann".into()).unwrap();
    assert!(rebased.statement.clone().unwrap().contains("\nseen 5\n"));
    assert_eq!(office.request(0), Ok(None), "it has just begun");
    office.accept(&rebased);
    assert_eq!(fault(&office), None);
    sign_on(&office);
    assert!(has_leaves(&office));
}

/// Signing waits for the answer, so the question must not wait for something signed.
#[test]
fn whatever_a_witness_says_to_an_empty_log_ends_the_question() {
    for (status, body) in [(404, ""), (400, ""), (409, "0\n"), (409, ""), (422, "")] {
        let ground = Ground::new();
        let log = begun(&ground);
        let office = ground.office(&[7], false);
        office.open(Some(log));
        let request = office.request(0).unwrap().unwrap();
        let answer = Ok(reply(status, body));
        assert_eq!(office.answered(0, &request, answer), Next::Refused);
        assert_eq!(fault(&office), None, "{status}");
        sign_on(&office);
        assert!(has_leaves(&office), "{status}");
    }
    let ground = Ground::new();
    let log = begun(&ground);
    let office = ground.office(&[7], true);
    office.open(Some(log));
    let request = office.request(0).unwrap().unwrap();
    let word = Ok(word(7, &request));
    assert_eq!(office.answered(0, &request, word), Next::Cosigned);
    assert_eq!(fault(&office), None);
    sign_on(&office);
    let next = office.request(0).unwrap().unwrap();
    assert_eq!((next.old, next.checkpoint.checkpoint().size), (0, 1));
}

#[test]
fn a_log_that_the_known_key_has_not_led_to_is_a_foreign_one() {
    let ground = Ground::new();
    let log = begun(&ground);
    let name = KeyName::parse(&log.deployment).unwrap();
    let known = AuditLog {
        vkey: signer(2).verifier_key(&name).to_string(),
        ..log
    };
    let office = ground.office(&[], false);
    assert_eq!(office.open(Some(known)), None);
    assert_eq!(fault(&office), Some(HostFault::Foreign));
}

/// A clock that is set back must not keep the log from being signed until it has caught up.
#[test]
fn a_clock_that_was_set_back_holds_up_no_signature() {
    let ground = Ground::new();
    let office = ground.signed(&[], false);
    sign_on(&office);
    let before = size(&office);
    ground.write();
    office.read_on();
    let day_ms = 24 * 3_600_000;
    ground.clock.0.store(START_MS - day_ms, Ordering::Release);
    office.tend();
    assert_eq!(size(&office), before + 1);
}
