//! How far vendors were asked for what is new.

use super::TenantState;
use crate::{
    protocol::{Event, IntakePolled, Refusal},
    time::Timestamp,
};

/// A place that moved by less is not worth an entry where nothing came: after a fall the vendor is asked
/// for that stretch again, and what is known is not taken in twice.
const WORTH_AN_ENTRY_MS: u64 = 60 * 60 * 1000;

/// Keeps the first place at once, or a server that is started anew would not know where to go on; and a
/// place that went back, since the clock was set.
pub(super) fn note(state: &TenantState, polled: IntakePolled) -> Result<Vec<Event>, Refusal> {
    let before = state.polled.get(&polled.vendor).copied();
    let moved = |before: Timestamp| {
        polled.up_to_ms < before || polled.up_to_ms.distance_ms(before) >= WORTH_AN_ENTRY_MS
    };
    if polled.alerts > 0 || before.is_none_or(moved) {
        Ok(vec![Event::IntakePolled(polled)])
    } else {
        Err(Refusal::NothingNew)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{protocol::Command, tenant::decide, vendor::Vendor};

    const T: Timestamp = Timestamp::from_s(1_768_473_000);

    #[test]
    fn an_entry_is_written_where_something_came_or_the_place_moved() {
        let rows = [
            ("the first place", None, T, 0, true),
            ("nothing, a minute on", Some(T), T.plus_ms(60_000), 0, false),
            ("nothing, nowhere", Some(T), T, 0, false),
            ("one alert", Some(T), T.plus_ms(1), 1, true),
            (
                "an hour less a bit",
                Some(T),
                T.plus_ms(3_599_999),
                0,
                false,
            ),
            ("an hour", Some(T), T.plus_ms(3_600_000), 0, true),
            ("the clock was set back", Some(T.plus_ms(1)), T, 0, true),
        ];
        for (what, before, up_to_ms, alerts, written) in rows {
            let mut state = TenantState::default();
            state.polled.extend(before.map(|at| (Vendor::Defender, at)));
            // Another vendor's place has no say in it.
            state.polled.insert(Vendor::Sentinelone, T);
            let polled = IntakePolled {
                vendor: Vendor::Defender,
                up_to_ms,
                alerts,
            };
            let decided = decide(&state, Command::NotePolled(polled.clone()), T);
            let expected = if written {
                Ok(vec![Event::IntakePolled(polled)])
            } else {
                Err(Refusal::NothingNew)
            };
            assert_eq!(decided, expected, "{what}");
        }
    }
}
