//! The host with one tenant, as the composition root would stand it up, and the test's hand on the clock. That stands
//! until the test moves it, also while the journal's thread works: a job that waits for the test's end keeps it still.

mod cloud;
mod clouds;
mod counted;
mod ledger;
mod people;
mod services;
mod wish;
mod world;

use std::{
    sync::{Arc, Mutex, atomic::Ordering, mpsc},
    time::Duration,
};

use actix::Arbiter;
use serde_json::Value;
use tokio::{
    sync::oneshot::{self, error::TryRecvError},
    time::advance,
};
use vyrox_actors::{
    arbiters::{Arbiters, Thread},
    directory::Route,
    feed::Feed,
    journal::{Journal, projection::Projections, seal::HostKey, vault::Vault},
    messages::{Accepted, Intake, ParsedAlert, Receive},
    ports::World,
    projector::{Progress, ProjectorParts},
    registry::{AddTenant, ChangeReply, ClaimChat, IssueChatCode, NewWebhook, UpdateTenant},
    router::Activate,
    supervision::{
        Fault, Handle, Tree, install_panic_hook,
        testing::{run, settle},
    },
    tenant::Machine,
    tree::{Host, HostParts, start},
};
use vyrox_domain::{
    alert::{Alert, Severity},
    digest::Digest,
    ids::TenantId,
    time::Timestamp,
    vendor::Vendor,
    webhook::AuthScheme,
};

pub(crate) use self::{
    cloud::{Answers, Cloud, Full, HOST},
    clouds::{Clouds, PolledCloud},
    people::Waits,
    services::{Model, Services},
    wish::Wish,
    world::{DAY_MS, world},
};
use self::{counted::Counted, ledger::journal};

pub(crate) const T0: Timestamp = Timestamp::from_s(1_768_473_000);
pub(crate) const APPROVAL: Duration = Duration::from_mins(15);

/// The host, its tenant `acme`, and everything outside.
pub(crate) struct House {
    pub(crate) host: Host,
    pub(crate) world: Arc<World>,
    pub(crate) services: Services,
    pub(crate) cloud: Cloud,
    pub(crate) clouds: Clouds,
    pub(crate) journal: Arc<Counted>,
    feed: Arc<Feed>,
    brake: mpsc::Sender<()>,
    lines: Arc<Mutex<Vec<Value>>>,
    _dir: tempfile::TempDir,
}

/// Runs a test in a house.
pub(crate) fn housed(wish: Wish, test: impl AsyncFnOnce(&House)) {
    install_panic_hook();
    run(async {
        let house = House::stand(wish).await;
        test(&house).await;
        house.end().await;
    });
}

pub(crate) fn tenant() -> TenantId {
    "acme".parse().expect("a tenant id")
}

impl House {
    async fn stand(wish: Wish) -> Self {
        let (brake, held) = mpsc::channel::<()>();
        drop(tokio::task::spawn_blocking(move || held.recv()));
        let dir = tempfile::tempdir().expect("a directory");
        let (feed, lines) = (
            Arc::new(Feed::default()),
            Arc::<Mutex<Vec<Value>>>::default(),
        );
        let journal = Arc::new(Counted::new(journal(dir.path(), &feed, &lines)));
        let projections = Projections::open(&dir.path().join("projections.redb"), 1 << 20);
        let projections = Arc::new(projections.expect("projections"));
        let progress = Arc::new(Progress::default());
        let (services, cloud, clouds) = (Services::default(), Cloud::default(), Clouds::default());
        let world = Arc::new(world(
            wish,
            Arc::clone(&journal) as Arc<dyn Journal>,
            (Arc::clone(&projections), Arc::clone(&progress)),
            (&services, &cloud, &clouds),
        ));
        let here = Arbiter::current();
        let host = start(&HostParts {
            world: Arc::clone(&world),
            tree: Tree::with_clock(7, || 1_000_000),
            audit_arbiter: here.clone(),
            host_arbiter: here.clone(),
            tenant_arbiters: Arbiters::new(
                Thread {
                    name: "here".into(),
                    arbiter: here,
                },
                Vec::new(),
            ),
            vault: Arc::new(Vault::open(&dir.path().join("vault.redb")).expect("a vault")),
            host_key: Arc::new(HostKey::generate()),
            projector: ProjectorParts {
                journal: Arc::clone(&journal) as Arc<dyn Journal>,
                projections,
                progress,
                feed: Arc::clone(&feed),
                dedup_window_ms: 60 * 60 * 1000,
                folding: Arc::default(),
            },
            notary: None,
            on_poison: Arc::new(|why| panic!("the journal failed: {why}")),
        });
        let house = Self {
            host,
            world,
            services,
            cloud,
            clouds,
            journal,
            feed,
            brake,
            lines,
            _dir: dir,
        };
        house.furnish(wish).await;
        house
    }

    /// Takes the tenant on, gives it a channel, and opts in where that is wished.
    async fn furnish(&self, wish: Wish) {
        self.take_on("acme").await;
        let registry = &self.host.registry;
        let by = || "system".to_owned();
        let issue = |reply| IssueChatCode {
            tenant_id: tenant(),
            by: by(),
            reply,
        };
        let issued = changed(|reply| registry.try_cast(issue(reply)).is_ok()).await;
        let claim = |reply| ClaimChat {
            code: issued.code.text().to_string(),
            guild_id: "7".into(),
            channel_id: "100".into(),
            admin_role_id: None,
            user_id: "42".into(),
            reply,
        };
        changed(|reply| registry.try_cast(claim(reply)).is_ok()).await;
        if wish.opted_in {
            let opt_in = |reply| UpdateTenant {
                tenant_id: tenant(),
                webhooks: Vec::new(),
                add_accounts: Vec::new(),
                remove_accounts: Vec::new(),
                llm: Some(true),
                chat_admin_role: None,
                by: by(),
                reply,
            };
            changed(|reply| registry.try_cast(opt_in(reply)).is_ok()).await;
        }
        if wish.live {
            self.equip().await;
        }
    }

    /// Takes a tenant on.
    pub(crate) async fn take_on(&self, name: &str) {
        let webhook = NewWebhook {
            vendor: Vendor::Crowdstrike,
            auth: AuthScheme::VyroxHmac,
            secret: None,
        };
        let add = |reply| AddTenant {
            tenant_id: name.parse().expect("a tenant id"),
            webhooks: vec![webhook],
            accounts: Vec::new(),
            by: "system".to_owned(),
            reply,
        };
        let registry = &self.host.registry;
        changed(|reply| registry.try_cast(add(reply)).is_ok()).await;
    }

    async fn end(self) {
        drop(self.brake);
        self.host.tree.shutdown(Duration::from_mins(1)).await;
        self.feed.close();
        self.journal.close().expect("the journal closes");
    }

    /// Sends one alert; the answer comes once it is durable.
    pub(crate) async fn send(&self, alert: Alert) -> oneshot::Receiver<Answer> {
        let intake = Intake {
            vendor: alert.vendor,
            body: alert.vendor_alert_id.clone().into_bytes(),
            body_sha256: Digest::of(alert.vendor_alert_id.as_bytes()),
            received_at: self.world.now(),
            fallback: false,
            polled: false,
        };
        let (reply, answer) = oneshot::channel();
        let message = Receive {
            intake: Arc::new(intake),
            alerts: Arc::new([ParsedAlert::new(alert).expect("JSON")]),
            reply,
        };
        self.machine().await.try_cast(message).expect("room");
        answer
    }

    /// The tenant's machine, which is activated if need be.
    pub(crate) async fn machine(&self) -> Handle<Machine> {
        let route = if let Some(route) = self.host.directory.get(&tenant()) {
            route
        } else {
            let asked = self
                .host
                .tenants
                .ask(Activate(tenant()), Duration::from_mins(1));
            asked.await.expect("an answer").expect("a tenant")
        };
        let Route::Machine(machine) = route else {
            panic!("the tenant is suspended")
        };
        machine
    }

    /// Sends an alert until it is durable, as the edge does: again where its taker fell over it.
    pub(crate) async fn take(&self, alert: Alert) -> Accepted {
        let mut answer = self.send(alert.clone()).await;
        for _ in 0..600 {
            self.quiet().await;
            match answer.try_recv() {
                Ok(accepted) => return accepted.expect("taken in")[0].clone(),
                Err(TryRecvError::Closed) => answer = self.send(alert.clone()).await,
                Err(TryRecvError::Empty) => advance(Duration::from_millis(100)).await,
            }
        }
        let tree = self.host.tree.snapshot();
        panic!("it is not taken in within a minute: {tree:#?}")
    }

    /// Lets everybody finish what there is to do now.
    pub(crate) async fn quiet(&self) {
        let mut rounds = 0;
        while rounds < 3 {
            settle().await;
            // Real time for the threads that read for an actor.
            tokio::task::spawn_blocking(|| ()).await.expect("a thread");
            let busy = self.journal.in_flight.load(Ordering::Acquire) > 0;
            rounds = if busy { 0 } else { rounds + 1 };
        }
    }

    /// Lets time pass, `step` by `step`.
    pub(crate) async fn pass(&self, time: Duration, step: Duration) {
        let mut passed = Duration::ZERO;
        while passed < time {
            let next = step.min(time.saturating_sub(passed));
            advance(next).await;
            passed += next;
            self.quiet().await;
        }
    }

    /// Lets seconds pass until it is so; gives how many.
    pub(crate) async fn until(&self, what: &str, so: impl Fn(&Self) -> bool) -> u32 {
        for seconds in 0..7_200 {
            self.quiet().await;
            if so(self) {
                return seconds;
            }
            advance(Duration::from_secs(1)).await;
        }
        panic!("in two hours it never came to this: {what}")
    }

    /// The actor's next message makes it fall.
    pub(crate) fn fell(&self, actor: &str) {
        let node = format!("tenant/acme/{actor}");
        assert!(self.host.tree.inject(&node, Fault::Panic, 1), "{node}");
    }

    /// The tenant's chain, as far as it is durable.
    pub(crate) fn chain(&self) -> Vec<Value> {
        self.lines
            .lock()
            .expect("nobody panics with the lock")
            .clone()
    }

    /// The payloads of one kind of entry.
    pub(crate) fn entries(&self, event: &str) -> Vec<Value> {
        let lines = self.lines.lock().expect("nobody panics with the lock");
        let of_kind = lines.iter().filter(|line| line["event"] == event);
        of_kind.map(|line| line["payload"].clone()).collect()
    }

    /// How many entries there are of one kind.
    pub(crate) fn count(&self, event: &str) -> usize {
        let lines = self.lines.lock().expect("nobody panics with the lock");
        lines.iter().filter(|line| line["event"] == event).count()
    }

    /// The chain holds as an auditor would check it.
    pub(crate) fn verify(&self) {
        self.journal.flush("acme").expect("written");
        let report = self.journal.verify("acme").expect("it can look").to_json();
        assert_eq!(report["ok"], true, "{report}");
    }
}

type Answer = Result<Vec<Accepted>, vyrox_actors::messages::IntakeError>;

async fn changed<T>(cast: impl FnOnce(ChangeReply<T>) -> bool) -> T {
    let (reply, answer) = oneshot::channel();
    assert!(cast(reply), "no room");
    match answer.await.expect("an answer") {
        Ok(answer) => answer,
        Err(error) => panic!("{error}"),
    }
}

/// An alert on a machine, with these words for a title.
pub(crate) fn alert(n: u64, machine: u64, title: &str) -> Alert {
    let mut alert = Alert::bare(Vendor::Crowdstrike, format!("ldt:{n}"));
    alert.severity = Severity::Medium;
    alert.severity_score = 50;
    alert.title = Some(title.to_owned());
    alert.device.hostname = Some(format!("ws-{machine}"));
    alert.device.id = Some(format!("{machine:032x}"));
    alert
}
