//! Places of the containment path at which a trial may have the process die: between any two of them
//! something has happened that the one before does not know of.
//!
//! Only a build with the feature `fault-injection` dies; in any other build nothing is left of this.

use std::{fmt, str::FromStr};

/// A place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// The approval or the order is durable, and nothing follows from it yet.
    Approved,
    /// The intent is decided, and not handed to the journal yet.
    BeforeIntent,
    /// The intent is durable, and the adapter does not know of it.
    IntentDurable,
    /// The adapter has it in hand.
    CarryHanded,
    /// The vendor is about to be read.
    BeforeRead,
    /// The approval is verified, and the request is about to be sent.
    BeforeSend,
    /// The vendor has answered, and nobody has looked at its answer.
    AfterSend,
    /// The vendor's state is about to be read back.
    BeforeReadBack,
    /// The outcome is known to the adapter alone.
    BeforeReport,
    /// The machine has the outcome in hand.
    ReportTaken,
    /// The outcome is durable.
    OutcomeDurable,
    /// Whoever waits is about to be answered.
    BeforeReply,
}

impl Step {
    /// All of them, in the order of the path.
    pub const ALL: [Self; 12] = [
        Self::Approved,
        Self::BeforeIntent,
        Self::IntentDurable,
        Self::CarryHanded,
        Self::BeforeRead,
        Self::BeforeSend,
        Self::AfterSend,
        Self::BeforeReadBack,
        Self::BeforeReport,
        Self::ReportTaken,
        Self::OutcomeDurable,
        Self::BeforeReply,
    ];

    /// The name in an order to die.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::BeforeIntent => "before_intent",
            Self::IntentDurable => "intent_durable",
            Self::CarryHanded => "carry_handed",
            Self::BeforeRead => "before_read",
            Self::BeforeSend => "before_send",
            Self::AfterSend => "after_send",
            Self::BeforeReadBack => "before_read_back",
            Self::BeforeReport => "before_report",
            Self::ReportTaken => "report_taken",
            Self::OutcomeDurable => "outcome_durable",
            Self::BeforeReply => "before_reply",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no step of the containment path has this name")]
pub struct UnknownStep;

impl FromStr for Step {
    type Err = UnknownStep;

    fn from_str(text: &str) -> Result<Self, UnknownStep> {
        let known = Self::ALL.into_iter().find(|step| step.as_str() == text);
        known.ok_or(UnknownStep)
    }
}

/// The path has come to this place.
#[cfg(not(feature = "fault-injection"))]
pub(crate) const fn reach(_: Step) {}

#[cfg(feature = "fault-injection")]
pub use self::armed::arm;
#[cfg(feature = "fault-injection")]
pub(crate) use self::armed::reach;

#[cfg(feature = "fault-injection")]
mod armed {
    use std::sync::{Mutex, PoisonError};

    use super::Step;

    static ARMED: Mutex<Option<(Step, u32)>> = Mutex::new(None);

    /// The process dies when the path comes to this place for the `nth` time from now on (1 is the first
    /// time), without a word and without cleaning up. An earlier order is forgotten; 0 takes it back.
    pub fn arm(step: Step, nth: u32) {
        let order = (nth > 0).then_some((step, nth));
        *ARMED.lock().unwrap_or_else(PoisonError::into_inner) = order;
    }

    /// The path has come to this place.
    pub(crate) fn reach(step: Step) {
        let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
        if count_down(&mut armed, step) {
            std::process::abort();
        }
    }

    /// Whether this is the time that was ordered.
    fn count_down(armed: &mut Option<(Step, u32)>, step: Step) -> bool {
        match armed {
            Some((ordered, left)) if *ordered == step => {
                *left = left.saturating_sub(1);
                *left == 0
            }
            _ => false,
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn it_is_the_nth_time_at_that_place_alone() {
            let mut armed = Some((Step::BeforeSend, 2));
            assert!(!count_down(&mut armed, Step::AfterSend));
            assert!(!count_down(&mut armed, Step::BeforeSend));
            assert!(!count_down(&mut armed, Step::BeforeRead));
            assert!(count_down(&mut armed, Step::BeforeSend));
            assert!(!count_down(&mut None, Step::BeforeSend));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_one_name() {
        for step in Step::ALL {
            assert_eq!(step.as_str().parse(), Ok(step));
        }
        assert_eq!("".parse::<Step>(), Err(UnknownStep));
    }
}
