//! What the commands print: plain lines and aligned tables, coloured on a terminal only, or JSON.
//!
//! Hosts, titles and command lines come from whoever attacked somebody, so no text reaches the
//! terminal with its control characters: [`Line`] is the only way to print, and it cleans.

use std::{
    borrow::Cow,
    fmt,
    io::{self, IsTerminal as _, Write},
};

use serde::Serialize;

/// Characters of a cell; whoever wants to read more asks for the one thing, or for JSON.
const CELL_MAX: usize = 60;

/// Where a command prints, and how.
pub struct Out {
    sink: Box<dyn Write + Send>,
    color: bool,
    json: bool,
}

/// How a piece of text is to look where colours are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it comes.
    Plain,
    /// A heading or the one thing to read.
    Strong,
    /// Beside the point.
    Dim,
    /// All is well.
    Good,
    /// Look at it.
    Warn,
    /// Act on it.
    Bad,
}

/// One line to print, built piece by piece.
#[derive(Clone, Debug, Default)]
pub struct Line {
    pieces: Vec<(Tone, String)>,
}

impl Out {
    /// Standard output. Colours need a terminal and no `NO_COLOR`.
    pub fn stdout(json: bool, no_color: bool) -> Self {
        let stdout = io::stdout();
        let color = !no_color && !json && stdout.is_terminal();
        Self {
            sink: Box::new(stdout),
            color,
            json,
        }
    }

    /// Any other place, without colours.
    pub fn to(sink: Box<dyn Write + Send>, json: bool) -> Self {
        Self {
            sink,
            color: false,
            json,
        }
    }

    /// Whether the caller asked for JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints one line for people; programs that asked for JSON do not see it.
    pub fn line(&mut self, line: impl Into<Line>) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        let text = line.into().render(self.color);
        writeln!(self.sink, "{text}")?;
        self.sink.flush()
    }

    /// Prints an empty line.
    pub fn gap(&mut self) -> io::Result<()> {
        self.line("")
    }

    /// Prints a value as one line of JSON.
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value).map_err(io::Error::other)?;
        writeln!(self.sink, "{text}")?;
        self.sink.flush()
    }

    /// Prints bytes as they are: exports and generated scripts.
    pub fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sink.write_all(bytes)
    }

    /// Hands everything written so far to whoever reads it.
    pub fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }

    /// Prints rows under their headings, columns two spaces apart; the last column is not padded. Of a
    /// text longer than `CELL_MAX` characters the beginning is printed, and an ellipsis.
    pub fn table(&mut self, headings: &[&str], rows: &[Vec<(Tone, String)>]) -> io::Result<()> {
        let mut widths: Vec<usize> = headings.iter().map(|heading| heading.len()).collect();
        for row in rows {
            for (width, (_, cell)) in widths.iter_mut().zip(row) {
                *width = (*width).max(fitted(cell).chars().count());
            }
        }
        let heading: Vec<_> = headings
            .iter()
            .map(|text| (Tone::Dim, (*text).to_owned()))
            .collect();
        self.line(aligned(&heading, &widths))?;
        rows.iter()
            .try_for_each(|row| self.line(aligned(row, &widths)))
    }
}

impl fmt::Debug for Out {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Out")
            .field("color", &self.color)
            .field("json", &self.json)
            .finish_non_exhaustive()
    }
}

impl Line {
    /// An empty line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds text as it comes.
    #[must_use]
    pub fn text(self, text: impl fmt::Display) -> Self {
        self.tone(Tone::Plain, text)
    }

    /// Adds text in a tone.
    #[must_use]
    pub fn tone(mut self, tone: Tone, text: impl fmt::Display) -> Self {
        self.pieces.push((tone, text.to_string()));
        self
    }

    /// A line `name  text` of a block whose names stand in a column ten characters wide.
    pub fn item(name: &str, text: impl fmt::Display) -> Self {
        Self::named(name).text(text)
    }

    /// The beginning of such a line. A name as long as the column still ends before the text.
    pub fn named(name: &str) -> Self {
        Self::new().tone(Tone::Dim, format!("{name:<9} "))
    }

    fn render(&self, color: bool) -> String {
        let paint = |(tone, text): &(Tone, String)| match tone.code().filter(|_| color) {
            Some(code) => format!("\u{1b}[{code}m{}\u{1b}[0m", clean(text)),
            None => clean(text).into_owned(),
        };
        self.pieces
            .iter()
            .map(paint)
            .collect::<String>()
            .trim_end()
            .to_owned()
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::new().text(text)
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::new().text(text)
    }
}

impl Tone {
    const fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Strong => Some("1"),
            Self::Dim => Some("2"),
            Self::Good => Some("32"),
            Self::Warn => Some("33"),
            Self::Bad => Some("1;31"),
        }
    }
}

/// The text with everything escaped that could move the cursor, change colours or turn the reading
/// direction.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_steering) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| {
        if is_steering(c) {
            c.escape_unicode().to_string()
        } else {
            c.into()
        }
    };
    Cow::Owned(text.chars().map(escape).collect())
}

fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text as it stands in a cell: clean, and cut where it is too long for one.
fn fitted(text: &str) -> Cow<'_, str> {
    let text = clean(text);
    if text.chars().nth(CELL_MAX).is_none() {
        return text;
    }
    let kept = text.chars().take(CELL_MAX - 1);
    Cow::Owned(kept.chain(['\u{2026}']).collect())
}

fn aligned(cells: &[(Tone, String)], widths: &[usize]) -> Line {
    let mut line = Line::new();
    for (index, ((tone, text), width)) in cells.iter().zip(widths).enumerate() {
        let text = fitted(text);
        let pad = if index + 1 == cells.len() {
            0
        } else {
            width - text.chars().count() + 2
        };
        line = line.tone(*tone, text).text(" ".repeat(pad));
    }
    line
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A sink whose contents a test can read afterwards.
    #[derive(Clone, Default)]
    pub(crate) struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        pub(crate) fn out(&self, json: bool) -> Out {
            Out::to(Box::new(self.clone()), json)
        }

        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn columns_stand_under_their_headings() {
        let paper = Paper::default();
        let cell = |text: &str| (Tone::Plain, text.to_owned());
        let rows = [
            vec![cell("acme"), cell("1")],
            vec![cell("globex-eu"), cell("22")],
        ];
        paper.out(false).table(&["TENANT", "N"], &rows).unwrap();
        assert_eq!(paper.text(), "TENANT     N\nacme       1\nglobex-eu  22\n");
    }

    #[test]
    fn a_hostile_text_is_escaped_and_still_aligned() {
        let paper = Paper::default();
        let rows = [vec![
            (Tone::Bad, "a\u{1b}[31m\u{202e}".to_owned()),
            (Tone::Plain, "x".into()),
        ]];
        paper.out(false).table(&["H", "V"], &rows).unwrap();
        assert!(!paper.text().contains(['\u{1b}', '\u{202e}']));
        let widths: Vec<_> = paper
            .text()
            .lines()
            .map(|line| line.chars().count())
            .collect();
        assert_eq!(widths.first(), widths.last());
    }

    #[test]
    fn a_long_cell_is_cut_and_a_line_of_its_own_is_not() {
        let paper = Paper::default();
        let (most, more) = ("\u{e9}".repeat(60), "\u{e9}".repeat(61));
        let rows = [&most, &more].map(|title| {
            let cell = |text: &str| (Tone::Plain, text.to_owned());
            vec![cell(title), cell("x"), cell(title)]
        });
        let mut out = paper.out(false);
        out.table(&["TITLE", "V", "AGAIN"], &rows).unwrap();
        out.line(Line::item("title", &more)).unwrap();
        let text = paper.text();
        let lines: Vec<&str> = text.lines().collect();
        let cut = format!("{}\u{2026}", "\u{e9}".repeat(59));
        assert_eq!(lines[1], format!("{most}  x  {most}"));
        assert_eq!(lines[2], format!("{cut}  x  {cut}"));
        assert_eq!(lines[3], format!("title     {more}"));
    }

    #[test]
    fn an_escape_that_is_cut_through_steers_nothing() {
        let paper = Paper::default();
        let hostile = format!("{}\u{1b}[2J{}", "a".repeat(56), "b".repeat(500));
        let rows = [vec![(Tone::Plain, hostile)]];
        paper.out(false).table(&["TITLE"], &rows).unwrap();
        let text = paper.text();
        assert!(!text.contains('\u{1b}'), "{text}");
        assert_eq!(text.lines().last().unwrap().chars().count(), CELL_MAX);
    }

    #[test]
    fn colours_are_only_for_those_who_want_them() {
        let line = Line::new().tone(Tone::Bad, "CRITICAL").text(" host");
        assert_eq!(line.render(false), "CRITICAL host");
        assert_eq!(line.render(true), "\u{1b}[1;31mCRITICAL\u{1b}[0m host");
    }
}
