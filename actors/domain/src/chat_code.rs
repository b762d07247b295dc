//! The one-time code that ties a chat server to a tenant. Whoever may change the tenant gets it, and
//! says it where the tenant's alerts are to be shown.

use std::fmt;

use zeroize::Zeroizing;

use crate::digest::Digest;

/// How long a code is good for, in milliseconds: 15 minutes.
pub const CHAT_CODE_LIFE_MS: u64 = 15 * 60 * 1000;

/// Crockford's alphabet: it has no `I`, `L`, `O` and `U`, so nothing in it looks like another.
const ALPHABET: [char; 32] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J',
    'K', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'V', 'W', 'X', 'Y', 'Z',
];
const PREFIX: &str = "VYX";
/// Five bits each, so 60 bits.
const SYMBOLS: usize = 12;
const GROUP: usize = 4;
/// More than any way to write one takes.
const TEXT_MAX: usize = 64;
const LABEL: &[u8] = b"vyrox chat code v1";

/// A code. It shows itself by [`ChatCode::text`] alone, and is kept by its digest.
pub struct ChatCode(Zeroizing<String>);

impl ChatCode {
    /// The code of the lowest 60 of these random bits.
    pub fn from_bits(bits: u64) -> Self {
        let mut rest = bits;
        let mut symbols = Zeroizing::new(String::with_capacity(SYMBOLS));
        for _ in 0..SYMBOLS {
            let index = usize::try_from(rest & 0b1_1111).unwrap_or_default();
            symbols.extend(ALPHABET.get(index));
            rest = rest.wrapping_shr(5);
        }
        Self(symbols)
    }

    /// Reads a code as people write one: in either case, with or without its dashes and `VYX`, with
    /// `O` for `0`, `I` and `L` for `1`. `None` where it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > TEXT_MAX {
            return None;
        }
        let written: Zeroizing<String> = Zeroizing::new(
            text.chars()
                .filter(|c| !matches!(c, '-' | ' '))
                .map(|c| c.to_ascii_uppercase())
                .collect(),
        );
        let body = match written.strip_prefix(PREFIX) {
            Some(rest) if written.chars().count() > SYMBOLS => rest,
            _ => written.as_str(),
        };
        let mut symbols = Zeroizing::new(String::with_capacity(SYMBOLS));
        for c in body.chars() {
            let meant = match c {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            if symbols.len() == SYMBOLS || !ALPHABET.contains(&meant) {
                return None;
            }
            symbols.push(meant);
        }
        (symbols.len() == SYMBOLS).then_some(Self(symbols))
    }

    /// The code as it is shown, once: `VYX-XXXX-XXXX-XXXX`.
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(TEXT_MAX));
        text.push_str(PREFIX);
        for (index, symbol) in self.0.chars().enumerate() {
            if index.is_multiple_of(GROUP) {
                text.push('-');
            }
            text.push(symbol);
        }
        text
    }

    /// What is kept of it.
    pub fn digest(&self) -> Digest {
        Digest::of_parts(&[LABEL, self.0.as_bytes()])
    }
}

impl fmt::Debug for ChatCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_written() {
        let code = ChatCode::from_bits(0x0123_4567_89ab_cdef);
        let text = code.text();
        assert_eq!(text.len(), "VYX-XXXX-XXXX-XXXX".len());
        let bare = text.trim_start_matches("VYX-").replace('-', "");
        for written in [
            text.to_string(),
            text.to_lowercase(),
            text.replace('-', ""),
            text.replace('-', " "),
            format!(" {} ", text.as_str()),
            text.replace('0', "o").replace('1', "l"),
            text.replace('1', "I"),
            bare.clone(),
        ] {
            let read = ChatCode::parse(&written).expect(&written);
            assert_eq!(read.digest(), code.digest(), "{written}");
        }
        for other in [
            "",
            "VYX",
            "VYX-",
            "U234",
            bare.trim_start_matches('F'),
            &format!("{bare}2"),
            &"2".repeat(99),
        ] {
            assert!(ChatCode::parse(other).is_none(), "{other}");
        }
        assert_eq!(format!("{code:?}"), "***");
    }

    #[test]
    fn a_code_may_begin_as_the_prefix_does() {
        let code = ChatCode::parse("VYX234567890").expect("twelve symbols");
        assert_eq!(code.text().as_str(), "VYX-VYX2-3456-7890");
    }

    proptest! {
        #[test]
        fn codes_of_other_bits_are_others(a in 0_u64..1 << 60, b in 0_u64..1 << 60) {
            let (first, second) = (ChatCode::from_bits(a), ChatCode::from_bits(b));
            prop_assert_eq!(first.digest() == second.digest(), a == b);
            let read = ChatCode::parse(&first.text()).expect("a code");
            prop_assert_eq!(read.digest(), first.digest());
        }

        #[test]
        fn no_text_makes_the_reader_fall(text in any::<String>()) {
            if let Some(code) = ChatCode::parse(&text) {
                prop_assert_eq!(code.text().len(), 18);
            }
        }
    }
}
