//! One entry's line: canonical JSON, in which the writer only fills in place, link and hash.
//!
//! The members of a line stand in sorted order, so the three that only the writer knows (`hash`,
//! `previous_hash`, `seq`) fall into two gaps. A [`Template`] is the line with those gaps, made on
//! the caller's thread; [`Template::write_line`] fills them with one copy and one SHA-256.

use std::io::Write as _;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::canonical;
use crate::draft::Draft;
use crate::frame::Stored;

const HASH_OPEN: &[u8] = b",\"hash\":\"";
const PREVIOUS_OPEN: &[u8] = b",\"previous_hash\":\"";
const SEQ_OPEN: &[u8] = b"\",\"seq\":";
const HEX: usize = 64;

/// A canonical line with two gaps: for the hash, and for previous hash and seq.
#[derive(Debug)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    hash_gap: usize,
    link_gap: usize,
    /// The sealed evidence, in the form it is stored in.
    pub(crate) attachments: Vec<Stored>,
}

impl Template {
    /// Makes the canonical line of `draft`, which must have passed [`Draft::check`].
    pub(crate) fn new(chain: &str, draft: Draft) -> Result<Self, String> {
        let mut bytes = Vec::with_capacity(512);
        let action = draft.action.as_ref();
        let mut text = Members {
            bytes: &mut bytes,
            separator: b'{',
        };
        text.optional("action_type", action.map(|action| &action.action_type))?;
        text.member("actor", &draft.actor)?;
        text.optional("alert_id", draft.alert_id.as_ref())?;
        text.optional(
            "approved_by",
            action.and_then(|action| action.approved_by.as_ref()),
        )?;
        text.optional("dry_run", action.map(|action| &action.dry_run))?;
        text.member("event", &draft.event)?;
        text.member("event_version", &draft.event_version)?;
        let hash_gap = text.bytes.len();
        text.optional("host", action.map(|action| &action.host))?;
        text.payload(&draft.payload)?;
        let link_gap = text.bytes.len();
        text.member("tenant_id", &chain)?;
        text.member("timestamp", &(draft.timestamp_ms / 1000))?;
        text.member("timestamp_ms", &draft.timestamp_ms)?;
        bytes.push(b'}');
        let attachments = draft.attachments.into_iter().map(Stored::new).collect();
        Ok(Self {
            bytes,
            hash_gap,
            link_gap,
            attachments,
        })
    }

    /// The length of the line at `seq`.
    pub(crate) fn line_len(&self, seq: u64) -> usize {
        let hash = HASH_OPEN.len() + HEX + 1;
        let link = PREVIOUS_OPEN.len() + HEX + SEQ_OPEN.len() + digits(seq);
        self.bytes.len() + hash + link
    }

    /// Appends the line at `seq` after `previous` to `out` and returns its hash.
    pub(crate) fn write_line(&self, seq: u64, previous: &[u8; 32], out: &mut Vec<u8>) -> [u8; 32] {
        let mut previous_hex = [0; HEX];
        encode_hex(previous, &mut previous_hex);
        let start = out.len();
        out.extend_from_slice(self.bytes.get(..self.hash_gap).unwrap_or_default());
        let gap = out.len();
        out.extend_from_slice(HASH_OPEN);
        let place = out.len();
        out.resize(place + HEX, b'0');
        out.push(b'"');
        let rest = out.len();
        out.extend_from_slice(
            self.bytes
                .get(self.hash_gap..self.link_gap)
                .unwrap_or_default(),
        );
        out.extend_from_slice(PREVIOUS_OPEN);
        out.extend_from_slice(&previous_hex);
        out.extend_from_slice(SEQ_OPEN);
        push_decimal(seq, out);
        out.extend_from_slice(self.bytes.get(self.link_gap..).unwrap_or_default());
        let before = out.get(start..gap).unwrap_or_default();
        let after = out.get(rest..).unwrap_or_default();
        let hash = chain_hash(&previous_hex, &[before, after]);
        if let Some(hole) = out.get_mut(place..place + HEX) {
            encode_hex(&hash, hole);
        }
        hash
    }
}

/// Writes `"key":value` members in the order they are given, which is the caller's to keep sorted.
struct Members<'a> {
    bytes: &'a mut Vec<u8>,
    separator: u8,
}

impl Members<'_> {
    /// A text, an integer or a truth value, whose canonical form is the one that serde_json writes.
    fn member(&mut self, key: &str, value: &impl Serialize) -> Result<(), String> {
        self.key(key);
        serde_json::to_writer(&mut *self.bytes, value).map_err(|error| format!("{key}: {error}"))
    }

    fn payload(&mut self, payload: &Value) -> Result<(), String> {
        self.key("payload");
        canonical::write(payload, self.bytes).map_err(|error| format!("payload: {error}"))
    }

    fn key(&mut self, key: &str) {
        self.bytes.push(self.separator);
        self.separator = b',';
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(key.as_bytes());
        self.bytes.extend_from_slice(b"\":");
    }

    fn optional(&mut self, key: &str, value: Option<&impl Serialize>) -> Result<(), String> {
        value.map_or(Ok(()), |value| self.member(key, value))
    }
}

/// The hash of an entry: SHA-256 over the previous hash in hex, a bar, and the canonical entry
/// without its member `hash`, which is given in parts.
pub(crate) fn chain_hash(previous_hex: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(previous_hex);
    hasher.update(b"|");
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// What one of our own lines says about its place, once its hash proved right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) seq: u64,
    pub(crate) previous: [u8; 32],
    pub(crate) hash: [u8; 32],
}

/// Reads the place of a line that this journal wrote for `chain`; `None` if the line does not
/// match its hash.
pub(crate) fn read_place(chain: &str, line: &[u8]) -> Option<Place> {
    let parts = Parts::split(chain, line)?;
    let computed = chain_hash(parts.previous_hex, &[parts.before_hash, parts.after_hash]);
    (computed == parts.place.hash).then_some(parts.place)
}

/// Reads the place of a line whose bytes are known to be what was written; the hash is not checked.
pub(crate) fn parse_place(chain: &str, line: &[u8]) -> Option<Place> {
    Parts::split(chain, line).map(|parts| parts.place)
}

/// One of our own lines, taken apart around its hash.
struct Parts<'a> {
    before_hash: &'a [u8],
    after_hash: &'a [u8],
    previous_hex: &'a [u8],
    place: Place,
}

impl<'a> Parts<'a> {
    /// No JSON parser is needed: a quote inside a string is escaped, so `,"hash":"` is structure,
    /// and every member before it is a scalar; likewise the last `,"previous_hash":"` is the
    /// entry's own, because only scalars follow it.
    fn split(chain: &str, line: &'a [u8]) -> Option<Self> {
        let gap = find(line, HASH_OPEN)?;
        let place = gap + HASH_OPEN.len();
        let hash = decode_hex(line.get(place..place + HEX)?)?;
        let after_hash = line.get(place + HEX..)?.strip_prefix(b"\"")?;
        let link_at = rfind(line, PREVIOUS_OPEN)? + PREVIOUS_OPEN.len();
        let previous_hex = line.get(link_at..link_at + HEX)?;
        let tail = line.get(link_at + HEX..)?.strip_prefix(SEQ_OPEN)?;
        let end = tail.iter().position(|byte| !byte.is_ascii_digit())?;
        let (seq, tail) = tail.split_at_checked(end)?;
        let tail = tail
            .strip_prefix(b",\"tenant_id\":\"")?
            .strip_prefix(chain.as_bytes())?;
        if !tail.starts_with(b"\",\"timestamp\":") {
            return None;
        }
        Some(Self {
            before_hash: line.get(..gap)?,
            after_hash,
            previous_hex,
            place: Place {
                seq: std::str::from_utf8(seq).ok()?.parse().ok()?,
                previous: decode_hex(previous_hex)?,
                hash,
            },
        })
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

fn rfind(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .rposition(|window| window == needle)
}

fn decode_hex(text: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    let lower_case = !text.iter().any(u8::is_ascii_uppercase);
    lower_case.then_some(bytes)
}

fn encode_hex(bytes: &[u8; 32], out: &mut [u8]) {
    // The one error is a wrong length, and both lengths are constants.
    let encoded = hex::encode_to_slice(bytes, out);
    debug_assert!(encoded.is_ok());
}

fn push_decimal(number: u64, out: &mut Vec<u8>) {
    // Writing into a vector cannot fail.
    let written = write!(out, "{number}");
    debug_assert!(written.is_ok());
}

/// How many decimal digits a number has.
fn digits(number: u64) -> usize {
    number
        .checked_ilog10()
        .map_or(1, |log| crate::bytes::index(u64::from(log)) + 1)
}

#[cfg(test)]
mod tests;
