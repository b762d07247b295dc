//! The threads on which actors live: a row each, stuck ones first.

use super::{
    super::{model::Thread, out::Tone},
    columns::Pieces,
    text::{beginning, ending, span},
};

/// No name needs more, and a longer one shows its end.
const NAME_MAX: usize = 32;
/// What stands between a name and what runs on its thread.
const NUMBERS: usize = "  ACTORS  STUCK  ".len();

/// A heading and a row for each thread, none wider than `width`.
pub(super) fn lines(threads: &[Thread], width: usize) -> Vec<Pieces> {
    let longest = threads.iter().map(|thread| thread.name.chars().count());
    let name = longest.max().unwrap_or(0).clamp("THREAD".len(), NAME_MAX);
    let heading = format!("{:<name$}  ACTORS  STUCK  RUNNING", "THREAD");
    let heading = beginning(&heading, width).into_owned();
    let mut lines = vec![vec![(Tone::Strong, heading)]];
    lines.extend(threads.iter().map(|thread| row(thread, name, width)));
    if threads.is_empty() {
        let nothing = beginning("the server does not say", width).into_owned();
        lines.push(vec![(Tone::Dim, nothing)]);
    }
    lines
}

fn row(thread: &Thread, name: usize, width: usize) -> Pieces {
    let stuck = thread.stuck_for_ms.map(span);
    let tone = if stuck.is_some() {
        Tone::Bad
    } else {
        Tone::Plain
    };
    let numbers = format!(
        "{:<name$}  {:>6}  {:>5}",
        ending(&thread.name, name),
        thread.actors,
        stuck.unwrap_or_default()
    );
    let left = width.saturating_sub(name + NUMBERS);
    let runs = format!("  {}", beginning(&running(thread), left));
    let numbers = beginning(&numbers, width).into_owned();
    vec![(tone, numbers), (Tone::Plain, runs.trim_end().to_owned())]
}

/// The actor whose code runs, and its message without its path.
fn running(thread: &Thread) -> String {
    let Some(actor) = &thread.polling else {
        return String::new();
    };
    match &thread.message {
        Some(message) => {
            let short = message.rsplit("::").next().unwrap_or(message);
            format!("{actor}: {short}")
        }
        None => actor.clone(),
    }
}
