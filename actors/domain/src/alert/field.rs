//! A member of a payload that may be absent, and the bounded readings of it.
//!
//! Every reading answers `None` for what is absent, of another type, blank or out of bounds: a vendor
//! that changes one optional member must not cost us the alert.

use super::{MAX_COMMAND_LINE_BYTES, MAX_ID_BYTES, MAX_ITEMS, MAX_TEXT_BYTES};
use crate::{
    json::{Text, Value},
    time::Timestamp,
};

/// Numbers below this are seconds since the epoch (until the year 5138), others milliseconds.
const FIRST_MS: u64 = 100_000_000_000;
/// The end of the year 9999, in milliseconds.
const LAST_MS: u64 = 253_402_300_799_999;

/// A value somewhere in a payload, or its absence.
#[derive(Clone, Copy)]
pub(super) struct Field<'v, 'a>(Option<&'v Value<'a>>);

impl<'v, 'a> Field<'v, 'a> {
    pub(super) const fn of(value: &'v Value<'a>) -> Self {
        Self(Some(value))
    }

    /// The member called `name`; absent where this is no object.
    pub(super) fn at(self, name: &str) -> Self {
        Self(self.0.and_then(|value| value.get(name)))
    }

    /// The member whose name, after at most one dotted prefix, is `name`: `detections.hostname` and
    /// `hostname` are both `hostname`.
    pub(super) fn at_dotted(self, name: &str) -> Self {
        let matches = |key: &Text<'_>| {
            let key = key.decoded();
            key.split_once('.').map_or(&*key, |(_, last)| last) == name
        };
        match self.0 {
            Some(Value::Object(members)) => Self(
                members
                    .iter()
                    .rev()
                    .find(|(key, _)| matches(key))
                    .map(|(_, value)| value),
            ),
            _ => Self(None),
        }
    }

    pub(super) const fn is_object(self) -> bool {
        matches!(self.0, Some(Value::Object(_)))
    }

    pub(super) const fn is_list(self) -> bool {
        matches!(self.0, Some(Value::List(_)))
    }

    /// Whether there is anything but `null`.
    pub(super) const fn is_present(self) -> bool {
        !matches!(self.0, None | Some(Value::Null))
    }

    /// The items of a list; none of anything else.
    pub(super) fn items(self) -> impl ExactSizeIterator<Item = Self> + Clone {
        let items = match self.0 {
            Some(Value::List(items)) => items.as_slice(),
            _ => &[],
        };
        items.iter().map(Self::of)
    }

    /// A text, cut to [`MAX_TEXT_BYTES`].
    pub(super) fn text(self) -> Option<String> {
        self.text_up_to(MAX_TEXT_BYTES)
    }

    /// A text, cut to [`MAX_COMMAND_LINE_BYTES`].
    pub(super) fn command_line(self) -> Option<String> {
        self.text_up_to(MAX_COMMAND_LINE_BYTES)
    }

    /// A text in lower case.
    pub(super) fn word(self) -> Option<String> {
        self.text().map(|text| text.to_lowercase())
    }

    /// An id: a text, or an integer as it was written. Never cut: what is longer than
    /// [`MAX_ID_BYTES`] is absent, because half an id is the id of something else.
    pub(super) fn id(self) -> Option<String> {
        let id = match self.0 {
            Some(Value::Number(number)) if is_integer(number) => (*number).to_owned(),
            Some(Value::Text(text)) if text.raw_len() <= 6 * MAX_ID_BYTES => {
                text.decoded().into_owned()
            }
            _ => return None,
        };
        (id.len() <= MAX_ID_BYTES && !is_blank(&id)).then_some(id)
    }

    /// A whole number, or a text of digits; what is out of range is absent, a fraction is cut off.
    pub(super) fn whole(self) -> Option<u64> {
        let number = |text: &str| {
            let digits = text.split_once('.').map_or(text, |(whole, _)| whole);
            digits.parse().ok()
        };
        match self.0 {
            Some(Value::Number(text)) if !text.contains(['e', 'E']) => number(text),
            Some(Value::Text(text)) if text.raw_len() <= 32 => number(text.decoded().trim()),
            _ => None,
        }
    }

    /// A process id of the operating system: 32 bits, and not 0.
    pub(super) fn pid(self) -> Option<u64> {
        self.whole()
            .filter(|pid| (1..=u64::from(u32::MAX)).contains(pid))
    }

    /// A port.
    pub(super) fn port(self) -> Option<u16> {
        self.whole().and_then(|port| u16::try_from(port).ok())
    }

    /// A moment between 1970 and 9999: RFC 3339 (a missing zone is UTC), or a number, also as text,
    /// of seconds or milliseconds since the epoch. 0 is how some vendors write "never": absent.
    pub(super) fn time(self) -> Option<Timestamp> {
        let stamp = match self.whole() {
            Some(number) if number < FIRST_MS => Timestamp::from_s(number),
            Some(number) => Timestamp::from_ms(number),
            None => self.calendar_time()?,
        };
        (1..=LAST_MS).contains(&stamp.ms()).then_some(stamp)
    }

    /// A digest in hex of `digits` digits, in lower case; all zeros mean none.
    pub(super) fn hash(self, digits: usize) -> Option<String> {
        let Some(Value::Text(text)) = self.0 else {
            return None;
        };
        if text.raw_len() != digits {
            return None;
        }
        let hash = text.decoded();
        let is_hash = hash.len() == digits
            && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
            && hash.bytes().any(|byte| byte != b'0');
        is_hash.then(|| hash.to_ascii_lowercase())
    }

    /// A link, if it is an `https` one that was not cut.
    pub(super) fn link(self) -> Option<String> {
        self.text_up_to(MAX_TEXT_BYTES + 1)
            .filter(|link| link.len() <= MAX_TEXT_BYTES && link.starts_with("https://"))
    }

    /// One text or a list of texts, at most [`MAX_ITEMS`].
    pub(super) fn texts(self) -> Vec<String> {
        match self.text() {
            Some(one) => vec![one],
            None => self
                .items()
                .filter_map(Self::text)
                .take(MAX_ITEMS)
                .collect(),
        }
    }

    /// The parts of a text between commas, trimmed, at most [`MAX_ITEMS`].
    pub(super) fn comma_separated(self) -> Vec<String> {
        let text = self.text().unwrap_or_default();
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        parts.take(MAX_ITEMS).map(str::to_owned).collect()
    }

    fn text_up_to(self, max_bytes: usize) -> Option<String> {
        match self.0 {
            Some(Value::Text(text)) => {
                Some(text.decoded_up_to(max_bytes)).filter(|text| !is_blank(text))
            }
            _ => None,
        }
    }

    fn calendar_time(self) -> Option<Timestamp> {
        let Some(Value::Text(text)) = self.0 else {
            return None;
        };
        if text.raw_len() > 64 {
            return None;
        }
        let text = text.decoded();
        let text = text.trim();
        Timestamp::from_rfc3339(text).or_else(|| Timestamp::from_rfc3339(&format!("{text}Z")))
    }
}

fn is_integer(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}
