//! The notary and a small witness that keeps the rules of its protocol.

use super::super::super::checkpoint::Origin;
use super::super::super::merkle::verify_consistency;
use super::super::super::witness::{Memory, WitnessAnswer, WitnessRequest};
use super::*;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use proptest::prelude::*;

/// A witness of one log, as the protocol describes it. It reads requests on its own.
pub(super) struct Witness {
    key: TestKey,
    log: VerifierKey,
    seen: (u64, Hash),
    time: u64,
}

impl Witness {
    pub(super) fn of(notary: &Notary) -> Self {
        Self {
            key: TestKey::new(77),
            log: notary.key(),
            seen: (0, empty_root()),
            time: 1_700_000_000,
        }
    }

    pub(super) fn verifier(&self) -> VerifierKey {
        self.key.witness_key(NAME)
    }

    /// The status and body of its answer.
    fn answer(&mut self, body: &str) -> (u16, String) {
        let (head, note) = body.split_once("\n\n").unwrap();
        let mut lines = head.split('\n');
        let old: u64 = lines
            .next()
            .unwrap()
            .strip_prefix("old ")
            .unwrap()
            .parse()
            .unwrap();
        let hash = |line: &str| -> Hash { BASE64.decode(line).unwrap().try_into().unwrap() };
        let proof: Vec<Hash> = lines.map(hash).collect();
        let point = SignedCheckpoint::parse(note.as_bytes()).unwrap();
        let new = point.checkpoint();
        if new.origin.key_name() != *self.log.name() {
            return (404, String::new());
        }
        let trust = Trust {
            log: vec![self.log.clone()],
            witnesses: Vec::new(),
            check,
        };
        if point.verify(&trust).is_err() {
            return (403, String::new());
        }
        if old > new.size {
            return (400, String::new());
        }
        if old != self.seen.0 {
            return (409, format!("{}\n", self.seen.0));
        }
        if old == new.size && new.root != self.seen.1 {
            return (409, String::new());
        }
        let (seen, new) = ((old, &self.seen.1), (new.size, &new.root));
        if verify_consistency(seen, new, &proof).is_err() {
            return (422, String::new());
        }
        self.seen = (new.0, *new.1);
        self.time += 1;
        let (_, line) = self.key.cosign(NAME, self.time, point.note().text());
        (200, line.to_string())
    }

    /// Asks it, and lets the notary have its word.
    pub(super) fn ask(&mut self, notary: &mut Notary, old: u64) -> WitnessAnswer {
        let request = notary.request(old).unwrap().unwrap();
        let answer = self.hear(&request);
        if let WitnessAnswer::Cosigned(word) = answer.clone() {
            notary.accept(&request, word).unwrap();
        }
        answer
    }

    pub(super) fn hear(&mut self, request: &WitnessRequest) -> WitnessAnswer {
        let (status, body) = self.answer(&request.body);
        request.read_answer(&self.verifier(), check, status, body.as_bytes())
    }
}

const NAME: &str = "witness.example/w1";

pub(super) fn cosigned(answer: &WitnessAnswer) -> bool {
    matches!(answer, WitnessAnswer::Cosigned(_))
}

#[test]
fn a_witness_follows_the_log() {
    let mut house = House::new();
    let mut witness = Witness::of(house.notary());
    assert!(cosigned(&witness.ask(house.notary(), 0)), "the empty log");
    for step in 0..6 {
        house.grow(["acme", "globex"][step % 2], step + 1);
        house.grow("initech", 1);
        house.publish().unwrap();
        let old = house.notary().witnessed_size(&witness.verifier());
        assert!(cosigned(&witness.ask(house.notary(), old)));
        // Its word is kept over a restart and shown with the checkpoint.
        house.reopen(&[1]);
        for chain in ["acme", "initech"] {
            house.catch_up(chain);
        }
        let witnessed: Vec<_> = house.notary().witnessed().collect();
        assert_eq!(witnessed[0].size, house.notary().head().size);
        assert_eq!(witnessed[0].time, witness.time);
        let mut trust = house.trust();
        trust.witnesses.push(witness.verifier());
        let names = house
            .notary()
            .checkpoint()
            .unwrap()
            .verify(&trust)
            .unwrap()
            .witnesses;
        assert_eq!(names, [(KeyName::parse(NAME).unwrap(), witness.time)]);
        let proven = house
            .notary()
            .bundle("acme")
            .unwrap()
            .verify(&trust)
            .unwrap();
        assert_eq!(proven.witnesses, names);
    }
    // The same again is cosigned again, with a new time.
    let old = house.notary().head().size;
    assert!(cosigned(&witness.ask(house.notary(), old)));
    assert_eq!(
        house.notary().witnessed().next().unwrap().time,
        witness.time
    );
}

#[test]
fn a_bundle_bears_the_checkpoint_that_a_witness_has_seen() {
    let mut house = House::new();
    let mut witness = Witness::of(house.notary());
    house.grow("acme", 1);
    house.publish().unwrap();
    assert!(cosigned(&witness.ask(house.notary(), 0)));
    house.grow("globex", 1);
    house.publish().unwrap();
    let mut trust = house.trust();
    trust.witnesses.push(witness.verifier());
    let sizes = |house: &mut House| -> Vec<(u64, usize)> {
        let proven = |chain: &str, house: &mut House| {
            let proven = house
                .notary()
                .bundle(chain)
                .unwrap()
                .verify(&trust)
                .unwrap();
            (proven.host_size, proven.witnesses.len())
        };
        ["acme", "globex"]
            .map(|chain| proven(chain, house))
            .to_vec()
    };
    assert_eq!(sizes(&mut house), [(1, 1), (2, 0)]);
    house.reopen(&[1]);
    assert_eq!(sizes(&mut house), [(1, 1), (2, 0)]);
    assert!(cosigned(&witness.ask(house.notary(), 1)));
    assert_eq!(sizes(&mut house), [(2, 1), (2, 1)]);
    assert_eq!(house.notary().checkpoints.len(), 1);
}

#[test]
fn a_witness_says_how_much_it_knows() {
    let mut house = House::new();
    let mut witness = Witness::of(house.notary());
    house.grow("acme", 1);
    house.publish().unwrap();
    assert!(cosigned(&witness.ask(house.notary(), 0)));
    house.grow("acme", 1);
    house.publish().unwrap();
    let knows = witness.ask(house.notary(), 0);
    assert_eq!(knows, WitnessAnswer::Knows { size: 1 });
    assert_eq!(
        Memory::compare(house.notary().head().size, 1),
        Memory::Known
    );
    assert!(cosigned(&witness.ask(house.notary(), 1)));
}

/// An operator puts back yesterday's data directory, and today's alerts go on from there.
#[test]
fn a_log_that_was_rolled_back_is_known_by_its_witness() {
    let mut house = House::new();
    let mut witness = Witness::of(house.notary());
    house.grow("acme", 1);
    house.publish().unwrap();
    let other = tempfile::tempdir().unwrap();
    house.notary().back_up(&other.path().join("proof")).unwrap();
    house.grow("globex", 1);
    house.grow("acme", 1);
    house.publish().unwrap();
    assert!(cosigned(&witness.ask(house.notary(), 0)));
    let origin = house.notary().head().origin;

    let mut house = House {
        folder: other,
        notary: None,
        ..house
    };
    house.reopen(&[1]);
    house.lines.get_mut("acme").unwrap().truncate(1);
    let knows = witness.ask(house.notary(), 0);
    assert_eq!(knows, WitnessAnswer::Knows { size: 3 });
    let rolled_back = Memory::RolledBack { local: 1, seen: 3 };
    assert_eq!(Memory::compare(house.notary().head().size, 3), rolled_back);
    assert_eq!(house.notary().request(3).unwrap(), None);
    // Grown to the same size it is another log, and so it is when it has grown further.
    house.grow("umbrella", 1);
    house.grow("initech", 1);
    house.publish().unwrap();
    assert_eq!(witness.ask(house.notary(), 3), WitnessAnswer::Forked);
    house.grow("umbrella", 1);
    house.publish().unwrap();
    assert_eq!(witness.ask(house.notary(), 3), WitnessAnswer::Forked);

    let mut trust = house.trust();
    let now_ms = house.now_ms;
    let rebased = house.notary().rebase([], 3, now_ms).unwrap();
    assert_eq!(rebased.before, origin);
    assert_eq!(rebased.after, Origin::host(house.notary().deployment()));
    assert_ne!(rebased.before, rebased.after);
    trust.follow(&rebased.statement.to_string()).unwrap();
    assert!(house.notary().checkpoint().is_none());
    assert!(matches!(
        house.notary().bundle("acme"),
        Err(NotaryError::NoChain(_))
    ));
    // The new log begins with everything, over a restart too.
    house.reopen(&[1]);
    assert_eq!(house.notary().changed(), 3);
    assert_eq!(house.publish().unwrap().checkpoint().size, 3);
    assert_eq!(witness.ask(house.notary(), 0), WitnessAnswer::UnknownLog);
    let mut witness = Witness::of(house.notary());
    assert!(cosigned(&witness.ask(house.notary(), 0)));
    house
        .notary()
        .bundle("acme")
        .unwrap()
        .verify(&trust)
        .unwrap();
}

#[test]
fn a_rebase_is_whole_in_the_same_process_too() {
    let mut house = House::new();
    house.grow("acme", 2);
    house.publish().unwrap();
    house.grow("acme", 1);
    let now_ms = house.now_ms;
    house.notary().rebase([], 9, now_ms).unwrap();
    assert_eq!(house.notary().behind("acme"), 3);
    house.publish().unwrap();
    let trust = house.trust();
    let proven = house
        .notary()
        .bundle("acme")
        .unwrap()
        .verify(&trust)
        .unwrap();
    assert_eq!(proven.size, 3);
    assert_eq!(house.notary().keys().len(), 2);
}

#[test]
fn only_the_witness_itself_gives_its_word() {
    let mut house = House::new();
    let mut witness = Witness::of(house.notary());
    house.grow("acme", 1);
    house.publish().unwrap();
    let request = house.notary().request(0).unwrap().unwrap();
    let (status, good) = witness.answer(&request.body);
    let read = |status: u16, body: &str| {
        request.read_answer(&witness.verifier(), check, status, body.as_bytes())
    };
    assert!(cosigned(&read(status, &good)));
    let (_, strange) = TestKey::new(5).cosign(NAME, 1, request.checkpoint.note().text());
    let (_, other) = witness.key.cosign(NAME, 1, "another text\n");
    assert!(cosigned(&read(200, &format!("{strange}{good}"))));
    for body in [
        strange.to_string(),
        other.to_string(),
        String::new(),
        "ok\n".to_owned(),
        good.trim().to_owned(),
    ] {
        assert_eq!(
            read(200, &body),
            WitnessAnswer::Unusable { status: 200 },
            "{body}"
        );
    }
    assert_eq!(
        read(200, &"x".repeat(1 << 20)),
        WitnessAnswer::Unusable { status: 200 }
    );
    for (status, body, answer) in [
        (400, "", WitnessAnswer::Unusable { status: 400 }),
        (403, "", WitnessAnswer::UnknownKey),
        (404, "", WitnessAnswer::UnknownLog),
        (409, "17\n", WitnessAnswer::Knows { size: 17 }),
        (409, "17", WitnessAnswer::Unusable { status: 409 }),
        (409, "017\n", WitnessAnswer::Unusable { status: 409 }),
        (409, "-1\n", WitnessAnswer::Unusable { status: 409 }),
        (
            409,
            "99999999999999999999\n",
            WitnessAnswer::Unusable { status: 409 },
        ),
        // It knows nothing, was told so, and says it is a conflict.
        (409, "0\n", WitnessAnswer::Unusable { status: 409 }),
        (409, "", WitnessAnswer::Unusable { status: 409 }),
        (422, "", WitnessAnswer::Forked),
        (500, "", WitnessAnswer::Unusable { status: 500 }),
        (302, "", WitnessAnswer::Unusable { status: 302 }),
    ] {
        assert_eq!(read(status, body), answer, "{status} {body:?}");
    }
}

#[test]
fn an_older_word_does_not_replace_a_newer_one() {
    let mut house = House::new();
    let mut witness = Witness::of(house.notary());
    house.grow("acme", 1);
    house.publish().unwrap();
    let early = house.notary().request(0).unwrap().unwrap();
    let WitnessAnswer::Cosigned(word) = witness.hear(&early) else {
        panic!("refused")
    };
    house.grow("acme", 1);
    house.publish().unwrap();
    assert!(cosigned(&witness.ask(house.notary(), 1)));
    // The first answer was on its way for long.
    house.notary().accept(&early, word.clone()).unwrap();
    assert_eq!(house.notary().witnessed_size(&witness.verifier()), 2);
    let now_ms = house.now_ms;
    house.notary().rebase([], 5, now_ms).unwrap();
    house.notary().accept(&early, word).unwrap();
    assert_eq!(house.notary().witnessed().count(), 0);
}

proptest! {
    /// A witness's answers are hostile bytes.
    #[test]
    fn no_answer_makes_a_panic(status in prop_oneof![Just(200_u16), Just(409), any::<u16>()],
        body in prop_oneof![prop::collection::vec(any::<u8>(), 0..99), "[0-9]{0,22}\n?".prop_map(String::into_bytes)]) {
        static REQUEST: std::sync::OnceLock<WitnessRequest> = std::sync::OnceLock::new();
        let request = REQUEST.get_or_init(|| {
            let mut house = House::new();
            house.grow("acme", 1);
            house.publish().unwrap();
            house.notary().request(0).unwrap().unwrap()
        });
        let key = TestKey::new(77).witness_key(NAME);
        prop_assert!(!cosigned(&request.read_answer(&key, check, status, &body)));
    }
}
