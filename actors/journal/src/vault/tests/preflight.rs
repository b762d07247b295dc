//! Each fault by its name.

use redb::TableDefinition;

use super::*;

#[test]
fn preflight_passes_an_empty_vault() {
    let fixture = Fixture::new();
    assert!(fixture.vault().preflight(&fixture.host).is_ok());
}

#[test]
fn preflight_names_a_row_without_tenant() {
    let fixture = Fixture::new();
    let row = SealedRow::seal(&DataKey::generate("acme"), "webhook/defender", 1, GOOD);
    fixture.write_raw("", &row.name, &row.key_id, &row.sealed);
    assert_eq!(
        fixture.faults(),
        [Fault::Row {
            tenant: String::new(),
            name: "webhook/defender".into(),
            version: 1,
            fault: Malformed::NoTenant.into(),
        }]
    );
}

#[test]
fn preflight_names_an_unsealed_row() {
    let fixture = Fixture::new();
    let key = fixture.tenant("acme");
    fixture.write_raw("acme", "webhook/defender", &key.id(), GOOD);
    assert_eq!(fixture.only_row_fault(), Malformed::Unsealed.into());
    fixture.write_raw(
        "acme",
        "webhook/defender",
        &key.id(),
        &key.id().repeat(9).into_bytes(),
    );
    assert_eq!(fixture.only_row_fault(), Malformed::Unsealed.into());
}

#[test]
fn preflight_names_a_wrong_key_id() {
    let fixture = Fixture::new();
    let key = fixture.tenant("acme");
    let row = SealedRow::seal(&key, "webhook/defender", 1, GOOD);
    fixture.write_raw_row(&SealedRow {
        key_id: "00".repeat(8),
        ..row
    });
    assert_eq!(
        fixture.only_row_fault(),
        Malformed::KeyId {
            sealed_under: key.id()
        }
        .into()
    );
}

#[test]
fn preflight_names_another_hosts_key_and_what_hangs_on_it() {
    let fixture = Fixture::new();
    let key = fixture.tenant("acme");
    fixture
        .vault()
        .put(&[SealedRow::seal(&key, "webhook/defender", 1, GOOD)])
        .unwrap();
    let other = HostKey::generate();
    let row = |name: &str, fault| Fault::Row {
        tenant: "acme".into(),
        name: name.into(),
        version: 1,
        fault,
    };
    assert_eq!(
        fixture.vault().preflight(&other).unwrap_err(),
        [
            row(
                DATA_KEY_ROW,
                RowFault::OtherHostKey {
                    wrapped_under: fixture.host.id(),
                    host: other.id()
                }
            ),
            row("webhook/defender", RowFault::NoDataKey { key_id: key.id() }),
        ]
    );
}

#[test]
fn preflight_names_a_data_key_of_another_tenant() {
    let fixture = Fixture::new();
    let row = SealedRow::wrap(&DataKey::generate("globex"), &fixture.host, 1);
    fixture.write_raw_row(&SealedRow {
        tenant: "acme".into(),
        ..row
    });
    assert_eq!(
        fixture.only_row_fault(),
        RowFault::DataKey(SealError::Refused)
    );
}

#[test]
fn preflight_names_a_moved_or_altered_secret() {
    let fixture = Fixture::new();
    let key = fixture.tenant("acme");
    let row = SealedRow::seal(&key, "webhook/crowdstrike", 1, GOOD);
    fixture.write_raw_row(&SealedRow {
        name: "webhook/defender".into(),
        ..row.clone()
    });
    assert_eq!(
        fixture.only_row_fault(),
        RowFault::Secret(SealError::Refused)
    );
    let mut altered = SealedRow {
        name: "webhook/defender".into(),
        ..row
    };
    *altered.sealed.last_mut().unwrap() ^= 1;
    fixture.write_raw_row(&altered);
    assert_eq!(
        fixture.only_row_fault(),
        RowFault::Secret(SealError::Refused)
    );
}

#[test]
fn preflight_names_weak_secrets_of_every_tenant() {
    let fixture = Fixture::new();
    let cases: [(&str, &[u8], Weakness); 3] = [
        (
            "acme",
            b"changeme-changeme-changeme-changeme",
            Weakness::Placeholder,
        ),
        ("globex", b"a3f9c27e", Weakness::Short { bytes: 8 }),
        (
            "initech",
            b"your-webhook-secret-here",
            Weakness::Placeholder,
        ),
    ];
    for (tenant, secret, _) in cases {
        let key = fixture.tenant(tenant);
        fixture
            .vault()
            .put(&[SealedRow::seal(&key, "webhook/generic", 1, secret)])
            .unwrap();
    }
    let expected = cases.map(|(tenant, _, weakness)| Fault::Row {
        tenant: tenant.into(),
        name: "webhook/generic".into(),
        version: 1,
        fault: weakness.into(),
    });
    let faults = fixture.faults();
    assert_eq!(faults, expected);
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(
        told.iter()
            .all(|text| !text.contains("changeme") && !text.contains("a3f9c27e"))
    );
    assert!(
        told[1].contains("globex") && told[1].contains("8 bytes"),
        "{}",
        told[1]
    );
}

#[test]
fn preflight_names_an_unknown_table() {
    let fixture = Fixture::new();
    drop(fixture.vault());
    let database = Database::create(fixture.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    let table: TableDefinition<'_, &str, &str> = TableDefinition::new("secrets_in_the_clear");
    drop(transaction.open_table(table).unwrap());
    transaction.commit().unwrap();
    drop(database);
    assert_eq!(
        fixture.faults(),
        [Fault::UnknownTable {
            table: "secrets_in_the_clear".into()
        }]
    );
}
