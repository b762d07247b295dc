//! The columns: which fit, what they are called and what stands in them.

use super::{
    super::out::Tone,
    picture::{FRESH_CRASH_MS, Seen},
    rows::Sort,
    state::State,
    text::{beginning, count, ending, rate, span, wait},
    view::View,
};

/// Text in pieces, each with how it is to look.
pub(super) type Pieces = Vec<(Tone, String)>;

/// A column is shown only while names keep this many characters.
const NAME_MIN: usize = 24;
/// No name needs more.
const NAME_MAX: usize = 48;
/// The mark before a name and the space after it.
const MARGIN: usize = 2;

/// A column beside the names, in the order on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    State,
    Queue,
    Rate,
    Wait,
    Restarts,
    Generation,
    Crash,
    Up,
    Handled,
    Rejected,
    DeadLetters,
    Said,
}

/// All columns, the most important first.
const BY_WEIGHT: [Column; 12] = [
    Column::State,
    Column::Queue,
    Column::Restarts,
    Column::Crash,
    Column::Rate,
    Column::Wait,
    Column::Generation,
    Column::Up,
    Column::Rejected,
    Column::DeadLetters,
    Column::Handled,
    Column::Said,
];

/// The columns of one width.
#[derive(Debug)]
pub(super) struct Columns {
    name: usize,
    shown: Vec<Column>,
}

impl Columns {
    /// Those that fit into `width` characters beside the names; what is left over is for the names.
    pub(super) fn fit(width: usize) -> Self {
        let mut left = width.saturating_sub(MARGIN);
        let mut shown = Vec::new();
        for column in BY_WEIGHT {
            let needed = column.width() + 1;
            if left < NAME_MIN + needed {
                break;
            }
            left -= needed;
            shown.push(column);
        }
        shown.sort_by_key(|column| *column as u8);
        Self {
            name: left.min(NAME_MAX),
            shown,
        }
    }

    /// All columns beside names of `name` characters.
    pub(super) fn all(name: usize) -> Self {
        let mut shown = BY_WEIGHT.to_vec();
        shown.sort_by_key(|column| *column as u8);
        Self { name, shown }
    }

    /// The line above the rows. An arrow shows what they are sorted by.
    pub(super) fn headings(&self, sort: Sort) -> Pieces {
        let mut line = format!("{:MARGIN$}{:<name$}", "", "ACTOR", name = self.name);
        for column in &self.shown {
            let arrow = if column.sort() == Some(sort) {
                "▼"
            } else {
                ""
            };
            let heading = format!("{arrow}{}", column.heading());
            line.push(' ');
            line.push_str(&column.aligned(&heading));
        }
        vec![(Tone::Strong, line.trim_end().to_owned())]
    }

    /// The row of a node.
    pub(super) fn row(&self, seen: &Seen, view: &View) -> Pieces {
        let now_ms = view.picture().at().server_ms;
        let (mark_tone, mark) = mark(seen);
        let name = name(seen, view, self.name);
        let mut pieces = vec![
            (mark_tone, format!("{mark} ")),
            (
                name_tone(seen),
                format!("{name:<width$}", width = self.name),
            ),
        ];
        for column in &self.shown {
            let (tone, text) = column.cell(seen, now_ms);
            pieces.push((Tone::Plain, " ".to_owned()));
            pieces.push((tone, column.aligned(&text)));
        }
        pieces
    }
}

impl Column {
    const fn heading(self) -> &'static str {
        match self {
            Self::State => "STATE",
            Self::Queue => "QUEUE",
            Self::Rate => "MSG/S",
            Self::Wait => "WAIT",
            Self::Restarts => "RST",
            Self::Generation => "GEN",
            Self::Crash => "CRASH",
            Self::Up => "UP",
            Self::Handled => "MSGS",
            Self::Rejected => "REJ",
            Self::DeadLetters => "DEAD",
            Self::Said => "LAST CRASH SAID",
        }
    }

    const fn width(self) -> usize {
        match self {
            Self::State => 11,
            Self::Queue => 9,
            Self::Rate | Self::Wait => 6,
            Self::Crash => 5,
            Self::Restarts
            | Self::Generation
            | Self::Up
            | Self::Handled
            | Self::Rejected
            | Self::DeadLetters => 4,
            Self::Said => 32,
        }
    }

    const fn sort(self) -> Option<Sort> {
        match self {
            Self::Queue => Some(Sort::Queue),
            Self::Rate => Some(Sort::Rate),
            Self::Wait => Some(Sort::Wait),
            Self::Restarts => Some(Sort::Restarts),
            _ => None,
        }
    }

    /// Words stand left, numbers right.
    fn aligned(self, text: &str) -> String {
        let width = self.width();
        let text = beginning(text, width);
        match self {
            Self::State | Self::Said => format!("{text:<width$}"),
            _ => format!("{text:>width$}"),
        }
    }

    fn cell(self, seen: &Seen, now_ms: u64) -> (Tone, String) {
        let node = &seen.node;
        match self {
            Self::State => (state_tone(seen.state), state_word(seen)),
            Self::Queue => queue(seen),
            Self::Rate => {
                let text = seen.rate_tenths.map(rate).unwrap_or_default();
                (Tone::Plain, text).or_nothing(seen)
            }
            Self::Wait => (Tone::Plain, wait(node.queue_wait_us_p99)).or_nothing(seen),
            Self::Restarts => noted(node.restarts, Tone::Warn).or_nothing(seen),
            Self::Generation => (Tone::Plain, count(node.generation)).or_nothing(seen),
            Self::Crash => crash(seen, now_ms),
            Self::Up => {
                let up_ms = node.started_at_ms.map(|at_ms| now_ms.saturating_sub(at_ms));
                (Tone::Dim, up_ms.map(span).unwrap_or_default())
            }
            Self::Handled => (Tone::Plain, count(node.handled)).or_nothing(seen),
            Self::Rejected => noted(node.mailbox.rejected, Tone::Warn).or_nothing(seen),
            Self::DeadLetters => noted(node.poisoned, Tone::Warn).or_nothing(seen),
            Self::Said => {
                let crash = node.last_crash.as_ref();
                let said = crash.and_then(|crash| crash.panic.as_ref().or(crash.message.as_ref()));
                (Tone::Plain, said.cloned().unwrap_or_default())
            }
        }
    }
}

/// A cell of a node that only groups others stays empty: zeros there would say nothing.
trait OrNothing {
    fn or_nothing(self, seen: &Seen) -> Self;
}

impl OrNothing for (Tone, String) {
    fn or_nothing(self, seen: &Seen) -> Self {
        if !seen.is_actor() && self.1 == "0" {
            return (Tone::Plain, String::new());
        }
        self
    }
}

/// How a state looks. The word itself is always there for those who see no colours.
pub(super) fn state_tone(state: State) -> Tone {
    match state {
        State::Running => Tone::Good,
        State::Passive | State::Stopped => Tone::Dim,
        State::BackingOff | State::Other => Tone::Warn,
        State::Suspended | State::Stalled => Tone::Bad,
    }
}

/// A state as it is read; one that we do not know in the server's own word.
pub(super) fn state_word(seen: &Seen) -> String {
    seen.node.state.replace('_', " ")
}

/// `!` for a node in trouble, `↓` for one above such a node.
fn mark(seen: &Seen) -> (Tone, &'static str) {
    if seen.trouble {
        (Tone::Bad, "!")
    } else if seen.trouble_below > 0 {
        (Tone::Warn, "↓")
    } else {
        (Tone::Plain, " ")
    }
}

fn name_tone(seen: &Seen) -> Tone {
    match seen.state {
        _ if seen.trouble => Tone::Strong,
        State::Passive | State::Stopped => Tone::Dim,
        _ => Tone::Plain,
    }
}

/// A node's name: in the tree without what the line above says already, else its whole id.
fn name(seen: &Seen, view: &View, width: usize) -> String {
    if !view.is_tree() {
        return ending(&seen.node.id, width).into_owned();
    }
    let fold = match () {
        () if seen.children.is_empty() => "  ",
        () if view.is_folded(seen) => "▸ ",
        () => "▾ ",
    };
    let parent = seen.parent.and_then(|parent| view.picture().get(parent));
    let short = parent.and_then(|parent| {
        let rest = seen.node.id.strip_prefix(&parent.node.id)?;
        rest.strip_prefix('/')
    });
    let short = short.unwrap_or(&seen.node.id);
    let indented = format!("{:depth$}{fold}{short}", "", depth = seen.depth * 2);
    beginning(&indented, width).into_owned()
}

/// How many characters the name of a node takes.
pub(super) fn name_width(seen: &Seen, view: &View) -> usize {
    name(seen, view, usize::MAX).chars().count()
}

fn queue(seen: &Seen) -> (Tone, String) {
    let mailbox = &seen.node.mailbox;
    if mailbox.capacity == 0 {
        return (Tone::Plain, String::new());
    }
    let tone = if seen.is_full() {
        Tone::Bad
    } else if mailbox.depth > 0 {
        Tone::Warn
    } else {
        Tone::Plain
    };
    let text = format!("{}/{}", count(mailbox.depth), count(mailbox.capacity));
    (tone, text)
}

fn crash(seen: &Seen, now_ms: u64) -> (Tone, String) {
    match seen.crash_age_ms(now_ms) {
        Some(age_ms) if age_ms < FRESH_CRASH_MS => (Tone::Bad, span(age_ms)),
        Some(age_ms) => (Tone::Plain, span(age_ms)),
        None => (Tone::Plain, String::new()),
    }
}

fn noted(n: u64, tone: Tone) -> (Tone, String) {
    (if n > 0 { tone } else { Tone::Plain }, count(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of columns in the documentation: a row is "| `NAME` | meaning | width |".
    #[test]
    fn each_column_comes_at_the_width_that_is_documented() {
        let page = include_str!("../../../docs/top.md");
        for column in BY_WEIGHT {
            let row = format!("| `{}` |", column.heading());
            let row = page.lines().find(|line| line.starts_with(&row));
            let row = row.unwrap_or_else(|| panic!("{column:?} is missing in docs/top.md"));
            let first = (1..300).find(|width| Columns::fit(*width).shown.contains(&column));
            let width = row.trim_end_matches(" |").rsplit(' ').next().unwrap();
            let expected = if column == Column::State {
                38
            } else {
                width.parse().unwrap()
            };
            assert_eq!(first, Some(expected), "{row}");
        }
    }

    #[test]
    fn a_line_is_never_wider_than_the_screen() {
        for width in 0..300 {
            let headings = Columns::fit(width).headings(Sort::Queue);
            let length: usize = headings.iter().map(|(_, text)| text.chars().count()).sum();
            let least = MARGIN + "ACTOR".len();
            assert!(length <= width.max(least), "{width}");
        }
    }
}
