//! What was ordered and has not struck yet.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Orders that wait at once, of all actors together.
const MAX_ORDERS: usize = 1024;

/// What shall befall an actor. Only messages provoke it, of whatever class; timers and futures do not.
///
/// In words, for [`FromStr`] and [`fmt::Display`]: `panic`, `panic_in_started`, `block_ms:N`, `stop`,
/// `error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A panic instead of the next handler.
    Panic,
    /// A panic instead of the next `started`, and until that was, instead of every handler: so there is
    /// a next `started`.
    PanicInStarted,
    /// The next handler first blocks its thread for so many milliseconds of the real clock.
    BlockMs(u64),
    /// The actor stops itself (`ctx.stop()`) after its next message.
    Stop,
    /// `ctx.fail("injected error")` instead of the next handler.
    Error,
}

/// A word that names no [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("fault is panic, panic_in_started, block_ms:N, stop or error")]
pub struct UnknownFault;

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(word: &str) -> Result<Self, UnknownFault> {
        match word {
            "panic" => Ok(Self::Panic),
            "panic_in_started" => Ok(Self::PanicInStarted),
            "stop" => Ok(Self::Stop),
            "error" => Ok(Self::Error),
            other => other
                .strip_prefix("block_ms:")
                .and_then(|ms| ms.parse().ok())
                .map(Self::BlockMs)
                .ok_or(UnknownFault),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panic => f.write_str("panic"),
            Self::PanicInStarted => f.write_str("panic_in_started"),
            Self::BlockMs(ms) => write!(f, "block_ms:{ms}"),
            Self::Stop => f.write_str("stop"),
            Self::Error => f.write_str("error"),
        }
    }
}

/// Where in its life an actor is when it may be struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Started,
    Message,
}

/// The orders, oldest first. Plain data: what they do is decided here, done elsewhere.
#[derive(Default)]
pub(super) struct Orders(VecDeque<Order>);

struct Order {
    actor: Box<str>,
    fault: Fault,
    left: u32,
}

impl Orders {
    /// Adds an order behind those of the same actor. The oldest order of all gives way if there are too
    /// many.
    pub(super) fn add(&mut self, actor: &str, fault: Fault, times: u32) {
        if times == 0 {
            return;
        }
        if self.0.len() >= MAX_ORDERS {
            self.0.pop_front();
        }
        self.0.push_back(Order {
            actor: actor.into(),
            fault,
            left: times,
        });
    }

    /// What strikes the actor at this place, if anything does: the oldest order decides.
    pub(super) fn take(&mut self, actor: &str, place: Place) -> Option<Fault> {
        let at = self.0.iter().position(|order| &*order.actor == actor)?;
        let order = self.0.get_mut(at)?;
        let fault = order.fault;
        let spent = match (fault, place) {
            (Fault::PanicInStarted, Place::Message) => false, // it only leads to the one that counts
            (Fault::PanicInStarted, Place::Started) | (_, Place::Message) => true,
            (_, Place::Started) => return None,
        };
        if spent {
            order.left = order.left.saturating_sub(1);
        }
        if order.left == 0 {
            self.0.remove(at);
        }
        Some(fault)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_fault() -> impl Strategy<Value = Fault> {
        prop_oneof![
            Just(Fault::Panic),
            Just(Fault::PanicInStarted),
            any::<u64>().prop_map(Fault::BlockMs),
            Just(Fault::Stop),
            Just(Fault::Error),
        ]
    }

    #[test]
    fn other_words_are_refused() {
        for word in ["", "Panic", "block_ms", "block_ms:", "block_ms:-1", "stop "] {
            assert_eq!(word.parse::<Fault>(), Err(UnknownFault), "{word:?}");
        }
    }

    #[test]
    fn a_panic_in_started_is_provoked_by_a_message_and_counted_by_starts() {
        let mut orders = Orders::default();
        orders.add("a", Fault::PanicInStarted, 2);
        orders.add("a", Fault::Stop, 1);
        assert_eq!(orders.take("b", Place::Message), None);
        let strikes: Vec<_> = [
            Place::Message,
            Place::Started,
            Place::Started,
            Place::Started,
            Place::Message,
            Place::Message,
        ]
        .map(|place| orders.take("a", place))
        .into();
        let twice = Some(Fault::PanicInStarted);
        assert_eq!(
            strikes,
            [twice, twice, twice, None, Some(Fault::Stop), None]
        );
        assert_eq!(orders.len(), 0);
    }

    #[test]
    fn the_oldest_of_too_many_orders_gives_way() {
        let mut orders = Orders::default();
        orders.add("first", Fault::Panic, 1);
        for _ in 0..MAX_ORDERS {
            orders.add("other", Fault::Panic, 1);
        }
        assert_eq!(orders.len(), MAX_ORDERS);
        assert_eq!(orders.take("first", Place::Message), None);
    }

    proptest! {
        #[test]
        fn a_fault_reads_as_it_is_written(fault in any_fault()) {
            prop_assert_eq!(fault.to_string().parse(), Ok(fault));
        }

        /// Messages alone meet every order as often as it was given, in order, and then none.
        #[test]
        fn messages_meet_their_orders_in_turn(
            given in prop::collection::vec((any_fault(), 0u32..4), 0..20),
        ) {
            let mut orders = Orders::default();
            let mut expected = Vec::new();
            for (fault, times) in given {
                if fault != Fault::PanicInStarted {
                    orders.add("a", fault, times);
                    expected.extend((0..times).map(|_| fault));
                }
            }
            let met: Vec<_> =
                std::iter::from_fn(|| orders.take("a", Place::Message)).take(100).collect();
            prop_assert_eq!(met, expected);
        }
    }
}
