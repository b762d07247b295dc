//! What one tenant may use, and what is left when room runs short: daily quotas, a disk that is nearly
//! full, a tenant whose files cannot be written.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write as _,
    path::Path,
    process::Command,
};

use serde_json::{Value, json};

use crate::server::{DEADLINE, Http, NO_PROPOSALS, NO_RATIONS, Reply, Server, Tenant, eventually};

/// What an ordinary tool says; closed without anybody.
const QUIET: &str = "whoami /all";

fn post(http: &mut Http, tenant: &Tenant, n: usize) -> Reply {
    let body = tenant.body(&format!("{}-{n}", tenant.id), QUIET);
    tenant.post(http, "crowdstrike", &body)
}

fn code(reply: &Reply) -> String {
    reply.json()["code"].as_str().unwrap_or_default().to_owned()
}

/// The entries of a chain with this event.
fn told(server: &Server, chain: &str, event: &str) -> Vec<Value> {
    let entries = server.entries(chain).into_iter();
    entries.filter(|entry| entry["event"] == event).collect()
}

/// A tenant that has sent as much as it may in a day is told when to come back, also after a restart;
/// its chain says so once, and its neighbour has its own day.
#[test]
fn a_tenant_that_has_used_up_its_day_is_refused_until_the_next_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let env = [NO_RATIONS, &[("VYROX_LIMITS__TENANT_DAILY_ALERTS", "3")]].concat();
    let server = Server::start(dir.path(), &env);
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    let mut http = server.http();
    for n in 0..3 {
        assert_eq!(post(&mut http, &acme, n).status, 202);
    }
    let refused = |http: &mut Http| {
        for n in 3..6 {
            let reply = post(http, &acme, n);
            assert_eq!(reply.status, 429, "{reply:?}");
            assert_eq!(code(&reply), "daily_quota_exceeded");
            let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=86_400).contains(&wait), "{wait}");
        }
        let repeat = post(http, &acme, 0);
        assert_eq!(repeat.status, 200, "a repeat is none of it: {repeat:?}");
    };
    refused(&mut http);
    assert_eq!(post(&mut http, &globex, 0).status, 202);
    let reading = r#"vyrox_alerts_total{tenant="acme",outcome="over_quota"}"#;
    let metrics = server.http().get("/metrics", &[]).text();
    assert!(metrics.contains(&format!("{reading} 3")), "{metrics}");
    assert!(server.terminate().success());
    let server = Server::start(dir.path(), &env);
    refused(&mut server.http());
    let noted = told(&server, "acme", "intake.rejected");
    assert_eq!(noted.len(), 1, "{noted:?}");
    assert_eq!(noted[0]["payload"]["reason"], "daily_quota");
    assert_eq!(noted[0]["payload"]["evidence"], json!([]));
    assert_eq!(told(&server, "acme", "alert.received").len(), 3);
    assert_eq!(server.verify("acme")["ok"], true);
    // Whoever gives the tenant more has its alerts.
    assert!(server.terminate().success());
    let more = [NO_RATIONS, &[("VYROX_LIMITS__TENANT_DAILY_ALERTS", "0")]].concat();
    let server = Server::start(dir.path(), &more);
    assert_eq!(post(&mut server.http(), &acme, 3).status, 202);
}

/// A file system of its own in memory; gone with the value.
struct Small(tempfile::TempDir);

impl Small {
    /// None where only the superuser could make one.
    fn mount(size: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            return None;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("size={size}"));
        let mounted = mount.arg("tmpfs").arg(dir.path()).status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self(dir))
    }

    /// A file that leaves so many bytes free.
    fn fill(&self, free: u64) -> impl Fn() + use<> {
        let path = self.0.path().join("ballast");
        let mut ballast = File::create(&path).expect("a file");
        let some = vec![7; 1 << 16];
        while ballast.write_all(&some).is_ok() {}
        let len = ballast.metadata().expect("a file").len();
        ballast.set_len(len - free).expect("shorter");
        move || fs::remove_file(&path).expect("the ballast")
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

/// Alerts took the last room of a disk, and what had become of containments could not be written down.
#[test]
fn a_disk_that_is_nearly_full_takes_no_alerts_and_the_rest_goes_on() {
    // A sixteenth of it, 4 MiB, is kept free.
    let Some(small) = Small::mount("64m") else {
        println!("SKIPPED: only the superuser can mount a small file system");
        return;
    };
    let env = [
        NO_RATIONS,
        &[
            NO_PROPOSALS,
            ("VYROX_STORAGE__SEGMENT_BYTES", "1048576"),
            ("VYROX_STORAGE__CHECKPOINT_MS", "10"),
        ],
    ];
    let server = Server::start(&small.0.path().join("data"), &env.concat());
    let acme = server.add_tenant("acme");
    let mut http = server.http();
    let first = acme.alert(&mut http, "crowdstrike", &acme.body("acme-0", QUIET));
    server.judged("acme", first["alert_id"].as_str().expect("an id"));
    let make_room = small.fill(3 << 20);
    let ready = || server.get("/health/ready");
    eventually(DEADLINE, || (ready()["disk_scarce"] == true).then_some(()));
    assert_eq!(server.metric("vyrox_journal_disk_scarce"), 1);
    let before = server.entries("acme").len();
    for n in 1..20 {
        let reply = post(&mut http, &acme, n);
        assert_eq!(reply.status, 503, "{reply:?}");
        assert_eq!(code(&reply), "storage_full");
        assert_eq!(reply.header("retry-after"), Some("30"));
    }
    let repeat = post(&mut http, &acme, 0);
    assert_eq!(repeat.status, 200, "what is there is known: {repeat:?}");
    assert_eq!(server.entries("acme").len(), before, "nothing was kept");
    server.add_tenant("globex");
    make_room();
    eventually(DEADLINE, || {
        (post(&mut http, &acme, 1).status == 202).then_some(())
    });
    assert_eq!(ready()["disk_scarce"], Value::Null);
    assert_eq!(server.verify("acme")["ok"], true);
    let machine = server.node("tenant/acme/machine");
    assert_eq!(
        machine["restarts"], 0,
        "it never decided in vain: {machine}"
    );
    assert!(server.terminate().success());
}

/// The hashes of all entries that the journal's log and its side files have.
fn kept(journal: &Path) -> BTreeSet<String> {
    const BEFORE: &[u8] = b"\"hash\":\"";
    let mut hashes = BTreeSet::new();
    for folder in [journal.to_path_buf(), journal.join("held")] {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("a file").path();
            let name = path.file_name().and_then(|name| name.to_str());
            if !name.is_some_and(|name| name.starts_with("seg-")) {
                continue;
            }
            let bytes = fs::read(&path).expect("a file");
            let mut rest = bytes.as_slice();
            while let Some(quote) = rest.iter().position(|byte| *byte == b'"') {
                rest = &rest[quote..];
                if let Some(hash) = rest.strip_prefix(BEFORE).and_then(|rest| rest.get(..64)) {
                    hashes.insert(String::from_utf8_lossy(hash).into_owned());
                }
                rest = &rest[1..];
            }
        }
    }
    hashes
}

/// A tenant whose files could not be written kept its entries in the log, until that could not grow any
/// more and everybody was refused.
#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one story from its beginning to its end"
)]
fn a_tenant_whose_files_cannot_be_written_is_held_before_others_feel_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let env = [
        NO_RATIONS,
        &[
            NO_PROPOSALS,
            ("VYROX_STORAGE__SEGMENT_BYTES", "1048576"),
            ("VYROX_STORAGE__CHECKPOINT_MS", "10"),
        ],
    ];
    let server = Server::start(dir.path(), &env.concat());
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    let mut http = server.http();
    assert_eq!(post(&mut http, &acme, 0).status, 202);
    let proven = server.export("acme").len();
    let journal = dir.path().join("journal");
    let store = journal.join("evidence/acme.ev");
    fs::rename(&store, store.with_extension("kept")).expect("the store");
    fs::create_dir(&store).expect("a folder in its place");
    let mut receipts = Vec::new();
    let mut n = 0;
    // A body that stays under way long enough for the tenant to be held gets 503, and is sent again.
    let stands_in = eventually(DEADLINE * 4, || {
        let mut body = acme.body(&format!("wide-{n}"), QUIET);
        body.resize(200_000, b' ');
        let reply = acme.post(&mut http, "crowdstrike", &body);
        assert_eq!(post(&mut http, &globex, n).status / 100, 2, "others go on");
        let answer = reply.json();
        match (reply.status, answer["status"].as_str()) {
            (202, Some("held")) => return Some(answer["receipt"]["chain"].clone()),
            (202, _) => receipts.push(answer["receipt"]["hash"].clone()),
            (503, _) => return None,
            _ => panic!("{reply:?}"),
        }
        n += 1;
        if n == 5 {
            let health = server.await_health("acme", |health| health["state"] == "degraded");
            assert!(health["unwritable"].is_string(), "{health}");
        }
        None
    });
    assert!(stands_in.as_str().unwrap().starts_with("acme+held-"));
    let quarantined = eventually(DEADLINE, || {
        Some(told(&server, "_host", "journal.quarantined")).filter(|told| !told.is_empty())
    });
    let [quarantined] = &quarantined[..] else {
        panic!("told more than once: {quarantined:?}");
    };
    assert_eq!(quarantined["payload"]["tenant_id"], "acme");
    let from = quarantined["payload"]["from_seq"].as_u64().expect("a seq");
    assert!(usize::try_from(from).unwrap() >= proven, "{from}");
    let health = server.await_health("acme", |health| health["state"] == "held");
    assert_eq!(health["held_from_seq"], from);
    assert_eq!(server.metric("vyrox_journal_chains_quarantined"), 1);
    eventually(DEADLINE, || {
        (server.metric("vyrox_journal_segments") < 10).then_some(())
    });
    let there = kept(&journal);
    for hash in &receipts {
        assert!(there.contains(hash.as_str().unwrap()), "{hash} is gone");
    }
    assert!(server.terminate().success(), "nothing waits for its file");
    let server = Server::start(dir.path(), &env.concat());
    server.await_health("acme", |health| health["state"] == "held");
    let reply = post(&mut server.http(), &acme, 1);
    assert_eq!(reply.json()["receipt"]["chain"], stands_in, "{reply:?}");
    assert_eq!(server.verify("globex")["ok"], true);
}
