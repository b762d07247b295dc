//! Load, and what it leaves behind: senders, the receipts that they were given, and the proof that
//! every receipt stands in its chain. The chains are checked here by the published formula, with no
//! code of the server's.

use std::{
    collections::{BTreeMap, HashSet, btree_map::Entry},
    fmt, io,
    time::Duration,
};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::server::{
    DEADLINE, Http, Reply, Server, Tenant, eventually, request_bytes, sign, unix_s,
};

/// A command line that the rules know to be harmful.
pub(crate) const HARMFUL: &str = "mimikatz.exe privilege::debug sekurlsa::logonpasswords exit";

/// What the server promised about one alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) tenant: String,
    /// The vendor's id, by which the test knows it.
    pub(crate) detect_id: String,
    pub(crate) alert_id: String,
    pub(crate) seq: u64,
    pub(crate) hash: String,
}

impl Receipt {
    /// Reads a 200 or 202.
    pub(crate) fn read(tenant: &Tenant, detect_id: &str, reply: &Reply) -> Self {
        let body = reply.json();
        let text = |value: &Value| {
            value
                .as_str()
                .unwrap_or_else(|| panic!("{body}"))
                .to_owned()
        };
        Self {
            tenant: tenant.id.clone(),
            detect_id: detect_id.to_owned(),
            alert_id: text(&body["alert_id"]),
            seq: body["receipt"]["seq"]
                .as_u64()
                .unwrap_or_else(|| panic!("{body}")),
            hash: text(&body["receipt"]["hash"]),
        }
    }
}

/// One connection that posts alerts in tenants' names.
pub(crate) struct Sender {
    http: Http,
}

impl Sender {
    pub(crate) fn new(server: &Server) -> Self {
        Self {
            http: server.http(),
        }
    }

    /// Posts the alert `detect_id`; the same id is always the same body.
    pub(crate) fn send(&mut self, tenant: &Tenant, detect_id: &str) -> io::Result<Reply> {
        let body = tenant.body(detect_id, HARMFUL);
        let signature = sign(&tenant.secret, &body);
        let headers = [
            ("content-type", "application/json"),
            ("x-vyrox-signature", signature.as_str()),
        ];
        self.http.try_send(&request_bytes(
            "POST",
            "/webhook/crowdstrike",
            &headers,
            &body,
        ))
    }

    /// Posts an alert that must be taken in as new.
    #[track_caller]
    pub(crate) fn accepted(&mut self, tenant: &Tenant, detect_id: &str) -> Receipt {
        let reply = self
            .send(tenant, detect_id)
            .unwrap_or_else(|why| panic!("{detect_id} of {} got no answer: {why}", tenant.id));
        assert_eq!(
            reply.status,
            202,
            "{detect_id} of {}: {}",
            tenant.id,
            reply.text()
        );
        Receipt::read(tenant, detect_id, &reply)
    }
}

/// All receipts of a test, by their place.
#[derive(Default)]
pub(crate) struct Ledger {
    chains: BTreeMap<String, BTreeMap<u64, Receipt>>,
    /// The last entry of each chain when it was last looked at.
    seen: BTreeMap<String, (usize, String)>,
}

impl Ledger {
    /// Keeps a receipt. The place may be known only for the very same alert.
    pub(crate) fn keep(&mut self, receipt: Receipt) {
        let chain = self.chains.entry(receipt.tenant.clone()).or_default();
        match chain.entry(receipt.seq) {
            Entry::Vacant(place) => {
                place.insert(receipt);
            }
            Entry::Occupied(place) => {
                assert_eq!(*place.get(), receipt, "one seq was given to two alerts");
            }
        }
    }

    pub(crate) fn keep_all(&mut self, receipts: impl IntoIterator<Item = Receipt>) {
        for receipt in receipts {
            self.keep(receipt);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.chains.values().map(BTreeMap::len).sum()
    }

    pub(crate) fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        self.chains.values().flat_map(BTreeMap::values)
    }

    /// Every chain is whole, still holds what it held when it was last looked at, and holds every
    /// receipt.
    pub(crate) fn check(&mut self, server: &Server) {
        for tenant in self.chains.keys().cloned().collect::<Vec<_>>() {
            let lines = server.export(&tenant);
            self.check_lines(&tenant, &lines);
            let report = server.verify(&tenant);
            assert_eq!(report["ok"], true, "chain of {tenant}: {report}");
            let last = lines.len() as u64;
            assert!(
                report["entries"].as_u64() >= Some(last),
                "the export of {tenant} has {last} lines, its chain {report}"
            );
        }
    }

    /// The same for lines from anywhere.
    pub(crate) fn check_lines(&mut self, tenant: &str, lines: &[String]) {
        let hashes = proven(tenant, lines);
        for (seq, receipt) in &self.chains[tenant] {
            let found = usize::try_from(*seq).ok().and_then(|seq| hashes.get(seq));
            assert_eq!(
                found,
                Some(&receipt.hash),
                "acknowledged, and not in the chain of {} entries: {receipt:?}",
                hashes.len()
            );
        }
        if let Some((at, hash)) = self.seen.get(tenant) {
            assert_eq!(
                hashes.get(*at),
                Some(hash),
                "entry {at} of {tenant} was read before and is another one now"
            );
        }
        if let Some(last) = hashes.last() {
            self.seen
                .insert(tenant.to_owned(), (hashes.len() - 1, last.clone()));
        }
    }

    /// Waits until every acknowledged alert has exactly one verdict in its chain.
    pub(crate) fn await_verdicts(&self, server: &Server) {
        for (tenant, receipts) in &self.chains {
            let entries = eventually(DEADLINE, || {
                let entries = server.entries(tenant);
                let judged: HashSet<&str> = triaged(&entries).collect();
                let all = receipts
                    .values()
                    .all(|receipt| judged.contains(receipt.alert_id.as_str()));
                all.then_some(entries)
            });
            let mut once = HashSet::new();
            for alert_id in triaged(&entries) {
                assert!(
                    once.insert(alert_id),
                    "{alert_id} of {tenant} was judged twice"
                );
            }
        }
    }
}

fn triaged(entries: &[Value]) -> impl Iterator<Item = &str> {
    entries
        .iter()
        .filter(|entry| entry["event"] == "alert.triaged")
        .filter_map(|entry| entry["alert_id"].as_str())
}

/// The hashes of a chain's lines, each of which follows from the one before it.
pub(crate) fn proven(tenant: &str, lines: &[String]) -> Vec<String> {
    let mut previous = "0".repeat(64);
    let mut hashes = Vec::with_capacity(lines.len());
    for (seq, line) in lines.iter().enumerate() {
        let mut entry: BTreeMap<String, Value> = serde_json::from_str(line)
            .unwrap_or_else(|why| panic!("half an entry at {seq} of {tenant} ({why}): {line}"));
        let canonical = serde_json::to_string(&entry).expect("it was JSON");
        assert_eq!(canonical, *line, "entry {seq} of {tenant} is not canonical");
        assert_eq!(
            entry["seq"], seq,
            "the seqs of {tenant} have a gap or repeat: {line}"
        );
        assert_eq!(entry["tenant_id"], *tenant, "{line}");
        assert_eq!(
            entry["previous_hash"], previous,
            "{tenant} is broken before {line}"
        );
        let hash = entry.remove("hash").expect("an entry has a hash");
        let rest = serde_json::to_string(&entry).expect("it was JSON");
        let computed = hex::encode(Sha256::digest(format!("{previous}|{rest}")));
        assert_eq!(
            hash, computed,
            "the hash of {line} is not that of its content"
        );
        hashes.push(computed.clone());
        previous = computed;
    }
    hashes
}

/// Times of answers, for people to read.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn extend(&mut self, times: &[Duration]) {
        self.0.extend_from_slice(times);
    }

    pub(crate) fn as_slice(&self) -> &[Duration] {
        &self.0
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        write!(f, "n {:>6}", sorted.len())?;
        for (name, per_mille) in [("p50", 500), ("p90", 900), ("p99", 990), ("max", 1000)] {
            let at = (sorted.len() * per_mille / 1000).min(sorted.len().saturating_sub(1));
            let time = sorted.get(at).copied().unwrap_or_default();
            write!(f, "  {name} {:>8.2} ms", time.as_secs_f64() * 1e3)?;
        }
        Ok(())
    }
}

/// Random numbers that a seed repeats (`SplitMix64`, written out so that a seed means the same for
/// ever).
pub(crate) struct Dice(u64);

impl Dice {
    /// Seeded from `VYROX_SEED`, else from the clock; the seed is printed.
    #[expect(
        clippy::disallowed_methods,
        reason = "a run that failed is repeated by its seed"
    )]
    pub(crate) fn announced(test: &str) -> Self {
        let given = std::env::var("VYROX_SEED").ok();
        let seed = given
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(unix_s);
        println!("{test}: VYROX_SEED={seed}");
        Self(seed)
    }

    /// From `low` to `high`, both possible.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    /// A place among `len`, which is more than 0.
    #[cfg(feature = "fault-injection")]
    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.next() % len as u64).expect("it came from a usize")
    }

    /// Dice for somebody else.
    pub(crate) fn another(&mut self) -> Self {
        Self(self.next())
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
