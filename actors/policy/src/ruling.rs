//! The answer of policies.

use serde::Serialize;
use vyrox_domain::digest::Digest;

/// Yes or no, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[must_use = "what was not allowed must not be done"]
pub struct Ruling {
    /// Whether it may be done.
    pub allowed: bool,
    /// The ids of the policies that determined it, sorted: the permits of a yes, the forbids of a no.
    /// A no without any means that nothing permitted it.
    pub policies: Vec<String>,
    /// What went wrong while it was decided. If anything did, the answer is no.
    pub errors: Vec<String>,
    /// [`Policies::digest`](crate::Policies::digest) of the set that decided.
    pub policy_sha256: Digest,
}
