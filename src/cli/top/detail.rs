//! Everything about one node, and the page about the keys.

use vyrox_domain::time::Timestamp;

use super::{
    super::{
        model::{Crash, Node},
        out::Tone,
    },
    columns::{Pieces, state_tone, state_word},
    picture::Seen,
    state::State,
    text::{rate, span, wait},
};

/// The keys, as the help page and the documentation name them.
pub(super) const KEYS: [(&str, &str); 15] = [
    ("Up, Down", "move by a row"),
    (
        "PgUp, PgDn",
        "move by a screen; with a pane open, scroll it",
    ),
    ("Home, End", "to the first, the last row"),
    (
        "Left, Right",
        "fold, unfold; again: to the parent, to the child",
    ),
    ("Space", "fold or unfold"),
    ("Enter", "details of the selected actor, on or off"),
    ("w", "threads: who lives and runs there, on or off"),
    ("s", "sort: tree, queue, restarts, wait, rate"),
    ("/", "show only ids with the text you type"),
    ("t", "show only what is in trouble, or all"),
    ("p", "keep this picture, or go on"),
    ("r", "ask the server now"),
    ("?", "this page"),
    ("Esc", "close, or show all again, or end"),
    ("q, Ctrl-C", "end"),
];

/// The page about the keys and marks.
pub(super) fn help() -> Vec<Pieces> {
    let key = |(key, what): &(&str, &str)| {
        vec![
            (Tone::Strong, format!("{key:<12}")),
            (Tone::Plain, (*what).to_owned()),
        ]
    };
    let mark = |mark: &str, what: &str| {
        vec![
            (Tone::Strong, format!("{mark:<12}")),
            (Tone::Plain, what.to_owned()),
        ]
    };
    let mut lines: Vec<Pieces> = KEYS.iter().map(key).collect();
    lines.push(mark("!", "unwell, crashed within a minute, or full"));
    lines.push(mark("↓", "above something that is"));
    lines
}

/// Everything about a node. Lines may be longer than the screen is wide.
pub(super) fn lines(seen: &Seen, now_ms: u64) -> Vec<Pieces> {
    let mut lines = vec![
        vec![(Tone::Strong, seen.node.id.clone())],
        life(seen, now_ms),
    ];
    lines.extend(supervision(&seen.node));
    if let Some(due_ms) = seen.node.next_restart_at_ms {
        lines.push(next(seen.state, due_ms, now_ms));
    }
    if let Some(crash) = &seen.node.last_crash {
        lines.extend(last_crash(crash, now_ms));
    }
    if seen.is_actor() {
        lines.push(mailbox(seen));
    }
    if let Some(note) = &seen.node.note {
        lines.push(vec![(Tone::Plain, note.clone())]);
    }
    if seen.trouble_below > 0 {
        let below = format!("{} in trouble below", seen.trouble_below);
        lines.push(vec![(Tone::Warn, below)]);
    }
    lines
}

fn life(seen: &Seen, now_ms: u64) -> Pieces {
    let node = &seen.node;
    let mut line = vec![(state_tone(seen.state), state_word(seen))];
    if !node.kind.is_empty() {
        line.push((Tone::Plain, format!("  kind {}", node.kind)));
    }
    if seen.is_actor() {
        let lives = format!(
            "  generation {}  restarts {}",
            node.generation, node.restarts
        );
        line.push((Tone::Plain, lives));
    }
    if let Some(started_ms) = node.started_at_ms {
        let up = span(now_ms.saturating_sub(started_ms));
        line.push((Tone::Plain, format!("  up {up}")));
    }
    line
}

/// How a supervisor answers the fall of a child, and how often it was restarted itself.
fn supervision(node: &Node) -> Option<Pieces> {
    let strategy = node.strategy.as_deref()?;
    let meaning = match strategy {
        "one_for_one" => ": a child that falls restarts alone",
        "one_for_all" => ": all children restart with one that falls",
        "rest_for_one" => ": those started after a child that falls restart with it",
        _ => "",
    };
    let mut line = vec![
        (Tone::Strong, strategy.replace('_', " ")),
        (Tone::Plain, meaning.to_owned()),
    ];
    if node.restarts > 0 {
        let whole = format!("  restarted as a whole {}x", node.restarts);
        line.push((Tone::Warn, whole));
    }
    Some(line)
}

fn mailbox(seen: &Seen) -> Pieces {
    let node = &seen.node;
    let mailbox = &node.mailbox;
    let tone = if seen.is_full() {
        Tone::Bad
    } else {
        Tone::Plain
    };
    let mut line = vec![(
        tone,
        format!("queue {} of {}", mailbox.depth, mailbox.capacity),
    )];
    line.push((
        Tone::Plain,
        format!(
            "  wait p99 {}  handled {}",
            wait(node.queue_wait_us_p99),
            node.handled
        ),
    ));
    if let Some(tenths) = seen.rate_tenths {
        line.push((Tone::Plain, format!(" ({}/s)", rate(tenths))));
    }
    for (n, name) in [
        (mailbox.rejected, "rejected"),
        (node.poisoned, "dead letters"),
    ] {
        let tone = if n > 0 { Tone::Warn } else { Tone::Plain };
        line.push((tone, format!("  {name} {n}")));
    }
    line
}

fn next(state: State, due_ms: u64, now_ms: u64) -> Pieces {
    let what = match state {
        State::Suspended => "next probe",
        _ => "next restart",
    };
    let when = match due_ms.checked_sub(now_ms) {
        Some(0) | None => "is due".to_owned(),
        Some(left_ms) => format!("in {} (at {})", span(left_ms), Timestamp::from_ms(due_ms)),
    };
    vec![(Tone::Warn, format!("{what} {when}"))]
}

/// What was said stands first; on a small screen it may be all that is seen.
fn last_crash(crash: &Crash, now_ms: u64) -> Vec<Pieces> {
    let ago = match crash.at_ms {
        Some(at_ms) => format!(" {} ago", span(now_ms.saturating_sub(at_ms))),
        None => String::new(),
    };
    let said = crash.panic.as_deref().unwrap_or("nothing was said");
    let mut lines = vec![vec![
        (Tone::Bad, format!("last crash{ago}: ")),
        (Tone::Plain, said.to_owned()),
    ]];
    let when = crash.at_ms.map(|ms| Timestamp::from_ms(ms).to_string());
    let facts = [
        ("at ", crash.location.clone()),
        ("handling ", crash.message.clone()),
        ("on ", when),
    ];
    let known = facts
        .into_iter()
        .filter_map(|(name, text)| Some(vec![(Tone::Dim, name.to_owned()), (Tone::Plain, text?)]));
    lines.extend(known);
    lines
}
