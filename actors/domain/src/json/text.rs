//! A JSON text that is decoded only when somebody wants it.

use std::{borrow::Cow, fmt};

/// A text as it stands between its quotes; its escapes were checked by the reader that made it.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    raw: &'a str,
    escaped: bool,
}

/// What a text is made of: runs that stand for themselves, and decoded escapes.
enum Piece<'a> {
    Plain(&'a str),
    Char(char),
}

impl<'a> Text<'a> {
    pub(super) const fn new(raw: &'a str, escaped: bool) -> Self {
        Self { raw, escaped }
    }

    /// The length in the input, in bytes; the decoded text is never longer.
    pub const fn raw_len(self) -> usize {
        self.raw.len()
    }

    /// The text with its escapes decoded; borrowed where there are none.
    pub fn decoded(self) -> Cow<'a, str> {
        if self.escaped {
            Cow::Owned(self.decoded_up_to(usize::MAX))
        } else {
            self.raw.into()
        }
    }

    /// The decoded text's first `max_bytes` bytes, cut before the character that would not fit.
    pub fn decoded_up_to(self, max_bytes: usize) -> String {
        let mut decoded = String::with_capacity(self.raw.len().min(max_bytes));
        for piece in self.pieces() {
            let room = max_bytes.saturating_sub(decoded.len());
            match piece {
                Piece::Plain(run) if run.len() > room => {
                    decoded.push_str(run.get(..run.floor_char_boundary(room)).unwrap_or_default());
                    break;
                }
                Piece::Char(c) if c.len_utf8() > room => break,
                Piece::Plain(run) => decoded.push_str(run),
                Piece::Char(c) => decoded.push(c),
            }
        }
        decoded
    }

    /// Whether the decoded text is `expected`; allocates nothing. Looking members up comes down to
    /// this, so the common case is kept small enough to be inlined.
    #[inline]
    pub fn is(self, expected: &str) -> bool {
        if self.escaped {
            self.decodes_to(expected)
        } else {
            self.raw == expected
        }
    }

    #[cold]
    fn decodes_to(self, expected: &str) -> bool {
        let mut rest = expected;
        for piece in self.pieces() {
            let after = match piece {
                Piece::Plain(run) => rest.strip_prefix(run),
                Piece::Char(c) => rest.strip_prefix(c),
            };
            match after {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.is_empty()
    }

    fn pieces(self) -> Pieces<'a> {
        Pieces { rest: self.raw }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.decoded() == other.decoded()
    }
}

impl Eq for Text<'_> {}

impl fmt::Debug for Text<'_> {
    /// The length alone: see [`super::Value`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "text of {} bytes", self.raw.len())
    }
}

struct Pieces<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if let Some(escape) = self.rest.strip_prefix('\\') {
            let (decoded, rest) = decode_escape(escape)?;
            self.rest = rest;
            return Some(Piece::Char(decoded));
        }
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.find('\\').unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        Some(Piece::Plain(run))
    }
}

/// Decodes what follows a backslash; returns the character and what comes after it.
fn decode_escape(escape: &str) -> Option<(char, &str)> {
    let mut rest = escape.chars();
    let decoded = match rest.next()? {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return decode_code_unit(rest.as_str()),
        itself => itself,
    };
    Some((decoded, rest.as_str()))
}

/// Decodes the hex digits after `\u`, with the second half of a surrogate pair where there is one.
fn decode_code_unit(digits: &str) -> Option<(char, &str)> {
    let (first, rest) = hex_unit(digits)?;
    let second = rest.strip_prefix("\\u").and_then(hex_unit);
    if let Some((second, after_pair)) = second
        && let Some(Ok(pair)) = char::decode_utf16([first, second]).next()
        && pair.len_utf16() == 2
    {
        return Some((pair, after_pair));
    }
    Some((
        char::from_u32(first.into()).unwrap_or(char::REPLACEMENT_CHARACTER),
        rest,
    ))
}

fn hex_unit(digits: &str) -> Option<(u16, &str)> {
    let (unit, rest) = digits.split_at_checked(4)?;
    Some((u16::from_str_radix(unit, 16).ok()?, rest))
}
