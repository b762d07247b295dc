//! The repair of a held chain: its proven end is extended by what was kept of it, and then it may take
//! entries again.
//!
//! It is the checkpointer's work, because the chain's own files are. Nobody else writes to them: a
//! held chain has no new entries. The record of the files is committed after they are synced, and the
//! hold ends in the same commit, so a crash leaves the chain held or wholly repaired.

use std::collections::HashMap;
use std::fmt::Display;
use std::io;
use std::sync::{Arc, PoisonError};

use crate::GENESIS;
use crate::aside::{Aside, Attachments};
use crate::canonical::reader::Reader;
use crate::draft::MAX_DEPTH;
use crate::entry::{Place, read_place};
use crate::evidence;
use crate::frame::Frame;
use crate::heads::{Hold, Record, is_successor};
use crate::journal::{Head, HoldInfo, JournalError, Repaired};
use crate::planted::{Bug, planted};
use crate::segment::FrameRef;
use crate::shared::{Shared, lock};
use crate::tenant_file::{LineReader, Restored, put_back};

/// What is to be done for a held chain.
pub(crate) struct Order {
    pub(crate) chain: Arc<str>,
    /// Lines of it that were kept elsewhere.
    pub(crate) tail: Vec<Vec<u8>>,
    /// Whether the hold ends.
    pub(crate) release: bool,
}

/// Why a chain was not repaired.
pub(crate) enum Failure {
    /// Nothing has changed.
    Refused(JournalError),
    /// Nobody knows what is durable: the journal ends.
    Fatal(String),
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::Refused(error)
    }
}

/// Restores what follows the chain's proven end, and releases it if the order says so. The chain's
/// waiting frames must have been copied.
pub(crate) fn repair(shared: &Shared, order: &Order) -> Result<Repaired, Failure> {
    let chain = &*order.chain;
    let Some(hold) = shared.held(chain) else {
        return Err(JournalError::NotHeld(chain.to_owned()).into());
    };
    let record = shared.record(chain);
    let end = record.map(|record| record.head);
    if end != shared.head(chain) {
        let waits = format!("chain {chain}: entries wait for its file");
        return Err(JournalError::Io(waits).into());
    }
    let io = |error: io::Error| JournalError::Io(format!("chain {chain}: {error}"));
    let mut found = in_the_log(shared, chain, end).map_err(io)?;
    let behind = compare(shared, order, record)?;
    add_tail(&mut found, order, behind)?;
    let followers = connect(found, order, end)?;
    let mut repaired = Repaired {
        head: followers.last().map(Follower::head).or(end),
        from_tail: 0,
        from_log: 0,
    };
    for follower in &followers {
        match follower.source {
            Source::Tail(_) => repaired.from_tail += 1,
            Source::Log(..) => repaired.from_log += 1,
        }
    }
    if followers.is_empty() && !order.release {
        return Ok(repaired);
    }
    let record = extend(shared, order, (record, hold), &followers)?;
    commit(shared, order, record)?;
    Ok(repaired)
}

/// An entry that may follow the chain's proven end.
struct Follower {
    place: Place,
    source: Source,
}

enum Source {
    /// Its place among the lines that were given.
    Tail(usize),
    /// With its attachments, unless they are gone or about to go.
    Log(FrameRef, Attachments),
}

impl Follower {
    fn head(&self) -> Head {
        Head {
            seq: self.place.seq,
            hash: self.place.hash,
        }
    }
}

/// Entries by the hash of the one before them.
type ByPrevious = HashMap<[u8; 32], Follower>;

fn is_behind(seq: u64, end: Option<Head>) -> bool {
    end.is_none_or(|end| seq > end.seq)
}

/// What the log, and what was set aside of it, still has of the chain behind its proven end. Of two
/// copies the one in the log is taken: a segment that is set aside again is written anew.
fn in_the_log(shared: &Shared, chain: &str, end: Option<Head>) -> io::Result<ByPrevious> {
    let counts_from = lock(&shared.holds).repaired.get(chain).copied();
    let counts_from = counts_from.unwrap_or(0);
    let counts = |frame: &Frame<'_>, place: &Place| {
        let header = &frame.header;
        header.chain == chain && header.batch >= counts_from && is_behind(place.seq, end)
    };
    let attachments = |seq, found| {
        if shared.erasures.contains(chain, seq) {
            return Attachments::Erased;
        }
        found
    };
    let mut found = ByPrevious::new();
    for file in Aside::all(&shared.directory)? {
        for (aside, frame) in file.frames() {
            let place = aside.place;
            let attachments = attachments(place.seq, aside.attachments);
            if counts(&aside.frame, &place) && attachments != Attachments::Spoiled {
                let source = Source::Log(frame, attachments);
                found.insert(place.previous, Follower { place, source });
            }
        }
    }
    let segments: Vec<_> = lock(&shared.segments).iter().cloned().collect();
    let mut bytes = Vec::new();
    for segment in segments {
        for stranded in lock(&segment.stranded).iter() {
            stranded.read(&mut bytes)?;
            let frame = Frame::read(&bytes, &segment.seed);
            let place = frame.and_then(|frame| Some((frame, read_place(chain, frame.line)?)));
            if let Some((_, place)) = place.filter(|(frame, place)| counts(frame, place)) {
                let attachments = attachments(place.seq, Attachments::Intact);
                let source = Source::Log(stranded.clone(), attachments);
                found.insert(place.previous, Follower { place, source });
            }
        }
    }
    Ok(found)
}

/// The given lines that lie behind the proven end, each with its position. The others are held against
/// what the chain has there: a copy that differs in anything is another chain's, or what was restored
/// before is, and either way an operator has to know.
fn compare(
    shared: &Shared,
    order: &Order,
    record: Option<Record>,
) -> Result<Vec<(usize, Place)>, JournalError> {
    let end = record.map(|record| record.head);
    let mut places = Vec::with_capacity(order.tail.len());
    for (position, line) in order.tail.iter().enumerate() {
        let place = read_place(&order.chain, line).filter(|_| is_canonical(line));
        let refused =
            || order.unconnected(position, "it is not an entry of this chain, or was changed");
        places.push((position, place.ok_or_else(refused)?));
    }
    let (behind, mut known): (Vec<_>, Vec<_>) = places
        .into_iter()
        .partition(|(_, place)| is_behind(place.seq, end));
    known.sort_by_key(|(_, place)| place.seq);
    if let Some(record) = record {
        check_known(shared, order, &record, &known)?;
    }
    Ok(behind)
}

/// Whether these places, in order, are those of the chain's own lines.
fn check_known(
    shared: &Shared,
    order: &Order,
    record: &Record,
    known: &[(usize, Place)],
) -> Result<(), JournalError> {
    let (Some((_, first)), Some((_, last))) = (known.first(), known.last()) else {
        return Ok(());
    };
    let (chain, range) = (&*order.chain, (first.seq, last.seq));
    let stored = LineReader::open(&shared.directory, chain, record, range)
        .map_err(|error| JournalError::Io(format!("chain {chain}: {error}")))?;
    let mut known = known.iter().peekable();
    for line in stored {
        let line = line?;
        while let Some((position, place)) = known.next_if(|(_, place)| place.seq == line.seq) {
            if place.hash != line.hash {
                let reason = "the chain has another entry of this seq";
                return Err(order.unconnected(*position, reason));
            }
        }
    }
    Ok(())
}

/// Adds the given lines that lie behind the proven end. What the log has too is taken from there: its
/// evidence is with it.
fn add_tail(
    found: &mut ByPrevious,
    order: &Order,
    behind: Vec<(usize, Place)>,
) -> Result<(), JournalError> {
    for (position, place) in behind {
        match found.get(&place.previous) {
            Some(known) if known.place != place => {
                let reason = "there is another entry that follows the same one";
                return Err(order.unconnected(position, reason));
            }
            Some(_) => {}
            None => {
                let source = Source::Tail(position);
                found.insert(place.previous, Follower { place, source });
            }
        }
    }
    Ok(())
}

/// The entries that follow the proven end, each the one before it. Every given line must be among
/// them.
fn connect(
    mut found: ByPrevious,
    order: &Order,
    end: Option<Head>,
) -> Result<Vec<Follower>, JournalError> {
    let mut followers: Vec<Follower> = Vec::new();
    let (mut next, mut hash) = end.map_or((0, GENESIS), |end| (end.seq + 1, end.hash));
    while let Some(follower) = found.remove(&hash) {
        if follower.place.seq != next {
            found.insert(hash, follower);
            break;
        }
        next += 1;
        hash = follower.place.hash;
        followers.push(follower);
    }
    let left_over = found.values().filter_map(|follower| match follower.source {
        Source::Tail(position) => Some(position),
        Source::Log(..) => None,
    });
    match left_over.min() {
        Some(position) => Err(order.unconnected(position, "it does not follow the proven end")),
        None => Ok(followers),
    }
}

impl Order {
    fn unconnected(&self, position: usize, reason: &'static str) -> JournalError {
        JournalError::Unconnected {
            chain: self.chain.to_string(),
            line: position + 1,
            reason,
        }
    }
}

/// Whether a line, whose hash is right, is written as every line of ours is.
fn is_canonical(line: &[u8]) -> bool {
    let mut reader = Reader::new(line, MAX_DEPTH + 1);
    let object = reader.object(|reader, _| reader.value().map(drop));
    std::str::from_utf8(line).is_ok() && object.is_some() && reader.left() == 0
}

/// Writes the entries to the chain's files. What cannot be used of them is kept aside first; evidence
/// of entries that may still be restored stays until the chain is released.
fn extend(
    shared: &Shared,
    order: &Order,
    (record, hold): (Option<Record>, Hold),
    followers: &[Follower],
) -> Result<Option<Record>, JournalError> {
    let (chain, directory) = (&*order.chain, &shared.directory);
    let io = |error: &dyn Display| JournalError::Io(format!("chain {chain}: {error}"));
    let aside = |suffix| directory.aside_path(chain, hold.alias, suffix);
    let offset = record.map_or(0, |record| record.offset);
    let file = directory.tenant_path(chain);
    let kept = directory.set_aside(&file, offset, &aside(".jsonl"));
    kept.map_err(|error| io(&error))?;
    let head = followers.last().map(Follower::head);
    let head = head.or_else(|| record.map(|record| record.head));
    let upto = match head {
        Some(head) if order.release => Some(head.seq),
        None if order.release => None,
        Some(_) | None => Some(u64::MAX),
    };
    let stored = record.map_or(u64::MAX, |record| record.evidence_offset);
    let store = directory.evidence_path(chain);
    let evidence = evidence::extent(directory, chain, stored, upto).map_err(|error| io(&error))?;
    let kept = directory.set_aside(&store, evidence.0, &aside(".ev"));
    kept.map_err(|error| io(&error))?;
    let Some(head) = head else { return Ok(None) };
    let entries: Vec<_> = followers
        .iter()
        .filter_map(|follower| match &follower.source {
            Source::Tail(position) => order.tail.get(*position).map(|line| Restored::Line(line)),
            Source::Log(frame, attachments) => Some(Restored::Frame(frame, *attachments)),
        })
        .collect();
    let offsets = put_back(directory, chain, offset, evidence, &entries);
    let (offset, evidence_offset) = offsets.map_err(|error| io(&error))?;
    Ok(Some(Record {
        head,
        offset,
        evidence_offset,
    }))
}

/// Makes the new end durable, and with it the end of the hold; then known.
fn commit(shared: &Shared, order: &Order, record: Option<Record>) -> Result<(), Failure> {
    let chain = &order.chain;
    let counts_from =
        lock(&shared.pending).last_batch + if planted(Bug::CountLate) { 2 } else { 1 };
    let counts_from = order.release.then_some(counts_from);
    let committed = shared.heads.mend(chain, record.as_ref(), counts_from);
    committed.map_err(Failure::Fatal)?;
    if let Some(record) = record {
        lock(&shared.records).insert(Arc::clone(chain), record);
        let mut durable = shared
            .durable
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        durable.insert(Arc::clone(chain), record.head);
    }
    if let Some(batch) = counts_from {
        let mut holds = lock(&shared.holds);
        holds.chains.remove(chain);
        holds.repaired.insert(Arc::clone(chain), batch);
    }
    Ok(())
}

impl Shared {
    /// The hold of a chain; a chain that nobody ever saw has one without a name of its own while
    /// none such may begin.
    fn held(&self, chain: &str) -> Option<Hold> {
        let holds = lock(&self.holds);
        let unknown = || {
            let may_begin = !holds.unknown_chains_held
                || holds.repaired.contains_key(chain)
                || is_successor(chain)
                || self.head(chain).is_some();
            (!may_begin).then_some(Hold::of_an_unseen_chain())
        };
        holds.chains.get(chain).copied().or_else(unknown)
    }

    /// What is known of a held chain.
    pub(crate) fn hold(&self, chain: &str) -> Option<HoldInfo> {
        let hold = self.held(chain)?;
        Some(HoldInfo {
            from_seq: hold.next,
            proven: self.head(chain),
            known_to: hold.known_to,
            successor: hold.successor(chain),
        })
    }
}
