//! Questions and answers where something is wrong: old words, damaged files, witnesses that come to no end.

use std::{fs, path::PathBuf};

use super::{super::asking::ask, *};
use crate::integrity::ChainFault;

/// A witness that never answers.
struct Mute(VerifierKey);

impl Witness for Mute {
    fn key(&self) -> &VerifierKey {
        &self.0
    }

    fn add_checkpoint(&self, _body: String) -> BoxFuture<'static, Result<WitnessReply, String>> {
        std::future::pending().boxed()
    }
}

impl Ground {
    pub(super) fn file(&self, kind: &str) -> PathBuf {
        let files = fs::read_dir(self.dir.path().join("proof")).unwrap();
        let mut paths = files.map(|file| file.unwrap().path());
        let is_it = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(&format!("{kind}-"))
        };
        paths.find(is_it).unwrap()
    }

    /// An office whose witness has cosigned a log that has grown since, so that a question needs a proof.
    fn grown(&self) -> Office {
        let office = self.signed(&[7], false);
        for _ in 0..3 {
            let request = office.request(0).unwrap().unwrap();
            let cosigned = office.answered(0, &request, Ok(word(7, &request)));
            assert_eq!(cosigned, Next::Cosigned);
            self.write();
            sign_on(&office);
        }
        office
    }
}

fn state(office: &Office) -> WitnessState {
    office.parts.integrity.witnesses().witnesses[0]
        .state
        .clone()
}

fn empty(path: PathBuf) {
    fs::write(path, []).unwrap();
}

/// Containment of all waited for a witness as long as that liked.
#[tokio::test(start_paused = true)]
async fn the_first_question_ends_whatever_the_witness_does() {
    let ground = Ground::new();
    let mut office = ground.signed(&[7], false);
    office.parts.witnessing.witnesses = vec![Arc::new(Mute(witness(7)))];
    let office = Arc::new(office);
    assert_eq!(fault(&office), Some(HostFault::Asking));
    let asked = tokio::time::timeout(DEADLINE, ask(Arc::clone(&office), 0)).await;
    assert_eq!(asked.unwrap(), Some(Next::Refused));
    assert!(matches!(state(&office), WitnessState::Failing(_)));
    assert_eq!(fault(&office), None);
}

/// A log was turned back, and a word of that time that somebody had kept was believed.
#[test]
fn an_old_word_is_no_answer_and_neither_is_one_from_the_future() {
    let ground = Ground::new();
    let office = ground.signed(&[7], true);
    let request = office.request(0).unwrap().unwrap();
    let now = START_MS / 1000;
    for time in [now - 301, now + 301, 1] {
        let old = Ok(word_at(7, &request, time));
        assert_eq!(office.answered(0, &request, old), Next::Refused, "{time}");
        assert!(matches!(state(&office), WitnessState::Failing(why) if why.contains("5 minutes")));
        assert_eq!(fault(&office), Some(HostFault::Unheard));
    }
    let fresh = Ok(word_at(7, &request, now - 299));
    assert_eq!(office.answered(0, &request, fresh), Next::Cosigned);
    assert_eq!(fault(&office), None);
}

/// Hashes that could not be read left the witnesses being asked for ever, and said so four times a second.
#[test]
fn hashes_that_cannot_be_read_are_made_anew_once() {
    let ground = Ground::new();
    let office = ground.grown();
    empty(ground.file("hashes"));
    let request = office.request(0).unwrap().unwrap();
    assert!(request.old > 0);
    empty(ground.file("hashes"));
    assert_eq!(office.request(0), Err(Next::Refused));
    assert!(matches!(state(&office), WitnessState::Failing(_)));
    assert_eq!(
        fault(&office),
        None,
        "nobody waits for what cannot be asked"
    );
}

/// A witness refused a proof, the hashes could not be made anew, and it counted as one that says nothing.
#[test]
fn a_refused_proof_that_cannot_be_made_anew_is_an_accusation() {
    let ground = Ground::new();
    let office = ground.grown();
    let request = office.request(0).unwrap().unwrap();
    assert!(request.old > 0);
    empty(ground.file("leaves"));
    let refused = Ok(reply(422, ""));
    assert_eq!(office.answered(0, &request, refused), Next::Refused);
    assert!(matches!(
        fault(&office),
        Some(HostFault::Contradicted { .. })
    ));
}

/// A server that had run for more than a day was not ready after a rebase, though nobody had been asked yet.
#[test]
fn the_day_that_witnesses_have_begins_anew_with_a_rebase() {
    let ground = Ground::new();
    let office = ground.signed(&[7], true);
    let request = office.request(0).unwrap().unwrap();
    let boast = Ok(reply(409, "999\n"));
    assert_eq!(office.answered(0, &request, boast), Next::Refused);
    let later = START_MS + 2 * super::super::witness::SILENT_MS;
    ground.clock.0.store(later, Ordering::Release);
    assert!(office.parts.integrity.witnesses().is_silent(later));
    let rebased = office.rebase("restored".into(), "ann".into()).unwrap();
    office.accept(&rebased);
    assert!(!office.parts.integrity.witnesses().is_silent(later));
}

/// A rebase that could not be written left a log that took nothing more, and while a witness accused it nothing
/// opened it anew: no other rebase was possible before a restart.
#[test]
fn a_rebase_that_failed_can_be_ordered_again() {
    let ground = Ground::new();
    let office = ground.signed(&[7], false);
    let request = office.request(0).unwrap().unwrap();
    let boast = Ok(reply(409, "999\n"));
    assert_eq!(office.answered(0, &request, boast), Next::Refused);
    fs::remove_dir_all(ground.dir.path().join("proof")).unwrap();
    let order = || office.rebase("restored".into(), "ann".into());
    order().unwrap_err();
    office.tend();
    assert_eq!(fault(&office), Some(HostFault::Lost));
    let rebased = order().unwrap();
    office.accept(&rebased);
    assert_eq!(fault(&office), None);
}

/// A log that could not keep what a witness said takes nothing more. While the witness accused it nobody looked,
/// as nothing is signed then: its word could not be kept either, and containment was barred until a restart.
#[test]
fn a_log_that_failed_while_it_is_accused_is_opened_anew() {
    let ground = Ground::new();
    let office = ground.signed(&[7], false);
    let request = office.request(0).unwrap().unwrap();
    let boast = Ok(reply(409, "999\n"));
    assert_eq!(office.answered(0, &request, boast), Next::Refused);
    let accused = fault(&office);
    assert!(matches!(accused, Some(HostFault::RolledBack { .. })));
    let proof = ground.dir.path().join("proof");
    let away = proof.with_extension("away");
    fs::rename(&proof, &away).unwrap();
    // A rebase makes files, and there is no place for them.
    let mut desk = office.desk();
    let notary = desk.notary.as_mut().unwrap();
    notary.rebase([], 999, START_MS).unwrap_err();
    drop(desk);
    fs::rename(&away, &proof).unwrap();
    let answer = || office.answered(0, &request, Ok(word(7, &request)));
    assert_eq!(answer(), Next::Refused);
    assert_eq!(fault(&office), accused);
    ground.clock.0.store(START_MS + 1000, Ordering::Release);
    office.tend();
    assert_eq!(fault(&office), accused);
    assert_eq!(answer(), Next::Cosigned);
    assert_eq!(fault(&office), None);
}

/// A rebase that could not be written down barred containment until a restart, and a second one would have told of
/// a log before it that nobody knew.
#[test]
fn a_rebase_that_waits_for_its_entry_is_the_one_that_is_ordered_again() {
    let ground = Ground::new();
    let office = ground.signed(&[7], false);
    let request = office.request(0).unwrap().unwrap();
    let boast = Ok(reply(409, "999\n"));
    assert_eq!(office.answered(0, &request, boast), Next::Refused);
    let first = office.rebase("restored".into(), "ann".into()).unwrap();
    let second = office.rebase("restored it".into(), "bob".into()).unwrap();
    assert_eq!(second, first);
    assert_eq!(office.rebasing(), Some(first));
    office.check();
    assert!(fault(&office).is_some(), "until it is written down");
    office.accept(&second);
    assert_eq!((fault(&office), office.rebasing()), (None, None));
}

/// A chain that stood in could be taken away whole, with the alerts that were acknowledged on it.
#[test]
fn a_stand_in_that_is_gone_is_a_fault() {
    let ground = Ground::new();
    ground.write_on("acme+held-7");
    let first = ground.office(&[], false);
    let Some(AuditLogChange::Begun(log)) = first.open(None) else {
        panic!("no log began");
    };
    first.finish();
    let mut bare = Ground::new();
    let _its_own = std::mem::replace(&mut bare.dir, ground.dir);
    let office = bare.office(&[], false);
    office.open(Some(log));
    let findings = office.parts.integrity.findings();
    let gone = findings.chains.get("acme+held-7");
    let truncated = ChainFault::Truncated { signed: 1, have: 0 };
    assert_eq!(gone, Some(&truncated), "{findings:?}");
}
