pub(crate) mod bad;
mod let_go;
mod snapshot;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, atomic::Ordering},
};

use serde_json::{Value, json};
use uuid::Uuid;
use vyrox_domain::{
    digest::Digest,
    host_protocol::RepairOrdered,
    ids::TenantId,
    protocol::{Event, Evidence, EvidenceKind, IntakeRejected},
    time::Timestamp,
    vendor::Vendor,
};
use vyrox_journal::{Append, Class, Journal, JournalError};

use self::bad::Bad;
use crate::{
    draft::draft,
    loading::{LoadError, load, load_for_intake},
    ports::World,
    registry::tests::house::{Lasting, SetClock, world},
};

/// A tenant whose chain is repaired, and the chains that stood in for it.
struct Ground {
    bad: Arc<Bad>,
    world: World,
    lasting: Lasting,
}

impl Ground {
    fn new() -> Self {
        let lasting = Lasting::new();
        let bad = Arc::new(Bad::new(Arc::clone(&lasting.journal)));
        let world = World {
            journal: Arc::clone(&bad) as Arc<dyn Journal>,
            ..world(&lasting, &Arc::<SetClock>::default())
        };
        Self {
            bad,
            world,
            lasting,
        }
    }

    /// Bodies that are kept on a chain from its beginning on, at these moments.
    fn keep(&self, chain: &str, bodies: &[(u64, Option<u64>)]) {
        let journal = &self.lasting.journal;
        let opened = journal.open(chain).unwrap();
        let drafts = bodies.iter().map(|(at, at_seq)| {
            let attached = at_seq
                .is_none()
                .then(|| format!("{chain} {at}").into_bytes());
            let event = Event::IntakeRejected(rejected(chain, (*at, *at_seq)));
            let entry = event.entry(Timestamp::from_ms(*at));
            draft(entry, attached.into_iter().collect())
        });
        let (tell, told) = std::sync::mpsc::channel();
        let append = Append {
            class: Class::Ordinary,
            chain: chain.into(),
            epoch: opened.epoch,
            expected_last: opened.head.map(|head| head.seq),
            drafts: drafts.collect(),
        };
        journal.append(append, Box::new(move |answer| tell.send(answer).unwrap()));
        told.recv().unwrap().unwrap();
    }

    /// The tenant's chain: of each entry its event and whatever of it matters here.
    fn chain(&self) -> Vec<Value> {
        let lines = self.lasting.journal.read("acme", 0, None).unwrap();
        let entries = lines.map(|line| {
            let entry: Value = serde_json::from_slice(&line.unwrap().bytes).unwrap();
            let (event, facts) = (&entry["event"], &entry["payload"]);
            match event.as_str() {
                Some("journal.repaired") => {
                    let held = facts["held"].as_array().unwrap().iter();
                    let held = held.map(|one| json!([one["chain"], one["waiting"]]));
                    json!([event, held.collect::<Vec<_>>()])
                }
                Some("intake.rejected") => {
                    let receipt = &facts["held_receipt"];
                    json!([receipt["chain"], receipt["seq"], receipt["evidence_lost"]])
                }
                _ => json!([event, facts]),
            }
        });
        entries.collect()
    }

    fn load(&self, order: &RepairOrdered) -> Result<(), LoadError> {
        load(&self.world, &acme(), Some(order)).map(drop)
    }
}

fn rejected(chain: &str, (at, at_seq): (u64, Option<u64>)) -> IntakeRejected {
    let body = format!("{chain} {at}");
    IntakeRejected {
        vendor: Vendor::Generic,
        detail: "no known shape".into(),
        reason: None,
        vendor_alert_ids: Vec::new(),
        evidence: vec![Evidence {
            kind: EvidenceKind::Raw,
            sha256: Digest::of(body.as_bytes()),
            length: body.len() as u64,
            at_seq,
        }],
        held_receipt: None,
    }
}

fn acme() -> TenantId {
    "acme".parse().unwrap()
}

fn order(id: u128, stood_in: &[&str]) -> RepairOrdered {
    RepairOrdered {
        tenant_id: acme(),
        repair_id: Uuid::from_u128(id),
        from_seq: 0,
        lines: None,
        restored_to: None,
        stood_in: stood_in.iter().map(ToString::to_string).collect(),
        loss_accepted: true,
        by: "api_token:bootstrap".into(),
    }
}

const ONE: &str = "acme+held-9";
const TWO: &str = "acme+held-12";

/// The chain was held again, and lost the repair before with all that it had taken over: the new order names
/// only the chain that stood in since, and the alerts of the one before were nobody's any more.
#[test]
fn what_an_earlier_repair_took_over_and_the_chain_lost_is_taken_over_again() {
    let ground = Ground::new();
    ground.keep(ONE, &[(5, None), (6, None)]);
    ground.keep(TWO, &[(8, None)]);
    // Another tenant's, and one whose name only begins alike.
    ground.keep("acme-2+held-1", &[(1, None)]);
    let again = order(2, &[TWO]);
    ground.load(&again).unwrap();
    let whole = [
        json!(["journal.repaired", [[ONE, 2], [TWO, 1]]]),
        json!([ONE, 0, null]),
        json!([ONE, 1, null]),
        json!([TWO, 0, null]),
    ];
    assert_eq!(ground.chain(), whole);
    ground.load(&again).unwrap();
    assert_eq!(ground.chain(), whole, "once is enough");
    // A further repair has nothing of these to take over.
    ground.load(&order(3, &[])).unwrap();
    assert_eq!(ground.chain()[4..], [json!(["journal.repaired", []])]);
    let gone = ground.lasting.journal.evidence(ONE, 0);
    assert!(matches!(gone, Err(JournalError::Erased { .. })), "{gone:?}");
}

/// One bad byte on a chain that stood in made every load fail: the tenant was suspended, and its intake was
/// too, for it mends the chain as well.
#[test]
fn bad_bytes_where_alerts_were_kept_take_only_their_own_along() {
    let ground = Ground::new();
    let bodies: Vec<_> = (0..7).map(|n| (n + 1, None)).collect();
    ground.keep(ONE, &bodies);
    ground.keep(TWO, &[(20, None)]);
    ground
        .bad
        .lines
        .lock()
        .unwrap()
        .extend([(ONE, 2), (ONE, 3)]);
    ground.bad.evidence.lock().unwrap().insert((ONE, 4));
    // An alert that brought something was taken over as one that never had anything.
    ground.bad.cut.lock().unwrap().insert((ONE, 5));
    ground.load(&order(1, &[ONE, TWO])).unwrap();
    let taken = [
        json!(["journal.repaired", [[ONE, 7], [TWO, 1]]]),
        json!([ONE, 0, null]),
        json!([ONE, 1, null]),
        json!([ONE, 4, "damaged"]),
        json!([ONE, 5, "damaged"]),
        json!([ONE, 6, null]),
        json!(["takeover.incomplete", {"chain": ONE, "missing": 2, "from_seq": 2}]),
        json!([TWO, 0, null]),
    ];
    assert_eq!(ground.chain(), taken);
    let brought = |seq| ground.lasting.journal.evidence("acme", seq).unwrap();
    assert_eq!(brought(5), [format!("{ONE} 7").into_bytes()]);
    assert_eq!(brought(3), Vec::<Vec<u8>>::new());
    // Of what nobody could read the only copy stays.
    let there = |seq| ground.lasting.journal.evidence(ONE, seq);
    assert_eq!(there(2).unwrap(), [format!("{ONE} 3").into_bytes()]);
    // Nor is what nobody could read of the evidence anywhere else: it was erased where it lay.
    assert_eq!(there(4).unwrap(), [format!("{ONE} 5").into_bytes()]);
    assert_eq!(there(5).unwrap(), [format!("{ONE} 6").into_bytes()]);
    assert!(matches!(there(6), Err(JournalError::Erased { .. })));
    ground.load(&order(1, &[ONE, TWO])).unwrap();
    assert_eq!(ground.chain(), taken);
}

/// After 64 bad lines in a row nobody looked for a good one, so a hole in the middle of a long chain cost
/// every alert behind it as well.
#[test]
fn a_long_bad_run_takes_only_itself_along_and_is_not_read_line_by_line() {
    const LINES: u64 = 3000;
    let bad = 200..1900;
    let ground = Ground::new();
    let bodies: Vec<_> = (0..LINES).map(|n| (n + 1, Some(n))).collect();
    for some in bodies.chunks(500) {
        ground.keep(ONE, some);
    }
    let hurt = bad.clone().map(|seq| (ONE, seq));
    ground.bad.lines.lock().unwrap().extend(hurt);
    assert_eq!(ground.world.waiting(ONE), Ok(LINES));
    let reads = ground.bad.reads.load(Ordering::SeqCst);
    // 64 one by one, and a few dozen leaps.
    assert!(reads < 120, "{reads}");
    ground.load(&order(1, &[ONE])).unwrap();
    let chain = ground.chain();
    let taken = chain.iter().filter(|entry| entry[0] == ONE);
    let taken: Vec<_> = taken.map(|entry| entry[1].as_u64().unwrap()).collect();
    let good: Vec<_> = (0..bad.start).chain(bad.end..LINES).collect();
    assert!(taken == good, "{} of {}", taken.len(), good.len());
    let missing = json!({"chain": ONE, "missing": 1700, "from_seq": 200});
    assert_eq!(chain.last(), Some(&json!(["takeover.incomplete", missing])));
}

/// A run that ends with the last line, and one that a single good line stands behind.
#[test]
fn a_long_bad_run_may_reach_to_the_end_or_just_before_it() {
    for (end, left) in [(150_u64, 0), (149, 1)] {
        let ground = Ground::new();
        let bodies: Vec<_> = (0..150).map(|n| (n + 1, Some(n))).collect();
        ground.keep(ONE, &bodies);
        let hurt = (10..end).map(|seq| (ONE, seq));
        ground.bad.lines.lock().unwrap().extend(hurt);
        ground.load(&order(1, &[ONE])).unwrap();
        let chain = ground.chain();
        let taken = chain.iter().filter(|entry| entry[0] == ONE).count();
        assert_eq!(taken, 10 + left, "{end}");
        let missing = json!({"chain": ONE, "missing": end - 10, "from_seq": 10});
        assert_eq!(chain.last(), Some(&json!(["takeover.incomplete", missing])));
    }
}

/// An alert whose body came with an entry that cannot be read any more pointed to nothing, and the load ended.
#[test]
fn an_alert_whose_body_is_lost_says_so() {
    let ground = Ground::new();
    ground.keep(ONE, &[(1, None), (2, Some(0)), (3, None), (4, Some(2))]);
    ground.bad.lines.lock().unwrap().insert((ONE, 0));
    ground.bad.evidence.lock().unwrap().insert((ONE, 2));
    ground.load(&order(1, &[ONE])).unwrap();
    let taken = [
        json!([ONE, 1, "damaged"]),
        json!([ONE, 2, "damaged"]),
        json!([ONE, 3, "damaged"]),
    ];
    assert_eq!(ground.chain()[1..4], taken);
}

/// A full disk counted as a fall of the machine, and suspended the tenant; intake ended with it.
#[test]
fn a_full_disk_is_waited_for_and_keeps_no_alert_out() {
    let ground = Ground::new();
    ground.keep(ONE, &[(1, None)]);
    let order = order(1, &[ONE]);
    ground.bad.full.store(2, Ordering::SeqCst);
    assert_eq!(ground.load(&order), Err(LoadError::NoRoom));
    let loaded = load_for_intake(&ground.world, &acme(), Some(&order)).unwrap();
    assert_eq!(loaded.state.next_seq, 0);
    assert_eq!(ground.chain(), Vec::<Value>::new());
    ground.load(&order).unwrap();
    assert_eq!(ground.chain().len(), 2);
}

/// A process that had no file handle left when a chain went on gave up all that was kept for it: a disk that
/// gave no answer twice counted as one that had lost the alerts, and their evidence was erased then.
#[test]
fn a_disk_that_gives_no_answer_has_lost_nothing() {
    let ground = Ground::new();
    ground.keep(ONE, &[(1, None), (2, None), (3, None)]);
    let order = order(1, &[ONE]);
    let silent = |set: &Mutex<BTreeSet<_>>, seq| {
        set.lock().unwrap().insert((ONE, seq));
        let refused = ground.load(&order);
        let waits = matches!(refused, Err(LoadError::NoAnswer(_)));
        assert!(waits, "{refused:?}");
        load_for_intake(&ground.world, &acme(), Some(&order)).unwrap();
        set.lock().unwrap().clear();
    };
    silent(&ground.bad.mute_lines, 0);
    silent(&ground.bad.mute_lines, 2);
    assert_eq!(ground.chain(), Vec::<Value>::new());
    silent(&ground.bad.mute_evidence, 1);
    ground.load(&order).unwrap();
    let taken = [
        json!(["journal.repaired", [[ONE, 3]]]),
        json!([ONE, 0, null]),
        json!([ONE, 1, null]),
        json!([ONE, 2, null]),
    ];
    assert_eq!(ground.chain(), taken);
    let brought = ground.lasting.journal.evidence("acme", 2).unwrap();
    assert_eq!(brought, [format!("{ONE} 2").into_bytes()]);
}

/// The chain that stood in was held too: what it had behind its proven end was counted nowhere, and nobody
/// learned that it was missing.
#[test]
fn what_a_held_stand_in_lost_is_said_to_be_missing() {
    let ground = Ground::new();
    ground.keep(ONE, &[(1, None), (2, None)]);
    *ground.bad.held.lock().unwrap() = Some((ONE, 4));
    let order = order(1, &[ONE]);
    let refused = ground.load(&order);
    assert!(
        matches!(refused, Err(LoadError::NoAnswer(_))),
        "{refused:?}"
    );
    ground.load(&order).unwrap();
    let taken = [
        json!(["journal.repaired", [[ONE, 5]]]),
        json!([ONE, 0, null]),
        json!([ONE, 1, null]),
        json!(["takeover.incomplete", {"chain": ONE, "missing": 3, "from_seq": 2}]),
    ];
    assert_eq!(ground.chain(), taken);
    assert_eq!(ground.bad.restored.load(Ordering::SeqCst), 2);
}

/// Of a chain that stood in not one entry could be proven, and only a line in the log told that there had
/// been any: the tenant's chain went on as if nobody had sent anything meanwhile.
#[test]
fn what_stood_in_and_has_nothing_left_is_said_to_be_missing() {
    let ground = Ground::new();
    ground.keep(TWO, &[(8, None)]);
    *ground.bad.held.lock().unwrap() = Some((ONE, 4));
    let order = order(1, &[ONE, TWO]);
    let refused = ground.load(&order);
    assert!(
        matches!(refused, Err(LoadError::NoAnswer(_))),
        "{refused:?}"
    );
    ground.load(&order).unwrap();
    let taken = [
        json!(["journal.repaired", [[ONE, 5], [TWO, 1]]]),
        json!(["takeover.incomplete", {"chain": ONE, "missing": 5, "from_seq": 0}]),
        json!([TWO, 0, null]),
    ];
    assert_eq!(ground.chain(), taken);
    ground.load(&order).unwrap();
    assert_eq!(ground.chain(), taken, "once is enough");
}

/// A bad byte in the middle of a chain kept out all alerts of its tenant, though its end was proven.
#[test]
fn intake_goes_on_behind_a_damaged_line() {
    let ground = Ground::new();
    ground.keep("acme", &[(1, None), (2, None), (3, None)]);
    ground.bad.lines.lock().unwrap().insert(("acme", 1));
    let loaded = load_for_intake(&ground.world, &acme(), None).unwrap();
    assert_eq!(loaded.state.next_seq, 3);
}
