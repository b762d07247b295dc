//! What outlives a process, and the steps that a seed makes of it.

use std::{cell::Cell, collections::BTreeMap, time::Duration};

use tokio::{sync::oneshot, time::sleep};
use vyrox_actors::{
    messages::{
        DecideAction, ExecuteAction, External, ExternalTarget, Intake, ParsedAlert, Receive,
        RedriveAction, ReleaseTimers, RollBackAction, Who,
    },
    supervision::testing::{Random, run},
};
use vyrox_domain::{
    action::ActionType,
    containment::{ClaimKey, ClaimMade},
    digest::Digest,
    ids::{ActionId, AlertId},
    protocol::{Verb, Via},
    vendor::Vendor,
};

use super::{
    Bug, Furniture,
    hours::Hours,
    life::{Life, ann_id},
    memory::Memory,
    vendor::Model,
    watch::{Report, Watching},
};
use crate::house::alert;

/// The most lives of a process in one schedule.
const LIVES: u64 = 4;
/// The most steps of a life.
const STEPS: u64 = 12;
/// How long everything is well at the end.
const QUIET: Duration = Duration::from_mins(7);
const DAY_MS: u64 = 24 * 3_600_000;

/// A tenant's chain, its vendor, and the time.
pub(super) struct Town {
    pub(super) hours: Hours,
    pub(super) memory: Memory,
    pub(super) vendor: Model,
    pub(super) watching: Watching,
    /// Containments are lifted without a question when their time is over.
    pub(super) lifts: bool,
    /// The whole server sends nothing.
    pub(super) rehearses: bool,
    bug: Option<Bug>,
    halted: Cell<bool>,
    alerts: Cell<u64>,
}

/// Plays the schedule that a seed gives, to its end.
pub(super) fn play(seed: u64, bug: Option<Bug>, furniture: &Furniture) -> Report {
    let mut random = Random::new(seed, "schedule");
    let town = Town::new(seed, bug, &mut random);
    let lives = 1 + random.below(LIVES);
    for life in 1..=lives {
        run(live(&town, &mut random, furniture, life == lives));
        // The runtime is gone, and nothing of the process is left but this.
        town.watching.step("the process is gone");
        town.memory.fall();
        town.vendor.next_life();
        town.watching.unwell(life < lives);
    }
    town.watching.report()
}

async fn live(town: &Town, random: &mut Random, furniture: &Furniture, last: bool) {
    town.hours.begin();
    town.memory.gate.attend();
    let life = Life::begin(town, furniture).await;
    town.watching.unwell(false);
    let steps = async {
        for _ in 0..=random.below(STEPS) {
            town.step(&life, random);
            sleep(pause(random)).await;
        }
        if last {
            town.ends(&life).await;
        }
    };
    tokio::select! {
        biased;
        () = steps => {}
        () = life.watch(town) => {}
    }
    town.hours.end(random.below(90_000));
}

/// Often hardly any time, sometimes a minute.
fn pause(random: &mut Random) -> Duration {
    let most = [20, 400, 4_000, 15_000, 70_000];
    let most = random.pick(&most).copied().unwrap_or(1);
    Duration::from_millis(1 + random.below(most))
}

impl Town {
    fn new(seed: u64, bug: Option<Bug>, random: &mut Random) -> Self {
        let hours = Hours::default();
        let watching = Watching::new(&hours);
        Self {
            memory: Memory::new(seed, watching.clone(), bug),
            vendor: Model::new(seed, &hours, &watching, bug),
            watching,
            hours,
            lifts: random.one_in(2),
            rehearses: random.one_in(15),
            bug,
            halted: Cell::new(false),
            alerts: Cell::new(0),
        }
    }

    /// People halt containment, or let it go on.
    pub(super) fn halt(&self, halted: bool) {
        self.watching.halt(halted);
        self.halted.set(halted);
    }

    /// Whether the keyring says that containment is halted.
    pub(super) fn is_halted(&self) -> bool {
        self.halted.get() && self.bug != Some(Bug::IgnoresHalt)
    }

    /// Everything is well for a while; then nothing may be open, and the machine and the chain agree.
    async fn ends(&self, life: &Life) {
        self.vendor.calm();
        self.memory.calm();
        life.halt(self, false);
        life.equip(true);
        sleep(QUIET).await;
        let mut agreed = false;
        for _ in 0..5 {
            let acts = life.acts().await;
            agreed = acts.is_some_and(|acts| self.watching.agrees(&acts));
            if agreed {
                break;
            }
            // Something may have been decided that is not durable yet.
            sleep(Duration::from_millis(1_300)).await;
        }
        self.watching.end(agreed);
    }

    fn step(&self, life: &Life, random: &mut Random) {
        let (number, say) = (random.below(34), |what| self.watching.step(what));
        match number {
            0..=9 => self.execute(life, random),
            10..=13 => self.alert(life, random),
            14..=17 => self.approve(life, random),
            18..=20 => self.roll_back(life, random),
            21..=23 => self.redrive(life, random),
            24 => {
                let halted = !self.halted.get();
                say(if halted { "halt" } else { "go on" });
                life.halt(self, halted);
            }
            25 => {
                let equipped = random.one_in(2);
                say(if equipped {
                    "credential"
                } else {
                    "no credential"
                });
                life.equip(equipped);
            }
            26 => {
                say("nothing can be read");
                self.vendor.darken(1 + random.below(70_000));
            }
            27 => self.meddle(random),
            28 | 29 => {
                say("the machine falls at its next message");
                life.fell("machine");
            }
            30 | 31 => {
                say("the adapter falls at its next message");
                life.fell("edr/crowdstrike");
            }
            32 => {
                say("the clock is set");
                self.hours.set_ahead(random.below(3) * DAY_MS);
            }
            _ => self.release_timers(life),
        }
    }

    fn meddle(&self, random: &mut Random) {
        let (target, on) = (target(random.below(3)), random.one_in(2));
        let key = format!(
            "{} {target} {:?}",
            ActionType::HostIsolation,
            Parameters::new()
        );
        self.watching.step(&format!("{key} by somebody else: {on}"));
        self.vendor.meddle(&key, on);
    }

    fn execute(&self, life: &Life, random: &mut Random) {
        let request = random.below(5);
        let rollback = random.one_in(6);
        let target = target(random.below(3));
        let (action_type, parameters) = deed(random);
        let body = format!("{rollback} {action_type} {target} {parameters:?}");
        let claim = ClaimMade {
            request_id: format!("{request} {action_type} {target}"),
            rollback,
            body_sha256: Digest::of(body.as_bytes()),
        };
        let key = ClaimKey::of(&claim);
        self.watching.step(&format!("{} {body}", key.text()));
        let now = life.world.now();
        let request = External {
            claim,
            action_type,
            alert_id: AlertId(life.world.fresh_id(now)),
            target: Ok(ExternalTarget {
                vendor: Vendor::Crowdstrike,
                target_urn: target,
                host: Some("ws-1".into()),
                parameters,
                protected: None,
                verdict: None,
                incident_id: None,
            }),
            approved_by: "bob".into(),
            approved_at: now,
        };
        let (reply, waits) = oneshot::channel();
        // Without room the caller is told of an error.
        life.machine.try_cast(ExecuteAction { request, reply }).ok();
        self.watching.waits(&key, waits);
    }

    fn alert(&self, life: &Life, random: &mut Random) {
        let n = self.next_alert();
        self.watching.step("an alert");
        let alert = alert(n, random.below(3), "lsassworst");
        let body = alert.vendor_alert_id.clone().into_bytes();
        let intake = Intake {
            vendor: alert.vendor,
            body_sha256: Digest::of(&body),
            body,
            received_at: life.world.now(),
            fallback: false,
            polled: false,
        };
        let (reply, _) = oneshot::channel();
        let message = Receive {
            intake: intake.into(),
            alerts: [ParsedAlert::new(alert).expect("JSON")].into(),
            reply,
        };
        life.machine.try_cast(message).ok();
    }

    fn next_alert(&self) -> u64 {
        self.alerts.set(self.alerts.get() + 1);
        self.alerts.get()
    }

    fn approve(&self, life: &Life, random: &mut Random) {
        let proposed = self.watching.proposed();
        let Some(alert_id) = random.pick(&proposed).copied() else {
            return self.alert(life, random);
        };
        self.watching.step("yes");
        let (reply, _) = oneshot::channel();
        let decide = DecideAction {
            alert_id,
            shown: None,
            verb: Verb::Approve,
            who: Who::Person(ann_id()),
            via: by_token(),
            reason: None,
            incident_id: None,
            reply,
        };
        life.machine.try_cast(decide).ok();
    }

    fn one(&self, random: &mut Random) -> Option<ActionId> {
        random.pick(&self.watching.actions()).copied()
    }

    fn roll_back(&self, life: &Life, random: &mut Random) {
        let Some(action_id) = self.one(random) else {
            return self.execute(life, random);
        };
        self.watching.step("back");
        let (reply, _) = oneshot::channel();
        let wish = RollBackAction {
            action_id,
            person: ann_id(),
            via: by_token(),
            reply,
        };
        life.machine.try_cast(wish).ok();
    }

    fn redrive(&self, life: &Life, random: &mut Random) {
        let Some(action_id) = self.one(random) else {
            return self.execute(life, random);
        };
        self.watching.step("again");
        let (reply, _) = oneshot::channel();
        let wish = RedriveAction {
            action_id,
            person: ann_id(),
            reply,
        };
        life.machine.try_cast(wish).ok();
    }

    fn release_timers(&self, life: &Life) {
        self.watching.step("timers are released");
        let (reply, _) = oneshot::channel();
        let by = "person:ann".to_owned();
        life.machine.try_cast(ReleaseTimers { by, reply }).ok();
    }
}

type Parameters = BTreeMap<String, String>;

fn deed(random: &mut Random) -> (ActionType, Parameters) {
    let with = |name: &str, value: String| Parameters::from([(name.to_owned(), value)]);
    match random.below(4) {
        0 => {
            let pid = 100 + random.below(2);
            (ActionType::ProcessKill, with("pid", pid.to_string()))
        }
        1 => {
            let file = format!("{:064x}", random.below(2));
            (ActionType::HashBlock, with("sha256", file))
        }
        _ => (ActionType::HostIsolation, Parameters::new()),
    }
}

fn target(machine: u64) -> String {
    format!("urn:edr:crowdstrike:{machine:032x}")
}

fn by_token() -> Via {
    Via::Token {
        token_id: "a-token".into(),
    }
}
