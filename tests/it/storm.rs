//! A storm of faults from a seed, at every actor that takes messages: those of some tenants, and the
//! host's own. What was acknowledged is there, once; every other answer says what to do; tenants that
//! were not struck feel nothing. Needs the feature `fault-injection`.

mod chaos;

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, ScopedJoinHandle},
    time::Duration,
};

use serde_json::Value;

use self::chaos::Chaos;
use crate::{
    load::{Dice, Ledger, Receipt, Sender, Times},
    restart::recovery,
    server::{DEADLINE, NO_RATIONS, Reply, Server, Tenant, eventually, now},
};

/// Tenants whose actors are struck, and tenants whose are not.
const SHAKEN: usize = 5;
const CALM: usize = 3;
/// Connections that post for a shaken tenant.
const CONNECTIONS: usize = 2;
/// How long it lasts.
const STORM: Duration = Duration::from_secs(15);

#[test]
fn a_storm_of_faults_loses_nothing_and_is_felt_by_no_other_tenant() {
    let mut dice = Dice::announced("storm");
    let dir = tempfile::tempdir().expect("a directory");
    let mut env = NO_RATIONS.to_vec();
    env.extend([
        ("VYROX_LOG__FORMAT", "json"),
        ("VYROX_SUPERVISION__PROBE_MS", "300"),
        ("VYROX_SUPERVISION__BACKOFF_MAX_MS", "200"),
        // Less than the longest block, so that some threads are given up and others come back.
        ("VYROX_SUPERVISION__STALL_MS", "200"),
    ]);
    let server = Server::start(dir.path(), &env);
    let add = |kind: &str, n| server.add_tenant(&format!("{kind}-{n}"));
    let shaken: Vec<_> = (0..SHAKEN).map(|n| add("shaken", n)).collect();
    let calm: Vec<_> = (0..CALM).map(|n| add("calm", n)).collect();

    let mut seen = rage(&server, &shaken, &calm, &mut dice);
    let from = now();
    for tenant in &shaken {
        well_again(&server, tenant, &mut seen);
    }
    println!(
        "all tenants serve again {:?} after the storm",
        from.elapsed()
    );
    send_again(&server, &shaken, &mut seen);
    for tenant in shaken.iter().chain(&calm) {
        check_chain(&server, tenant, &seen);
    }
    seen.ledger.check(&server);
    seen.ledger.await_verdicts(&server);
    println!("all have their verdicts {:?} after it", from.elapsed());
    assert_eq!(server.verify("_host")["ok"], true);

    let (status, log) = {
        server.signal(nix::sys::signal::Signal::SIGTERM);
        server.wait()
    };
    assert_eq!(status.code(), Some(0), "{log}");
    let server = Server::start(dir.path(), &env);
    let found = recovery(&server);
    assert_eq!(found["cut"], false, "{found}");
    assert_eq!(found["damaged"], false, "{found}");
    seen.ledger.check(&server);
}

/// The storm itself: what the senders saw of it.
fn rage(server: &Server, shaken: &[Tenant], calm: &[Tenant], dice: &mut Dice) -> Seen {
    let over = AtomicBool::new(false);
    let chaos = Chaos::new(server, shaken, dice.another());
    let (chaos, senders) = thread::scope(|scope| {
        let mut senders = Vec::new();
        for (tenant, connections) in shaken
            .iter()
            .map(|tenant| (tenant, CONNECTIONS))
            .chain(calm.iter().map(|tenant| (tenant, 1)))
        {
            for connection in 0..connections {
                let (sender, over) = (Sender::new(server), &over);
                senders.push(scope.spawn(move || post(sender, tenant, connection, over)));
            }
        }
        // The senders are let go before anything may fail.
        let chaos = scope.spawn(|| chaos.rage(STORM)).join();
        over.store(true, Ordering::Release);
        let senders: Vec<_> = senders.into_iter().map(ScopedJoinHandle::join).collect();
        (chaos, senders)
    });
    let (mut all, mut times) = (Seen::default(), [Times::default(), Times::default()]);
    for one in senders {
        let one = one.expect("it only sends");
        let is_calm = calm.iter().any(|tenant| tenant.id == one.tenant);
        times[usize::from(is_calm)].extend(one.times.as_slice());
        if is_calm {
            let felt = (&one.odd, &one.refused, &one.set_aside);
            assert_eq!(
                felt,
                (&vec![], &vec![], &vec![]),
                "{} was not struck",
                one.tenant
            );
        }
        all.add(one);
    }
    println!("{}", chaos.expect("faults can be ordered at any time"));
    println!("tenants with faults    {}", times[0]);
    println!("tenants without        {}", times[1]);
    println!("answers: {:?}", all.answers);
    for actor in ["tenants", "registry", "deadlines"] {
        let node = server.node(actor);
        println!(
            "{actor} fell {} times, last: {}",
            node["restarts"], node["last_crash"]
        );
    }
    assert_eq!(all.odd, [""; 0], "these answers say nobody what to do");
    all
}

/// What became of the alerts of one connection, or of all.
#[derive(Default)]
struct Seen {
    ledger: Ledger,
    /// Kept as evidence: tenant, seq, hash, and the vendor's id.
    set_aside: Vec<(String, u64, String, String)>,
    /// Told to come back: tenant, vendor's id, and the code.
    refused: Vec<(String, String, String)>,
    answers: BTreeMap<String, u64>,
    odd: Vec<String>,
}

/// What one connection saw.
#[derive(Default)]
struct Posted {
    tenant: String,
    times: Times,
    receipts: Vec<Receipt>,
    set_aside: Vec<(String, u64, String, String)>,
    refused: Vec<(String, String, String)>,
    answers: BTreeMap<String, u64>,
    odd: Vec<String>,
}

impl Posted {
    /// Puts an answer where it belongs; whatever is neither a receipt nor a typed request to come back
    /// is odd.
    fn sort(&mut self, tenant: &Tenant, detect_id: &str, reply: &Reply) {
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let word = |member: &str| body[member].as_str().unwrap_or_default().to_owned();
        let typed = reply.header("content-type") == Some("application/problem+json");
        let waits = reply.header("retry-after").and_then(|s| s.parse().ok());
        let kind = match (reply.status, word("status").as_str()) {
            (202, "queued") | (200, "duplicate") => {
                self.receipts.push(Receipt::read(tenant, detect_id, reply));
                word("status")
            }
            (202, "quarantined") => {
                let receipt = &body["receipt"];
                let seq = receipt["seq"].as_u64().unwrap_or(u64::MAX);
                let hash = receipt["hash"].as_str().unwrap_or_default().to_owned();
                self.set_aside
                    .push((tenant.id.clone(), seq, hash, detect_id.to_owned()));
                word("status")
            }
            (429 | 503, _) if typed && waits.is_some_and(|seconds: u64| seconds > 0) => {
                let refused = (tenant.id.clone(), detect_id.to_owned(), word("code"));
                self.refused.push(refused);
                word("code")
            }
            _ => {
                self.odd
                    .push(format!("{detect_id} of {}: {reply:?}", tenant.id));
                "odd".to_owned()
            }
        };
        *self
            .answers
            .entry(format!("{} {kind}", reply.status))
            .or_default() += 1;
    }
}

impl Seen {
    fn add(&mut self, posted: Posted) {
        self.ledger.keep_all(posted.receipts);
        self.set_aside.extend(posted.set_aside);
        self.refused.extend(posted.refused);
        self.odd.extend(posted.odd);
        for (answer, times) in posted.answers {
            *self.answers.entry(answer).or_default() += times;
        }
    }
}

/// Posts one alert after the other. Nothing here may panic: nobody would end the storm.
fn post(mut sender: Sender, tenant: &Tenant, connection: usize, over: &AtomicBool) -> Posted {
    let mut posted = Posted {
        tenant: tenant.id.clone(),
        ..Posted::default()
    };
    for n in 0_u64.. {
        let detect_id = format!("c{connection}-{n}");
        let from = now();
        match sender.send(tenant, &detect_id) {
            Ok(reply) => posted.sort(tenant, &detect_id, &reply),
            Err(error) => posted
                .odd
                .push(format!("{detect_id} of {}: {error}", tenant.id)),
        }
        posted.times.add(from.elapsed());
        if over.load(Ordering::Acquire) {
            break;
        }
    }
    posted
}

/// Waits until the tenant serves and nothing more befalls it: faults that are ordered and have not
/// struck yet still strike.
fn well_again(server: &Server, tenant: &Tenant, seen: &mut Seen) {
    let (mut sender, mut tries) = (Sender::new(server), 0);
    let mut before = Value::Null;
    eventually(DEADLINE, || {
        let health = server.health(&tenant.id);
        if health["state"] != "serving" {
            if health["why"] != before {
                println!("{health}");
                before = health["why"].clone();
            }
            return None;
        }
        tries += 1;
        let mut posted = Posted::default();
        let detect_id = format!("after-{tries}");
        let reply = sender
            .send(tenant, &detect_id)
            .expect("an answer in any case");
        posted.sort(tenant, &detect_id, &reply);
        let judged = posted.receipts.first().is_some_and(|receipt| {
            let alert = server.judged(&tenant.id, &receipt.alert_id);
            alert["verdict"] == "CRITICAL"
        });
        seen.add(posted);
        let health = server.health(&tenant.id);
        (judged && health["state"] == "serving").then_some(())
    });
    assert_eq!(seen.odd, [""; 0]);
}

/// Sends what was refused again, as any sender does.
fn send_again(server: &Server, tenants: &[Tenant], seen: &mut Seen) {
    for (id, detect_id, _) in std::mem::take(&mut seen.refused) {
        let tenant = tenants.iter().find(|tenant| tenant.id == id);
        let tenant = tenant.expect("only these were refused anything");
        let mut posted = Posted::default();
        let reply = Sender::new(server)
            .send(tenant, &detect_id)
            .expect("an answer");
        posted.sort(tenant, &detect_id, &reply);
        assert!(
            posted.odd.is_empty() && posted.refused.is_empty(),
            "the storm is over: {reply:?}"
        );
        seen.add(posted);
    }
}

/// Each alert that was ever sent stands in its chain once, and what was set aside is evidence there.
fn check_chain(server: &Server, tenant: &Tenant, seen: &Seen) {
    let entries = server.entries(&tenant.id);
    let mut times: HashMap<&str, u32> = HashMap::new();
    for entry in entries
        .iter()
        .filter(|entry| entry["event"] == "alert.received")
    {
        let detect_id = entry["payload"]["vendor_alert_id"].as_str();
        *times
            .entry(detect_id.expect("an alert has one"))
            .or_default() += 1;
    }
    let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert!(
        twice.is_empty(),
        "{}: taken in more than once: {twice:?}",
        tenant.id
    );
    for receipt in seen
        .ledger
        .receipts()
        .filter(|receipt| receipt.tenant == tenant.id)
    {
        let detect_id = receipt.detect_id.as_str();
        assert_eq!(times.get(detect_id), Some(&1), "{receipt:?}");
    }
    for (id, seq, hash, detect_id) in &seen.set_aside {
        if *id != tenant.id {
            continue;
        }
        let entry = usize::try_from(*seq).ok().and_then(|seq| entries.get(seq));
        let entry = entry.unwrap_or_else(|| panic!("{detect_id} was set aside at {seq}"));
        assert_eq!(entry["event"], "intake.rejected", "{detect_id}: {entry}");
        assert_eq!(entry["hash"], *hash, "{detect_id}: {entry}");
        let named = &entry["payload"]["vendor_alert_ids"];
        assert_eq!(named[0], *detect_id, "{entry}");
    }
}
