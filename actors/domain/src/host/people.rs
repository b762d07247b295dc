//! Who there is: roles, accounts and tokens of each person. An account stands for one person; a
//! person may have several, and is one person by all of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{HostRefusal, HostState};
use crate::{
    digest::Digest,
    host_protocol::{
        HostEvent, PeopleChange, PersonGranted, PersonLink, PersonalToken, Provider, TokenIssued,
        is_snowflake,
    },
    ids::{PersonId, TenantId},
    person::Role,
    time::Timestamp,
};

/// The most people that a host knows.
pub const PEOPLE_MAX: usize = 10_000;

/// The most accounts that stand for one person.
pub const LINKS_MAX: usize = 16;

/// The most tokens of a person that count at the same time.
pub const TOKENS_MAX: usize = 4;

/// The longest that a personal token counts, in milliseconds: 24 hours.
pub const TOKEN_LIFE_MAX_MS: u64 = 24 * 60 * 60 * 1000;

/// People by name. Shared, so that a copy for readers costs little.
pub type People = BTreeMap<PersonId, Arc<PersonRecord>>;

/// One person as the host knows one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonRecord {
    /// When it was added.
    pub added_at: Timestamp,
    /// What it is to each tenant; tenants that it is nothing to are left out.
    pub roles: BTreeMap<TenantId, BTreeSet<Role>>,
    /// The accounts that stand for it.
    pub accounts: BTreeSet<(Provider, String)>,
    /// Its tokens by name. One that has expired goes when the next is made.
    pub tokens: BTreeMap<String, TokenRecord>,
}

/// A personal token, as far as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// What is kept of its text.
    pub sha256: Digest,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub issued_at: Timestamp,
    /// The last moment at which it counts.
    pub expires_at: Timestamp,
}

impl TokenRecord {
    /// Whether it still counts.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now <= self.expires_at
    }
}

pub(super) fn decide(state: &HostState, change: PeopleChange) -> Result<HostEvent, HostRefusal> {
    let people = &state.people;
    match &change {
        PeopleChange::Added(added) if people.contains_key(&added.person_id) => {
            return Err(HostRefusal::PersonExists);
        }
        PeopleChange::Added(_) if people.len() >= PEOPLE_MAX => {
            return Err(HostRefusal::TooManyPeople);
        }
        PeopleChange::Added(_) => {}
        PeopleChange::Removed(removed) => {
            person(people, &removed.person_id)?;
        }
        PeopleChange::Granted(granted) => may_be_granted(state, granted)?,
        PeopleChange::Linked(link) => may_be_linked(people, link)?,
        PeopleChange::Unlinked(link) => {
            let key = (link.provider, link.account_id.clone());
            if !person(people, &link.person_id)?.accounts.contains(&key) {
                return Err(HostRefusal::NotLinked);
            }
        }
        PeopleChange::TokenRevoked(revoked) => {
            owner_of(people, &revoked.token_id).ok_or(HostRefusal::UnknownToken)?;
        }
    }
    Ok(HostEvent::People(change))
}

fn may_be_granted(state: &HostState, granted: &PersonGranted) -> Result<(), HostRefusal> {
    let record = person(&state.people, &granted.person_id)?;
    if !state.tenants.contains_key(&granted.tenant_id) {
        return Err(HostRefusal::UnknownTenant);
    }
    let none = BTreeSet::new();
    if record.roles.get(&granted.tenant_id).unwrap_or(&none) == &granted.roles {
        return Err(HostRefusal::NothingToDo);
    }
    Ok(())
}

fn may_be_linked(people: &People, link: &PersonLink) -> Result<(), HostRefusal> {
    let record = person(people, &link.person_id)?;
    let can_be = match link.provider {
        Provider::Discord => is_snowflake(&link.account_id),
    };
    if !can_be {
        return Err(HostRefusal::BadChatId);
    }
    let key = (link.provider, link.account_id.clone());
    if record.accounts.contains(&key) {
        return Err(HostRefusal::NothingToDo);
    }
    if people.values().any(|other| other.accounts.contains(&key)) {
        return Err(HostRefusal::AccountLinked);
    }
    if record.accounts.len() >= LINKS_MAX {
        return Err(HostRefusal::TooManyLinks);
    }
    Ok(())
}

/// The host's own token is nobody's, and only noted. A person's counts for a day at most.
pub(super) fn issue_token(
    people: &People,
    issued: TokenIssued,
    now: Timestamp,
) -> Result<HostEvent, HostRefusal> {
    if let Some(personal) = &issued.personal {
        may_have_token(people, &issued.token_id, personal, now)?;
    }
    Ok(HostEvent::TokenIssued(issued))
}

fn may_have_token(
    people: &People,
    token_id: &str,
    personal: &PersonalToken,
    now: Timestamp,
) -> Result<(), HostRefusal> {
    let record = person(people, &personal.person_id)?;
    let until = personal.expires_at_ms;
    if until <= now || until > now.plus_ms(TOKEN_LIFE_MAX_MS) {
        return Err(HostRefusal::BadLifetime);
    }
    let live = record.tokens.values().filter(|token| token.is_live(now));
    if live.count() >= TOKENS_MAX {
        return Err(HostRefusal::TooManyTokens);
    }
    match owner_of(people, token_id) {
        Some(_) => Err(HostRefusal::NothingToDo),
        None => Ok(()),
    }
}

fn person<'a>(people: &'a People, id: &PersonId) -> Result<&'a PersonRecord, HostRefusal> {
    let record = people.get(id).ok_or(HostRefusal::UnknownPerson)?;
    Ok(record)
}

fn owner_of<'a>(people: &'a People, token_id: &str) -> Option<&'a PersonId> {
    let mut holders = people.iter();
    let (owner, _) = holders.find(|(_, record)| record.tokens.contains_key(token_id))?;
    Some(owner)
}

pub(super) fn apply(people: &mut People, change: &PeopleChange, at: Timestamp) {
    match change {
        PeopleChange::Added(added) => {
            let record = PersonRecord {
                added_at: at,
                roles: BTreeMap::new(),
                accounts: BTreeSet::new(),
                tokens: BTreeMap::new(),
            };
            people.insert(added.person_id.clone(), Arc::new(record));
        }
        PeopleChange::Removed(removed) => {
            people.remove(&removed.person_id);
        }
        PeopleChange::Granted(granted) => {
            if let Some(record) = person_mut(people, &granted.person_id) {
                if granted.roles.is_empty() {
                    record.roles.remove(&granted.tenant_id);
                } else {
                    let roles = granted.roles.clone();
                    record.roles.insert(granted.tenant_id.clone(), roles);
                }
            }
        }
        PeopleChange::Linked(link) => {
            if let Some(record) = person_mut(people, &link.person_id) {
                record
                    .accounts
                    .insert((link.provider, link.account_id.clone()));
            }
        }
        PeopleChange::Unlinked(link) => {
            if let Some(record) = person_mut(people, &link.person_id) {
                record
                    .accounts
                    .remove(&(link.provider, link.account_id.clone()));
            }
        }
        PeopleChange::TokenRevoked(revoked) => {
            let owner = owner_of(people, &revoked.token_id).cloned();
            if let Some(record) = owner.and_then(|owner| person_mut(people, &owner)) {
                record.tokens.remove(&revoked.token_id);
            }
        }
    }
}

pub(super) fn add_token(people: &mut People, issued: &TokenIssued, at: Timestamp) {
    let Some(personal) = &issued.personal else {
        return;
    };
    let Some(record) = person_mut(people, &personal.person_id) else {
        return;
    };
    record.tokens.retain(|_, token| token.is_live(at));
    let token = TokenRecord {
        sha256: personal.token_sha256,
        scopes: issued.scopes.clone(),
        issued_at: at,
        expires_at: personal.expires_at_ms,
    };
    record.tokens.insert(issued.token_id.clone(), token);
}

fn person_mut<'a>(people: &'a mut People, id: &PersonId) -> Option<&'a mut PersonRecord> {
    people.get_mut(id).map(Arc::make_mut)
}
