//! Services elsewhere that are spoken to over the network, one file a service; each implements a port of
//! `vyrox_actors::outbound`.

pub mod discord;
pub mod edr;
pub mod http;

mod became;

pub mod email;
pub mod llm;
pub mod pagerduty;
pub mod witness;

/// What keeps a connector from being set up: a setting, and what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetupFault {
    /// The setting's dotted name.
    pub key: &'static str,
    /// What is wrong and what would be right; never a secret.
    pub message: &'static str,
}
