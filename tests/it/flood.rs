//! A flood of one tenant, signed or not, and of strangers takes nothing from another tenant: with the
//! limits as they are by default.

use std::{
    collections::BTreeMap,
    sync::{
        Condvar, Mutex,
        mpsc::{Receiver, channel},
    },
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use crate::{
    load::{HARMFUL, Ledger, Receipt, Sender, Times},
    server::{Http, Reply, Server, Tenant, falcon_short, now, sign},
};

/// Connections that flood.
const FLOODERS: usize = 16;
/// The quiet tenant's connections and its rate: 40 alerts a second, whatever becomes of them.
const QUIET_CONNECTIONS: usize = 4;
const EVERY: Duration = Duration::from_millis(25);
/// Windows without and with the flood, in turns, and the quiet tenant's alerts in each.
const WINDOWS: usize = 8;
const ALERTS: usize = 50;

/// What a flooder sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Signed,
    Unsigned,
    Stranger,
}

const KINDS: [Kind; 4] = [Kind::Signed, Kind::Unsigned, Kind::Stranger, Kind::Signed];

#[test]
fn a_flood_takes_nothing_from_a_quiet_tenant() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let (loud, quiet) = (server.add_tenant("loud"), server.add_tenant("quiet"));
    let tide = Tide::default();
    let (floods, calm) = thread::scope(|scope| {
        let floods: Vec<_> = (0..FLOODERS)
            .map(|n| {
                let (http, loud, tide) = (server.http(), &loud, &tide);
                scope.spawn(move || flood(http, loud, n, tide))
            })
            .collect();
        let begun = now();
        let calm: Vec<_> = (0..QUIET_CONNECTIONS)
            .map(|n| {
                let (sender, quiet, tide) = (Sender::new(&server), &quiet, &tide);
                scope.spawn(move || stay_calm(sender, quiet, n, begun, tide))
            })
            .collect();
        // The flooders are let go before anything may fail, or they would wait for ever.
        let calm: Vec<_> = calm.into_iter().map(ScopedJoinHandle::join).collect();
        tide.turn(Phase::Over);
        let floods: Vec<_> = floods.into_iter().map(ScopedJoinHandle::join).collect();
        (floods, calm)
    });

    let floods: Vec<_> = floods
        .into_iter()
        .map(|flood| flood.expect("only sends"))
        .collect();
    let calm: Vec<_> = calm
        .into_iter()
        .map(|calm| calm.expect("only sends"))
        .collect();
    let mut ledger = Ledger::default();
    show_quantiles(&calm);
    for (n, reply) in calm.iter().flat_map(|calm| &calm.replies) {
        assert_eq!(
            reply.status, 202,
            "alert {n} of the quiet tenant: {reply:?}"
        );
        ledger.keep(Receipt::read(&quiet, &alert(*n), reply));
    }
    assert_eq!(
        ledger.len(),
        WINDOWS * ALERTS,
        "all of the quiet tenant's alerts were taken in"
    );
    check_flood(&floods);
    for flood in floods {
        ledger.keep_all(flood.receipts);
    }
    ledger.check(&server);
    ledger.await_verdicts(&server);
}

/// What the quiet tenant saw on one connection.
#[derive(Default)]
struct Calm {
    times: [Times; 2],
    replies: Vec<(usize, Reply)>,
}

fn alert(n: usize) -> String {
    format!("calm-{n}")
}

/// Sends at the appointed times. An answer's time counts from when it was due to be asked for, so a
/// server that holds one up is charged for those behind it as well.
fn stay_calm(
    mut sender: Sender,
    quiet: &Tenant,
    connection: usize,
    begun: Instant,
    tide: &Tide,
) -> Calm {
    let mut calm = Calm::default();
    // Nobody ever rings; it is the clock that is waited for.
    let (_bell, silence) = channel::<()>();
    for n in (connection..WINDOWS * ALERTS).step_by(QUIET_CONNECTIONS) {
        let due = begun + EVERY * u32::try_from(n).expect("few");
        wait_until(&silence, due);
        let window = n / ALERTS;
        if connection == 0 {
            tide.turn(if window % 2 == 1 {
                Phase::Flood
            } else {
                Phase::Ebb
            });
        }
        let reply = sender
            .send(quiet, &alert(n))
            .expect("an answer in any case");
        calm.times[window % 2].add(due.elapsed());
        calm.replies.push((n, reply));
    }
    calm
}

fn wait_until(silence: &Receiver<()>, due: Instant) {
    let left = due.saturating_duration_since(now());
    assert!(silence.recv_timeout(left).is_err(), "nobody rings");
}

fn show_quantiles(calm: &[Calm]) {
    let [mut ebb, mut flood] = [Times::default(), Times::default()];
    for one in calm {
        ebb.extend(one.times[0].as_slice());
        flood.extend(one.times[1].as_slice());
    }
    println!("quiet tenant, no flood    {ebb}");
    println!("quiet tenant, flood       {flood}");
}

/// What one flooder was answered.
#[derive(Default)]
struct Flood {
    kind: Option<Kind>,
    statuses: BTreeMap<u16, u64>,
    receipts: Vec<Receipt>,
    /// The first refusal for being too fast.
    limited: Option<Reply>,
}

fn flood(mut http: Http, loud: &Tenant, number: usize, tide: &Tide) -> Flood {
    let kind = KINDS[number % KINDS.len()];
    let mut seen = Flood {
        kind: Some(kind),
        ..Flood::default()
    };
    for n in 0_u64.. {
        if !tide.rises() {
            return seen;
        }
        let detect_id = format!("flood-{number}-{n}");
        let reply = press(&mut http, loud, kind, &detect_id);
        *seen.statuses.entry(reply.status).or_default() += 1;
        match reply.status {
            202 => seen.receipts.push(Receipt::read(loud, &detect_id, &reply)),
            429 if seen.limited.is_none() => seen.limited = Some(reply),
            _ => {}
        }
    }
    seen
}

fn press(http: &mut Http, loud: &Tenant, kind: Kind, detect_id: &str) -> Reply {
    let customer = match kind {
        Kind::Stranger => detect_id,
        Kind::Signed | Kind::Unsigned => &loud.id,
    };
    let body = falcon_short(customer, detect_id, HARMFUL).to_string();
    let signature = sign(&loud.secret, body.as_bytes());
    let header = [("x-vyrox-signature", signature.as_str())];
    let headers = if kind == Kind::Unsigned {
        &[][..]
    } else {
        &header
    };
    http.post("/webhook/crowdstrike", headers, body.as_bytes())
}

fn check_flood(floods: &[Flood]) {
    for kind in [Kind::Signed, Kind::Unsigned, Kind::Stranger] {
        let of_kind = || floods.iter().filter(move |flood| flood.kind == Some(kind));
        let mut statuses = BTreeMap::<u16, u64>::new();
        for (status, count) in of_kind().flat_map(|flood| &flood.statuses) {
            *statuses.entry(*status).or_default() += count;
        }
        println!("flood, {kind:?}: {statuses:?}");
        let answered = if kind == Kind::Signed { 202 } else { 401 };
        let known = |status: &u16| *status == answered || *status == 429;
        assert!(
            statuses.keys().all(known),
            "{kind:?} was answered {statuses:?}"
        );
        let limited: Vec<_> = of_kind()
            .filter_map(|flood| flood.limited.as_ref())
            .collect();
        assert!(
            !limited.is_empty(),
            "{kind:?} was never held back: {statuses:?}"
        );
        for reply in limited {
            let after: u64 = reply
                .header("retry-after")
                .and_then(|value| value.parse().ok())
                .unwrap_or_else(|| panic!("429 without whole seconds in Retry-After: {reply:?}"));
            let body = reply.json();
            assert!(
                after >= 1 && body["retry_after"] == after,
                "{after} s, {body}"
            );
            assert_eq!(body["code"], "rate_limited", "{body}");
        }
    }
}

/// When the flooders send.
#[derive(Default)]
struct Tide {
    phase: Mutex<Phase>,
    turned: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Ebb,
    Flood,
    Over,
}

impl Tide {
    fn turn(&self, phase: Phase) {
        *self.phase.lock().expect("never held over a panic") = phase;
        self.turned.notify_all();
    }

    /// Waits for the flood; false when there will be no more.
    fn rises(&self) -> bool {
        let phase = self.phase.lock().expect("never held over a panic");
        let phase = self.turned.wait_while(phase, |phase| *phase == Phase::Ebb);
        *phase.expect("never held over a panic") == Phase::Flood
    }
}
