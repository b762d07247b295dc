//! Lines broken to a width, so that it is known how many rows a text takes.

use ratatui::text::Span;

use super::{super::out::Tone, columns::Pieces};

/// The rows that the lines take on a screen of this width. Words move on whole where they fit on a row of
/// their own; the spaces around a break are dropped.
pub(super) fn wrapped(lines: Vec<Pieces>, width: usize) -> Vec<Pieces> {
    let rows = lines.into_iter().flat_map(|line| {
        let mut wrap = Wrap::new(width);
        for (tone, text) in &line {
            text.split_inclusive(' ')
                .for_each(|word| wrap.add(*tone, word));
        }
        wrap.rows()
    });
    rows.collect()
}

struct Wrap {
    width: usize,
    rows: Vec<Pieces>,
    row: Pieces,
    used: usize,
}

impl Wrap {
    fn new(width: usize) -> Self {
        Self {
            width: width.max(1),
            rows: Vec::new(),
            row: Pieces::new(),
            used: 0,
        }
    }

    /// Adds a word with the space behind it, which may hang over the edge. Words of several pieces are
    /// broken between the pieces.
    fn add(&mut self, tone: Tone, word: &str) {
        let bare = word.trim_end_matches(' ');
        let needed = columns_of(bare);
        if self.used > 0 && self.used + needed > self.width {
            self.break_row();
        }
        let is_after_break = self.used == 0 && !self.rows.is_empty();
        if bare.is_empty() && is_after_break {
            return;
        }
        if needed <= self.width {
            self.used += columns_of(word);
            self.row.push((tone, word.to_owned()));
        } else {
            bare.chars()
                .for_each(|letter| self.add_letter(tone, letter));
            let space = word.strip_prefix(bare).unwrap_or_default();
            self.used += space.len();
            self.row.push((tone, space.to_owned()));
        }
    }

    /// Adds a letter of a word that fits on no row.
    fn add_letter(&mut self, tone: Tone, letter: char) {
        let letter = letter.to_string();
        let needed = columns_of(&letter);
        if self.used > 0 && self.used + needed > self.width {
            self.break_row();
        }
        self.used += needed;
        self.row.push((tone, letter));
    }

    fn break_row(&mut self) {
        self.rows.push(std::mem::take(&mut self.row));
        self.used = 0;
    }

    /// All rows; a line of nothing is a row too.
    fn rows(mut self) -> Vec<Pieces> {
        if !self.row.is_empty() || self.rows.is_empty() {
            self.break_row();
        }
        self.rows
    }
}

/// How many columns of a screen a text takes.
fn columns_of(text: &str) -> usize {
    Span::raw(text).width()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(rows: &[Pieces]) -> Vec<String> {
        let row = |row: &Pieces| row.iter().map(|(_, text)| text.as_str()).collect();
        rows.iter().map(row).collect()
    }

    fn plain(line: &str) -> Pieces {
        vec![(Tone::Plain, line.to_owned())]
    }

    #[test]
    fn words_move_on_whole_and_keep_how_they_look() {
        let line = vec![
            (Tone::Bad, "last crash: ".to_owned()),
            (Tone::Plain, "index out of bounds".to_owned()),
        ];
        let rows = wrapped(vec![line], 18);
        assert_eq!(text(&rows), ["last crash: index ", "out of bounds"]);
        assert_eq!((rows[0][0].0, rows[1][0].0), (Tone::Bad, Tone::Plain));
    }

    #[test]
    fn what_fits_on_no_row_is_cut_and_nothing_is_a_row() {
        let lines = ["abcdefgh", "", "ab  cd", "警告警告"].map(plain);
        let rows = wrapped(lines.into(), 4);
        assert_eq!(
            text(&rows),
            ["abcd", "efgh", "", "ab  ", "cd", "警告", "警告"]
        );
    }

    proptest! {
        #[test]
        fn no_row_is_too_wide_and_no_letter_is_lost(
            line in "[a-c警 ]{0,60}",
            cut in 0..60_usize,
            width in 2..20_usize,
        ) {
            let cut = line.char_indices().nth(cut).map_or(line.len(), |(at, _)| at);
            let (first, second) = line.split_at(cut);
            let pieces = vec![(Tone::Plain, first.to_owned()), (Tone::Dim, second.to_owned())];
            let rows = text(&wrapped(vec![pieces], width));
            for row in &rows {
                prop_assert!(columns_of(row.trim_end()) <= width, "{row:?} in {width}");
            }
            let letters = |text: &str| text.split(' ').collect::<String>();
            prop_assert_eq!(letters(&rows.concat()), letters(&line));
        }
    }
}
