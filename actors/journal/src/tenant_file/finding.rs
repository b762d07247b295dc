//! Where a line of a chain's file begins, found without reading all that stands around it.
//!
//! A line is where it is found only if it proves itself. In a file with lines that do not, it is found
//! by counting from the end.

use std::io;

use crate::bytes::{index, wide};
use crate::disk::DiskFile;
use crate::entry::{parse_place, read_place};

/// Bytes that are read in one place: many lines.
const PIECE: u64 = 1 << 14;
/// A look begins so many lines before the one that is looked for, should all be equally long.
const AHEAD: u64 = 8;
/// Looks after which lines are counted from the end.
const LOOKS: u32 = 24;

/// A line that was seen: its seq, and where it begins.
#[derive(Debug, Clone, Copy)]
struct Seen {
    seq: u64,
    at: u64,
}

/// Where the line of `seq` begins. The file's first `end` bytes are the chain's lines, and the last
/// one of them is that of `last`, which is not before `seq`.
pub(super) fn start_of(
    file: &dyn DiskFile,
    chain: &str,
    (end, last): (u64, u64),
    seq: u64,
) -> io::Result<u64> {
    if seq == 0 {
        return Ok(0);
    }
    let begin = Seen { seq: 0, at: 0 };
    let behind = Seen {
        seq: last.saturating_add(1),
        at: end,
    };
    match between(file, chain, (begin, behind), seq)? {
        Some(at) => Ok(at),
        None => lines_back(file, end, behind.seq.saturating_sub(seq)),
    }
}

/// Looks where the line should be if all between the two known ones were equally long, over and over.
/// `None` where a line in the way does not say what it should.
fn between(
    file: &dyn DiskFile,
    chain: &str,
    (mut before, mut after): (Seen, Seen),
    seq: u64,
) -> io::Result<Option<u64>> {
    let mut piece = Vec::new();
    for _ in 0..LOOKS {
        let at = guess(before, after, seq.saturating_sub(AHEAD));
        piece.resize(index(PIECE.min(after.at.saturating_sub(at))), 0);
        file.read_exact_at(&mut piece, at)?;
        let lines = Lines::behind(&piece, at > before.at);
        let Some(first) = lines.place(chain, 0) else {
            return Ok(None);
        };
        let wanted = seq.checked_sub(first).map(index);
        let count = lines.0.len();
        match wanted {
            // All of the piece lies behind it.
            None if first < after.seq => {
                after = Seen {
                    seq: first,
                    at: at + lines.start(0),
                };
            }
            Some(wanted) if wanted < count => {
                let is_it = lines.proves(chain, wanted, seq);
                return Ok(is_it.then(|| at + lines.start(wanted)));
            }
            Some(_) if first > before.seq || count > 1 => {
                before = Seen {
                    seq: first + wide(count) - 1,
                    at: at + lines.start(count - 1),
                };
            }
            Some(_) | None => return Ok(None),
        }
    }
    Ok(None)
}

/// Where the line of `seq` would begin.
fn guess(before: Seen, after: Seen, seq: u64) -> u64 {
    let lines = after.seq.saturating_sub(before.seq).max(1);
    let bytes = u128::from(after.at.saturating_sub(before.at));
    let share = bytes * u128::from(seq.saturating_sub(before.seq)) / u128::from(lines);
    before.at + u64::try_from(share).unwrap_or(0)
}

/// The whole lines of a piece, each with its place in it.
struct Lines<'a>(Vec<(usize, &'a [u8])>);

impl<'a> Lines<'a> {
    /// Those behind the first newline, if the piece may begin inside a line.
    fn behind(piece: &'a [u8], inside: bool) -> Self {
        let mut at = 0;
        let lines = piece.split_inclusive(|byte| *byte == b'\n').map(|line| {
            let start = at;
            at += line.len();
            (start, line)
        });
        let whole = lines.skip(usize::from(inside));
        let whole = whole.filter_map(|(start, line)| Some((start, line.strip_suffix(b"\n")?)));
        Self(whole.collect())
    }

    /// The seq that a line gives itself.
    fn place(&self, chain: &str, number: usize) -> Option<u64> {
        let (_, line) = self.0.get(number)?;
        parse_place(chain, line).map(|place| place.seq)
    }

    /// Whether a line is that of `seq`, and whole.
    fn proves(&self, chain: &str, number: usize, seq: u64) -> bool {
        let line = self.0.get(number);
        let place = line.and_then(|(_, line)| read_place(chain, line));
        place.is_some_and(|place| place.seq == seq)
    }

    fn start(&self, number: usize) -> u64 {
        self.0.get(number).map_or(0, |(start, _)| wide(*start))
    }
}

/// Where the last `count` lines before `end` begin; 0 if there are fewer.
pub(super) fn lines_back(file: &dyn DiskFile, end: u64, count: u64) -> io::Result<u64> {
    const BLOCK: u64 = 1 << 16;
    let mut left = count;
    // The newline that ends the last line is not a boundary before it.
    let mut stop = end.saturating_sub(1);
    let mut block = Vec::new();
    while stop > 0 {
        let start = stop.saturating_sub(BLOCK);
        block.resize(index(stop - start), 0);
        file.read_exact_at(&mut block, start)?;
        for (position, byte) in block.iter().enumerate().rev() {
            if *byte == b'\n' {
                left -= 1;
                if left == 0 {
                    return Ok(start + wide(position) + 1);
                }
            }
        }
        stop = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::GENESIS;
    use crate::disk::{Disk as _, Open, RealDisk};
    use crate::draft::Draft;
    use crate::entry::Template;

    /// A chain's lines with payloads of these lengths, and where each begins.
    fn chain(lengths: &[usize]) -> (Vec<u8>, Vec<u64>) {
        let (mut bytes, mut starts, mut hash) = (Vec::new(), Vec::new(), GENESIS);
        for (seq, length) in lengths.iter().enumerate() {
            let draft = Draft {
                event: "note".into(),
                event_version: 1,
                timestamp_ms: 1_700_000_000_000,
                actor: "test".into(),
                alert_id: None,
                action: None,
                payload: json!({ "text": "x".repeat(*length) }),
                attachments: Vec::new(),
            };
            starts.push(wide(bytes.len()));
            let template = Template::new("acme", draft).unwrap();
            hash = template.write_line(wide(seq), &hash, &mut bytes);
            bytes.push(b'\n');
        }
        (bytes, starts)
    }

    fn open(path: &Path) -> Box<dyn DiskFile> {
        RealDisk.open(path, Open::Read).unwrap()
    }

    /// A length of a payload; one in some is longer than a piece.
    fn length() -> impl Strategy<Value = usize> {
        prop_oneof![40 => 0..300_usize, 3 => 300..4000_usize, 1 => 16_000..40_000_usize]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn every_line_is_found_where_it_begins(
            lengths in prop::collection::vec(length(), 1..400),
            part in 1..=400_usize,
        ) {
            let (bytes, starts) = chain(&lengths);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("acme.jsonl");
            // What lies behind the end may be a line that is being written.
            let last = part.min(starts.len()) - 1;
            let end = starts.get(last + 1).copied();
            let end = end.unwrap_or_else(|| wide(bytes.len()));
            std::fs::write(&path, &bytes).unwrap();
            let file = open(&path);
            for (seq, start) in starts.iter().take(last + 1).enumerate() {
                let found = start_of(&*file, "acme", (end, wide(last)), wide(seq)).unwrap();
                prop_assert_eq!(found, *start, "{}", seq);
            }
        }

        /// Lines were counted from the end before, so a damage elsewhere hid no line behind it.
        #[test]
        fn no_damage_before_a_line_hides_it(
            lengths in prop::collection::vec(length(), 2..200),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let (mut bytes, starts) = chain(&lengths);
            let end = wide(bytes.len());
            let hurt = at.index(bytes.len());
            bytes[hurt] = byte;
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("acme.jsonl");
            std::fs::write(&path, &bytes).unwrap();
            let file = open(&path);
            let last = starts.len() - 1;
            // Without the newline before it, a line does not begin anywhere.
            let behind = starts.iter().enumerate().filter(|(_, start)| **start > wide(hurt) + 1);
            for (seq, start) in behind {
                let found = start_of(&*file, "acme", (end, wide(last)), wide(seq)).unwrap();
                prop_assert_eq!(found, *start, "{}", seq);
            }
        }
    }
}
