//! Codes and claims.

use std::sync::atomic::Ordering;

use vyrox_domain::{chat_code::CHAT_CODE_LIFE_MS, host::HostRefusal};

use super::{
    super::{RegistryError, ReleaseChat},
    house::{BY, House, Lasting, in_system, tenant},
};

#[test]
fn a_code_claims_a_place_once_and_the_place_outlasts_a_restart() {
    in_system(async {
        let lasting = Lasting::new();
        let house = House::on(&lasting).await;
        house.add("acme").await;
        house.add("globex").await;
        let code = house.code("acme").await;
        assert_eq!(house.claim(&code, "2").await, Ok(tenant("acme")));
        let keyring = house.keyring();
        let found = keyring.tenant_of_guild("2").map(|keys| keys.tenant.clone());
        assert_eq!(found, Some(tenant("acme")));
        assert!(keyring.tenant_of_guild("3").is_none());
        let wrong = Err(HostRefusal::WrongCode.into());
        assert_eq!(house.claim(&code, "3").await, wrong, "single use");

        let code = house.code("globex").await;
        let taken = house.claim(&code, "2").await;
        assert_eq!(taken, Err(HostRefusal::GuildTaken.into()));
        house.clock.0.store(CHAT_CODE_LIFE_MS + 1, Ordering::SeqCst);
        assert_eq!(house.claim(&code, "3").await, wrong, "too late");
        house.close().await;

        let house = House::on(&lasting).await;
        let keyring = house.keyring();
        let acme = keyring.tenant_of_guild("2").expect("still tied");
        let chat = acme.settings.chat.as_ref().unwrap();
        assert_eq!((chat.channel_id.as_str(), acme.settings.llm), ("7", false));
        let released = house.done(|reply| ReleaseChat {
            tenant_id: tenant("acme"),
            by: BY.into(),
            reply,
        });
        released.await.unwrap();
        assert!(house.keyring().tenant_of_guild("2").is_none());
        house.close().await;
    });
}

#[test]
fn whoever_guesses_codes_is_refused_after_ten_and_leaves_no_trace() {
    in_system(async {
        let lasting = Lasting::new();
        let house = House::on(&lasting).await;
        house.add("acme").await;
        let code = house.code("acme").await;
        let before = house.view.load().next_seq;
        for n in 0..10 {
            let guess = if n % 2 == 0 {
                "VYX-0000-0000-0000"
            } else {
                "no code"
            };
            let refused = house.claim(guess, "1").await;
            assert_eq!(refused, Err(HostRefusal::WrongCode.into()), "{n}");
        }
        let refused = house.claim(&code, "1").await;
        assert_eq!(refused, Err(RegistryError::TooManyTries), "a good one, too");
        let bad = house.claim(&code, "<guild>").await;
        assert_eq!(bad, Err(HostRefusal::BadChatId.into()));
        assert_eq!(house.view.load().next_seq, before);
        assert_eq!(house.claim(&code, "2").await, Ok(tenant("acme")));
        house.close().await;
    });
}
