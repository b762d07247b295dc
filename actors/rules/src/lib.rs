//! Stage 1 of triage: Sigma rules over the normalised alert.
//!
//! ```text
//! rules (YAML) -> RuleSet            once, at start and on reload
//! Alert -> View -> RuleSet -> [RuleHit] -> vyrox_domain::triage::assess
//! ```
//!
//! A rule reads an alert through named fields ([`fields`]): the members of the normal form, a few
//! derived ones (`seen.*`) in which the usual disguises of a command line are undone, and the names
//! that public Sigma rules for process creation use. `docs/rules.md` tells how to write, weigh and
//! test one.
//!
//! What is absent here, on purpose: no file is opened and no clock is read; whoever reloads rules
//! hands over their text. A [`RuleSet`] never changes: a broken set is never half loaded.

mod builtin;
mod rule;
mod rule_set;

mod field;
mod plain;
mod view;

mod example;

pub use builtin::builtin_sources;
pub use example::Example;
pub use field::fields;
pub use rule::{Rule, RuleError};
pub use rule_set::RuleSet;
