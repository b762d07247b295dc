//! The log's key changes while the log goes on.

use std::{fs, sync::Barrier, thread};

use signed_note::{Note, StandardVerifier, Verifier, VerifierList};

use super::*;

/// Whether each of the keys has signed a note, by somebody else's code.
fn signed_by(note: &str, vkeys: [&str; 2]) -> [bool; 2] {
    let note = Note::from_bytes(note.as_bytes()).expect("a note");
    vkeys.map(|vkey| {
        let verifier: Box<dyn Verifier> = Box::new(StandardVerifier::new(vkey).expect("a key"));
        note.verify(&VerifierList::new(vec![verifier])).is_ok()
    })
}

fn note_of(server: &Server, chain: &str) -> String {
    let head = server.get(&format!("/audit/head?tenant_id={chain}"));
    head["checkpoint"].as_str().expect("a note").to_owned()
}

fn rotate(server: &Server, overlap_s: &str) -> String {
    let said = server.cli(&["audit", "rotate-key", "--overlap-s", overlap_s]);
    assert!(said.status.success(), "{said:?}");
    let new = vkey(server);
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(text.contains(&new), "{text}");
    new
}

/// The last `key.rotated` of the host's chain.
fn rotated(server: &Server) -> Value {
    let entries = server.entries("_host");
    let mut entries = entries.into_iter().rev();
    let entry = entries.find(|entry| entry["event"] == "key.rotated");
    entry.expect("an entry")
}

#[test]
fn both_keys_sign_until_the_overlap_is_over_also_across_a_restart() {
    let dir = TempDir::new().expect("a directory");
    let data = dir.path().join("data");
    let witness = StrictWitness::start(Mood::Honest);
    let (server, acme, _alert) = witnessed(&data, &witness);
    let old = vkey(&server);
    let new = rotate(&server, "3600");
    assert_ne!(new, old);
    let entry = rotated(&server);
    let told = &entry["payload"];
    assert_eq!(
        (&told["before"]["vkey"], &told["vkey"]),
        (&json!(old), &json!(new))
    );
    let statement = told["statement"].as_str().expect("a note");
    assert_eq!(signed_by(statement, [&old, &new]), [true, true]);
    let lasts = told["until_ms"].as_u64().expect("a time")
        - entry["timestamp_ms"].as_u64().expect("a time");
    assert!((3_500_000..=3_600_000).contains(&lasts), "{lasts}");
    let both = |server: &Server| signed_by(&note_of(server, "acme"), [&old, &new]);
    assert_eq!(both(&server), [true, true]);

    // A witness that knows only the old key goes on; and so does the server, when it starts again.
    judged(&server, &acme, "ldt:2");
    all_cosigned(&server, &witness, "acme");
    server.kill9();
    let server = start(&data, &witness, Needed::Yes);
    assert_eq!(integrity(&server)["status"], "whole");
    judged(&server, &acme, "ldt:3");
    all_cosigned(&server, &witness, "acme");
    assert_eq!(both(&server), [true, true]);
    let key = server.get("/audit/key");
    assert_eq!(
        (&key["vkey"], &key["keys"]),
        (&json!(new), &json!([old, new]))
    );
    assert_eq!(key["previous_signs_until_ms"], told["until_ms"]);

    // Without an overlap the old key is silent at once, and the witness has to be told.
    let newest = rotate(&server, "0");
    judged(&server, &acme, "ldt:4");
    all_signed(&server, "acme");
    let note = note_of(&server, "acme");
    assert_eq!(signed_by(&note, [&old, &newest]), [false, true]);
    assert_eq!(signed_by(&note, [&new, &newest]), [false, true]);
    eventually(DEADLINE, || {
        witness.answers().ends_with(&[403]).then_some(())
    });
    witness.learn(&newest);
    all_cosigned(&server, &witness, "acme");
    let bad = server.api(
        "POST",
        "/api/v1/audit/rotate",
        Some(&json!({ "overlap_s": 9_999_999 })),
    );
    assert_eq!(bad.status, 400, "{bad:?}");
}

/// The process can end before the new key is in its place: what the log says is in force, counts.
#[test]
fn a_key_that_was_not_put_in_its_place_is_put_there_by_the_next_start() {
    let dir = TempDir::new().expect("a directory");
    let data = dir.path().join("data");
    let server = start_alone(&data);
    let old = vkey(&server);
    let new = rotate(&server, "3600");
    assert!(server.terminate().success(), "a clean stop");
    let file = |name: &str| data.join(format!("checkpoint.key{name}"));
    fs::rename(file(""), file(".next")).expect("as before");
    fs::copy(file(".previous"), file("")).expect("as before");
    fs::remove_file(file(".previous")).expect("as before");

    let server = start_alone(&data);
    assert_eq!(vkey(&server), new);
    assert_eq!(integrity(&server)["status"], "whole");
    assert!(file(".previous").exists() && !file(".next").exists());
    server.add_tenant("acme");
    all_signed(&server, "_host");
    assert_eq!(
        signed_by(&note_of(&server, "_host"), [&old, &new]),
        [true, true]
    );
    assert!(server.terminate().success(), "a clean stop");

    // One that was written down and never came in force is no key of the log.
    fs::write(file(".next"), "11".repeat(32)).expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(file(".next"), mode).expect("ours");
    let server = start_alone(&data);
    assert_eq!(vkey(&server), new);
    assert_eq!(integrity(&server)["status"], "whole");
}

/// Two people rotated the key at once. One of them had the other's rotation written down as the system's own, and the other
/// was told 400 for what had happened.
#[test]
fn rotations_at_once_come_one_after_the_other() {
    const AT_ONCE: usize = 8;
    let dir = TempDir::new().expect("a directory");
    let server = start_alone(dir.path());
    let (old, ready) = (vkey(&server), Barrier::new(AT_ONCE));
    let order = json!({ "overlap_s": 0 });
    let told: Vec<_> = thread::scope(|scope| {
        let rotating: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| {
                    ready.wait();
                    server.api("POST", "/api/v1/audit/rotate", Some(&order))
                })
            })
            .collect();
        let replies = rotating
            .into_iter()
            .map(|one| one.join().expect("an answer"));
        replies.collect()
    });
    for reply in &told {
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    let mut entries = server.entries("_host");
    entries.retain(|entry| entry["event"] == "key.rotated");
    assert_eq!(entries.len(), AT_ONCE);
    let mut before = old;
    for entry in &entries {
        assert_eq!(entry["actor"], "api_token:bootstrap", "{entry}");
        assert_eq!(
            entry["payload"]["before"]["vkey"],
            before.as_str(),
            "{entry}"
        );
        let answered = told
            .iter()
            .filter(|reply| reply.json()["rotated"] == entry["payload"]);
        assert_eq!(answered.count(), 1, "{entry}");
        before = entry["payload"]["vkey"].as_str().expect("a key").to_owned();
    }
    assert_eq!(vkey(&server), before);
    assert_eq!(server.verify("_host")["ok"], true);
}
