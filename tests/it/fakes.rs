//! Services of others, as strict as they are.

pub(crate) mod pagerduty;
