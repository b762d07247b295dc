//! The server on a disk that breaks under it: system calls that fail, by `strace`; file systems of a
//! test's own that go away or are full. What was acknowledged before is there after the next start, and
//! nothing is acknowledged after the fault.

mod full;
mod mounted;
mod shut_down;

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
};

use crate::{
    load::{Dice, Ledger, Receipt, Sender},
    server::{NO_RATIONS, Server, Tenant},
};

/// More alerts than any of these faults lets through.
const ALERTS: usize = 4_000;

/// A thread of the server, by its name cut to the kernel's fifteen letters.
const WRITER: &str = "journal-writer";
const CHECKPOINTER: &str = "journal-checkpo";

/// The thread that is hit, the calls, the error, and which of its calls.
const FAULTS: &[(&str, &str, &str, u32)] = &[
    (WRITER, "fdatasync", "EIO", 1),
    (WRITER, "fdatasync", "EIO", 17),
    (WRITER, "pwrite64", "ENOSPC", 5),
    (WRITER, "pwrite64", "EIO", 3),
    (CHECKPOINTER, "fdatasync", "EIO", 1),
    (CHECKPOINTER, "fdatasync", "EIO", 6),
    (CHECKPOINTER, "fdatasync", "EIO", 23),
    (CHECKPOINTER, "pwrite64", "ENOSPC", 9),
];

#[test]
fn a_sync_or_a_write_that_fails_is_never_acknowledged_and_ends_the_server() {
    let mut dice = Dice::announced("disk");
    let nth = usize::try_from(dice.between(0, FAULTS.len() as u64 - 1)).expect("it is small");
    // One of the writer's and one of any: all of them take long.
    for fault in [&FAULTS[nth % 4], &FAULTS[nth]] {
        if let Err(why) = break_and_recover(fault) {
            skipped(&why);
            return;
        }
    }
}

#[test]
#[ignore = "minutes; run it with --ignored"]
fn every_fault_of_the_table() {
    for fault in FAULTS {
        if let Err(why) = break_and_recover(fault) {
            skipped(&why);
            return;
        }
    }
}

/// Says so past the harness, which keeps the words of a test that passes to itself.
fn skipped(why: &str) {
    let mut stderr = io::stderr().lock();
    writeln!(stderr, "SKIPPED: {why}").expect("somebody reads it");
}

/// Err where calls can't be made to fail on this machine, with the reason.
fn break_and_recover(fault: &(&str, &str, &str, u32)) -> Result<(), String> {
    let dir = tempfile::tempdir().expect("a directory");
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_STORAGE__CHECKPOINT_MS", "20"));
    let server = Server::start(dir.path(), &env);
    let tenant = server.add_tenant("acme");
    let mut ledger = Ledger::default();
    ledger.keep(Sender::new(&server).accepted(&tenant, "before"));

    let tracer = Tracer::attach(&server, fault)?;
    let (given, goes_on) = send_until_refused(&server, &tenant);
    println!("{fault:?}: {} receipts, goes on: {goes_on}", given.len());
    if goes_on {
        // It struck the file of one chain, which is written anew from the log.
        assert_eq!(fault.0, CHECKPOINTER, "{ALERTS} alerts, and no end");
        assert!(
            server.stderr().contains("os error"),
            "the fault never struck"
        );
        drop(tracer);
        server.kill9();
    } else {
        let (status, log) = server.wait();
        drop(tracer);
        assert!(
            status.code().is_some_and(|code| code != 0),
            "{fault:?}: ended with {status}:\n{log}"
        );
        let named = log
            .lines()
            .rev()
            .take(12)
            .any(|line| line.contains("os error"));
        assert!(named, "{fault:?}: the last lines do not say why:\n{log}");
    }
    ledger.keep_all(given);

    let server = Server::start(dir.path(), &env);
    ledger.check(&server);
    ledger.keep(Sender::new(&server).accepted(&tenant, "after"));
    ledger.await_verdicts(&server);
    ledger.check(&server);
    assert_eq!(server.verify("_host")["ok"], true, "{fault:?}");
    Ok(())
}

/// Every receipt until the first answer that is none, after which there may be no other; and whether the
/// server still answers at the end.
fn send_until_refused(server: &Server, tenant: &Tenant) -> (Vec<Receipt>, bool) {
    let (mut sender, mut given, mut refused) = (Sender::new(server), Vec::new(), false);
    for n in 0..ALERTS {
        let detect_id = format!("load-{n}");
        let Ok(reply) = sender.send(tenant, &detect_id) else {
            return (given, false);
        };
        match reply.status {
            202 => {
                assert!(!refused, "acknowledged after a refusal: {}", reply.text());
                given.push(Receipt::read(tenant, &detect_id, &reply));
            }
            503 => refused = true,
            status => panic!("{detect_id}: {status} {}", reply.text()),
        }
    }
    (given, !refused)
}

/// `strace` on one thread of the server. It goes when the thread does.
struct Tracer(Child);

impl Tracer {
    fn attach(server: &Server, fault: &(&str, &str, &str, u32)) -> Result<Self, String> {
        let (thread, calls, error, nth) = fault;
        let thread = thread_of(server, thread);
        // The command of a test's server has no search path; this one is the test's own.
        let child = Command::new("strace")
            .args(["-p", &thread, "-e", &format!("trace={calls}"), "-e"])
            .arg(format!("inject={calls}:error={error}:when={nth}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|why| format!("strace can't be run: {why}"))?;
        let stderr = child.stderr.take().expect("its output is a pipe");
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let first = lines.next().unwrap_or_default();
        if !first.contains("attached") {
            child.kill().ok();
            child.wait().ok();
            return Err(format!("strace may not trace here: {first}"));
        }
        // A full pipe would stop it, and with it the thread.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self(child))
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn thread_of(server: &Server, name: &str) -> String {
    let threads = fs::read_dir(format!("/proc/{}/task", server.pid())).expect("it runs");
    let mut ids = threads.map(|entry| entry.expect("it runs").path());
    let found = ids.find(|path| {
        fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    });
    let found = found.unwrap_or_else(|| panic!("no thread {name}"));
    let id = found.file_name().expect("a number");
    id.to_str().expect("a number").to_owned()
}
