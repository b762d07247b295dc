//! A chain whose file was damaged while the server stood still: its tenant is held and says so
//! everywhere, and nobody else feels it.

use std::fs;

use serde_json::json;

use crate::{
    load::{Ledger, Sender},
    server::{DEADLINE, NO_RATIONS, Server, eventually, write},
};

#[test]
fn a_damaged_chain_is_held_and_named_and_its_neighbour_is_served() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), NO_RATIONS);
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    let (mut sender, mut neighbour) = (Sender::new(&server), Ledger::default());
    for n in 0..5 {
        sender.accepted(&acme, &format!("acme-{n}"));
        neighbour.keep(sender.accepted(&globex, &format!("globex-{n}")));
    }
    neighbour.await_verdicts(&server);
    assert!(server.terminate().success(), "a clean stop");

    let file = dir.path().join("journal/tenants/acme.jsonl");
    let chain = fs::read(&file).expect("acme's chain");
    write(&file, &chain[..chain.len() / 2]);

    let server = Server::start(dir.path(), NO_RATIONS);
    let mut sender = Sender::new(&server);
    let refused = sender.send(&acme, "acme-late").expect("an answer");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(refused.json()["code"], "chain_held");

    let health = server.get("/health/tenants/acme");
    assert_eq!(health["state"], "held", "{health}");
    let doubt = health["held_from_seq"].as_u64().expect("a seq in doubt");

    let verified = server.verify("acme");
    assert_eq!(verified["ok"], false, "{verified}");
    assert_eq!(verified["divergent_seq"], json!(doubt), "{verified}");

    neighbour.keep(sender.accepted(&globex, "globex-late"));
    neighbour.check(&server);
    assert_eq!(server.verify("globex")["ok"], true);

    let noted = eventually(DEADLINE, || {
        let entries = server.entries("_host");
        entries
            .into_iter()
            .find(|entry| entry["event"] == "journal.recovered")
    });
    let held = &noted["payload"]["held"];
    assert_eq!(
        held,
        &json!([{ "chain": "acme", "from_seq": doubt }]),
        "{noted}"
    );
}
