//! A moment as people give it: how long ago, or a time.

use std::str::FromStr;

use vyrox_domain::time::Timestamp;

/// A moment, or one that depends on when it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// So many milliseconds ago.
    Ago(u64),
    At(Timestamp),
}

/// A text that is none.
#[derive(Debug, thiserror::Error)]
#[error("neither so long ago (30d, 12h, 90m, 45s) nor a time (2026-01-31T00:00:00Z)")]
pub struct InvalidMoment;

impl Moment {
    /// The moment, seen from `now`. What lies before 1970 is its beginning.
    pub const fn before(self, now: Timestamp) -> Timestamp {
        match self.0 {
            Kind::Ago(ms) => Timestamp::from_ms(now.ms().saturating_sub(ms)),
            Kind::At(moment) => moment,
        }
    }
}

impl FromStr for Moment {
    type Err = InvalidMoment;

    fn from_str(text: &str) -> Result<Self, InvalidMoment> {
        let ago = ago(text).map(Kind::Ago);
        let kind = ago.or_else(|| Timestamp::from_rfc3339(text).map(Kind::At));
        kind.map(Self).ok_or(InvalidMoment)
    }
}

/// A number with its unit, in milliseconds.
fn ago(text: &str) -> Option<u64> {
    let units = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
    ];
    let split = |(unit, ms): (&str, u64)| Some((text.strip_suffix(unit)?.to_owned(), ms));
    let (number, ms) = units.into_iter().find_map(split)?;
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| plain)?;
    number.checked_mul(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_so_long_ago_or_a_time() {
        let now = Timestamp::from_rfc3339("2026-02-01T00:00:00Z").unwrap();
        for (text, meant) in [
            ("30d", "2026-01-02T00:00:00.000Z"),
            ("12h", "2026-01-31T12:00:00.000Z"),
            ("90m", "2026-01-31T22:30:00.000Z"),
            ("0s", "2026-02-01T00:00:00.000Z"),
            ("2025-12-24T18:00:00+02:00", "2025-12-24T16:00:00.000Z"),
            ("99999d", "1970-01-01T00:00:00.000Z"),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.before(now).to_string(), meant, "{text}");
        }
        for text in [
            "",
            "d",
            "30",
            "-1d",
            "+1d",
            "1.5h",
            "yesterday",
            "1w",
            "2026-01-01",
            "\u{663}d",
        ] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
        let most = format!("{}d", u64::MAX);
        assert!(most.parse::<Moment>().is_err(), "too long ago for a number");
    }
}
