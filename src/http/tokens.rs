//! API tokens: who calls, and what that one may do.

use std::sync::Arc;

use actix_web::{HttpRequest, http::header};

use super::problem::{Answer, Code, Problem};
use crate::keys::BootstrapToken;

/// What a token may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Read tenants.
    TenantsRead,
    /// Make and change tenants.
    TenantsWrite,
    /// Read alerts.
    AlertsRead,
    /// Read a tenant's chain.
    AuditRead,
    /// Read the state of actors and metrics.
    HealthRead,
    /// Read which messages were set aside, and why.
    DeadLettersRead,
    /// Have them handled again, or drop them.
    DeadLettersWrite,
    /// Order faults, in builds that have them.
    #[cfg(feature = "fault-injection")]
    FaultsWrite,
}

/// Whoever was let in.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The token's name, as it stands in the journal: `api_token:<id>`.
    pub(crate) actor: String,
    /// The token's name alone; its budget goes by it.
    pub(crate) token_id: Arc<str>,
}

/// The tokens of this host.
#[derive(Clone)]
pub(crate) struct Tokens {
    bootstrap: BootstrapToken,
}

impl Tokens {
    pub(crate) fn new(bootstrap: BootstrapToken) -> Self {
        Self { bootstrap }
    }

    /// Lets in whoever shows a token that allows `scope`. The bootstrap token allows every one of
    /// them; approving is none of them.
    pub(crate) fn require(&self, request: &HttpRequest, _scope: Scope) -> Answer<Caller> {
        let offered = bearer(request).ok_or_else(|| Problem::new(Code::InvalidToken))?;
        if !self.bootstrap.matches(offered) {
            return Err(Code::InvalidToken.into());
        }
        Ok(Caller {
            actor: "api_token:bootstrap".into(),
            token_id: "bootstrap".into(),
        })
    }
}

/// The token of an `Authorization: Bearer` header that was sent once.
pub(crate) fn bearer(request: &HttpRequest) -> Option<&[u8]> {
    let mut values = request.headers().get_all(header::AUTHORIZATION);
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}
