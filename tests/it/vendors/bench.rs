//! One vendor's stand-in, the real connector to it, and the real drive of one action over both.

#[path = "../../../src/connectors/edr/approved.rs"]
mod approved;

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use vyrox::{
    connectors::edr::{EdrFactory, EdrSettings, WireSettings},
    mock_edr::{Call, Credential, Fault, Host, MockEdr, MockSettings, Process, Route},
    scenario::Scenario,
};
use vyrox_actors::{
    edr::{Edr, EdrCredential, Edrs as _, EffectSeen},
    edr_adapter::{Barred, Errand, drive},
    ports::Clock,
};
use vyrox_domain::{
    action::{
        ActionManifest,
        ActionType::{
            self, FileQuarantine, HashBlock, HostIsolation, NetworkQuarantine, ProcessKill,
        },
        jws::SignedAction,
    },
    containment::ActReport,
    playbook::Assets,
    time::Timestamp,
    vendor::Vendor,
    webhook::Secret,
};

use self::approved::{manifest, signed};

const HASH: &str = "abababababababababababababababababababababababababababababababab";
const SHA1: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
const PROPOSED: Timestamp = Timestamp::from_s(1_768_471_200);

/// The process that is ended.
pub(super) const PID: u32 = 4711;
/// Its image.
pub(super) const IMAGE: &str = "evil.exe";

/// What no one but the vendor should ever be shown: what its stand-in says in its errors.
pub(super) const THEIR_WORDS: [&str; 5] = [
    "as scripted",
    "API rate limit exceeded",
    "Sign in to continue",
    "words of the vendor",
    "Action is already in progress",
];

/// One thing that can be done at one vendor, and the request that does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deed {
    /// Whose API.
    pub vendor: Vendor,
    /// What.
    pub action: ActionType,
    /// That it is taken back.
    pub undo: bool,
    /// The request that changes something.
    pub route: Route,
}

const fn deed(vendor: Vendor, action: ActionType, undo: bool, route: Route) -> Deed {
    Deed {
        vendor,
        action,
        undo,
        route,
    }
}

/// Everything that the three can do.
pub(super) const DEEDS: [Deed; 18] = [
    deed(Vendor::Crowdstrike, HostIsolation, false, Route::Contain),
    deed(Vendor::Crowdstrike, HostIsolation, true, Route::Release),
    deed(Vendor::Crowdstrike, ProcessKill, false, Route::Kill),
    deed(Vendor::Crowdstrike, HashBlock, false, Route::BlockHash),
    deed(Vendor::Crowdstrike, HashBlock, true, Route::UnblockHash),
    deed(Vendor::Sentinelone, HostIsolation, false, Route::Contain),
    deed(Vendor::Sentinelone, HostIsolation, true, Route::Release),
    deed(Vendor::Sentinelone, ProcessKill, false, Route::Mitigate),
    deed(Vendor::Sentinelone, FileQuarantine, false, Route::Mitigate),
    deed(Vendor::Sentinelone, FileQuarantine, true, Route::Mitigate),
    deed(
        Vendor::Sentinelone,
        NetworkQuarantine,
        false,
        Route::Mitigate,
    ),
    deed(Vendor::Sentinelone, HashBlock, false, Route::BlockHash),
    deed(Vendor::Sentinelone, HashBlock, true, Route::UnblockHash),
    deed(Vendor::Defender, HostIsolation, false, Route::Contain),
    deed(Vendor::Defender, HostIsolation, true, Route::Release),
    deed(Vendor::Defender, FileQuarantine, false, Route::Mitigate),
    deed(Vendor::Defender, HashBlock, false, Route::BlockHash),
    deed(Vendor::Defender, HashBlock, true, Route::UnblockHash),
];

impl Deed {
    /// How a host is cut off at that vendor.
    pub(super) fn isolation(vendor: Vendor) -> Self {
        deed(vendor, HostIsolation, false, Route::Contain)
    }

    /// It is done by a command on the host itself.
    pub(super) fn is_command(self) -> bool {
        self.route == Route::Kill
    }

    /// Its success is told by an empty answer.
    pub(super) fn is_told_by_silence(self) -> bool {
        self.vendor == Vendor::Defender && self.route == Route::UnblockHash
    }
}

/// The way to a vendor.
pub(super) struct Bench {
    pub(super) mock: MockEdr,
    pub(super) deed: Deed,
    pub(super) device: String,
    /// What our action, or the one that is taken back, is called.
    pub(super) reference: Option<String>,
    edr: Arc<dyn Edr>,
    threat: String,
}

struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        vyrox::clock::now()
    }
}

impl Bench {
    /// Calls end after `timeout`.
    pub(super) fn new(deed: Deed, timeout: Duration) -> Self {
        Self::with(deed, timeout, |_| {})
    }

    /// The same, with a credential that is not quite what it should be.
    pub(super) fn with(deed: Deed, timeout: Duration, spoils: impl Fn(&mut Credential)) -> Self {
        // A second installation in the same process fails, which is as good as the first.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let mock = MockEdr::start(MockSettings::default()).unwrap();
        let seen = &Scenario::Mimikatz.sightings()[0];
        let threat = mock.add_sighting(deed.vendor, seen, PROPOSED);
        let device = seen.device_id(deed.vendor);
        let mut host = Host::new(deed.vendor, &device, "ws-1");
        // So many that their list comes in pieces.
        host.processes.extend((4_700..4_730).map(|pid| Process {
            pid,
            image: if pid == PID { IMAGE } else { "svchost.exe" }.to_owned(),
        }));
        mock.add_host(host);
        let mut given = mock.credential(deed.vendor).clone();
        spoils(&mut given);
        Self {
            edr: connection(deed.vendor, given, timeout),
            mock,
            deed,
            device,
            reference: None,
            threat,
        }
    }

    /// What is there to be taken back is brought about.
    pub(super) async fn prepare(&mut self) {
        if self.deed.undo {
            let there = signed(&self.manifest(false));
            let sent = self
                .edr
                .send(&there, None, Arc::new(|| Ok(())))
                .await
                .unwrap();
            self.reference = sent.reference;
            for _ in 0..3 {
                let reading = self.edr.read(&self.manifest(false), None).await.unwrap();
                if reading.effect == EffectSeen::InEffect {
                    self.reference = reading.reference.or_else(|| self.reference.take());
                    break;
                }
            }
            self.mock.forget();
        }
    }

    /// Drives it for the first time.
    pub(super) async fn drive(&self) -> ActReport {
        self.driven(self.reference.clone(), false).await
    }

    /// Finds out what became of it, without sending anything.
    pub(super) async fn found_out(&self, before: &ActReport) -> ActReport {
        self.driven(before.reference.clone(), true).await
    }

    async fn driven(&self, reference: Option<String>, reconcile: bool) -> ActReport {
        let manifest = self.manifest(self.deed.undo);
        let action = signed(&manifest);
        let errand = Errand {
            action_id: manifest.action_id,
            drive: 1,
            manifest,
            reference,
            reconcile,
            may_send: !reconcile,
            landing: false,
        };
        let verify = move || -> Result<SignedAction, Barred> { Ok(action.clone()) };
        let assets = Assets::default();
        drive(&errand, &*self.edr, Arc::new(verify), (&Now, &assets)).await
    }

    /// Lets something go wrong with the request that changes something.
    pub(super) fn spoil(
        &self,
        fault: impl FnOnce(Fault) -> Fault,
        answer: vyrox::mock_edr::Answer,
    ) {
        let (vendor, route) = (self.deed.vendor, self.deed.route);
        self.mock.fault(fault(Fault::once(vendor, route, answer)));
    }

    /// The requests that could have changed something.
    pub(super) fn changes(&self) -> usize {
        let changes = |call: &&Call| call.changes;
        self.mock.calls().iter().filter(changes).count()
    }

    /// What may stand nowhere.
    pub(super) fn secrets(&self) -> Vec<String> {
        let mut secrets = self.mock.tokens();
        secrets.push(self.mock.credential(self.deed.vendor).secret.clone());
        secrets
    }

    fn manifest(&self, undo: bool) -> ActionManifest {
        let pid = PID.to_string();
        let parameters: Vec<(&str, &str)> = match (self.deed.action, self.deed.vendor) {
            (HostIsolation, _) => Vec::new(),
            (HashBlock, Vendor::Sentinelone) => vec![("sha256", HASH), ("platform", "windows")],
            (HashBlock, _) => vec![("sha256", HASH)],
            (FileQuarantine, Vendor::Defender) => vec![("sha1", SHA1)],
            (ProcessKill, Vendor::Crowdstrike) => vec![("pid", &pid), ("image", IMAGE)],
            (FileQuarantine | ProcessKill | NetworkQuarantine, _) => {
                vec![("threat_id", &self.threat)]
            }
        };
        let (vendor, action) = (self.deed.vendor, self.deed.action);
        manifest(vendor, &self.device, action, &parameters, undo)
    }
}

fn connection(vendor: Vendor, given: Credential, timeout: Duration) -> Arc<dyn Edr> {
    let credential = EdrCredential {
        version: 1,
        base_url: given.base_url,
        login_url: given.login_url,
        client_id: given.client_id,
        secret: Secret::new(given.secret.into_bytes()),
        realm: given.realm,
    };
    let wire = WireSettings {
        timeout,
        allow_private: true,
    };
    let factory = EdrFactory::new(EdrSettings { wire });
    let tenant = "acme".parse().unwrap();
    factory.connect(&tenant, vendor, &credential).unwrap()
}

/// All that is logged on this thread, down to the last detail.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Begins to listen; until what is returned with it is dropped.
    pub(super) fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// What was logged so far.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
