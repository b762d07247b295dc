//! A credential as it comes in: what its members may be. No text of an error holds the secret.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;
use serde::Deserialize;
use vyrox_actors::edr::EdrCredential;
use vyrox_domain::{vendor::Vendor, webhook::Secret};

use crate::http::problem::{Answer, Code, Problem};

/// How long the credential before it may still be used, in hours, where nobody says otherwise.
const OVERLAP_DEFAULT_H: u64 = 24;
/// The longest such time.
const OVERLAP_MAX_H: u64 = 30 * 24;
/// The longest address.
const URL_MAX: usize = 512;
/// The longest id and realm.
const NAME_MAX: usize = 256;
/// The longest secret: tokens that are JWTs have well over 1,000 characters.
const SECRET_MAX: usize = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    base_url: String,
    login_url: Option<String>,
    client_id: Option<String>,
    secret: String,
    realm: Option<String>,
    #[serde(default)]
    unchecked: bool,
    overlap_h: Option<u64>,
}

/// A credential whose members can be what they claim to be.
pub(super) struct Offered {
    pub(super) credential: EdrCredential,
    pub(super) unchecked: bool,
    pub(super) overlap_s: u64,
}

impl Offered {
    /// `allow_private`: the EDR may be a stand-in on this machine or in its network.
    ///
    /// # Errors
    /// 400 `invalid_credential` with the member and what is wrong with it.
    pub(super) fn read(vendor: Vendor, body: Body, allow_private: bool) -> Answer<Self> {
        // First of all, so that the text is wiped whatever else is wrong.
        let secret = Secret::new(body.secret.into_bytes());
        is_sendable(&secret)?;
        let base_url = address("base_url", &body.base_url, allow_private)?;
        let login = body.login_url.as_deref();
        let login_url = login.map(|text| address("login_url", text, allow_private));
        let client_id = body.client_id.map(|text| name("client_id", text));
        let realm = body.realm.map(|text| name("realm", text));
        let credential = EdrCredential {
            version: 0,
            base_url,
            login_url: login_url.transpose()?,
            client_id: client_id.transpose()?,
            secret,
            realm: realm.transpose()?,
        };
        is_complete(vendor, &credential)?;
        let overlap_h = body.overlap_h.unwrap_or(OVERLAP_DEFAULT_H);
        if overlap_h > OVERLAP_MAX_H {
            return Err(wrong("overlap_h", "is 720 at most, which is 30 days"));
        }
        Ok(Self {
            credential,
            unchecked: body.unchecked,
            overlap_s: overlap_h.saturating_mul(3600),
        })
    }
}

/// The vendor of that name, if actions can be carried out there.
///
/// # Errors
/// 400 `invalid_credential`.
pub(super) fn edr(name: &str) -> Answer<Vendor> {
    match name.parse() {
        Ok(vendor) if vendor != Vendor::Generic => Ok(vendor),
        Ok(_) | Err(_) => Err(Problem::new(Code::InvalidCredential)
            .detail("a credential is for crowdstrike, sentinelone or defender")),
    }
}

fn wrong(member: &str, what: &str) -> Problem {
    Problem::new(Code::InvalidCredential).detail(format!("`{member}` {what}"))
}

/// The vendor made it, so its strength is the vendor's matter; it has to survive a header and a form.
fn is_sendable(secret: &Secret) -> Answer<()> {
    let bytes = secret.expose();
    let visible = bytes.iter().all(u8::is_ascii_graphic);
    if visible && (1..=SECRET_MAX).contains(&bytes.len()) {
        Ok(())
    } else {
        Err(wrong(
            "secret",
            "is 1 to 4096 visible ASCII characters; see that no space or line break came along",
        ))
    }
}

fn name(member: &str, text: String) -> Answer<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text)
    } else {
        Err(wrong(member, "is 1 to 256 letters, digits and `._:-`"))
    }
}

/// Without a slash at its end.
fn address(member: &str, text: &str, allow_private: bool) -> Answer<String> {
    if text.len() > URL_MAX {
        return Err(wrong(member, "is longer than 512 characters"));
    }
    let url: Url = text
        .parse()
        .map_err(|_broken| wrong(member, "is no URL; write it with https://"))?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !bare {
        return Err(wrong(
            member,
            "has a user, a query or a fragment; leave them out",
        ));
    }
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return Err(wrong(member, "names no host"));
    };
    let place = Place::of(host);
    if place != Place::Public && !allow_private {
        return Err(wrong(
            member,
            "is this machine or in a private network, which edr.allow_private does not allow",
        ));
    }
    match url.scheme() {
        "https" => {}
        "http" if place == Place::Loopback => {}
        _ => return Err(wrong(member, "does not begin with https://")),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// What each vendor's API asks for beside the secret.
fn is_complete(vendor: Vendor, credential: &EdrCredential) -> Answer<()> {
    let (needs_client, needs_realm) = match vendor {
        Vendor::Crowdstrike => (true, false),
        Vendor::Defender => (true, true),
        Vendor::Sentinelone | Vendor::Generic => (false, false),
    };
    if needs_client && credential.client_id.is_none() {
        return Err(wrong(
            "client_id",
            "is missing: this vendor knows clients by one",
        ));
    }
    if needs_realm && credential.realm.is_none() {
        return Err(wrong("realm", "is missing: it is the Entra tenant id"));
    }
    Ok(())
}

/// Where a host is, as far as its name says. A name that leads to a private address is the connector's
/// matter, for names can change what they lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Public,
    Private,
    Loopback,
}

impl Place {
    fn of(host: &str) -> Self {
        let host = host.trim_end_matches('.');
        if host == "localhost" || host.ends_with(".localhost") {
            return Self::Loopback;
        }
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => match ip.to_canonical() {
                ip if ip.is_loopback() => Self::Loopback,
                IpAddr::V4(ip) if is_private_v4(ip) => Self::Private,
                IpAddr::V6(ip) if is_private_v6(ip) => Self::Private,
                IpAddr::V4(_) | IpAddr::V6(_) => Self::Public,
            },
            Err(_name) => Self::Public,
        }
    }
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    let shared = first == 100 && (64..128).contains(&second);
    first == 0
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || shared
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_multicast()
}

#[cfg(test)]
mod tests;
