//! A family of metrics as a row of a table: its name, its meaning, and where its value is found.

use std::{fmt, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

static SECONDS: Unit = Unit::Seconds;

/// A family whose values are found in values of `T`.
pub(super) struct Family<T> {
    /// Without prefix, unit and `_total`: the format adds them.
    pub(super) name: &'static str,
    /// A sentence.
    pub(super) help: &'static str,
    pub(super) look: Look<T>,
}

/// Where a value is found, and what kind of value it is.
pub(super) enum Look<T> {
    /// Never falls while the server runs.
    Counter(fn(&T) -> u64),
    /// Rises and falls.
    Gauge(fn(&T) -> u64),
    /// A gauge in seconds, left out where there is none.
    Seconds(fn(&T) -> Option<Duration>),
}

impl<T> Family<T> {
    /// Writes what the family is. It is written also where no values follow, so that a scraper knows
    /// of every family from the first scrape on.
    pub(super) fn describe<'e>(
        &'e self,
        encoder: &'e mut DescriptorEncoder<'_>,
    ) -> Result<MetricEncoder<'e>, fmt::Error> {
        let (kind, unit) = match self.look {
            Look::Counter(_) => (MetricType::Counter, None),
            Look::Gauge(_) => (MetricType::Gauge, None),
            Look::Seconds(_) => (MetricType::Gauge, Some(&SECONDS)),
        };
        encoder.encode_descriptor(self.name, self.help, unit, kind)
    }

    /// Writes the value found in `at`.
    pub(super) fn value(&self, at: &T, encoder: MetricEncoder<'_>) -> fmt::Result {
        match self.look {
            Look::Counter(find) => ConstCounter::new(find(at)).encode(encoder),
            Look::Gauge(find) => ConstGauge::new(find(at)).encode(encoder),
            Look::Seconds(find) => match find(at) {
                Some(found) => ConstGauge::new(found.as_secs_f64()).encode(encoder),
                None => Ok(()),
            },
        }
    }
}

/// Values without labels that are read together, once a scrape.
pub(super) struct Readings<T: 'static> {
    read: Box<dyn Fn() -> T + Send + Sync>,
    families: &'static [Family<T>],
}

impl<T> Readings<T> {
    /// What `read` gives, as `families` say.
    pub(super) fn new(
        read: impl Fn() -> T + Send + Sync + 'static,
        families: &'static [Family<T>],
    ) -> Self {
        Self {
            read: Box::new(read),
            families,
        }
    }
}

impl<T> Collector for Readings<T> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let at = (self.read)();
        self.families
            .iter()
            .try_for_each(|family| family.value(&at, family.describe(&mut encoder)?))
    }
}

impl<T> fmt::Debug for Readings<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.families.iter().map(|family| family.name);
        f.debug_list().entries(names).finish()
    }
}

/// A size as a metric's value.
pub(super) fn level(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}
