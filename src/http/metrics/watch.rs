//! Threads, what the watchdog has seen of them, and the dead letters.

use vyrox_actors::supervision::{Stalls, Tree};

use super::family::{Family, Look, level};

/// The threads at one moment.
pub(super) struct Watch {
    threads: usize,
    stalls: Stalls,
}

impl Watch {
    pub(super) fn over(tree: &Tree) -> Self {
        Self {
            threads: tree.threads().len(),
            stalls: tree.stalls(),
        }
    }
}

/// The dead letters at one moment.
pub(super) struct Letters {
    held: usize,
    gone: u64,
}

impl Letters {
    pub(super) fn of(tree: &Tree) -> Self {
        Self {
            held: tree.dead_letters().len(),
            gone: tree.dead_letters_gone(),
        }
    }
}

pub(super) const WATCH: &[Family<Watch>] = &[
    Family {
        name: "watchdog_looks",
        help: "How often the watchdog has looked at the threads.",
        look: Look::Counter(|watch| watch.stalls.looks),
    },
    Family {
        name: "stalls_noticed",
        help: "Stalls that were noticed, of all kinds.",
        look: Look::Counter(|watch| watch.stalls.noticed),
    },
    Family {
        name: "stalls_replaced",
        help: "Stalls whose actors were rebuilt on another thread.",
        look: Look::Counter(|watch| watch.stalls.replaced),
    },
    Family {
        name: "stalls_recovered",
        help: "Stalls that passed by themselves.",
        look: Look::Counter(|watch| watch.stalls.recovered),
    },
    Family {
        name: "threads",
        help: "Threads on which actors live or lived.",
        look: Look::Gauge(|watch| level(watch.threads)),
    },
    Family {
        name: "threads_stuck",
        help: "Threads that are stuck.",
        look: Look::Gauge(|watch| level(watch.stalls.threads_stuck)),
    },
];

pub(super) const LETTERS: &[Family<Letters>] = &[
    Family {
        name: "dead_letters",
        help: "Dead letters that can be looked at.",
        look: Look::Gauge(|letters| level(letters.held)),
    },
    Family {
        name: "dead_letters_gone",
        help: "Dead letters that went with their actors.",
        look: Look::Counter(|letters| letters.gone),
    },
];
