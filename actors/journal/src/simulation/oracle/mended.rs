//! What a repair may do, and what it may not.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::reading::number_of;
use super::{Checked, Oracle};
use crate::frame::{Frame, Seed};
use crate::heads::Holds;
use crate::journal::{Head, Journal as _};
use crate::segment::SegmentHeader;
use crate::simulation::disk::SimDisk;
use crate::simulation::host::{Host, is_set_aside};
use crate::simulation::schedule::CHAINS;

impl Oracle {
    /// What somebody who mirrors the chain has of it behind its proven end, up to the first gap.
    pub(in crate::simulation) fn copy_of(&self, chain: &str, proven: Option<Head>) -> Vec<Vec<u8>> {
        let next = proven.map_or(0, |head| head.seq + 1);
        let lines = self.mirror.get(chain).map(|lines| lines.range(next..));
        let lines = lines.into_iter().flatten().zip(next..);
        lines
            .take_while(|((seq, _), expected)| *seq == expected)
            .map(|((_, line), _)| line.clone())
            .collect()
    }

    /// Lines that come back from a copy come without evidence.
    pub(in crate::simulation) fn put_back(&mut self, tail: &[Vec<u8>]) {
        let numbers = tail.iter().filter_map(|line| number_of(line));
        self.bare.extend(numbers);
    }

    /// The first entry that a repair gives up must not stand whole among what was set aside, from batch
    /// `counts_from` on: frames from before an earlier release cannot be told from those that it gave up.
    pub(in crate::simulation) fn check_left_behind(
        &self,
        disk: &SimDisk,
        host: &Host,
        (chain, counts_from): (&str, u64),
    ) -> Checked {
        let next = host.head(chain).map_or(0, |head| head.seq + 1);
        let lost = self
            .acknowledged
            .get(chain)
            .and_then(|seqs| seqs.get(&next));
        let line = self.mirror.get(chain).and_then(|lines| lines.get(&next));
        let (Some(_), Some(line)) = (lost, line) else {
            return Ok(());
        };
        let names = disk.with(|state| state.names.keys().cloned().collect::<Vec<_>>());
        for path in names.iter().filter(|path| is_set_aside(path)) {
            let header = disk.quietly(|| SegmentHeader::read(disk, path));
            let Ok(Some(header)) = header else { continue };
            let (bytes, seed) = (disk.content(path), Seed::new(&header.salt));
            let header_len = 44 + chain.len();
            let mut starts = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(line));
            let whole = starts.any(|at| {
                let start = at.saturating_sub(header_len);
                let frame = Frame::read(&bytes[start..], &seed);
                frame.is_some_and(|frame| frame.header.batch >= counts_from)
            });
            if whole {
                let path = path.display();
                return Err(format!("{chain} {next} is given up, and stands in {path}"));
            }
        }
        Ok(())
    }

    /// What was to be released may be so now: then what is missing of it is given up, which somebody must
    /// have accepted or nobody have known.
    pub(in crate::simulation) fn settle(&mut self, host: &Host) {
        let holds = host.holds();
        for chain in std::mem::take(&mut self.releasing) {
            if host.journal.hold(chain).is_none() {
                self.holds.remove(chain);
                self.give_up(chain, host.head(chain));
            }
        }
        if std::mem::take(&mut self.releasing_unknown) && !holds.unknown_chains_held {
            self.unknown_held = false;
            for chain in CHAINS {
                if host.head(chain).is_none() && !holds.chains.contains_key(chain) {
                    self.give_up(chain, None);
                }
            }
        }
    }

    fn give_up(&mut self, chain: &'static str, end: Option<Head>) {
        let next = end.map_or(0, |end| end.seq + 1);
        let seqs = self.acknowledged.entry(chain).or_default();
        let lost: HashSet<u64> = seqs.split_off(&next).values().map(|(_, n)| *n).collect();
        let lines = self.mirror.entry(chain).or_default();
        let known = lines.split_off(&next);
        self.given_up.extend(lost);
        self.given_up
            .extend(known.values().filter_map(|line| number_of(line)));
        self.joints.insert((chain, next));
    }

    /// Holds come with harm, one for each at most; they last, and so does what is known of them.
    pub(super) fn check_new_holds(&mut self, holds: &Holds) -> Checked {
        let lower = |(chain, hold): (&Arc<str>, &crate::heads::Hold)| {
            let before = self.holds.get(chain);
            before.is_none_or(|before| hold.next < before.next)
        };
        let new = holds.chains.iter().any(lower);
        self.times_held += u32::from(new || (holds.unknown_chains_held && !self.unknown_held));
        if self.times_held > self.harm.log + self.harm.chains {
            return Err(format!("HELD once more, without harm: {:?}", holds.chains));
        }
        for (chain, before) in &self.holds {
            match holds.chains.get(chain) {
                Some(now) if now.next > before.next => {
                    return Err(format!("the hold of {chain} was raised"));
                }
                Some(now) if now.known_to < before.known_to => {
                    return Err(format!("what is known of {chain} was FORGOTTEN"));
                }
                Some(_) => {}
                None => return Err(format!("the hold of {chain} was FORGOTTEN")),
            }
        }
        Ok(())
    }

    /// What a backup that was restored has: everything that was acknowledged, but for what its holds
    /// tell of; and of a held chain as much to repair it with as the journal that it was taken of.
    pub(in crate::simulation) fn check_restored(
        &self,
        restored: &SimDisk,
        original: &SimDisk,
        left_out: &BTreeMap<String, u64>,
    ) -> Checked {
        let start = |disk: &SimDisk| {
            Host::start(disk).map_err(|error| format!("a BACKUP does not start: {error}"))
        };
        let (mut host, mut again) = (start(restored)?, start(original)?);
        let holds = host.holds();
        for chain in CHAINS {
            let held_from = holds.chains.get(chain).map(|hold| hold.next);
            let unknown = holds.unknown_chains_held && host.head(chain).is_none();
            let held_from = held_from.or_else(|| unknown.then_some(0));
            if held_from.is_some() && !self.holds.contains_key(chain) && !self.unknown_held {
                let told = left_out.get(chain).copied();
                if told.is_none() || (self.harm.is_none() && told > held_from) {
                    return Err(format!("{chain} is held in a BACKUP, and was not"));
                }
            }
            let Some(found) = self.entries_of(restored, &host, chain)? else {
                continue;
            };
            self.check_acknowledged_from(chain, &found, held_from)
                .map_err(|what| format!("in a BACKUP: {what}"))?;
        }
        for chain in CHAINS {
            let both = host.journal.hold(chain).zip(again.journal.hold(chain));
            if both.is_none() || self.half_mended.contains(chain) {
                continue;
            }
            let original = again.repaired_without_a_copy(chain);
            let copied = host.repaired_without_a_copy(chain);
            if copied < original {
                return Err(format!(
                    "a BACKUP repairs {chain} up to {copied:?}, its original up to {original:?}"
                ));
            }
        }
        let (one, other) = (restored.clone(), original.clone());
        for disk in [one, other] {
            disk.with(|state| state.off = true);
        }
        drop((host, again));
        Ok(())
    }
}
