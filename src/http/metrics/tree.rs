//! The supervision tree as metrics: by kind of actor, and by tenant where it is a tenant's.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabel as _, EncodeLabelSet, LabelSetEncoder},
};
use vyrox_actors::supervision::Node;

use super::{
    family::{Family, Look},
    ledger::{Ledger, Sum, Whose},
    tenants::Labels,
};

/// Reads the tree, once a scrape.
pub(super) struct Tree {
    snapshot: Box<dyn Fn() -> Node + Send + Sync>,
    labels: Arc<Labels>,
    ledger: Mutex<Ledger>,
}

const NODES: Family<u64> = Family {
    name: "actors",
    help: "Nodes of the supervision tree by kind and state.",
    look: Look::Gauge(|count| *count),
};

const ACTORS: &[Family<Sum>] = &[
    Family {
        name: "actor_messages_handled",
        help: "Messages that were given to a handler.",
        look: Look::Counter(|sum| sum.counts.handled),
    },
    Family {
        name: "actor_messages_rejected",
        help: "Messages that were not admitted to a queue.",
        look: Look::Counter(|sum| sum.counts.rejected),
    },
    Family {
        name: "actor_messages_poisoned",
        help: "Messages that went to the dead letters.",
        look: Look::Counter(|sum| sum.counts.poisoned),
    },
    Family {
        name: "actor_restarts",
        help: "Generations that followed a fall.",
        look: Look::Counter(|sum| sum.counts.restarts),
    },
    Family {
        name: "actor_mailbox_depth",
        help: "Messages that wait.",
        look: Look::Gauge(|sum| sum.depth),
    },
    Family {
        name: "actor_mailbox_capacity",
        help: "Messages that may wait.",
        look: Look::Gauge(|sum| sum.capacity),
    },
    Family {
        name: "actor_queue_wait_p99",
        help: "99th percentile of recent waits in a queue, of the actor that has the longest.",
        look: Look::Seconds(|sum| Some(Duration::from_micros(sum.wait_us_p99))),
    },
    Family {
        name: "actor_last_crash_timestamp",
        help: "When an actor last fell, in Unix time.",
        look: Look::Seconds(|sum| sum.last_crash_ms.map(Duration::from_millis)),
    },
];

const SUPERVISORS: Family<u64> = Family {
    name: "supervisor_restarts",
    help: "How often a supervisor restarted with all of its children.",
    look: Look::Counter(|restarts| *restarts),
};

impl Tree {
    pub(super) fn new(
        snapshot: impl Fn() -> Node + Send + Sync + 'static,
        labels: Arc<Labels>,
    ) -> Self {
        Self {
            snapshot: Box::new(snapshot),
            labels,
            ledger: Mutex::default(),
        }
    }
}

impl Collector for Tree {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // The snapshot is taken under the lock: of two scrapes at once, the one that comes second to
        // the ledger must not bring what was seen first.
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.enter(&(self.snapshot)(), &self.labels);
        let mut nodes = NODES.describe(&mut encoder)?;
        for (labels, count) in ledger.nodes() {
            NODES.value(count, nodes.encode_family(&labels)?)?;
        }
        let mut supervisors = SUPERVISORS.describe(&mut encoder)?;
        for (whose, restarts) in ledger.supervisors() {
            SUPERVISORS.value(restarts, supervisors.encode_family(whose)?)?;
        }
        for family in ACTORS {
            let mut actors = family.describe(&mut encoder)?;
            for (whose, sum) in ledger.sums() {
                family.value(sum, actors.encode_family(whose)?)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").finish_non_exhaustive()
    }
}

impl EncodeLabelSet for Whose {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        ("kind", self.kind).encode(encoder.encode_label())?;
        match &self.tenant {
            Some(tenant) => ("tenant", &**tenant).encode(encoder.encode_label()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
