//! Where requests may go. A credential names a host; what its name resolves to is looked at on each
//! connection, so a name that moves into the house's own network is refused like one that began there.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// No address of the name may be spoken to.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the name resolves to addresses that may not be spoken to")]
pub(super) struct NotPermitted;

/// The system's resolver, less what lies in nobody's public network.
pub(super) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let permitted: Vec<SocketAddr> = found.filter(|at| is_public(at.ip())).collect();
            if permitted.is_empty() {
                return Err(NotPermitted.into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

/// Whether a request failed because of [`PublicOnly`].
pub(super) fn was_refused(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(one) = cause {
        if one.is::<NotPermitted>() {
            return true;
        }
        // An IO error passes over what it wraps when it is asked for its source.
        let wrapped = one.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if wrapped.is_some_and(<dyn std::error::Error + Send + Sync>::is::<NotPermitted>) {
            return true;
        }
        cause = one.source();
    }
    false
}

/// Whether an address lies in the public internet: not this machine, not a private or shared network, not
/// one that is set apart for something else, and no such address in another's clothes.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// Networks of IPv4 that are nobody's on the internet: address and length of the prefix.
const APART_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
    // Answers to everybody, from inside a well-known cloud: metadata beside 169.254.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
];

/// Networks within `2000::/3` that are nobody's, or that carry an address of IPv4.
const APART_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Given out to the internet's networks; all else is apart.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// An address of IPv4, for networks that have none (RFC 6052).
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    let within =
        |(network, length): &(Ipv4Addr, u32)| (bits ^ network.to_bits()).leading_zeros() >= *length;
    !APART_V4.iter().any(within)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(v4) = address.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    let bits = address.to_bits();
    let within =
        |(network, length): &(Ipv6Addr, u32)| (bits ^ network.to_bits()).leading_zeros() >= *length;
    if within(&NAT64) {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    within(&GLOBAL_V6) && !APART_V6.iter().any(within)
}

#[cfg(test)]
mod tests;
