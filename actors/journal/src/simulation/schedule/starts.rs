//! How the journal ends, and how it comes up again.

use super::{Played, Schedule};
use crate::erasure::calls::complete;
use crate::options::StartError;
use crate::simulation::disk::Faults;
use crate::simulation::host::{Dead, Host};

/// Starts that may fail before the disk is made to behave.
const ATTEMPTS: u32 = 5;

impl Schedule {
    /// At the end all must be well once more, after a last loss of power.
    pub(super) fn finish(&mut self) -> Played {
        if let Some(host) = &mut self.host {
            while host.has_jobs() && host.turn().is_ok() {}
            self.take_answers()?;
        }
        if self.host.is_some() {
            self.go_down();
        }
        self.come_up()?;
        self.oracle.check_erased(&self.disk)
    }

    /// The process is gone, with or without the power. Sometimes it had time to close its files.
    pub(super) fn go_down(&mut self) {
        let kind = self.dice.below(6);
        if kind != 0 {
            self.disk.with(|state| state.off = true);
        }
        self.host = None;
        let power = kind > 2;
        self.disk.with(|state| {
            state.note(|_| format!("DOWN, {}", if power { "power lost" } else { "killed" }));
            state.end(power);
        });
        self.clients.clear();
        let harms = self.dice.one_in(2);
        if harms {
            self.harm();
        }
        // What is in the cache hides what became of the disk.
        if harms || self.dice.one_in(3) {
            self.disk.evict();
        }
    }

    /// Starts again until it works, the last times on a disk that behaves.
    pub(super) fn come_up(&mut self) -> Played {
        for attempt in 0..=ATTEMPTS {
            let faults = match attempt {
                ATTEMPTS => Faults::default(),
                _ if self.dice.one_in(2) => Faults {
                    full: self.faults.full,
                    ..Faults::default()
                },
                _ => self.faults,
            };
            if attempt < ATTEMPTS && self.dice.one_in(4) {
                let fuse = self.dice.below(80);
                self.disk.with(|state| state.fuse = Some(fuse));
            }
            self.start(faults)?;
            if self.host.is_some() {
                return Ok(());
            }
        }
        if self.oracle.harm.is_none() {
            return Err("a start on a disk without any fault FAILED for good".into());
        }
        Ok(())
    }

    /// Starts once, and checks what came of it.
    pub(super) fn start(&mut self, faults: Faults) -> Played {
        self.disk.with(|state| {
            state.faults = faults;
            state.note(|state| format!("START {faults:?} fuse {:?}", state.fuse));
        });
        self.outcome.starts += 1;
        match Host::start(&self.disk) {
            Ok(host) => self.started(host)?,
            Err(error) => self.refused(&error, faults)?,
        }
        let all = self.faults;
        self.disk.with(|state| {
            state.fuse = None;
            state.faults = all;
        });
        if self.disk.with(|state| state.off) {
            self.go_down();
        }
        Ok(())
    }

    pub(super) fn started(&mut self, host: Host) -> Played {
        let summary = host.summary();
        self.outcome.cuts += u64::from(summary.cut);
        self.outcome.holds += crate::bytes::wide(summary.held.len());
        self.outcome.segments += summary.segments;
        self.disk
            .with(|state| state.note(|_| format!("UP {summary:?}")));
        self.settled = 1;
        self.host = Some(host);
        self.check(true)?;
        // The checkpointer begins with the shelf, unless the end comes before it gets so far.
        let filled = self.host.as_ref().map(Host::fill_shelf);
        if let Some(Err(Dead)) = filled {
            self.go_down();
            return Ok(());
        }
        let completed = self
            .host
            .as_mut()
            .map(|host| host.call(|steps| complete(steps)));
        if let Some(Err(Dead)) = completed {
            self.go_down();
            return Ok(());
        }
        if self.dice.one_in(4) {
            self.start_twice()?;
        }
        Ok(())
    }

    pub(super) fn refused(&mut self, error: &StartError, faults: Faults) -> Played {
        self.outcome.failed_starts += 1;
        self.disk
            .with(|state| state.note(|_| format!("NOT UP: {error}")));
        let stopped = self.disk.with(|state| state.off);
        let excused = stopped || faults.eio > 0 || faults.no_space > 0 || faults.full;
        // The failure of a write-back that came before is told to whoever syncs next.
        let late = matches!(error, StartError::Heads(_) | StartError::Io { .. });
        if !excused && !late && self.oracle.harm.is_none() {
            return Err(format!("a start was REFUSED without a fault: {error}"));
        }
        let power = self.dice.one_in(2);
        self.disk.with(|state| state.end(power));
        Ok(())
    }

    /// A start that is repeated, from the cache or from the disk alone, comes to the same.
    pub(super) fn start_twice(&mut self) -> Played {
        let Some(host) = &self.host else {
            return Ok(());
        };
        for power in [false, true] {
            if power && !self.oracle.harm.is_none() {
                // The cache may have hidden what happened to the disk.
                continue;
            }
            let fork = self.disk.fork();
            fork.with(|state| state.end(power));
            let again = Host::start(&fork);
            let again = again.map_err(|error| format!("a second start failed: {error}"))?;
            let same = again.heads() == host.heads() && again.holds() == host.holds();
            let heads = (host.heads(), again.heads());
            drop(again);
            if !same {
                return Err(format!("a second start came to something else: {heads:?}"));
            }
        }
        Ok(())
    }
}
