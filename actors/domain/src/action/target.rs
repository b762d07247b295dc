//! The name of whom an action is done to: `urn:edr:<vendor>:<device id>`.

use crate::vendor::Vendor;

/// The longest device id in a target, in bytes.
pub const TARGET_ID_MAX_BYTES: usize = 512;

const PREFIX: &str = "urn:edr:";

/// The only target that a containment can have: the vendor's own id of the device. `None` where the
/// id can name no target.
///
/// Ids of CrowdStrike and Defender are hexadecimal digits, which their APIs take in either case: written in
/// lower case, two spellings of an id are one target.
pub fn target_urn(vendor: Vendor, device_id: &str) -> Option<String> {
    let id = match vendor {
        Vendor::Crowdstrike | Vendor::Defender => device_id.to_ascii_lowercase(),
        Vendor::Sentinelone | Vendor::Generic => device_id.to_owned(),
    };
    is_vendor_id(&id).then(|| format!("{PREFIX}{vendor}:{id}"))
}

/// The vendor and its id of the device; `None` for anything but what [`target_urn`] writes.
pub fn parse_target(urn: &str) -> Option<(Vendor, &str)> {
    let (vendor, id) = urn.strip_prefix(PREFIX)?.split_once(':')?;
    let vendor = vendor.parse().ok()?;
    is_vendor_id(id).then_some((vendor, id))
}

/// Whether two targets are one. Other releases wrote ids as alerts spelled them.
pub fn same_target(one: &str, other: &str) -> bool {
    let written = |urn: &str| parse_target(urn).and_then(|(vendor, id)| target_urn(vendor, id));
    one == other || written(one).is_some_and(|one| written(other) == Some(one))
}

/// Whether a vendor's id may stand in a target or a parameter.
///
/// Ids of all vendors are letters and digits. What else is let through is harmless in the path of a
/// URL, on a terminal and in chat; a slash, a percent sign or a character that turns the direction
/// of writing would let the sender of an alert choose what the id is read as.
pub(crate) fn is_vendor_id(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    (1..=TARGET_ID_MAX_BYTES).contains(&id.len()) && id.bytes().all(plain) && !id.starts_with('.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_target_is_read_as_it_was_written() {
        for vendor in Vendor::ALL {
            for id in ["0123456789abcdef", "1", "a:b-c_d.e", &"f".repeat(512)] {
                let urn = target_urn(vendor, id).unwrap();
                assert_eq!(parse_target(&urn), Some((vendor, id)), "{urn}");
            }
        }
    }

    #[test]
    fn what_could_be_read_as_something_else_is_no_target() {
        let too_long = "f".repeat(513);
        for id in [
            "",
            " ",
            "a b",
            "a\tb",
            "a\u{0}",
            "a\u{a0}b",
            "a\u{202e}b",
            "../x",
            "a/b",
            "a?b",
            "a#b",
            "a%2fb",
            "a'b",
            "\u{e4}",
            &too_long,
        ] {
            assert_eq!(target_urn(Vendor::Crowdstrike, id), None, "{id:?}");
            let urn = format!("urn:edr:crowdstrike:{id}");
            assert_eq!(parse_target(&urn), None, "{urn:?}");
        }
        for urn in [
            "",
            "urn:edr:crowdstrike",
            "urn:edr:crowdstrike:",
            "urn:edr:Crowdstrike:1",
            "urn:edr:acme:1",
            "urn:edr::1",
            "URN:edr:crowdstrike:1",
            "urn:host:crowdstrike:1",
            " urn:edr:crowdstrike:1",
        ] {
            assert_eq!(parse_target(urn), None, "{urn:?}");
        }
    }

    /// An alert spelled the id of a device that was contained in capitals. It counted as another device: it
    /// was proposed to contain it once more, and taking that back found nothing in force.
    #[test]
    fn two_spellings_of_an_id_are_one_target() {
        for vendor in [Vendor::Crowdstrike, Vendor::Defender] {
            let urn = target_urn(vendor, "0A1b").unwrap();
            assert_eq!(Some(&urn), target_urn(vendor, "0a1B").as_ref());
            assert_eq!(parse_target(&urn), Some((vendor, "0a1b")));
            let before = format!("urn:edr:{vendor}:0A1B");
            assert!(same_target(&urn, &before) && same_target(&before, &urn));
            assert!(!same_target(&urn, &format!("urn:edr:{vendor}:0a1c")));
        }
        let one = target_urn(Vendor::Sentinelone, "aB").unwrap();
        let other = target_urn(Vendor::Sentinelone, "Ab").unwrap();
        assert!(one != other && !same_target(&one, &other));
        assert!(!same_target("", "urn:edr:defender:0a"));
        assert!(!same_target("URN:x", "urn:x"));
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_the_same(text in "(urn:edr:(crowdstrike|generic):)?\\PC{0,20}") {
            if let Some((vendor, id)) = parse_target(&text) {
                let written = target_urn(vendor, id).expect("a target");
                prop_assert!(same_target(&written, &text));
                prop_assert!(written.eq_ignore_ascii_case(&text));
            }
        }
    }
}
