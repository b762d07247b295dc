//! From bytes that anybody may have sent to a webhook that the tenant's own secret vouches for.
//!
//! [`verify`] is the only way to a [`VerifiedWebhook`], and it always does the same work: whoever
//! measures it learns nothing about which tenants exist, how they authenticate, or which check failed.

mod claim;
mod scheme;
mod secret;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::Choice;

pub use crate::signature::signature_of;
use crate::{time::Timestamp, vendor::Vendor};
use claim::Claim;
pub use scheme::{
    AuthScheme, DEFAULT_SECRET_HEADER, DEFAULT_TOLERANCE_S, FalconForm, FalconHmac, InvalidScheme,
};
use secret::SecretDigest;
pub use secret::{Keys, MAX_SHARED_SECRET_BYTES, SECRET_BLOCK_BYTES, Secret};

/// The header of [`AuthScheme::VyroxHmac`].
pub const SIGNATURE_HEADER: &str = "X-Vyrox-Signature";

/// How many bytes each MAC takes in beside the body: the room for a signed timestamp header. What a
/// scheme does not sign is hashed as filler.
pub const SIGNED_EXTRA_BYTES: usize = 64;

/// The key that stands in where there is no secret. What it signs is never accepted.
const STAND_IN_KEY: [u8; 32] = *b"no secret here, the work is real";

type HmacSha256 = Hmac<Sha256>;

/// The headers of a request.
pub trait Headers {
    /// The value of the header called `name`, in any letter case. A header that was sent twice has
    /// no value: which of two counts is not for us to guess.
    fn get(&self, name: &str) -> Option<&[u8]>;
}

/// Headers as a plain list of names and values.
#[derive(Clone, Copy, Debug)]
pub struct HeaderList<'a>(pub &'a [(&'a str, &'a [u8])]);

impl Headers for HeaderList<'_> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        let mut values = self
            .0
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}

/// A webhook as it arrived. Nothing in it can be trusted.
#[derive(Clone, Copy)]
pub struct RawWebhook<'a> {
    /// Which vendor's door it came through.
    pub vendor: Vendor,
    /// The body, byte for byte.
    pub body: &'a [u8],
    /// The request's headers.
    pub headers: &'a dyn Headers,
    /// When it arrived.
    pub now: Timestamp,
}

/// A webhook whose body the tenant's own secret vouches for. Only [`verify`] makes one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerifiedWebhook<'a> {
    vendor: Vendor,
    body: &'a [u8],
    used_previous: bool,
}

impl<'a> VerifiedWebhook<'a> {
    /// Which vendor's door it came through.
    pub const fn vendor(&self) -> Vendor {
        self.vendor
    }

    /// The body, byte for byte.
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Whether the previous secret vouched for it and the current one did not: the sender has yet to
    /// follow a rotation.
    pub const fn used_previous(&self) -> bool {
        self.used_previous
    }
}

impl std::fmt::Debug for VerifiedWebhook<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "verified {} webhook of {} bytes",
            self.vendor,
            self.body.len()
        )
    }
}

/// The webhook is not vouched for. Which check failed is not said, here or anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid signature")]
pub struct InvalidSignature;

/// What came of a verification, and what it cost.
#[derive(Debug)]
pub struct Verification<'a> {
    /// The proof, or the one refusal there is.
    pub outcome: Result<VerifiedWebhook<'a>, InvalidSignature>,
    /// Bytes that were hashed: messages with their filler in the MACs, and blocks with secrets. For a
    /// body of one length it is the same whatever the scheme, the headers and the outcome.
    pub hashed_bytes: u64,
    /// HMACs computed: always two.
    pub macs: u32,
}

/// Verifies `raw` under the tenant's `keys`; without keys there is nothing to accept.
///
/// Always two HMAC-SHA256 over the body, always over the same number of bytes, and always three
/// digests of secrets in blocks of one size: absent keys, absent secrets and unreadable headers are
/// replaced by stand-ins, and the verdict is put together at the end. An empty secret is as good as
/// none.
pub fn verify<'a>(raw: RawWebhook<'a>, keys: Option<&Keys>) -> Verification<'a> {
    let claim = Claim::read(keys.map(|keys| &keys.scheme), raw.headers);
    let mut meter = Meter::default();
    let current = keys.map(|keys| &keys.current);
    let previous = keys.and_then(|keys| keys.previous.as_ref());
    let offered = meter.digest_of_secret(claim.shared_secret);
    let by_current = vouches(current, &claim, &offered, raw.body, &mut meter);
    let by_previous = vouches(previous, &claim, &offered, raw.body, &mut meter);
    // The timestamp is read only now, when its bytes have been through the MAC.
    let acceptable = claim.complete & claim.is_fresh(raw.now);

    let outcome = if bool::from(acceptable & (by_current | by_previous)) {
        let used_previous = bool::from(!by_current);
        Ok(VerifiedWebhook {
            vendor: raw.vendor,
            body: raw.body,
            used_previous,
        })
    } else {
        Err(InvalidSignature)
    };
    Verification {
        outcome,
        hashed_bytes: meter.hashed_bytes,
        macs: meter.macs,
    }
}

#[derive(Default)]
struct Meter {
    hashed_bytes: u64,
    macs: u32,
}

impl Meter {
    fn note(&mut self, bytes: usize) {
        self.hashed_bytes = self
            .hashed_bytes
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    fn digest_of_secret(&mut self, secret: &[u8]) -> SecretDigest {
        self.note(SECRET_BLOCK_BYTES);
        SecretDigest::of(secret)
    }
}

/// Whether `secret` vouches for the body in the way the claim says. One HMAC, one digest of a secret
/// and one comparison with the one offered, whichever of them counts.
fn vouches(
    secret: Option<&Secret>,
    claim: &Claim<'_>,
    offered: &SecretDigest,
    body: &[u8],
    meter: &mut Meter,
) -> Choice {
    let key = secret.map_or(STAND_IN_KEY.as_slice(), Secret::expose);
    let usable = Choice::from(u8::from(secret.is_some_and(|secret| !secret.is_empty())));
    let mac_is_right = mac_is_right(key, claim, body, meter);
    let secret_is_right = offered.ct_eq(&meter.digest_of_secret(key));
    let by_mac = mac_is_right & !claim.by_shared_secret;
    let by_secret = secret_is_right & claim.by_shared_secret;
    usable & (by_mac | by_secret)
}

fn mac_is_right(key: &[u8], claim: &Claim<'_>, body: &[u8], meter: &mut Meter) -> Choice {
    let right = HmacSha256::new_from_slice(key).is_ok_and(|mac| {
        mac.chain_update(claim.signed_before)
            .chain_update(body)
            .chain_update(claim.signed_after)
            .verify_slice(&claim.tag)
            .is_ok()
    });
    meter.macs += 1;
    meter.note(body.len());

    let signed_extra = claim.signed_before.len() + claim.signed_after.len();
    let filler = [0_u8; SIGNED_EXTRA_BYTES];
    let filler = filler.get(signed_extra..).unwrap_or_default();
    std::hint::black_box(Sha256::digest(filler));
    meter.note(signed_extra + filler.len());
    Choice::from(u8::from(right))
}
