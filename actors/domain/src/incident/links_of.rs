//! Which links an alert has.
//!
//! A link is only worth something if few machines share it. Accounts, host names and images that
//! exist everywhere therefore make none: see [`super::everywhere`].

use std::net::IpAddr;

use super::{
    everywhere::{is_placeholder, is_system_image, is_ubiquitous_account, is_ubiquitous_sid},
    link::{Link, LinkKind},
};
use crate::alert::{Alert, Hashes, Process};

/// The most links that an alert has.
pub const LINKS_MAX: usize = 16;

/// What `alert` may have in common with others: deterministic, sorted with the strongest first, each
/// once, at most [`LINKS_MAX`].
///
/// `pseudonym` must be keyed by the tenant: the same text gives the same number in this tenant alone.
/// Its text is made of the parts that name the thing, with a bar between them.
pub fn links_of(alert: &Alert, pseudonym: &dyn Fn(LinkKind, &str) -> u64) -> Vec<Link> {
    let mut links: Vec<Link> = names(alert)
        .into_iter()
        .map(|(kind, text)| Link {
            kind,
            key: pseudonym(kind, &text),
        })
        .collect();
    links.sort_unstable();
    links.dedup();
    links.truncate(LINKS_MAX);
    links
}

fn names(alert: &Alert) -> Vec<(LinkKind, String)> {
    let mut names = vec![(
        LinkKind::VendorAlert,
        format!("{}|{}", alert.vendor, alert.vendor_alert_id),
    )];
    let mut add = |kind, texts: Vec<String>| {
        names.extend(texts.into_iter().map(|text| (kind, text)));
    };
    add(LinkKind::Lineage, lineage(alert));
    add(LinkKind::Host, hosts(alert));
    add(LinkKind::User, users(alert));
    add(LinkKind::Hash, hashes(alert));
    names
}

/// The vendor's id of the machine, and its name: an alert that has both lets those meet that have one
/// of them.
fn hosts(alert: &Alert) -> Vec<String> {
    let name = host_name(alert).map(|name| format!("name|{name}"));
    device_id(alert).into_iter().chain(name).collect()
}

fn device_id(alert: &Alert) -> Option<String> {
    let id = known(alert.device.id.as_deref())?;
    Some(format!("{}|{}", alert.vendor, id.to_lowercase()))
}

/// The short name in lower case: `WS-7.corp.example` and `ws-7` are one machine.
fn host_name(alert: &Alert) -> Option<String> {
    let name = known(alert.device.hostname.as_deref())?.to_lowercase();
    if name.parse::<IpAddr>().is_ok() {
        return Some(name);
    }
    let short = name.split('.').next().unwrap_or_default();
    (!short.is_empty() && short != "localhost").then(|| short.to_owned())
}

/// The process and its ancestors on their machine, so that a child's alert meets its parent's, and
/// the vendor's id of the threat. A process id alone is used again too soon to mean anything, so one
/// without an image makes no link.
fn lineage(alert: &Alert) -> Vec<String> {
    let machine = host_name(alert).or_else(|| device_id(alert));
    let tree = [&alert.process, &alert.parent, &alert.grandparent];
    let processes = machine.iter().flat_map(|machine| {
        tree.into_iter()
            .filter_map(move |process| Some(format!("{machine}|{}", process_key(process)?)))
    });
    let threat = known(alert.threat_id.as_deref());
    let threat = threat.map(|id| format!("threat|{}|{id}", alert.vendor));
    processes.chain(threat).collect()
}

fn process_key(process: &Process) -> Option<String> {
    // Pids 0 and 4 are the idle process and the kernel of every Windows, 1 is every Linux's init.
    let pid = process.pid.filter(|pid| !matches!(pid, 0 | 1 | 4))?;
    let image = known(process.image.as_deref())?.to_lowercase();
    Some(format!("{pid}|{image}"))
}

fn users(alert: &Alert) -> Vec<String> {
    let sid = known(alert.user.sid.as_deref()).map(str::to_lowercase);
    let (domain, name) = account(alert);
    let ubiquitous = sid.as_deref().is_some_and(is_system_sid)
        || name
            .as_deref()
            .is_some_and(|name| is_ubiquitous_account(domain.as_deref(), name));
    if ubiquitous {
        return Vec::new();
    }
    let sid = sid.filter(|sid| !is_ubiquitous_sid(sid));
    let sid = sid.map(|sid| format!("sid|{sid}"));
    let name = name.map(|name| format!("name|{}|{name}", domain.unwrap_or_default()));
    sid.into_iter().chain(name).collect()
}

/// A Windows account that every machine has; what a short number means is not known without a name.
fn is_system_sid(sid: &str) -> bool {
    sid.starts_with("s-") && is_ubiquitous_sid(sid)
}

/// Domain and name in lower case, whichever way they were written: `CORP\jo`, `jo@corp.example`, or
/// apart. Of a domain only the first label counts, since vendors mix its short and its long name.
fn account(alert: &Alert) -> (Option<String>, Option<String>) {
    let Some(whole) = known(alert.user.name.as_deref()).map(str::to_lowercase) else {
        return (None, None);
    };
    let apart = known(alert.user.domain.as_deref()).map(str::to_lowercase);
    let (domain, name) = match whole.split_once('\\') {
        Some((domain, name)) => (Some(domain.to_owned()), name.to_owned()),
        None => match whole.split_once('@') {
            Some((name, domain)) => (Some(domain.to_owned()), name.to_owned()),
            None => (apart, whole),
        },
    };
    let label = |domain: String| domain.split('.').next().unwrap_or_default().to_owned();
    let domain = domain.map(label).filter(|domain| !domain.is_empty());
    (domain, (!name.is_empty()).then_some(name))
}

/// The content of the file and of the process's image, unless every machine has it.
fn hashes(alert: &Alert) -> Vec<String> {
    let file = &alert.file;
    let process = &alert.process;
    let images = [
        (&file.hashes, file.path.as_deref(), file.name.as_deref()),
        (
            &process.hashes,
            process.path.as_deref(),
            process.image.as_deref(),
        ),
    ];
    images
        .into_iter()
        .filter(|(_, path, name)| !is_system_image(known(*path), known(*name)))
        .filter_map(|(hashes, _, _)| digest(hashes))
        .collect()
}

fn digest(hashes: &Hashes) -> Option<String> {
    let text = known(hashes.sha256.as_deref()).or_else(|| known(hashes.sha1.as_deref()))?;
    // A digest of zeros stands for one that wasn't computed.
    (!text.bytes().all(|b| b == b'0')).then(|| text.to_lowercase())
}

/// The text without blanks around it, `None` where it only says that nothing is known.
fn known(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !is_placeholder(text))
}
