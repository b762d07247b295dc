//! API tokens: who calls, and what that one may do.
//!
//! The bootstrap token stands for nobody: it may do everything but decide about an action. A personal
//! token stands for a person: it decides, reads the alerts that are to be decided about, and does
//! nothing else.

use std::{collections::BTreeSet, sync::Arc};

use actix_web::{HttpRequest, http::header};
use vyrox_actors::{
    keyring::{People, Person},
    registry::APPROVE,
};
use vyrox_domain::{
    ids::{PersonId, TenantId},
    time::Timestamp,
};

use super::problem::{Answer, Code, Problem};
use crate::keys::BootstrapToken;

/// What a token may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Read tenants.
    TenantsRead,
    /// Make and change tenants.
    TenantsWrite,
    /// Read who there is.
    PeopleRead,
    /// Change who there is, what each may decide, and which tokens they have.
    PeopleWrite,
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
    /// Halt containment, and let it go on.
    ContainmentHalt,
    /// Hold changed rules against the alerts that are there.
    BacktestRun,
    /// Have everything that lasts copied to the server's own place for backups.
    BackupTake,
    /// Order faults, in builds that have them.
    #[cfg(feature = "fault-injection")]
    FaultsWrite,
}

/// Whoever was let in. What a person may read of which tenant is still to be asked ([`Caller::may_read`]).
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Who it is in the journal: `api_token:<id>` or `person:<id>`.
    pub(crate) actor: String,
    /// What its budget goes by: the token's name, or the person whatever token was shown.
    pub(crate) token_id: Arc<str>,
    /// The only tenants whose alerts it may read; `None` for all.
    tenants: Option<BTreeSet<TenantId>>,
}

/// A person who showed a token of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Personal {
    /// Who.
    pub(crate) person_id: PersonId,
    /// The token's name.
    pub(crate) token_id: String,
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

    /// Lets in whoever shows the bootstrap token. It allows every scope; approving is none of them.
    pub(crate) fn require(&self, request: &HttpRequest, _scope: Scope) -> Answer<Caller> {
        let offered = bearer(request).ok_or_else(|| Problem::new(Code::InvalidToken))?;
        if !self.bootstrap.matches(offered) {
            return Err(Code::InvalidToken.into());
        }
        Ok(Caller {
            actor: "api_token:bootstrap".into(),
            token_id: "bootstrap".into(),
            tenants: None,
        })
    }

    /// The same, and lets in a person where `scope` is one that a personal token allows.
    pub(crate) fn admit(
        &self,
        request: &HttpRequest,
        scope: Scope,
        now: Timestamp,
        people: &People,
    ) -> Answer<Caller> {
        let person = bearer(request).and_then(|offered| people.by_token(offered, now));
        match person {
            None => self.require(request, scope),
            Some(person) if scope == Scope::AlertsRead => Ok(Caller::person(person)),
            Some(_) => Err(Code::InsufficientScope.into()),
        }
    }

    /// The person who shows a token of its own. No other token can stand for one.
    ///
    /// # Errors
    /// 403 `person_required` for the bootstrap token, 401 `invalid_token` for one that is unknown,
    /// revoked or expired.
    pub(crate) fn person(
        &self,
        request: &HttpRequest,
        now: Timestamp,
        people: &People,
    ) -> Answer<Personal> {
        let offered = bearer(request).ok_or_else(|| Problem::new(Code::InvalidToken))?;
        match people.shown(offered, now) {
            Some(shown) if shown.token.scopes.iter().any(|scope| scope == APPROVE) => {
                Ok(Personal {
                    person_id: shown.person.id.clone(),
                    token_id: shown.token_id.to_owned(),
                })
            }
            Some(_) => Err(Code::InsufficientScope.into()),
            None if self.bootstrap.matches(offered) => Err(Code::PersonRequired.into()),
            None => Err(Code::InvalidToken.into()),
        }
    }
}

impl Caller {
    fn person(person: &Person) -> Self {
        let actor = format!("person:{}", person.id);
        Self {
            token_id: actor.as_str().into(),
            actor,
            tenants: Some(person.roles.keys().cloned().collect()),
        }
    }

    /// Refuses a person to whom this tenant is nothing, as if there were no such tenant.
    pub(crate) fn may_read(&self, tenant: &TenantId) -> Answer<()> {
        match &self.tenants {
            Some(tenants) if !tenants.contains(tenant) => Err(Code::TenantNotFound.into()),
            _ => Ok(()),
        }
    }

    /// Whether it may read whatever there is.
    pub(crate) fn reads_all(&self) -> bool {
        self.tenants.is_none()
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use actix_web::test::TestRequest;
    use vyrox_domain::{
        digest::Digest,
        host::{PersonRecord, TokenRecord},
        person::Role,
    };

    use super::*;

    const PERSONAL: &str = "vyp_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    /// Alice, who approves for acme, with a token until 2000 ms.
    fn people() -> People {
        let token = TokenRecord {
            sha256: Digest::of(PERSONAL.as_bytes()),
            scopes: vec![APPROVE.into()],
            issued_at: at(1000),
            expires_at: at(2000),
        };
        let record = PersonRecord {
            added_at: at(1),
            roles: BTreeMap::from([("acme".parse().unwrap(), [Role::Approver].into())]),
            accounts: BTreeSet::new(),
            tokens: BTreeMap::from([("tok_1".to_owned(), token)]),
        };
        let alice: PersonId = "alice".parse().unwrap();
        People::new(&BTreeMap::from([(alice, Arc::new(record))]))
    }

    struct House {
        tokens: Tokens,
        bootstrap: String,
        people: People,
        _dir: tempfile::TempDir,
    }

    fn house() -> House {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::new(BootstrapToken::load(dir.path()).unwrap());
        let bootstrap = std::fs::read_to_string(dir.path().join("admin.token")).unwrap();
        House {
            tokens,
            bootstrap: bootstrap.trim().to_owned(),
            people: people(),
            _dir: dir,
        }
    }

    fn showing(token: &str) -> HttpRequest {
        let request = TestRequest::get();
        let value = format!("Bearer {token}");
        request
            .insert_header((header::AUTHORIZATION, value))
            .to_http_request()
    }

    #[test]
    fn only_a_personal_token_stands_for_a_person_and_for_its_time() {
        let house = house();
        let person = |token: &str, now| {
            let person = house.tokens.person(&showing(token), now, &house.people);
            person.map_err(|problem| problem.code())
        };
        assert_eq!(
            person(PERSONAL, at(2000)).unwrap().person_id.as_str(),
            "alice"
        );
        assert_eq!(person(PERSONAL, at(2001)), Err(Code::InvalidToken));
        assert_eq!(
            person(&house.bootstrap, at(1500)),
            Err(Code::PersonRequired)
        );
        for unknown in [
            "",
            "x",
            &PERSONAL.to_uppercase(),
            PERSONAL.trim_end_matches('f'),
        ] {
            assert_eq!(person(unknown, at(1500)), Err(Code::InvalidToken));
        }
        let nothing = TestRequest::get().to_http_request();
        let refused = house.tokens.person(&nothing, at(1500), &house.people);
        assert_eq!(
            refused.map_err(|problem| problem.code()),
            Err(Code::InvalidToken)
        );
    }

    #[test]
    fn a_person_reads_the_alerts_of_its_tenants_and_does_nothing_else() {
        let house = house();
        let admit = |token: &str, scope| {
            let caller = house
                .tokens
                .admit(&showing(token), scope, at(1500), &house.people);
            caller.map_err(|problem| problem.code())
        };
        let (acme, globex) = ("acme".parse().unwrap(), "globex".parse().unwrap());
        let alice = admit(PERSONAL, Scope::AlertsRead).expect("let in");
        assert_eq!(alice.actor, "person:alice");
        assert!(alice.may_read(&acme).is_ok() && !alice.reads_all());
        let refused = alice.may_read(&globex).map_err(|problem| problem.code());
        assert_eq!(refused, Err(Code::TenantNotFound));

        let bootstrap = admit(&house.bootstrap, Scope::AlertsRead).expect("let in");
        assert!(bootstrap.may_read(&globex).is_ok() && bootstrap.reads_all());
        for scope in [
            Scope::TenantsRead,
            Scope::TenantsWrite,
            Scope::PeopleRead,
            Scope::PeopleWrite,
            Scope::AuditRead,
            Scope::HealthRead,
            Scope::DeadLettersRead,
            Scope::DeadLettersWrite,
            Scope::ContainmentHalt,
            Scope::BacktestRun,
            Scope::BackupTake,
        ] {
            let refused = admit(PERSONAL, scope).map(|caller| caller.actor);
            assert_eq!(refused, Err(Code::InsufficientScope), "{scope:?}");
            assert!(admit(&house.bootstrap, scope).is_ok(), "{scope:?}");
        }
        let expired = house.tokens.admit(
            &showing(PERSONAL),
            Scope::AlertsRead,
            at(2001),
            &house.people,
        );
        assert_eq!(expired.unwrap_err().code(), Code::InvalidToken);
    }
}
