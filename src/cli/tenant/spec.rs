//! What the arguments and standard input of `vyrox tenant` say about webhooks and accounts.

use std::{io::Read as _, str::FromStr};

use secrecy::SecretString;
use vyrox_domain::{
    vendor::{UnknownVendor, Vendor},
    webhook::AuthScheme,
};

use super::super::failure::Failure;

/// `VENDOR:AUTH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSpec {
    /// Whose alerts.
    pub vendor: Vendor,
    /// How they are authenticated, as the server reads it.
    pub auth: String,
}

/// `VENDOR:ID`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSpec {
    /// Whose id.
    pub vendor: Vendor,
    /// The id.
    pub id: String,
}

/// A text that is no `VENDOR:SOMETHING`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSpec(String);

/// Reads a secret from standard input if that was asked for: its first and only line.
pub(in crate::cli) fn secret_from_stdin(asked: bool) -> Result<Option<SecretString>, Failure> {
    const LIMIT_BYTES: u64 = 16 * 1024;
    if !asked {
        return Ok(None);
    }
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(LIMIT_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| Failure::unreachable(format!("cannot read standard input: {error}")))?;
    secret_in(&text).map(Some)
}

fn secret_in(text: &str) -> Result<SecretString, Failure> {
    let secret = text.strip_suffix('\n').unwrap_or(text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() || secret.contains('\n') {
        return Err(Failure::usage(
            "standard input holds no secret: one line, not empty",
        ));
    }
    Ok(SecretString::from(secret))
}

impl FromStr for WebhookSpec {
    type Err = InvalidSpec;

    fn from_str(text: &str) -> Result<Self, InvalidSpec> {
        let (vendor, auth) = vendor_and_rest(text, "VENDOR:AUTH")?;
        match auth.parse::<AuthScheme>() {
            Ok(_) => Ok(Self {
                vendor,
                auth: auth.to_owned(),
            }),
            Err(error) => Err(InvalidSpec(error.to_string())),
        }
    }
}

impl FromStr for AccountSpec {
    type Err = InvalidSpec;

    fn from_str(text: &str) -> Result<Self, InvalidSpec> {
        let (vendor, id) = vendor_and_rest(text, "VENDOR:ID")?;
        Ok(Self {
            vendor,
            id: id.to_owned(),
        })
    }
}

fn vendor_and_rest<'a>(text: &'a str, form: &str) -> Result<(Vendor, &'a str), InvalidSpec> {
    match text.split_once(':') {
        Some((vendor, rest)) if !rest.is_empty() => {
            let vendor = vendor
                .parse()
                .map_err(|error: UnknownVendor| InvalidSpec(error.to_string()))?;
            Ok((vendor, rest))
        }
        _ => Err(InvalidSpec(format!("it has the form {form}"))),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_webhook_names_its_vendor_and_a_known_scheme() {
        let spec: WebhookSpec = "crowdstrike:falcon-hmac=X-Cs-Sig".parse().unwrap();
        assert_eq!(spec.vendor, Vendor::Crowdstrike);
        assert_eq!(spec.auth, "falcon-hmac=X-Cs-Sig");
        for bad in [
            "crowdstrike",
            "crowdstrike:",
            "nobody:bearer",
            "generic:none",
            ":bearer",
            "",
        ] {
            assert!(bad.parse::<WebhookSpec>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_account_id_may_hold_colons() {
        let spec: AccountSpec = "generic:urn:x:1".parse().unwrap();
        assert_eq!(
            (spec.vendor, spec.id.as_str()),
            (Vendor::Generic, "urn:x:1")
        );
    }

    #[test]
    fn a_secret_is_one_line_without_its_end() {
        for text in ["s3cret", "s3cret\n", "s3cret\r\n"] {
            assert_eq!(secret_in(text).unwrap().expose_secret(), "s3cret");
        }
        for text in ["", "\n", "a\nb\n"] {
            assert!(secret_in(text).is_err(), "{text:?}");
        }
    }
}
