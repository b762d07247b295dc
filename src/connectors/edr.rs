//! EDRs' APIs: one connector a vendor, and what all of them stand on.
//!
//! ```text
//! factory -> a vendor's connector -> api (turn, token, breaker) -> wire (one request) -> egress (addresses)
//! ```
//!
//! Each request is sent once. What it came to is an [`EdrError`] that says whether something may have been
//! changed; whoever holds the chain decides what follows. No text of a vendor gets into an error, and no
//! request leaves for a place that the credential does not name.

mod api;
mod call;
mod egress;
mod factory;
mod line;
mod pacing;
mod retry_after;
mod token;
mod wire;

#[cfg(test)]
mod approved;
#[cfg(test)]
mod hostile;
mod id;
mod reading;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod stand_ins;

mod crowdstrike;
mod defender;
mod sentinelone;

#[cfg(test)]
mod stub;

pub(crate) use self::{
    api::{Api, Credentials},
    call::{Answer, Call},
    line::Line,
    token::TokenSource,
    wire::Wire,
};
pub use self::{
    egress::is_public,
    factory::{EdrFactory, EdrSettings},
    pacing::Pace,
    wire::WireSettings,
};
use vyrox_actors::edr::EdrError;

/// The longest word of a vendor that is shown.
const OBSERVED_MAX: usize = 64;
/// The longest reference.
const REFERENCE_MAX: usize = 128;

/// A vendor's word for a state, as it may be shown.
pub(crate) fn observed(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ' ' | '-');
    let fits = (1..=OBSERVED_MAX).contains(&word.len()) && word.chars().all(plain);
    if fits { word } else { "?" }.to_owned()
}

/// What a vendor calls something, where it can be one.
pub(crate) fn reference(id: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-');
    let fits = (1..=REFERENCE_MAX).contains(&id.len()) && id.bytes().all(plain);
    (fits && !id.starts_with('.')).then(|| id.to_owned())
}

/// What permits everything.
#[cfg(test)]
pub(crate) fn unguarded() -> vyrox_actors::edr::Guard {
    std::sync::Arc::new(|| Ok(()))
}

/// Nothing was sent, and another try will not help.
pub(crate) fn never(why: &str) -> EdrError {
    EdrError::Unsent {
        why: why.to_owned(),
        transient: false,
    }
}

/// Nothing was sent, or nothing that changes anything; another try may help.
pub(crate) fn not_now(why: &str) -> EdrError {
    EdrError::Unsent {
        why: why.to_owned(),
        transient: true,
    }
}
