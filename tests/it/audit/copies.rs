//! Copies of a chain, good and damaged, checked without a server: by `vyrox audit verify FILE` and by
//! the script that `docs/audit-chain.md` gives to everybody. They must agree.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::tempdir;

use super::started;
use crate::server::{vyrox, write};

/// What a verifier says of a file: how many entries are good, and whether that is all.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) ok: bool,
    pub(super) good: u64,
}

fn by_command(file: &Path) -> Found {
    let output = vyrox(&["audit", "verify", file.to_str().unwrap(), "--json"]);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {output:?}"));
    let ok = report["ok"].as_bool().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(!ok)), "{output:?}");
    let good = if ok {
        &report["entries"]
    } else {
        &report["divergent_seq"]
    };
    Found {
        ok,
        good: good
            .as_u64()
            .unwrap_or_else(|| panic!("no seq in {report}")),
    }
}

pub(super) fn by_script(script: &Path, file: &Path) -> Found {
    let output = Command::new("python3")
        .arg(script)
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let ok = text.starts_with("ok ");
    assert_eq!(output.status.code(), Some(i32::from(!ok)), "{output:?}");
    // `ok N entries, ...` or `bad seq N: ...`
    let number = text.split([' ', ':']).find_map(|word| word.parse().ok());
    Found {
        ok,
        good: number.unwrap_or_else(|| panic!("no number in {text:?}: {output:?}")),
    }
}

/// The script of the documentation, written to a file; `None` where there is no Python to run it.
pub(super) fn script(dir: &Path) -> Option<PathBuf> {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("SKIPPED: there is no python3 here, so the documented script was not run");
        return None;
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/audit-chain.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, rest) = page
        .split_once("```python\n")
        .expect("the page has a script");
    let (code, _) = rest.split_once("```").expect("the script ends");
    let file = dir.join("verify.py");
    write(&file, code.as_bytes());
    Some(file)
}

pub(super) fn joined(lines: &[String]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|line| [line.as_str(), "\n"])
        .collect::<String>()
        .into_bytes()
}

/// A damaged copy and the seq at which that must be found.
struct Damaged {
    what: &'static str,
    bytes: Vec<u8>,
    first_bad: u64,
}

/// The line that is tampered with.
const AT: usize = 5;

/// A way to change the lines of a copy.
type Edit<'a> = &'a dyn Fn(&mut Vec<String>);

fn edited(lines: &[String], edits: &[(&'static str, Edit<'_>, u64)]) -> Vec<Damaged> {
    let one = |(what, edit, first_bad): &(&'static str, Edit<'_>, u64)| {
        let mut copy = lines.to_vec();
        edit(&mut copy);
        Damaged {
            what,
            bytes: joined(&copy),
            first_bad: *first_bad,
        }
    };
    edits.iter().map(one).collect()
}

fn with_lines_moved(lines: &[String], globex: &[String]) -> Vec<Damaged> {
    let foreign = |copy: &mut Vec<String>| copy[AT].clone_from(&globex[1]);
    let edits: [(_, Edit<'_>, _); 6] = [
        ("a removed line", &|copy| drop(copy.remove(AT)), 5),
        ("swapped lines", &|copy| copy.swap(AT, AT + 1), 5),
        (
            "a doubled line",
            &|copy| copy.insert(AT, copy[AT].clone()),
            6,
        ),
        ("a missing beginning", &|copy| drop(copy.remove(0)), 0),
        ("an empty line", &|copy| copy.insert(AT, String::new()), 5),
        ("another tenant's line", &foreign, 5),
    ];
    edited(lines, &edits)
}

fn with_a_line_rewritten(lines: &[String]) -> Vec<Damaged> {
    let spaced = |copy: &mut Vec<String>| copy[AT] = copy[AT].replacen(':', ": ", 1);
    let twice = |copy: &mut Vec<String>| copy[AT] = copy[AT].replacen('{', "{\"actor\":1,", 1);
    let point = |copy: &mut Vec<String>| {
        copy[AT] = copy[AT].replacen("\"seq\":5", "\"seq\":5.0", 1);
    };
    let edits: [(_, Edit<'_>, _); 7] = [
        ("white space", &spaced, 5),
        ("a member twice", &twice, 5),
        ("a number with a point", &point, 5),
        ("a carriage return", &|copy| copy[AT].push('\r'), 5),
        ("no JSON", &|copy| copy[AT] = "nonsense".into(), 5),
        ("no hash", &|copy| copy[AT] = without_hash(&copy[AT]), 5),
        ("hashed anew", &|copy| copy[AT] = hashed_anew(&copy[AT]), 6),
    ];
    edited(lines, &edits)
}

fn cut_or_changed(lines: &[String]) -> Vec<Damaged> {
    let good = joined(lines);
    let last = lines.len() as u64 - 1;
    let cut = |what, bytes: usize| Damaged {
        what,
        bytes: good[..good.len() - bytes].to_vec(),
        first_bad: last,
    };
    let mut all = vec![cut("a half line", 40), cut("no line feed at the end", 1)];
    // One byte, all along one line: each is a fault of that line.
    let start: usize = lines[..AT].iter().map(|line| line.len() + 1).sum();
    all.extend((0..lines[AT].len()).step_by(37).map(|offset| {
        let mut bytes = good.clone();
        bytes[start + offset] ^= 1;
        Damaged {
            what: "a changed byte",
            bytes,
            first_bad: 5,
        }
    }));
    all
}

/// Whole chains of which each line follows the one before it, and one is none of this format. The
/// script once took each of them for good, and whoever has a tenant id that counts as false was let
/// go on as anybody.
fn beyond_the_form(lines: &[String]) -> Vec<Damaged> {
    let one = |what, at, first_bad, change: &dyn Fn(&mut Value)| Damaged {
        what,
        bytes: joined(&linked_anew(lines, at, change)),
        first_bad,
    };
    vec![
        one("too deep", AT, 5, &|entry| entry["actor"] = nested(65)),
        one("much too deep", AT, 5, &|entry| entry["actor"] = nested(70)),
        one("a key of other letters", AT, 5, &|entry| {
            entry["Up-per"] = 1.into();
        }),
        one("an empty key", AT, 5, &|entry| {
            entry["actor"] = json!({ "": 1 });
        }),
        one("nobody's first line", 0, 1, &|entry| {
            entry["tenant_id"] = "".into();
        }),
        one("a number for a tenant", 0, 0, &|entry| {
            entry["tenant_id"] = 0.into();
        }),
        one("no tenant", 0, 0, &|entry| entry["tenant_id"] = Value::Null),
    ]
}

/// So many arrays, each in the one before it.
fn nested(depth: usize) -> Value {
    (1..depth).fold(json!([]), |inner, _| json!([inner]))
}

/// The chain with one entry changed, and every hash from there on made anew.
fn linked_anew(lines: &[String], at: usize, change: impl Fn(&mut Value)) -> Vec<String> {
    let mut previous = None;
    let relink = |(seq, line): (usize, &String)| {
        let mut entry: Value = serde_json::from_str(&without_hash(line)).unwrap();
        if seq == at {
            change(&mut entry);
        }
        if let Some(previous) = previous.take() {
            entry["previous_hash"] = Value::String(previous);
        }
        let before = entry["previous_hash"].as_str().unwrap();
        let digest = Sha256::digest(format!("{before}|{}", sorted(entry.clone())));
        entry["hash"] = hex::encode(digest).into();
        previous = Some(hex::encode(digest));
        sorted(entry)
    };
    lines.iter().enumerate().map(relink).collect()
}

pub(super) fn without_hash(line: &str) -> String {
    let mut entry: Value = serde_json::from_str(line).unwrap();
    entry.as_object_mut().unwrap().remove("hash");
    sorted(entry)
}

/// The entry with its members in canonical order; those of its payload stand as they came.
pub(super) fn sorted(entry: Value) -> String {
    let members: BTreeMap<String, Value> = serde_json::from_value(entry).unwrap();
    serde_json::to_string(&members).unwrap()
}

/// The same entry with another actor and the right hash for that: a forgery that only the next
/// entry betrays.
pub(super) fn hashed_anew(line: &str) -> String {
    let mut entry: Value = serde_json::from_str(&without_hash(line)).unwrap();
    entry["actor"] = "person:mallory".into();
    let previous = entry["previous_hash"].as_str().unwrap().to_owned();
    let digest = Sha256::digest(format!("{previous}|{}", sorted(entry.clone())));
    entry["hash"] = hex::encode(digest).into();
    sorted(entry)
}

#[test]
fn the_command_and_the_published_script_agree_on_every_copy() {
    let dir = tempdir().unwrap();
    let server = started(&dir.path().join("data"), 8);
    let (lines, globex) = (server.export("acme"), server.export("globex"));
    assert!(server.terminate().success());
    let script = script(dir.path());
    let check = |what: &str, bytes: &[u8], expected: Found| {
        let file = dir.path().join("copy.jsonl");
        write(&file, bytes);
        let command = by_command(&file);
        assert_eq!(
            command,
            expected,
            "{what}, by the command: {}",
            String::from_utf8_lossy(bytes)
        );
        if let Some(script) = &script {
            assert_eq!(by_script(script, &file), expected, "{what}, by the script");
        }
    };
    let all = lines.len() as u64;
    check(
        "a good copy",
        &joined(&lines),
        Found {
            ok: true,
            good: all,
        },
    );
    // What a file alone cannot show: that it once was longer.
    check(
        "a good beginning",
        &joined(&lines[..7]),
        Found { ok: true, good: 7 },
    );
    check("nothing", b"", Found { ok: false, good: 0 });
    let mut damaged = with_lines_moved(&lines, &globex);
    damaged.extend(with_a_line_rewritten(&lines));
    damaged.extend(cut_or_changed(&lines));
    damaged.extend(beyond_the_form(&lines));
    let deepest = linked_anew(&lines, AT, |entry| entry["actor"] = nested(64));
    check(
        "as deep as may be",
        &joined(&deepest),
        Found {
            ok: true,
            good: all,
        },
    );
    for copy in &damaged {
        let expected = Found {
            ok: false,
            good: copy.first_bad,
        };
        check(copy.what, &copy.bytes, expected);
    }
    println!(
        "{} damaged copies, all found at the right place",
        damaged.len()
    );
}

#[test]
fn the_tenants_own_file_is_a_chain_that_needs_no_export() {
    let dir = tempdir().unwrap();
    let server = started(dir.path(), 3);
    let lines = server.export("acme");
    let file = find(dir.path(), &joined(&lines));
    println!(
        "the chain lies in {}",
        file.strip_prefix(dir.path()).unwrap().display()
    );
    assert_eq!(
        by_command(&file),
        Found {
            ok: true,
            good: lines.len() as u64
        }
    );
    // A byte of it changes while the server runs: the server itself says so.
    let mut bytes = joined(&lines);
    let at = lines[0].len() + 1 + 20;
    bytes[at] ^= 1;
    write(&file, &bytes);
    assert_eq!(by_command(&file), Found { ok: false, good: 1 });
    let report = server.verify("acme");
    assert_eq!(
        (&report["ok"], &report["divergent_seq"]),
        (&Value::from(false), &Value::from(1)),
        "{report}"
    );
    let shown = server.cli(&["audit", "verify", "acme"]);
    assert_eq!(shown.status.code(), Some(1), "{shown:?}");
    // And the neighbour's chain is as good as ever.
    assert_eq!(server.verify("globex")["ok"], true);
}

/// The file below `dir` that holds exactly `bytes`.
fn find(dir: &Path, bytes: &[u8]) -> PathBuf {
    files(dir)
        .into_iter()
        .find(|file| std::fs::read(file).is_ok_and(|found| found == bytes))
        .unwrap_or_else(|| panic!("no file below {} is the export", dir.display()))
}

/// All files below a directory.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
