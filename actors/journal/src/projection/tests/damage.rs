//! Files that are not what this program wrote.

use redb::TableDefinition;

use super::*;

#[test]
fn damage_is_named_and_a_fresh_file_takes_its_place() {
    let fixture = Fixture::new();
    let projections = fixture.open();
    let puts = (0..100).map(|n| alert("acme", n, n.into())).collect();
    projections.apply(&batch(puts, &[("acme", 100)])).unwrap();
    projections.checkpoint().unwrap();
    drop(projections);
    let whole = std::fs::read(fixture.path()).unwrap();

    let garbage = b"this was never a database".repeat(1_000);
    let zeroed_front = [&[0; 4_096], &whole[4_096..]].concat();
    let cut = &whole[..whole.len() / 2];
    for damaged in [garbage.as_slice(), zeroed_front.as_slice(), cut] {
        std::fs::write(fixture.path(), damaged).unwrap();
        let error = Projections::open(&fixture.path(), CACHE).unwrap_err();
        assert!(matches!(error, ProjectionError::Damaged(_)), "{error}");
    }
    let fresh = Projections::recreate(&fixture.path(), CACHE).unwrap();
    assert_eq!(fresh.all_applied().unwrap(), []);
    drop(fresh);
    std::fs::remove_file(fixture.path()).unwrap();
    drop(Projections::recreate(&fixture.path(), CACHE).unwrap());
}

/// Wherever a bit turned, the file either opens with all that was in it or is named as damaged.
#[test]
fn a_turned_bit_is_never_believed() {
    let fixture = Fixture::new();
    let projections = fixture.open();
    let puts = (0..60).map(|n| alert("acme", n, n.into())).collect();
    projections.apply(&batch(puts, &[("acme", 60)])).unwrap();
    projections.checkpoint().unwrap();
    let expected = listed(&projections, "acme");
    drop(projections);
    let whole = std::fs::read(fixture.path()).unwrap();
    let in_use = whole.iter().rposition(|byte| *byte != 0).unwrap();

    let mut damaged = 0;
    for position in (0..=in_use).step_by(1 + in_use / 250) {
        let mut turned = whole.clone();
        turned[position] ^= 0x10;
        std::fs::write(fixture.path(), &turned).unwrap();
        match Projections::open(&fixture.path(), CACHE) {
            Ok(opened) => assert_eq!(listed(&opened, "acme"), expected, "byte {position}"),
            Err(ProjectionError::Damaged(_)) => damaged += 1,
            Err(other) => panic!("byte {position}: {other}"),
        }
    }
    assert!(damaged > 0);
}

#[test]
fn a_file_of_another_format_is_as_good_as_damaged() {
    let fixture = Fixture::new();
    drop(fixture.open());
    let database = Database::create(fixture.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    let format: TableDefinition<'_, (), u32> = TableDefinition::new("format");
    transaction
        .open_table(format)
        .unwrap()
        .insert((), 99)
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = Projections::open(&fixture.path(), CACHE).unwrap_err();
    assert!(
        matches!(error, ProjectionError::Damaged(ref text) if text.contains("99")),
        "{error}"
    );
}

/// The file of format 1, which had no hash beside the seq that a chain stands at: the type of a table
/// tells it apart before its number is read.
#[test]
fn a_file_of_an_earlier_format_is_as_good_as_damaged() {
    let fixture = Fixture::new();
    let database = Database::create(fixture.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    let format: TableDefinition<'_, (), u32> = TableDefinition::new("format");
    let applied: TableDefinition<'_, &str, u64> = TableDefinition::new("applied");
    transaction
        .open_table(format)
        .unwrap()
        .insert((), 1)
        .unwrap();
    transaction
        .open_table(applied)
        .unwrap()
        .insert("acme", 12)
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = Projections::open(&fixture.path(), CACHE).unwrap_err();
    assert!(matches!(error, ProjectionError::Damaged(_)), "{error}");
}
