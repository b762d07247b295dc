//! One schedule: what callers, threads, the disk and the power company do, all from one seed.

use std::collections::BTreeMap;

use super::dice::Dice;
use super::disk::{Counted, Faults, Flaw, SimDisk};
use super::harm;
use super::host::{Dead, Host};
use super::oracle::Oracle;
use crate::planted::{Bug, plant};

mod callers;
mod operators;
mod starts;

pub(super) const CHAINS: [&str; 4] = ["acme", "globex", "initech", "umbrella"];

/// How often a disk at rest is harmed in one schedule, at most.
const MOST_HARMS: u64 = 3;

/// What is wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Planted {
    Nothing,
    Flaw(Flaw),
    Bug(Bug),
}

/// What a schedule came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) disk: Counted,
    pub(super) starts: u64,
    pub(super) failed_starts: u64,
    pub(super) entries: u64,
    pub(super) cuts: u64,
    pub(super) harmed: u64,
    pub(super) holds: u64,
    pub(super) segments: u64,
    pub(super) repairs: u64,
    pub(super) erasures: u64,
    pub(super) backups: u64,
}

impl Outcome {
    pub(super) fn add(&mut self, other: &Self) {
        let disk = (&mut self.disk, &other.disk);
        disk.0.operations += disk.1.operations;
        disk.0.eios += disk.1.eios;
        disk.0.refused += disk.1.refused;
        disk.0.power_losses += disk.1.power_losses;
        disk.0.deaths += disk.1.deaths;
        self.starts += other.starts;
        self.failed_starts += other.failed_starts;
        self.entries += other.entries;
        self.cuts += other.cuts;
        self.harmed += other.harmed;
        self.holds += other.holds;
        self.segments += other.segments;
        self.repairs += other.repairs;
        self.erasures += other.erasures;
        self.backups += other.backups;
    }
}

/// Plays the schedule of a seed; answers what it came to, or which promise was broken.
pub(super) fn play(seed: u64, planted: Planted, trace: bool) -> Result<Outcome, String> {
    let mut dice = Dice::new(seed);
    let disk = SimDisk::new(Dice::new(dice.next()));
    let flaw = match planted {
        Planted::Flaw(flaw) => Some(flaw),
        Planted::Nothing | Planted::Bug(_) => None,
    };
    if let Planted::Bug(bug) = planted {
        plant(Some(bug));
    }
    disk.with(|state| {
        state.flaw = flaw;
        state.trace = trace;
    });
    let mut schedule = Schedule::new(dice, disk);
    if let Planted::Bug(Bug::CountLate | Bug::ForgetSetAside | Bug::ForgetHeld) = planted {
        // These show only where something was harmed.
        schedule.harms = MOST_HARMS;
    }
    let played = schedule.run();
    plant(None);
    let Schedule {
        disk,
        oracle,
        mut outcome,
        host,
        ..
    } = schedule;
    disk.with(|state| state.off = true);
    drop(host);
    outcome.entries = oracle.entries;
    outcome.disk = disk.with(|state| state.counted);
    played.map(|()| outcome)
}

/// A caller of one chain.
#[derive(Clone, Copy, Default)]
struct Client {
    epoch: u64,
    /// The last seq, with those that are still queued.
    last: Option<u64>,
}

struct Schedule {
    dice: Dice,
    disk: SimDisk,
    host: Option<Host>,
    oracle: Oracle,
    clients: BTreeMap<&'static str, Client>,
    faults: Faults,
    /// How many times the disk may still be harmed at rest.
    harms: u64,
    /// The first page of the last batch that is certainly not the last one.
    settled: u64,
    appends: u64,
    numbers: u64,
    outcome: Outcome,
}

type Played = Result<(), String>;

impl Schedule {
    fn new(mut dice: Dice, disk: SimDisk) -> Self {
        let kind = dice.below(8);
        let eio = if kind & 1 == 1 {
            30 + dice.below(300)
        } else {
            0
        };
        let no_space = if kind & 2 == 2 {
            20 + dice.below(200)
        } else {
            0
        };
        let harms = if dice.one_in(2) {
            1 + dice.below(MOST_HARMS)
        } else {
            0
        };
        Self {
            dice,
            disk,
            host: None,
            oracle: Oracle::default(),
            clients: BTreeMap::new(),
            faults: Faults {
                eio,
                no_space,
                full: false,
            },
            harms,
            settled: 1,
            appends: 0,
            numbers: 0,
            outcome: Outcome::default(),
        }
    }

    fn run(&mut self) -> Played {
        self.start(Faults::default())?;
        let steps = 10 + self.dice.below(50);
        for step in 0..steps {
            if self.host.is_none() {
                self.come_up()?;
                if self.host.is_none() {
                    return Ok(());
                }
            }
            self.disk
                .with(|state| state.note(|_| format!("step {step}")));
            if self.dice.one_in(8) {
                // Short ones end appends, long ones checkpoints.
                let most = [3, 10, 60][self.dice.size_below(3)];
                let fuse = self.dice.below(most);
                self.disk.with(|state| state.fuse = Some(fuse));
            }
            let done = self.step();
            self.take_answers()?;
            let off = self
                .disk
                .with(|state| std::mem::take(&mut state.fuse).is_some() && state.off);
            match done? {
                Ok(()) if !off => {
                    if self.dice.one_in(8) {
                        self.check(false)?;
                    }
                }
                Ok(()) | Err(Dead) => self.go_down(),
            }
        }
        self.finish()
    }

    fn step(&mut self) -> Result<Result<(), Dead>, String> {
        let roll = self.dice.below(100);
        let chain = self.dice_chain();
        let Some(host) = &mut self.host else {
            return Ok(Err(Dead));
        };
        if host.holds_any() && self.dice.one_in(3) {
            return if self.dice.one_in(4) {
                self.back_up()
            } else {
                self.mend()
            };
        }
        Ok(match roll {
            0..42 => self.append_some(),
            42..48 => self.open(chain),
            48..54 => host.flush(chain).map(|_may_pass| ()),
            54..62 => host.tidy(),
            62..67 => return self.look(),
            67..72 => {
                let eio = self.faults.eio;
                self.disk.background(eio * 4);
                Ok(())
            }
            72..76 => {
                self.disk.evict();
                Ok(())
            }
            76..79 => {
                self.toggle_full();
                Ok(())
            }
            79..84 => {
                self.harm();
                Ok(())
            }
            84..93 => return self.erase(),
            93 => return self.back_up(),
            94 => return self.scrub().map(Ok),
            95..97 => host.close().and(Err(Dead)),
            _ => Err(Dead),
        })
    }

    fn dice_chain(&mut self) -> &'static str {
        CHAINS[self.dice.size_below(CHAINS.len())]
    }

    fn toggle_full(&mut self) {
        if self.faults.no_space > 0 {
            self.faults.full = !self.faults.full;
            let full = self.faults.full;
            self.disk.with(|state| state.faults.full = full);
        }
    }

    fn harm(&mut self) {
        if self.harms == 0 {
            return;
        }
        let place = self.host.as_ref().map(Host::place);
        let harmed = harm::harm(&self.disk, &mut self.dice, place, self.settled);
        if let Some(harmed) = harmed {
            self.harms -= 1;
            self.outcome.harmed += 1;
            harmed.add_to(&mut self.oracle.harm);
        }
    }

    fn check(&mut self, just_started: bool) -> Played {
        match &self.host {
            Some(host) => self.oracle.check(&self.disk, host, just_started),
            None => Ok(()),
        }
    }
}
