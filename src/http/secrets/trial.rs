//! The harmless call that shows whether an EDR accepts a credential.

use std::time::Duration;

use vyrox_actors::edr::{Checked, EdrCredential, EdrError, EdrSetupError, Edrs};
use vyrox_domain::{ids::TenantId, vendor::Vendor};

use crate::http::problem::{Answer, Code, Problem};

/// Asks the EDR.
///
/// # Errors
/// 400 `invalid_credential` where no connection can be made of it, 422 `credential_refused` where the EDR
/// does not accept it, 502 `credential_unchecked` where it did not say, 501 `vendor_check_unavailable`
/// where this server speaks to no EDR.
pub(super) async fn ask(
    edrs: Option<&dyn Edrs>,
    (tenant, vendor): (&TenantId, Vendor),
    credential: &EdrCredential,
    patience: Duration,
) -> Answer<Checked> {
    let edrs = edrs.ok_or_else(|| Problem::new(Code::VendorCheckUnavailable))?;
    let edr = edrs
        .connect(tenant, vendor, credential)
        .map_err(|error| unfit(&error))?;
    match tokio::time::timeout(patience, edr.check()).await {
        Ok(Ok(checked)) => Ok(checked),
        Ok(Err(error)) => Err(not_accepted(&error)),
        Err(_elapsed) => Err(Problem::new(Code::CredentialUnchecked).detail(format!(
            "the vendor did not answer within {} s; look whether the address is right and can be \
             reached from here",
            patience.as_secs()
        ))),
    }
}

/// Looks whether a connection could be made of it, and calls nothing.
///
/// # Errors
/// 400 `invalid_credential`.
pub(super) fn connect_only(
    edrs: Option<&dyn Edrs>,
    (tenant, vendor): (&TenantId, Vendor),
    credential: &EdrCredential,
) -> Answer<()> {
    if let Some(edrs) = edrs {
        edrs.connect(tenant, vendor, credential)
            .map_err(|error| unfit(&error))?;
    }
    Ok(())
}

fn unfit(error: &EdrSetupError) -> Problem {
    Problem::new(Code::InvalidCredential).detail(error.to_string())
}

/// The texts of these errors are ours: no word of the vendor's is in them, and nothing secret.
fn not_accepted(error: &EdrError) -> Problem {
    let (code, advice) = match error {
        EdrError::NotAuthorised { .. } => (
            Code::CredentialRefused,
            "look at id, secret, region and permissions in the vendor's console",
        ),
        EdrError::Refused { .. } => (
            Code::CredentialRefused,
            "look at the permissions of this client in the vendor's console",
        ),
        EdrError::Unsent { .. } => (
            Code::CredentialUnchecked,
            "look whether the address is right and can be reached from here",
        ),
        EdrError::Busy { .. } | EdrError::Ambiguous { .. } => (
            Code::CredentialUnchecked,
            "try again, or look at the vendor's status page",
        ),
    };
    Problem::new(code).detail(format!("{error}; {advice}"))
}

#[cfg(test)]
mod tests;
