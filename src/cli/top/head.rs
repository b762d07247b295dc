//! The lines above the list: which server, how old the picture is, sums, and what is amiss.

use super::{
    super::{
        model::Thread,
        out::{Tone, clean},
    },
    columns::Pieces,
    rows::Sort,
    text::{beginning, count, span},
    view::View,
};

/// Between two parts of a line that are no words of one sentence.
const GAP: &str = "  ";

/// The lines, at most `most` of them and at most `width` wide, the most important first. At
/// `now_ms`, by our clock.
pub(super) fn lines(view: &View, now_ms: u64, width: usize, most: usize) -> Vec<Pieces> {
    let mut lines = packed(&identity(view, now_ms), (width, GAP), 1);
    lines.extend(away(view, now_ms, width));
    lines.extend(totals_lines(view, width));
    lines.truncate(most);
    lines
}

/// The sums over the whole tree, on two lines.
pub(super) fn totals_lines(view: &View, width: usize) -> Vec<Pieces> {
    packed(&totals(view), (width, GAP), 2)
}

fn identity(view: &View, now_ms: u64) -> Pieces {
    let picture = view.picture();
    let old_ms = now_ms.saturating_sub(picture.at().local_ms);
    let mut parts = vec![(Tone::Strong, "vyrox top".to_owned())];
    parts.extend(alarms(view));
    parts.extend(modes(view));
    parts.push((Tone::Dim, format!("{} old", span(old_ms))));
    parts.push((Tone::Plain, clean(view.server()).into_owned()));
    let started_ms = picture.root().and_then(|root| root.node.started_at_ms);
    if let Some(started_ms) = started_ms {
        let up_ms = picture.at().server_ms.saturating_sub(started_ms);
        parts.push((Tone::Dim, format!("up {}", span(up_ms))));
    }
    parts
}

/// What is amiss beside the actors' own states: threads that are stuck, and dead letters.
fn alarms(view: &View) -> Pieces {
    let totals = view.picture().totals();
    let alarm = |n: u64, one: &str, many: &str, tone| {
        let name = if n == 1 { one } else { many };
        (n > 0).then(|| (tone, format!("{} {name}", whole(n))))
    };
    let stuck = alarm(
        totals.threads_stuck,
        "thread stuck",
        "threads stuck",
        Tone::Bad,
    );
    let letters = alarm(
        totals.dead_letters,
        "dead letter",
        "dead letters",
        Tone::Warn,
    );
    stuck.into_iter().chain(letters).collect()
}

/// A line for each alarm, with what there is to know or to do about it.
pub(super) fn alarm_lines(view: &View) -> Vec<Pieces> {
    let stuck = view.picture().threads().iter().filter_map(|thread| {
        let said = format!(
            "thread stuck for {}: {}",
            span(thread.stuck_for_ms?),
            thread.name
        );
        Some(vec![(Tone::Bad, said), (Tone::Plain, running_on(thread))])
    });
    let letters = view.picture().totals().dead_letters;
    let hint = "  `vyrox dead-letter list` shows them".to_owned();
    let letters = (letters > 0).then(|| {
        let said = format!("dead letters {}", whole(letters));
        vec![(Tone::Warn, said), (Tone::Dim, hint)]
    });
    stuck.chain(letters).collect()
}

fn running_on(thread: &Thread) -> String {
    let Some(actor) = &thread.polling else {
        return "  in something that is no actor".to_owned();
    };
    match &thread.message {
        Some(message) => format!("  in {actor}, handling {message}"),
        None => format!("  in {actor}"),
    }
}

/// What makes this less than the whole tree as it is now.
fn modes(view: &View) -> Pieces {
    let listing = view.listing();
    let mut modes = Vec::new();
    if view.is_paused() {
        modes.push("PAUSED".to_owned());
    }
    if listing.only_trouble {
        modes.push("only trouble".to_owned());
    }
    if let Some(state) = listing.state {
        modes.push(format!("only {}", state.as_str()));
    }
    if !listing.filter.is_empty() {
        modes.push(format!("filter: {}", clean(&listing.filter)));
    }
    if listing.sort != Sort::Tree {
        modes.push(format!("by {}", listing.sort.as_str()));
    }
    modes.into_iter().map(|mode| (Tone::Warn, mode)).collect()
}

fn away(view: &View, now_ms: u64, width: usize) -> Vec<Pieces> {
    let Some(absence) = view.away() else {
        return Vec::new();
    };
    let since_ms = now_ms.saturating_sub(view.picture().at().local_ms);
    let why = clean(&absence.why);
    let said = format!("no answer since {}: {why}", span(since_ms));
    let mut lines = vec![vec![(Tone::Bad, beginning(&said, width).into_owned())]];
    let hint = clean(absence.hint.as_deref().unwrap_or_default());
    let words: Pieces = hint
        .split_whitespace()
        .map(|word| (Tone::Warn, word.to_owned()))
        .collect();
    if !words.is_empty() {
        lines.extend(packed(&words, (width, " "), 2));
    }
    lines
}

fn totals(view: &View) -> Pieces {
    let totals = view.picture().totals();
    let sum = |n: u64, name: &str, tone: Tone| {
        let tone = if n > 0 { tone } else { Tone::Dim };
        (tone, format!("{name} {}", whole(n)))
    };
    vec![
        sum(totals.actors, "actors", Tone::Plain),
        sum(totals.running, "running", Tone::Good),
        sum(totals.trouble, "in trouble", Tone::Bad),
        sum(totals.backing_off, "backing off", Tone::Warn),
        sum(totals.suspended, "suspended", Tone::Bad),
        sum(totals.stalled, "stalled", Tone::Bad),
        sum(totals.restarts, "restarts", Tone::Warn),
        sum(totals.queued, "queued", Tone::Plain),
        sum(totals.rejected, "rejected", Tone::Warn),
        sum(totals.passive, "passive", Tone::Plain),
    ]
}

/// A sum has room for every digit that it usually has.
fn whole(n: u64) -> String {
    match n {
        0..1_000_000 => n.to_string(),
        _ => count(n),
    }
}

/// As many parts as fit on `most` lines of a width, with a gap between them; a part that does not fit
/// alone is cut.
fn packed(parts: &[(Tone, String)], (width, gap): (usize, &str), most: usize) -> Vec<Pieces> {
    let mut full = Vec::new();
    let mut line = Pieces::new();
    let mut used = 0;
    for (tone, text) in parts {
        let text = beginning(text, width).into_owned();
        let length = text.chars().count();
        if line.is_empty() {
            used = length;
        } else if used + gap.len() + length <= width {
            used += gap.len() + length;
            line.push((Tone::Plain, gap.to_owned()));
        } else if full.len() + 1 < most {
            full.push(std::mem::take(&mut line));
            used = length;
        } else {
            break;
        }
        line.push((*tone, text));
    }
    full.push(line);
    full
}
