//! A tenant that is served no more.

use serde::{Deserialize, Serialize};

use crate::ids::TenantId;

/// A tenant was removed: nothing is taken in for it any more, its secrets are gone, its chain stays. The
/// name is never given again, so that no chain tells of two customers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantRemoved {
    /// Which.
    pub tenant_id: TenantId,
    /// Its evidence is erased, and the key is destroyed that any copy of it is sealed under.
    pub erased: bool,
    /// Why, 1 to 500 characters.
    pub reason: String,
    /// Who asked for it.
    pub by: String,
}
