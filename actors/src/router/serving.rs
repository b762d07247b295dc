//! The actors that serve one tenant, and how they come to rest.

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use arc_swap::ArcSwapOption;
use vyrox_domain::{notice::Notice, time::Timestamp};
use vyrox_supervision::{GroupHandle, Handle, State, Stop};

use super::polling::Pollers;
use crate::{
    edr_adapter::Adapters, notifier::Notifier, reviewer::Reviewer, tenant::Machine,
    triage_engine::TriageEngine,
};

/// The actors that serve a tenant.
#[derive(Clone)]
pub(crate) struct Serving {
    pub(super) supervisor: GroupHandle,
    pub(super) machine: Handle<Machine>,
    pub(super) triage: Handle<TriageEngine>,
    pub(super) reviewer: Option<Handle<Reviewer>>,
    pub(super) notifier: Option<Handle<Notifier>>,
    pub(super) adapters: Adapters,
    /// Those that ask its vendors for new alerts.
    pub(super) pollers: Pollers,
    /// What is still to be done or waited for.
    pub(super) owed: Arc<AtomicU64>,
    /// Which activation this is; a late word of an earlier one changes nothing.
    pub(super) life: u64,
    /// How often it was probed since it was last well; the same for whoever holds a copy.
    pub(super) probe: Arc<AtomicU32>,
    /// Since when the machine knows its state, in Unix milliseconds; 0 while it loads.
    pub(super) loaded_at_ms: Arc<AtomicU64>,
    /// An action that is under way, as the machine knew it last.
    pub(super) under_way: Arc<ArcSwapOption<Notice>>,
}

impl Serving {
    /// A tenant that is polled is never idle: its pollers' place stands in its state. Dead letters go with their actors, so a tenant that has some stays until they are settled; one
    /// on probation, until it is known to be well.
    pub(super) fn is_idle(&self, generation: u64) -> bool {
        self.probe.load(Ordering::Acquire) == 0
            && self.pollers.is_empty()
            && self.machine.depth() == 0
            && self.machine.dead_letters().is_empty()
            && self.triage.dead_letters().is_empty()
            && self.triage.depth() == 0
            && self.machine.snapshot().generation == generation
            && self.owed.load(Ordering::Acquire) == 0
    }

    /// For how long the machine has been in service by `now`, in milliseconds; `None` while it backs
    /// off, is stuck, or loads its state.
    pub(super) fn in_service_for_ms(&self, now: Timestamp) -> Option<u64> {
        let node = self.machine.snapshot();
        let loaded_at_ms = self.loaded_at_ms.load(Ordering::Acquire);
        if node.state != State::Running || loaded_at_ms == 0 {
            return None;
        }
        // The load may be one of an earlier generation, until this one begins its own.
        let since_ms = node.started_at_ms?.max(loaded_at_ms);
        Some(now.ms().saturating_sub(since_ms))
    }
}

impl Serving {
    /// Ends those that the machine leans on, whatever they have in hand.
    pub(super) fn end_now(&self) {
        self.pollers.end_now();
        self.machine.stop(Stop::Now);
        self.triage.stop(Stop::Now);
        self.reviewer
            .iter()
            .for_each(|reviewer| reviewer.stop(Stop::Now));
        self.notifier
            .iter()
            .for_each(|notifier| notifier.stop(Stop::Now));
        for adapter in self.adapters.all() {
            adapter.stop(Stop::Now);
        }
    }
}

/// Lets the machine finish what it took, then those that it leans on.
pub(super) async fn at_rest(serving: Serving) {
    serving.pollers.end_now();
    serving.machine.stop(Stop::Drain);
    serving.machine.exited().await;
    for adapter in serving.adapters.all() {
        adapter.stop(Stop::Drain);
        adapter.exited().await;
    }
    serving.triage.stop(Stop::Drain);
    serving.triage.exited().await;
    if let Some(reviewer) = serving.reviewer {
        reviewer.stop(Stop::Drain);
        reviewer.exited().await;
    }
    if let Some(notifier) = serving.notifier {
        notifier.stop(Stop::Drain);
        notifier.exited().await;
    }
}
