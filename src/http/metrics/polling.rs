//! What came of asking vendors for alerts, by tenant and vendor.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet},
};
use vyrox_actors::{polls::Polling, ports::World};

use super::{
    family::{Family, Look},
    tenants::Labels,
};

/// Reads the polls, once a scrape.
pub(super) struct Polls {
    world: Arc<World>,
    labels: Arc<Labels>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct Whose {
    tenant: Arc<str>,
    vendor: &'static str,
}

/// Of all tenants that share a label.
#[derive(Default)]
struct Sum {
    pages: u64,
    rejected: u64,
    /// The longest of them.
    age: Option<Duration>,
}

const POLLS: &[Family<Sum>] = &[
    Family {
        name: "poll_pages",
        help: "Pages of alerts that came from a polled vendor and are durable.",
        look: Look::Counter(|sum| sum.pages),
    },
    Family {
        name: "poll_objects_rejected",
        help: "Polled objects of which no alert was made.",
        look: Look::Counter(|sum| sum.rejected),
    },
    Family {
        name: "poll_last_success_age",
        help: "Since when no page came from a polled vendor.",
        look: Look::Seconds(|sum| sum.age),
    },
];

impl Polls {
    pub(super) fn of(world: Arc<World>, labels: Arc<Labels>) -> Self {
        Self { world, labels }
    }

    fn sums(&self) -> BTreeMap<Whose, Sum> {
        let now = self.world.now();
        let mut sums = BTreeMap::<Whose, Sum>::new();
        for ((tenant, vendor), polling) in self.world.polls.all() {
            let whose = Whose {
                tenant: self.labels.of(tenant.as_str()),
                vendor: vendor.as_str(),
            };
            let Polling {
                pages,
                rejected,
                waits_since,
            } = polling;
            let sum = sums.entry(whose).or_default();
            sum.pages = sum.pages.saturating_add(pages);
            sum.rejected = sum.rejected.saturating_add(rejected);
            let age = waits_since.map(|at| now.ms().saturating_sub(at.ms()));
            sum.age = sum.age.max(age.map(Duration::from_millis));
        }
        sums
    }
}

impl Collector for Polls {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let sums = self.sums();
        for family in POLLS {
            let mut metric = family.describe(&mut encoder)?;
            for (whose, sum) in &sums {
                family.value(sum, metric.encode_family(whose)?)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Polls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Polls").finish_non_exhaustive()
    }
}
