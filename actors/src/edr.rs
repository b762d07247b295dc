//! What the actors need of an EDR's API: read a state, send one request, look for what is new. The edge
//! implements it, one connector a vendor. A connector never repeats a request that could change something;
//! whoever calls it decides that, for it knows what is on the chain.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use vyrox_domain::{
    action::{ActionManifest, jws::SignedAction},
    ids::TenantId,
    time::Timestamp,
    vendor::Vendor,
    webhook::Secret,
};

/// Makes the connection of a tenant to its EDR.
pub trait Edrs: Send + Sync + 'static {
    /// The API that this credential opens; nothing is called yet.
    ///
    /// # Errors
    /// The credential is not one of this vendor's, or names an address that may not be spoken to.
    fn connect(
        &self,
        tenant: &TenantId,
        vendor: Vendor,
        credential: &EdrCredential,
    ) -> Result<Arc<dyn Edr>, EdrSetupError>;
}

/// Whether a request may leave, asked right before it does. Says in words of ours why not.
pub type Guard = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// One tenant's EDR. Every call ends within the configured time-out (30 s), waiting for its turn included.
pub trait Edr: Send + Sync + 'static {
    /// Whether the action is in effect. `reference` is what an earlier [`Sent`] gave for this very action, or
    /// for the one that it takes back. Changes nothing.
    fn read(
        &self,
        manifest: &ActionManifest,
        reference: Option<&str>,
    ) -> BoxFuture<'static, Result<Reading, EdrError>>;

    /// Sends the one request that makes the action happen (or takes it back, where `manifest.release` says so).
    /// `reference` as in [`Edr::read`]. Several requests may be needed to come so far (a token, a session);
    /// [`EdrError::Unsent`] means that the one that changes something was not among them. Between this call and
    /// that request there may be waiting, so `guard` is asked once more right before it leaves; what it says
    /// against it is the reason of an [`EdrError::Unsent`].
    fn send(
        &self,
        action: &SignedAction,
        reference: Option<&str>,
        guard: Guard,
    ) -> BoxFuture<'static, Result<Sent, EdrError>>;

    /// Calls something harmless that needs the credential; says whom the vendor takes us for.
    fn check(&self) -> BoxFuture<'static, Result<Checked, EdrError>>;

    /// Alerts that came to be between the two moments, the oldest first. Each is one JSON object in the
    /// vendor's own full shape. At most `limit`, or a few more where the vendor gives more than it is asked
    /// for; where there are more, `up_to` of the answer is the moment of the last one. An answer that is
    /// longer than is read of one is asked for again in smaller pieces.
    fn poll(
        &self,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> BoxFuture<'static, Result<Polled, EdrError>>;

    /// The full shape of one alert, by the vendor's id of it; `None` where the vendor knows none.
    fn alert(&self, vendor_alert_id: &str)
    -> BoxFuture<'static, Result<Option<Vec<u8>>, EdrError>>;

    /// How the connection is, for health endpoints.
    fn line(&self) -> LineState;
}

/// What was read of an action's effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What it means.
    pub effect: EffectSeen,
    /// The vendor's own word for it (`contained`, `disconnected`, `Succeeded`), at most 64 characters of
    /// `[A-Za-z0-9_. -]`; a connector puts `?` in the place of a word that is none.
    pub observed: String,
    /// What the vendor calls it, where the reading found that out (an indicator's id, a machine action's).
    pub reference: Option<String>,
    /// Which device it is, where the reading tells.
    pub device: Option<DeviceSeen>,
}

/// What the vendor itself knows a device by. An alert may say something else: it need not be the vendor's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceSeen {
    /// Its host name.
    pub hostname: Option<String>,
    /// What it is for, in the vendor's word (`Domain Controller`, `desktop`).
    pub role: Option<String>,
    /// Its addresses.
    pub ips: Vec<String>,
    /// Its operating system, in the vendor's word.
    pub platform: Option<String>,
}

/// Whether an action is in effect. For an undoing: whether it is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectSeen {
    /// It is.
    InEffect,
    /// The vendor took it, and the host has yet to comply.
    Pending,
    /// It is not, and nothing is under way.
    NotInEffect,
    /// It was tried and failed for good, by the vendor's own word.
    Failed,
    /// The vendor knows no such host, threat or file.
    NoSuchTarget,
}

/// The vendor took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The HTTP status.
    pub status: u16,
    /// What the vendor calls it; at most 128 characters of `[A-Za-z0-9_.:-]`.
    pub reference: Option<String>,
}

/// Why a call came to nothing. Its texts are ours: nothing that a vendor said stands in them, and no address,
/// token or secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EdrError {
    /// The request that counts was not sent: no connection, no token, no turn in time, an open breaker, an
    /// address that may not be spoken to.
    #[error("nothing was sent: {why}")]
    Unsent {
        /// Why.
        why: String,
        /// Whether another try may help soon (connection refused, no turn), as against never.
        transient: bool,
    },
    /// The vendor did not take it now: 429, 502, 503 or 504.
    #[error("the vendor is busy ({status})")]
    Busy {
        /// The status.
        status: u16,
        /// When it wants to be asked again, where it says so.
        retry_at: Option<Timestamp>,
    },
    /// The vendor will not do it.
    #[error("the vendor refuses ({status}): {why}")]
    Refused {
        /// The status.
        status: u16,
        /// Why, as far as its answer's code is one that we know.
        why: String,
    },
    /// The credential is not accepted.
    #[error("the vendor does not accept the credential ({status})")]
    NotAuthorised {
        /// The status.
        status: u16,
    },
    /// It was sent and nobody can tell what became of it: no answer in time, broken off, an answer that is
    /// none, a 500.
    #[error("sent, and nobody can tell what became of it: {why}")]
    Ambiguous {
        /// The status, where one came.
        status: Option<u16>,
        /// Why.
        why: String,
    },
}

/// The vendor accepts the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What it said about us, a few plain words (`us-1`, `12 hosts seen`).
    pub note: String,
}

/// What a poll brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polled {
    /// JSON objects, one an alert, the oldest first.
    pub alerts: Vec<Vec<u8>>,
    /// Everything up to this moment has been asked for.
    pub up_to: Timestamp,
    /// The beginnings of objects that by themselves are longer than is read of an answer: at most 64 KiB of
    /// each. They are passed over.
    pub cut: Vec<Vec<u8>>,
}

/// How a connection to an EDR is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineState {
    /// The breaker is open: nothing is called for a while.
    pub breaker_open: bool,
    /// Calls that wait for an answer.
    pub in_flight: u32,
    /// When the oldest of them began.
    pub oldest_since: Option<Timestamp>,
}

/// A connection cannot be set up. Names no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{member}` of the credential: {message}")]
pub struct EdrSetupError {
    /// Which member.
    pub member: &'static str,
    /// What is wrong with it.
    pub message: String,
}

/// What an EDR knows a tenant by. Sealed in the vault as one JSON object; never printed.
#[derive(Clone)]
pub struct EdrCredential {
    /// Its version, as the host's chain names it.
    pub version: u64,
    /// Where the API is (`https://api.eu-1.crowdstrike.com`), without a slash at its end.
    pub base_url: String,
    /// Where tokens come from, where that is another place (Defender).
    pub login_url: Option<String>,
    /// The client's id (CrowdStrike, Defender); absent where a token is all there is (SentinelOne).
    pub client_id: Option<String>,
    /// The client's secret, or the API token.
    pub secret: Secret,
    /// The vendor's own name of the tenant: the Entra tenant id (Defender), the `member_cid` (CrowdStrike),
    /// the site id that blocklists are scoped to (SentinelOne).
    pub realm: Option<String>,
}

impl fmt::Debug for EdrCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdrCredential")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
