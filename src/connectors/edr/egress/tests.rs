//! Every network that is apart, at both of its ends, and in every dress.

use proptest::prelude::*;

use super::*;

fn public(text: &str) -> bool {
    is_public(text.parse().unwrap())
}

const APART: &str = "\
    0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 \
    127.255.255.255 169.254.0.0 169.254.169.254 169.254.255.255 172.16.0.0 \
    172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.0.0 192.168.255.255 \
    198.18.0.0 198.19.255.255 198.51.100.7 203.0.113.255 224.0.0.1 239.255.255.255 \
    240.0.0.1 255.255.255.255 168.63.129.16 :: ::1 ::ffff:127.0.0.1 ::ffff:10.1.2.3 \
    ::ffff:169.254.169.254 ::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 \
    100::1 2001::1 2001:db8::1 2002:7f00:1:: 2002:808:808:: 3fff::1 5f00::1 fc00::1 \
    fd12::1 fe80::1 fec0::1 ff02::1";

/// What lies right beside those networks, and what is somebody's.
const PUBLIC: &str = "\
    1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 \
    169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 \
    198.17.255.255 198.20.0.0 223.255.255.255 8.8.8.8 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 \
    2001:4860::8888 2606:4700::1 2a00::1 3ffe::1";

#[test]
fn networks_that_are_apart_are_so_from_end_to_end() {
    for apart in APART.split(' ') {
        assert!(!public(apart), "{apart}");
    }
    for beside in PUBLIC.split(' ') {
        assert!(public(beside), "{beside}");
    }
}

proptest! {
    /// The standard library's own names for what is apart, wherever it has one that is stable.
    #[test]
    fn nothing_that_the_standard_library_calls_apart_is_public(bits: u32) {
        let v4 = Ipv4Addr::from_bits(bits);
        let apart = v4.is_loopback() || v4.is_private() || v4.is_link_local()
            || v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast()
            || v4.is_documentation();
        prop_assert!(!(apart && is_public(v4.into())), "{}", v4);
    }

    #[test]
    fn an_address_in_another_dress_is_judged_as_itself(bits: u32) {
        let v4 = Ipv4Addr::from_bits(bits);
        let itself = is_public(v4.into());
        prop_assert_eq!(is_public(v4.to_ipv6_mapped().into()), itself);
        let low = u128::from(bits);
        let nat64 = Ipv6Addr::from_bits(NAT64.0.to_bits() | low);
        prop_assert_eq!(is_public(nat64.into()), itself);
        // Deprecated dresses are no address of the internet at all.
        prop_assert!(!is_public(Ipv6Addr::from_bits(low).into()));
        let six_to_four = (0x2002_u128 << 112) | (low << 80);
        prop_assert!(!is_public(Ipv6Addr::from_bits(six_to_four).into()));
    }

    #[test]
    fn nothing_outside_of_what_was_given_out_is_public(bits: u128) {
        let v6 = Ipv6Addr::from_bits(bits);
        let apart = v6.is_loopback() || v6.is_unspecified() || v6.is_multicast()
            || v6.is_unique_local() || v6.is_unicast_link_local();
        prop_assert!(!(apart && is_public(v6.into())), "{}", v6);
        let given_out = bits >> 125 == 1;
        let nat64 = v6.segments()[..2] == [0x64, 0xff9b];
        if !given_out && !nat64 && v6.to_ipv4_mapped().is_none() {
            prop_assert!(!is_public(v6.into()), "{}", v6);
        }
    }
}
