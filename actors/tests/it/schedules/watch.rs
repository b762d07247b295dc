//! Holds what is durable, what is sent and what is read against what must never happen.

mod course;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::sync::oneshot::error::TryRecvError;
use vyrox_actors::{edr::EffectSeen, ports::Clock as _};
use vyrox_domain::{
    action::{
        ActionManifest,
        jws::{ApprovalKind, SignedAction},
    },
    containment::{Act, ActBegun, ActOrdered, ActOutcome, ClaimKey, Manner, OutcomeKind, Stage},
    entry::Recorded,
    ids::{ActionId, AlertId},
    protocol::Event,
    tenant::{TenantState, replay},
};

use super::hours::Hours;
use crate::house::Waits;

/// An intent has its outcome after so long, for as long as nothing falls.
const INTENT_MAX_MS: u64 = 60_000;
/// What the last sweep and the journal may take on top of it.
const SLACK_MS: u64 = 4_000;

#[derive(Clone)]
pub(super) struct Watching(Arc<Mutex<Watch>>);

struct Watch {
    hours: Hours,
    state: TenantState,
    acts: BTreeMap<ActionId, Seen>,
    /// Alerts for which something is proposed.
    proposed: Vec<AlertId>,
    callers: Vec<Caller>,
    halted: bool,
    /// Since when nothing has fallen.
    well_since: u64,
    report: Report,
}

/// What came of a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// What must not have happened.
    pub(super) problems: Vec<String>,
    /// What happened to actions, in its order.
    pub(super) history: Vec<String>,
    /// Requests that could have changed something.
    pub(super) sent: u64,
    /// Falls of the machine, an adapter or the process.
    pub(super) falls: u64,
    /// Outcomes by their names.
    pub(super) outcomes: BTreeMap<String, u64>,
}

/// What was seen of one action.
struct Seen {
    name: usize,
    manifest: ActionManifest,
    claim: Option<ClaimKey>,
    /// Its last drive, and since when that has had no outcome.
    begun: Option<ActBegun>,
    open_since: Option<u64>,
    /// Of what was sent, nobody can tell yet whether it had an effect.
    doubtful: bool,
    /// What there was of the drive.
    signs: BTreeSet<Sign>,
}

/// What there is to see of a drive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    /// The vendor was asked how things stand.
    Asked,
    /// A request was sent that could change something.
    Sent,
    /// The vendor said that it took it.
    Taken,
    /// The vendor said that it was so.
    InEffect,
    /// The vendor said that it was about to be so.
    Pending,
}

/// A service that waits for an outcome.
struct Caller {
    key: String,
    waits: Waits,
    waiting: bool,
}

impl Caller {
    fn is_waiting(&mut self) -> bool {
        if self.waiting {
            self.waiting = matches!(self.waits.try_recv(), Err(TryRecvError::Empty));
        }
        self.waiting
    }
}

impl Watching {
    pub(super) fn new(hours: &Hours) -> Self {
        Self(Arc::new(Mutex::new(Watch {
            hours: hours.clone(),
            state: TenantState::default(),
            acts: BTreeMap::new(),
            proposed: Vec::new(),
            callers: Vec::new(),
            halted: false,
            well_since: 0,
            report: Report::default(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.0.lock().expect("nobody panics with the lock")
    }

    /// What came of it.
    pub(super) fn report(&self) -> Report {
        self.lock().report.clone()
    }

    /// Alerts for which something was proposed.
    pub(super) fn proposed(&self) -> Vec<AlertId> {
        self.lock().proposed.clone()
    }

    /// All actions, in the order in which they came.
    pub(super) fn actions(&self) -> Vec<ActionId> {
        let watch = self.lock();
        let mut all: Vec<_> = watch.acts.iter().map(|(id, it)| (it.name, *id)).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, id)| id).collect()
    }

    /// A step is made.
    pub(super) fn step(&self, what: &str) {
        self.lock().say(&format!("--- {what}"));
    }

    /// People believe so.
    pub(super) fn halt(&self, halted: bool) {
        self.lock().halted = halted;
    }

    /// A service waits for the outcome of this request.
    pub(super) fn waits(&self, key: &ClaimKey, waits: Waits) {
        self.lock().callers.push(Caller {
            key: key.text(),
            waits,
            waiting: true,
        });
    }

    /// Something has fallen, or has not come back yet.
    pub(super) fn unwell(&self, fell: bool) {
        let mut watch = self.lock();
        watch.well_since = watch.hours.real_ms();
        watch.report.falls += u64::from(fell);
    }

    /// A line is durable.
    pub(super) fn durable(&self, line: &[u8]) {
        let recorded = Recorded::parse(line).expect("a line");
        let mut watch = self.lock();
        match replay(&mut watch.state, &recorded) {
            Ok(event) => watch.happens(&event, &recorded.event),
            Err(error) => watch.problem(format!("the chain cannot be replayed: {error}")),
        }
    }

    /// A request arrives that could change something; `twice` says that an earlier one of the same action has
    /// an effect that can be read.
    pub(super) fn sent(&self, action: &SignedAction, twice: bool) {
        let mut watch = self.lock();
        watch.report.sent += 1;
        let id = action.manifest().action_id;
        let name = watch.acts.get(&id).map(|seen| seen.name);
        watch.say(&format!("sent {name:?}"));
        for problem in watch.wrong_with(action, twice) {
            watch.problem(format!("{name:?}: {problem}"));
        }
        if let Some(seen) = watch.acts.get_mut(&id) {
            seen.signs.insert(Sign::Sent);
        }
    }

    /// What was sent may have an effect, or get one.
    pub(super) fn may_have_changed(&self, id: ActionId) {
        self.with(id, |seen| seen.doubtful = true);
    }

    /// The vendor says that it has taken it.
    pub(super) fn taken(&self, id: ActionId) {
        self.with(id, |seen| {
            seen.signs.insert(Sign::Taken);
        });
    }

    /// The vendor is asked how things stand.
    pub(super) fn asked(&self, id: ActionId) {
        self.with(id, |seen| {
            seen.signs.insert(Sign::Asked);
        });
    }

    /// The vendor says how things stand.
    pub(super) fn read(&self, id: ActionId, effect: EffectSeen) {
        self.with(id, |seen| match effect {
            EffectSeen::InEffect => {
                seen.signs.insert(Sign::InEffect);
            }
            EffectSeen::Pending => {
                seen.signs.insert(Sign::Pending);
            }
            EffectSeen::NotInEffect | EffectSeen::NoSuchTarget | EffectSeen::Failed => {
                seen.doubtful = false;
            }
        });
    }

    fn with(&self, id: ActionId, then: impl FnOnce(&mut Seen)) {
        if let Some(seen) = self.lock().acts.get_mut(&id) {
            then(seen);
        }
    }

    /// Looks for intents that have grown too old.
    pub(super) fn look(&self) {
        let mut watch = self.lock();
        let (now, well_since) = (watch.hours.real_ms(), watch.well_since);
        let mut old = Vec::new();
        for seen in watch.acts.values_mut() {
            let since = seen.open_since.map(|since| since.max(well_since));
            if since.is_some_and(|since| now > since + INTENT_MAX_MS + SLACK_MS) {
                seen.open_since = None;
                old.push(seen.name);
            }
        }
        for name in old {
            watch.problem(format!("{name}: an intent is old and has no outcome"));
        }
    }

    /// Whether the machine says of all actions what the chain says.
    pub(super) fn agrees(&self, live: &[(ActionId, Act)]) -> bool {
        let watch = self.lock();
        let durable: Vec<_> = watch.state.acts.iter().collect();
        let mut live: Vec<_> = live.iter().map(|(id, act)| (*id, act)).collect();
        live.sort_by_key(|(id, _)| *id);
        durable == live
    }

    /// After a long quiet; `agreed` says that the machine and the chain told the same.
    pub(super) fn end(&self, agreed: bool) {
        let mut watch = self.lock();
        if !agreed {
            watch.problem("the live state is another one than the chain's".into());
        }
        let acts = watch.state.acts.iter();
        let left = acts.filter(|(_, act)| {
            let begun = matches!(act.stage, Stage::Begun { .. });
            begun || act.stage == Stage::Approved
        });
        let left: Vec<_> = left.map(|(id, act)| (id, act.stage)).collect();
        for (id, stage) in left {
            let name = watch.acts.get(&id).map(|seen| seen.name);
            watch.problem(format!("{name:?}: left {stage:?} at the end"));
        }
    }
}

impl Watch {
    fn problem(&mut self, what: String) {
        self.say(&format!("WRONG: {what}"));
        self.report.problems.push(what);
    }

    fn say(&mut self, what: &str) {
        let now = self.hours.real_ms();
        self.report.history.push(format!("{now:>8} {what}"));
    }

    /// Why this must not be sent now.
    fn wrong_with(&mut self, action: &SignedAction, twice: bool) -> Vec<&'static str> {
        let manifest = action.manifest();
        let mut wrong = Vec::new();
        if twice {
            wrong.push("sent again, although its effect can be read");
        }
        let by_person =
            manifest.release.is_some() && action.approval().kind != ApprovalKind::OnExpiry;
        if self.halted && !by_person {
            wrong.push("sent while containment is halted");
        }
        if self.hours.now() > manifest.expires_at_ms {
            wrong.push("sent after it expired");
        }
        let Some(seen) = self.acts.get(&manifest.action_id) else {
            wrong.push("sent before it was on the chain");
            return wrong;
        };
        if seen.open_since.is_none() {
            wrong.push("sent without a durable intent that waits for its outcome");
        }
        let begun = seen.begun.as_ref();
        if manifest.dry_run || begun.is_some_and(|begun| begun.manner != Manner::Live) {
            wrong.push("sent in a rehearsal");
        }
        let by_caller = begun.is_none_or(|begun| begun.by.is_none());
        let key = seen
            .claim
            .as_ref()
            .filter(|_| by_caller)
            .map(ClaimKey::text);
        let given_up = key.is_some_and(|key| {
            let mut own = self.callers.iter_mut().filter(|it| it.key == key);
            !own.any(Caller::is_waiting)
        });
        if given_up {
            wrong.push("sent for a caller who was told of an error");
        }
        wrong
    }

    fn happens(&mut self, event: &Event, name: &str) {
        match event {
            Event::ApprovalRequested(it) => {
                self.proposed.push(it.manifest.alert_id);
                self.comes(&it.manifest, None);
            }
            Event::ActOrdered(it) => {
                let ActOrdered {
                    manifest, claim, ..
                } = &**it;
                self.comes(manifest, claim.as_ref().map(ClaimKey::of));
                self.tell(name, manifest.action_id, &manifest.action_type);
            }
            Event::ApprovalGranted(it) => self.tell(name, it.facts.about.action_id, &""),
            Event::ActWithheld(it) => self.tell(name, it.facts.about.action_id, &it.facts.why),
            Event::ActBegun(it) => {
                self.tell(name, it.facts.about.action_id, &it.facts.drive);
                self.begins(&it.facts);
            }
            Event::ActOutcome(it) => {
                let why = it.facts.why.as_deref().unwrap_or_default();
                self.tell(name, it.facts.about.action_id, &why);
                self.ends(&it.facts);
            }
            Event::ActDrifted(it) => self.tell(name, it.facts.about.action_id, &""),
            Event::HoldEnded(it) => self.tell(name, it.facts.about.action_id, &""),
            _ => self.say(name),
        }
    }

    fn tell(&mut self, event: &str, id: ActionId, more: &dyn std::fmt::Display) {
        let name = self.acts.get(&id).map_or(0, |seen| seen.name);
        self.say(&format!("{event} {name} {more}"));
    }
}
