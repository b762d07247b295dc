//! A process that holds secrets leaves none of its memory behind.

use std::{fs, os::unix::process::ExitStatusExt as _};

use nix::sys::{
    resource::{Resource, getrlimit, setrlimit},
    signal::Signal,
};

use crate::server::{NO_RATIONS, Server};

#[test]
fn a_server_that_is_felled_leaves_no_core_file() {
    // A child begins with the limits of this process: as high as they may be.
    let (_soft, hard) = getrlimit(Resource::RLIMIT_CORE).expect("limits can be read");
    setrlimit(Resource::RLIMIT_CORE, hard, hard).expect("up to the hard limit is allowed");
    // Not SIGSEGV: the first one sent is taken by the runtime, which looks for a stack that overflowed.
    for signal in [Signal::SIGILL, Signal::SIGABRT] {
        let dir = tempfile::tempdir().expect("a directory");
        let server = Server::start(dir.path(), NO_RATIONS);
        let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid()));
        let limits = limits.expect("its limits can be read");
        let cores = limits
            .lines()
            .find(|line| line.starts_with("Max core file"));
        let words: Vec<_> = cores.unwrap_or_default().split_whitespace().collect();
        assert_eq!(words[4..6], ["0", "0"], "{limits}");

        server.signal(signal);
        let (status, log) = server.wait();
        assert_eq!(status.signal(), Some(signal as i32), "{log}");
        assert!(!status.core_dumped(), "{signal} left a core file");
    }
}

/// The kernel gives what `/proc` has of a process that is not dumpable to the superuser, whoever runs it;
/// so the owner tells only where the server's user is another one.
#[test]
fn the_memory_of_a_server_is_the_superusers_alone() {
    use std::os::unix::{fs::MetadataExt as _, process::CommandExt as _};

    const NOBODY: u32 = 65_534;
    if !nix::unistd::geteuid().is_root() {
        println!("SKIPPED: only the superuser can start a server as another user");
        return;
    }
    // A command that waits for its standard input is a process of ours like the server is.
    let dir = tempfile::tempdir().expect("a directory");
    let copy = dir.path().join("vyrox");
    fs::copy(env!("CARGO_BIN_EXE_vyrox"), &copy).expect("the binary can be copied");
    for path in [dir.path(), &copy] {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).expect("we may");
    }
    let mut child = std::process::Command::new(&copy)
        .env_clear()
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(dir.path().join("data"))
        .uid(NOBODY)
        .gid(NOBODY)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the binary starts");
    let stdout = child.stdout.take().expect("its output is a pipe");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(stdout));
    let listening = lines.any(|line| line.is_ok_and(|line| line.starts_with("listening on ")));
    let memory = fs::metadata(format!("/proc/{}/mem", child.id()));
    child.kill().expect("our own child can be killed");
    child.wait().expect("its status is ours to read");
    assert!(listening, "it did not start as another user");
    let memory = memory.expect("it was alive");
    assert_eq!(memory.uid(), 0, "its own user may open its memory");
}
