//! A chain that stood in, read as far as it can be: a damaged line takes no other with it.

use vyrox_domain::{
    digest::Digest,
    entry::Recorded,
    protocol::{Event, EvidenceLost, HeldReceipt, TakeOver},
    time::Timestamp,
};
use vyrox_journal::{JournalError, Line, Lines};

use crate::{loading::LoadError, ports::World};

/// Lines in a row after which the next good one is looked for in leaps.
const BAD_IN_A_ROW: u32 = 64;

/// What an entry of such a chain comes to.
pub(super) enum Kept {
    /// To be taken over, with when it was kept.
    Entry(TakeOver, Timestamp),
    /// It says nothing about an alert.
    Nothing(Timestamp),
    /// Nobody can say any more what it was.
    Unreadable,
}

impl Kept {
    /// When it was kept.
    pub(super) fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Entry(_, at) | Self::Nothing(at) => Some(*at),
            Self::Unreadable => None,
        }
    }
}

/// The entries from `from` on, each by its seq. It ends with the first error: what is not read then may be
/// whole, and is read another time.
pub(super) fn kept_on<'a>(
    world: &'a World,
    chain: &'a str,
    from: u64,
) -> impl Iterator<Item = Result<(u64, Kept), LoadError>> + 'a {
    let read = Readable::of(world, chain);
    let read = read.filter(move |read| read.as_ref().map_or(true, |(seq, _)| *seq >= from));
    read.map(move |read| {
        let (seq, line) = read?;
        let kept = line.and_then(|line| kept(chain, &line));
        Ok((seq, kept.unwrap_or(Kept::Unreadable)))
    })
}

/// `None` for a line that nobody understands.
fn kept(chain: &str, line: &Line) -> Option<Kept> {
    let recorded = Recorded::parse(&line.bytes).ok()?;
    let event = Event::from_recorded(&recorded).ok()?;
    let receipt = Some(HeldReceipt {
        chain: chain.to_owned(),
        seq: line.seq,
        hash: Digest(line.hash),
        evidence_lost: None,
    });
    let at = recorded.timestamp_ms;
    Some(match event {
        Event::AlertReceived {
            alert_id,
            mut received,
        } => {
            received.held_receipt = receipt;
            let received = Box::new(received);
            Kept::Entry(TakeOver::Alert { alert_id, received }, at)
        }
        Event::IntakeRejected(mut rejected) => {
            rejected.held_receipt = receipt;
            Kept::Entry(TakeOver::Rejected(rejected), at)
        }
        _ => Kept::Nothing(at),
    })
}

/// The attachments of an entry that came with `own` of them, all or none; and why none.
///
/// # Errors
/// [`LoadError`] where the journal does not say now whether it has them.
pub(super) fn attachments(
    world: &World,
    (chain, seq): (&str, u64),
    own: usize,
) -> Result<(Vec<Vec<u8>>, Option<EvidenceLost>), LoadError> {
    let lost = match world.journal.evidence(chain, seq) {
        Ok(attachments) if attachments.len() == own => return Ok((attachments, None)),
        // The store was cut, or begun anew.
        Ok(_) => EvidenceLost::Damaged,
        // It was taken over once, and the chain that had it lost its end again.
        Err(JournalError::Erased { .. }) => EvidenceLost::Erased,
        Err(error) if !is_loss(&error) => return Err(unanswered(world, &error)),
        Err(error) => {
            tracing::error!(chain, seq, %error, "an alert is taken over without its evidence");
            EvidenceLost::Damaged
        }
    };
    Ok((Vec::new(), Some(lost)))
}

/// Whether it says that the bytes are there and are not what they were. A full disk, or one that has no file
/// handle left, says nothing of them.
pub(super) fn is_loss(error: &JournalError) -> bool {
    matches!(error, JournalError::Damaged { .. })
}

/// What is no loss: it is asked for again, unless the journal gives nothing any more.
pub(super) fn unanswered(world: &World, error: &JournalError) -> LoadError {
    let is_over =
        matches!(error, JournalError::Closed) || world.journal.status().poisoned.is_some();
    if is_over {
        return LoadError::Failed(error.to_string());
    }
    tracing::warn!(%error, "what was kept while a chain was held cannot be read now; it is tried again");
    LoadError::NoAnswer(error.to_string())
}

/// The lines of a chain up to its head, each by its seq, without those that do not prove themselves. It
/// begins with the first, for a damaged file is good from its beginning and from its end.
struct Readable<'a> {
    world: &'a World,
    chain: &'a str,
    lines: Option<Lines>,
    next: u64,
    /// The seq behind the last one.
    end: u64,
    bad_in_a_row: u32,
    /// Those before this seq are lost, and are not read one by one.
    lost_to: u64,
}

impl<'a> Readable<'a> {
    fn of(world: &'a World, chain: &'a str) -> Self {
        let head = world.journal.head(chain);
        Self {
            world,
            chain,
            lines: None,
            next: 0,
            end: head.map_or(0, |head| head.seq.saturating_add(1)),
            bad_in_a_row: 0,
            lost_to: 0,
        }
    }

    /// After a long bad run all before the next good line are lost.
    fn leap(&mut self) -> Result<(), JournalError> {
        if self.bad_in_a_row < BAD_IN_A_ROW || self.next < self.lost_to {
            return Ok(());
        }
        self.lost_to = self.next_good()?;
        self.bad_in_a_row = 0;
        let (chain, from, to) = (self.chain, self.next, self.lost_to);
        tracing::error!(
            chain,
            from,
            to,
            "the lines before the last one of these are lost"
        );
        Ok(())
    }

    /// The first good line, looked for at distances that double, and back from the first one that was hit;
    /// the end where none was. A good one that both pass over counts as lost.
    fn next_good(&self) -> Result<u64, JournalError> {
        let last = self.end.saturating_sub(1);
        let (mut bad, mut distance) = (self.next.saturating_sub(1), 1_u64);
        let mut good = loop {
            let probed = bad.saturating_add(distance).min(last);
            if probed == bad {
                return Ok(self.end);
            }
            if self.is_good(probed)? {
                break probed;
            }
            (bad, distance) = (probed, distance.saturating_mul(2));
        };
        while good.saturating_sub(bad) > 1 {
            let middle = bad.midpoint(good);
            if self.is_good(middle)? {
                good = middle;
            } else {
                bad = middle;
            }
        }
        Ok(good)
    }

    fn is_good(&self, seq: u64) -> Result<bool, JournalError> {
        let lines = self.world.journal.read(self.chain, seq, Some(seq));
        match lines.and_then(|mut lines| lines.next().transpose()) {
            Ok(line) => Ok(line.is_some_and(|line| line.seq == seq)),
            Err(error) if is_loss(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn read(&mut self) -> Result<Option<Line>, JournalError> {
        if self.next < self.lost_to {
            return Ok(None);
        }
        let (world, chain) = (self.world, self.chain);
        if self.lines.is_none() {
            let last = self.end.saturating_sub(1);
            self.lines = Some(world.journal.read(chain, self.next, Some(last))?);
        }
        let line = self.lines.as_mut().and_then(Iterator::next).transpose()?;
        Ok(line.filter(|line| line.seq == self.next))
    }
}

impl Iterator for Readable<'_> {
    type Item = Result<(u64, Option<Line>), LoadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let seq = self.next;
        let read = self.leap().and_then(|()| self.read());
        if let Err(error) = &read {
            if !is_loss(error) {
                self.next = self.end;
                return Some(Err(unanswered(self.world, error)));
            }
            tracing::error!(chain = self.chain, seq, %error, "a line of a chain that stood in is lost");
        }
        let line = read.ok().flatten();
        self.next = seq.saturating_add(1);
        if line.is_some() {
            self.bad_in_a_row = 0;
        } else {
            self.lines = None;
            self.bad_in_a_row = self.bad_in_a_row.saturating_add(1);
        }
        Some(Ok((seq, line)))
    }
}
