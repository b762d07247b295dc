//! The edge of Vyrox: bytes in, bytes out, and the wiring. What happens between lives in
//! `vyrox-actors` (time, IO, restarts) and below it `vyrox-domain` (pure).
//!
//! ```text
//! main -> cli -> app (composition root) -> http -> actors -> journal
//! ```
//!
//! * [`config`], [`clock`], [`keys`]: the only readers of settings, time and key files;
//! * [`telemetry`], [`shutdown`]: what an operator sees and says;
//! * [`connectors`]: services elsewhere, behind the ports of the actors;
//! * [`app`]: opens what lasts, starts the tree, opens the doors, and closes all that in order;
//! * [`connectors`]: services elsewhere, one file a service;
//! * [`http`]: every route in one table; every error from one table (`http::problem`);
//! * [`connectors`]: services elsewhere, one file a service;
//! * [`cli`]: one file a command, thin clients of the same HTTP;
//! * [`scenario`]: attacks to play, as pure payloads;
//! * [`mock_edr`]: strict stand-ins of the EDRs, for tests and for trying things out.

pub mod config;

pub mod clock;
pub mod keys;

pub mod shutdown;
pub mod telemetry;

pub mod connectors;

pub mod app;

pub(crate) mod desk;

pub mod http;

pub mod scenario;

pub mod mock_edr;

pub mod cli;

pub use vyrox_actors::journal::{VerifyReport, verify_file};
