//! The whole way against the strict stand-in: every request is one that Falcon's contract has.

use super::*;
use crate::mock_edr::{Answer, Fault, Host, MockEdr, MockSettings, Network, Process, Route};

const PID: u32 = 4711;
const SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85f";

fn started() -> (MockEdr, Crowdstrike) {
    // A second installation in the same process fails, which is as good as the first.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let mock = MockEdr::start(MockSettings::default()).unwrap();
    let mut host = Host::new(Vendor::Crowdstrike, DEVICE, "ws-1");
    let running = |pid: u32| Process {
        pid,
        image: if pid == PID {
            "evil.exe"
        } else {
            "svchost.exe"
        }
        .to_owned(),
    };
    // More than one piece of an answer can hold.
    host.processes = (4_700..4_730).map(running).collect();
    mock.add_host(host);
    let theirs = mock.credential(Vendor::Crowdstrike).clone();
    let credential = EdrCredential {
        version: 1,
        base_url: theirs.base_url,
        login_url: None,
        client_id: theirs.client_id,
        secret: Secret::new(theirs.secret.into_bytes()),
        realm: None,
    };
    let settings = WireSettings {
        timeout: Duration::from_secs(20),
        allow_private: true,
    };
    let pace = Pace {
        per_s: 1_000,
        burst: 1_000,
    };
    let line = Arc::new(Line::new(pace));
    (mock, Crowdstrike::new(&credential, settings, line).unwrap())
}

fn well_behaved(mock: &MockEdr) {
    let violations = mock.violations();
    assert!(violations.is_empty(), "{violations:#?}");
}

async fn effect(edr: &Crowdstrike, manifest: &ActionManifest) -> EffectSeen {
    edr.read(manifest, None).await.unwrap().effect
}

#[tokio::test]
async fn a_host_is_cut_off_and_let_back() {
    let (mock, edr) = started();
    assert_eq!(edr.check().await.unwrap().note, "hosts that can be read: 7");
    assert_eq!(
        effect(&edr, &isolation(false)).await,
        EffectSeen::NotInEffect
    );
    mock.set_settle_after(1);
    edr.0
        .send(&isolation(false), None, &unguarded())
        .await
        .unwrap();
    assert_eq!(effect(&edr, &isolation(false)).await, EffectSeen::Pending);
    assert_eq!(effect(&edr, &isolation(false)).await, EffectSeen::InEffect);
    mock.expire_tokens();
    edr.0
        .send(&isolation(true), None, &unguarded())
        .await
        .unwrap();
    assert_eq!(effect(&edr, &isolation(true)).await, EffectSeen::Pending);
    assert_eq!(effect(&edr, &isolation(true)).await, EffectSeen::InEffect);
    let again = edr
        .0
        .send(&isolation(true), None, &unguarded())
        .await
        .unwrap();
    assert_eq!(again.status, 409);
    let host = mock.host(Vendor::Crowdstrike, DEVICE).unwrap();
    assert_eq!(host.network, Network::Normal);
    assert_eq!(mock.count(Vendor::Crowdstrike, Route::Token), 2);
    well_behaved(&mock);
}

#[tokio::test]
async fn a_host_that_is_away_is_contained_when_it_comes_back() {
    let (mock, edr) = started();
    mock.set_online(DEVICE, false);
    edr.0
        .send(&isolation(false), None, &unguarded())
        .await
        .unwrap();
    assert_eq!(effect(&edr, &isolation(false)).await, EffectSeen::Pending);
    mock.set_online(DEVICE, true);
    assert_eq!(effect(&edr, &isolation(false)).await, EffectSeen::InEffect);
    well_behaved(&mock);
}

#[tokio::test]
async fn a_change_that_went_wrong_was_sent_once_and_can_be_read() {
    for (answer, applied) in [
        (Answer::Reset, true),
        (Answer::Reset, false),
        (Answer::Status(500), true),
        (Answer::Status(500), false),
    ] {
        let (mock, edr) = started();
        let fault = Fault::once(Vendor::Crowdstrike, Route::Contain, answer);
        mock.fault(if applied { fault.applied() } else { fault });
        let sent = edr.0.send(&isolation(false), None, &unguarded()).await;
        assert!(matches!(sent, Err(EdrError::Ambiguous { .. })), "{sent:?}");
        assert_eq!(mock.changes(Vendor::Crowdstrike, DEVICE).len(), 1);
        let seen = effect(&edr, &isolation(false)).await;
        assert_eq!(seen == EffectSeen::InEffect, applied);
    }
}

#[tokio::test]
async fn a_process_is_ended_and_the_session_closed() {
    let (mock, edr) = started();
    mock.set_settle_after(1);
    let kill = |pid: u32, image| {
        let pid = pid.to_string();
        manifest(ActionType::ProcessKill, &[("pid", &pid), ("image", image)])
    };
    let ours = kill(PID, r"C:\Users\Public\EVIL.exe");
    assert_eq!(effect(&edr, &ours).await, EffectSeen::NotInEffect);
    let sent = edr.0.send(&ours, None, &unguarded()).await.unwrap();
    assert!(sent.reference.is_some());
    assert_eq!(effect(&edr, &ours).await, EffectSeen::InEffect);
    let reused = edr.read(&kill(4_712, "evil.exe"), None).await.unwrap();
    assert_eq!(reused.observed, "pid_reused");
    assert!(
        edr.0
            .send(&kill(4_712, "evil.exe"), None, &unguarded())
            .await
            .is_err()
    );
    let opened = mock.count(Vendor::Crowdstrike, Route::OpenSession);
    assert_eq!(mock.count(Vendor::Crowdstrike, Route::CloseSession), opened);
    assert_eq!(mock.count(Vendor::Crowdstrike, Route::Kill), 1);
    mock.set_online(DEVICE, false);
    let away = edr.read(&ours, None).await.unwrap_err();
    assert!(away.to_string().contains("host offline"), "{away}");
    well_behaved(&mock);
}

#[tokio::test]
async fn a_hash_is_blocked_and_let_run_again() {
    let (mock, edr) = started();
    let block = manifest(ActionType::HashBlock, &[("sha256", SHA256)]);
    let mut unblock = block.clone();
    let of = Some(block.action_id);
    unblock.action_id = ActionId(Uuid::from_u128(99));
    unblock.release = Some(Release { of });
    assert_eq!(effect(&edr, &block).await, EffectSeen::NotInEffect);
    let sent = edr.0.send(&block, None, &unguarded()).await.unwrap();
    let read = edr.read(&block, None).await.unwrap();
    assert_eq!(read.effect, EffectSeen::InEffect);
    assert_eq!(read.reference, sent.reference);
    let twice = edr.0.send(&block, None, &unguarded()).await;
    assert!(matches!(twice, Err(EdrError::Refused { status: 400, .. })));
    assert_eq!(mock.blocked(Vendor::Crowdstrike).len(), 1);
    assert_eq!(effect(&edr, &unblock).await, EffectSeen::NotInEffect);
    edr.0
        .send(&unblock, sent.reference.as_deref(), &unguarded())
        .await
        .unwrap();
    assert_eq!(effect(&edr, &unblock).await, EffectSeen::InEffect);
    assert!(mock.blocked(Vendor::Crowdstrike).is_empty());
    well_behaved(&mock);
}

#[tokio::test]
async fn alerts_are_found_by_when_they_came_to_be() {
    let (mock, edr) = started();
    for (id, after_ms) in [("c", 3_000), ("a", 1_000), ("b", 2_000), ("late", 9_000)] {
        let created = NOW.plus_ms(after_ms);
        let body = serde_json::json!({
            "composite_id": id,
            "created_timestamp": created.to_string(),
        });
        mock.add_alert(Vendor::Crowdstrike, id, created, body);
    }
    let ids = |polled: &Polled| {
        let id = |alert: &Vec<u8>| {
            let alert: Value = serde_json::from_slice(alert).unwrap();
            alert["composite_id"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        polled.alerts.iter().map(id).collect::<Vec<_>>()
    };
    let polled = edr.poll(NOW, NOW.plus_ms(9_000), 10).await.unwrap();
    assert_eq!(ids(&polled), ["a", "b", "c"]);
    assert_eq!(polled.up_to, NOW.plus_ms(9_000));
    assert!(edr.alert("b").await.unwrap().is_some());
    assert_eq!(edr.alert("z").await, Ok(None));
    well_behaved(&mock);
}
