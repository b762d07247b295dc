//! Credentials over rotations and restarts, and with rows that do not open.

use std::time::Duration;

use vyrox_domain::{
    host::HostRefusal,
    host_protocol::{ContainmentHalted, ContainmentResumed, HaltChange},
    vendor::Vendor,
    webhook::Secret,
};
use vyrox_journal::{seal::DataKey, vault::SealedRow};

use super::{
    super::{
        ChangeHalt, Ready, RegistryError, RemoveActionSecret, RemoveEdrCredential, SetActionSecret,
        SetEdrCredential,
    },
    house::{BEGIN_MS, BY, DEADLINE, House, Lasting, in_system, tenant},
};
use crate::edr::EdrCredential;

const VENDOR: Vendor = Vendor::Crowdstrike;

fn credential(text: &str) -> EdrCredential {
    EdrCredential {
        version: 0,
        base_url: "https://api.eu-1.crowdstrike.com".into(),
        login_url: None,
        client_id: Some("0123".into()),
        secret: Secret::new(text.as_bytes().to_vec()),
        realm: Some("cid".into()),
    }
}

async fn set(house: &House, text: &str, overlap_s: u64) -> Result<u64, RegistryError> {
    let set = house.done(|reply| SetEdrCredential {
        tenant_id: tenant("acme"),
        vendor: VENDOR,
        credential: credential(text),
        checked: false,
        overlap_s,
        by: BY.into(),
        reply,
    });
    set.await
}

async fn remove(house: &House) -> Result<(), RegistryError> {
    let removed = house.done(|reply| RemoveEdrCredential {
        tenant_id: tenant("acme"),
        vendor: VENDOR,
        by: BY.into(),
        reply,
    });
    removed.await
}

/// The text in force with its version, and the one before it, as whoever speaks to the EDR reads them.
fn opened(house: &House) -> Option<((u64, String), Option<String>)> {
    let keyring = house.keyring();
    let keys = keyring.tenant("acme").unwrap().edr.get(&VENDOR)?;
    let text = |credential: &EdrCredential| {
        String::from_utf8(credential.secret.expose().to_vec()).unwrap()
    };
    let previous = keys
        .previous
        .as_ref()
        .map(|(_, credential)| text(credential));
    Some(((keys.current.version, text(&keys.current)), previous))
}

fn action_secret(house: &House) -> Option<Vec<u8>> {
    let keyring = house.keyring();
    let secret = keyring.tenant("acme").unwrap().action_secret.as_ref()?;
    Some(secret.expose().to_vec())
}

/// Versions in the vault, once the registry has cleared up behind itself.
async fn lying(house: &House, lasting: &Lasting, name: &str) -> Vec<u64> {
    house.registry.ask(Ready, DEADLINE).await.unwrap();
    let rows = lasting.vault.for_tenant("acme").unwrap();
    let rows = rows.iter().filter(|row| row.name == name);
    rows.map(|row| row.version).collect()
}

#[test]
fn a_credential_is_rotated_with_an_overlap_that_a_restart_keeps_and_time_ends() {
    in_system(async {
        let lasting = Lasting::new();
        let house = House::on(&lasting).await;
        house.add("acme").await;
        assert_eq!(opened(&house), None);
        assert_eq!(set(&house, "first", 60).await, Ok(1));
        assert_eq!(opened(&house), Some(((1, "first".into()), None)));
        assert_eq!(set(&house, "second", 60).await, Ok(2));
        let both = Some(((2, "second".into()), Some("first".into())));
        assert_eq!(opened(&house), both);
        assert_eq!(lying(&house, &lasting, "edr/crowdstrike").await, [1, 2]);
        assert!(lasting.vault.preflight(&lasting.key).is_ok());
        house.close().await;

        let house = House::on(&lasting).await;
        assert_eq!(opened(&house), both);
        let keyring = house.keyring();
        let keys = &keyring.tenant("acme").unwrap().edr[&VENDOR];
        let until = keys.previous.as_ref().map(|(until, _)| until.ms());
        assert_eq!(until, Some(BEGIN_MS + 60_000));
        assert_eq!(keys.current.base_url, "https://api.eu-1.crowdstrike.com");
        assert_eq!(keys.current.client_id.as_deref(), Some("0123"));
        assert_eq!(keys.current.realm.as_deref(), Some("cid"));
        house.close().await;

        let house = House::at(&lasting, Duration::from_secs(61)).await;
        let ended = tokio::time::timeout(DEADLINE, async {
            // Each answer comes after whatever the registry was at, so this is no busy wait.
            while opened(&house).is_some_and(|(_, previous)| previous.is_some()) {
                house.registry.ask(Ready, DEADLINE).await.unwrap();
            }
        });
        ended.await.unwrap();
        assert_eq!(opened(&house), Some(((2, "second".into()), None)));
        assert_eq!(lying(&house, &lasting, "edr/crowdstrike").await, [2]);
        house.close().await;
    });
}

#[test]
fn a_removed_credential_is_gone_at_once_and_its_version_is_never_given_again() {
    in_system(async {
        let lasting = Lasting::new();
        let house = House::on(&lasting).await;
        let unknown = set(&house, "first", 0).await;
        assert_eq!(unknown, Err(HostRefusal::UnknownTenant.into()));
        house.add("acme").await;
        assert_eq!(remove(&house).await, Err(HostRefusal::NoCredential.into()));
        set(&house, "first", 0).await.unwrap();
        set(&house, "second", 60).await.unwrap();
        remove(&house).await.unwrap();
        assert_eq!(opened(&house), None);
        assert_eq!(
            lying(&house, &lasting, "edr/crowdstrike").await,
            Vec::<u64>::new()
        );
        assert_eq!(set(&house, "third", 60).await, Ok(3));
        assert_eq!(opened(&house), Some(((3, "third".into()), None)));
        house.close().await;
    });
}

#[test]
fn a_credential_that_does_not_open_is_left_out_and_the_tenant_is_served() {
    in_system(async {
        let lasting = Lasting::new();
        let house = House::on(&lasting).await;
        house.add("acme").await;
        set(&house, "first", 0).await.unwrap();
        set(&house, "second", 60).await.unwrap();
        house.close().await;
        let strange = DataKey::generate("acme");
        let spoil = |version| {
            let row = SealedRow::seal(&strange, "edr/crowdstrike", version, b"{}");
            lasting.vault.put(&[row]).unwrap();
        };
        spoil(1);
        let house = House::on(&lasting).await;
        assert_eq!(opened(&house), Some(((2, "second".into()), None)));
        house.close().await;
        spoil(2);
        let house = House::on(&lasting).await;
        assert_eq!(opened(&house), None, "what was replaced does not come back");
        let keyring = house.keyring();
        let keys = keyring.tenant("acme").unwrap();
        assert!(keys.action_seed.is_some() && !keys.webhooks.is_empty());
        assert_eq!(set(&house, "third", 0).await, Ok(3));
        assert_eq!(opened(&house), Some(((3, "third".into()), None)));
        house.close().await;
    });
}

#[test]
fn an_action_secret_that_does_not_open_is_not_replaced_by_the_hosts() {
    in_system(async {
        let lasting = Lasting::new();
        let house = House::on(&lasting).await;
        house.add("acme").await;
        let set = |secret: Option<&str>| {
            let secret = secret.map(|text| Secret::new(text.as_bytes().to_vec()));
            house.done(move |reply| SetActionSecret {
                tenant_id: tenant("acme"),
                secret,
                by: BY.into(),
                reply,
            })
        };
        let weak = set(Some("changeme")).await;
        assert!(matches!(weak, Err(RegistryError::WeakSecret(_))));
        assert_eq!(action_secret(&house), None);
        let made = set(None).await.unwrap();
        assert_eq!(action_secret(&house).as_deref(), Some(made.expose()));
        let given = "q7V!mZ2#pX9$wL4%tR8^nK1&yH6*cB3(";
        set(Some(given)).await.unwrap();
        assert_eq!(action_secret(&house).unwrap(), given.as_bytes());
        assert_eq!(lying(&house, &lasting, "action_secret").await, [2]);
        house.close().await;

        let row = SealedRow::seal(
            &DataKey::generate("acme"),
            "action_secret",
            2,
            given.as_bytes(),
        );
        lasting.vault.put(&[row]).unwrap();
        let house = House::on(&lasting).await;
        // With none of its own, the one of the host would count for the tenant.
        let stand_in = action_secret(&house).expect("something that nobody knows");
        assert!(stand_in != given.as_bytes() && stand_in.len() >= 32);
        let remove = || {
            house.done(|reply| RemoveActionSecret {
                tenant_id: tenant("acme"),
                by: BY.into(),
                reply,
            })
        };
        remove().await.unwrap();
        assert_eq!(action_secret(&house), None);
        assert_eq!(remove().await, Err(HostRefusal::NoCredential.into()));
        assert_eq!(
            lying(&house, &lasting, "action_secret").await,
            Vec::<u64>::new()
        );
        house.close().await;
    });
}

#[test]
fn a_halt_is_in_the_keyring_when_it_is_answered_and_after_a_restart() {
    in_system(async {
        let lasting = Lasting::new();
        let house = House::on(&lasting).await;
        house.add("acme").await;
        house.add("globex").await;
        let halted = |house: &House| {
            let keyring = house.keyring();
            let of = |id| keyring.tenant(id).unwrap().halted;
            (keyring.halted, of("acme"), of("globex"))
        };
        let change = |house: &House, change: HaltChange| {
            let (reply, answer) = tokio::sync::oneshot::channel();
            house
                .registry
                .try_cast(ChangeHalt { change, reply })
                .ok()
                .unwrap();
            answer
        };
        let halt = |tenant_id| {
            HaltChange::Halted(ContainmentHalted {
                tenant_id,
                reason: "a rule that is wrong".into(),
                by: BY.into(),
            })
        };
        change(&house, halt(Some(tenant("acme"))))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(halted(&house), (false, true, false));
        change(&house, halt(None)).await.unwrap().unwrap();
        assert_eq!(halted(&house), (true, true, false));
        house.close().await;

        let house = House::on(&lasting).await;
        assert_eq!(halted(&house), (true, true, false));
        let resume = |tenant_id| {
            HaltChange::Resumed(ContainmentResumed {
                tenant_id,
                reason: None,
                by: BY.into(),
            })
        };
        change(&house, resume(None)).await.unwrap().unwrap();
        assert_eq!(halted(&house), (false, true, false));
        // What else changes in the tenant leaves the switch where it is.
        set(&house, "first", 0).await.unwrap();
        assert_eq!(halted(&house), (false, true, false));
        change(&house, resume(Some(tenant("acme"))))
            .await
            .unwrap()
            .unwrap();
        let again = change(&house, resume(Some(tenant("acme")))).await.unwrap();
        assert_eq!(again, Err(HostRefusal::NotHalted.into()));
        assert_eq!(halted(&house), (false, false, false));
        house.close().await;
    });
}
