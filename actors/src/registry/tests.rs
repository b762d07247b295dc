//! The registry on a real journal and a real vault, over restarts.

mod chat;
mod credentials;
pub(crate) mod house;
mod older;
mod removal;
mod repairs;

use std::sync::Arc;

use vyrox_domain::{
    host::HostRefusal,
    host_protocol::{PeopleChange, PersonAdded},
    ids::{HOST_CHAIN, PersonId},
    webhook::Secret,
};

use self::house::{BEGIN_MS, BY, DEADLINE, House, Lasting, in_system};
use super::{ChangePeople, IssueToken, Ready, RegistryError, SealSecret};
use crate::keyring::DISCORD_BOT_TOKEN;

#[test]
fn a_token_counts_over_a_restart_and_until_its_end() {
    in_system(async {
        let lasting = Lasting::new();
        let house = House::on(&lasting).await;
        let person_id: PersonId = "alice".parse().unwrap();
        let added = PersonAdded {
            person_id: person_id.clone(),
            by: BY.into(),
        };
        let change = PeopleChange::Added(added);
        house
            .done(|reply| ChangePeople { change, reply })
            .await
            .unwrap();
        let issue = |ttl_s| {
            let person_id = person_id.clone();
            house.done(move |reply| IssueToken {
                person_id,
                ttl_s,
                by: BY.into(),
                reply,
            })
        };
        for ttl_s in [0, 86_401, u64::MAX] {
            let refused = issue(ttl_s).await.unwrap_err();
            assert_eq!(refused, HostRefusal::BadLifetime.into(), "{ttl_s}");
        }
        let issued = issue(1).await.unwrap();
        let (token, last) = (issued.token.expose(), issued.expires_at);
        assert_eq!(last.ms(), BEGIN_MS + 1000);
        house.close().await;

        let house = House::on(&lasting).await;
        let people = Arc::clone(&house.keyring().people);
        let by_token = |now| people.by_token(token, now).map(|person| &person.id);
        assert_eq!(by_token(last), Some(&person_id));
        assert_eq!(by_token(last.plus_ms(1)), None);
        house.close().await;
    });
}

#[test]
fn a_host_secret_is_replaced_and_opens_after_a_restart() {
    in_system(async {
        let lasting = Lasting::new();
        let house = House::on(&lasting).await;
        let seal = |text: &str| {
            let secret = Secret::new(text.as_bytes().to_vec());
            house.done(move |reply| SealSecret {
                name: DISCORD_BOT_TOKEN,
                secret,
                by: BY.into(),
                reply,
            })
        };
        let (first, second) = (
            "q7V!mZ2#pX9$wL4%tR8^nK1&yH6*cB3(",
            "c0ffee-0d15ea5e-f00dbabe-8badf00d",
        );
        assert!(matches!(
            seal("changeme").await,
            Err(RegistryError::WeakSecret(_))
        ));
        assert_eq!(seal(first).await, Ok(1));
        assert_eq!(seal(second).await, Ok(2));
        let opened = |house: &House| {
            let keyring = house.keyring();
            let secret = keyring.host_secret(DISCORD_BOT_TOKEN).unwrap();
            String::from_utf8(secret.expose().to_vec()).unwrap()
        };
        assert_eq!(opened(&house), second);
        // The lanes are held back until the old version is gone.
        house.registry.ask(Ready, DEADLINE).await.unwrap();
        let rows = lasting.vault.for_tenant(HOST_CHAIN).unwrap();
        let rows = rows.iter().filter(|row| row.name == DISCORD_BOT_TOKEN);
        assert_eq!(rows.map(|row| row.version).collect::<Vec<_>>(), [2]);
        assert!(lasting.vault.preflight(&lasting.key).is_ok());
        house.close().await;
        let house = House::on(&lasting).await;
        assert_eq!(opened(&house), second);
        house.close().await;
    });
}
