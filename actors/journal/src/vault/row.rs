//! One sealed secret, and the place in the vault that it is bound to.

use std::fmt;

use zeroize::Zeroizing;

use crate::seal::{DataKey, HostKey, SealError, binding, key_id_of};

/// Name of the rows that hold a tenant's wrapped data keys.
pub const DATA_KEY_ROW: &str = "data_key";

/// The longest name of a row, in bytes.
pub const MAX_NAME_BYTES: usize = 128;

const ROW_PURPOSE: &[u8] = b"vyrox vault row v1";

/// One row: where it stands, the key it is sealed under, and sealed bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// The tenant (or the host's own chain) that the row belongs to.
    pub tenant: String,
    /// What it is, such as `webhook/crowdstrike`, or [`DATA_KEY_ROW`].
    pub name: String,
    /// Grows with each rotation; several versions may be live at once.
    pub version: u64,
    /// Id of the key that it is sealed under: the host key for a data key, else a data key.
    pub key_id: String,
    /// The value in the layout of [`crate::seal`].
    pub sealed: Vec<u8>,
}

impl SealedRow {
    /// Seals a secret of the data key's tenant for its place.
    pub fn seal(key: &DataKey, name: &str, version: u64, secret: &[u8]) -> Self {
        let place = place(key.tenant(), name, version);
        Self {
            tenant: key.tenant().into(),
            name: name.into(),
            version,
            key_id: key.id(),
            sealed: key.seal(&place, secret),
        }
    }

    /// Wraps a data key into a row of its tenant.
    pub fn wrap(key: &DataKey, host: &HostKey, version: u64) -> Self {
        Self {
            tenant: key.tenant().into(),
            name: DATA_KEY_ROW.into(),
            version,
            key_id: host.id(),
            sealed: key.wrap(host),
        }
    }

    /// Opens what [`SealedRow::seal`] made for this very place.
    pub fn open(&self, key: &DataKey) -> Result<Zeroizing<Vec<u8>>, SealError> {
        key.open(&place(&self.tenant, &self.name, self.version), &self.sealed)
    }

    /// Opens what [`SealedRow::wrap`] made.
    pub fn unwrap_key(&self, host: &HostKey) -> Result<DataKey, SealError> {
        DataKey::unwrap(host, &self.tenant, &self.sealed)
    }

    /// What can be said against the row without any key.
    pub(crate) fn malformation(&self) -> Option<Malformed> {
        if !is_tenant(&self.tenant) {
            return Some(Malformed::NoTenant);
        }
        if self.name.is_empty() || self.name.len() > MAX_NAME_BYTES {
            return Some(Malformed::Name);
        }
        match key_id_of(&self.sealed) {
            Err(_) => Some(Malformed::Unsealed),
            Ok(sealed_under) if sealed_under != self.key_id => {
                Some(Malformed::KeyId { sealed_under })
            }
            Ok(_) => None,
        }
    }
}

/// The sealed bytes are of no use to a reader of logs.
impl fmt::Debug for SealedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedRow")
            .field("tenant", &self.tenant)
            .field("name", &self.name)
            .field("version", &self.version)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// What makes a row unfit for the vault, seen without opening it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The tenant's name is missing or cannot be one.
    #[error("it belongs to no tenant")]
    NoTenant,
    /// The row's name is empty or too long.
    #[error("its name is empty or longer than {MAX_NAME_BYTES} bytes")]
    Name,
    /// Its value is not in the sealed layout.
    #[error("it is not sealed")]
    Unsealed,
    /// The recorded key id is not the one in the value.
    #[error("it is recorded under another key than {sealed_under}, which its value names")]
    KeyId {
        /// Id of the key that the value names.
        sealed_under: String,
    },
}

fn place(tenant: &str, name: &str, version: u64) -> Vec<u8> {
    binding(&[
        ROW_PURPOSE,
        tenant.as_bytes(),
        name.as_bytes(),
        &version.to_be_bytes(),
    ])
}

/// The grammar of chain names: `[a-z0-9_+-]{2,64}`.
fn is_tenant(text: &str) -> bool {
    let fits = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'+' | b'-')
    };
    (2..=64).contains(&text.len()) && text.bytes().all(fits)
}
