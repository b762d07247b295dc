//! Two files side by side.

use super::*;

fn judge(claims: &dyn Fn(&[u8], &[u8]) -> bool) -> Judge<'_> {
    Judge {
        now_ms: 100,
        claims,
        snapshots: &|a, b| a == b,
    }
}

fn by_table(old: &Fixture, new: &Fixture) -> Vec<Difference> {
    let same: &dyn Fn(&[u8], &[u8]) -> bool = &|a, b| a == b;
    old.open().compare(&new.open(), &judge(same)).unwrap()
}

fn put(fixture: &Fixture, puts: Vec<Put>, applied: &[(&str, u64)]) {
    let projections = fixture.open();
    projections.apply(&batch(puts, applied)).unwrap();
    projections.checkpoint().unwrap();
}

#[test]
fn equal_files_agree_whatever_expired() {
    let (old, new) = (Fixture::new(), Fixture::new());
    for fixture in [&old, &new] {
        let puts = vec![alert("acme", 1, 10), claim("acme", 1, 200)];
        put(fixture, puts, &[("acme", 9)]);
    }
    // One has yet to remove what expired, and the other never had it.
    put(
        &old,
        vec![claim("acme", 2, 100), claim("globex", 3, 7)],
        &[],
    );
    let differences = by_table(&old, &new);
    assert!(
        differences.iter().all(Difference::is_none),
        "{differences:?}"
    );
    let same: Vec<_> = differences.iter().map(|d| (d.table, d.same)).collect();
    let expected = [
        ("applied", 1),
        ("alerts", 1),
        ("alert_chains", 1),
        ("claims", 1),
        ("claim_expiries", 1),
        ("snapshots", 0),
    ];
    assert_eq!(same, expected);
}

#[test]
fn each_kind_of_difference_is_counted_and_the_first_keys_are_told() {
    let (old, new) = (Fixture::new(), Fixture::new());
    let snapshot = |value| Put::Snapshot {
        chain: "acme".into(),
        version: 1,
        at: at(3),
        value: vec![value],
    };
    let many = (10..30).map(|n| alert("zeta", n, 5)).collect();
    put(&new, many, &[]);
    put(
        &old,
        vec![alert("acme", 1, 10), alert("acme", 2, 10), snapshot(1)],
        &[("acme", 9), ("lost", 1)],
    );
    put(
        &new,
        vec![alert("acme", 2, 10), snapshot(2), claim("acme", 5, 101)],
        &[("acme", 8)],
    );
    let found = by_table(&old, &new);
    let counts = |d: &Difference| (d.same, d.missing, d.strange, d.other);
    let counts: Vec<_> = found.iter().map(counts).collect();
    let expected = [
        (0, 0, 1, 1),
        (1, 20, 1, 0),
        (1, 20, 1, 0),
        (0, 1, 0, 0),
        (0, 1, 0, 0),
        (0, 0, 0, 1),
    ];
    assert_eq!(counts, expected);
    assert_eq!(found[0].first, ["acme", "lost"]);
    assert_eq!(found[1].first.len(), 5);
    assert_eq!(found[1].first[0], format!("acme {}", "01".repeat(16)));
    let text = format!("{found:?}");
    assert!(!text.contains("at 10"), "contents are not told: {text}");
}

#[test]
fn the_judge_decides_what_comes_to_the_same() {
    let (old, new) = (Fixture::new(), Fixture::new());
    put(&old, vec![claim("acme", 1, 200)], &[]);
    let other = Put::Claim {
        chain: "acme".into(),
        key: [1; 32],
        value: vec![9, 1],
        expires_ms: 200,
    };
    put(&new, vec![other], &[]);
    let ends_alike: &dyn Fn(&[u8], &[u8]) -> bool = &|a, b| b.ends_with(a);
    let (old, new) = (old.open(), new.open());
    let agree = old.compare(&new, &judge(ends_alike)).unwrap();
    assert!(agree.iter().all(Difference::is_none));
    let never: &dyn Fn(&[u8], &[u8]) -> bool = &|_, _| false;
    let differ = old.compare(&new, &judge(never)).unwrap();
    assert_eq!((differ[3].other, differ[4].other), (1, 0));
}
