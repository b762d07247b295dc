//! Who there is, for whoever has to know who speaks: by name, by account, by token.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use vyrox_domain::{
    digest::Digest,
    host::{self, PersonRecord, TokenRecord},
    host_protocol::Provider,
    ids::{PersonId, TenantId},
    person::Role,
    time::Timestamp,
};

/// All people at one moment.
#[derive(Default)]
pub struct People {
    persons: BTreeMap<PersonId, Arc<Person>>,
    accounts: HashMap<Provider, HashMap<String, PersonId>>,
    tokens: HashMap<Digest, Held>,
}

/// One person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub id: PersonId,
    /// What it is to each tenant.
    pub roles: BTreeMap<TenantId, BTreeSet<Role>>,
    /// The accounts that stand for it.
    pub accounts: BTreeSet<(Provider, String)>,
    /// Its tokens by name, expired ones among them.
    pub tokens: BTreeMap<String, TokenRecord>,
}

/// A token and who has it.
struct Held {
    token_id: String,
    person: PersonId,
}

/// A token that counts, with whom it stands for.
#[derive(Clone, Debug)]
pub struct Shown<'a> {
    /// The token's name.
    pub token_id: &'a str,
    /// The token.
    pub token: &'a TokenRecord,
    /// Whose it is.
    pub person: &'a Person,
}

impl People {
    /// A snapshot of these.
    pub fn new(people: &host::People) -> Self {
        let mut all = Self::default();
        for (id, record) in people {
            for (provider, account) in &record.accounts {
                let of_provider = all.accounts.entry(*provider).or_default();
                of_provider.insert(account.clone(), id.clone());
            }
            for (token_id, token) in &record.tokens {
                let held = Held {
                    token_id: token_id.clone(),
                    person: id.clone(),
                };
                all.tokens.insert(token.sha256, held);
            }
            all.persons.insert(id.clone(), Arc::new(person(id, record)));
        }
        all
    }

    /// The person of that name.
    pub fn person(&self, id: &PersonId) -> Option<&Person> {
        self.persons.get(id).map(Arc::as_ref)
    }

    /// The person that this account of `provider` (`discord`) stands for.
    pub fn by_account(&self, provider: &str, account_id: &str) -> Option<&Person> {
        let provider: Provider = provider.parse().ok()?;
        self.person(self.accounts.get(&provider)?.get(account_id)?)
    }

    /// The person whose token was offered, if it still counts at `now`.
    pub fn by_token(&self, offered: &[u8], now: Timestamp) -> Option<&Person> {
        self.shown(offered, now).map(|shown| shown.person)
    }

    /// The token that was offered, if it still counts at `now`. What is looked up is its digest, of
    /// which nobody who lacks the token can choose a byte; the digests are then compared in constant
    /// time.
    pub fn shown(&self, offered: &[u8], now: Timestamp) -> Option<Shown<'_>> {
        let digest = Digest::of(offered);
        let held = self.tokens.get(&digest)?;
        let person = self.person(&held.person)?;
        let token = person.tokens.get(&held.token_id)?;
        (token.sha256.is_same(&digest) && token.is_live(now)).then_some(Shown {
            token_id: &held.token_id,
            token,
            person,
        })
    }

    /// Everybody, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Person> {
        self.persons.values().map(Arc::as_ref)
    }
}

impl Person {
    /// What the person is to this tenant.
    pub fn roles_in(&self, tenant: &TenantId) -> BTreeSet<Role> {
        self.roles.get(tenant).cloned().unwrap_or_default()
    }
}

fn person(id: &PersonId, record: &PersonRecord) -> Person {
    Person {
        id: id.clone(),
        roles: record.roles.clone(),
        accounts: record.accounts.clone(),
        tokens: record.tokens.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERED: &[u8] = b"vyp_0123";

    fn people() -> People {
        let token = TokenRecord {
            sha256: Digest::of(OFFERED),
            scopes: vec!["approve".into()],
            issued_at: Timestamp::from_ms(1000),
            expires_at: Timestamp::from_ms(2000),
        };
        let record = PersonRecord {
            added_at: Timestamp::from_ms(1),
            roles: BTreeMap::from([("acme".parse().unwrap(), [Role::Approver].into())]),
            accounts: BTreeSet::from([(Provider::Discord, "42".to_owned())]),
            tokens: BTreeMap::from([("tok_1".to_owned(), token)]),
        };
        let alice = "alice".parse().unwrap();
        People::new(&BTreeMap::from([(alice, Arc::new(record))]))
    }

    #[test]
    fn a_person_is_found_by_name_account_and_token() {
        let people = people();
        let now = Timestamp::from_ms(1500);
        let alice = people.person(&"alice".parse().unwrap()).expect("by name");
        assert_eq!(people.by_account("discord", "42"), Some(alice));
        assert_eq!(people.by_token(OFFERED, now), Some(alice));
        assert_eq!(people.shown(OFFERED, now).expect("shown").token_id, "tok_1");
        assert_eq!(
            alice.roles_in(&"acme".parse().unwrap()),
            [Role::Approver].into()
        );
        assert!(alice.roles_in(&"globex".parse().unwrap()).is_empty());
        assert!(people.by_account("discord", "43").is_none());
        assert!(people.by_account("slack", "42").is_none());
        assert!(people.by_token(b"vyp_0124", now).is_none());
        assert!(people.by_token(b"", now).is_none());
    }

    #[test]
    fn a_token_ends_after_its_last_moment() {
        let people = people();
        assert!(people.by_token(OFFERED, Timestamp::from_ms(2000)).is_some());
        assert!(people.by_token(OFFERED, Timestamp::from_ms(2001)).is_none());
    }
}
