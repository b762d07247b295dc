//! Paints a view on a terminal of any size. Only the rows in sight cost anything.

use ratatui::{
    Frame,
    layout::Rect,
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph},
};

use super::{
    super::out::{Tone, clean},
    columns::{Columns, Pieces},
    detail, head, threads,
    view::{Layer, View},
    wrap::wrapped,
};

/// A screen of fewer rows shows a pane or the list, not both.
const SPLIT_FROM_ROWS: u16 = 18;
/// Beside the list the pane has at least so many rows, so that it does not jump with each node.
const PANE_ROWS_MIN: u16 = 10;
/// And it leaves so many to the list.
const LIST_ROWS_MIN: u16 = 6;

const FOOTER: [(&str, &str); 10] = [
    ("q", "quit"),
    ("?", "help"),
    ("←→", "fold"),
    ("⏎", "detail"),
    ("/", "filter"),
    ("s", "sort"),
    ("t", "trouble"),
    ("w", "threads"),
    ("p", "pause"),
    ("r", "now"),
];

/// How things are to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    /// Whether the terminal may show colours; without them bold, dim and reversed text remain.
    pub(super) colors: bool,
    /// Whether all of it is out of date.
    stale: bool,
}

impl Theme {
    /// A theme with or without colours.
    pub(super) fn new(colors: bool) -> Self {
        Self {
            colors,
            stale: false,
        }
    }

    fn style(self, tone: Tone) -> Style {
        let style = match tone {
            _ if self.stale => return Style::new().add_modifier(Modifier::DIM),
            Tone::Plain => Style::new(),
            Tone::Strong => Style::new().add_modifier(Modifier::BOLD),
            Tone::Dim => Style::new().add_modifier(Modifier::DIM),
            Tone::Good => Style::new().fg(Color::Green),
            Tone::Warn => Style::new().fg(Color::Yellow),
            Tone::Bad => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        };
        if self.colors {
            style
        } else {
            Style { fg: None, ..style }
        }
    }

    fn line(self, pieces: Pieces) -> Line<'static> {
        let span = |(tone, text)| Span::styled(text, self.style(tone));
        pieces.into_iter().map(span).collect()
    }
}

/// Paints everything. At `now_ms`, by our clock.
pub(super) fn draw(frame: &mut Frame<'_>, view: &mut View, now_ms: u64, theme: Theme) {
    let area = frame.area();
    let mut rest = Rest(area);
    frame.render_widget(footer(view, area.width, theme), rest.bottom(1));
    let body = Theme {
        stale: view.away().is_some(),
        ..theme
    };
    match view.layer() {
        Layer::Help => {
            let lines = wrapped(detail::help(), usize::from(area.width));
            page(frame, rest.0, " Keys ", (theme, lines));
        }
        Layer::Detail | Layer::Threads if area.height < SPLIT_FROM_ROWS => {
            let about = About::new(view, area.width);
            pane(frame, rest.0, view, (body, about));
        }
        Layer::Detail | Layer::Threads => {
            header(frame, &mut rest, view, (now_ms, theme));
            let about = About::new(view, area.width);
            let most = rest.0.height.saturating_sub(LIST_ROWS_MIN);
            let rows = u16::try_from(about.rows.len() + 1).unwrap_or(most);
            let lower = rest.bottom(rows.max(PANE_ROWS_MIN).min(most));
            list(frame, rest, view, body);
            pane(frame, lower, view, (body, about));
        }
        Layer::List | Layer::Typing => {
            header(frame, &mut rest, view, (now_ms, theme));
            list(frame, rest, view, body);
        }
    }
}

fn header(frame: &mut Frame<'_>, rest: &mut Rest, view: &View, (now_ms, theme): (u64, Theme)) {
    let most = match rest.0.height {
        0..7 => 1,
        7..15 => 2,
        _ => 6,
    };
    for line in head::lines(view, now_ms, usize::from(rest.0.width), most) {
        frame.render_widget(theme.line(line), rest.top(1));
    }
}

fn list(frame: &mut Frame<'_>, mut rest: Rest, view: &mut View, theme: Theme) {
    let columns = Columns::fit(usize::from(rest.0.width));
    let headings = columns.headings(view.listing().sort);
    frame.render_widget(theme.line(headings), rest.top(1));
    view.fit(usize::from(rest.0.height));
    if view.selected().is_none() {
        let nothing = vec![(Tone::Dim, "  nothing to show; Esc shows all".to_owned())];
        frame.render_widget(theme.line(nothing), rest.top(1));
    }
    for (seen, is_selected) in view.in_sight() {
        let row = theme.line(columns.row(seen, view));
        let area = rest.top(1);
        frame.render_widget(row, area);
        if is_selected {
            let reversed = Style::new().add_modifier(Modifier::REVERSED);
            frame.buffer_mut().set_style(area, reversed);
        }
    }
}

/// What a pane says, row by row.
struct About {
    title: &'static str,
    rows: Vec<Pieces>,
}

impl About {
    fn new(view: &View, width: u16) -> Self {
        let width = usize::from(width);
        if view.layer() == Layer::Threads {
            return Self {
                title: " Threads ",
                rows: threads::lines(view.picture().threads(), width),
            };
        }
        let now_ms = view.picture().at().server_ms;
        let lines = view.selected().map(|seen| detail::lines(seen, now_ms));
        Self {
            title: " Details ",
            rows: wrapped(lines.unwrap_or_default(), width),
        }
    }
}

/// A pane as far as it is scrolled; its title says so if not all of it is in sight.
fn pane(frame: &mut Frame<'_>, area: Rect, view: &mut View, (theme, about): (Theme, About)) {
    let (all, height) = (about.rows.len(), usize::from(area.height.saturating_sub(1)));
    let first = view.fit_pane(all, height);
    let mut title = about.title.to_owned();
    if all > height {
        let last = first + height.min(all);
        title = format!("{title} {}-{last} of {all}  PgUp PgDn ", first + 1);
    }
    let in_sight = about.rows.into_iter().skip(first).take(height);
    page(frame, area, &title, (theme, in_sight.collect()));
}

fn page(frame: &mut Frame<'_>, area: Rect, title: &str, (theme, rows): (Theme, Vec<Pieces>)) {
    let rows: Vec<_> = rows.into_iter().map(|row| theme.line(row)).collect();
    let page = Paragraph::new(rows).block(Block::new().borders(Borders::TOP).title(title));
    frame.render_widget(page, area);
}

/// The line of keys, or of the filter that is typed. What does not fit is left out from its end.
fn footer(view: &View, width: u16, theme: Theme) -> Line<'static> {
    if view.layer() == Layer::Typing {
        let typed = format!("/{}▏", clean(&view.listing().filter));
        return theme.line(vec![
            (Tone::Strong, typed),
            (Tone::Dim, "  Enter keeps it, Esc drops it".to_owned()),
        ]);
    }
    let mut pieces = Pieces::new();
    let mut left = usize::from(width);
    for (key, what) in FOOTER {
        let needed = key.chars().count() + 1 + what.len();
        let gap = usize::from(!pieces.is_empty());
        let Some(rest) = left.checked_sub(needed + gap) else {
            break;
        };
        left = rest;
        pieces.push((Tone::Plain, " ".repeat(gap)));
        pieces.push((Tone::Strong, key.to_owned()));
        pieces.push((Tone::Dim, format!(" {what}")));
    }
    theme.line(pieces)
}

/// What of the screen is not painted yet.
#[derive(Clone, Copy)]
struct Rest(Rect);

impl Rest {
    /// Takes rows from the top; fewer, or none, if there are no more.
    fn top(&mut self, rows: u16) -> Rect {
        let rows = rows.min(self.0.height);
        let taken = Rect {
            height: rows,
            ..self.0
        };
        self.0.y += rows;
        self.0.height -= rows;
        taken
    }

    /// Takes rows from the bottom.
    fn bottom(&mut self, rows: u16) -> Rect {
        let rows = rows.min(self.0.height);
        self.0.height -= rows;
        Rect {
            y: self.0.y + self.0.height,
            height: rows,
            ..self.0
        }
    }
}

#[cfg(test)]
mod tests;
