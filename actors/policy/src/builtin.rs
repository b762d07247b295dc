//! What is compiled in.

/// The schema: everything that a policy can speak of.
pub(crate) const SCHEMA: (&str, &str) = (
    "vyrox.cedarschema",
    include_str!("../../../config/policies/vyrox.cedarschema"),
);

/// The policies that are part of every set.
pub(crate) const HARD: (&str, &str) = (
    "hard.cedar",
    include_str!("../../../config/policies/hard.cedar"),
);

/// What an `@id` of a hard rule begins with, and no other does.
pub(crate) const HARD_PREFIX: &str = "hard.";

/// The policies that hold where an operator has none.
pub(crate) const DEFAULTS: &[(&str, &str)] = &[(
    "defaults.cedar",
    include_str!("../../../config/policies/defaults.cedar"),
)];

/// The cases that the defaults are tested with, as `(name, TOML)`.
pub const BUILTIN_CASES: (&str, &str) = (
    "tests.toml",
    include_str!("../../../config/policies/tests.toml"),
);

/// The text of the rules that are part of every set, as `(name, Cedar)`. They only forbid, so that no
/// policy beside them can undo one.
pub const fn hard_rules() -> (&'static str, &'static str) {
    HARD
}
