//! What came of asking vendors for alerts, for whoever looks after the service.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use vyrox_domain::{ids::TenantId, time::Timestamp, vendor::Vendor};

/// Of every tenant's every vendor that is polled, since the start.
#[derive(Debug, Default)]
pub struct Polls(Mutex<BTreeMap<(TenantId, Vendor), Polling>>);

/// What came of asking one vendor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Polling {
    /// Pages that came and are durable.
    pub pages: u64,
    /// Objects of which no alert was made.
    pub rejected: u64,
    /// Since when there has been no page: the last one's moment, or, before the first, that of the first
    /// question. `None` while there is no credential to ask with.
    pub waits_since: Option<Timestamp>,
}

impl Polls {
    /// All of them.
    pub fn all(&self) -> BTreeMap<(TenantId, Vendor), Polling> {
        self.lock().clone()
    }

    /// A page came at `now` and is durable, with so many objects of which no alert was made.
    pub(crate) fn page(&self, tenant: &TenantId, vendor: Vendor, rejected: u64, now: Timestamp) {
        self.of(tenant, vendor, |polling| {
            polling.pages = polling.pages.saturating_add(1);
            polling.rejected = polling.rejected.saturating_add(rejected);
            polling.waits_since = Some(now);
        });
    }

    /// Nothing came of a question at `now`.
    pub(crate) fn trouble(&self, tenant: &TenantId, vendor: Vendor, now: Timestamp) {
        self.of(tenant, vendor, |polling| {
            polling.waits_since.get_or_insert(now);
        });
    }

    /// There is no credential to ask with.
    pub(crate) fn idle(&self, tenant: &TenantId, vendor: Vendor) {
        self.of(tenant, vendor, |polling| polling.waits_since = None);
    }

    fn of(&self, tenant: &TenantId, vendor: Vendor, change: impl FnOnce(&mut Polling)) {
        change(self.lock().entry((tenant.clone(), vendor)).or_default());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(TenantId, Vendor), Polling>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendor_is_waited_for_since_its_last_page() {
        let polls = Polls::default();
        let acme: TenantId = "acme".parse().unwrap();
        let at = Timestamp::from_s;
        let waits = || polls.all()[&(acme.clone(), Vendor::Defender)].waits_since;
        polls.trouble(&acme, Vendor::Defender, at(1));
        polls.trouble(&acme, Vendor::Defender, at(2));
        assert_eq!(waits(), Some(at(1)));
        polls.page(&acme, Vendor::Defender, 3, at(5));
        polls.trouble(&acme, Vendor::Defender, at(9));
        assert_eq!(waits(), Some(at(5)));
        polls.idle(&acme, Vendor::Defender);
        let expected = Polling {
            pages: 1,
            rejected: 3,
            waits_since: None,
        };
        let key = (acme.clone(), Vendor::Defender);
        assert_eq!(polls.all(), BTreeMap::from([(key, expected)]));
    }
}
