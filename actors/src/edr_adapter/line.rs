//! The connection to an EDR, by the credential in force.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use vyrox_domain::{
    action::{ActionManifest, jws::SignedAction},
    ids::TenantId,
    time::Timestamp,
    vendor::Vendor,
};

use crate::{
    edr::{Checked, Edr, EdrCredential, EdrError, Guard, LineState, Polled, Reading, Sent},
    ports::World,
};

/// The connections of one tenant to one vendor, each kept until its credential changes.
#[derive(Default)]
pub(super) struct Lines {
    current: Option<Connected>,
    previous: Option<Connected>,
}

#[derive(Clone)]
struct Connected {
    version: u64,
    edr: Arc<dyn Edr>,
}

impl Lines {
    /// The connection for what is to be done now.
    ///
    /// # Errors
    /// Why there is none, in words that name no secret.
    pub(super) fn open(
        &mut self,
        world: &World,
        tenant: &TenantId,
        vendor: Vendor,
    ) -> Result<Arc<Line>, String> {
        let edrs = world.outside.edrs.as_ref();
        let edrs = edrs.ok_or("nothing outside may be spoken to")?;
        let keyring = world.keyring.load();
        let keys = keyring.tenant(tenant.as_str());
        let keys = keys.and_then(|keys| keys.edr.get(&vendor));
        let keys = keys.ok_or("there is no credential for this vendor")?;
        let connect = |known: &mut Option<Connected>, credential: &EdrCredential| {
            if let Some(known) = known.as_ref().filter(|it| it.version == credential.version) {
                return Ok(known.clone());
            }
            let edr = edrs.connect(tenant, vendor, credential);
            let edr = edr.map_err(|error| error.to_string())?;
            let connected = Connected {
                version: credential.version,
                edr,
            };
            *known = Some(connected.clone());
            Ok::<_, String>(connected)
        };
        let current = connect(&mut self.current, &keys.current)?;
        let now = world.now();
        let older = keys.previous.as_ref().filter(|(until, _)| now <= *until);
        let previous = older.and_then(|(_, older)| connect(&mut self.previous, older).ok());
        if previous.is_none() {
            self.previous = None;
        }
        Ok(Arc::new(Line {
            current,
            previous,
            by_previous: Arc::default(),
        }))
    }

    /// How the connection is that is there.
    pub(super) fn state(&self) -> LineState {
        let current = self.current.as_ref();
        current.map_or_else(LineState::default, |it| it.edr.line())
    }
}

/// The connection as one drive has it. Where the credential in force is not accepted when the vendor is
/// read, the one before it is tried once, as long as it may be used; what is sent goes the way that was
/// found by reading.
pub(super) struct Line {
    current: Connected,
    previous: Option<Connected>,
    by_previous: Arc<AtomicBool>,
}

impl Line {
    /// The version of the credential that a request goes out with.
    pub(super) fn version(&self) -> u64 {
        self.used().version
    }

    fn used(&self) -> &Connected {
        let previous = self.previous.as_ref();
        let previous = previous.filter(|_| self.by_previous.load(Ordering::Acquire));
        previous.unwrap_or(&self.current)
    }
}

impl Edr for Line {
    fn read(
        &self,
        manifest: &ActionManifest,
        reference: Option<&str>,
    ) -> BoxFuture<'static, Result<Reading, EdrError>> {
        let first = self.used().edr.read(manifest, reference);
        let spare = self.previous.clone();
        let spare = spare.filter(|_| !self.by_previous.load(Ordering::Acquire));
        let by_previous = Arc::clone(&self.by_previous);
        let (manifest, reference) = (manifest.clone(), reference.map(str::to_owned));
        async move {
            let answer = first.await;
            let (Err(EdrError::NotAuthorised { .. }), Some(spare)) = (&answer, spare) else {
                return answer;
            };
            let again = spare.edr.read(&manifest, reference.as_deref()).await;
            if !matches!(again, Err(EdrError::NotAuthorised { .. })) {
                by_previous.store(true, Ordering::Release);
            }
            again
        }
        .boxed()
    }

    fn send(
        &self,
        action: &SignedAction,
        reference: Option<&str>,
        guard: Guard,
    ) -> BoxFuture<'static, Result<Sent, EdrError>> {
        self.used().edr.send(action, reference, guard)
    }

    fn check(&self) -> BoxFuture<'static, Result<Checked, EdrError>> {
        self.used().edr.check()
    }

    fn poll(
        &self,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> BoxFuture<'static, Result<Polled, EdrError>> {
        self.used().edr.poll(from, to, limit)
    }

    fn alert(
        &self,
        vendor_alert_id: &str,
    ) -> BoxFuture<'static, Result<Option<Vec<u8>>, EdrError>> {
        self.used().edr.alert(vendor_alert_id)
    }

    fn line(&self) -> LineState {
        self.current.edr.line()
    }
}
