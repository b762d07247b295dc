//! Who may do what: Cedar policies over persons, services and proposed actions.
//!
//! ```text
//! policies (Cedar text) -> Policies             once, at start and on reload
//! Question -> Policies -> Ruling                yes or no, which policies said so, and their digest
//! ```
//!
//! What nothing permits is refused; one forbid outweighs every permit; whatever goes wrong while a
//! question is decided is a no. The [hard rules](hard_rules) only forbid and are part of every set.
//! `docs/policies.md` tells how to write and test policies.
//!
//! What is absent here, on purpose: no file is opened and no clock is read. A [`Policies`] never
//! changes: a broken set is never half loaded.

mod question;

mod policies;
mod ruling;

mod builtin;
mod canonical;
mod error;
mod load;
mod statement;
mod vocabulary;

mod case;

pub use builtin::{BUILTIN_CASES, hard_rules};
pub use case::{Case, Expectation, Outcome, parse_cases};
pub use error::PolicyError;
pub use load::{POLICIES_MAX, SOURCES_MAX_BYTES};
pub use policies::{Effect, Policies, Policy};
pub use question::{Act, Channel, Context, Principal, Proposal, Question};
pub use ruling::Ruling;
