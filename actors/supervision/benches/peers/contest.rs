//! Rounds in which everybody has a turn, and the table that comes of them.

use crate::Outcome;
use std::io::{self, Write as _};
use std::time::Instant;

/// Writes a line to standard output.
pub(crate) fn line(text: &str) {
    // If nobody reads it, nobody misses it.
    writeln!(io::stdout(), "{text}").ok();
}

/// Writes what stands over the columns.
pub(crate) fn head() {
    line(&format!(
        "{:54}{:>11}{:>11}{:>11}{:>9}   aim",
        "", "median", "lowest", "highest", "ratio"
    ));
}

type Measure<'a> = Box<dyn FnMut() -> Outcome<Vec<f64>> + 'a>;

/// Several ways to do one thing, measured by turns.
pub(crate) struct Contest<'a> {
    title: String,
    /// What each figure of a turn is; a turn gives one a name.
    figures: &'static [&'static str],
    digits: usize,
    against: Against,
    entries: Vec<Entry<'a>>,
}

/// What a ratio is a multiple of.
#[derive(Clone, Copy)]
pub(crate) enum Against {
    /// The first entry.
    First,
    /// The lowest figure of the round among all but the last entry.
    BestOfOthers,
}

struct Entry<'a> {
    name: &'static str,
    aim: &'static str,
    measure: Measure<'a>,
    /// A turn each.
    turns: Vec<Vec<f64>>,
}

impl<'a> Contest<'a> {
    pub(crate) fn new(title: impl Into<String>, figures: &'static [&'static str]) -> Self {
        Self {
            title: title.into(),
            figures,
            digits: 0,
            against: Against::First,
            entries: Vec::new(),
        }
    }

    pub(crate) fn digits(mut self, digits: usize) -> Self {
        self.digits = digits;
        self
    }

    pub(crate) fn against(mut self, against: Against) -> Self {
        self.against = against;
        self
    }

    /// Adds a contestant, with what is hoped of it; `measure` is one turn.
    pub(crate) fn entry(
        mut self,
        name: &'static str,
        aim: &'static str,
        measure: impl FnMut() -> Outcome<Vec<f64>> + 'a,
    ) -> Self {
        self.entries.push(Entry {
            name,
            aim,
            measure: Box::new(measure),
            turns: Vec::new(),
        });
        self
    }

    /// Measures and prints.
    pub(crate) fn run(mut self, rounds: usize) -> Outcome<()> {
        for round in 0..=rounds {
            let count = self.entries.len();
            let (front, back) = self.entries.split_at_mut(round % count);
            for entry in back.iter_mut().chain(front) {
                let turn = (entry.measure)()?;
                // The first round only warms up.
                if round > 0 {
                    entry.turns.push(turn);
                }
            }
        }
        self.print(rounds);
        Ok(())
    }

    fn print(&self, rounds: usize) {
        line(&format!("\n{} ({rounds} rounds)", self.title));
        for entry in &self.entries {
            for (at, figure) in self.figures.iter().enumerate() {
                let values: Vec<_> = entry.turns.iter().filter_map(|turn| turn.get(at)).collect();
                let ratios = values
                    .iter()
                    .enumerate()
                    .filter_map(|(round, value)| Some(*value / self.base(round, at)?))
                    .collect();
                let aim = if at == 0 { entry.aim } else { "" };
                self.row(
                    &format!("{} {figure}", entry.name),
                    values.into_iter().copied().collect(),
                    ratios,
                    aim,
                );
            }
        }
    }

    /// What a figure of this round is held against.
    fn base(&self, round: usize, figure: usize) -> Option<f64> {
        let value = |entry: &Entry<'_>| entry.turns.get(round)?.get(figure).copied();
        match self.against {
            Against::First => self.entries.first().and_then(value),
            Against::BestOfOthers => {
                let (_, others) = self.entries.split_last()?;
                others.iter().filter_map(value).min_by(f64::total_cmp)
            }
        }
    }

    fn row(&self, name: &str, values: Vec<f64>, ratios: Vec<f64>, aim: &str) {
        let (low, middle, high) = spread(values);
        let ratio = multiple(spread(ratios).1);
        let digits = self.digits;
        let text = format!(
            "  {name:52}{middle:>11.digits$}{low:>11.digits$}{high:>11.digits$}{ratio:>9}   {aim}"
        );
        line(text.trim_end());
    }
}

/// A ratio as people say it.
fn multiple(ratio: f64) -> String {
    if ratio > 0.0 && ratio < 0.1 {
        format!("1/{:.0}", 1.0 / ratio)
    } else {
        format!("{ratio:.2}x")
    }
}

/// The lowest, the median and the highest.
fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |position: usize| values.get(position).copied().unwrap_or(f64::NAN);
    let last = values.len().saturating_sub(1);
    let median = f64::midpoint(at(last / 2), at(values.len() / 2));
    (at(0), median, at(last))
}

/// Nanoseconds that each of `count` takes in `all`.
pub(crate) async fn timed(count: u32, all: impl Future<Output = Outcome<()>>) -> Outcome<Vec<f64>> {
    let began = Instant::now();
    all.await?;
    Ok(vec![began.elapsed().as_nanos() as f64 / f64::from(count)])
}

/// The value that `share` of all values do not exceed.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length is a position"
    )]
    let at = (values.len() as f64 * share) as usize;
    let last = values.len().saturating_sub(1);
    values.get(at.min(last)).copied().unwrap_or(f64::NAN)
}
