//! Actions on their way to an EDR and back: approved, begun, seen to have happened, undone.
//!
//! ```text
//! approval.granted or action.ordered -> action.intent -> (the adapter) -> action.executed and its kin
//! ```
//!
//! The intent is durable before the first byte leaves, and there is one outcome for each. After a fall
//! the vendor is read first: what is open is reconciled, never guessed.

mod ability;
mod acts;
mod budget;
mod claims;
mod decide;
mod facts;
mod fold;
mod gate;
mod holds;
mod report;

pub use self::{
    ability::{Ability, ability},
    acts::{Act, Acts, Following, Stage},
    claims::{Claim, ClaimKey},
    facts::{
        ActAbout, ActBegun, ActDrifted, ActOrdered, ActOutcome, ActWithheld, ClaimMade,
        ClockJumped, HoldEnded, Manner, OutcomeKind, TimersReleased, Withheld,
    },
    gate::{ActReport, Begin, ContainmentLimits, Gate, Order, Redrive},
};
pub(crate) use self::{
    decide::{begin, clock_jumped, drifted, ordered, redriven, released},
    holds::over,
    report::recorded,
};
