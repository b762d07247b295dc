//! What a request's headers claim, read so that an unreadable claim costs what a readable one does.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use subtle::Choice;

use super::{
    AuthScheme, FalconForm, FalconHmac, Headers, MAX_SHARED_SECRET_BYTES, SIGNATURE_HEADER,
    SIGNED_EXTRA_BYTES,
};
use crate::time::Timestamp;

/// Numbers below this are seconds since the epoch (until the year 5138), others milliseconds.
const FIRST_MS: u64 = 100_000_000_000;

/// A sender's claim to know the secret. Whatever is missing or malformed stands here as zeros and
/// empty texts, with `complete` unset.
pub(super) struct Claim<'h> {
    /// Whether the secret itself was sent, rather than a MAC.
    pub(super) by_shared_secret: Choice,
    /// Whether everything that the scheme asks for is there and well formed.
    pub(super) complete: Choice,
    /// The MAC that was sent.
    pub(super) tag: [u8; 32],
    /// What was signed in front of the body.
    pub(super) signed_before: &'h [u8],
    /// What was signed behind the body.
    pub(super) signed_after: &'h [u8],
    /// The secret that was sent; none that is too long for its block.
    pub(super) shared_secret: &'h [u8],
    /// The signed timestamp and how old it may be, where the scheme has one.
    stamp: Option<(&'h [u8], u64)>,
}

impl<'h> Claim<'h> {
    pub(super) fn read(scheme: Option<&AuthScheme>, headers: &'h dyn Headers) -> Self {
        match scheme {
            None => Self::nothing(),
            Some(AuthScheme::VyroxHmac) => Self::vyrox(headers.get(SIGNATURE_HEADER)),
            Some(AuthScheme::FalconHmac(falcon)) => Self::falcon(falcon, headers),
            Some(AuthScheme::Bearer) => {
                Self::shared(headers.get("Authorization").and_then(bearer_token))
            }
            Some(AuthScheme::HeaderSecret { header }) => Self::shared(headers.get(header)),
        }
    }

    /// Whether the signed timestamp, if the scheme has one, is near enough to `now`.
    pub(super) fn is_fresh(&self, now: Timestamp) -> Choice {
        let fresh = self.stamp.is_none_or(|(text, tolerance_s)| {
            read_stamp(text)
                .is_some_and(|stamp| stamp.distance_ms(now) <= tolerance_s.saturating_mul(1000))
        });
        Choice::from(u8::from(fresh))
    }

    fn nothing() -> Self {
        Self {
            by_shared_secret: Choice::from(0),
            complete: Choice::from(0),
            tag: [0; 32],
            signed_before: &[],
            signed_after: &[],
            shared_secret: &[],
            stamp: None,
        }
    }

    fn vyrox(header: Option<&'h [u8]>) -> Self {
        Self::nothing().with_tag(
            header.and_then(|value| value.strip_prefix(b"sha256=")),
            hex_tag,
        )
    }

    fn falcon(falcon: &FalconHmac, headers: &'h dyn Headers) -> Self {
        let signature = headers.get(&falcon.signature_header);
        let stamp = headers
            .get(&falcon.timestamp_header)
            .filter(|text| text.len() <= SIGNED_EXTRA_BYTES);
        let signed = stamp.unwrap_or_default();
        let claim = Self {
            stamp: Some((signed, falcon.tolerance_s)),
            ..Self::nothing()
        };
        match falcon.form {
            FalconForm::BodyTimestampBase64 => Self {
                signed_after: signed,
                ..claim
            }
            .with_tag(signature, base64_tag),
            FalconForm::TimestampBodyHex => Self {
                signed_before: signed,
                ..claim
            }
            .with_tag(signature, hex_tag),
        }
    }

    fn shared(secret: Option<&'h [u8]>) -> Self {
        let secret = secret.filter(|secret| (1..=MAX_SHARED_SECRET_BYTES).contains(&secret.len()));
        Self {
            by_shared_secret: Choice::from(1),
            complete: Choice::from(u8::from(secret.is_some())),
            shared_secret: secret.unwrap_or_default(),
            ..Self::nothing()
        }
    }

    fn with_tag(self, text: Option<&[u8]>, decode: fn(&[u8]) -> Option<[u8; 32]>) -> Self {
        let tag = text.and_then(decode);
        Self {
            complete: Choice::from(u8::from(tag.is_some())),
            tag: tag.unwrap_or_default(),
            ..self
        }
    }
}

/// Exactly 64 hex digits of either case.
fn hex_tag(text: &[u8]) -> Option<[u8; 32]> {
    let mut tag = [0; 32];
    hex::decode_to_slice(text, &mut tag).ok()?;
    Some(tag)
}

/// Exactly the 44 characters that 32 bytes have in standard base64, padding included.
fn base64_tag(text: &[u8]) -> Option<[u8; 32]> {
    if text.len() != 44 {
        return None;
    }
    let mut decoded = [0_u8; 33];
    let length = STANDARD.decode_slice(text, &mut decoded).ok()?;
    decoded.get(..length)?.try_into().ok()
}

/// The token of `Bearer <token>`; the word's letter case does not matter.
fn bearer_token(header: &[u8]) -> Option<&[u8]> {
    let (word, token) = header.split_at_checked(7)?;
    word.eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

/// An RFC 3339 time, or a number of seconds or milliseconds since the epoch.
fn read_stamp(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Timestamp::from_rfc3339(text);
    }
    let number = text.parse::<u64>().ok()?;
    Some(if number < FIRST_MS {
        Timestamp::from_s(number)
    } else {
        Timestamp::from_ms(number)
    })
}
