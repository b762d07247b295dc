//! What a chain holds, read from its file and from the log without the journal's help.

use super::{Found, Oracle};
use crate::GENESIS;
use crate::bytes::{index, wide};
use crate::entry::read_place;
use crate::frame::{Frame, Stored};
use crate::shared::lock;
use crate::simulation::disk::SimDisk;
use crate::simulation::host::Host;

impl Oracle {
    /// The entries of a chain: those in its file, and those that wait in the log. `None` if some of
    /// them cannot be read and that is no wonder.
    pub(super) fn entries_of(
        &self,
        disk: &SimDisk,
        host: &Host,
        chain: &str,
    ) -> Result<Option<Vec<Found>>, String> {
        let mut found = Vec::new();
        let mut previous = GENESIS;
        let offset = host.journal.shared.record(chain).map_or(0, |r| r.offset);
        let text = disk.content(&host.chain_file(chain));
        let in_file = text.get(..index(offset)).unwrap_or(&text);
        let lines = in_file.split_inclusive(|byte| *byte == b'\n');
        for line in lines {
            let line = line.strip_suffix(b"\n").unwrap_or_default();
            match read_entry(chain, line, wide(found.len()), &mut previous) {
                Some((hash, number)) => found.push(Found {
                    seq: wide(found.len()),
                    hash,
                    number,
                    line: line.to_vec(),
                    attachments: None,
                }),
                None if self.harm.chains > 0 => return Ok(None),
                None => return Err(format!("INVALID: {chain} file at {}", found.len())),
            }
        }
        if wide(text.len()) < offset && self.harm.chains == 0 {
            return Err(format!("INVALID: the file of {chain} is short"));
        }
        let waiting = lock(&host.journal.shared.pending).of(chain);
        let mut bytes = Vec::new();
        for frame in waiting {
            let read = frame.read(&mut bytes);
            read.map_err(|error| format!("reading a frame: {error}"))?;
            let parsed = Frame::read(&bytes, &frame.segment.seed);
            let entry = parsed
                .as_ref()
                .and_then(|frame| read_entry(chain, frame.line, wide(found.len()), &mut previous));
            match (entry, &parsed) {
                (Some((hash, number)), Some(frame)) => found.push(Found {
                    seq: wide(found.len()),
                    hash,
                    number,
                    line: frame.line.to_vec(),
                    attachments: Some(attachments(frame)),
                }),
                (_, _) if self.harm.log > 0 => return Ok(None),
                (_, _) => return Err(format!("INVALID: {chain} log at {}", found.len())),
            }
        }
        Ok(Some(found))
    }
}

/// The hash and the number of an entry, if it is the next one of its chain.
fn read_entry(
    chain: &str,
    line: &[u8],
    seq: u64,
    previous: &mut [u8; 32],
) -> Option<([u8; 32], u64)> {
    let place = read_place(chain, line)?;
    if place.seq != seq || place.previous != *previous {
        return None;
    }
    *previous = place.hash;
    Some((place.hash, number_of(line)?))
}

/// The number in an entry's payload.
pub(super) fn number_of(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line).ok()?;
    let (_, behind) = text.split_once("\"number\":")?;
    let number = behind.split(|c: char| !c.is_ascii_digit()).next()?;
    number.parse().ok()
}

fn attachments(frame: &Frame<'_>) -> Vec<Vec<u8>> {
    let (mut all, mut rest) = (Vec::new(), frame.attached);
    let lens = frame.header.attachment_lens;
    for (position, len) in lens.iter().take(frame.header.attachments).enumerate() {
        let (stored, behind) = rest.split_at(*len);
        let stuffed = frame.header.stuffed >> position & 1 == 1;
        all.push(Stored::restore(stored, stuffed));
        rest = behind;
    }
    all
}
