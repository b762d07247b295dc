//! The actors of Vyrox: time, IO and restarts around the pure core.
//!
//! ```text
//! host
//! ├─ audit_writer            watches the journal: its own thread writes, this actor tells of its health
//! ├─ projector               journal -> projections, on a thread of its own
//! ├─ nonce_cache             the durable index of what came in before; lets it go when its window ends
//! ├─ notary                  signs the states of all chains, on a thread of its own
//! ├─ _host                   rest for one: whoever falls takes those after it along
//! │  ├─ deadlines            moments that something was promised for
//! │  └─ registry             the `_host` machine: tenants, people, secrets' metadata; publishes the keyring
//! └─ tenants                 activates a tenant on its first message, passivates it when idle
//!    └─ tenant/acme         one for one: too many falls of its actors together suspend the tenant
//!       ├─ triage_engine     stage 1
//!       ├─ notifier          shows incidents in chat; pager and mail when chat is late
//!       ├─ poller/defender   asks the vendor for new alerts, where it pushes none
//!       ├─ edr/crowdstrike   carries approved actions out at the vendor's API, and reads them back
//!       └─ machine           decide/apply; the only writer of the tenant's chain
//! ```
//!
//! Invariants, as absences: no answer leaves before the entry that it rests on is durable; nothing
//! but a tenant's machine (or, while it is suspended, its intake writer) appends to the tenant's
//! chain; no actor is started but by the supervision tree; no clock is read but through
//! [`ports::Clock`].

pub mod edr;
pub mod edr_adapter;
pub mod failpoint;
pub mod outbound;
pub mod polls;
pub mod ports;

pub mod keyring;

pub mod messages;

pub mod claims;
mod draft;
mod erasing;
pub mod evidence;
pub mod held;
pub mod intake;
mod loading;
mod mending;
pub mod tenant;

pub mod triage_engine;

pub mod backtest;

pub mod reviewer;

pub mod intake_writer;

pub mod arbiters;
pub mod directory;
mod poller;
pub mod router;

pub mod registry;

pub mod deadlines;
pub mod nonce_cache;

pub mod notifier;

pub mod feed;
pub mod integrity;
pub mod notary;
pub mod projector;
pub mod views;

pub mod audit_writer;

pub mod tree;

pub use vyrox_journal as journal;
pub use vyrox_policy as policy;
pub use vyrox_rules as rules;
pub use vyrox_supervision as supervision;
