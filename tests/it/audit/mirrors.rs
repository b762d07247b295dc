//! `vyrox audit export --all` against servers that lie, and what an honest one lists.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Output},
    thread,
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::tempdir;

use super::{
    copies::{joined, sorted},
    started,
};
use crate::server::{vyrox, write};

/// What the server answers when it is asked for a chain.
enum Answer {
    /// These bytes.
    Entries(Vec<u8>),
    /// The same bytes again and again, as long as somebody takes them.
    Endless(Vec<u8>),
}

/// A server that lists `listing` and answers by chain; every other chain is unknown to it. It lives as
/// long as the test.
fn lying(listing: Value, chains: BTreeMap<&'static str, Answer>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &listing, &chains);
        }
    });
    base
}

fn answer(stream: TcpStream, listing: &Value, chains: &BTreeMap<&'static str, Answer>) {
    let mut reader = BufReader::new(stream);
    let (mut request, mut line) = (String::new(), String::new());
    reader.read_line(&mut request).unwrap();
    while reader.read_line(&mut line).unwrap() > 2 {
        line.clear();
    }
    let mut stream = reader.into_inner();
    let mut say = |status: &str, body: &[u8]| {
        let head = format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\n\r\n"
        );
        stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(body))
            .ok();
    };
    if request.starts_with("GET /audit/chains ") {
        return say("200 OK", listing.to_string().as_bytes());
    }
    let asked = request.split(['=', '&', ' ']).nth(2).unwrap();
    match chains.get(asked.replace("%2B", "+").as_str()) {
        None => say(
            "404 Not Found",
            br#"{"title":"none","status":404,"code":"tenant_not_found"}"#,
        ),
        Some(Answer::Entries(bytes)) => say("200 OK", bytes),
        Some(Answer::Endless(bytes)) => {
            say("200 OK", b"");
            while stream.write_all(bytes).is_ok() {}
        }
    }
}

/// A good chain of this name.
fn chain(name: &str, entries: usize) -> Vec<u8> {
    let mut previous = "0".repeat(64);
    let mut lines = Vec::new();
    for seq in 0..entries {
        let mut entry = json!({ "previous_hash": previous, "seq": seq, "tenant_id": name });
        previous = hex::encode(Sha256::digest(format!("{previous}|{entry}")));
        entry["hash"] = previous.clone().into();
        lines.push(sorted(entry));
    }
    joined(&lines)
}

/// The exit code, and what was said of each chain.
fn mirrored(base: &str, into: &Path) -> (Option<i32>, BTreeMap<String, Value>) {
    let into = into.to_str().unwrap();
    let output = vyrox(&[
        "audit", "export", "--all", "--into", into, "--json", "--url", base, "--token", "t",
    ]);
    let said = String::from_utf8(output.stdout).unwrap();
    let said = said.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        (line["chain"].as_str().unwrap().to_owned(), line)
    });
    (output.status.code(), said.collect())
}

/// The command once took whatever a server said of a chain that it had no copy of: another tenant's
/// entries under its name, none at all, and an answer that lists nothing.
#[test]
fn a_first_copy_is_of_that_chain_and_is_not_nothing() {
    let dir = tempdir().unwrap();
    let good = |name| Answer::Entries(chain(name, 3));
    let base = lying(
        json!({ "chains": ["acme", "empty", "globex", "gone", "last", "../up", "last+held-/../x"] }),
        BTreeMap::from([
            ("_host", good("_host")),
            ("acme", good("globex")),
            ("empty", Answer::Entries(Vec::new())),
            ("globex", good("globex")),
            ("last", good("last")),
        ]),
    );
    let into = dir.path().join("mirror");
    let (code, said) = mirrored(&base, &into);
    assert_eq!(code, Some(1), "{said:?}");
    for (name, good) in [
        ("_host", true),
        ("acme", false),
        ("empty", false),
        ("globex", true),
        ("gone", false),
        ("last", true),
        ("../up", false),
        ("last+held-/../x", false),
    ] {
        assert_eq!(said[name]["ok"], good, "{said:?}");
    }
    let mut files: Vec<_> = fs::read_dir(&into)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort_unstable();
    let kept = [".lock", "_host.jsonl", "globex.jsonl", "last.jsonl"];
    assert_eq!(files, kept);
    assert_eq!(fs::read(into.join("last.jsonl")).unwrap(), chain("last", 3));

    let base = lying(json!({}), BTreeMap::from([("_host", good("_host"))]));
    let (code, _) = mirrored(&base, &dir.path().join("other"));
    assert_ne!(code, Some(0), "no list is no empty list");
}

/// The command once wrote all that came to the disk before it looked at it.
#[test]
fn a_server_that_never_stops_is_left_at_the_first_entry_that_does_not_follow() {
    let dir = tempdir().unwrap();
    let three = chain("_host", 3);
    for (what, name, endless) in [
        ("the same again", "_host", three),
        ("another chain's", "globex", chain("globex", 3)),
    ] {
        let base = lying(
            json!({ "chains": [] }),
            BTreeMap::from([("_host", Answer::Endless(endless))]),
        );
        let into = dir.path().join(name);
        let (code, said) = mirrored(&base, &into);
        assert_eq!(code, Some(1), "{what}: {said:?}");
        assert_eq!(said["_host"]["ok"], false, "{what}: {said:?}");
        assert_eq!(fs::read_dir(&into).unwrap().count(), 1, "{what}: the lock");
    }
}

/// A chain that could not be had once ended the command before the others' turn, and the chain of a
/// tenant that was removed before the first copy was never asked for.
#[test]
fn removed_tenants_are_copied_and_one_chains_trouble_is_not_the_others() {
    let dir = tempdir().unwrap();
    let server = started(&dir.path().join("data"), 1);
    let removed = server.cli(&["tenant", "remove", "acme", "--reason", "it ended", "--yes"]);
    assert_eq!(removed.status.code(), Some(0), "{removed:?}");
    let listed = server.get("/audit/chains");
    assert_eq!(listed, json!({ "chains": ["_host", "acme", "globex"] }));
    let into = dir.path().join("mirror");
    let export = || server.cli(&["audit", "export", "--all", "--into", into.to_str().unwrap()]);
    let first = export();
    assert_eq!(first.status.code(), Some(0), "{first:?}");
    let copy = fs::read(into.join("acme.jsonl")).unwrap();
    assert_eq!(copy, joined(&server.export("acme")));
    // Kept from another server: this one does not know it, and says so for ever.
    write(&into.join("aaaa.jsonl"), &chain("aaaa", 2));
    fs::remove_file(into.join("globex.jsonl")).unwrap();
    let second = export();
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    assert!(into.join("globex.jsonl").exists(), "{second:?}");
}

/// A copy that lacked its last newline alone was written over, whatever stood in that line: it is what would have
/// shown that the server's chain is another one.
#[test]
fn a_copy_s_last_line_is_mended_if_it_is_half_and_compared_if_it_is_whole() {
    let dir = tempdir().unwrap();
    let server = started(&dir.path().join("data"), 1);
    let into = dir.path().join("mirror");
    let export = || server.cli(&["audit", "export", "--all", "--into", into.to_str().unwrap()]);
    assert_eq!(export().status.code(), Some(0));
    let copy = into.join("acme.jsonl");
    let whole = fs::read(&copy).unwrap();
    let end = whole.len() - 1;
    let noted = |output: &Output| String::from_utf8_lossy(&output.stderr).contains("no whole line");

    write(&copy, &whole[..end]);
    let same = export();
    assert_eq!(
        (same.status.code(), noted(&same)),
        (Some(0), false),
        "{same:?}"
    );
    assert_eq!(fs::read(&copy).unwrap(), whole);

    let begin = whole[..end]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    let zeros = [0; 100];
    for half in [&whole[begin..begin + 40], b"{\"seq\":", zeros.as_slice()] {
        write(&copy, &[&whole[..begin], half].concat());
        let mended = export();
        assert_eq!(
            (mended.status.code(), noted(&mended)),
            (Some(0), true),
            "{mended:?}"
        );
        assert_eq!(fs::read(&copy).unwrap(), whole);
    }

    // Another payload under the same hash, and an entry that the server has not.
    let text = String::from_utf8(whole[begin..end].to_vec()).unwrap();
    let other = text.replacen("\"timestamp\":1", "\"timestamp\":2", 1);
    let later = text.replacen("\"seq\":", "\"seq\":7", 1);
    for line in [&other, &later] {
        assert_ne!(*line, text);
        let changed = [&whole[..begin], line.as_bytes()].concat();
        write(&copy, &changed);
        let differs = export();
        assert_eq!(differs.status.code(), Some(1), "{differs:?}");
        let said = String::from_utf8_lossy(&differs.stdout).into_owned();
        assert!(said.contains("another line there"), "{said}");
        assert_eq!(fs::read(&copy).unwrap(), changed);
    }
}

/// Two runs at once wrote into one file; and one that met a pipe in a copy's place never came back.
#[test]
fn one_run_at_a_time_has_the_directory_and_what_is_no_file_stops_nobody() {
    let dir = tempdir().unwrap();
    let server = started(&dir.path().join("data"), 1);
    let into = dir.path().join("mirror");
    let export = || server.cli(&["audit", "export", "--all", "--into", into.to_str().unwrap()]);
    assert_eq!(export().status.code(), Some(0));
    let lock = fs::File::open(into.join(".lock")).unwrap();
    lock.lock().unwrap();
    let second = export();
    assert_eq!(second.status.code(), Some(3), "{second:?}");
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("another run of this command"), "{said}");
    drop(lock);
    assert_eq!(export().status.code(), Some(0));

    fs::remove_file(into.join("_host.jsonl")).unwrap();
    let pipe = Command::new("mkfifo")
        .arg(into.join("acme.jsonl.pipe"))
        .status();
    assert!(pipe.unwrap().success());
    fs::rename(into.join("acme.jsonl.pipe"), into.join("acme.jsonl")).unwrap();
    fs::remove_file(into.join("globex.jsonl")).unwrap();
    fs::create_dir(into.join("globex.jsonl")).unwrap();
    let strange = export();
    assert_eq!(strange.status.code(), Some(3), "{strange:?}");
    let said = String::from_utf8_lossy(&strange.stdout).into_owned();
    assert_eq!(said.matches("is no file").count(), 2, "{said}");
    assert!(into.join("_host.jsonl").is_file(), "the others go on");
}
