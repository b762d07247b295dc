//! The ways in which a sender can prove that it knows a secret, and how they are written.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The header of a static secret, where none is named.
pub const DEFAULT_SECRET_HEADER: &str = "X-Webhook-Secret";
/// How far a signed timestamp may be from now, where nothing else is said, in seconds.
pub const DEFAULT_TOLERANCE_S: u64 = 300;

const FALCON_SIGNATURE_HEADER: &str = "X-CS-Primary-Signature";
const FALCON_TIMESTAMP_HEADER: &str = "X-CS-Delivery-Timestamp";
/// The longest header name that is taken, in bytes.
const MAX_HEADER_NAME: usize = 64;

/// How a tenant's webhooks from one vendor prove themselves. Chosen by the tenant, never guessed, and
/// never several in turn.
///
/// As text (configuration, command line, journal): `vyrox-hmac`, `bearer`, `header-secret=NAME`,
/// `falcon-hmac=NAME` with `,timestamp=NAME`, `,form=FORM` and `,tolerance=SECONDS` where they differ
/// from the default. Names may be left out; the shown text always parses back to the same scheme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AuthScheme {
    /// `X-Vyrox-Signature: sha256=<64 hex digits>`, HMAC-SHA256 over the body.
    VyroxHmac,
    /// CrowdStrike Falcon's own signature.
    FalconHmac(FalconHmac),
    /// `Authorization: Bearer <secret>`.
    Bearer,
    /// The secret itself in a header.
    HeaderSecret {
        /// The header's name.
        header: String,
    },
}

/// The settings of CrowdStrike's signature: the header's name is for the customer to choose, and
/// senders in the field sign in two orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FalconHmac {
    /// The header with the signature.
    pub signature_header: String,
    /// The header whose text is signed together with the body.
    pub timestamp_header: String,
    /// What is signed, and how the signature is written.
    pub form: FalconForm,
    /// How far the timestamp may be from now, in seconds, either way.
    pub tolerance_s: u64,
}

impl Default for FalconHmac {
    fn default() -> Self {
        Self {
            signature_header: FALCON_SIGNATURE_HEADER.into(),
            timestamp_header: FALCON_TIMESTAMP_HEADER.into(),
            form: FalconForm::BodyTimestampBase64,
            tolerance_s: DEFAULT_TOLERANCE_S,
        }
    }
}

/// What a Falcon signature covers, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FalconForm {
    /// Standard base64 over the body followed by the timestamp header's text.
    BodyTimestampBase64,
    /// Hex over the timestamp header's text followed by the body.
    TimestampBodyHex,
}

impl FalconForm {
    const fn as_str(self) -> &'static str {
        match self {
            Self::BodyTimestampBase64 => "body-timestamp-base64",
            Self::TimestampBodyHex => "timestamp-body-hex",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::BodyTimestampBase64, Self::TimestampBodyHex]
            .into_iter()
            .find(|form| form.as_str() == name)
    }
}

/// The text names no authentication scheme.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScheme {
    /// No such scheme.
    #[error("a scheme is vyrox-hmac, falcon-hmac[=HEADER], bearer or header-secret[=HEADER]")]
    Unknown,
    /// Not a name that an HTTP header can have, or longer than 64 bytes.
    #[error("not a header name")]
    HeaderName,
    /// A header that HTTP itself reads, or whose use for secrets has a scheme of its own.
    #[error(
        "a secret cannot come in that header: name another, like X-Webhook-Secret, or use bearer \
         for Authorization"
    )]
    ReservedHeader,
    /// A setting after `falcon-hmac=HEADER` that does not exist or has no such value.
    #[error(
        "falcon-hmac takes timestamp=HEADER, form=body-timestamp-base64|timestamp-body-hex and tolerance=SECONDS"
    )]
    FalconSetting,
}

impl AuthScheme {
    /// Reads the textual form, as somebody asks for it.
    ///
    /// # Errors
    /// A text that names no scheme or has an impossible setting.
    pub fn parse(text: &str) -> Result<Self, InvalidScheme> {
        match Self::read(text)? {
            Self::HeaderSecret { header } if is_reserved(&header) => {
                Err(InvalidScheme::ReservedHeader)
            }
            scheme => Ok(scheme),
        }
    }

    /// Reads the textual form as it was once written down, reserved headers included: what was taken
    /// before it was refused must not keep a journal from being read.
    fn read(text: &str) -> Result<Self, InvalidScheme> {
        let (name, settings) = match text.split_once('=') {
            Some((name, settings)) => (name, Some(settings)),
            None => (text, None),
        };
        match (name, settings) {
            ("vyrox-hmac", None) => Ok(Self::VyroxHmac),
            ("bearer", None) => Ok(Self::Bearer),
            ("header-secret", header) => Ok(Self::HeaderSecret {
                header: header_name(header.unwrap_or(DEFAULT_SECRET_HEADER))?,
            }),
            ("falcon-hmac", None) => Ok(Self::FalconHmac(FalconHmac::default())),
            ("falcon-hmac", Some(settings)) => parse_falcon(settings).map(Self::FalconHmac),
            _ => Err(InvalidScheme::Unknown),
        }
    }
}

fn parse_falcon(settings: &str) -> Result<FalconHmac, InvalidScheme> {
    let mut parts = settings.split(',');
    let mut falcon = FalconHmac {
        signature_header: header_name(parts.next().unwrap_or_default())?,
        ..FalconHmac::default()
    };
    for part in parts {
        match part.split_once('=') {
            Some(("timestamp", header)) => falcon.timestamp_header = header_name(header)?,
            Some(("form", form)) => {
                falcon.form = FalconForm::from_name(form).ok_or(InvalidScheme::FalconSetting)?;
            }
            Some(("tolerance", seconds)) => {
                falcon.tolerance_s = seconds
                    .parse()
                    .map_err(|_not_a_number| InvalidScheme::FalconSetting)?;
            }
            _ => return Err(InvalidScheme::FalconSetting),
        }
    }
    Ok(falcon)
}

/// Whether HTTP itself reads this header, so that what stands in it is rewritten, joined or logged on
/// the way.
fn is_reserved(header: &str) -> bool {
    const RESERVED: [&str; 4] = ["host", "connection", "transfer-encoding", "authorization"];
    let lower = header.to_ascii_lowercase();
    RESERVED.contains(&lower.as_str()) || lower.starts_with("content-")
}

/// A header's name: letters, digits and what RFC 9110 allows in a token.
fn header_name(name: &str) -> Result<String, InvalidScheme> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if (1..=MAX_HEADER_NAME).contains(&name.len()) && name.bytes().all(is_token) {
        Ok(name.into())
    } else {
        Err(InvalidScheme::HeaderName)
    }
}

impl fmt::Display for AuthScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VyroxHmac => f.write_str("vyrox-hmac"),
            Self::Bearer => f.write_str("bearer"),
            Self::HeaderSecret { header } => write!(f, "header-secret={header}"),
            Self::FalconHmac(falcon) => falcon.fmt(f),
        }
    }
}

impl fmt::Display for FalconHmac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usual = Self::default();
        write!(f, "falcon-hmac={}", self.signature_header)?;
        if self.timestamp_header != usual.timestamp_header {
            write!(f, ",timestamp={}", self.timestamp_header)?;
        }
        if self.form != usual.form {
            write!(f, ",form={}", self.form.as_str())?;
        }
        if self.tolerance_s != usual.tolerance_s {
            write!(f, ",tolerance={}", self.tolerance_s)?;
        }
        Ok(())
    }
}

impl FromStr for AuthScheme {
    type Err = InvalidScheme;

    fn from_str(text: &str) -> Result<Self, InvalidScheme> {
        Self::parse(text)
    }
}

impl TryFrom<String> for AuthScheme {
    type Error = InvalidScheme;

    fn try_from(text: String) -> Result<Self, InvalidScheme> {
        Self::read(&text)
    }
}

impl From<AuthScheme> for String {
    fn from(scheme: AuthScheme) -> Self {
        scheme.to_string()
    }
}
