mod preflight;

use redb::Database;
use tempfile::TempDir;

use super::*;
use crate::seal::{DataKey, SealError};

const GOOD: &[u8] = b"9f2c61d07be4a8135c3e90d2417f6ab8";

struct Fixture {
    directory: TempDir,
    host: HostKey,
}

impl Fixture {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            host: HostKey::generate(),
        }
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("vault.redb")
    }

    fn vault(&self) -> Vault {
        Vault::open(&self.path()).unwrap()
    }

    /// A data key in the vault, and the key.
    fn tenant(&self, tenant: &str) -> DataKey {
        let key = DataKey::generate(tenant);
        self.vault()
            .put(&[SealedRow::wrap(&key, &self.host, 1)])
            .unwrap();
        key
    }

    /// Writes past the vault's own checks, as somebody with the file would.
    fn write_raw(&self, tenant: &str, name: &str, key_id: &str, value: &[u8]) {
        drop(self.vault());
        let database = Database::create(self.path()).unwrap();
        let transaction = database.begin_write().unwrap();
        let mut table = transaction.open_table(ROWS).unwrap();
        table.insert((tenant, name, 1), (key_id, value)).unwrap();
        drop(table);
        transaction.commit().unwrap();
    }

    fn write_raw_row(&self, row: &SealedRow) {
        self.write_raw(&row.tenant, &row.name, &row.key_id, &row.sealed);
    }

    fn faults(&self) -> Vec<Fault> {
        self.vault().preflight(&self.host).unwrap_err()
    }

    fn only_row_fault(&self) -> RowFault {
        let faults = self.faults();
        match faults.as_slice() {
            [Fault::Row { fault, .. }] => fault.clone(),
            other => panic!("expected one row fault, not {other:?}"),
        }
    }
}

#[test]
fn rows_are_found_by_place_and_survive_a_reopening() {
    let fixture = Fixture::new();
    let (acme, globex) = (DataKey::generate("acme"), DataKey::generate("globex"));
    let rows = [
        SealedRow::wrap(&acme, &fixture.host, 1),
        SealedRow::seal(&acme, "webhook/crowdstrike", 1, GOOD),
        SealedRow::seal(&acme, "webhook/crowdstrike", 2, GOOD),
        SealedRow::seal(&acme, "webhook/crowdstrike", 10, GOOD),
    ];
    let others = [
        SealedRow::wrap(&globex, &fixture.host, 1),
        SealedRow::seal(&globex, "webhook/sentinelone", 1, GOOD),
    ];
    fixture.vault().put(&rows).unwrap();
    fixture.vault().put(&others).unwrap();

    let vault = fixture.vault();
    assert_eq!(vault.for_tenant("acme").unwrap(), rows);
    assert_eq!(vault.for_tenant("globex").unwrap(), others);
    assert_eq!(vault.for_tenant("acm").unwrap(), []);
    assert_eq!(vault.tenants().unwrap(), ["acme", "globex"]);
    assert_eq!(
        vault
            .get("acme", "webhook/crowdstrike", 2)
            .unwrap()
            .as_ref(),
        Some(&rows[2])
    );
    assert_eq!(vault.get("globex", "webhook/crowdstrike", 2).unwrap(), None);
    assert_eq!(
        vault
            .latest("acme", "webhook/crowdstrike")
            .unwrap()
            .as_ref(),
        Some(&rows[3])
    );
    assert_eq!(vault.latest("acme", "webhook").unwrap(), None);
    assert_eq!(rows[3].open(&acme).unwrap().as_slice(), GOOD);
    assert!(vault.preflight(&fixture.host).is_ok());

    assert!(vault.remove("acme", "webhook/crowdstrike", 10).unwrap());
    assert!(!vault.remove("acme", "webhook/crowdstrike", 10).unwrap());
    drop(vault);
    let vault = fixture.vault();
    assert_eq!(
        vault
            .latest("acme", "webhook/crowdstrike")
            .unwrap()
            .as_ref(),
        Some(&rows[2])
    );
}

#[test]
fn tenants_whose_names_begin_alike_stay_apart() {
    let fixture = Fixture::new();
    let names = ["ab", "ab+held-1", "ab-c", "ab_c", "abc"];
    for name in names {
        let key = fixture.tenant(name);
        fixture
            .vault()
            .put(&[SealedRow::seal(&key, "webhook/defender", 1, GOOD)])
            .unwrap();
    }
    let vault = fixture.vault();
    assert_eq!(vault.tenants().unwrap(), names);
    for name in names {
        let rows = vault.for_tenant(name).unwrap();
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| row.tenant == name));
    }
    assert!(vault.preflight(&fixture.host).is_ok());
}

#[test]
fn a_row_opens_at_its_own_place_alone() {
    let key = DataKey::generate("acme");
    let row = SealedRow::seal(&key, "webhook/crowdstrike", 1, GOOD);
    let moved = [
        SealedRow {
            name: "webhook/defender".into(),
            ..row.clone()
        },
        SealedRow {
            version: 2,
            ..row.clone()
        },
        SealedRow {
            tenant: "globex".into(),
            ..row
        },
    ];
    for moved in moved {
        assert_eq!(
            moved.open(&key).unwrap_err(),
            SealError::Refused,
            "{moved:?}"
        );
    }
}

#[test]
fn a_refused_row_takes_its_whole_transaction_with_it() {
    let fixture = Fixture::new();
    let vault = fixture.vault();
    let key = DataKey::generate("acme");
    let good = SealedRow::seal(&key, "webhook/crowdstrike", 1, GOOD);
    let refused = [
        (
            SealedRow {
                tenant: String::new(),
                ..good.clone()
            },
            Malformed::NoTenant,
        ),
        (
            SealedRow {
                tenant: "../x".into(),
                ..good.clone()
            },
            Malformed::NoTenant,
        ),
        (
            SealedRow {
                name: String::new(),
                ..good.clone()
            },
            Malformed::Name,
        ),
        (
            SealedRow {
                name: "n".repeat(129),
                ..good.clone()
            },
            Malformed::Name,
        ),
        (
            SealedRow {
                sealed: GOOD.into(),
                ..good.clone()
            },
            Malformed::Unsealed,
        ),
        (
            SealedRow {
                key_id: fixture.host.id(),
                ..good.clone()
            },
            Malformed::KeyId {
                sealed_under: key.id(),
            },
        ),
    ];
    for (row, expected) in refused {
        let refusal = vault.put(&[good.clone(), row]).unwrap_err();
        assert!(matches!(refusal, VaultError::Refused { reason, .. } if reason == expected));
        assert_eq!(vault.tenants().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn secrets_and_keys_are_not_in_the_file() {
    let fixture = Fixture::new();
    let key = fixture.tenant("acme");
    fixture
        .vault()
        .put(&[SealedRow::seal(&key, "webhook/crowdstrike", 1, GOOD)])
        .unwrap();
    let bytes = std::fs::read(fixture.path()).unwrap();
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(holds(b"webhook/crowdstrike"), "the search itself works");
    assert!(!holds(GOOD));
    assert!(!holds(fixture.host.to_hex().as_bytes()));
    assert!(!holds(
        &hex::decode(fixture.host.to_hex().as_bytes()).unwrap()
    ));
}

#[test]
fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new();
    drop(fixture.vault());
    let mode = std::fs::metadata(fixture.path())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_vault_that_is_open_or_damaged_is_refused_by_name() {
    let fixture = Fixture::new();
    let first = fixture.vault();
    let second = Vault::open(&fixture.path()).unwrap_err();
    assert!(
        matches!(second, VaultError::Store(StoreError::Busy)),
        "{second}"
    );
    drop(first);

    std::fs::write(
        fixture.path(),
        b"not a database, but long enough to be looked at",
    )
    .unwrap();
    let damaged = Vault::open(&fixture.path()).unwrap_err();
    assert!(
        matches!(damaged, VaultError::Store(StoreError::Damaged(_))),
        "{damaged}"
    );
    assert!(fixture.path().exists(), "a damaged vault is left as it is");
}
