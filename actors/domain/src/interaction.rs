//! What a chat service posts when somebody presses a button or gives a command: first proven, then
//! read. The shape is Discord's.
//!
//! The signature is Ed25519 over the timestamp header's bytes followed by the raw body. Nothing of the
//! body is looked at before it has been verified, and who may do what is told by this one body alone:
//! the member with its roles, the guild and the channel, never by what a message says.

mod parse;

use std::fmt;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::{time::Timestamp, webhook::Secret};

pub use self::parse::{MAX_BODY_BYTES, Refusal, parse};

/// How far a signed timestamp may be from now, either way, in seconds.
pub const WINDOW_S: u64 = 300;

/// The most digits of a timestamp: seconds for the next thirty thousand years.
const TIMESTAMP_DIGITS_MAX: usize = 12;

/// The public key of one application of the chat service.
#[derive(Clone)]
pub struct InteractionKey(VerifyingKey);

/// The text is no key that can vouch for anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an application's public key is 64 hex characters, as its developer page shows them")]
pub struct InvalidInteractionKey;

impl InteractionKey {
    /// Reads 64 hex digits.
    ///
    /// # Errors
    /// Other texts, bytes that are no point of the curve or not in the one way to write it, and the
    /// few points of small order, under which signatures exist that nobody made.
    pub fn from_hex(text: &str) -> Result<Self, InvalidInteractionKey> {
        let mut bytes = [0_u8; 32];
        let invalid = |_| InvalidInteractionKey;
        hex::decode_to_slice(text, &mut bytes).map_err(invalid)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_point| InvalidInteractionKey)?;
        let canonical = key.to_edwards().compress().to_bytes() == bytes;
        if key.is_weak() || !canonical {
            return Err(InvalidInteractionKey);
        }
        Ok(Self(key))
    }
}

impl fmt::Debug for InteractionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InteractionKey({})", hex::encode(self.0.as_bytes()))
    }
}

/// A request as it came. A header that is missing is an empty one.
#[derive(Clone, Copy)]
pub struct RawInteraction<'a> {
    /// `X-Signature-Ed25519`: 128 hex digits.
    pub signature: &'a [u8],
    /// `X-Signature-Timestamp`: decimal seconds since the epoch.
    pub timestamp: &'a [u8],
    /// The body's exact bytes.
    pub body: &'a [u8],
}

/// A body that the application's key vouches for, signed about now. Only [`verify`] makes one.
#[derive(Clone, Copy)]
pub struct VerifiedInteraction<'a> {
    body: &'a [u8],
}

/// The request proves nothing. Which check failed is not said, to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid signature")]
pub struct NotVerified;

/// Verifies a request, at most `window_s` seconds away from when it was signed.
///
/// # Errors
/// [`NotVerified`] whatever is wrong: a header that is missing or malformed, another key's signature,
/// a body or timestamp that was changed, a time too far off.
pub fn verify<'a>(
    key: &InteractionKey,
    raw: RawInteraction<'a>,
    now: Timestamp,
    window_s: u64,
) -> Result<VerifiedInteraction<'a>, NotVerified> {
    let mut bytes = [0_u8; Signature::BYTE_SIZE];
    hex::decode_to_slice(raw.signature, &mut bytes).map_err(|_digits| NotVerified)?;
    let message = [raw.timestamp, raw.body].concat();
    let signature = Signature::from_bytes(&bytes);
    let authentic = key.0.verify_strict(&message, &signature);
    authentic.map_err(|_forged| NotVerified)?;
    // Only what was signed is a time at all.
    let signed_at = seconds(raw.timestamp).ok_or(NotVerified)?;
    let fresh = signed_at.distance_ms(now) <= window_s.saturating_mul(1000);
    fresh
        .then_some(VerifiedInteraction { body: raw.body })
        .ok_or(NotVerified)
}

/// Decimal digits and nothing else.
fn seconds(digits: &[u8]) -> Option<Timestamp> {
    let plain = digits.iter().all(u8::is_ascii_digit) && digits.len() <= TIMESTAMP_DIGITS_MAX;
    let text = std::str::from_utf8(digits).ok().filter(|_| plain)?;
    text.parse().ok().map(Timestamp::from_s)
}

/// What somebody did.
#[derive(Clone, Debug)]
pub enum Interaction {
    /// The service asks whether we are there.
    Ping,
    /// A button was pressed.
    Button(Button),
    /// A form was sent off.
    Form(Form),
    /// `/vyrox ...`
    Command(Command),
    /// Anything of that outside a guild, where nobody has a role.
    Direct,
    /// Something that we never offered.
    Unknown,
}

/// Who does it, where. All of it was signed together.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The interaction's own id; a repeat has the same.
    pub interaction_id: String,
    /// The application that it was meant for.
    pub application_id: String,
    /// What later answers are authorised with, for 15 minutes. Fit to stand in a path.
    pub token: Secret,
    /// The guild.
    pub guild_id: String,
    /// The channel.
    pub channel_id: String,
    /// The account.
    pub user_id: String,
    /// The roles of that account in this guild.
    pub roles: Vec<String>,
    /// What it may do in this channel, as the service's bit set.
    pub permissions: u128,
}

impl Caller {
    /// Whether the account may manage the guild, or may do everything in it.
    pub const fn manages_guild(&self) -> bool {
        const ADMINISTRATOR: u128 = 1 << 3;
        const MANAGE_GUILD: u128 = 1 << 5;
        self.permissions & (ADMINISTRATOR | MANAGE_GUILD) != 0
    }
}

/// A button that was pressed.
#[derive(Clone, Debug)]
pub struct Button {
    /// By whom.
    pub by: Caller,
    /// The message that carries it.
    pub message_id: String,
    /// What we called it; 1 to 100 characters.
    pub custom_id: String,
}

/// A form that was sent off.
#[derive(Clone, Debug)]
pub struct Form {
    /// By whom.
    pub by: Caller,
    /// The message whose button opened it.
    pub message_id: Option<String>,
    /// What we called it; 1 to 100 characters.
    pub custom_id: String,
    /// Its first text field, at most 4000 characters.
    pub value: Option<String>,
}

/// A command that was given.
#[derive(Clone, Debug)]
pub struct Command {
    /// By whom.
    pub by: Caller,
    /// Which.
    pub order: Order,
}

/// The commands under `/vyrox`.
#[derive(Clone, Debug)]
pub enum Order {
    /// Claims the guild for a tenant.
    Register {
        /// The one-time code; at most 6000 characters.
        code: Secret,
        /// The role that is to administer it.
        admin_role: Option<String>,
    },
    /// How the tenant is served.
    Status,
    /// Plays an attack.
    TestAlert {
        /// Its name; at most 100 characters.
        scenario: Option<String>,
    },
    /// The latest alerts.
    Alerts,
}

#[cfg(test)]
mod tests;
