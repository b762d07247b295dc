//! One picture as text, for a pipe or a page.

use super::{
    super::{
        failure::Failure,
        out::{Line, Out},
    },
    columns::{Columns, Pieces, name_width},
    head,
    view::View,
};

/// Widest line of sums.
const WIDTH: usize = 100;

/// Prints the sums, what is amiss with threads and dead letters, and the rows. Of a listing that leaves
/// something out it prints the rows alone, each a match under its whole id.
pub(super) fn print(view: &View, out: &mut Out) -> Result<(), Failure> {
    if view.is_whole() {
        for line in head::totals_lines(view, WIDTH) {
            out.line(line_of(line))?;
        }
        for line in head::alarm_lines(view) {
            out.line(line_of(line))?;
        }
        out.gap()?;
    }
    let names = view.rows().flatten().map(|seen| name_width(seen, view));
    let columns = Columns::all(names.max().unwrap_or(0));
    if view.is_whole() {
        out.line(line_of(columns.headings(view.listing().sort)))?;
    }
    for seen in view.rows().flatten() {
        out.line(line_of(columns.row(seen, view)))?;
    }
    Ok(())
}

fn line_of(pieces: Pieces) -> Line {
    pieces
        .into_iter()
        .fold(Line::new(), |line, (tone, text)| line.tone(tone, text))
}
