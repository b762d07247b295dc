//! Reads canonical JSON and nothing else, in one pass over the bytes and without a copy.
//!
//! The general way would parse a line, write its canonical form and compare. Our format is narrow
//! enough to see at once whether a text is its own canonical form: keys match `[a-z0-9_]+` and
//! ascend strictly, strings bear the shortest escapes, numbers are integers between -2^53 and 2^53
//! without a needless zero or sign, and there is no white space. That the text is UTF-8 is for the
//! caller to check.

use crate::bytes::index;

/// Integers stay below 2^53, where every JSON reader agrees on them.
const INTEGER_LIMIT: u64 = 1 << 53;
/// Digits of the greatest of them.
const MAX_DIGITS: usize = 16;

/// What is still to be read. A method that answers `None` has met something that is not canonical,
/// and the reader is of no more use.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// How many containers a value may still be put into.
    room: usize,
}

impl<'a> Reader<'a> {
    /// A reader of `text`, in which a value stands in at most `depth` containers.
    pub(crate) fn new(text: &'a [u8], depth: usize) -> Self {
        Self {
            rest: text,
            room: depth,
        }
    }

    /// How many bytes are still to be read.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Reads an object. Each member is given to `member` when its key is read and its value is next.
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a [u8]) -> Option<()>,
    ) -> Option<()> {
        self.expect(b'{')?;
        if self.take(b'}') {
            return Some(());
        }
        self.enter()?;
        let mut before: &[u8] = b"";
        loop {
            let key = self.key()?;
            // No key is empty, so the first one lies behind the empty one too.
            if key <= before {
                return None;
            }
            before = key;
            self.expect(b':')?;
            member(self, key)?;
            if !self.take(b',') {
                return self.leave(b'}');
            }
        }
    }

    /// Reads any value and gives its bytes.
    pub(crate) fn value(&mut self) -> Option<&'a [u8]> {
        let text = self.rest;
        match text.first()? {
            b'"' => self.string(),
            b'{' => self.object(|reader, _key| reader.value().map(drop)),
            b'[' => self.array(),
            b'-' | b'0'..=b'9' => self.integer(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => None,
        }?;
        text.get(..text.len() - self.rest.len())
    }

    fn array(&mut self) -> Option<()> {
        self.expect(b'[')?;
        if self.take(b']') {
            return Some(());
        }
        self.enter()?;
        loop {
            self.value()?;
            if !self.take(b',') {
                return self.leave(b']');
            }
        }
    }

    fn key(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let end = self.rest.iter().position(|byte| !is_of_key(*byte))?;
        let (key, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        self.expect(b'"')?;
        Some(key)
    }

    fn string(&mut self) -> Option<()> {
        self.expect(b'"')?;
        loop {
            let (stop, rest) = from_stop(self.rest).split_first()?;
            self.rest = rest;
            match stop {
                b'"' => return Some(()),
                b'\\' => self.escape()?,
                _control => return None,
            }
        }
    }

    /// What follows a backslash: one of the short escapes, or `u00` and two digits for a control
    /// character that has no short one.
    fn escape(&mut self) -> Option<()> {
        let (kind, rest) = self.rest.split_first()?;
        self.rest = match (kind, rest) {
            (b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', _) => rest,
            (b'u', [b'0', b'0', b'0', last, rest @ ..]) => has_no_short(*last).then_some(rest)?,
            (b'u', [b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', rest @ ..]) => rest,
            _ => return None,
        };
        Some(())
    }

    fn integer(&mut self) -> Option<()> {
        let negative = self.take(b'-');
        let end = self.rest.iter().position(|byte| !byte.is_ascii_digit());
        let (digits, rest) = self.rest.split_at_checked(end.unwrap_or(self.rest.len()))?;
        self.rest = rest;
        let shortest = match digits {
            [b'0'] => !negative,
            [b'1'..=b'9', ..] => digits.len() <= MAX_DIGITS,
            _ => false,
        };
        (shortest && decimal(digits) < INTEGER_LIMIT).then_some(())
    }

    fn literal(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    /// Goes into a container that is not empty.
    fn enter(&mut self) -> Option<()> {
        self.room = self.room.checked_sub(1)?;
        Some(())
    }

    fn leave(&mut self, bracket: u8) -> Option<()> {
        self.room += 1;
        self.expect(bracket)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }

    fn take(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }
}

fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
}

/// Whether a control character has no escape shorter than `u000` and this last digit.
fn has_no_short(last: u8) -> bool {
    matches!(last, b'0'..=b'7' | b'b' | b'e' | b'f')
}

/// The value of at most [`MAX_DIGITS`] decimal digits.
fn decimal(digits: &[u8]) -> u64 {
    let add = |number: u64, digit: &u8| {
        let digit = u64::from(digit.saturating_sub(b'0'));
        number.saturating_mul(10).saturating_add(digit)
    };
    digits.iter().fold(0, add)
}

/// The text from its first byte that does not stand for itself in a string: a quote, a backslash, or
/// a control character. Empty if there is none.
fn from_stop(mut text: &[u8]) -> &[u8] {
    while let Some((word, rest)) = text.split_first_chunk() {
        let stops = stops_in(u64::from_le_bytes(*word));
        if stops != 0 {
            let at = index(u64::from(stops.trailing_zeros() / 8));
            return text.get(at..).unwrap_or_default();
        }
        text = rest;
    }
    let at = text.iter().position(|byte| is_stop(*byte));
    text.get(at.unwrap_or(text.len())..).unwrap_or_default()
}

fn is_stop(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

/// Marks the bytes of a word at which a string stops by their highest bits. The lowest mark is
/// right; one above it may be a borrow of that one.
fn stops_in(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHEST: u64 = ONES << 7;
    let below = |word: u64, limit: u8| {
        let all = ONES.wrapping_mul(u64::from(limit));
        word.wrapping_sub(all) & !word & HIGHEST
    };
    let equal = |byte: u8| below(word ^ ONES.wrapping_mul(u64::from(byte)), 1);
    below(word, b' ') | equal(b'"') | equal(b'\\')
}

#[cfg(test)]
mod tests;
