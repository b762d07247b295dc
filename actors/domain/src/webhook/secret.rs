//! Secrets that show themselves to nobody by accident.

use std::fmt;

use zeroize::Zeroizing;

use super::AuthScheme;

/// A secret's bytes. Wiped when dropped, never printed, never serialised.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; for a textual secret these are its ASCII text.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves. Do not keep them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is no secret in it at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How one tenant authenticates one vendor's webhooks.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The one scheme that is tried.
    pub scheme: AuthScheme,
    /// The secret in force.
    pub current: Secret,
    /// The secret before it, while a rotation's overlap lasts.
    pub previous: Option<Secret>,
}
