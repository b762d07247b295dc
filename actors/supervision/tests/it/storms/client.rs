//! Clerks under several policies, a client for each, and an owner who replaces those that end.

use crate::storms::clerk::{Bulk, Clerk, Containment, Control, Request, Work};
use crate::storms::ledger::Ledger;
use crate::worker::{LONG, ms};
use actix::prelude::*;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use vyrox_supervision::testing::{Random, Stage, What};
use vyrox_supervision::{
    Backoff, Classified, Failure, Fault, Group, Handle, Lane, Overflow, Policy, Restart, Serves,
    Spec, Strategy,
};

pub(super) fn id(n: usize) -> String {
    format!("clerk/{n}")
}

/// What a run came to.
#[derive(Debug)]
pub(super) struct Totals {
    pub(super) requests: u64,
    pub(super) struck: usize,
    pub(super) restarts: u64,
    pub(super) ended: usize,
    pub(super) ticks: u64,
    pub(super) outcomes: BTreeMap<&'static str, u64>,
}

const TEAMS: [(&str, Strategy); 3] = [
    ("alone", Strategy::OneForOne),
    ("together", Strategy::OneForAll),
    ("in-a-row", Strategy::RestForOne),
];

pub(super) struct Office {
    stage: Stage,
    desks: Vec<Rc<Desk>>,
    owners: Vec<JoinHandle<()>>,
}

/// A clerk's place: the clerk may be another one later, the ledger stays.
struct Desk {
    stage: Stage,
    id: String,
    team: Option<&'static str>,
    policy: Policy,
    clerk: RefCell<Handle<Clerk>>,
    ledger: Ledger,
    sent: Cell<u64>,
}

/// Five ways to supervise; the clerks take turns.
fn policy(n: usize) -> Policy {
    let backoff = |base_ms| Backoff {
        base: ms(base_ms),
        max: LONG,
        reset_after: Duration::from_secs(30),
    };
    let lane = |capacity, overflow| Lane { capacity, overflow };
    let mut policy = Policy {
        intensity: 1_000,
        backoff: backoff(0),
        ..Policy::default()
    };
    match n % 5 {
        0 => {}
        1 => policy.backoff = backoff(1_000),
        2 => {
            policy.restart = Restart::Transient;
            policy.lanes = [lane(4, Overflow::Reject); 3];
        }
        3 => policy.lanes = [lane(3, Overflow::DropOldest); 3],
        _ => {
            policy.lanes = [lane(2, Overflow::Wait(Duration::from_secs(5))); 3];
            policy.intensity = 2;
        }
    }
    policy
}

impl Office {
    pub(super) fn open(stage: &Stage, clerks: usize) -> Self {
        let desks: Vec<_> = (0..clerks)
            .map(|n| Desk::furnish(stage, id(n), None, policy(n)))
            .collect();
        Self::opened(stage, desks)
    }

    /// The same, with the clerks in teams that restart by one of the strategies each.
    pub(super) fn open_with_teams(stage: &Stage, clerks: usize) -> Self {
        for (team, strategy) in TEAMS {
            let group = Group::new(team, "team")
                .strategy(strategy)
                .bears(1_000, LONG);
            stage.tree().supervisor(&group);
        }
        let desks: Vec<_> = (0..clerks)
            .map(|n| Desk::furnish(stage, id(n), Some(TEAMS[n % TEAMS.len()].0), policy(n)))
            .collect();
        Self::opened(stage, desks)
    }

    fn opened(stage: &Stage, desks: Vec<Rc<Desk>>) -> Self {
        let ledgers: Vec<_> = desks.iter().map(|desk| desk.ledger.clone()).collect();
        stage.check(move |_| ledgers.iter().for_each(Ledger::is_in_order));
        let owners = desks.iter().map(|desk| actix::spawn(own(Rc::clone(desk))));
        Self {
            stage: stage.clone(),
            owners: owners.collect(),
            desks,
        }
    }

    /// Clients send until the storm is over.
    pub(super) async fn work(&self) {
        let clients: Vec<_> = self
            .desks
            .iter()
            .map(|desk| actix::spawn(Rc::clone(desk).send_until_calm()))
            .collect();
        for client in clients {
            client.await.unwrap();
        }
    }

    /// Ends all clerks. By then everybody who asked has been told one thing.
    pub(super) async fn close(self) -> Totals {
        self.owners.iter().for_each(JoinHandle::abort);
        self.stage.tree().shutdown(LONG * 60).await;
        sleep(LONG).await; // the clients read their answers
        let (mut requests, mut ticks, mut outcomes) = (0, 0, BTreeMap::new());
        for desk in &self.desks {
            desk.ledger.is_in_order();
            assert_eq!(desk.ledger.unanswered(), [] as [u64; 0], "{}", desk.id);
            desk.lost_only_what_was_struck();
            requests += desk.ledger.sent_total();
            ticks += desk.ledger.ticks();
            for (word, count) in desk.ledger.outcomes() {
                self.stage.trace().note(&desk.id, format!("{word} {count}"));
                *outcomes.entry(word).or_insert(0) += count;
            }
        }
        let records = self.stage.trace().all();
        let count = |of: fn(&What) -> bool| records.iter().filter(|r| of(&r.what)).count();
        Totals {
            requests,
            ticks,
            outcomes,
            struck: count(|what| matches!(what, What::Struck(_))),
            ended: count(|what| matches!(what, What::Ended(_))),
            restarts: self
                .desks
                .iter()
                .map(|desk| desk.clerk.borrow().snapshot().restarts)
                .sum(),
        }
    }
}

impl Desk {
    fn furnish(stage: &Stage, id: String, team: Option<&'static str>, policy: Policy) -> Rc<Self> {
        let ledger = Ledger::default();
        Rc::new(Self {
            clerk: RefCell::new(employ(stage, spec(&id, team, policy), &ledger)),
            stage: stage.clone(),
            id,
            team,
            policy,
            ledger,
            sent: Cell::new(0),
        })
    }

    async fn send_until_calm(self: Rc<Self>) {
        let mut random = self.stage.random(&self.id);
        while !self.stage.is_calm() {
            sleep(random.shorter_than(3 * LONG)).await;
            for _ in 0..=random.below(5) {
                let request = self.next_request(&mut random);
                match random.below(4) {
                    0 => self.send(Control(request), &mut random).await,
                    1 => self.send(Containment(request), &mut random).await,
                    _ => self.send(Bulk(request), &mut random).await,
                }
            }
        }
    }

    fn next_request(&self, random: &mut Random) -> Request {
        self.sent.set(self.sent.get() + 1);
        let pause = random.shorter_than(Duration::from_secs(3));
        let work = match random.below(8) {
            0 => Work::After(pause * 10),
            1 => Work::Alone(pause),
            2 => Work::After(pause),
            _ => Work::AtOnce,
        };
        Request {
            number: self.sent.get(),
            work,
        }
    }

    /// Sends one request in one of the four ways. The order of admission is the order of numbers.
    async fn send<M>(self: &Rc<Self>, message: M, random: &mut Random)
    where
        M: Classified<Result = u64>,
        Clerk: Serves<M>,
    {
        let (number, clerk) = (self.sent.get(), self.clerk.borrow().clone());
        let way = random.below(4);
        self.ledger.sent(number, way >= 2);
        let refused = match way {
            0 => clerk.try_cast(message).err(),
            1 => clerk.cast(message).await.err(),
            2 => {
                let outcome = clerk.ask(message, Duration::from_secs(2)).await;
                return self.ledger.told(number, outcome);
            }
            _ => match clerk.try_ask(message) {
                Ok(ask) => {
                    let (desk, patience) = (Rc::clone(self), random.shorter_than(2 * LONG));
                    drop(actix::spawn(async move {
                        let outcome = timeout(patience, ask).await;
                        let outcome = outcome.unwrap_or(Err(Failure::Deadline));
                        desk.ledger.told(number, outcome);
                    }));
                    None
                }
                Err(rejected) => Some(rejected),
            },
        };
        if let Some(rejected) = refused {
            let outcome = Err(Failure::Rejected(rejected.reason));
            self.ledger.told(number, outcome);
        }
    }

    /// A message that nobody asked about may be lost in hand, once a strike, or with its clerk's end; or
    /// a newer one took its place.
    fn lost_only_what_was_struck(&self) {
        let records = self.stage.trace().all();
        let of_mine = |of: fn(&What) -> bool| {
            let mine = records.iter().filter(|record| *record.actor == *self.id);
            mine.filter(|record| of(&record.what)).count() as u64
        };
        let struck = of_mine(|what| {
            let lethal =
                |fault| matches!(fault, Fault::Panic | Fault::PanicInStarted | Fault::Error);
            matches!(what, What::Struck(fault) if lethal(*fault))
        });
        let evicting = self.policy.lanes[2].overflow == Overflow::DropOldest;
        let ended_early = of_mine(|what| matches!(what, What::Ended(_))) > 1;
        let lost = self.ledger.lost_casts();
        assert!(
            evicting || ended_early || lost <= struck,
            "{}: {lost} lost, {struck} struck",
            self.id
        );
    }
}

fn spec(id: &str, team: Option<&str>, policy: Policy) -> Spec {
    let spec = Spec::new(id, "clerk").policy(policy);
    match team {
        Some(team) => spec.under(team),
        None => spec,
    }
}

fn employ(stage: &Stage, spec: Spec, ledger: &Ledger) -> Handle<Clerk> {
    let (ledger, here) = (ledger.clone(), &Arbiter::current());
    stage.tree().supervise(spec, here, move |_| Clerk {
        ledger: ledger.clone(),
    })
}

/// Employs the next clerk some time after one has ended.
async fn own(desk: Rc<Desk>) {
    let mut random = desk.stage.random(&format!("{}/owner", desk.id));
    loop {
        let clerk = desk.clerk.borrow().clone();
        let exit = clerk.exited().await;
        desk.stage
            .trace()
            .note(&desk.id, format!("to be replaced, {exit}"));
        sleep(random.shorter_than(LONG)).await;
        let spec = spec(&desk.id, desk.team, desk.policy);
        let next = employ(&desk.stage, spec, &desk.ledger);
        desk.clerk.replace(next);
    }
}
