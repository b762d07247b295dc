//! The pure core of Vyrox: bytes become a verified webhook, a verified webhook becomes an alert, an
//! alert becomes events of a tenant, and a tenant's state is a fold over its events.
//!
//! ```text
//! RawWebhook -> VerifiedWebhook -> Alert -> Command -> decide -> [Event] -> apply -> [Effect]
//! ```
//!
//! What is absent here, on purpose: nothing awaits, nothing reads a clock, a file, a socket or a
//! random source. `now` is always an argument, so every decision can be replayed.

pub mod digest;
pub mod ids;
pub mod person;
pub mod time;

pub mod vendor;

pub mod interaction;
pub mod json;
pub mod prescan;
pub mod signature;
pub mod webhook;

pub mod alert;
pub mod triage;

pub mod breaker;

pub mod attack;
pub mod incident;

pub mod action;
pub mod containment;
pub mod playbook;

pub mod notice;
pub mod sla;

pub mod review;

pub mod entry;
pub mod protocol;
pub mod tenant;

pub mod chat_code;
pub mod host;
pub mod host_protocol;
pub mod log_key;
