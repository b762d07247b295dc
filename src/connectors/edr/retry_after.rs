//! When a vendor wants to be asked again, in whichever header it says so.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use vyrox_domain::time::Timestamp;

/// No vendor's word makes us wait longer.
const LONGEST: Duration = Duration::from_hours(1);

/// The moment, at most an hour from `now`; the later one where two headers disagree.
pub(super) fn retry_at(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let said = text(headers, RETRY_AFTER.as_str()).and_then(|text| seconds_or_date(text, now));
    let epoch = text(headers, "x-ratelimit-retryafter").and_then(|text| text.parse().ok());
    let at = said.max(epoch.map(Timestamp::from_s))?;
    let longest = u64::try_from(LONGEST.as_millis()).unwrap_or(u64::MAX);
    Some(at.clamp(now, now.plus_ms(longest)))
}

/// What is left of the vendor's ration, where it says so.
pub(super) fn remaining(headers: &HeaderMap) -> Option<u64> {
    text(headers, "x-ratelimit-remaining")?.parse().ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// A count of seconds, or a date as HTTP writes it.
fn seconds_or_date(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(now.plus_ms(seconds.saturating_mul(1000)));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    let ms = date.timestamp().as_millisecond();
    u64::try_from(ms).ok().map(Timestamp::from_ms)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    const NOW: Timestamp = Timestamp::from_s(1_768_473_000);

    fn said(pairs: &[(&'static str, &str)]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let value = HeaderValue::from_str(value).unwrap();
            headers.insert(HeaderName::from_static(name), value);
        }
        retry_at(&headers, NOW).map(|at| at.ms() - NOW.ms())
    }

    #[test]
    fn all_forms_are_read() {
        assert_eq!(said(&[]), None);
        assert_eq!(said(&[("retry-after", "7")]), Some(7_000));
        assert_eq!(said(&[("retry-after", " 0 ")]), Some(0));
        let date = ("retry-after", "Thu, 15 Jan 2026 10:30:09 GMT");
        assert_eq!(said(&[date]), Some(9_000));
        let epoch = ("x-ratelimit-retryafter", "1768473011");
        assert_eq!(said(&[epoch]), Some(11_000));
        assert_eq!(said(&[date, epoch]), Some(11_000));
    }

    #[test]
    fn nobody_is_waited_for_longer_than_an_hour_and_nothing_lies_in_the_past() {
        assert_eq!(
            said(&[("retry-after", "18446744073709551615")]),
            Some(3_600_000)
        );
        assert_eq!(said(&[("x-ratelimit-retryafter", "1")]), Some(0));
        for odd in ["", "soon", "-1", "1.5", "Thu, 99 Foo 2026 10:30:09 GMT"] {
            assert_eq!(said(&[("retry-after", odd)]), None, "{odd:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_there_is_bounded(text in "[ -~]{0,40}") {
            if let Some(ms) = said(&[("retry-after", &text)]) {
                prop_assert!(ms <= 3_600_000);
            }
        }
    }
}
