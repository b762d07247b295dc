//! The only reader of clocks. Everything else is given the time as a value.

use std::time::SystemTime;

use vyrox_domain::time::Timestamp;

/// The present by this machine's wall clock; the epoch itself if that clock stands before 1970.
pub fn now() -> Timestamp {
    Timestamp::from_ms(now_ms())
}

/// The present in milliseconds since the epoch, in the shape that the supervision tree asks for.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place where time enters"
)]
pub fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_in_milliseconds_and_moves_on() {
        let first = now();
        assert!(first > Timestamp::from_s(1_700_000_000), "{first}");
        assert!(first < Timestamp::from_s(10_000_000_000), "{first}");
        assert!(now() >= first);
    }
}
