//! Chains that are not what they were when they were signed, or shown, last: found before anything more is signed.

use std::{fs, process::Command};

use vyrox_journal::proof::Standing;

use super::*;
use crate::integrity::ChainFault;

/// Two journals that are the same up to their host's chain's first entry. What is written to them is not.
fn twins() -> (Ground, Ground) {
    let first = Ground::new();
    first.journal.close().unwrap();
    let Ground { dir, journal, .. } = first;
    drop(journal);
    let other = TempDir::new().unwrap();
    let copied = Command::new("cp")
        .arg("-a")
        .args([dir.path().join("journal"), other.path().join("journal")])
        .status();
    assert!(copied.unwrap().success());
    (Ground::on(dir), Ground::on(other))
}

impl Ground {
    fn write_all(&self, entries: usize) {
        (0..entries).for_each(|_| self.write());
    }

    fn wait(&self, ms: u64) {
        self.clock.0.fetch_add(ms, Ordering::AcqRel);
    }
}

/// How the chain stands to what is signed of it, line by line.
fn standing(office: &Office) -> Standing {
    let desk = office.desk();
    let mut check = desk
        .notary
        .as_ref()
        .unwrap()
        .lines_check(HOST_CHAIN)
        .unwrap();
    for line in office.parts.journal.read(HOST_CHAIN, 0, None).unwrap() {
        check.push(&line.unwrap().bytes);
    }
    check.finish()
}

fn chain_fault(office: &Office) -> Option<ChainFault> {
    let findings = office.parts.integrity.findings();
    findings.chains.get(HOST_CHAIN).cloned()
}

/// The log did not open at the start, and came back while the server ran: a chain that had been written anew meanwhile
/// was signed over before anybody looked, and then it was what was signed of it.
#[test]
fn chains_are_looked_at_before_a_log_that_comes_back_signs_anything() {
    let (ground, forged) = twins();
    ground.write_all(3);
    let first = ground.office(&[], false);
    let Some(AuditLogChange::Begun(log)) = first.open(None) else {
        panic!("no log began");
    };
    first.finish();
    let store = ground.dir.path().join("proof/proof.redb");
    let good = fs::read(&store).unwrap();
    fs::write(&store, "garbage").unwrap();

    forged.write_all(2);
    let mut office = ground.office(&[], false);
    office.parts.journal = Arc::clone(&forged.journal) as Arc<dyn Journal>;
    assert_eq!(office.open(Some(log)), None);
    assert!(matches!(fault(&office), Some(HostFault::Unusable(_))));
    assert!(!office.check(), "there is nothing to look at");
    forged.write_all(3);
    fs::write(&store, good).unwrap();
    ground.wait(1000);
    office.tend();
    assert_eq!(fault(&office), None);
    let fork = ChainFault::Forked { signed: 4, have: 6 };
    assert_eq!(chain_fault(&office), Some(fork));
    for _ in 0..3 {
        forged.write();
        ground.wait(1000);
        office.tend();
    }
    assert_eq!(size(&office), 1, "nothing more was signed");
    assert_eq!(standing(&office), Standing::Differs { size: 4 });
    assert!(matches!(
        chain_fault(&office),
        Some(ChainFault::Forked { signed: 4, .. })
    ));
}

/// Entries were shown while a witness was silent, and lost before they were signed: what was signed then was a tree of
/// them and of those that came in their place, or more than the chain had.
#[test]
fn entries_that_were_lost_before_they_were_signed_are_never_signed() {
    for later in [2, 5] {
        let (ground, other) = twins();
        let mut office = ground.signed(&[7], false);
        ground.write_all(3);
        sign_on(&office);
        assert_eq!(size(&office), 1, "it waits for the witness");
        office.parts.journal = Arc::clone(&other.journal) as Arc<dyn Journal>;
        assert!(office.check());
        other.write_all(later);
        let request = office.request(0).unwrap().unwrap();
        assert_eq!(
            office.answered(0, &request, Ok(word(7, &request))),
            Next::Cosigned
        );
        ground.wait(1000);
        office.tend();
        assert_eq!(standing(&office), Standing::Same { further: 0 });
        assert!(office.check());
        assert!(office.parts.integrity.findings().is_whole());
    }
}

/// The same, and nobody looked at the chain in between.
#[test]
fn an_entry_that_does_not_follow_what_was_shown_has_the_chain_read_anew() {
    let (ground, other) = twins();
    let mut office = ground.signed(&[7], false);
    ground.write_all(3);
    sign_on(&office);
    office.parts.journal = Arc::clone(&other.journal) as Arc<dyn Journal>;
    other.write_all(5);
    let request = office.request(0).unwrap().unwrap();
    office.answered(0, &request, Ok(word(7, &request)));
    for _ in 0..2 {
        office.read_on();
    }
    office.publish();
    assert_eq!(standing(&office), Standing::Same { further: 0 });
}
