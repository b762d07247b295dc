//! The id of one thing at a vendor.

use super::reference;

/// Never empty, and nothing that could be read as more than one thing, as a path or as a part of a filter:
/// letters, digits, `-` and `_`, at most 128.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Id(String);

impl Id {
    /// `None` where the text is no id.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        reference(text)
            .filter(|text| text.bytes().all(plain))
            .map(Self)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ids_of_all_vendors_are_ids() {
        for id in [
            "225494730938493804",
            "d0f2c5a1-1111-4222-8333-944455556666",
            "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
            "da637472900382838869_1364969609",
        ] {
            assert_eq!(Id::parse(id).unwrap().as_str(), id);
        }
    }

    proptest! {
        #[test]
        fn nothing_else_is(text in any::<String>()) {
            if let Some(id) = Id::parse(&text) {
                prop_assert_eq!(id.as_str(), text);
                prop_assert!(!id.as_str().is_empty());
                prop_assert!(!id.as_str().contains([',', ' ', '\'', '/', '.', '%', '*', ':']));
            }
        }
    }
}
