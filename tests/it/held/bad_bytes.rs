//! What was kept for a held tenant turns bad before it is taken over.

use super::*;

fn flip(file: &Path, place: impl FnOnce(&[u8]) -> usize) {
    let mut bytes = fs::read(file).expect("a file");
    let place = place(&bytes);
    bytes[place] ^= 1;
    write(file, &bytes);
}

/// One bad byte on the chain that stood in, or in its evidence, ended all intake of the tenant once it was
/// repaired, and nothing brought it back. And an alert whose evidence was gone looked like one without any.
#[test]
fn one_bad_byte_where_alerts_were_kept_ends_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let (acme, lines) = stopped(dir.path(), 2);
    lose(dir.path(), "acme", lines.len() - 1);
    let server = Server::start(dir.path(), NO_RATIONS);
    let mut sender = Sender::new(&server);
    let waiting: Vec<_> = (0..3)
        .map(|n| kept(&mut sender, &acme, &format!("late-{n}")))
        .collect();
    let chain = waiting[0].1.clone();
    assert!(server.terminate().success(), "a clean stop");
    let place = |name: String| dir.path().join("journal").join(name);
    flip(&place(format!("tenants/{chain}.jsonl")), |bytes| {
        let text = String::from_utf8_lossy(bytes);
        text.find("late-0").expect("the first alert") + 5
    });
    flip(&place(format!("evidence/{chain}.ev")), |bytes| {
        bytes.len() - 10
    });

    let server = Server::start(dir.path(), NO_RATIONS);
    let repaired = server.cli(&["audit", "repair", "acme", "--accept-loss"]);
    assert!(repaired.status.success(), "{repaired:?}");
    server.await_health("acme", |health| health["state"] == "serving");
    let mut sender = Sender::new(&server);
    let fresh = sender.accepted(&acme, "fresh");
    server.judged("acme", &fresh.alert_id);
    let entries = server.entries("acme");
    let incomplete = entries
        .iter()
        .find(|entry| entry["event"] == "takeover.incomplete");
    let facts = &incomplete.expect("an entry")["payload"];
    let missing = json!({ "chain": chain, "missing": 1, "from_seq": waiting[0].0.seq });
    assert_eq!(*facts, missing);
    for (n, left) in [(1, "kept"), (2, "damaged")] {
        let alert_id = &waiting[n].0.alert_id;
        server.judged("acme", alert_id);
        let path = format!("/api/v1/alerts/{alert_id}?tenant_id=acme&evidence=true");
        let shown = server.api("GET", &path, None).json();
        assert_eq!(shown["evidence"], left, "{shown}");
        assert_eq!(shown["evidence_lost"].is_null(), left == "kept", "{shown}");
    }
    let lost = &waiting[2].0.alert_id;
    let told = server.cli(&["alert", "show", lost, "--tenant", "acme"]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("evidence  damaged"), "{told}");
    assert_eq!(server.verify("acme")["ok"], true);
    let known = server.cli(&["audit", "repair", "acme"]);
    let known = String::from_utf8_lossy(&known.stdout).into_owned();
    assert!(known.contains("a loss was accepted"), "{known}");
}
