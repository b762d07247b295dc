//! The scripts of docs/audit-chain.md, run as an auditor would: with Python and openssl alone.

use std::path::Path;
use std::process::Command;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::super::super::bundle::Bundle;
use super::super::super::note::Note;
use super::super::super::witness::WitnessAnswer;
use super::*;

/// The block of code that stands after a script's name in the page.
fn script(name: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/audit-chain.md");
    let page = fs::read_to_string(page).unwrap();
    let after = page
        .split_once(&format!("Save this as `{name}`"))
        .unwrap()
        .1;
    let block = after.split("```").nth(1).unwrap();
    block.split_once('\n').unwrap().1.to_owned()
}

fn is_there(program: &str, argument: &str) -> bool {
    let found = Command::new(program).arg(argument).output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        println!("SKIPPED: there is no {program} here, so the documented scripts were not run");
    }
    found
}

/// What a script prints, run in `folder`.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with the scripts, two tenants' files, a cosigned bundle; and the vkeys of the log and
/// of the witness.
fn auditor() -> (TempDir, String, String) {
    let mut house = House::new();
    for (chain, lines) in [("globex", 2), ("acme", 5), ("initech", 3), ("acme", 2)] {
        house.grow(chain, lines);
        house.publish().unwrap();
    }
    let witness = TestKey::new(8);
    let request = house.notary().request(0).unwrap().unwrap();
    let (key, line) = witness.cosign(
        "witness.example/w1",
        1_679_315_147,
        request.checkpoint.note().text(),
    );
    let answer = request.read_answer(&key, check, 200, line.to_string().as_bytes());
    let WitnessAnswer::Cosigned(word) = answer else {
        panic!("{answer:?}")
    };
    house.notary().accept(&request, word).unwrap();
    // Two signatures of the log under one name: the script must pick the right one.
    let now_ms = house.now_ms;
    house
        .notary()
        .rotate(Arc::new(TestKey::new(2)), now_ms + 1000, now_ms)
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).unwrap();
    for name in ["root.py", "signed.sh", "included.py"] {
        write(name, script(name).as_bytes());
    }
    let bundle = house.notary().bundle("acme").unwrap();
    write("bundle.json", bundle.to_json().as_bytes());
    let mut file = house.lines["acme"].join(b"\n".as_slice());
    file.push(b'\n');
    write("acme.jsonl", &file);
    (folder, house.notary().key().to_string(), key.to_string())
}

/// The name in a vkey.
fn log_name(vkey: &str) -> &str {
    vkey.split_once('+').unwrap().0
}

#[test]
fn the_documented_scripts_say_what_the_notary_says() {
    if !is_there("python3", "--version") || !is_there("openssl", "version") {
        return;
    }
    let (folder, log, witness) = auditor();
    let folder = folder.path();
    assert_eq!(
        run(folder, "python3", &["included.py", "bundle.json"]),
        "ok\n"
    );
    let tenant = fs::read_to_string(folder.join("tenant.note")).unwrap();
    let signed = |key: &str, note: &str| run(folder, "sh", &["signed.sh", key, note]);
    let verified = "Signature Verified Successfully\n";
    assert_eq!(signed(&log, "tenant.note"), verified);
    assert_eq!(signed(&log, "host.note"), verified);
    assert_eq!(
        signed(&witness, "host.note"),
        format!("{verified}seen at 1679315147\n")
    );
    assert_eq!(signed(&witness, "tenant.note"), "");
    // The same name, and a text that this log can't have signed as its own.
    fs::write(
        folder.join("other.note"),
        tenant.replacen(log_name(&log), "0", 1),
    )
    .unwrap();
    assert_eq!(signed(&log, "other.note"), "Another Log\n");
    let root = run(folder, "python3", &["root.py", "acme.jsonl", "7"]);
    assert_eq!(
        tenant.lines().skip(1).take(2).collect::<Vec<_>>(),
        root.lines().collect::<Vec<_>>()
    );

    // And what they say of forgeries.
    let forged = tenant.replacen("\n7\n", "\n8\n", 1);
    fs::write(folder.join("forged.note"), forged).unwrap();
    let refused = signed(&log, "forged.note");
    assert!(!refused.contains("Success"), "{refused}");
    let bundle = fs::read_to_string(folder.join("bundle.json")).unwrap();
    let moved = bundle.replace("\"leaf_index\": 3", "\"leaf_index\": 1");
    assert_ne!(moved, bundle);
    fs::write(folder.join("moved.json"), moved).unwrap();
    assert_eq!(
        run(folder, "python3", &["included.py", "moved.json"]),
        "bad\n"
    );
    let file = fs::read_to_string(folder.join("acme.jsonl")).unwrap();
    fs::write(
        folder.join("changed.jsonl"),
        file.replacen("acme", "acne", 1),
    )
    .unwrap();
    assert_ne!(
        run(folder, "python3", &["root.py", "changed.jsonl", "7"]),
        root
    );
    let cut: String = file.split_inclusive('\n').take(4).collect();
    fs::write(folder.join("cut.jsonl"), cut).unwrap();
    assert!(run(folder, "python3", &["root.py", "cut.jsonl", "7"]).starts_with("4\n"));
}

/// A bundle of one chain was `ok` beside another chain's file.
#[test]
fn the_documented_script_says_of_which_chain_a_bundle_is() {
    if !is_there("python3", "--version") || !is_there("openssl", "version") {
        return;
    }
    let (folder, ..) = auditor();
    let folder = folder.path();
    let opaque_id = id("acme");
    let of_chain = [
        (
            format!(r#"{{"hash":"0","payload":{{"opaque_id":"{opaque_id}"}}}}"#),
            "ok\n",
        ),
        (
            format!(r#"{{"hash":"{opaque_id}ff","payload":{{"stands_for":{{}}}}}}"#),
            "ok\n",
        ),
        (
            format!(r#"{{"hash":"{opaque_id}","payload":{{"opaque_id":"0"}}}}"#),
            "bad\n",
        ),
        (
            format!(r#"{{"hash":"{opaque_id}","payload":{{}}}}"#),
            "bad\n",
        ),
        (String::new(), "bad\n"),
    ];
    for (first, said) in of_chain {
        fs::write(folder.join("first.jsonl"), format!("{first}\n")).unwrap();
        let with = ["included.py", "bundle.json", "first.jsonl"];
        assert_eq!(run(folder, "python3", &with), said, "{first}");
    }
}

/// A script once took bytes between a key's id and the signature for nothing, let the length of a
/// line say what the key signs, and forgave a forged line that stood before a good one.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of what is refused")]
fn the_documented_script_refuses_every_note_that_the_notary_refuses() {
    if !is_there("python3", "--version") || !is_there("openssl", "version") {
        return;
    }
    let (folder, log, witness) = auditor();
    let folder = folder.path();
    run(folder, "python3", &["included.py", "bundle.json"]);
    let host = fs::read_to_string(folder.join("host.note")).unwrap();
    for key in [log, witness] {
        let known = VerifierKey::parse(&key).unwrap();
        let line = Note::parse(host.as_bytes())
            .unwrap()
            .signatures()
            .iter()
            .find(|line| *line.name() == *known.name() && line.key_id() == known.id())
            .unwrap()
            .to_string();
        let (dash_and_name, encoded) = line.trim_end().rsplit_once(' ').unwrap();
        let bytes = BASE64.decode(encoded).unwrap();
        let with = |bytes: &[u8]| format!("{dash_and_name} {}\n", BASE64.encode(bytes));
        let inserted = |more: usize| {
            let (id, rest) = bytes.split_at(4);
            with(&[id, &vec![0; more], rest].concat())
        };
        let mut other = bytes.clone();
        *other.last_mut().unwrap() ^= 1;
        let forged = with(&other);
        let table = [
            ("as it is", line.clone(), true),
            ("twice", format!("{line}{line}"), true),
            ("one byte inserted", inserted(1), false),
            ("a time inserted", inserted(8), false),
            ("cut", with(&bytes[..bytes.len() - 1]), false),
            (
                "without the time",
                with(&[&bytes[..4], &bytes[bytes.len() - 64..]].concat()),
                bytes.len() == 68,
            ),
            ("forged", forged.clone(), false),
            ("forged, then good", format!("{forged}{line}"), false),
            ("good, then forged", format!("{line}{forged}"), false),
            (
                "junk in the base64",
                line.replacen(encoded, &format!("{encoded}*"), 1),
                false,
            ),
            ("half a line", line.trim_end().to_owned(), false),
            ("garbage before it", format!("garbage\n{line}"), false),
            ("garbage after it", format!("{line}garbage\n"), false),
            ("an empty line after it", format!("{line}\n"), false),
            ("a NUL in it", line.replacen(' ', " \0", 1), false),
            (
                "another name",
                line.replacen("\u{2014} ", "\u{2014} x", 1),
                false,
            ),
        ];
        for (what, lines, good) in table {
            let changed = host.replacen(&line, &lines, 1);
            let read = Note::parse(changed.as_bytes());
            let read = read.and_then(|note| note.verify(std::slice::from_ref(&known), check));
            assert_eq!(read.is_ok(), good, "{what}: {read:?}");
            fs::write(folder.join("changed.note"), changed).unwrap();
            let output = Command::new("sh")
                .args(["signed.sh", &key, "changed.note"])
                .current_dir(folder)
                .output()
                .unwrap();
            assert_eq!(output.status.success(), good, "{what}: {output:?}");
            let said = String::from_utf8(output.stdout).unwrap();
            assert_eq!(said.contains("Success"), good, "{what}: {said}");
        }
    }
}

/// A script once took an index of -1 or `true`, any version, and hashes with junk between letters.
#[test]
fn the_documented_script_refuses_every_bundle_that_the_notary_refuses() {
    if !is_there("python3", "--version") || !is_there("openssl", "version") {
        return;
    }
    let (folder, ..) = auditor();
    let folder = folder.path();
    let bundle = fs::read_to_string(folder.join("bundle.json")).unwrap();
    let read: serde_json::Value = serde_json::from_str(&bundle).unwrap();
    let hash = read["inclusion"][0].as_str().unwrap();
    let (start, rest) = hash.split_at(4);
    let members = [
        "version",
        "tenant_checkpoint",
        "host_checkpoint",
        "leaf_index",
    ];
    let members = members.iter().chain(&["inclusion", "keys", "statements"]);
    let as_list: serde_json::Value = members.map(|name| read[name].clone()).collect();
    let index = "\"leaf_index\": 3";
    let version = "\"version\": 1";
    let table = [
        (index, "\"leaf_index\": -1".to_owned()),
        (index, "\"leaf_index\": true".to_owned()),
        (index, "\"leaf_index\": 3.0".to_owned()),
        (index, "\"leaf_index\": \"3\"".to_owned()),
        (index, format!("{index}, {index}")),
        (version, "\"version\": 7".to_owned()),
        (version, "\"version\": true".to_owned()),
        (version, "\"version\": 1.0".to_owned()),
        (hash, format!("{start}*{rest}")),
        (hash, format!("{start} {rest}")),
        (hash, rest.to_owned()),
        (index, format!("{index}, \"more\": 1")),
        (&bundle, format!("\u{feff}{bundle}")),
        (&bundle, format!("[{bundle}]")),
        (&bundle, as_list.to_string()),
    ];
    for (from, to) in table {
        let changed = bundle.replacen(from, &to, 1);
        assert_ne!(changed, bundle, "{to}");
        assert!(Bundle::parse(changed.as_bytes()).is_err(), "{to}");
        fs::write(folder.join("changed.json"), changed).unwrap();
        let said = run(folder, "python3", &["included.py", "changed.json"]);
        assert_ne!(said, "ok\n", "{to}");
    }
}
