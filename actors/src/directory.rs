//! Where a tenant's alerts go: the handle of its machine, or of its intake writer while it is
//! suspended. Only the router writes it.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use vyrox_domain::ids::TenantId;
use vyrox_supervision::{Handle, Rejected};

use crate::{
    intake_writer::IntakeWriter,
    messages::{NotePolled, Receive, Reject, WherePolled},
    router::Serving,
    tenant::Machine,
};

/// One tenant's way in.
#[derive(Clone)]
pub enum Route {
    /// It is served.
    Machine(Handle<Machine>),
    /// It is suspended; its alerts are kept.
    Intake(Handle<IntakeWriter>),
}

/// All ways in. It outlives the router's generations, so it also keeps what a new one needs to go on with
/// the tenants that are served.
#[derive(Default)]
pub struct Directory(RwLock<HashMap<TenantId, Entry>>);

struct Entry {
    route: Route,
    serving: Option<Serving>,
}

impl Directory {
    /// The tenant's way in, if it is active.
    pub fn get(&self, tenant: &TenantId) -> Option<Route> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(tenant)
            .map(|entry| entry.route.clone())
    }

    /// The actors that serve the tenant.
    pub(crate) fn serving(&self, tenant: &TenantId) -> Option<Serving> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(tenant)
            .and_then(|entry| entry.serving.clone())
    }

    pub(crate) fn put(&self, tenant: TenantId, route: Route, serving: Option<Serving>) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(tenant, Entry { route, serving });
    }

    pub(crate) fn take(&self, tenant: &TenantId) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(tenant);
    }
}

impl Route {
    /// Offers an intake; it comes back if there is no room or nobody to take it.
    ///
    /// # Errors
    /// [`Rejected`] with the message in it.
    pub fn receive(&self, message: Receive) -> Result<(), Rejected<Receive>> {
        match self {
            Self::Machine(machine) => machine.try_cast(message),
            Self::Intake(writer) => writer.try_cast(message),
        }
    }

    /// Offers a body that nobody understood.
    ///
    /// # Errors
    /// [`Rejected`] with the message in it.
    pub fn reject(&self, message: Reject) -> Result<(), Rejected<Reject>> {
        match self {
            Self::Machine(machine) => machine.try_cast(message),
            Self::Intake(writer) => writer.try_cast(message),
        }
    }

    /// Asks how far a vendor was polled.
    ///
    /// # Errors
    /// [`Rejected`] with the message in it.
    pub fn where_polled(&self, message: WherePolled) -> Result<(), Rejected<WherePolled>> {
        match self {
            Self::Machine(machine) => machine.try_cast(message),
            Self::Intake(writer) => writer.try_cast(message),
        }
    }

    /// Tells how far a vendor was polled.
    ///
    /// # Errors
    /// [`Rejected`] with the message in it.
    pub fn note_polled(&self, message: NotePolled) -> Result<(), Rejected<NotePolled>> {
        match self {
            Self::Machine(machine) => machine.try_cast(message),
            Self::Intake(writer) => writer.try_cast(message),
        }
    }
}
