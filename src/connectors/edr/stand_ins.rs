//! SentinelOne's and Defender's connectors against the strict stand-ins: the whole way of each action there
//! and back, and every fault. A request that breaks a vendor's contract fails the test that made it.

use std::sync::Arc;

use serde_json::Value;
use vyrox_actors::edr::{Edr, EdrCredential, EdrError, EffectSeen, Sent};
use vyrox_domain::{
    action::{
        ActionManifest,
        ActionType::{
            self, FileQuarantine, HashBlock, HostIsolation, NetworkQuarantine, ProcessKill,
        },
    },
    time::Timestamp,
    vendor::Vendor,
    webhook::Secret,
};

use super::{
    Line, Pace,
    approved::{manifest, signed},
    defender::Defender,
    scripted::settings,
    sentinelone::Sentinelone,
    unguarded,
};
use crate::{
    mock_edr::{Answer, ComeAgain, Fault, Host, MockEdr, MockSettings, Route},
    scenario::Scenario,
};

const HASH: &str = "abababababababababababababababababababababababababababababababab";
const SHA1: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
const VENDORS: [Vendor; 2] = [Vendor::Sentinelone, Vendor::Defender];

/// A stand-in with one host, and the connector to it.
struct Bench {
    mock: MockEdr,
    vendor: Vendor,
    edr: Arc<dyn Edr>,
    device: String,
    threat: String,
}

impl Bench {
    fn new(vendor: Vendor) -> Self {
        let settings = settings();
        let mock = MockEdr::start(MockSettings::default()).unwrap();
        let given = mock.credential(vendor);
        let credential = EdrCredential {
            version: 1,
            base_url: given.base_url.clone(),
            login_url: given.login_url.clone(),
            client_id: given.client_id.clone(),
            secret: Secret::new(given.secret.clone().into_bytes()),
            realm: given.realm.clone(),
        };
        let line = Arc::new(Line::new(Pace {
            per_s: 1_000,
            burst: 1_000,
        }));
        let edr: Arc<dyn Edr> = match vendor {
            Vendor::Sentinelone => {
                Arc::new(Sentinelone::new(&credential, settings, line).ok().unwrap())
            }
            _ => Arc::new(Defender::new(&credential, settings, line).ok().unwrap()),
        };
        let sighting = &Scenario::Mimikatz.sightings()[0];
        let threat = mock.add_sighting(vendor, sighting, Timestamp::from_s(1_768_471_200));
        let device = sighting.device_id(vendor);
        if mock.host(vendor, &device).is_none() {
            mock.add_host(Host::new(vendor, &device, "ws-1"));
        }
        Self {
            mock,
            vendor,
            edr,
            device,
            threat,
        }
    }

    fn manifest(&self, action: ActionType, undo: bool) -> ActionManifest {
        let parameters: &[(&str, &str)] = match (action, self.vendor) {
            (HostIsolation, _) => &[],
            (HashBlock, _) => &[("sha256", HASH), ("platform", "windows")],
            (FileQuarantine, Vendor::Defender) => &[("sha1", SHA1)],
            (FileQuarantine | ProcessKill | NetworkQuarantine, _) => &[("threat_id", &self.threat)],
        };
        manifest(self.vendor, &self.device, action, parameters, undo)
    }

    async fn read(&self, action: ActionType, undo: bool, known: Option<&str>) -> EffectSeen {
        let reading = self.edr.read(&self.manifest(action, undo), known).await;
        reading.unwrap().effect
    }

    async fn send(
        &self,
        action: ActionType,
        undo: bool,
        known: Option<&str>,
    ) -> Result<Sent, EdrError> {
        let action = signed(&self.manifest(action, undo));
        self.edr.send(&action, known, unguarded()).await
    }

    /// Reads until nothing is pending any more.
    async fn settled(&self, action: ActionType, undo: bool, known: Option<&str>) -> EffectSeen {
        for _ in 0..10 {
            let effect = self.read(action, undo, known).await;
            if effect != EffectSeen::Pending {
                return effect;
            }
        }
        EffectSeen::Pending
    }

    fn contract_is_kept(&self) {
        assert_eq!(self.mock.violations(), [""; 0]);
    }
}

/// What each can do, and whether it can be taken back.
const ABLE: [(Vendor, ActionType, bool); 8] = [
    (Vendor::Sentinelone, HostIsolation, true),
    (Vendor::Sentinelone, ProcessKill, false),
    (Vendor::Sentinelone, FileQuarantine, true),
    (Vendor::Sentinelone, NetworkQuarantine, false),
    (Vendor::Sentinelone, HashBlock, true),
    (Vendor::Defender, HostIsolation, true),
    (Vendor::Defender, FileQuarantine, false),
    (Vendor::Defender, HashBlock, true),
];

#[tokio::test]
async fn every_action_goes_there_and_back() {
    for (vendor, action, reversible) in ABLE {
        for settle_after in [0, 2] {
            let bench = Bench::new(vendor);
            bench.mock.set_settle_after(settle_after);
            let before = bench.read(action, false, None).await;
            assert_eq!(before, EffectSeen::NotInEffect, "{vendor} {action}");
            let sent = bench.send(action, false, None).await.unwrap();
            let known = sent.reference.as_deref();
            let after = bench.settled(action, false, known).await;
            assert_eq!(after, EffectSeen::InEffect, "{vendor} {action}");
            if reversible {
                let held = bench.read(action, true, known).await;
                assert_eq!(held, EffectSeen::NotInEffect, "{vendor} {action}");
                let undone = bench.send(action, true, known).await.unwrap();
                let known = undone.reference.as_deref().or(known);
                let after = bench.settled(action, true, known).await;
                assert_eq!(after, EffectSeen::InEffect, "{vendor} {action}");
                assert_eq!(
                    bench.read(action, false, None).await,
                    EffectSeen::NotInEffect
                );
            }
            bench.contract_is_kept();
        }
    }
}

/// The answer that named our request may be lost with the process that waited for it.
#[tokio::test]
async fn what_was_sent_is_known_again_without_its_name() {
    for (vendor, action, reversible) in ABLE {
        let bench = Bench::new(vendor);
        bench.send(action, false, None).await.unwrap();
        let seen = bench.settled(action, false, None).await;
        assert_eq!(seen, EffectSeen::InEffect, "{vendor} {action}");
        if reversible {
            bench.send(action, true, None).await.unwrap();
            let seen = bench.settled(action, true, None).await;
            assert_eq!(seen, EffectSeen::InEffect, "{vendor} {action}");
        }
        bench.contract_is_kept();
    }
}

#[tokio::test]
async fn a_host_that_is_away_complies_when_it_is_back() {
    for vendor in VENDORS {
        let bench = Bench::new(vendor);
        bench.mock.set_online(&bench.device, false);
        let sent = bench.send(HostIsolation, false, None).await.unwrap();
        let known = sent.reference.as_deref();
        let seen = bench.settled(HostIsolation, false, known).await;
        assert_eq!(seen, EffectSeen::Pending, "{vendor}");
        // A second request changes nothing and is as good as the first.
        let again = bench.send(HostIsolation, false, known).await.unwrap();
        assert_eq!(again.reference, sent.reference, "{vendor}");
        bench.mock.set_online(&bench.device, true);
        let seen = bench.settled(HostIsolation, false, known).await;
        assert_eq!(seen, EffectSeen::InEffect, "{vendor}");
        bench.contract_is_kept();
    }
}

#[tokio::test]
async fn a_machine_action_that_ends_otherwise_has_failed() {
    for status in ["Failed", "TimeOut", "Cancelled"] {
        let bench = Bench::new(Vendor::Defender);
        bench.mock.set_online(&bench.device, false);
        let sent = bench.send(HostIsolation, false, None).await.unwrap();
        let known = sent.reference.as_deref();
        assert!(bench.mock.end_action(known.unwrap(), status));
        for known in [known, None] {
            let seen = bench.read(HostIsolation, false, known).await;
            assert_eq!(seen, EffectSeen::Failed, "{status}");
        }
        bench.contract_is_kept();
    }
}

#[tokio::test]
async fn a_host_that_nobody_knows_is_cut_off_by_no_one() {
    for vendor in VENDORS {
        let mut bench = Bench::new(vendor);
        bench.device = "0000000000000000000000000000000000000009".to_owned();
        let seen = bench.read(HostIsolation, false, None).await;
        assert_ne!(seen, EffectSeen::InEffect, "{vendor}");
        let sent = bench.send(HostIsolation, false, None).await;
        assert!(
            matches!(sent, Err(EdrError::Refused { .. })),
            "{vendor} {sent:?}"
        );
        bench.contract_is_kept();
    }
}

#[tokio::test]
async fn alerts_come_one_page_after_the_other_and_whole() {
    for vendor in VENDORS {
        let bench = Bench::new(vendor);
        let sighting = &Scenario::Mimikatz.sightings()[0];
        let begin = Timestamp::from_s(1_768_471_200);
        let mut expected = vec![bench.threat.clone()];
        for n in 1..=6 {
            expected.push(
                bench
                    .mock
                    .add_sighting(vendor, sighting, begin.plus_ms(n * 60_000)),
            );
        }
        let (mut from, to, mut found) = (begin, begin.plus_ms(420_000), Vec::new());
        while from < to {
            let polled = bench.edr.poll(from, to, 3).await.unwrap();
            assert!(polled.alerts.len() <= 3 && polled.up_to > from, "{vendor}");
            from = polled.up_to;
            found.extend(polled.alerts);
        }
        let mut ids: Vec<String> = found.iter().map(|one| text(one, "/id")).collect();
        ids.dedup();
        assert_eq!(ids, expected, "{vendor}");
        let one = bench.edr.alert(&bench.threat).await.unwrap().unwrap();
        let device = match vendor {
            Vendor::Sentinelone => "/agentRealtimeInfo/agentId",
            _ => "/machineId",
        };
        assert_eq!(text(&one, device), bench.device);
        assert_eq!(bench.edr.alert("4000000000000000000").await, Ok(None));
        bench.edr.check().await.unwrap();
        bench.contract_is_kept();
    }
}

fn text(alert: &[u8], pointer: &str) -> String {
    let alert: Value = serde_json::from_slice(alert).unwrap();
    alert.pointer(pointer).unwrap().as_str().unwrap().to_owned()
}

fn name<T>(outcome: &Result<T, EdrError>) -> &'static str {
    match outcome {
        Ok(_) => "done",
        Err(EdrError::Refused { .. }) => "refused",
        Err(EdrError::NotAuthorised { .. }) => "not authorised",
        Err(EdrError::Busy { retry_at: None, .. }) => "busy",
        Err(EdrError::Busy {
            retry_at: Some(_), ..
        }) => "busy until",
        Err(EdrError::Ambiguous { .. }) => "ambiguous",
        Err(EdrError::Unsent { .. }) => "unsent",
    }
}

/// What each fault comes to, for a request that changes something and for one that reads.
fn faults() -> Vec<(Answer, &'static str, &'static str)> {
    let elsewhere = Answer::Redirect("https://elsewhere.example/".to_owned());
    vec![
        (Answer::Status(400), "refused", "refused"),
        (Answer::Status(403), "refused", "refused"),
        (Answer::Status(404), "refused", "refused"),
        (Answer::Status(409), "refused", "refused"),
        (Answer::Status(500), "ambiguous", "unsent"),
        (Answer::Status(502), "busy", "busy"),
        (Answer::Status(503), "busy", "busy"),
        (Answer::Status(504), "busy", "busy"),
        (Answer::TooMany(ComeAgain::Unsaid), "busy", "busy"),
        (
            Answer::TooMany(ComeAgain::Seconds(7)),
            "busy until",
            "busy until",
        ),
        (
            Answer::TooMany(ComeAgain::Date(7)),
            "busy until",
            "busy until",
        ),
        (
            Answer::TooMany(ComeAgain::Epoch(7)),
            "busy until",
            "busy until",
        ),
        (Answer::ErrorsInside, "refused", "refused"),
        (Answer::Reset, "ambiguous", "unsent"),
        (Answer::BrokenOff, "ambiguous", "unsent"),
        (Answer::Garbled, "ambiguous", "unsent"),
        (Answer::WrongType, "ambiguous", "unsent"),
        (Answer::Huge(true), "ambiguous", "unsent"),
        (Answer::Huge(false), "ambiguous", "unsent"),
        (elsewhere, "refused", "refused"),
    ]
}

#[tokio::test]
async fn every_fault_has_its_outcome_and_nothing_is_sent_twice() {
    for vendor in VENDORS {
        let state = match vendor {
            Vendor::Sentinelone => Route::ReadHost,
            _ => Route::FindActions,
        };
        for (answer, sending, reading) in faults() {
            let bench = Bench::new(vendor);
            bench
                .mock
                .fault(Fault::once(vendor, Route::Contain, answer.clone()));
            let sent = bench.send(HostIsolation, false, None).await;
            assert_eq!(name(&sent), sending, "{vendor} {answer:?} {sent:?}");
            assert_eq!(
                bench.mock.count(vendor, Route::Contain),
                1,
                "{vendor} {answer:?}"
            );
            bench.contract_is_kept();

            let bench = Bench::new(vendor);
            bench.mock.fault(Fault::once(vendor, state, answer.clone()));
            let read = bench
                .edr
                .read(&bench.manifest(HostIsolation, false), None)
                .await;
            assert_eq!(name(&read), reading, "{vendor} {answer:?} {read:?}");
            bench.contract_is_kept();
        }
    }
}

#[tokio::test]
async fn what_took_effect_without_an_answer_is_seen() {
    for vendor in VENDORS {
        for answer in [Answer::Reset, Answer::Status(500), Answer::Garbled] {
            let bench = Bench::new(vendor);
            let fault = Fault::once(vendor, Route::Contain, answer).applied();
            bench.mock.fault(fault);
            let sent = bench.send(HostIsolation, false, None).await;
            assert_eq!(name(&sent), "ambiguous", "{vendor}");
            let seen = bench.settled(HostIsolation, false, None).await;
            assert_eq!(seen, EffectSeen::InEffect, "{vendor}");
        }
    }
}

#[tokio::test]
async fn a_token_that_holds_no_longer_is_replaced() {
    let bench = Bench::new(Vendor::Defender);
    bench.edr.check().await.unwrap();
    bench.mock.expire_tokens();
    bench.send(HostIsolation, false, None).await.unwrap();
    let tokens = bench.mock.count(Vendor::Defender, Route::Token);
    assert_eq!(tokens, 2);
    let isolated = bench.mock.changes(Vendor::Defender, &bench.device);
    assert_eq!(isolated.iter().filter(|call| call.applied).count(), 1);
    bench.contract_is_kept();
}
