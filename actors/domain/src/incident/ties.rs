//! The links that one incident holds, and how much each has tied together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::link::{Link, LinkKind};

/// From here on, together with [`HUB_HOST_BITS`], a link is a hub: a service account or a tool that
/// is at home everywhere says nothing about two incidents being one.
const HUB_ALERTS: u64 = 64;
/// How many of [`HostBits`]' 64 bits about 32 machines set.
const HUB_HOST_BITS: u32 = 25;

/// The links of an incident, the newest of each kind, at most 64 in all.
///
/// Each kind has a quota of its own. Were the strongest kept whatever their number, the ids of 64
/// alerts would push out the machine that they are all about, and a storm would fall apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ties(BTreeMap<Link, Tie>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Tie {
    /// The incident's count of alerts when this link was last seen.
    seen: u64,
    /// How many alerts it has tied.
    alerts: u64,
    /// On which machines.
    hosts: HostBits,
}

/// A set of machines that only its size is asked of: each sets one of 64 bits, so several machines may
/// count as one but none as two. Two halves, because JSON's integers end at 2^53.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct HostBits(u32, u32);

impl Ties {
    /// Counts one more alert for each of `links`; `host` is its machine. Returns the links that had to
    /// give way, which may be among `links`.
    pub(super) fn tie(&mut self, links: &[Link], host: Option<Link>, now: u64) -> Vec<Link> {
        for link in links {
            let tie = self.0.entry(*link).or_default();
            tie.seen = now;
            tie.alerts = tie.alerts.saturating_add(1);
            tie.hosts.insert(host);
        }
        self.shrink()
    }

    /// Takes over the links of an absorbed incident, as if seen just now. Returns the links that had
    /// to give way.
    pub(super) fn absorb(&mut self, other: Self, now: u64) -> Vec<Link> {
        for (link, theirs) in other.0 {
            let tie = self.0.entry(link).or_default();
            tie.seen = now;
            tie.alerts = tie.alerts.saturating_add(theirs.alerts);
            tie.hosts.merge(theirs.hosts);
        }
        self.shrink()
    }

    pub(super) fn forget(&mut self, link: Link) {
        self.0.remove(&link);
    }

    pub(super) fn holds(&self, link: Link) -> bool {
        self.0.contains_key(&link)
    }

    pub(super) fn links(&self) -> impl Iterator<Item = Link> {
        self.0.keys().copied()
    }

    /// Whether another incident with this link is the same one.
    pub(super) fn absorbs(&self, link: Link) -> bool {
        let hub = self.0.get(&link).is_some_and(Tie::is_hub);
        match link.kind {
            LinkKind::VendorAlert | LinkKind::Lineage | LinkKind::Host => true,
            LinkKind::User => !hub,
            // Two incidents with the same tool may be two victims of one campaign.
            LinkKind::Hash => false,
        }
    }

    fn shrink(&mut self) -> Vec<Link> {
        let mut dropped = Vec::new();
        for kind in LinkKind::ALL {
            let of_kind = self.of_kind(kind).count();
            for _ in quota(kind)..of_kind {
                let oldest = self
                    .of_kind(kind)
                    .min_by_key(|(link, tie)| (tie.seen, **link));
                let oldest = oldest.map(|(link, _)| *link);
                dropped.extend(oldest.inspect(|link| self.forget(*link)));
            }
        }
        dropped
    }

    fn of_kind(&self, kind: LinkKind) -> impl Iterator<Item = (&Link, &Tie)> {
        let all = Link { kind, key: 0 }..=Link {
            kind,
            key: u64::MAX,
        };
        self.0.range(all)
    }
}

impl Tie {
    fn is_hub(&self) -> bool {
        self.alerts > HUB_ALERTS && self.hosts.count() > HUB_HOST_BITS
    }
}

impl HostBits {
    fn insert(&mut self, host: Option<Link>) {
        let Some(host) = host else { return };
        let bit = 1_u32.rotate_left(u32::try_from(host.key & 31).unwrap_or_default());
        if host.key & 32 == 0 {
            self.0 |= bit;
        } else {
            self.1 |= bit;
        }
    }

    fn merge(&mut self, other: Self) {
        self.0 |= other.0;
        self.1 |= other.1;
    }

    fn count(self) -> u32 {
        self.0.count_ones().saturating_add(self.1.count_ones())
    }
}

/// How many links of a kind an incident holds; 64 in all.
const fn quota(kind: LinkKind) -> usize {
    match kind {
        LinkKind::VendorAlert | LinkKind::Hash => 4,
        LinkKind::Lineage | LinkKind::User => 12,
        LinkKind::Host => 32,
    }
}
