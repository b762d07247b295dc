//! One line of a chain, taken apart where a verifier needs it.

use crate::canonical::reader::Reader;
use crate::entry::chain_hash;

/// In how many containers a value of an entry may stand.
const MAX_DEPTH: usize = 64;

/// A line that is the one canonical form of an entry. The members are as they stand in the line:
/// texts with their quotes and escapes, and none of them is known to be of the right type.
pub(super) struct EntryLine<'a> {
    pub(super) tenant_id: &'a [u8],
    pub(super) seq: &'a [u8],
    pub(super) previous_hash: &'a [u8],
    pub(super) hash: &'a [u8],
    /// The line without its member `hash`.
    without_hash: [&'a [u8]; 2],
}

impl<'a> EntryLine<'a> {
    /// Takes a line apart; `None` if it is not canonical or no object.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        std::str::from_utf8(line).ok()?;
        let mut entry = Self {
            tenant_id: b"",
            seq: b"",
            previous_hash: b"",
            hash: b"",
            without_hash: [line, b""],
        };
        let mut reader = Reader::new(line, MAX_DEPTH);
        reader.object(|reader, key| {
            // The key has been read, with its two quotes and the colon.
            let begin = line.len() - reader.left() - key.len() - 3;
            let value = reader.value()?;
            match key {
                b"tenant_id" => entry.tenant_id = value,
                b"seq" => entry.seq = value,
                b"previous_hash" => entry.previous_hash = value,
                b"hash" => {
                    entry.hash = value;
                    entry.without_hash = without(line, begin, line.len() - reader.left());
                }
                _ => {}
            }
            Some(())
        })?;
        (reader.left() == 0).then_some(entry)
    }

    /// What the entry's hash must be, after one whose hash is `previous_hex`.
    pub(super) fn hash_after(&self, previous_hex: &[u8]) -> [u8; 32] {
        chain_hash(previous_hex, &self.without_hash)
    }
}

/// An object without the member from `begin` to `end`, and without one of the commas beside it.
fn without(object: &[u8], begin: usize, end: usize) -> [&[u8]; 2] {
    let (before, after) = (object.get(..begin), object.get(end..));
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    match before.strip_suffix(b",") {
        Some(before) => [before, after],
        None => [before, after.strip_prefix(b",").unwrap_or(after)],
    }
}

/// What a text stands for; empty for every other value.
pub(super) fn text(value: &[u8]) -> String {
    serde_json::from_slice(value).unwrap_or_default()
}

/// What stands between the quotes of a text; `None` for every other value.
pub(super) fn between_quotes(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}
