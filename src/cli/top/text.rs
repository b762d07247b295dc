//! Numbers and times in the few characters that a column has.

use std::borrow::Cow;

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A count in at most four characters, cut and not rounded: `9999`, `12k`, `3.4M`.
pub(super) fn count(n: u64) -> String {
    const K: u64 = 1_000;
    const M: u64 = 1_000 * K;
    const G: u64 = 1_000 * M;
    const T: u64 = 1_000 * G;
    let scaled = |unit: u64, name: &str| {
        let (whole, tenth) = (n / unit, n % unit / (unit / 10));
        if whole < 10 {
            format!("{whole}.{tenth}{name}")
        } else {
            format!("{whole}{name}")
        }
    };
    match n {
        0..10_000 => n.to_string(),
        10_000..M => format!("{}k", n / K),
        M..G => scaled(M, "M"),
        G..T => scaled(G, "G"),
        _ => "many".to_owned(),
    }
}

/// Tenths a second: `0`, `0.3`, `42.0`, `812`, `12k`.
pub(super) fn rate(tenths: u64) -> String {
    match tenths {
        0 => "0".to_owned(),
        1..1_000 => format!("{}.{}", tenths / 10, tenths % 10),
        _ => count(tenths / 10),
    }
}

/// Microseconds: `850µs`, `1.2ms`, `34ms`, `1.5s`, `2m`.
pub(super) fn wait(us: u64) -> String {
    match us {
        0 => "0".to_owned(),
        1..1_000 => format!("{us}µs"),
        1_000..10_000 => format!("{}.{}ms", us / 1_000, us % 1_000 / 100),
        10_000..1_000_000 => format!("{}ms", us / 1_000),
        1_000_000..10_000_000 => format!("{}.{}s", us / 1_000_000, us % 1_000_000 / 100_000),
        _ => span(us / 1_000),
    }
}

/// Milliseconds as a length of time in its largest unit: `0s`, `59s`, `3m`, `20h`, `400d`.
pub(super) fn span(ms: u64) -> String {
    match ms {
        0..MINUTE_MS => format!("{}s", ms / SECOND_MS),
        MINUTE_MS..HOUR_MS => format!("{}m", ms / MINUTE_MS),
        HOUR_MS..DAY_MS => format!("{}h", ms / HOUR_MS),
        _ => format!("{}d", ms / DAY_MS),
    }
}

/// At most `width` characters from the beginning of a text; an ellipsis says that there are more.
pub(super) fn beginning(text: &str, width: usize) -> Cow<'_, str> {
    if text.chars().count() <= width {
        return Cow::Borrowed(text);
    }
    let kept = text.chars().take(width.saturating_sub(1));
    Cow::Owned(kept.chain(['…']).take(width).collect())
}

/// At most `width` characters from the end of a text, where a path says most.
pub(super) fn ending(text: &str, width: usize) -> Cow<'_, str> {
    let length = text.chars().count();
    if length <= width {
        return Cow::Borrowed(text);
    }
    let kept = text.chars().skip(length + 1 - width.max(1));
    Cow::Owned(['…'].into_iter().chain(kept).take(width).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_takes_four_characters() {
        let shown = [0, 9_999, 10_000, 999_999, 1_000_000, 9_990_000, 10_000_000].map(count);
        assert_eq!(shown, ["0", "9999", "10k", "999k", "1.0M", "9.9M", "10M"]);
        for power in 0..64 {
            assert!(count(1 << power).len() <= 4, "{}", count(1 << power));
        }
    }

    #[test]
    fn times_are_shown_in_the_unit_that_says_most() {
        let waits = [0, 850, 1_250, 34_999, 1_500_000, 59_000_000, 120_000_000].map(wait);
        assert_eq!(waits, ["0", "850µs", "1.2ms", "34ms", "1.5s", "59s", "2m"]);
        let spans = [0, 59_999, 60_000, HOUR_MS, DAY_MS - 1, 400 * DAY_MS].map(span);
        assert_eq!(spans, ["0s", "59s", "1m", "1h", "23h", "400d"]);
        assert_eq!(
            [0, 3, 420, 8_120, 120_000].map(rate),
            ["0", "0.3", "42.0", "812", "12k"]
        );
    }

    #[test]
    fn what_does_not_fit_is_cut_and_says_so() {
        assert_eq!(beginning("tenant/acme", 11), "tenant/acme");
        assert_eq!(beginning("tenant/acme", 8), "tenant/…");
        assert_eq!(ending("tenant/acme", 11), "tenant/acme");
        assert_eq!(ending("tenant/acme", 6), "…/acme");
        for width in 0..3 {
            assert_eq!(beginning("tenant", width).chars().count(), width);
            assert_eq!(ending("tenant", width).chars().count(), width);
        }
    }
}
