//! Asks one tenant's EDR for new alerts, where the vendor pushes nothing that can be depended on. What
//! comes is taken in as a webhook's alerts are: through the tenant's way in, durable before anything is
//! said to have come so far, and taken in while the tenant is suspended too.
//!
//! The place up to which was asked stands in the tenant's chain. It never moves past a page that is not
//! durable, and each round begins some minutes before it, for vendors show alerts late; what is known is
//! not taken in twice.

mod door;
mod pacing;
mod page;
mod set_aside;
mod window;

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, WrapFuture as _};
use vyrox_domain::{digest::Digest, ids::TenantId, time::Timestamp, vendor::Vendor};
use vyrox_supervision::{Handle, SupervisedContext, TimerKey};

pub(crate) use self::set_aside::SetAside;
use self::{
    door::{Door, NotTaken},
    pacing::Pacing,
    page::{Brought, Visit, bring},
    window::Window,
};
use crate::{
    directory::Directory,
    edr::{Edr, EdrCredential, EdrError, EdrSetupError},
    ports::World,
    router::Tenants,
};

/// The vendors that are polled, where a tenant has a credential for them.
pub(crate) const POLLED: [Vendor; 2] = [Vendor::Sentinelone, Vendor::Defender];

/// How often a poller that waits looks whether it has another credential by now.
const LOOK: Duration = Duration::from_secs(10);

/// What a poller is made of; the factory keeps it over all generations.
pub(crate) struct PollerParts {
    pub(crate) world: Arc<World>,
    /// Whose alerts.
    pub(crate) tenant: TenantId,
    /// Whom to ask.
    pub(crate) vendor: Vendor,
    /// Where the tenant's way in is found.
    pub(crate) directory: Arc<Directory>,
    /// Who opens it.
    pub(crate) tenants: Handle<Tenants>,
    /// What no alert was made of.
    pub(crate) set_aside: SetAside,
}

/// The actor.
pub(crate) struct Poller {
    parts: Arc<PollerParts>,
    /// The next round, while it waits for one; never set while a page is on its way.
    waits: Option<TimerKey>,
    /// The vendor's API, by the credential that opened it.
    line: Option<Line>,
    /// The version of the credential that was last tried.
    tried: Option<u64>,
    /// Up to which moment everything is durable; `None` while nobody was asked.
    place: Option<Place>,
    /// The round that is not at its end.
    round: Option<Window>,
    /// Alerts that came and stand in no `intake.polled` yet.
    unnoted: u32,
    pacing: Pacing,
    /// Nothing comes of it, and the log says so.
    in_trouble: bool,
}

/// What the chain said, or what was reached since.
#[derive(Clone, Copy)]
struct Place(Option<Timestamp>);

#[derive(Clone)]
struct Line {
    version: u64,
    edr: Arc<dyn Edr>,
}

/// Why a page came to nothing.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("there is no credential for it")]
    NoCredential,
    #[error("its credential cannot be used: {0}")]
    Setup(#[from] EdrSetupError),
    #[error("{0}")]
    Vendor(#[from] EdrError),
    #[error("it gave no answer in time")]
    Silent,
    #[error("what came could not be made durable: {0}")]
    NotTaken(#[from] NotTaken),
}

impl Poller {
    /// A poller that asks for the first time shortly after its start.
    pub(crate) fn new(parts: Arc<PollerParts>) -> Self {
        let watching = &parts.world.settings.watching;
        let name = [parts.tenant.as_str(), parts.vendor.as_str()].map(str::as_bytes);
        Self {
            pacing: Pacing::new(watching.poll_ms, Digest::of_parts(&name)),
            waits: None,
            line: None,
            tried: None,
            place: None,
            round: None,
            unnoted: 0,
            in_trouble: false,
            parts,
        }
    }

    /// Asks for the next page, of the round that is not at its end or of a new one.
    fn turn(&mut self, ctx: &mut SupervisedContext<Self>) {
        self.waits = None;
        let line = match self.connect() {
            Ok(line) => line,
            Err(trouble) => return self.stumble(&trouble, ctx),
        };
        let visit = Visit {
            parts: Arc::clone(&self.parts),
            place: self.place,
            round: self.round,
            unnoted: self.unnoted,
        };
        let page = bring(visit, line.edr).into_actor(self);
        ctx.spawn(page.map(|brought, poller, ctx| match brought {
            Ok(brought) => poller.go_on(&brought, ctx),
            Err(trouble) => poller.fall_short(&trouble, ctx),
        }));
    }

    fn go_on(&mut self, brought: &Brought, ctx: &mut SupervisedContext<Self>) {
        self.place = Some(Place(Some(brought.place)));
        self.unnoted = brought.unnoted;
        self.round = brought.rest;
        if std::mem::take(&mut self.in_trouble) {
            let (tenant, vendor) = (&self.parts.tenant, self.parts.vendor);
            tracing::info!(%tenant, %vendor, "the vendor is polled again");
        }
        if self.round.is_some() {
            return self.turn(ctx);
        }
        let pause = self.pacing.well();
        self.wait(pause, ctx);
    }

    /// The next round begins at what is durable. Where the credential in force is not accepted and the one
    /// before it counts still, that is tried at once.
    fn fall_short(&mut self, trouble: &Trouble, ctx: &mut SupervisedContext<Self>) {
        self.round = None;
        let refused = matches!(trouble, Trouble::Vendor(EdrError::NotAuthorised { .. }));
        let before = self.line.take_if(|_| refused);
        let previous = before.and_then(|line| self.previous(line.version));
        let Some(previous) = previous else {
            return self.stumble(trouble, ctx);
        };
        match self.open(&previous) {
            Ok(line) => {
                self.line = Some(line);
                self.turn(ctx);
            }
            Err(trouble) => self.stumble(&trouble, ctx),
        }
    }

    /// Waits, the longer the oftener. The log hears of the first time.
    fn stumble(&mut self, trouble: &Trouble, ctx: &mut SupervisedContext<Self>) {
        let (tenant, vendor) = (&self.parts.tenant, self.parts.vendor);
        let first = !std::mem::replace(&mut self.in_trouble, true);
        let refused = matches!(trouble, Trouble::Vendor(EdrError::NotAuthorised { .. }));
        if first && refused {
            tracing::error!(%tenant, %vendor, %trouble, "the vendor cannot be polled until it accepts a credential");
        } else if first {
            tracing::warn!(%tenant, %vendor, %trouble, "the vendor cannot be polled; it is tried again");
        }
        let (world, now) = (&self.parts.world, self.parts.world.now());
        if matches!(trouble, Trouble::NoCredential) {
            world.polls.idle(tenant, vendor);
        } else {
            world.polls.trouble(tenant, vendor, now);
        }
        let pause = match trouble {
            _ if refused => self.pacing.refused(),
            Trouble::NoCredential | Trouble::Setup(_) => self.pacing.refused(),
            Trouble::Vendor(EdrError::Busy {
                retry_at: Some(at), ..
            }) => self.pacing.ill(at.ms().saturating_sub(now.ms())),
            Trouble::Vendor(_) | Trouble::Silent | Trouble::NotTaken(_) => self.pacing.ill(0),
        };
        self.wait(pause, ctx);
    }

    fn wait(&mut self, pause: Duration, ctx: &mut SupervisedContext<Self>) {
        self.waits = Some(ctx.after(pause, Self::turn));
    }

    /// A poller that waits for better days is not to wait on when somebody has set another credential.
    fn look(&mut self, ctx: &mut SupervisedContext<Self>) {
        let current = self.credentials().map(|keys| keys.current.version);
        if !self.in_trouble || current.is_none() || current == self.tried {
            return;
        }
        if let Some(timer) = self.waits.take() {
            ctx.cancel(timer);
            self.pacing.well();
            self.turn(ctx);
        }
    }
}

/// The way to the vendor.
impl Poller {
    /// The connection by the credential in force; the one that is open, while that is of the same version.
    fn connect(&mut self) -> Result<Line, Trouble> {
        let keys = self.credentials().ok_or(Trouble::NoCredential)?;
        let current = keys.current.version;
        let usable = [Some(current), self.previous(current).map(|it| it.version)];
        let is_new = self.tried.replace(current) != Some(current);
        let open = self.line.clone().filter(|_| !is_new);
        if let Some(line) = open.filter(|line| usable.contains(&Some(line.version))) {
            return Ok(line);
        }
        let line = self.open(&keys.current)?;
        self.line = Some(line.clone());
        Ok(line)
    }

    fn open(&self, credential: &EdrCredential) -> Result<Line, Trouble> {
        let PollerParts {
            world,
            tenant,
            vendor,
            ..
        } = &*self.parts;
        let edrs = world.outside.edrs.as_ref().ok_or(Trouble::NoCredential)?;
        let edr = edrs.connect(tenant, *vendor, credential)?;
        let version = credential.version;
        Ok(Line { version, edr })
    }

    fn credentials(&self) -> Option<Arc<crate::keyring::EdrKeys>> {
        let keyring = self.parts.world.keyring.load();
        let keys = keyring.tenant(self.parts.tenant.as_str())?;
        keys.edr.get(&self.parts.vendor).cloned()
    }

    /// The credential before the one of that version, while it may be used.
    fn previous(&self, current: u64) -> Option<Arc<EdrCredential>> {
        let keys = self.credentials()?;
        let (until, previous) = keys.previous.as_ref()?;
        let counts = keys.current.version == current && self.parts.world.now() <= *until;
        counts.then(|| Arc::clone(previous))
    }
}

impl Actor for Poller {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.every(LOOK, Self::look);
        let pause = self.pacing.first();
        self.wait(pause, ctx);
    }
}

impl PollerParts {
    fn door(&self) -> Door<'_> {
        Door {
            tenant: &self.tenant,
            directory: &self.directory,
            tenants: &self.tenants,
        }
    }
}
