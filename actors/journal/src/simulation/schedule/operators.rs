//! What operators do: repairs with and without copies, erasures, backups; and the scrub.

use std::collections::BTreeMap;

use super::{Played, Schedule};
use crate::backup::{Manifest, copy_journal};
use crate::erasure::calls;
use crate::journal::{HoldInfo, Journal as _, JournalError, Repaired};
use crate::local::mending;
use crate::simulation::dice::Dice;
use crate::simulation::host::{Dead, Host};
use crate::simulation::restored;

impl Schedule {
    /// Does something about a chain that is held, if one is.
    pub(super) fn mend(&mut self) -> Result<Result<(), Dead>, String> {
        let Some(host) = &mut self.host else {
            return Ok(Err(Dead));
        };
        if host.holds().unknown_chains_held && self.dice.one_in(3) {
            self.oracle.releasing_unknown = true;
            let released = host.call(|steps| mending::repair_unknown(steps));
            self.disk
                .with(|state| state.note(|_| "RELEASE of unknown chains".into()));
            return match released {
                Ok(Ok(())) => {
                    self.oracle.settle(host);
                    Ok(Ok(()))
                }
                Ok(Err(_)) | Err(Dead) => Ok(Err(Dead)),
            };
        }
        let if_held = |chain: &&'static str| Some((*chain, host.journal.hold(chain)?));
        let chains = super::CHAINS.iter().filter_map(if_held);
        let chains = chains.collect::<Vec<_>>();
        if chains.is_empty() {
            return Ok(Ok(()));
        }
        let (chain, hold) = chains[self.dice.size_below(chains.len())].clone();
        self.repair(chain, &hold)
    }

    /// As whoever serves an operator's order does it: what there is is put back first, and the chain
    /// goes on if that is all that anything speaks of, or if the operator accepts the loss.
    fn repair(&mut self, chain: &'static str, hold: &HoldInfo) -> Result<Result<(), Dead>, String> {
        let Some(host) = &mut self.host else {
            return Ok(Err(Dead));
        };
        let known = self.oracle.copy_of(chain, hold.proven);
        let part = match self.dice.below(3) {
            0 => 0,
            1 => known.len(),
            _ => self.dice.size_below(known.len() + 1),
        };
        let tail: Vec<Vec<u8>> = known.into_iter().take(part).collect();
        let accepts = self.dice.one_in(3);
        self.disk.with(|state| {
            state.note(|_| format!("REPAIR {chain} with {part} lines, loss accepted: {accepts}"));
        });
        self.oracle.put_back(&tail);
        self.oracle.half_mended.insert(chain);
        let restored = match host.call(|steps| mending::restore(steps, chain, tail)) {
            Ok(Ok(restored)) => restored,
            Ok(Err(JournalError::Unconnected { reason, .. })) => {
                return Err(format!("a true copy of {chain} is REFUSED: {reason}"));
            }
            Ok(Err(_may_pass)) => return Ok(Ok(())),
            Err(Dead) => return Ok(Err(Dead)),
        };
        if !accepts && !is_whole_enough(hold, &restored) {
            self.oracle.half_mended.remove(chain);
            return Ok(Ok(()));
        }
        self.outcome.repairs += 1;
        self.oracle.releasing.insert(chain);
        let counts_from = host.holds().repaired.get(chain).copied();
        let counts_from = counts_from.unwrap_or(0);
        let repaired = host.call(|steps| mending::repair(steps, chain, Vec::new()));
        self.clients.remove(chain);
        match repaired {
            Ok(Ok(_)) => {
                self.oracle.half_mended.remove(chain);
                let left = (chain, counts_from);
                self.oracle.check_left_behind(&self.disk, host, left)?;
                self.oracle.settle(host);
                Ok(self.go_on_with(chain))
            }
            Ok(Err(error)) => {
                self.disk
                    .with(|state| state.note(|_| format!("  not repaired: {error}")));
                self.oracle.settle(host);
                Ok(Ok(()))
            }
            Err(Dead) => Ok(Err(Dead)),
        }
    }

    /// Whoever waited for a repaired chain comes at once, and the machine may not stand it.
    fn go_on_with(&mut self, chain: &'static str) -> Result<(), Dead> {
        if self.dice.one_in(2) {
            return Ok(());
        }
        self.append_one(chain)?;
        while self.host.as_ref().is_some_and(Host::has_jobs) {
            let Some(host) = &mut self.host else {
                return Err(Dead);
            };
            host.turn()?;
        }
        self.settled = 1;
        if self.dice.one_in(2) {
            Err(Dead)
        } else {
            Ok(())
        }
    }

    /// Erases the evidence of some entries, or of all that are older than one.
    pub(super) fn erase(&mut self) -> Result<Result<(), Dead>, String> {
        let chain = self.dice_chain();
        let Some(host) = &mut self.host else {
            return Ok(Err(Dead));
        };
        let Some(head) = host.head(chain) else {
            return Ok(Ok(()));
        };
        let last = self.dice.below(head.seq + 1);
        let first = if self.dice.one_in(3) {
            0
        } else {
            last.saturating_sub(self.dice.below(6))
        };
        let Some(numbers) = self
            .oracle
            .numbers(&self.disk, host, chain, (first, last))?
        else {
            return Ok(Ok(()));
        };
        self.disk
            .with(|state| state.note(|_| format!("ERASE {chain} {first} to {last}")));
        self.oracle.erasing.extend(&numbers);
        let erased = host.call(|steps| calls::erase(steps, chain, &[(first, last)]));
        match erased {
            Ok(Ok(erased)) if erased.unfinished.is_empty() => {
                self.outcome.erasures += 1;
                self.oracle.erased.extend(&numbers);
                self.oracle.copies.extend(erased.copies);
                let disk = self.disk.clone();
                self.oracle.check_erased(&disk).map(Ok)
            }
            Ok(Ok(_) | Err(_)) => Ok(Ok(())),
            Err(Dead) => Ok(Err(Dead)),
        }
    }

    /// Takes a backup, restores it elsewhere, and looks at what that is.
    pub(super) fn back_up(&mut self) -> Result<Result<(), Dead>, String> {
        let Some(host) = &mut self.host else {
            return Ok(Err(Dead));
        };
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let (into, data) = (folder.path().join("backup"), folder.path().join("data"));
        let journal = into.join("journal");
        let go_on = |_| std::ops::ControlFlow::Continue(());
        self.disk.with(|state| state.note(|_| "BACKUP".into()));
        let taken = self
            .disk
            .quietly(|| host.call(|steps| copy_journal(steps, &journal, &go_on)));
        let taken = match taken {
            Ok(Ok(taken)) => taken,
            Ok(Err(error)) => return Err(format!("no BACKUP could be taken: {error}")),
            Err(Dead) => return Ok(Err(Dead)),
        };
        self.outcome.backups += 1;
        let left_out: BTreeMap<String, u64> = taken.left_out.clone();
        let manifest = Manifest::of_a_journal(taken);
        let restored = restored::restore(&into, &data, &manifest, Dice::new(self.dice.next()))?;
        let again = self.disk.fork();
        again.with(|state| state.end(false));
        self.oracle
            .check_restored(&restored, &again, &left_out)
            .map(Ok)
    }

    /// Reads everything as the scrub does.
    pub(super) fn scrub(&mut self) -> Played {
        let Some(host) = &self.host else {
            return Ok(());
        };
        let faults = self.disk.quietly(|| host.scrub());
        self.oracle.check_faults(&faults)
    }
}

/// Whether everything is back that anything on the disk speaks of.
fn is_whole_enough(hold: &HoldInfo, restored: &Repaired) -> bool {
    let end = restored.head.map(|head| head.seq);
    let next = end.map_or(0, |end| end + 1);
    hold.known_to.is_some_and(|known| end >= Some(known)) && next > hold.from_seq
}

impl Host {
    /// How far a held chain comes back from what the journal has itself; `None` if that does not go.
    pub(in crate::simulation) fn repaired_without_a_copy(&mut self, chain: &str) -> Option<u64> {
        let repaired = self.call(|steps| mending::repair(steps, chain, Vec::new()));
        let head = repaired.ok()?.ok()?.head;
        Some(head.map_or(0, |head| head.seq + 1))
    }
}
