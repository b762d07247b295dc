//! `kill -9` at random moments under load: what was acknowledged is there, in its place, whole.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::Stdio,
    sync::mpsc::{Receiver, Sender as Tell, channel},
    thread,
    time::Duration,
};

use crate::{
    load::{Dice, Ledger, Receipt, Sender, proven},
    server::{DEADLINE, NO_RATIONS, Server, Tenant, command, now, vyrox},
};

const ROUNDS: u64 = 20;
const TENANTS: usize = 8;
const CONNECTIONS: u64 = 6;
/// Acknowledged alerts of a round before its end may come.
const ALERTS: (u64, u64) = (100, 220);
/// Then so many microseconds at the most go by.
const AFTER_US: u64 = 12_000;
/// A start that is killed has lived at most so many microseconds.
const START_US: u64 = 250_000;

/// What a sender saw.
enum Seen {
    New(Receipt),
    Repeat(Receipt),
    Refused(String),
}

#[test]
fn twenty_kills_at_random_moments_lose_nothing_acknowledged() {
    live(ROUNDS, &mut Dice::announced("crash"), &mut |_round| ());
}

#[expect(
    clippy::disallowed_methods,
    reason = "the number of rounds is given on the command line of make"
)]
fn rounds() -> u64 {
    std::env::var("ROUNDS").map_or(100, |text| text.parse().expect("a number"))
}

/// `ROUNDS` kills in all. A directory lives through so many of them that looking for every receipt
/// after each does not grow without end.
#[test]
#[ignore = "hours; `make soak ROUNDS=1000`"]
fn soak() {
    const LIFE: u64 = 50;
    let rounds = rounds();
    let mut dice = Dice::announced("soak");
    let (from, mut told, mut receipts) = (now(), now(), 0);
    for life in 0..rounds.div_ceil(LIFE) {
        let before = life * LIFE;
        receipts += live(LIFE.min(rounds - before), &mut dice, &mut |round| {
            if told.elapsed() >= Duration::from_secs(10) {
                told = now();
                println!(
                    "{} of {rounds} kills, {:?}",
                    before + round + 1,
                    from.elapsed()
                );
            }
        });
    }
    println!(
        "{rounds} kills, {receipts} receipts, none lost, {:?}",
        from.elapsed()
    );
}

/// The life of one directory; the number of receipts that were given in it.
fn live(rounds: u64, dice: &mut Dice, survived: &mut dyn FnMut(u64)) -> usize {
    let dir = tempfile::tempdir().expect("a directory");
    // Small segments and many checkpoints, so that kills fall into those too.
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_STORAGE__SEGMENT_BYTES", "1048576"));
    env.push(("VYROX_STORAGE__CHECKPOINT_MS", "20"));

    let mut server = Server::start(dir.path(), &env);
    let tenants: Vec<_> = (0..TENANTS)
        .map(|n| server.add_tenant(&format!("crash-{n}")))
        .collect();
    let mut ledger = Ledger::default();
    let (mut repeats, mut killed_starts) = (0, 0);
    for round in 0..rounds {
        let earlier: Vec<Receipt> = ledger.receipts().cloned().collect();
        let storm = Storm {
            round,
            tenants: &tenants,
            earlier: &earlier,
        };
        for seen in storm.rage(server, dice) {
            match seen {
                Seen::New(receipt) => ledger.keep(receipt),
                Seen::Repeat(receipt) => {
                    repeats += 1;
                    ledger.keep(receipt);
                }
                Seen::Refused(how) => panic!("round {round}: an alert was refused: {how}"),
            }
        }
        if dice.one_in(3) {
            killed_starts += 1;
            kill_a_start(dir.path(), &env, dice.between(0, START_US));
        }
        server = Server::start(dir.path(), &env);
        ledger.check(&server);
        let host = server.verify("_host");
        assert_eq!(host["ok"], true, "round {round}: {host}");
        survived(round);
    }
    ledger.await_verdicts(&server);
    println!(
        "{} acknowledged alerts, {repeats} repeats, {rounds} kills, {killed_starts} more while starting",
        ledger.len()
    );

    let status = server.terminate();
    assert!(status.success(), "a clean stop ends with {status}");
    check_files(dir.path(), &tenants, &mut ledger);
    ledger.len()
}

/// The load of one round.
#[derive(Clone, Copy)]
struct Storm<'a> {
    round: u64,
    tenants: &'a [Tenant],
    /// Alerts of the rounds before, some of which are sent again.
    earlier: &'a [Receipt],
}

impl Storm<'_> {
    /// Sends from several connections until the server is killed; everything that was answered.
    fn rage(self, server: Server, dice: &mut Dice) -> Vec<Seen> {
        let enough = dice.between(ALERTS.0, ALERTS.1);
        let more = Duration::from_micros(dice.between(0, AFTER_US));
        let (tell, told) = channel();
        thread::scope(|scope| {
            for connection in 0..CONNECTIONS {
                let (sender, dice, tell) = (Sender::new(&server), dice.another(), tell.clone());
                scope.spawn(move || self.send_until_it_dies(connection, sender, dice, &tell));
            }
            drop(tell);
            let mut all = collect(&told, enough, more);
            server.kill9();
            all.extend(told);
            all
        })
    }

    fn send_until_it_dies(
        self,
        connection: u64,
        mut sender: Sender,
        mut dice: Dice,
        tell: &Tell<Seen>,
    ) {
        for n in 0_u64.. {
            let again = !self.earlier.is_empty() && dice.one_in(12);
            let known = again.then(|| &self.earlier[pick(&mut dice, self.earlier.len())]);
            let tenant = match known {
                Some(known) => {
                    let owner = self.tenants.iter().find(|tenant| tenant.id == known.tenant);
                    owner.expect("the receipt is a tenant's of this test")
                }
                None => &self.tenants[pick(&mut dice, self.tenants.len())],
            };
            let fresh = || format!("r{}-c{connection}-{n}", self.round);
            let detect_id = known.map_or_else(fresh, |known| known.detect_id.clone());
            let Ok(reply) = sender.send(tenant, &detect_id) else {
                return;
            };
            let seen = match (reply.status, known) {
                (202, None) => Seen::New(Receipt::read(tenant, &detect_id, &reply)),
                (200, Some(_)) => Seen::Repeat(Receipt::read(tenant, &detect_id, &reply)),
                (status, _) => Seen::Refused(format!("{detect_id}: {status} {}", reply.text())),
            };
            tell.send(seen).expect("the test listens");
        }
    }
}

fn pick(dice: &mut Dice, len: usize) -> usize {
    usize::try_from(dice.between(0, len as u64 - 1)).expect("it came from a usize")
}

/// `enough` answers, and those of so much time more: the kill must not always follow an answer.
fn collect(told: &Receiver<Seen>, enough: u64, more: Duration) -> Vec<Seen> {
    let first = (0..enough).map(|_| told.recv_timeout(DEADLINE).expect("answers keep coming"));
    let mut all: Vec<_> = first.collect();
    let from = now();
    while let Some(left) = more.checked_sub(from.elapsed()) {
        all.extend(told.recv_timeout(left));
    }
    all
}

/// Starts the server and kills it after that time, wherever it is by then.
fn kill_a_start(dir: &Path, env: &[(&str, &str)], after_us: u64) {
    let mut child = command(env)
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let stdout = child.stdout.take().expect("its output is a pipe");
    let (tell, told) = channel();
    let reader = thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            tell.send(line).ok();
        }
    });
    // Whichever is first: the time is up, or it listens.
    told.recv_timeout(Duration::from_micros(after_us)).ok();
    child.kill().expect("our own child can be killed");
    child.wait().expect("its status is ours to read");
    reader.join().expect("the reader only reads");
}

/// The files alone, without a server: by our own command, and by the published formula.
fn check_files(dir: &Path, tenants: &[Tenant], ledger: &mut Ledger) {
    let path = |chain: &str| dir.join("journal/tenants").join(format!("{chain}.jsonl"));
    let mut files: Vec<_> = tenants.iter().map(|tenant| path(&tenant.id)).collect();
    files.push(path("_host"));
    let mut args = vec!["audit", "verify"];
    args.extend(
        files
            .iter()
            .map(|file| file.to_str().expect("a plain path")),
    );
    let output = vyrox(&args);
    assert!(
        output.status.success(),
        "audit verify of the files: {output:?}"
    );
    let lines = |file: &Path| -> Vec<String> {
        let text = std::fs::read_to_string(file).expect("a chain's file is text");
        assert!(
            text.ends_with('\n'),
            "{} ends in half a line",
            file.display()
        );
        text.lines().map(str::to_owned).collect()
    };
    for tenant in tenants {
        ledger.check_lines(&tenant.id, &lines(&path(&tenant.id)));
    }
    proven("_host", &lines(&path("_host")));
}
