//! Whatever comes in whatever order: replaying gives the live state, and what must never happen does not. The
//! watcher knows only the entries and how much time really went by.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*, sample::Index};
use vyrox_domain::{
    action::{ActionManifest, OnExpiry},
    containment::{Begin, ClockJumped, Gate, Manner, Order, OutcomeKind, Redrive, TimersReleased},
    ids::ActionId,
    incident::Window,
    protocol::{Command, Decided, Event},
};

use crate::house::{
    CLAIM_MS, HOUR_MS, House, LIMITS, MINUTE_MS, OPEN, action_id, block, claim, isolate, order,
    report, undo,
};

const DAY_MS: u64 = 24 * HOUR_MS;

/// One thing that may happen.
#[derive(Clone, Copy, Debug)]
enum Step {
    Order {
        what: u64,
        request: Option<(u8, bool)>,
        gate: (bool, bool, bool),
    },
    Approve(u64),
    Begin(Index),
    Report(Index, Index, u32),
    Redrive(Index),
    Undo(Index, bool),
    Drift(Index),
    Tick,
    Wait(u64),
    SlipBack(u64),
    Jump(i64),
    Release,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        8 => (0_u64..9, proptest::option::of((0_u8..4, any::<bool>())), any::<(bool, bool, bool)>())
            .prop_map(|(what, request, (a, b, c))| Step::Order { what, request, gate: (a && b && c, !a && b && c, a) }),
        3 => (0_u64..9).prop_map(Step::Approve),
        3 => index().prop_map(Step::Begin),
        9 => (index(), index(), 0_u32..12).prop_map(|(act, outcome, off)| Step::Report(act, outcome, off / 11)),
        2 => index().prop_map(Step::Redrive),
        3 => (index(), any::<bool>()).prop_map(|(act, person)| Step::Undo(act, person)),
        1 => index().prop_map(Step::Drift),
        3 => Just(Step::Tick),
        6 => prop_oneof![6 => 0..MINUTE_MS, 2 => 0..HOUR_MS, 1 => 0..DAY_MS].prop_map(Step::Wait),
        1 => (0..4 * MINUTE_MS).prop_map(Step::SlipBack),
        2 => (-60_i64..60).prop_map(Step::Jump),
        3 => Just(Step::Release),
        1 => Just(Step::Restart),
    ]
}

/// Isolations of a few machines, one of them protected, some to be lifted, and a few files.
fn manifest(n: u64, what: u64) -> ActionManifest {
    if what >= 7 {
        return block(n, what);
    }
    ActionManifest {
        protected: (what >= 5).then(|| "tier0".into()),
        on_expiry: if what.is_multiple_of(2) {
            OnExpiry::Lift
        } else {
            OnExpiry::Ask
        },
        ..isolate(n, what)
    }
}

/// What was seen of one action.
#[derive(Default)]
struct Seen {
    manifest: Option<ActionManifest>,
    claim: Option<String>,
    /// The live drive that has no outcome yet.
    open: bool,
    in_force: bool,
    lifted_by_time: bool,
}

/// What was answered to a caller's request, and when that was by the time that really goes by.
struct Asked {
    body: String,
    action_id: ActionId,
    answered: Option<u64>,
}

#[derive(Default)]
struct Watcher {
    acts: BTreeMap<ActionId, Seen>,
    claims: BTreeMap<String, Asked>,
    begun: Vec<u64>,
    held: bool,
}

impl Watcher {
    fn sees(&mut self, event: &Event, real_ms: u64) {
        match event {
            Event::ApprovalRequested(it) => {
                let seen = self.acts.entry(it.manifest.action_id).or_default();
                seen.manifest = Some(it.manifest.clone());
            }
            Event::ActOrdered(it) => {
                let id = it.manifest.action_id;
                let seen = self.acts.entry(id).or_default();
                assert!(seen.manifest.is_none(), "ordered twice");
                seen.manifest = Some(it.manifest.clone());
                if let Some(made) = &it.claim {
                    let key = format!("{} {}", made.rollback, made.request_id);
                    seen.claim = Some(key.clone());
                    let body = made.body_sha256.to_hex();
                    self.asked(key, body, id, real_ms);
                }
            }
            Event::ActBegun(it) => self.begins(it.facts.about.action_id, it.facts.manner, real_ms),
            Event::ActOutcome(it) => {
                let id = it.facts.about.action_id;
                self.ends(id, it.facts.outcome, real_ms);
                // After a week without a word nobody holds it to be in force.
                if it.facts.given_up {
                    self.acts.get_mut(&id).expect("known").in_force = false;
                }
            }
            Event::ActDrifted(Decided { facts, .. }) => {
                let seen = self.acts.get_mut(&facts.about.action_id).expect("known");
                assert!(seen.in_force);
                seen.in_force = false;
            }
            Event::HoldEnded(it) => {
                assert!(!self.held, "timers are held");
                let id = it.facts.about.action_id;
                let seen = self.acts.get_mut(&id).expect("known");
                assert!(seen.in_force && !seen.lifted_by_time);
                seen.lifted_by_time = true;
            }
            Event::ClockJumped(_) => self.held = true,
            Event::TimersReleased(_) => self.held = false,
            _ => {}
        }
    }

    fn asked(&mut self, key: String, body: String, action_id: ActionId, real_ms: u64) {
        let asked = Asked {
            body,
            action_id,
            answered: None,
        };
        if let Some(before) = self.claims.insert(key, asked) {
            let answered = before.answered.expect("two actions for one request");
            assert!(real_ms >= answered + CLAIM_MS, "{} again", before.body);
        }
    }

    fn begins(&mut self, id: ActionId, manner: Manner, real_ms: u64) {
        let seen = self.acts.get_mut(&id).expect("known");
        assert!(!seen.open, "begun twice without an outcome");
        seen.open = manner == Manner::Live;
        (seen.in_force, seen.lifted_by_time) = (false, false);
        let release = seen.manifest.as_ref().expect("known").release;
        let Some(release) = release else {
            self.begun.push(real_ms);
            return;
        };
        let siblings = self.acts.iter().filter(|(other, seen)| {
            let of = seen.manifest.as_ref().and_then(|manifest| manifest.release);
            **other != id && of == Some(release) && seen.open
        });
        assert_eq!(siblings.count(), 0, "undone twice at once");
    }

    fn ends(&mut self, id: ActionId, outcome: OutcomeKind, real_ms: u64) {
        let seen = self.acts.get_mut(&id).expect("known");
        seen.open = false;
        let release = seen.manifest.as_ref().expect("known").release;
        seen.in_force = release.is_none()
            && matches!(
                outcome,
                OutcomeKind::Executed | OutcomeKind::Accepted | OutcomeKind::Unknown
            );
        if let Some(key) = seen.claim.clone() {
            let own = self.claims.get_mut(&key);
            let own = own.filter(|asked| asked.action_id == id && asked.answered.is_none());
            match own {
                Some(_) if outcome == OutcomeKind::Unreachable => {
                    self.claims.remove(&key);
                }
                Some(asked) => asked.answered = Some(real_ms),
                None => {}
            }
        }
        let undone = matches!(outcome, OutcomeKind::Executed | OutcomeKind::AlreadySo);
        if let Some(of) = release.filter(|_| undone).and_then(|release| release.of) {
            self.acts.get_mut(&of).expect("known").in_force = false;
        }
    }

    fn holds(&self, real_ms: u64) {
        let within = |ms: u64| {
            let recent = self.begun.iter().filter(|at| **at + ms > real_ms);
            recent.count()
        };
        assert!(within(HOUR_MS) <= LIMITS.per_hour as usize, "hour");
        assert!(within(DAY_MS) <= LIMITS.per_day as usize, "day");
        let open = self.acts.values().filter(|seen| seen.open);
        assert!(open.count() <= LIMITS.concurrent as usize, "at once");
        let cut_off = |protected: bool| {
            let all = self.acts.values().filter(|seen| seen.open || seen.in_force);
            let all = all.filter_map(|seen| seen.manifest.as_ref());
            let hosts = all.filter(|manifest| manifest.hold_minutes > 0);
            let hosts = hosts.filter(|one| one.release.is_none());
            let hosts = hosts.filter(|one| !protected || one.protected.is_some());
            let hosts: BTreeSet<_> = hosts.map(|one| one.target_urn.clone()).collect();
            hosts.len()
        };
        assert!(cut_off(false) <= LIMITS.contained_hosts as usize, "hosts");
        assert!(cut_off(true) <= LIMITS.protected_hosts as usize, "tier 0");
    }
}

/// A tenant under watch.
#[derive(Default)]
struct Game {
    house: House,
    watcher: Watcher,
    real_ms: u64,
    made: u64,
}

impl Game {
    fn tell(&mut self, command: Command) {
        if let Ok(events) = self.house.run(command) {
            for event in &events {
                self.watcher.sees(event, self.real_ms);
            }
            self.watcher.holds(self.real_ms);
        }
    }

    /// One of the actions that there were.
    fn one(&self, index: Index) -> ActionId {
        action_id(index.index(usize::try_from(self.made).expect("few") + 1) as u64)
    }

    fn play(&mut self, step: Step) {
        match step {
            Step::Order {
                what,
                request,
                gate,
            } => self.ordered(what, request, gate),
            Step::Approve(what) => {
                self.made += 1;
                let manifest = manifest(self.made, what);
                self.house.approve(&manifest);
                let seen = self.watcher.acts.entry(manifest.action_id).or_default();
                seen.manifest = Some(manifest);
            }
            Step::Begin(which) => self.tell(Command::Begin(Box::new(Begin {
                action_id: self.one(which),
                flaw: None,
                gate: OPEN,
            }))),
            Step::Report(which, outcome, off) => {
                let id = self.one(which);
                let drive = self.house.state.acts.get(id).map_or(1, |act| act.drives);
                let outcome = *outcome.get(&OutcomeKind::ALL);
                let report = report(id, drive.saturating_sub(off), outcome);
                self.tell(Command::RecordAct(Box::new(report)));
            }
            Step::Redrive(which) => self.tell(Command::Redrive(Box::new(Redrive {
                action_id: self.one(which),
                by: "person:bo".into(),
                flaw: None,
                gate: OPEN,
            }))),
            Step::Undo(which, person) => self.undone(which, person),
            Step::Drift(which) => self.tell(Command::NoteDrift {
                action_id: self.one(which),
                observed: "normal".into(),
                back: false,
            }),
            Step::Tick => self.tell(Command::Tick(Window::default())),
            Step::Restart => self.house.restart(),
            Step::Wait(_) | Step::SlipBack(_) | Step::Jump(_) | Step::Release => self.time(step),
        }
    }

    fn ordered(&mut self, what: u64, request: Option<(u8, bool)>, gate: (bool, bool, bool)) {
        self.made += 1;
        let (halted, flawed, rehearsed) = gate;
        let manner = if rehearsed {
            Manner::DryRun
        } else {
            Manner::Live
        };
        let mut order = Order {
            flaw: flawed.then(|| "a flaw".into()),
            gate: Gate {
                halted,
                manner,
                ..OPEN
            },
            ..order(manifest(self.made, what), "external:soar")
        };
        order.ordered.claim = request.map(|(request, other)| {
            claim(&request.to_string(), if other { "other" } else { "body" })
        });
        self.tell(Command::Order(Box::new(order)));
    }

    fn undone(&mut self, which: Index, person: bool) {
        let seen = self.watcher.acts.get(&self.one(which));
        let Some(manifest) = seen.and_then(|seen| seen.manifest.clone()) else {
            return;
        };
        self.made += 1;
        let by = if person { "person:ada" } else { "system" };
        let order = order(undo(self.made, &manifest), by);
        self.tell(Command::Order(Box::new(order)));
    }

    fn time(&mut self, step: Step) {
        match step {
            Step::Wait(ms) => {
                self.real_ms += ms;
                self.house.wait(ms);
            }
            // Too little to be noted.
            Step::SlipBack(ms) => self.set(-i64::try_from(ms).expect("small")),
            Step::Jump(days) => {
                let expected_ms = self.house.now;
                self.set(days * i64::try_from(DAY_MS).expect("small"));
                self.tell(Command::NoteClock(ClockJumped {
                    found_ms: self.house.now,
                    expected_ms,
                }));
            }
            _ => self.tell(Command::ReleaseTimers(TimersReleased {
                by: "person:ada".into(),
            })),
        }
    }

    fn set(&mut self, by_ms: i64) {
        let now = self.house.now.ms().saturating_add_signed(by_ms);
        self.house.now = vyrox_domain::time::Timestamp::from_ms(now);
    }
}

proptest! {
    #[test]
    fn nothing_runs_twice_and_no_budget_is_passed(steps in vec(step(), 1..160)) {
        let mut game = Game::default();
        for step in steps {
            game.play(step);
        }
    }
}
