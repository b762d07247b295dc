//! Who is let in, and how fast: so that no sender's flood is felt by another.
//!
//! Three gates, in the order of a request's way:
//! 1. **Room** ([`Admission::enter`]): a ceiling on requests in hand. Above half of it no sender may
//!    hold more than its equal share; the answer is 503. A place counts for its source until the
//!    request is verified, and then for the source and the tenant.
//! 2. **Failed authentication** ([`Admission::failed`]): every request is verified, whoever it names,
//!    and only one that fails draws on a ration: its source's, then that of all sources together.
//!    Nothing but the source goes into it, so nobody can spend what another needs, and the answers to
//!    known and unknown names are the same, one by one.
//! 3. **After authentication** ([`Admission::spend`]): the tenant's or token's own budget for that
//!    kind of call.
//!
//! Rates follow the generic cell rate algorithm. Nothing here knows HTTP; time comes from governor's
//! clock, which tests replace.

use std::{net::IpAddr, sync::Arc, time::Duration};

use governor::clock::{Clock, DefaultClock};
use vyrox_domain::ids::TenantId;

use self::{
    in_flight::Room,
    ration::{Ration, Rations},
};
use crate::{
    config::LimitsConfig,
    http::problem::{Code, Problem},
};

mod in_flight;
mod ration;
mod source;

pub use self::{in_flight::InFlight, source::Source};

/// When to come back if there is no room: load passes faster than any client retries.
const ROOM_RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// Go on.
    Admit,
    /// Too fast: 429.
    Limited {
        /// When the next request would be admitted.
        retry_after: Duration,
    },
    /// No room: 503.
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
}

impl Decision {
    /// The refusal as a problem.
    ///
    /// # Errors
    /// Everything but [`Decision::Admit`].
    pub fn into_result(self) -> Result<(), Problem> {
        match self {
            Self::Admit => Ok(()),
            Self::Limited { retry_after } => {
                Err(Problem::new(Code::RateLimited).retry_after(retry_after))
            }
            Self::Overloaded { retry_after } => {
                Err(Problem::new(Code::Overloaded).retry_after(retry_after))
            }
        }
    }
}

/// Kinds of calls after authentication. Each has budgets of its own: an alert storm leaves audit and
/// administration alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Alerts, a tenant.
    Webhook,
    /// Audit reads and exports, a tenant.
    Audit,
    /// API calls, a token.
    Api,
    /// Buttons and commands in chat, an account in a guild.
    Chat,
    /// Texts of external workers, a tenant.
    Notify,
    /// Requests of trusted services to contain or to give back, a tenant.
    Execute,
}

/// A source, and the tenant it has proven to speak for; none until then.
type Sender = (Source, Option<TenantId>);

/// All gates of one server. Share it between workers.
#[derive(Debug)]
pub struct Admission<C: Clock = DefaultClock> {
    room: Arc<Room<Sender>>,
    failures: Rations<Source, C>,
    all_failures: Ration<C>,
    webhooks: Rations<Arc<str>, C>,
    audit: Rations<Arc<str>, C>,
    api: Rations<Arc<str>, C>,
    chat: Rations<Arc<str>, C>,
    notify: Rations<Arc<str>, C>,
    execute: Rations<Arc<str>, C>,
}

impl Admission {
    /// Gates with the configured limits and the machine's clock.
    pub fn new(limits: &LimitsConfig) -> Self {
        Self::with_clock(limits, &DefaultClock::default())
    }
}

impl<C: Clock + Clone> Admission<C> {
    /// Gates with the configured limits and any clock.
    pub fn with_clock(limits: &LimitsConfig, clock: &C) -> Self {
        let sources = limits.tracked_sources_max;
        // One entry a tenant, and as many again for those that were removed since the last sweep.
        let names = limits.tenant_max.saturating_mul(2).max(1024);
        let (rate, burst) = (limits.per_tenant_per_s, limits.per_tenant_burst);
        let (failed, failed_by_all) = (limits.failed_per_source_per_s, limits.global_per_s);
        Self {
            room: Arc::new(Room::new(limits.in_flight_max)),
            failures: Rations::new(failed, failed, sources, clock),
            all_failures: Ration::new(failed_by_all, failed_by_all, clock),
            webhooks: Rations::new(rate, burst, names, clock),
            audit: Rations::new(limits.audit_per_s, limits.audit_burst, names, clock),
            api: Rations::new(limits.api_per_s, limits.api_burst, names, clock),
            chat: Rations::new(limits.chat_per_s, limits.chat_burst, sources, clock),
            notify: Rations::new(limits.notify_per_s, limits.notify_burst, names, clock),
            execute: Rations::new(limits.execute_per_s, limits.execute_burst, names, clock),
        }
    }

    /// Takes a place for a request whose body has not been read yet. The place is given back when the
    /// guard is dropped; call [`InFlight::speaks_for`] on it as soon as the tenant is proven.
    ///
    /// # Errors
    /// [`Decision::Overloaded`].
    pub fn enter(&self, source: Source) -> Result<InFlight, Decision> {
        InFlight::enter(&self.room, source)
    }

    /// Counts a request that was verified in vain: while the rations last it is told so
    /// ([`Decision::Admit`]), beyond them it is told to come back later. A request that was verified
    /// with success never comes here.
    pub fn failed(&self, source: Source) -> Decision {
        // The source first: one that is over its own ration must not draw on everybody's.
        match self.failures.take(&source) {
            Decision::Admit => self.all_failures.take(),
            refused => refused,
        }
    }

    /// Whether an authenticated call fits its budget. `subject` is the tenant, the token's id for
    /// [`Class::Api`], or the account for [`Class::Chat`]; only what was authenticated belongs here.
    pub fn spend(&self, class: Class, subject: &Arc<str>) -> Decision {
        self.budgets(class).take(subject)
    }

    /// Whether a call that [`Admission::spend`] admitted may count for `more` calls than that one: all
    /// of them, or none. The time to come back is when the whole call would fit again.
    pub fn spend_more(&self, class: Class, subject: &Arc<str>, more: usize) -> Decision {
        self.budgets(class).take_more(subject, more)
    }

    fn budgets(&self, class: Class) -> &Rations<Arc<str>, C> {
        match class {
            Class::Webhook => &self.webhooks,
            Class::Audit => &self.audit,
            Class::Api => &self.api,
            Class::Chat => &self.chat,
            Class::Notify => &self.notify,
            Class::Execute => &self.execute,
        }
    }

    /// Forgets whoever has been quiet long enough to have a full ration again. Call it every few
    /// seconds; the tables also sweep themselves before they would outgrow their bounds.
    pub fn sweep(&self) {
        self.failures.sweep();
        self.webhooks.sweep();
        self.audit.sweep();
        self.api.sweep();
        self.chat.sweep();
        self.notify.sweep();
        self.execute.sweep();
    }

    /// What the gates hold at the moment, for metrics.
    pub fn usage(&self) -> Usage {
        Usage {
            in_flight: self.room.total(),
            tracked: self.failures.len()
                + self.webhooks.len()
                + self.audit.len()
                + self.api.len()
                + self.chat.len()
                + self.notify.len()
                + self.execute.len(),
        }
    }
}

/// A look at the gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Requests in hand.
    pub in_flight: usize,
    /// Sources, tenants, tokens and accounts whose rate is tracked one by one.
    pub tracked: usize,
}

impl Source {
    /// The source of a peer's address; `None` (a peer that is gone) is a source like any other.
    pub fn of_peer(address: Option<IpAddr>) -> Self {
        address.map_or(Self::UNKNOWN, Self::from)
    }
}

#[cfg(test)]
mod tests;
