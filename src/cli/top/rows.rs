//! Which nodes are rows, and in which order.

use std::{cmp::Reverse, collections::HashMap};

use clap::ValueEnum;

use super::{
    picture::{HANDFUL, Picture, Seen},
    state::State,
};

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// Every actor under its supervisor
    #[default]
    Tree,
    /// The most messages waiting
    Queue,
    /// The most restarts
    Restarts,
    /// The longest wait in the queue
    Wait,
    /// The most messages handled a second
    Rate,
}

impl Sort {
    /// The one after it, round and round.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Tree => Self::Queue,
            Self::Queue => Self::Restarts,
            Self::Restarts => Self::Wait,
            Self::Wait => Self::Rate,
            Self::Rate => Self::Tree,
        }
    }

    /// Its name.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Queue => "queue",
            Self::Restarts => "restarts",
            Self::Wait => "wait",
            Self::Rate => "rate",
        }
    }

    fn weight(self, seen: &Seen) -> u64 {
        match self {
            Self::Tree => 0,
            Self::Queue => seen.node.mailbox.depth,
            Self::Restarts => seen.node.restarts,
            Self::Wait => seen.node.queue_wait_us_p99,
            Self::Rate => seen.rate_tenths.unwrap_or(0),
        }
    }
}

/// Which nodes are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// Part of the id, in lower case.
    pub(super) text: String,
    /// The state.
    pub(super) state: Option<State>,
    /// Only nodes in trouble.
    pub(super) only_trouble: bool,
}

impl Wanted {
    /// Whether it leaves nothing out.
    pub(super) fn is_everything(&self) -> bool {
        self.text.is_empty() && self.state.is_none() && !self.only_trouble
    }

    /// Whether this node is wanted.
    pub(super) fn takes(&self, seen: &Seen) -> bool {
        self.state.is_none_or(|state| seen.state == state)
            && (seen.trouble || !self.only_trouble)
            && (self.text.is_empty() || seen.node.id.to_lowercase().contains(&self.text))
    }
}

/// Which nodes hide those below them.
#[derive(Clone, Debug, Default)]
pub(super) struct Folds {
    /// What the user decided, by id; all others are folded by rule.
    chosen: HashMap<String, bool>,
}

impl Folds {
    /// Whether a node hides what is below it. Where nobody decided, a node is folded if it is one of
    /// more than a handful of siblings and all is well with it.
    pub(super) fn is_folded(&self, picture: &Picture, seen: &Seen) -> bool {
        if seen.children.is_empty() {
            return false;
        }
        if let Some(folded) = self.chosen.get(&seen.node.id) {
            return *folded;
        }
        let parent = seen.parent.and_then(|parent| picture.get(parent));
        let in_a_crowd = parent.is_some_and(|parent| parent.children.len() > HANDFUL);
        in_a_crowd && seen.troubled() == 0
    }

    /// Notes what the user decided.
    pub(super) fn choose(&mut self, id: &str, folded: bool) {
        self.chosen.insert(id.to_owned(), folded);
    }

    /// Unfolds every node above `place` that the user did not fold.
    pub(super) fn uncover(&mut self, picture: &Picture, place: usize) {
        for seen in picture.above(place).filter_map(|place| picture.get(place)) {
            self.chosen.entry(seen.node.id.clone()).or_insert(false);
        }
    }

    /// Forgets nodes that are gone, so that it does not grow.
    pub(super) fn forget_missing(&mut self, picture: &Picture) {
        self.chosen.retain(|id, _| picture.place_of(id).is_some());
    }
}

/// The tree as far as it is unfolded.
pub(super) fn unfolded(picture: &Picture, folds: &Folds) -> Vec<usize> {
    walk(picture, |seen| !folds.is_folded(picture, seen))
}

/// The wanted nodes with everything above them, in the tree's order. Folds do not count: whoever
/// looks for something wants to see it.
pub(super) fn found(picture: &Picture, wanted: &Wanted) -> Vec<usize> {
    let mut kept = vec![false; picture.all().count()];
    for (place, _) in picture.all().filter(|(_, seen)| wanted.takes(seen)) {
        for place in picture.above(place).chain([place]) {
            if let Some(kept) = kept.get_mut(place) {
                *kept = true;
            }
        }
    }
    let mut rows = walk(picture, |_| true);
    rows.retain(|place| kept.get(*place).copied().unwrap_or(false));
    rows
}

/// The wanted nodes alone, the heaviest first, then in the tree's order.
pub(super) fn ranked(picture: &Picture, wanted: &Wanted, sort: Sort) -> Vec<usize> {
    let mut rows = walk(picture, |_| true);
    rows.retain(|place| picture.get(*place).is_some_and(|seen| wanted.takes(seen)));
    rows.sort_by_cached_key(|place| Reverse(picture.get(*place).map(|seen| sort.weight(seen))));
    rows
}

fn walk(picture: &Picture, is_open: impl Fn(&Seen) -> bool) -> Vec<usize> {
    let mut rows = Vec::new();
    let mut ahead: Vec<usize> = picture.root().iter().map(|_| 0).collect();
    while let Some(place) = ahead.pop() {
        rows.push(place);
        if let Some(seen) = picture.get(place).filter(|seen| is_open(seen)) {
            ahead.extend(seen.children.iter().rev());
        }
    }
    rows
}
