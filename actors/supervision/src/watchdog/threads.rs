//! What a reader of the tree sees of its threads.

use crate::desk::{Desk, Pulse};
use crate::tree::Tree;
use serde::Serialize;

/// A thread on which actors of the tree live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ThreadNode {
    /// The name that the operating system knows, or a number if it has none.
    pub name: String,
    /// For how long it has been stuck, in milliseconds; none if the watchdog takes it for healthy.
    pub stuck_for_ms: Option<u64>,
    /// The id of the actor whose code runs there at this moment.
    pub polling: Option<String>,
    /// The message type that this actor handles. None if a timer or future runs, or if the actor goes on
    /// elsewhere already.
    pub message: Option<&'static str>,
    /// Actors that live there.
    pub actors: usize,
}

/// What the watchdog has seen since the tree was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stalls {
    /// Stalls that were noticed, of all kinds.
    pub noticed: u64,
    /// Stalls whose actors were rebuilt on another thread.
    pub replaced: u64,
    /// Stalls that passed by themselves.
    pub recovered: u64,
    /// Threads that are stuck at this moment.
    pub threads_stuck: usize,
    /// How often the watchdog has looked.
    pub looks: u64,
    /// How many actors it had to look at one by one, which it does only when something is wrong, and
    /// each half of [`crate::Plan::progress_after`].
    pub actors_read: u64,
}

impl Tree {
    /// The threads on which actors of the tree live or lived, oldest first. Answers while one is stuck.
    pub fn threads(&self) -> Vec<ThreadNode> {
        let desks = self.roster().desks();
        desks.iter().map(|desk| node(desk)).collect()
    }

    /// What the watchdog has seen; all zero without one.
    pub fn stalls(&self) -> Stalls {
        let (roster, desks) = (self.roster(), self.roster().desks());
        let tally = &roster.tally;
        Stalls {
            noticed: tally.noticed.get(),
            replaced: tally.replaced.get(),
            recovered: tally.recovered.get(),
            threads_stuck: desks.iter().filter(|desk| desk.is_stuck()).count(),
            looks: tally.looks.get(),
            actors_read: tally.actors_read.get(),
        }
    }
}

fn node(desk: &Desk) -> ThreadNode {
    let polled = match desk.pulse() {
        Pulse::Busy(poll) => desk.resident(poll.seat).map(|resident| (poll, resident)),
        Pulse::Idle(_) => None,
    };
    let message = polled.as_ref().and_then(|(poll, resident)| {
        let child = resident.child.upgrade()?;
        let message = child.current_message()?;
        // Else it may be the message of a later poll, or of the generation that replaced this one.
        let is_its_own = desk.is_in(poll) && !resident.run.is_fenced();
        is_its_own.then_some(message)
    });
    ThreadNode {
        name: desk.name.clone(),
        stuck_for_ms: desk
            .stuck_for()
            .map(|stuck| u64::try_from(stuck.as_millis()).unwrap_or(u64::MAX)),
        polling: polled.map(|(_, resident)| resident.run.actor.as_ref().to_owned()),
        message,
        actors: desk.population(),
    }
}
