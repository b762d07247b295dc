//! The shelf of zeroed files: the checkpointer fills it, the writer takes from it.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::directory::{Directory, Kind, Name};
use crate::journal::Class;
use crate::options::{Options, StartError};
use crate::segment::PAGE;
use crate::shared::lock;

/// Spares that the checkpointer keeps ready.
pub(crate) const TARGET: usize = 4;
/// The writer leaves the last spare to recovery, which on a full disk could not make one.
const RECOVERYS: usize = 1;
/// The one before it is for containment alone.
const CONTAINMENTS: usize = 1;

/// Ids of the spare files.
#[derive(Default)]
pub(crate) struct Spares {
    shelf: Mutex<Shelf>,
    changed: Condvar,
}

#[derive(Default)]
struct Shelf {
    ids: BTreeSet<u64>,
    failures: u64,
    closed: bool,
    /// Whether somebody was refused a spare since there were enough.
    short: bool,
    /// Whether the last attempt to make one failed.
    starved: bool,
}

impl Spares {
    /// The spares that are on the disk. Those of another size are retired, to be made anew.
    pub(crate) fn on_disk(directory: &Directory, options: &Options) -> Result<Self, StartError> {
        let bytes = u64::from(options.segment_pages()) * PAGE;
        let listed = directory
            .list()
            .map_err(StartError::io("list", directory.root()))?;
        let spares = Self::default();
        for name in listed.into_iter().filter(|name| name.kind == Kind::Spare) {
            let path = directory.path(name);
            let len = directory.disk().len(&path);
            let len = len.map_err(StartError::io("read", &path))?;
            if len == bytes {
                spares.add(name.id);
            } else {
                let retired = directory.rename(name, Name::new(Kind::Tmp, name.id));
                retired.map_err(StartError::io("rename", &path))?;
            }
        }
        Ok(spares)
    }

    /// Takes a spare for appends of this class, waiting while one is being made. `None` if there is
    /// none left for them.
    ///
    /// `wake_maker` is called at most once, to have the shelf filled.
    pub(crate) fn take(&self, class: Class, wake_maker: impl FnOnce()) -> Option<u64> {
        let kept = match class {
            Class::Intake | Class::Ordinary => RECOVERYS + CONTAINMENTS,
            Class::Containment => RECOVERYS,
        };
        let mut stock = lock(&self.shelf);
        let failures = stock.failures;
        let mut wake_maker = Some(wake_maker);
        while stock.ids.len() <= kept && stock.failures == failures && !stock.closed {
            if let Some(wake_maker) = wake_maker.take() {
                wake_maker();
            }
            stock = self
                .changed
                .wait(stock)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if stock.ids.len() <= kept {
            stock.short = true;
            return None;
        }
        stock.ids.pop_first()
    }

    /// Whether the spare that is kept for containment has been taken.
    pub(crate) fn reserve_is_used(&self) -> bool {
        lock(&self.shelf).ids.len() < RECOVERYS + CONTAINMENTS
    }

    /// Whether somebody was refused a spare, and there are still not enough.
    pub(crate) fn are_short(&self) -> bool {
        lock(&self.shelf).short
    }

    /// Whether the last attempt to make a spare failed.
    pub(crate) fn are_starved(&self) -> bool {
        lock(&self.shelf).starved
    }

    /// How many more spares there should be.
    pub(crate) fn missing(&self) -> usize {
        TARGET.saturating_sub(lock(&self.shelf).ids.len())
    }

    /// Puts a spare on the shelf.
    pub(crate) fn add(&self, id: u64) {
        let mut stock = lock(&self.shelf);
        stock.ids.insert(id);
        stock.starved = false;
        stock.short &= stock.ids.len() <= RECOVERYS + CONTAINMENTS;
        drop(stock);
        self.changed.notify_all();
    }

    /// Says that no spare could be made now.
    pub(crate) fn fail(&self) {
        let mut stock = lock(&self.shelf);
        stock.failures += 1;
        stock.starved = true;
        drop(stock);
        self.changed.notify_all();
    }

    /// Says that no spare will ever be made again.
    pub(crate) fn close(&self) {
        lock(&self.shelf).closed = true;
        self.changed.notify_all();
    }
}
