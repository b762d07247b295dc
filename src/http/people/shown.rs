//! People and their tokens as the API shows them.

use std::collections::BTreeMap;

use serde::Serialize;
use vyrox_domain::{
    host::PersonRecord,
    host_protocol::Provider,
    ids::{PersonId, TenantId},
    person::Role,
    time::Timestamp,
};

use crate::http::{
    Edge,
    problem::{Answer, Code, Problem},
};

#[derive(Serialize)]
pub(super) struct PersonBody {
    person_id: PersonId,
    added_at_ms: Timestamp,
    roles: BTreeMap<TenantId, Vec<Role>>,
    links: Vec<LinkBody>,
}

#[derive(Serialize)]
struct LinkBody {
    provider: Provider,
    account_id: String,
}

impl PersonBody {
    pub(super) fn all(edge: &Edge) -> Vec<Self> {
        let view = edge.view.load();
        let people = view.people.iter();
        people.map(|(id, record)| Self::of(id, record)).collect()
    }

    pub(super) fn read(edge: &Edge, id: &PersonId) -> Answer<Self> {
        let view = edge.view.load();
        let record = view.people.get(id);
        let record = record.ok_or_else(|| Problem::new(Code::PersonNotFound))?;
        Ok(Self::of(id, record))
    }

    fn of(id: &PersonId, record: &PersonRecord) -> Self {
        let roles = record.roles.iter();
        let links = record.accounts.iter();
        Self {
            person_id: id.clone(),
            added_at_ms: record.added_at,
            roles: roles
                .map(|(tenant, roles)| (tenant.clone(), roles.iter().copied().collect()))
                .collect(),
            links: links
                .map(|(provider, account_id)| LinkBody {
                    provider: *provider,
                    account_id: account_id.clone(),
                })
                .collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct TokenBody {
    token_id: String,
    person_id: PersonId,
    scopes: Vec<String>,
    issued_at_ms: Timestamp,
    expires_at_ms: Timestamp,
}

impl TokenBody {
    /// Tokens that still count at `now`.
    pub(super) fn all(edge: &Edge, now: Timestamp) -> Vec<Self> {
        let view = edge.view.load();
        let mut all = Vec::new();
        for (person_id, record) in &view.people {
            let live = record.tokens.iter().filter(|(_, token)| token.is_live(now));
            all.extend(live.map(|(token_id, token)| Self {
                token_id: token_id.clone(),
                person_id: person_id.clone(),
                scopes: token.scopes.clone(),
                issued_at_ms: token.issued_at,
                expires_at_ms: token.expires_at,
            }));
        }
        all
    }
}
