//! The shelf of zeroed files: the checkpointer fills it, the writer takes from it.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::directory::{Directory, Kind, Name};
use crate::options::{Options, StartError};
use crate::segment::PAGE;
use crate::shared::lock;

/// Spares that the checkpointer keeps ready.
pub(crate) const TARGET: usize = 3;
/// The writer leaves the last spare to recovery, which on a full disk could not make one.
const RESERVED: usize = 1;

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

    /// Takes a spare, waiting while one is being made. `None` if there is no room for one.
    ///
    /// `wake_maker` is called at most once, to have the shelf filled.
    pub(crate) fn take(&self, wake_maker: impl FnOnce()) -> Option<u64> {
        let mut stock = lock(&self.shelf);
        let failures = stock.failures;
        let mut wake_maker = Some(wake_maker);
        while stock.ids.len() <= RESERVED && stock.failures == failures && !stock.closed {
            if let Some(wake_maker) = wake_maker.take() {
                wake_maker();
            }
            stock = self
                .changed
                .wait(stock)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if stock.ids.len() <= RESERVED {
            return None;
        }
        stock.ids.pop_first()
    }

    /// How many more spares there should be.
    pub(crate) fn missing(&self) -> usize {
        TARGET.saturating_sub(lock(&self.shelf).ids.len())
    }

    /// Puts a spare on the shelf.
    pub(crate) fn add(&self, id: u64) {
        lock(&self.shelf).ids.insert(id);
        self.changed.notify_all();
    }

    /// Says that no spare could be made now.
    pub(crate) fn fail(&self) {
        lock(&self.shelf).failures += 1;
        self.changed.notify_all();
    }

    /// Says that no spare will ever be made again.
    pub(crate) fn close(&self) {
        lock(&self.shelf).closed = true;
        self.changed.notify_all();
    }
}
