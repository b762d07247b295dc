//! Hosts that older releases left.

use std::sync::Arc;

use vyrox_domain::{
    host_protocol::{HostEvent, TenantAdded, Webhook},
    ids::HOST_CHAIN,
    vendor::Vendor,
    webhook::AuthScheme,
};
use vyrox_journal::{
    Append,
    seal::{DataKey, HostKey},
    vault::{SealedRow, Vault},
};

use super::{
    super::{Ready, vaulted},
    house::{BY, DEADLINE, House, Lasting, in_system, tenant, world},
};
use crate::{
    draft::draft,
    ports::{World, fresh_secret, opaque_id},
};

/// A tenant as a release before the signing keys left it: on the chain and in the vault.
fn older_tenant(id: &str, vault: &Vault, host_key: &HostKey) -> (HostEvent, DataKey) {
    let data_key = DataKey::generate(id);
    let rows = [
        SealedRow::wrap(&data_key, host_key, 1),
        SealedRow::seal(&data_key, "webhook/generic", 1, fresh_secret().as_bytes()),
    ];
    vault.put(&rows).unwrap();
    let added = TenantAdded {
        tenant_id: tenant(id),
        opaque_id: opaque_id(),
        webhooks: vec![Webhook {
            vendor: Vendor::Generic,
            auth: AuthScheme::Bearer,
            secret_version: 1,
        }],
        accounts: Vec::new(),
        data_key_id: data_key.id(),
        by: BY.into(),
    };
    (HostEvent::TenantAdded(added), data_key)
}

fn write_chain(world: &World, events: &[HostEvent]) {
    let opened = world.journal.open(HOST_CHAIN).unwrap();
    let entries = events.iter().map(|event| event.entry(world.now()));
    let (tell, told) = std::sync::mpsc::channel();
    let append = Append {
        class: vyrox_journal::Class::Ordinary,
        chain: HOST_CHAIN.into(),
        epoch: opened.epoch,
        expected_last: None,
        drafts: entries.map(|entry| draft(entry, Vec::new())).collect(),
    };
    world
        .journal
        .append(append, Box::new(move |result| tell.send(result).unwrap()));
    told.recv_timeout(DEADLINE).unwrap().unwrap();
}

#[test]
fn tenants_of_older_releases_get_their_signing_keys_once() {
    in_system(async {
        let lasting = Lasting::new();
        let ids = ["acme", "globex", "initech"];
        let half_done = {
            let older = ids.map(|id| older_tenant(id, &lasting.vault, &lasting.key));
            let (events, keys): (Vec<_>, Vec<_>) = older.into_iter().unzip();
            write_chain(&world(&lasting, &Arc::default()), &events);
            // A start was cut short when the seed of this one lay in the vault.
            let (row, issued) = vaulted::action::fresh(&tenant("globex"), &keys[1]);
            lasting.vault.put(&[row]).unwrap();
            issued
        };
        let house = House::on(&lasting).await;
        let kids = |house: &House| {
            let keyring = house.keyring();
            let kid = |id| keyring.tenant(id).and_then(|keys| keys.action_kid.clone());
            ids.into_iter().map(kid).collect::<Option<Vec<_>>>()
        };
        let given = tokio::time::timeout(DEADLINE, async {
            loop {
                // Answered after whatever it was at, so this is no busy wait.
                house.registry.ask(Ready, DEADLINE).await.unwrap();
                if let Some(kids) = kids(&house) {
                    break kids;
                }
            }
        });
        let given = given.await.unwrap();
        assert_eq!(given[1], half_done.kid);
        for id in ids {
            let keyring = house.keyring();
            let keys = keyring.tenant(id).unwrap();
            let seed = keys.action_seed.as_ref().unwrap();
            assert_eq!(Some(seed.public().0), keys.action_kid);
            let recorded = &house.view.load().tenants[&tenant(id)].action_key;
            assert_eq!(recorded.as_ref().unwrap().kid, seed.public().0);
        }
        let seq = house.view.load().next_seq;
        assert_eq!(seq, 6, "three were added, and three got a key");
        house.close().await;
        let house = House::on(&lasting).await;
        house.registry.ask(Ready, DEADLINE).await.unwrap();
        assert_eq!(kids(&house), Some(given));
        assert_eq!(house.view.load().next_seq, seq);
        house.close().await;
    });
}
