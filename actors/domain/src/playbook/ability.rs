//! What each vendor's API can do, and what it has to be told for it.

use std::collections::BTreeMap;

use super::system_path::{is_system_path, is_vital_process};
use crate::{
    action::{ActionType, is_parameter, is_vendor_id},
    alert::{Alert, Hashes},
    vendor::Vendor,
};

/// Process ids up to this one belong to the operating system itself.
const LAST_SYSTEM_PID: u64 = 4;

type Parameters = BTreeMap<String, String>;
type Named<'a> = (&'static str, &'a str);

/// Whether a vendor's API has an action at all.
pub const fn possible(vendor: Vendor, action: ActionType) -> bool {
    use ActionType::{FileQuarantine, HashBlock, HostIsolation, NetworkQuarantine, ProcessKill};
    match action {
        HostIsolation | HashBlock => match vendor {
            Vendor::Crowdstrike | Vendor::Sentinelone | Vendor::Defender => true,
            Vendor::Generic => false,
        },
        ProcessKill => match vendor {
            Vendor::Crowdstrike | Vendor::Sentinelone => true,
            Vendor::Defender | Vendor::Generic => false,
        },
        FileQuarantine => match vendor {
            Vendor::Sentinelone | Vendor::Defender => true,
            Vendor::Crowdstrike | Vendor::Generic => false,
        },
        NetworkQuarantine => match vendor {
            Vendor::Sentinelone => true,
            Vendor::Crowdstrike | Vendor::Defender | Vendor::Generic => false,
        },
    }
}

/// Whether an action can be taken back, and so can hold for a time.
pub(super) const fn has_an_end(action: ActionType) -> bool {
    match action {
        ActionType::HostIsolation | ActionType::NetworkQuarantine | ActionType::HashBlock => true,
        ActionType::ProcessKill | ActionType::FileQuarantine => false,
    }
}

/// What the action needs beside its target, from this alert; `None` where the vendor cannot do it, the
/// alert does not say enough, or it would hurt the operating system.
pub fn parameters(alert: &Alert, action: ActionType) -> Option<Parameters> {
    if !possible(alert.vendor, action) {
        return None;
    }
    match (action, alert.vendor) {
        (ActionType::HostIsolation, _) => Some(Parameters::new()),
        (ActionType::ProcessKill, Vendor::Crowdstrike) => process(alert),
        (ActionType::HashBlock, _) => hash(alert),
        (ActionType::FileQuarantine, Vendor::Defender) => {
            let (name, value) = unless_system(alert, sha1)?;
            Some(Parameters::from([(name.to_owned(), value.to_owned())]))
        }
        (
            ActionType::ProcessKill | ActionType::FileQuarantine | ActionType::NetworkQuarantine,
            _,
        ) => threat(alert),
    }
}

/// Whether the alert leaves out to which process or threat the action would be done.
pub(super) fn lacks_its_object(alert: &Alert, action: ActionType) -> bool {
    use ActionType::{FileQuarantine, HashBlock, HostIsolation, NetworkQuarantine, ProcessKill};
    if !possible(alert.vendor, action) {
        return false;
    }
    match (action, alert.vendor) {
        (HostIsolation | HashBlock, _) | (FileQuarantine, Vendor::Defender) => false,
        (ProcessKill, Vendor::Crowdstrike) => {
            alert.process.pid.is_none() || alert.process.image.is_none()
        }
        (ProcessKill | FileQuarantine | NetworkQuarantine, _) => alert.threat_id.is_none(),
    }
}

/// The process that was reported. The image goes along because ids are used again: whoever kills it
/// looks whether the id still belongs to that image.
fn process(alert: &Alert) -> Option<Parameters> {
    let process = &alert.process;
    let pid = process
        .pid
        .filter(|pid| *pid > LAST_SYSTEM_PID && u32::try_from(*pid).is_ok())?;
    let image = process
        .image
        .as_deref()
        .filter(|image| is_parameter(image) && !is_vital_process(image))?;
    Some(Parameters::from([
        ("pid".to_owned(), pid.to_string()),
        ("image".to_owned(), image.to_owned()),
    ]))
}

/// SentinelOne acts on threats: what was killed or quarantined is what it holds the threat to be.
fn threat(alert: &Alert) -> Option<Parameters> {
    let threat = alert.threat_id.as_deref().filter(|id| is_vendor_id(id))?;
    Some(Parameters::from([(
        "threat_id".to_owned(),
        threat.to_owned(),
    )]))
}

fn hash(alert: &Alert) -> Option<Parameters> {
    let sentinelone = alert.vendor == Vendor::Sentinelone;
    let (name, value) = if sentinelone {
        unless_system(alert, |hashes| sha256(hashes).or_else(|| sha1(hashes)))?
    } else {
        unless_system(alert, sha256)?
    };
    let mut parameters = Parameters::from([(name.to_owned(), value.to_owned())]);
    if sentinelone {
        // Its list of hashes is one list an operating system.
        let platform = alert.device.platform.as_deref();
        let platform = platform.filter(|one| matches!(*one, "windows" | "linux" | "macos"))?;
        parameters.insert("platform".to_owned(), platform.to_owned());
    }
    Some(parameters)
}

/// The hash of the file that the alert is about, else of the process's image; `None` where that lies,
/// or may lie, among the files of the operating system.
fn unless_system<'a>(
    alert: &'a Alert,
    of: impl Fn(&'a Hashes) -> Option<Named<'a>>,
) -> Option<Named<'a>> {
    let file = of(&alert.file.hashes).map(|named| (named, alert.file.path.as_deref()));
    let image = || of(&alert.process.hashes).map(|named| (named, alert.process.path.as_deref()));
    let (named, path) = file.or_else(image)?;
    path.is_some_and(|path| !is_system_path(path))
        .then_some(named)
}

fn sha256(hashes: &Hashes) -> Option<Named<'_>> {
    digits(hashes.sha256.as_deref(), 64).map(|value| ("sha256", value))
}

fn sha1(hashes: &Hashes) -> Option<Named<'_>> {
    digits(hashes.sha1.as_deref(), 40).map(|value| ("sha1", value))
}

fn digits(hash: Option<&str>, count: usize) -> Option<&str> {
    let hex = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
    hash.filter(|hash| hash.len() == count && hash.bytes().all(hex))
}
