//! A notifier on a paused clock, with services that do as they are told and a ledger that stands for the
//! tenant's machine.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use actix::Arbiter;
use tokio::time::Instant;
use uuid::Uuid;
use vyrox_domain::{
    ids::{AlertId, IncidentId},
    notice::Notice,
    protocol::NotifyFallback,
    sla::{NoticeState, Slas},
    time::Timestamp,
    triage::Verdict,
    vendor::Vendor,
};
use vyrox_supervision::{Backoff, Fault, Handle, Policy, Spec, Tree, testing::settle};

use super::super::{Notifier, Refresh, Report, Setup, Show, Tally};
use crate::outbound::{ChatError, Mail, Page, ReachError};

mod services;

use services::{Paused, Services};

pub(super) const T0: Timestamp = Timestamp::from_s(1_768_473_000);

/// Everything outside of the notifier.
pub(super) struct Outside {
    began: Instant,
    pub(super) channel: Option<String>,
    pub(super) chat_error: Option<ChatError>,
    pub(super) chat_takes: Duration,
    pub(super) chat_panics_over: Option<IncidentId>,
    /// Chat takes the call, but its answer comes only after this time.
    pub(super) answer_takes: Duration,
    pub(super) pager_error: Option<ReachError>,
    pub(super) mail_error: Option<ReachError>,
    /// Messages in chat, by id.
    pub(super) messages: BTreeMap<String, Message>,
    by_nonce: HashMap<String, String>,
    pub(super) posts: u64,
    pub(super) edits: u64,
    pub(super) chat_calls: Vec<(Timestamp, IncidentId)>,
    under_way: usize,
    pub(super) under_way_max: usize,
    pub(super) pages: Vec<(Timestamp, Page)>,
    pub(super) mails: Vec<(Timestamp, Mail)>,
    pub(super) reports: Vec<(Timestamp, Report)>,
    /// What the machine knows.
    pub(super) ledger: BTreeMap<IncidentId, (Notice, NoticeState)>,
}

pub(super) struct Message {
    pub(super) notice: Notice,
    pub(super) quietly: bool,
    pub(super) nonce: String,
}

#[derive(Clone)]
pub(super) struct Rig {
    outside: Arc<Mutex<Outside>>,
    pub(super) tally: Arc<Tally>,
    pub(super) tree: Tree,
    pub(super) handle: Handle<Notifier>,
}

impl Outside {
    pub(super) fn now(&self) -> Timestamp {
        let passed = self.began.elapsed().as_millis();
        T0.plus_ms(u64::try_from(passed).expect("a test's time"))
    }

    fn fold(&mut self, report: &Report) {
        let state = |id: &IncidentId,
                     ledger: &mut BTreeMap<_, (Notice, NoticeState)>,
                     act: &dyn Fn(&mut NoticeState)| {
            if let Some((_, state)) = ledger.get_mut(id) {
                act(state);
            }
        };
        let ledger = &mut self.ledger;
        match report {
            Report::Began | Report::Failed { .. } => {}
            Report::Shown {
                incident_id,
                revision,
                level,
                message,
                ..
            } => state(incident_id, ledger, &|state| {
                state.show(message.clone(), *revision, *level);
            }),
            Report::FellBack {
                incident_id,
                level,
                via,
                failed,
                reason,
                expired,
            } => state(incident_id, ledger, &|state| {
                let fallback = NotifyFallback {
                    incident_id: *incident_id,
                    level: *level,
                    via: via.clone(),
                    failed: failed.clone(),
                    reason: *reason,
                    expired: *expired,
                };
                state.take_fallback(&fallback, T0);
            }),
            Report::Breached { incident_id, .. } => {
                state(incident_id, ledger, &NoticeState::breach);
            }
        }
    }
}

impl Outside {
    /// All is well, and the tenant has a channel.
    fn new(began: Instant) -> Self {
        Self {
            began,
            channel: Some("100".into()),
            chat_error: None,
            chat_takes: Duration::from_millis(80),
            chat_panics_over: None,
            answer_takes: Duration::ZERO,
            pager_error: None,
            mail_error: None,
            messages: BTreeMap::new(),
            by_nonce: HashMap::new(),
            posts: 0,
            edits: 0,
            chat_calls: Vec::new(),
            under_way: 0,
            under_way_max: 0,
            pages: Vec::new(),
            mails: Vec::new(),
            reports: Vec::new(),
            ledger: BTreeMap::new(),
        }
    }
}

/// A notifier in a world where all is well; call it within [`vyrox_supervision::testing::run`].
pub(super) fn rig() -> Rig {
    let began = Instant::now();
    let outside = Arc::new(Mutex::new(Outside::new(began)));
    let services = Services(Arc::clone(&outside));
    let (reported, asked) = (services.clone(), services.clone());
    let tally = Arc::<Tally>::default();
    let setup = Setup {
        tenant: "acme".parse().expect("a tenant id"),
        clock: Arc::new(Paused(began)),
        chat: Some(Arc::new(services.clone())),
        pager: Some(Arc::new(services.clone())),
        mailer: Some(Arc::new(services)),
        channel: Arc::new(move || asked.lock().channel.clone()),
        report: Arc::new(move |report| {
            let mut outside = reported.lock();
            outside.fold(&report);
            let now = outside.now();
            outside.reports.push((now, report));
        }),
        slas: Slas::default(),
        page_high: false,
        tally: Arc::clone(&tally),
    };
    let tree = Tree::with_clock(1, || 1_000_000);
    let backoff = Backoff {
        base: Duration::ZERO,
        ..Backoff::default()
    };
    let policy = Policy {
        intensity: 1_000,
        backoff,
        ..Policy::default()
    };
    let spec = Spec::new("notifier", "notifier").policy(policy);
    let handle = tree.supervise(spec, &Arbiter::current(), move |_| {
        Notifier::new(setup.clone())
    });
    Rig {
        outside,
        tally,
        tree,
        handle,
    }
}

impl Rig {
    pub(super) fn outside(&self) -> MutexGuard<'_, Outside> {
        self.outside.lock().expect("nobody panics with the lock")
    }

    /// A new incident, or one that changed: the ledger knows it, the notifier is told.
    pub(super) fn show(&self, notice: Notice) {
        let mut outside = self.outside();
        let now = outside.now();
        let fresh = (notice.clone(), NoticeState::new(now));
        let (known, state) = outside.ledger.entry(notice.incident_id).or_insert(fresh);
        if known.level.rank() < notice.level.rank() {
            state.rise(known.level, now);
        }
        *known = notice.clone();
        let stood = state.clone();
        drop(outside);
        self.handle.try_cast(Show { notice, stood }).expect("room");
    }

    pub(super) fn refresh(&self, notice: Notice) {
        let stood = self.state(notice.incident_id);
        self.handle
            .try_cast(Refresh { notice, stood })
            .expect("room");
    }

    pub(super) fn state(&self, id: IncidentId) -> NoticeState {
        self.outside().ledger.get(&id).expect("known").1.clone()
    }

    /// The notifier falls; the next one is told what the ledger holds.
    pub(super) async fn crash(&self) {
        let generation = self.handle.snapshot().generation;
        self.tree.inject("notifier", Fault::Panic, 1);
        let bait = super::super::Forget(id(u64::MAX));
        self.handle.try_cast(bait).expect("room");
        while self.handle.snapshot().generation == generation {
            settle().await;
        }
        settle().await;
        let all: Vec<_> = self.outside().ledger.values().cloned().collect();
        for (notice, stood) in all {
            if !stood.shows(notice.revision) {
                self.handle.try_cast(Show { notice, stood }).expect("room");
            }
        }
    }

    /// Ids of the incidents that were paged for, in order.
    pub(super) fn paged(&self) -> Vec<String> {
        let outside = self.outside();
        outside
            .pages
            .iter()
            .map(|(_, page)| page.dedup_key.clone())
            .collect()
    }
}

pub(super) fn id(number: u64) -> IncidentId {
    IncidentId(Uuid::from_u64_pair(1, number))
}

/// An incident with nothing proposed.
pub(super) fn notice(number: u64, level: Verdict, revision: u64) -> Notice {
    Notice {
        tenant_id: "acme".parse().expect("a tenant id"),
        incident_id: id(number),
        revision,
        level,
        title: "LSASS memory was read".into(),
        vendor: Vendor::Crowdstrike,
        hosts: vec![format!("ws-{number}")],
        host_count: 1,
        reasons: vec!["LSASS memory was read".into()],
        tactics: vec!["credential-access".into()],
        techniques: vec!["T1003.001".into()],
        alerts: 1,
        folded: 0,
        linked_by: vec![],
        storm: false,
        opened_at: T0,
        last_at: T0,
        proposals: vec![],
        closed: None,
        quietly: false,
        lead_alert: AlertId(Uuid::from_u64_pair(2, number)),
    }
}

pub(super) const fn minutes(count: u64) -> Duration {
    Duration::from_mins(count)
}
