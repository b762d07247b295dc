//! The host's own chain, repaired, and what falls in between.

use vyrox_domain::host_protocol::{HeldChain, HostRepaired};
use vyrox_journal::Journal;

use super::{house::tenant, *};
use crate::{
    mending::tests::bad::Bad,
    ports::World,
    registry::{
        HostReleased, OrderHostRepair,
        tests::house::{SetClock, world},
    },
};

fn repaired(from_seq: u64, loss_accepted: bool) -> HostRepaired {
    HostRepaired {
        held: HeldChain {
            chain: HOST_CHAIN.to_owned(),
            from_seq,
        },
        restored: 0,
        loss_accepted,
        by: BY.into(),
    }
}

/// What the chain says of its own repairs, with the place of each.
fn said(lasting: &Lasting) -> Vec<(u64, serde_json::Value)> {
    let lines = lasting.journal.read(HOST_CHAIN, 0, None).unwrap();
    let entries = lines.map(|line| {
        let line = line.unwrap();
        let entry: serde_json::Value = serde_json::from_slice(&line.bytes).unwrap();
        (line.seq, entry)
    });
    let own = entries.filter(|(_, entry)| entry["event"] == "journal.repaired");
    own.map(|(seq, entry)| (seq, entry["payload"].clone()))
        .collect()
}

/// The server fell after the host's chain went on and before that was on it: a loss was accepted, and nothing
/// said by whom.
#[test]
fn a_repair_of_the_host_that_was_not_noted_is_noted_by_the_next_load() {
    in_system(async {
        let lasting = Lasting::new();
        let house = House::on(&lasting).await;
        house.add("acme").await;
        house.registry.ask(Ready, DEADLINE).await.unwrap();
        let order = |reply| OrderHostRepair {
            repaired: repaired(1, true),
            reply,
        };
        house.done(order).await.unwrap();
        house.close().await;
        let next = lasting.journal.head(HOST_CHAIN).unwrap().seq + 1;

        let house = House::on(&lasting).await;
        // It is the first thing, and all of it is durable before anything else has its turn.
        house.add("globex").await;
        let noted = said(&lasting);
        assert_eq!(noted.len(), 1, "{noted:?}");
        let (seq, facts) = &noted[0];
        assert_eq!((*seq, &facts["by"]), (next, &serde_json::json!(BY)));
        assert_eq!(facts["loss_accepted"], true);
        assert_eq!(facts["restored"], next - 1);
        house.close().await;
        let house = House::on(&lasting).await;
        house.add("initech").await;
        assert_eq!(said(&lasting).len(), 1);
        assert!(house.keyring().tenant(tenant("initech").as_str()).is_some());
        house.close().await;
        assert!(lasting.vault.preflight(&lasting.key).is_ok());
    });
}

/// The note was not removed any more when the server fell again: the chain said twice that it was repaired.
#[test]
fn what_is_on_the_chain_is_not_noted_again() {
    in_system(async {
        let lasting = Lasting::new();
        let house = House::on(&lasting).await;
        let released = |reply| HostReleased {
            repaired: repaired(1, false),
            reply,
        };
        house.done(released).await.unwrap();
        assert_eq!(said(&lasting).len(), 1);
        let order = |reply| OrderHostRepair {
            repaired: repaired(1, false),
            reply,
        };
        house.done(order).await.unwrap();
        house.close().await;
        let house = House::on(&lasting).await;
        house.add("acme").await;
        assert_eq!(said(&lasting).len(), 1);
        // Another one at another place is.
        let order = |reply| OrderHostRepair {
            repaired: repaired(2, true),
            reply,
        };
        house.done(order).await.unwrap();
        house.close().await;
        let house = House::on(&lasting).await;
        house.add("globex").await;
        assert_eq!(said(&lasting).len(), 2);
        house.close().await;
    });
}

/// The host's chain came to be held while the server ran: containment went on for up to an hour, and a halt
/// could not be noted any more.
#[test]
fn a_refused_entry_of_the_host_halts_containment_at_once() {
    in_system(async {
        let lasting = Lasting::new();
        let bad = Arc::new(Bad::new(Arc::clone(&lasting.journal)));
        let clock = Arc::<SetClock>::default();
        let in_world = World {
            journal: Arc::clone(&bad) as Arc<dyn Journal>,
            ..world(&lasting, &clock)
        };
        let house = House::of(&lasting, in_world, clock).await;
        house.add("acme").await;
        assert!(!house.keyring().halted);
        *bad.refused.lock().unwrap() = Some(HOST_CHAIN);
        let person_id: PersonId = "alice".parse().unwrap();
        let by = BY.into();
        let change = PeopleChange::Added(PersonAdded { person_id, by });
        let refused = house.done(|reply| ChangePeople { change, reply }).await;
        assert_eq!(refused.unwrap_err(), RegistryError::Held);
        assert!(house.keyring().halted);
        assert!(house.keyring().tenant("acme").is_some());
        house.close().await;
    });
}
