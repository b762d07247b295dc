//! The table of forgeries: what each way to check a copy of a real chain says of each way to forge
//! one, and what it cannot say.

use std::path::{Path, PathBuf};

use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::tempdir;
use vyrox_actors::journal::proof::{
    checkpoint::{Checkpoint, OpaqueId, Origin, SignedCheckpoint},
    merkle::{Frontier, leaf_hash},
    note::Signer,
};

use super::{
    copies::{by_script, hashed_anew, joined, script, sorted, without_hash},
    started,
};
use crate::server::{vyrox, write};

/// What a verifier says of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// Nothing is wrong with it.
    Good,
    /// This is the first bad seq.
    At(u64),
    /// The first bad seq is this one or an earlier one.
    By(u64),
    /// Something is wrong, and nobody can say where.
    Somewhere,
}

use Word::{At, By, Good, Somewhere};

/// The line that is tampered with.
const AT: usize = 5;

/// Whatever there is beside the file, and the good chain it is made of.
struct Desk {
    dir: PathBuf,
    script: Option<PathBuf>,
    head: String,
    receipts: Vec<String>,
    mirror: PathBuf,
    checkpoint: PathBuf,
    vkey: String,
}

impl Desk {
    fn new(dir: &Path, lines: &[String]) -> Self {
        let receipts: Vec<String> = lines.iter().map(|line| receipt(line)).collect();
        let (checkpoint, vkey) = checkpoint(lines, &key(1));
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.join(name);
            write(&path, bytes);
            path
        };
        Self {
            dir: dir.to_owned(),
            script: script(dir),
            head: receipts.last().unwrap().clone(),
            receipts,
            mirror: file("mirror.jsonl", &joined(lines)),
            checkpoint: file("acme.note", checkpoint.as_bytes()),
            vkey,
        }
    }

    /// What each verifier says: the script, the command with the file alone, with the last receipt,
    /// with all receipts, with a mirror, with a checkpoint.
    fn words(&self, bytes: &[u8]) -> [Word; 6] {
        let file = self.dir.join("copy.jsonl");
        write(&file, bytes);
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let all = self.receipts.iter();
        let all: Vec<String> = all
            .flat_map(|one| ["--receipt".to_owned(), one.clone()])
            .collect();
        let alone = command(&file, &[]);
        let by_script = self.script.as_ref().map_or(alone, |script| {
            let found = by_script(script, &file);
            if found.ok { Good } else { At(found.good) }
        });
        [
            by_script,
            alone,
            command(&file, &["--receipt".into(), self.head.clone()]),
            command(&file, &all),
            command(&file, &["--mirror".into(), path(&self.mirror)]),
            command(&file, &self.checkpoint_args()),
        ]
    }

    fn checkpoint_args(&self) -> [String; 4] {
        let note = self.checkpoint.to_str().unwrap().to_owned();
        [
            "--checkpoint".into(),
            note,
            "--vkey".into(),
            self.vkey.clone(),
        ]
    }
}

fn run(file: &Path, beside: &[String]) -> (Option<i32>, Value) {
    let mut args = vec!["audit", "verify", file.to_str().unwrap(), "--json"];
    args.extend(beside.iter().map(String::as_str));
    let output = vyrox(&args);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), report)
}

fn command(file: &Path, beside: &[String]) -> Word {
    let (code, report) = run(file, beside);
    let ok = report["ok"]
        .as_bool()
        .unwrap_or_else(|| panic!("{code:?}: {report}"));
    assert_eq!(code, Some(i32::from(!ok)), "{report}");
    let seq = report["divergent_seq"].as_u64();
    let from = report["not_before_seq"].as_u64();
    match (ok, seq) {
        (true, _) => Good,
        (false, Some(seq)) if from.is_some_and(|from| from < seq) => By(seq),
        (false, Some(seq)) => At(seq),
        (false, None) => Somewhere,
    }
}

fn receipt(line: &str) -> String {
    let entry: Value = serde_json::from_str(line).unwrap();
    format!("{}:{}", entry["seq"], entry["hash"].as_str().unwrap())
}

struct Key(SigningKey);

impl Signer for Key {
    fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

fn key(seed: u8) -> Key {
    Key(SigningKey::from_bytes(&[seed; 32]))
}

/// The checkpoint of a whole chain as a note, and the key to check it with.
fn checkpoint(lines: &[String], key: &Key) -> (String, String) {
    let opened: Value = serde_json::from_str(&lines[0]).unwrap();
    let tenant = OpaqueId::parse(opened["payload"]["opaque_id"].as_str().unwrap()).unwrap();
    let mut leaves = Frontier::new();
    for line in lines {
        leaves.append(leaf_hash(line.as_bytes()));
    }
    let checkpoint = Checkpoint {
        origin: Origin::tenant(OpaqueId::new([9; 16]), tenant),
        size: leaves.size(),
        root: leaves.root(),
    };
    let signed = SignedCheckpoint::sign(checkpoint, [key as &dyn Signer]).unwrap();
    let vkey = key.verifier_key(&checkpoint.origin.key_name());
    (signed.to_string(), vkey.to_string())
}

/// The chain as somebody would write it who changes entry `AT` and then all that follow it.
fn written_anew(lines: &[String]) -> Vec<String> {
    let mut forged = lines.to_vec();
    forged[AT] = hashed_anew(&lines[AT]);
    for at in AT + 1..forged.len() {
        let before: Value = serde_json::from_str(&forged[at - 1]).unwrap();
        let mut entry: Value = serde_json::from_str(&without_hash(&forged[at])).unwrap();
        entry["previous_hash"] = before["hash"].clone();
        let previous = before["hash"].as_str().unwrap();
        let digest = Sha256::digest(format!("{previous}|{}", sorted(entry.clone())));
        entry["hash"] = hex::encode(digest).into();
        forged[at] = sorted(entry);
    }
    forged
}

struct Forgery {
    what: &'static str,
    bytes: Vec<u8>,
    /// In the order of [`Desk::words`].
    expected: [Word; 6],
}

/// Those that any verifier names from the file alone.
fn visible(lines: &[String], globex: &[String]) -> Vec<Forgery> {
    let last = lines.len() as u64 - 1;
    let edited = |what, edit: &dyn Fn(&mut Vec<String>), expected: [Word; 6]| {
        let mut copy = lines.to_vec();
        edit(&mut copy);
        Forgery {
            what,
            bytes: joined(&copy),
            expected,
        }
    };
    let half = joined(lines);
    // An inserted entry that is well made betrays itself by the one after it, or by another source.
    let mut inserted = [At(6); 6];
    inserted[3] = At(5);
    inserted[4] = At(5);
    vec![
        edited(
            "a changed byte",
            &|copy| copy[AT] = copy[AT].replacen("\"event_version\":1", "\"event_version\":2", 1),
            [At(5); 6],
        ),
        edited(
            "an inserted line",
            &|copy| copy.insert(AT, hashed_anew(&copy[AT])),
            inserted,
        ),
        edited(
            "a doubled line",
            &|copy| copy.insert(AT, copy[AT].clone()),
            [At(6); 6],
        ),
        edited("a removed line", &|copy| drop(copy.remove(AT)), [At(5); 6]),
        edited("swapped lines", &|copy| copy.swap(AT, AT + 1), [At(5); 6]),
        edited(
            "not canonical",
            &|copy| copy[AT] = copy[AT].replacen(':', ": ", 1),
            [At(5); 6],
        ),
        edited(
            "another tenant's line",
            &|copy| copy[AT].clone_from(&globex[1]),
            [At(5); 6],
        ),
        Forgery {
            what: "a half line",
            bytes: half[..half.len() - 40].to_vec(),
            expected: [At(last); 6],
        },
    ]
}

/// Those of which the file alone shows nothing.
fn invisible(lines: &[String], globex: &[String]) -> Vec<Forgery> {
    let last = lines.len() as u64 - 1;
    let forged = written_anew(lines);
    vec![
        Forgery {
            what: "nothing at all",
            bytes: joined(lines),
            expected: [Good; 6],
        },
        Forgery {
            what: "an end that was cut off",
            bytes: joined(&lines[..7]),
            expected: [Good, Good, At(7), At(7), At(7), At(7)],
        },
        Forgery {
            what: "a chain written anew",
            bytes: joined(&forged),
            expected: [Good, Good, By(last), At(5), At(5), Somewhere],
        },
        Forgery {
            what: "a chain written anew and cut off",
            bytes: joined(&forged[..7]),
            expected: [Good, Good, At(7), At(5), At(5), At(7)],
        },
        Forgery {
            what: "another tenant's chain",
            bytes: joined(globex),
            expected: [Good, Good, At(globex.len() as u64), At(0), At(0), Somewhere],
        },
    ]
}

#[test]
fn each_verifier_names_what_it_can_and_nothing_more() {
    let dir = tempdir().unwrap();
    let server = started(&dir.path().join("data"), 8);
    let (lines, globex) = (server.export("acme"), server.export("globex"));
    let head = server.get("/audit/head?tenant_id=acme");
    assert!(server.terminate().success());
    let desk = Desk::new(dir.path(), &lines);
    let said = format!("{}:{}", head["seq"], head["hash"].as_str().unwrap());
    assert_eq!(
        said, desk.head,
        "the head that the server told is the last entry"
    );
    let mut table = visible(&lines, &globex);
    table.extend(invisible(&lines, &globex));
    for Forgery {
        what,
        bytes,
        expected,
    } in table
    {
        let words = desk.words(&bytes);
        assert_eq!(
            words,
            expected,
            "{what}: {}",
            String::from_utf8_lossy(&bytes)
        );
        println!("{what:<34} {words:?}");
    }
}

#[test]
fn a_checkpoint_is_believed_only_of_its_own_chain_and_under_its_own_key() {
    let dir = tempdir().unwrap();
    let server = started(&dir.path().join("data"), 2);
    let (lines, globex) = (server.export("acme"), server.export("globex"));
    assert!(server.terminate().success());
    let desk = Desk::new(dir.path(), &lines);
    let file = desk.mirror.clone();
    let (code, report) = run(&file, &desk.checkpoint_args());
    assert_eq!(
        (code, &report["checkpoint"]["size"]),
        (Some(0), &lines.len().into())
    );

    let (of_globex, _) = checkpoint(&globex, &key(1));
    let (of_stranger, _) = checkpoint(&lines, &key(2));
    let ours = std::fs::read_to_string(&desk.checkpoint).unwrap();
    let longer = ours.replacen(&format!("\n{}\n", lines.len()), "\n1\n", 1);
    assert_ne!(longer, ours);
    write(&desk.checkpoint, of_globex.as_bytes());
    let (code, report) = run(&file, &desk.checkpoint_args());
    assert_eq!(
        (code, &report["kind"]),
        (Some(1), &"another_chain".into()),
        "{report}"
    );
    for note in [of_stranger, longer, "no note at all".to_owned()] {
        write(&desk.checkpoint, note.as_bytes());
        let (code, report) = run(&file, &desk.checkpoint_args());
        assert_eq!(
            (code, report),
            (Some(1), Value::Null),
            "nothing is said on such a word"
        );
    }
}
