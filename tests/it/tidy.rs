//! The house's own rules, kept by reading the house. A failure says what to do about it.

mod arrows;
mod house;
mod links;
mod settings;

use self::house::{House, code_only};

/// Longest file of code, in lines.
const LINES_MAX: usize = 400;

/// What lets a file be longer, within its first lines.
const LENGTH_EXCUSE: &str = "Long because";

#[test]
fn files_stay_short() {
    let mut long = Vec::new();
    for file in House::open().with_ending("rs") {
        let lines = file.text.lines().count();
        let excused = file
            .text
            .lines()
            .take(15)
            .any(|line| line.contains(LENGTH_EXCUSE));
        if lines > LINES_MAX && !excused {
            long.push(format!("{} has {lines} lines", file.path));
        }
    }
    assert!(
        long.is_empty(),
        "split these by idea, or say at the top `{LENGTH_EXCUSE} ...`; {LINES_MAX} lines is the \
         limit:\n{}",
        long.join("\n")
    );
}

#[test]
fn nothing_points_out_of_the_house_or_stays_undone() {
    // Put together from parts, so that this file does not find itself.
    let forbidden = [
        ["/wo", "rk/"].concat(),
        ["../sha", "red"].concat(),
        [".cargo/regi", "stry"].concat(),
        ["to", "do!("].concat(),
        ["unimple", "mented!("].concat(),
        ["FIX", "ME"].concat(),
    ];
    let mut found = Vec::new();
    for file in House::open().all() {
        for (number, line) in file.text.lines().enumerate() {
            found.extend(
                forbidden
                    .iter()
                    .filter(|word| line.contains(word.as_str()))
                    .map(|word| format!("{}:{}: {word}", file.path, number + 1)),
            );
        }
    }
    assert!(
        found.is_empty(),
        "the repository stands alone and has no unfinished parts; remove:\n{}",
        found.join("\n")
    );
}

#[test]
fn every_actor_is_supervised() {
    // The lint knows the methods by name; this sees what it can't: actix's own supervisor, arbiters
    // that run something by themselves, and tasks that nobody fences.
    let unsupervised = [
        "Supervisor::start",
        "SyncArbiter",
        ".spawn_fn(",
        "ResponseFuture",
        "AtomicResponse",
        ".do_send(",
        ".start_in_arbiter(",
    ];
    let mut found = Vec::new();
    for file in House::open().with_ending("rs") {
        // Where threads are made, each is asked for its name before anything lives on it.
        let beneath = ["actors/supervision/", "tests/it/tidy", "src/app/threads.rs"];
        if beneath.iter().any(|start| file.path.starts_with(start)) {
            continue;
        }
        for (number, line) in code_only(&file.text) {
            let named = unsupervised
                .iter()
                .find(|word| line.contains(**word))
                .copied();
            // The edge may spawn its server; among actors a task of one's own escapes its fence.
            let loose = (file.path.starts_with("actors/") && line.contains("actix::spawn("))
                .then_some("actix::spawn(");
            let started = (line.contains(".start()") && file.text.contains("actix::"))
                .then_some("an actor's .start()");
            found.extend(
                named
                    .or(loose)
                    .or(started)
                    .map(|what| format!("{}:{number}: {what}", file.path)),
            );
        }
    }
    assert!(
        found.is_empty(),
        "these run beside the supervision tree; use Tree::supervise, a handle, or ResponseActFuture:\
         \n{}",
        found.join("\n")
    );
}
