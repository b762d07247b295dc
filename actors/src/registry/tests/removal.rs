//! What is left of a removal is done whenever it can be.

use tokio::sync::oneshot;
use vyrox_domain::host_protocol::TenantRemoved;
use vyrox_journal::{
    Append, Class, Draft, Journal as _, JournalError,
    seal::DataKey,
    vault::{DATA_KEY_ROW, SealedRow},
};

use super::{
    super::{FinishRemoval, RemoveTenant},
    house::tenant,
    *,
};

async fn remove(house: &House, erased: bool) -> Result<(), RegistryError> {
    let removed = TenantRemoved {
        tenant_id: tenant("acme"),
        erased,
        reason: "the contract ended".into(),
        by: BY.into(),
    };
    house.done(|reply| RemoveTenant { removed, reply }).await
}

/// An entry of acme's with evidence.
async fn brought(lasting: &Lasting) {
    let opened = lasting.journal.open("acme").unwrap();
    let draft = Draft {
        event: "alert.received".into(),
        event_version: 1,
        actor: "vendor:generic".into(),
        timestamp_ms: BEGIN_MS,
        alert_id: None,
        action: None,
        payload: serde_json::json!({}),
        attachments: vec![b"evidence".to_vec()],
    };
    let append = Append {
        class: Class::Ordinary,
        chain: "acme".into(),
        epoch: opened.epoch,
        expected_last: None,
        drafts: vec![draft],
    };
    let (tell, told) = oneshot::channel();
    let done = Box::new(move |answer| drop(tell.send(answer)));
    lasting.journal.append(append, done);
    told.await.unwrap().unwrap();
}

fn rows(lasting: &Lasting) -> Vec<String> {
    let rows = lasting.vault.for_tenant("acme").unwrap();
    rows.into_iter().map(|row| row.name).collect()
}

fn is_erased(lasting: &Lasting) -> bool {
    matches!(
        lasting.journal.evidence("acme", 0),
        Err(JournalError::Erased { .. })
    )
}

async fn eventually(is: impl Fn() -> bool) {
    let wait = async {
        while !is() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap();
}

/// The host's chain said that a tenant was removed and its evidence erased; where the server fell right after that, the
/// evidence stayed for ever.
#[test]
fn a_start_does_what_is_left_of_a_removal() {
    in_system(async {
        let lasting = Lasting::new();
        let house = House::on(&lasting).await;
        house.add("acme").await;
        brought(&lasting).await;
        remove(&house, false).await.unwrap();
        assert_eq!(
            rows(&lasting),
            [DATA_KEY_ROW],
            "the key stays with its evidence"
        );
        house.close().await;
        let house = House::on(&lasting).await;
        remove(&house, true).await.unwrap();
        assert_eq!(rows(&lasting), [""; 0]);
        assert!(!is_erased(&lasting), "nobody has come to it");
        house.close().await;

        let house = House::on(&lasting).await;
        eventually(|| is_erased(&lasting)).await;
        house.close().await;
    });
}

#[test]
fn whoever_asks_again_has_it_done_and_is_told_how_far_it_is() {
    in_system(async {
        let lasting = Lasting::new();
        let house = House::on(&lasting).await;
        house.add("acme").await;
        brought(&lasting).await;
        remove(&house, true).await.unwrap();
        let left = SealedRow::seal(&DataKey::generate("acme"), "webhook/x", 1, &[7; 40]);
        lasting.vault.put(&[left]).unwrap();
        let finish = || {
            let tenant = tenant("acme");
            house.done(|reply| FinishRemoval { tenant, reply })
        };
        for entries in [1, 0] {
            let finished = finish().await.unwrap();
            assert!(
                !finished.secrets_left && !finished.evidence_left,
                "{finished:?}"
            );
            assert_eq!(finished.erased.entries, entries);
            assert_eq!(rows(&lasting), [""; 0]);
            assert!(is_erased(&lasting));
        }
        house.close().await;
    });
}
