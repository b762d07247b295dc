//! A process that has run out of descriptors: entries are refused, nothing fails for good, and all
//! goes on once there are some again.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use vyrox_journal::{AppendError, Journal, LocalJournal, Options};

use crate::support::{Client, check_nothing_lost, draft_with, open, options};

/// What the other process may have open. It is given to the test harness as a limit, so that the one
/// test that uses them all up harms no other.
const LIMIT: usize = 48;

#[test]
fn running_out_of_descriptors_is_no_failure_of_the_disk() {
    let limited = format!("ulimit -n {LIMIT} && exec \"$0\" --ignored --exact --nocapture \"$1\"");
    let output = Command::new("sh")
        .args(["-c", &limited])
        .arg(std::env::current_exe().unwrap())
        .arg("descriptors::in_a_process_with_few_descriptors")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run by the test above, under a limit of its own"]
fn in_a_process_with_few_descriptors() {
    // With another number left over each time, another step is the first to fail.
    for left_over in 0..8 {
        let dir = tempfile::tempdir().unwrap();
        let often = Options {
            checkpoint_interval: Duration::from_millis(1),
            ..options()
        };
        let journal = LocalJournal::open(dir.path(), often, None).unwrap();
        let mut acme = Client::open(&journal, "acme");
        let first = || vec![draft_with(&[vec![1; 9000]])];
        let mut receipts = acme.append(first()).unwrap();
        journal.flush("acme").unwrap();
        let Some(mut taken) = take_all() else {
            println!("no limit of {LIMIT} is in force, so nothing can be shown");
            return;
        };
        taken.truncate(taken.len() - left_over);

        let mut globex = Client::open(&journal, "globex");
        for _ in 0..60 {
            for client in [&mut acme, &mut globex] {
                let before = client.last;
                match client.append(first()) {
                    Ok(receipt) if &*client.chain == "acme" => receipts.extend(receipt),
                    Ok(_) => {}
                    Err(AppendError::Full) => client.last = before,
                    Err(error) => panic!("{left_over}: {error}"),
                }
            }
        }
        let refused = receipts.len() < 61;
        assert!(refused || left_over > 0, "{left_over}: nothing was refused");
        assert_eq!(journal.status().poisoned, None, "{left_over}");

        drop(taken);
        receipts.extend(acme.append(first()).unwrap());
        globex.append(first()).unwrap();
        assert_eq!(journal.flush("acme"), Ok(()), "{left_over}");
        assert_eq!(journal.flush("globex"), Ok(()), "{left_over}");
        check_nothing_lost(&journal, "acme", &receipts);
        journal.close().unwrap();
        drop(journal);
        check_nothing_lost(&open(dir.path()), "acme", &receipts);
    }
}

/// Opens files until that is refused; `None` if it never is.
fn take_all() -> Option<Vec<File>> {
    let mut taken = Vec::new();
    while taken.len() <= LIMIT {
        match File::open("/dev/null") {
            Ok(file) => taken.push(file),
            Err(_) => return Some(taken),
        }
    }
    None
}
