//! Tables: the median of the rounds, the lowest and the highest.

use std::{
    io::{self, Write as _},
    time::Duration,
};

/// Writes a line to standard output.
pub(crate) fn line(text: &str) {
    // If nobody reads it, nobody misses it.
    writeln!(io::stdout(), "{text}").ok();
}

/// Begins a table.
pub(crate) fn head(title: &str) {
    let (median, lowest, highest) = ("median", "lowest", "highest");
    line("");
    line(&format!(
        "{title:58}{median:>11}{lowest:>11}{highest:>11}   aim"
    ));
}

/// One figure, round by round.
pub(crate) fn row(name: &str, digits: usize, mut values: Vec<f64>, aim: &str) {
    values.sort_by(f64::total_cmp);
    let at = |position: usize| values.get(position).copied().unwrap_or(f64::NAN);
    let last = values.len().saturating_sub(1);
    let median = f64::midpoint(at(last / 2), at(values.len() / 2));
    let (lowest, highest) = (at(0), at(last));
    let text =
        format!("  {name:56}{median:>11.digits$}{lowest:>11.digits$}{highest:>11.digits$}   {aim}");
    line(text.trim_end());
}

pub(crate) fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// An equal share of the time for each of so many.
pub(crate) fn each(time: Duration, count: usize) -> Duration {
    time.div_f64(count.max(1) as f64)
}
