//! The office and its witnesses, without a network: requests go from hand to hand.

mod accused;
mod empty;
mod late;
mod reopened;
mod rotation;
mod troubled;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::channel,
    },
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tempfile::TempDir;
use vyrox_domain::{
    host_protocol::{AuditLogChange, HostEvent},
    ids::HOST_CHAIN,
    log_key::LogKey,
    protocol::ChainOpened,
    time::Timestamp,
};
use vyrox_journal::{
    Append, Class, Journal, LocalJournal, Options,
    proof::{
        KeyName, Signer, VerifierKey, WitnessRequest,
        note::{Algorithm, NoteSignature, cosignature_message},
    },
};

use super::{
    LogKeys, LogSigner, Office, OfficeParts, Witness, WitnessReply, WitnessState, Witnessing,
    witnessing::Next,
};
use crate::{
    draft::draft,
    integrity::{HostFault, Integrity},
    ports::{Clock, opaque_id},
};

const DEADLINE: Duration = Duration::from_mins(1);
const START_MS: u64 = 1_700_000_000_000;

struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::Acquire))
    }
}

fn signer(seed: u8) -> LogSigner {
    LogSigner(LogKey::from_seed(&[seed; 32]))
}

/// Two keys; the second one is the next.
struct TwoKeys;

impl LogKeys for TwoKeys {
    fn load(&self) -> io::Result<Vec<Arc<dyn Signer>>> {
        Ok(vec![Arc::new(signer(1)), Arc::new(signer(2))])
    }

    fn make(&self) -> io::Result<Arc<dyn Signer>> {
        Ok(Arc::new(signer(2)))
    }

    fn settle(&self, _in_force: &[u8; 32]) -> io::Result<()> {
        Ok(())
    }
}

/// A witness whose answers the test makes.
struct Stub(VerifierKey);

impl Witness for Stub {
    fn key(&self) -> &VerifierKey {
        &self.0
    }

    fn add_checkpoint(&self, _body: String) -> BoxFuture<'static, Result<WitnessReply, String>> {
        async { Err("nobody calls".to_owned()) }.boxed()
    }
}

fn witness(seed: u8) -> VerifierKey {
    let name = KeyName::parse(&format!("witness-{seed}")).unwrap();
    VerifierKey::new(name, Algorithm::CosignatureV1, signer(seed).public_key())
}

/// What witness `seed` says to a request that it likes.
fn word(seed: u8, request: &WitnessRequest) -> WitnessReply {
    word_at(seed, request, START_MS / 1000)
}

fn word_at(seed: u8, request: &WitnessRequest, time: u64) -> WitnessReply {
    let message = cosignature_message(time, request.checkpoint.note().text());
    let signature = signer(seed).sign(&message);
    let bytes = [time.to_be_bytes().as_slice(), &signature].concat();
    let line = NoteSignature::new(&witness(seed), bytes);
    reply(200, &line.to_string())
}

fn reply(status: u16, body: &str) -> WitnessReply {
    WitnessReply {
        status,
        body: body.as_bytes().to_vec(),
    }
}

struct Ground {
    dir: TempDir,
    journal: Arc<LocalJournal>,
    clock: Arc<Hand>,
}

impl Ground {
    fn new() -> Self {
        let ground = Self::on(TempDir::new().unwrap());
        ground.write();
        ground
    }

    /// On what this directory has.
    fn on(dir: TempDir) -> Self {
        let options = Options {
            segment_bytes: 1 << 20,
            ..Options::default()
        };
        let journal = LocalJournal::open(&dir.path().join("journal"), options, None).unwrap();
        Self {
            dir,
            journal: Arc::new(journal),
            clock: Arc::new(Hand(AtomicU64::new(START_MS))),
        }
    }

    /// One more entry of the host's chain.
    fn write(&self) {
        self.write_on(HOST_CHAIN);
    }

    fn write_on(&self, chain: &str) {
        let opened = self.journal.open(chain).unwrap();
        let event = HostEvent::ChainOpened(ChainOpened {
            opaque_id: opaque_id(),
            format_version: 1,
            key_ids: Vec::new(),
            stands_for: None,
        });
        let (tell, told) = channel();
        let append = Append {
            class: Class::Ordinary,
            chain: chain.into(),
            epoch: opened.epoch,
            expected_last: opened.head.map(|head| head.seq),
            drafts: vec![draft(event.entry(self.clock.now()), Vec::new())],
        };
        self.journal
            .append(append, Box::new(move |result| tell.send(result).unwrap()));
        told.recv_timeout(DEADLINE).unwrap().unwrap();
    }

    fn office(&self, witnesses: &[u8], required: bool) -> Office {
        let stubs = witnesses
            .iter()
            .map(|seed| Arc::new(Stub(witness(*seed))) as _);
        Office::new(OfficeParts {
            journal: Arc::clone(&self.journal) as Arc<dyn Journal>,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            integrity: Arc::new(Integrity::unchecked()),
            keys: Arc::new(TwoKeys),
            witnessing: Witnessing {
                witnesses: stubs.collect(),
                required,
                interval_ms: 1000,
            },
            folder: self.dir.path().join("proof"),
            publish_ms: 1,
            check_ms: 1000,
        })
    }

    /// An office over a log that was signed before.
    fn signed(&self, witnesses: &[u8], required: bool) -> Office {
        let first = self.office(&[], false);
        let Some(AuditLogChange::Begun(log)) = first.open(None) else {
            panic!("no log began");
        };
        first.finish();
        let office = self.office(witnesses, required);
        assert_eq!(office.open(Some(log)), None);
        office
    }
}

/// What the notary's thread does all the time.
fn sign_on(office: &Office) {
    office.read_on();
    office.publish();
}

fn fault(office: &Office) -> Option<HostFault> {
    office.parts.integrity.findings().host.clone()
}

fn size(office: &Office) -> u64 {
    let note = office.log().unwrap().checkpoint.unwrap();
    note.lines().nth(1).unwrap().parse().unwrap()
}

#[test]
fn nothing_is_believed_before_each_witness_was_asked_and_nothing_signed() {
    let ground = Ground::new();
    let office = ground.signed(&[7, 8], false);
    let before = size(&office);
    assert_eq!(fault(&office), Some(HostFault::Asking));
    ground.write();
    sign_on(&office);
    assert_eq!(size(&office), before, "no signature yet");
    let request = office.request(0).unwrap().unwrap();
    assert_eq!(
        office.answered(0, &request, Ok(word(7, &request))),
        Next::Cosigned
    );
    assert_eq!(fault(&office), Some(HostFault::Asking));
    let silent = Err("no answer".to_owned());
    assert_eq!(office.answered(1, &request, silent), Next::Refused);
    assert_eq!(fault(&office), None);
    assert_eq!(office.parts.integrity.witnesses().failing(), 1);
    sign_on(&office);
    assert!(size(&office) > before);
}

#[test]
fn one_word_is_enough_where_one_is_needed_and_a_word_under_another_key_is_none() {
    let ground = Ground::new();
    let office = ground.signed(&[7, 8], true);
    let request = office.request(0).unwrap().unwrap();
    assert_eq!(
        office.answered(0, &request, Ok(word(8, &request))),
        Next::Refused
    );
    assert_eq!(
        office.answered(1, &request, Err("down".into())),
        Next::Refused
    );
    assert_eq!(fault(&office), Some(HostFault::Unheard));
    let request = office.request(1).unwrap().unwrap();
    assert_eq!(
        office.answered(1, &request, Ok(word(8, &request))),
        Next::Cosigned
    );
    assert_eq!(fault(&office), None);
    // Later silence takes nothing back.
    assert_eq!(
        office.answered(1, &request, Err("down".into())),
        Next::Refused
    );
    assert_eq!(fault(&office), None);
}

#[test]
fn a_witness_that_has_seen_more_does_not_take_it_back_by_silence() {
    let ground = Ground::new();
    let office = ground.signed(&[7], false);
    let request = office.request(0).unwrap().unwrap();
    let seen = size(&office) + 5;
    let boast = Ok(reply(409, &format!("{seen}\n")));
    assert_eq!(office.answered(0, &request, boast), Next::Refused);
    let rolled_back = |office: &Office| matches!(fault(office), Some(HostFault::RolledBack { seen: more, .. }) if more == seen);
    assert!(rolled_back(&office));
    office.answered(0, &request, Err("down".into()));
    assert!(rolled_back(&office));
    office.check();
    assert!(
        rolled_back(&office),
        "looking at the chains says nothing of it"
    );
    assert!(office.rotate_key(0, "ann".into()).is_err());

    let rebased = office.rebase("restored".into(), "ann".into()).unwrap();
    assert!(
        rebased
            .statement
            .clone()
            .unwrap()
            .contains(&format!("\nseen {seen}\n"))
    );
    assert!(rolled_back(&office), "until it is written down");
    // What is still on its way is about a log that is no more.
    let late = Ok(word(7, &request));
    assert_eq!(office.answered(0, &request, late), Next::Again);
    office.accept(&rebased);
    assert_eq!(fault(&office), None);
}

#[test]
fn a_proof_that_leads_nowhere_is_made_anew_once() {
    let ground = Ground::new();
    let office = ground.signed(&[7], false);
    let request = office.request(0).unwrap().unwrap();
    office.answered(0, &request, Ok(word(7, &request)));
    ground.write();
    sign_on(&office);
    let request = office.request(0).unwrap().unwrap();
    assert!(request.old > 0);
    let refused = || Ok(reply(422, ""));
    assert_eq!(office.answered(0, &request, refused()), Next::Again);
    assert_eq!(fault(&office), None);
    assert_eq!(office.answered(0, &request, refused()), Next::Refused);
    assert!(matches!(
        fault(&office),
        Some(HostFault::Contradicted { .. })
    ));
    // Its own signature under what is here is worth more than its refusals.
    assert_eq!(
        office.answered(0, &request, Ok(word(7, &request))),
        Next::Cosigned
    );
    assert_eq!(fault(&office), None);
}

/// Hashes were made anew once as long as the log was open: when they turned bad again a week later, the witness
/// that could not follow them was taken for one that has seen another log.
#[test]
fn after_a_good_word_a_proof_that_leads_nowhere_is_made_anew_again() {
    let ground = Ground::new();
    let office = ground.signed(&[7], false);
    for round in 0..2 {
        let request = office.request(0).unwrap().unwrap();
        office.answered(0, &request, Ok(word(7, &request)));
        ground.write();
        sign_on(&office);
        let request = office.request(0).unwrap().unwrap();
        let refused = Ok(reply(422, ""));
        let next = office.answered(0, &request, refused);
        assert_eq!((next, fault(&office)), (Next::Again, None), "{round}");
    }
}

#[test]
fn a_smaller_size_is_no_accusation_and_the_next_question_begins_there() {
    let ground = Ground::new();
    let office = ground.signed(&[7], false);
    let request = office.request(0).unwrap().unwrap();
    assert_eq!(request.old, 0);
    let knows = |size: u64| Ok(reply(409, &format!("{size}\n")));
    let newest = size(&office);
    assert_eq!(office.answered(0, &request, knows(newest)), Next::Again);
    assert_eq!(office.request(0).unwrap().unwrap().old, newest);
    for odd in ["", "-1\n", "1", "01\n", "x\n"] {
        assert_eq!(
            office.answered(0, &request, Ok(reply(409, odd))),
            Next::Refused,
            "{odd:?}"
        );
        let view = office.parts.integrity.witnesses();
        assert!(
            matches!(view.witnesses[0].state, WitnessState::Failing(_)),
            "{odd:?}"
        );
    }
}

/// A process ended after the log had another key and before the host's chain had it.
#[test]
fn a_rotation_that_was_not_written_down_is_found_by_the_next_start() {
    let ground = Ground::new();
    let office = ground.office(&[], false);
    let Some(AuditLogChange::Begun(before)) = office.open(None) else {
        panic!("no log began");
    };
    let rotated = office.rotate_key(5000, "ann".into()).unwrap();
    assert_eq!(rotated.before, before);
    office.finish();
    let office = ground.office(&[], false);
    let Some(AuditLogChange::Rotated(found)) = office.open(Some(before)) else {
        panic!("nothing was found");
    };
    assert_eq!(found.by, "system");
    assert_eq!(
        (found.after.clone(), found.statement),
        (rotated.after.clone(), rotated.statement)
    );
    assert_eq!(found.until_ms, Some(START_MS + 5000));
    office.finish();
    assert_eq!(ground.office(&[], false).open(Some(rotated.after)), None);
}
