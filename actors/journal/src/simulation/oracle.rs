//! What must be true of the journal, whatever the disk did.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::disk::SimDisk;
use super::host::Host;
use crate::bytes::{index, wide};
use crate::heads::Hold;
use crate::journal::{AppendError, JournalError, Receipt};

mod erased;
mod mended;
mod reading;

/// An entry that was handed to the journal, by the number in its payload.
pub(super) struct Tried {
    pub(super) chain: &'static str,
    pub(super) attachments: Vec<Vec<u8>>,
    /// Its append's number, its place in it, and how many there are in it.
    pub(super) append: u64,
    pub(super) position: usize,
    pub(super) of: usize,
}

/// What was done to a disk at rest.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Harm {
    pub(super) log: u32,
    pub(super) chains: u32,
    pub(super) evidence: u32,
}

impl Harm {
    pub(super) fn is_none(self) -> bool {
        self.log == 0 && self.chains == 0 && self.evidence == 0
    }
}

#[derive(Default)]
pub(super) struct Oracle {
    pub(super) tried: HashMap<u64, Tried>,
    /// The numbers of the entries of each append, by its own number.
    pub(super) appends: HashMap<u64, Vec<u64>>,
    /// What was acknowledged: the hash and the number of each seq of each chain.
    acknowledged: BTreeMap<&'static str, BTreeMap<u64, ([u8; 32], u64)>>,
    /// Appends that were refused for good.
    refused: HashMap<u64, AppendError>,
    /// Appends under a dead epoch or after the wrong seq.
    pub(super) wrong: HashMap<u64, &'static str>,
    holds: BTreeMap<Arc<str>, Hold>,
    /// Whether chains that the journal does not know may have had entries, and must not begin.
    unknown_held: bool,
    pub(super) harm: Harm,
    /// How often chains came to be held.
    times_held: u32,
    pub(super) entries: u64,
    /// What the chains were seen to hold: somebody mirrors them.
    mirror: BTreeMap<&'static str, BTreeMap<u64, Vec<u8>>>,
    /// Chains that are to go on, and may do so or not until the next look.
    pub(super) releasing: BTreeSet<&'static str>,
    pub(super) releasing_unknown: bool,
    /// Entries that a repair left behind. They never come back.
    given_up: HashSet<u64>,
    /// Where a repaired chain went on; the append before may be half of one.
    joints: HashSet<(&'static str, u64)>,
    /// Chains whose repair broke off: their files may have lines beyond what was proven, which nobody who
    /// takes a backup looks at, and which the next start proves.
    pub(super) half_mended: BTreeSet<&'static str>,
    /// Entries that came back from a copy, perhaps without their evidence.
    bare: HashSet<u64>,
    /// Entries whose evidence was to be erased, and those where it was.
    pub(super) erasing: HashSet<u64>,
    pub(super) erased: HashSet<u64>,
    /// The files that may hold copies of it all the same, by the journal's word.
    pub(super) copies: BTreeSet<String>,
}

/// An entry as the journal has it.
struct Found {
    seq: u64,
    hash: [u8; 32],
    number: u64,
    line: Vec<u8>,
    /// Unless it is in the evidence store.
    attachments: Option<Vec<Vec<u8>>>,
}

type Checked = Result<(), String>;

impl Oracle {
    /// Takes an answer.
    pub(super) fn answer(
        &mut self,
        append: u64,
        result: Result<Vec<Receipt>, AppendError>,
    ) -> Checked {
        let receipts = match result {
            Ok(receipts) => receipts,
            Err(AppendError::Io(_)) => return Ok(()),
            Err(refusal) => {
                self.refused.insert(append, refusal);
                return Ok(());
            }
        };
        if let Some(why) = self.wrong.get(&append) {
            return Err(format!("FENCE: an append {why} was acknowledged"));
        }
        let numbers = self.appends.get(&append).cloned().unwrap_or_default();
        if numbers.len() != receipts.len() {
            return Err("an append has another number of receipts than of entries".into());
        }
        for (number, receipt) in numbers.iter().zip(receipts) {
            let chain = self.tried[number].chain;
            let seqs = self.acknowledged.entry(chain).or_default();
            if let Some((hash, other)) = seqs.insert(receipt.seq, (receipt.hash, *number)) {
                let same = hash == receipt.hash;
                return Err(format!(
                    "FORK: {chain} {} acknowledged twice, for {other} and {number} (same hash: {same})",
                    receipt.seq
                ));
            }
            self.entries += 1;
        }
        Ok(())
    }

    /// Checks a running journal; just started or not.
    pub(super) fn check(&mut self, disk: &SimDisk, host: &Host, just_started: bool) -> Checked {
        disk.quietly(|| {
            self.settle(host);
            self.check_holds(host)?;
            let known: Vec<&'static str> = super::schedule::CHAINS.to_vec();
            for chain in known {
                self.check_chain(disk, host, chain, just_started)?;
            }
            let stranger = |(name, _): &(Arc<str>, _)| !super::schedule::CHAINS.contains(&&**name);
            match host.heads().iter().find(|head| stranger(head)) {
                Some((name, _)) => Err(format!("chain {name} has entries nobody appended")),
                None => Ok(()),
            }
        })
    }

    fn check_holds(&mut self, host: &Host) -> Checked {
        let holds = host.holds();
        let summary = host.summary();
        let any = !holds.chains.is_empty() || holds.unknown_chains_held || summary.damaged;
        if any && self.harm.is_none() {
            return Err(format!(
                "DAMAGE without any: {} held, unknown held {}, damaged {}",
                holds.chains.len(),
                holds.unknown_chains_held,
                summary.damaged
            ));
        }
        self.check_new_holds(&holds)?;
        if self.unknown_held && !holds.unknown_chains_held {
            return Err("the hold of unknown chains was FORGOTTEN".into());
        }
        self.unknown_held = holds.unknown_chains_held;
        self.holds = holds.chains;
        Ok(())
    }

    fn check_chain(
        &mut self,
        disk: &SimDisk,
        host: &Host,
        chain: &'static str,
        just_started: bool,
    ) -> Checked {
        let Some(found) = self.entries_of(disk, host, chain)? else {
            return self.check_head_only(host, chain);
        };
        let head = host.head(chain).map(|head| (head.seq, head.hash));
        let last = found.last().map(|last| (last.seq, last.hash));
        if head != last {
            return Err(format!("{chain} ends at {last:?}, its head says {head:?}"));
        }
        self.check_acknowledged(chain, &found)?;
        self.check_content(host, chain, &found)?;
        let lines = found.into_iter().map(|entry| (entry.seq, entry.line));
        self.mirror.entry(chain).or_default().extend(lines);
        if just_started {
            self.check_file_is_cut(disk, host, chain)?;
        }
        Ok(())
    }

    /// Where bytes of the chain are known to be harmed, its end at least must not move back.
    fn check_head_only(&self, host: &Host, chain: &str) -> Checked {
        let head = host.head(chain).map(|head| head.seq);
        let acknowledged = self.acknowledged.get(chain);
        let last = acknowledged.and_then(|seqs| seqs.keys().next_back().copied());
        let excused = self.holds.contains_key(chain) || (self.unknown_held && head.is_none());
        if head < last && !excused {
            return Err(format!(
                "LOST: {chain} ends at {head:?}, acknowledged {last:?}"
            ));
        }
        Ok(())
    }

    fn check_acknowledged(&self, chain: &str, found: &[Found]) -> Checked {
        let unknown = self.unknown_held && found.is_empty();
        let held_from = match self.holds.get(chain) {
            Some(hold) => Some(hold.next),
            None => unknown.then_some(0),
        };
        self.check_acknowledged_from(chain, found, held_from)
    }

    /// As far as nothing may be lost, all that was acknowledged is there.
    fn check_acknowledged_from(
        &self,
        chain: &str,
        found: &[Found],
        held_from: Option<u64>,
    ) -> Checked {
        for (seq, (hash, number)) in self.acknowledged.get(chain).into_iter().flatten() {
            if held_from.is_some_and(|from| *seq >= from) {
                continue;
            }
            match found.get(index(*seq)) {
                None => return Err(format!("LOST: {chain} {seq} ({number}) was acknowledged")),
                Some(entry) if entry.hash != *hash => {
                    return Err(format!(
                        "FORK: {chain} {seq} has another hash than its receipt"
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Every entry was appended, once, with all others of its append, and has its attachments.
    fn check_content(&self, host: &Host, chain: &'static str, found: &[Found]) -> Checked {
        let held = self.holds.contains_key(chain);
        let mut expected: Option<(u64, usize)> = None;
        for entry in found {
            let (seq, number) = (entry.seq, entry.number);
            let tried = self.tried.get(&number);
            let Some(tried) = tried.filter(|tried| tried.chain == chain) else {
                return Err(format!("{chain} {seq} was never appended"));
            };
            if let Some(refusal) = self.refused.get(&tried.append) {
                return Err(format!(
                    "{chain} {seq} is there, and was refused: {refusal}"
                ));
            }
            if self.given_up.contains(&number) {
                return Err(format!(
                    "{chain} {seq} ({number}) was given up, and is BACK"
                ));
            }
            // What was released here once may have been given up later, from before it on.
            let goes_on = expected == Some((tried.append, tried.position));
            if self.joints.contains(&(chain, seq)) && !goes_on {
                expected = None;
            }
            let follows = expected.unwrap_or((tried.append, 0));
            if follows != (tried.append, tried.position) {
                return Err(format!("{chain} {seq} is half of an append"));
            }
            expected =
                (tried.position + 1 < tried.of).then_some((tried.append, tried.position + 1));
            self.check_attachments(host, chain, entry, tried)?;
        }
        let end = (chain, wide(found.len()));
        if expected.is_some() && !held && !self.joints.contains(&end) {
            return Err(format!("{chain} ends in half of an append"));
        }
        Ok(())
    }

    fn check_attachments(&self, host: &Host, chain: &str, entry: &Found, tried: &Tried) -> Checked {
        let (seq, number) = (entry.seq, entry.number);
        let attachments = match &entry.attachments {
            Some(_) if self.erasing.contains(&number) => return Ok(()),
            Some(attachments) => attachments.clone(),
            None => match host.journal.evidence_copied(chain, seq) {
                Ok(attachments) => attachments,
                Err(JournalError::Damaged { .. }) if self.harm.evidence > 0 => return Ok(()),
                Err(JournalError::Erased { .. }) if self.erasing.contains(&number) => return Ok(()),
                Err(error) => return Err(format!("LOST: evidence of {chain} {seq}: {error}")),
            },
        };
        if attachments.is_empty() && self.bare.contains(&number) {
            return Ok(());
        }
        if self.erased.contains(&number) && !attachments.is_empty() {
            return Err(format!("{chain} {seq}: ERASED evidence is read"));
        }
        if attachments != tried.attachments && self.harm.evidence == 0 {
            let (is, was) = (attachments.len(), tried.attachments.len());
            return Err(format!("LOST: {chain} {seq} has {is} attachments of {was}"));
        }
        Ok(())
    }

    /// After a start nothing stands in a chain's file beyond its record.
    fn check_file_is_cut(&self, disk: &SimDisk, host: &Host, chain: &str) -> Checked {
        let offset = host.journal.shared.record(chain).map_or(0, |r| r.offset);
        let len = wide(disk.content(&host.chain_file(chain)).len());
        if len > offset && self.harm.is_none() {
            return Err(format!(
                "the file of {chain} is no prefix: {len} bytes, recorded {offset}"
            ));
        }
        Ok(())
    }
}
