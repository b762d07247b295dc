//! What is left of erased evidence, and what the scrub may find.

use std::collections::HashSet;

use super::{Checked, Oracle};
use crate::bytes::index;
use crate::scrub::{Fault, Part};
use crate::simulation::disk::SimDisk;
use crate::simulation::evidence::files_with;
use crate::simulation::host::{Host, root};

impl Oracle {
    /// The numbers of a chain's entries from one seq to another. `None` if they cannot be read, which is
    /// no wonder.
    pub(in crate::simulation) fn numbers(
        &self,
        disk: &SimDisk,
        host: &Host,
        chain: &str,
        (first, last): (u64, u64),
    ) -> Result<Option<HashSet<u64>>, String> {
        let found = disk.quietly(|| self.entries_of(disk, host, chain))?;
        Ok(found.map(|found| {
            let run = found.get(index(first)..=index(last));
            run.into_iter()
                .flatten()
                .map(|entry| entry.number)
                .collect()
        }))
    }

    /// Evidence that was erased is nowhere, but where the answer said that it may be.
    pub(in crate::simulation) fn check_erased(&self, disk: &SimDisk) -> Checked {
        if self.erased.is_empty() {
            return Ok(());
        }
        let named: HashSet<_> = self.copies.iter().map(|name| root().join(name)).collect();
        let found = files_with(disk, &self.erased);
        match found.iter().find(|path| !named.contains(*path)) {
            Some(path) => Err(format!("ERASED evidence stands in {}", path.display())),
            None => Ok(()),
        }
    }

    /// The scrub finds nothing where nothing was harmed.
    pub(in crate::simulation) fn check_faults(&self, faults: &[Fault]) -> Checked {
        let harmed = |part| match part {
            Part::Lines => self.harm.chains > 0,
            Part::Evidence => self.harm.evidence > 0,
        };
        match faults.iter().find(|fault| !harmed(fault.part)) {
            Some(fault) => Err(format!("the scrub finds DAMAGE without any: {fault:?}")),
            None => Ok(()),
        }
    }
}
