//! A small, bounded JSON reader over borrowed bytes: one for the pre-scan, which may not allocate,
//! and for the parser, which must read whatever a vendor sends.
//!
//! It differs from a strict reader on purpose, always towards accepting what can be understood:
//! numbers of any size are kept as their text, a lone surrogate reads as U+FFFD, raw control
//! characters may stand in a text (hand-made payload templates leave them there), and a byte order
//! mark may come first. Structure is held to the letter, so that no two readers see two shapes.

mod text;

use std::fmt;

pub use text::Text;

/// What a [`Reader`] is willing to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest input in bytes.
    pub bytes: usize,
    /// How many objects and lists may enclose a value.
    pub depth: usize,
    /// How many values a tree may have; skipping is not counted.
    pub values: usize,
}

/// Why a text is not read. It holds no part of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// More bytes than the limit.
    #[error("longer than {0} bytes")]
    TooLarge(usize),
    /// Not UTF-8.
    #[error("not UTF-8 after byte {0}")]
    NotUtf8(usize),
    /// More nested than the limit.
    #[error("nested too deep at byte {0}")]
    TooDeep(usize),
    /// More values than the limit.
    #[error("too many values at byte {0}")]
    TooMany(usize),
    /// Not JSON, or cut short.
    #[error("not JSON at byte {0}")]
    Syntax(usize),
}

/// One value with everything below it. Texts and numbers borrow from the input.
#[derive(Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was written.
    Number(&'a str),
    /// A text.
    Text(Text<'a>),
    /// A list.
    List(Vec<Self>),
    /// An object, its members in the order of the input; names may repeat.
    Object(Vec<(Text<'a>, Self)>),
}

impl<'a> Value<'a> {
    /// Reads `bytes` as exactly one value.
    ///
    /// # Errors
    /// Anything that is not one complete JSON value within `limits`.
    pub fn read(bytes: &'a [u8], limits: Limits) -> Result<Self, JsonError> {
        let mut reader = Reader::new(bytes, limits)?;
        let value = reader.value()?;
        reader.end()?;
        Ok(value)
    }

    /// The member called `name`; the last one where the name repeats, `None` where this is no object.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members
                .iter()
                .rev()
                .find(|(key, _)| key.is(name))
                .map(|(_, value)| value),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }
}

impl fmt::Debug for Value<'_> {
    /// The kind alone: payloads hold people and secrets, and must not reach a log this way.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::Text(_) => "text",
            Self::List(_) => "list",
            Self::Object(_) => "object",
        })
    }
}

/// A cursor over the input. After an error its position means nothing: drop it.
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth_left: usize,
    values_left: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    ///
    /// # Errors
    /// Input that is longer than the limit or not UTF-8.
    pub fn new(bytes: &'a [u8], limits: Limits) -> Result<Self, JsonError> {
        if bytes.len() > limits.bytes {
            return Err(JsonError::TooLarge(limits.bytes));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|invalid| JsonError::NotUtf8(invalid.valid_up_to()))?;
        let at = if text.starts_with('\u{feff}') {
            '\u{feff}'.len_utf8()
        } else {
            0
        };
        Ok(Self {
            text,
            at,
            depth_left: limits.depth,
            values_left: limits.values,
        })
    }

    /// Reads the next value as a tree.
    ///
    /// # Errors
    /// What is not JSON, and what passes a limit.
    pub fn value(&mut self) -> Result<Value<'a>, JsonError> {
        self.values_left = self
            .values_left
            .checked_sub(1)
            .ok_or(JsonError::TooMany(self.at))?;
        match self.peek() {
            Some(b'{') => {
                let mut members = Vec::new();
                self.members(|reader, name| {
                    members.push((name, reader.value()?));
                    Ok::<(), JsonError>(())
                })?;
                Ok(Value::Object(members))
            }
            Some(b'[') => {
                let mut items = Vec::new();
                self.items(|reader| {
                    items.push(reader.value()?);
                    Ok::<(), JsonError>(())
                })?;
                Ok(Value::List(items))
            }
            Some(b'"') => self.text().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.literal("true").map(|()| Value::Bool(true)),
            Some(b'f') => self.literal("false").map(|()| Value::Bool(false)),
            Some(b'n') => self.literal("null").map(|()| Value::Null),
            _ => Err(self.syntax()),
        }
    }

    /// Passes over the next value, checking it as [`Reader::value`] would and keeping nothing.
    ///
    /// # Errors
    /// What is not JSON, and what is nested too deep.
    pub fn skip(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'{') => self.members(|reader, _| reader.skip()),
            Some(b'[') => self.items(Self::skip),
            Some(b'"') => self.text().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => Err(self.syntax()),
        }
    }

    /// The first byte of the next value or mark, without taking it; `None` at the end.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    /// Reads an object and hands every member's name to `each`, which must read exactly one value.
    ///
    /// # Errors
    /// What is no object, and whatever `each` returns.
    pub fn members<E: From<JsonError>>(
        &mut self,
        mut each: impl FnMut(&mut Self, Text<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'{')?;
        if !self.take(b'}') {
            loop {
                if self.peek() != Some(b'"') {
                    return Err(self.syntax().into());
                }
                let name = self.text()?;
                self.expect_mark(b':')?;
                each(self, name)?;
                if !self.take(b',') {
                    break;
                }
            }
            self.expect_mark(b'}')?;
        }
        self.depth_left += 1;
        Ok(())
    }

    /// Reads a list and calls `each` once an item; it must read exactly one value.
    ///
    /// # Errors
    /// What is no list, and whatever `each` returns.
    pub fn items<E: From<JsonError>>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'[')?;
        if !self.take(b']') {
            loop {
                each(self)?;
                if !self.take(b',') {
                    break;
                }
            }
            self.expect_mark(b']')?;
        }
        self.depth_left += 1;
        Ok(())
    }

    /// Reads a text.
    ///
    /// # Errors
    /// What is no text, or has an escape that JSON does not know.
    pub fn text(&mut self) -> Result<Text<'a>, JsonError> {
        self.expect_mark(b'"')?;
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut escaped = false;
        let mut end = start;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    end += escape_length(bytes, end).ok_or(JsonError::Syntax(end))?;
                }
                Some(_) => end += 1,
                None => return Err(JsonError::Syntax(end)),
            }
        }
        let raw = self.text.get(start..end).ok_or(JsonError::Syntax(start))?;
        self.at = end + 1;
        Ok(Text::new(raw, escaped))
    }

    /// Reads a number and returns it as it was written.
    ///
    /// # Errors
    /// What is no number in JSON's grammar.
    pub fn number(&mut self) -> Result<&'a str, JsonError> {
        self.peek();
        let start = self.at;
        self.take_here(b"-");
        if !self.take_here(b"0") && self.digits() == 0 {
            return Err(self.syntax());
        }
        if self.take_here(b".") && self.digits() == 0 {
            return Err(self.syntax());
        }
        if self.take_here(b"eE") {
            self.take_here(b"+-");
            if self.digits() == 0 {
                return Err(self.syntax());
            }
        }
        self.text
            .get(start..self.at)
            .ok_or(JsonError::Syntax(start))
    }

    /// Makes sure that nothing but white space is left.
    ///
    /// # Errors
    /// Anything that follows the value.
    pub fn end(&mut self) -> Result<(), JsonError> {
        if self.peek().is_none() {
            Ok(())
        } else {
            Err(self.syntax())
        }
    }

    fn open(&mut self, mark: u8) -> Result<(), JsonError> {
        self.expect_mark(mark)?;
        self.depth_left = self
            .depth_left
            .checked_sub(1)
            .ok_or(JsonError::TooDeep(self.at))?;
        Ok(())
    }

    fn expect_mark(&mut self, mark: u8) -> Result<(), JsonError> {
        if self.take(mark) {
            Ok(())
        } else {
            Err(self.syntax())
        }
    }

    /// Takes `mark` if it comes next, after any white space.
    #[inline]
    fn take(&mut self, mark: u8) -> bool {
        let found = self.peek() == Some(mark);
        if found {
            self.at += 1;
        }
        found
    }

    /// Takes one byte if it is among `any` and stands right here.
    fn take_here(&mut self, any: &[u8]) -> bool {
        let found = self
            .text
            .as_bytes()
            .get(self.at)
            .is_some_and(|byte| any.contains(byte));
        if found {
            self.at += 1;
        }
        found
    }

    fn digits(&mut self) -> usize {
        let ahead = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let count = ahead
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        self.at += count;
        count
    }

    fn literal(&mut self, word: &str) -> Result<(), JsonError> {
        let ahead = self.text.get(self.at..).unwrap_or_default();
        if !ahead.starts_with(word) {
            return Err(self.syntax());
        }
        self.at += word.len();
        Ok(())
    }

    fn syntax(&self) -> JsonError {
        JsonError::Syntax(self.at)
    }
}

/// How many bytes the escape at `at` takes; `None` where JSON knows no such escape.
fn escape_length(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at..)? {
        [
            _,
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
            ..,
        ] => Some(2),
        [_, b'u', a, b, c, d, ..] => [a, b, c, d]
            .iter()
            .all(|digit| digit.is_ascii_hexdigit())
            .then_some(6),
        _ => None,
    }
}
