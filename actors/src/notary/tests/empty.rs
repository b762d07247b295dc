//! A log without leaves: one that has just begun, or one that somebody has put back.

use std::fs;

use vyrox_domain::{host_protocol::AuditLog, log_key::is_signed};
use vyrox_journal::proof::Notary;

use super::{super::rotating::LogKeys as _, *};

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

/// Where a word was needed, a log that began in the place of one that was taken away needed none until the first
/// witness had failed to give it: for that long hosts were acted on.
#[test]
fn a_log_that_has_just_begun_is_signed_first_and_asked_about_then() {
    for (required, until_heard) in [(true, Some(HostFault::Unheard)), (false, None)] {
        let ground = Ground::new();
        let office = ground.office(&[7], required);
        assert!(matches!(office.open(None), Some(AuditLogChange::Begun(_))));
        assert_eq!(
            (office.request(0), fault(&office)),
            (Ok(None), until_heard.clone())
        );
        for _ in 0..2 {
            sign_on(&office);
            assert!(has_leaves(&office));
            let request = office.request(0).unwrap().unwrap();
            assert_eq!(request.checkpoint.checkpoint().size, size(&office));
            let unknown = Ok(reply(404, ""));
            assert_eq!(office.answered(0, &request, unknown), Next::Refused);
            office.check();
            assert_eq!(fault(&office), until_heard.clone());
            ground.write();
        }
        let request = office.request(0).unwrap().unwrap();
        assert_eq!(
            office.answered(0, &request, Ok(word(7, &request))),
            Next::Cosigned
        );
        assert_eq!(fault(&office), None);
    }
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

impl Ground {
    /// Makes the store of a log, as a first start does, that ends before anything else is done.
    fn store(&self) -> AuditLog {
        let keys = TwoKeys.load().unwrap();
        let notary = Notary::open(&self.dir.path().join("proof"), &keys, is_signed);
        super::super::office::log_of(&notary.unwrap())
    }
}

/// A store that was well sealed and empty, in the place of one that was lost: neither is begun anew in silence.
#[test]
fn a_log_that_is_told_of_is_not_begun_again() {
    let ground = Ground::new();
    let office = ground.signed(&[], false);
    sign_on(&office);
    let log = office.desk().known.clone().unwrap();
    office.finish();
    let proof = ground.dir.path().join("proof");
    fs::remove_dir_all(&proof).unwrap();
    let lost = ground.office(&[], false);
    assert_eq!(lost.open(Some(log.clone())), None);
    assert_eq!(fault(&lost), Some(HostFault::Lost));
    assert!(!proof.exists(), "nothing takes its place");
    fs::create_dir(&proof).unwrap();
    let emptied = ground.office(&[], false);
    assert_eq!(emptied.open(Some(log.clone())), None);
    assert_eq!(fault(&emptied), Some(HostFault::Lost));

    let fresh = ground.store();
    assert_ne!(fresh, log);
    for _ in 0..2 {
        let office = ground.office(&[], false);
        assert_eq!(office.open(Some(log.clone())), None);
        assert_eq!(fault(&office), Some(HostFault::Foreign));
        sign_on(&office);
        office.tend();
        assert_eq!(fault(&office), Some(HostFault::Foreign));
        office.finish();
    }
    let office = ground.office(&[], false);
    office.open(Some(log.clone()));
    let rebased = office.rebase("restored".into(), "ann".into()).unwrap();
    assert_eq!(rebased.before, Some(log));
    assert_ne!(rebased.after, fresh);
    office.accept(&rebased);
    assert_eq!(fault(&office), None);
}

/// The first start may end at any moment before the host's chain tells of the log.
#[test]
fn a_first_start_that_was_cut_short_bars_nothing() {
    type Cut = fn(&Ground);
    let cuts: [Cut; 4] = [
        |ground| {
            let proof = ground.dir.path().join("proof");
            fs::create_dir(&proof).unwrap();
            fs::write(proof.join("proof.redb.new"), b"half a database").unwrap();
        },
        |ground| {
            ground.store();
        },
        |ground| {
            ground.store();
            for kind in ["leaves", "hashes"] {
                fs::remove_file(ground.file(kind)).unwrap();
            }
        },
        |ground| {
            // It was opened, and its entry did not become durable.
            begun(ground);
            begun(ground);
        },
    ];
    for (number, cut) in cuts.iter().enumerate() {
        for required in [false, true] {
            let ground = Ground::new();
            cut(&ground);
            let office = ground.office(&[7], required);
            let opened = office.open(None);
            assert!(matches!(opened, Some(AuditLogChange::Begun(_))), "{number}");
            let unheard = required.then_some(HostFault::Unheard);
            assert_eq!((office.request(0), fault(&office)), (Ok(None), unheard));
            sign_on(&office);
            assert!(has_leaves(&office), "{number}");
            let request = office.request(0).unwrap().unwrap();
            let cosigned = office.answered(0, &request, Ok(word(7, &request)));
            assert_eq!(
                (cosigned, fault(&office)),
                (Next::Cosigned, None),
                "{number}"
            );
        }
    }
}

/// A log that nobody was told of is a new one only while nobody knows it.
#[test]
fn a_log_that_a_witness_knows_has_not_just_begun() {
    let ground = Ground::new();
    let log = begun(&ground);
    let office = ground.office(&[7], false);
    office.open(Some(log));
    let request = office.request(0).unwrap().unwrap();
    assert_eq!(
        office.answered(0, &request, Ok(word(7, &request))),
        Next::Cosigned
    );
    drop(office);
    let office = ground.office(&[7], false);
    assert!(matches!(office.open(None), Some(AuditLogChange::Begun(_))));
    assert_eq!(fault(&office), Some(HostFault::Asking));
    let request = office.request(0).unwrap().unwrap();
    let boast = Ok(reply(409, "5\n"));
    assert_eq!(office.answered(0, &request, boast), Next::Refused);
    drop(office);
    let office = ground.office(&[7], false);
    office.open(None);
    assert!(matches!(fault(&office), Some(HostFault::RolledBack { .. })));
}
