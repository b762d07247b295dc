//! What no layer can contain, and what holds even then.

use crate::worker::{LONG, quick, run_in, worker};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use vyrox_supervision::testing::run;

const FILE: &str = "VYROX_TEST_ABORT_FILE";
const SIGABRT: i32 = 6;
const ACKNOWLEDGED: u64 = 100;

/// Panics when it is dropped, also while another panic unwinds.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a panic in a drop");
    }
}

/// An actor makes numbers durable and answers; each answer goes to standard output. Then one of its
/// handlers panics while it holds a value that panics in its `Drop`.
#[test]
#[ignore = "aborts its process: it is run as a child by the test below"]
fn child_that_panics_in_a_drop_while_it_unwinds() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how the parent tells it the file"
    )]
    let path = std::env::var(FILE).expect("run by its parent");
    run(async {
        let (_tree, handle, _) = worker(quick());
        let mut out = std::io::stdout();
        for number in 0..=ACKNOWLEDGED {
            let path = path.clone();
            let write = run_in(move |_, _| append(Path::new(&path), number));
            if number == ACKNOWLEDGED {
                handle.try_cast(write).unwrap(); // nobody waits for this one
            } else {
                handle.ask(write, LONG).await.unwrap();
                writeln!(out, "\nacknowledged {number}").unwrap();
                out.flush().unwrap();
            }
        }
        let doom = run_in(|_, _| {
            let _bomb = Bomb;
            panic!("the first panic");
        });
        handle.ask(doom, LONG).await.unwrap();
    });
}

fn append(path: &Path, number: u64) {
    let mut file = File::options().append(true).open(path).unwrap();
    writeln!(file, "{number}").unwrap();
    file.sync_data().unwrap();
}

/// By the rules of the language a panic that leaves a `Drop` during unwinding aborts the process. What an
/// actor had acknowledged by then was durable before, so nothing of it is lost.
#[test]
fn a_panic_in_a_drop_while_unwinding_aborts_and_loses_nothing_acknowledged() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("abort-{}", std::process::id()));
    File::create(&path).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "abort::child_that_panics_in_a_drop_while_it_unwinds",
        ])
        .args(["--ignored", "--nocapture"])
        .env(FILE, &path)
        .output()
        .unwrap();
    let (said, errors) = (
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr),
    );
    assert_eq!(child.status.signal(), Some(SIGABRT), "{said}\n{errors}");
    let acknowledged: BTreeSet<u64> = said
        .lines()
        .filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok())
        .collect();
    assert_eq!(acknowledged, (0..ACKNOWLEDGED).collect(), "{said}");
    let durable = fs::read_to_string(&path).unwrap();
    assert!(durable.ends_with('\n'));
    let durable: BTreeSet<u64> = durable.lines().map(|line| line.parse().unwrap()).collect();
    assert!(durable.is_superset(&acknowledged), "{durable:?}");
    fs::remove_file(path).unwrap();
}

/// The crate's first file alone is enough to tell, without its dependencies: they are missing either
/// way, but only one way is `panic` at fault.
#[test]
fn a_build_that_aborts_on_panic_is_refused() {
    let complaint = "supervision needs panics that unwind";
    for (strategy, refused) in [("abort", true), ("unwind", false)] {
        let built = Command::new("rustc")
            .args([
                "--edition",
                "2024",
                "--crate-type",
                "lib",
                "--emit",
                "metadata",
            ])
            .args(["-C", &format!("panic={strategy}"), "--out-dir"])
            .args([env!("CARGO_TARGET_TMPDIR"), "src/lib.rs"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&built.stderr);
        assert!(
            !built.status.success() && errors.contains("error"),
            "{errors}"
        );
        assert_eq!(errors.contains(complaint), refused, "{strategy}: {errors}");
    }
}
