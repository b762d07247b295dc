//! A chain's own file is all an auditor needs: our verifier, and one that shares no code with it.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::json;
use vyrox_journal::{ActionFields, Journal, Receipt, VerifyReport, verify_file, verify_lines};

use crate::support::{Client, draft, draft_with, open};

/// A finished chain of 12 entries, and one of another tenant.
fn files() -> (tempfile::TempDir, PathBuf, PathBuf, Vec<Receipt>) {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut receipts = Vec::new();
    for chain in ["globex", "acme"] {
        let mut client = Client::open(&journal, chain);
        receipts = (0..12).map(|n| client.put(n)).collect();
    }
    journal.close().unwrap();
    let acme = dir.path().join("tenants/acme.jsonl");
    let globex = dir.path().join("tenants/globex.jsonl");
    (dir, acme, globex, receipts)
}

fn verify(lines: &[Vec<u8>]) -> VerifyReport {
    verify_lines(lines.concat().as_slice()).unwrap()
}

fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

#[test]
fn a_good_file_verifies() {
    let (_dir, acme, _, receipts) = files();
    let report = verify_file(&acme).unwrap();
    assert!(report.ok);
    assert_eq!(
        (report.entries, report.kind, report.divergent_seq),
        (12, None, None)
    );
    assert_eq!(report.head.unwrap().hash, receipts[11].hash);
    assert!(report.clone().expecting(&report.head.unwrap()).ok);
    assert!(verify_lines(&b""[..]).unwrap().ok);
}

#[test]
fn each_forgery_is_named_with_its_seq() {
    let (_dir, acme, globex, _) = files();
    let good = split(&fs::read(&acme).unwrap());
    let other = split(&fs::read(&globex).unwrap());
    let forged = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines = good.clone();
        change(&mut lines);
        let report = verify(&lines);
        assert!(!report.ok);
        (report.kind.unwrap(), report.divergent_seq.unwrap())
    };
    assert_eq!(forged(&|lines| drop(lines.remove(4))), ("seq", 4));
    assert_eq!(forged(&|lines| lines.swap(3, 4)), ("seq", 3));
    assert_eq!(
        forged(&|lines| lines.insert(5, lines[4].clone())),
        ("seq", 5)
    );
    assert_eq!(forged(&|lines| lines[6] = other[6].clone()), ("tenant", 6));
    assert_eq!(forged(&|lines| lines[11].truncate(40)), ("half_line", 11));
    assert_eq!(
        forged(&|lines| lines[11].retain(|byte| *byte != b'\n')),
        ("half_line", 11)
    );
    assert_eq!(forged(&|lines| lines[2].insert(1, b' ')), ("canonical", 2));
    let edit = |line: &[u8], from: &str, to: &str| {
        String::from_utf8(line.to_vec())
            .unwrap()
            .replacen(from, to, 1)
            .into_bytes()
    };
    let edited = forged(&|lines| lines[7] = edit(&lines[7], "generic", "Generic"));
    assert_eq!(edited, ("chain", 7));
}

#[test]
fn a_shorter_chain_is_found_with_a_known_head() {
    let (_dir, acme, _, receipts) = files();
    let known = verify_file(&acme).unwrap().head.unwrap();
    let good = split(&fs::read(&acme).unwrap());
    let report = verify(&good[..9]);
    assert!(
        report.ok,
        "a file alone cannot show that it was cut at a line's end"
    );
    let report = report.expecting(&known);
    assert_eq!(
        (report.ok, report.kind, report.divergent_seq),
        (false, Some("truncated"), Some(9))
    );
    assert_eq!(report.expected_hash, Some(receipts[11].hash_hex()));
}

#[test]
fn any_changed_byte_is_found_in_its_line() {
    let (_dir, acme, _, _) = files();
    let bytes = fs::read(&acme).unwrap();
    let mut line = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let report = verify_lines(changed.as_slice()).unwrap();
        assert!(!report.ok, "byte {at}");
        assert_eq!(report.divergent_seq, Some(line), "byte {at}");
        line += u64::from(*byte == b'\n');
    }
}

const SCRIPT: &str = r#"
import hashlib, json, sys
previous, seq = "0" * 64, 0
for line in sys.stdin.buffer.read().decode("utf-8", "strict").split("\n")[:-1]:
    entry = json.loads(line)
    dump = lambda o: json.dumps(o, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert dump(entry) == line, f"not canonical at {seq}"
    found = entry.pop("hash")
    assert entry["seq"] == seq and entry["previous_hash"] == previous, f"link at {seq}"
    previous = hashlib.sha256((previous + "|" + dump(entry)).encode()).hexdigest()
    assert found == previous, f"hash at {seq}"
    seq += 1
print(seq, previous)
"#;

#[test]
fn python_agrees_byte_for_byte() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no python3 on this machine");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut acme = Client::open(&journal, "acme");
    let corners: Vec<char> = (0..=0x2ff_u32)
        .chain(0x2000..0x2070)
        .chain(0xd780..=0xd7ff)
        .chain(0xe000..0xe010)
        .chain(0xfe00..=0xffff)
        .chain(0x1_0000..0x1_0010)
        .chain(0x1_f600..0x1_f650)
        .chain(0x10_ffe0..=0x10_ffff)
        .filter_map(char::from_u32)
        .collect();
    for text in corners.chunks(64).map(String::from_iter) {
        let mut entry = draft(json!({"text": text, "list": [text, 1, -1, null, true]}));
        entry.actor.clone_from(&text);
        entry.action = Some(ActionFields {
            action_type: "HOST_ISOLATION".into(),
            host: text.clone(),
            approved_by: Some(text),
            dry_run: true,
        });
        acme.append(vec![entry]).unwrap();
    }
    let numbers = json!({"a": 9_007_199_254_740_991_u64, "b": -9_007_199_254_740_991_i64, "c": 0});
    acme.append(vec![draft(numbers)]).unwrap();
    journal.flush("acme").unwrap();
    let file = fs::read(dir.path().join("tenants/acme.jsonl")).unwrap();
    let mut python = Command::new("python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(&file).unwrap();
    let output = python.wait_with_output().unwrap();
    let head = journal.head("acme").unwrap();
    let expected = format!("{} {}\n", head.seq + 1, head.hash_hex());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn evidence_is_kept_beside_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut acme = Client::open(&journal, "acme");
    let sets: Vec<Vec<Vec<u8>>> = vec![
        vec![],
        vec![vec![1, 2, 3]],
        vec![vec![], vec![0; 9000], vec![0; 63], (0..=255).collect()],
        vec![vec![0; 64]],
        vec![],
    ];
    for set in &sets {
        acme.append(vec![draft_with(set)]).unwrap();
    }
    let check = |journal: &dyn Journal| {
        // In any order: the place of the last one found must not hide another.
        for seq in [0, 1, 2, 3, 4, 3, 1, 2, 0, 4, 1, 3] {
            assert_eq!(
                journal.evidence("acme", seq as u64).unwrap(),
                sets[seq],
                "{seq}"
            );
        }
        assert!(journal.evidence("acme", 5).is_err());
        assert!(journal.evidence("globex", 0).is_err());
    };
    check(&journal);
    drop(journal);
    check(&open(dir.path()));
    let store = dir.path().join("evidence/acme.ev");
    let mut bytes = fs::read(&store).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    fs::write(&store, bytes).unwrap();
    let journal = open(dir.path());
    assert_eq!(journal.evidence("acme", 2).unwrap(), sets[2]);
    assert!(journal.evidence("acme", 3).is_err());
}

#[test]
fn what_the_file_has_already_is_read_without_copying_more() {
    // A reader of an old entry used to wait until the chain's files were complete up to its head, with
    // the syncs that this takes. An order about an alert reads its evidence, so that a burst of
    // orders became a burst of syncs.
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut client = Client::open(&journal, "acme");
    client.append(vec![draft_with(&[vec![7; 10]])]).unwrap();
    journal.flush("acme").unwrap();
    client.put(1);
    let file = dir.path().join("tenants/acme.jsonl");
    let in_file = || fs::read_to_string(&file).unwrap().lines().count();
    let old = journal.read("acme", 0, Some(0)).unwrap();
    assert_eq!(old.map(Result::unwrap).count(), 1);
    assert_eq!(journal.evidence("acme", 0).unwrap(), [vec![7; 10]]);
    assert_eq!(in_file(), 1);
    let newer = journal.read("acme", 1, Some(1)).unwrap();
    assert_eq!(newer.map(Result::unwrap).count(), 1);
    assert_eq!(in_file(), 2);
}
