//! The names by which a rule may ask an alert for something; the one table of them.

use std::{collections::HashMap, sync::LazyLock};

use rsigma_eval::EventValue;
use vyrox_domain::alert::Connection;

use crate::view::View;

/// One name.
pub(crate) struct Field {
    /// As a rule writes it.
    pub(crate) name: &'static str,
    /// The members of the normal form that its value is made of; empty for a member itself.
    made_of: &'static [&'static str],
    /// Its value in an alert; `None` where the alert has none.
    pub(crate) read: Read,
}

type Read = for<'v> fn(&'v View<'_>) -> Option<EventValue<'v>>;

/// Every name that a rule may use, in the order of `docs/rules.md`.
pub fn fields() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|field| field.name)
}

/// The field of this name.
pub(crate) fn named(name: &str) -> Option<&'static Field> {
    static BY_NAME: LazyLock<HashMap<&'static str, &'static Field>> =
        LazyLock::new(|| TABLE.iter().map(|field| (field.name, field)).collect());
    BY_NAME.get(name).copied()
}

/// The members of the normal form.
pub(crate) fn of_normal_form() -> impl Iterator<Item = &'static Field> {
    TABLE.iter().filter(|field| field.made_of.is_empty())
}

impl Field {
    /// The members of the normal form that this field's value in `view` was made of.
    pub(crate) fn members(&self, view: &View<'_>) -> Vec<&'static str> {
        if self.made_of.is_empty() {
            return vec![self.name];
        }
        let filled = |name: &&&str| named(name).is_some_and(|field| (field.read)(view).is_some());
        self.made_of.iter().filter(filled).copied().collect()
    }
}

const TABLE: &[Field] = &[
    // The normal form.
    own("product", |v| text(v.alert.product.as_deref())),
    own("account", |v| text(v.alert.account.as_deref())),
    own("title", |v| text(v.alert.title.as_deref())),
    own("description", |v| text(v.alert.description.as_deref())),
    own("detection_source", |v| {
        text(v.alert.detection_source.as_deref())
    }),
    own("disposition", |v| text(v.alert.disposition.as_deref())),
    own("vendor_verdict", |v| {
        text(v.alert.vendor_verdict.as_deref())
    }),
    own("threat_id", |v| text(v.alert.threat_id.as_deref())),
    own("vendor", |v| {
        Some(EventValue::Str(v.alert.vendor.as_str().into()))
    }),
    own("vendor_alert_id", |v| {
        Some(EventValue::Str(v.alert.vendor_alert_id.as_str().into()))
    }),
    own("severity", |v| {
        Some(EventValue::Str(v.alert.severity.as_str().into()))
    }),
    own("severity_score", |v| {
        Some(EventValue::Int(v.alert.severity_score.into()))
    }),
    own("tactics", |v| list(&v.alert.tactics)),
    own("techniques", |v| list(&v.alert.techniques)),
    own("device.id", |v| text(v.alert.device.id.as_deref())),
    own("device.hostname", |v| {
        text(v.alert.device.hostname.as_deref())
    }),
    own("device.platform", |v| {
        text(v.alert.device.platform.as_deref())
    }),
    own("device.role", |v| text(v.alert.device.role.as_deref())),
    own("device.domain", |v| text(v.alert.device.domain.as_deref())),
    own("device.ips", |v| list(&v.alert.device.ips)),
    own("user.name", |v| text(v.alert.user.name.as_deref())),
    own("user.domain", |v| text(v.alert.user.domain.as_deref())),
    own("user.sid", |v| text(v.alert.user.sid.as_deref())),
    own("process.image", |v| text(v.alert.process.image.as_deref())),
    own("process.path", |v| text(v.alert.process.path.as_deref())),
    own("process.command_line", |v| {
        text(v.alert.process.command_line.as_deref())
    }),
    own("process.pid", |v| pid(v.alert.process.pid)),
    own("process.hashes.md5", |v| {
        text(v.alert.process.hashes.md5.as_deref())
    }),
    own("process.hashes.sha1", |v| {
        text(v.alert.process.hashes.sha1.as_deref())
    }),
    own("process.hashes.sha256", |v| {
        text(v.alert.process.hashes.sha256.as_deref())
    }),
    own("parent.image", |v| text(v.alert.parent.image.as_deref())),
    own("parent.path", |v| text(v.alert.parent.path.as_deref())),
    own("parent.command_line", |v| {
        text(v.alert.parent.command_line.as_deref())
    }),
    own("parent.pid", |v| pid(v.alert.parent.pid)),
    own("parent.hashes.md5", |v| {
        text(v.alert.parent.hashes.md5.as_deref())
    }),
    own("parent.hashes.sha1", |v| {
        text(v.alert.parent.hashes.sha1.as_deref())
    }),
    own("parent.hashes.sha256", |v| {
        text(v.alert.parent.hashes.sha256.as_deref())
    }),
    own("grandparent.image", |v| {
        text(v.alert.grandparent.image.as_deref())
    }),
    own("grandparent.path", |v| {
        text(v.alert.grandparent.path.as_deref())
    }),
    own("grandparent.command_line", |v| {
        text(v.alert.grandparent.command_line.as_deref())
    }),
    own("grandparent.pid", |v| pid(v.alert.grandparent.pid)),
    own("grandparent.hashes.md5", |v| {
        text(v.alert.grandparent.hashes.md5.as_deref())
    }),
    own("grandparent.hashes.sha1", |v| {
        text(v.alert.grandparent.hashes.sha1.as_deref())
    }),
    own("grandparent.hashes.sha256", |v| {
        text(v.alert.grandparent.hashes.sha256.as_deref())
    }),
    own("file.name", |v| text(v.alert.file.name.as_deref())),
    own("file.path", |v| text(v.alert.file.path.as_deref())),
    own("file.hashes.md5", |v| {
        text(v.alert.file.hashes.md5.as_deref())
    }),
    own("file.hashes.sha1", |v| {
        text(v.alert.file.hashes.sha1.as_deref())
    }),
    own("file.hashes.sha256", |v| {
        text(v.alert.file.hashes.sha256.as_deref())
    }),
    own("network.remote_ip", |v| {
        peers(v, |peer| text(peer.remote_ip.as_deref()))
    }),
    own("network.remote_name", |v| {
        peers(v, |peer| text(peer.remote_name.as_deref()))
    }),
    own("network.protocol", |v| {
        peers(v, |peer| text(peer.protocol.as_deref()))
    }),
    own("network.remote_port", |v| {
        peers(v, |peer| {
            peer.remote_port.map(|port| EventValue::Int(port.into()))
        })
    }),
    // What can be seen in it once disguises are off.
    made("seen.command", &["process.command_line"], |v| {
        list(&v.process.commands)
    }),
    made(
        "seen.name",
        &["process.image", "process.path", "process.command_line"],
        |v| list(&v.process.names),
    ),
    made(
        "seen.tools",
        &["process.image", "process.path", "process.command_line"],
        |v| list(&v.process.tools),
    ),
    made(
        "seen.parent_command",
        &["parent.command_line", "grandparent.command_line"],
        |v| either(&v.parent.commands, &v.grandparent.commands),
    ),
    made(
        "seen.parents",
        &[
            "parent.image",
            "parent.path",
            "grandparent.image",
            "grandparent.path",
        ],
        |v| either(&v.parent.names, &v.grandparent.names),
    ),
    made("seen.account", &["user.name", "user.domain"], |v| {
        text(v.account.as_deref())
    }),
    made(
        "seen.text",
        &["title", "description", "detection_source", "file.name"],
        prose,
    ),
    // The names of public Sigma rules.
    made(
        "Image",
        &["process.image", "process.path", "process.command_line"],
        |v| list(&v.process.images),
    ),
    made("OriginalFileName", &["process.image"], |v| {
        text(v.alert.process.image.as_deref())
    }),
    made("CommandLine", &["process.command_line"], |v| {
        text(v.alert.process.command_line.as_deref())
    }),
    made("ProcessId", &["process.pid"], |v| pid(v.alert.process.pid)),
    made(
        "ParentImage",
        &["parent.image", "parent.path", "parent.command_line"],
        |v| list(&v.parent.images),
    ),
    made("ParentCommandLine", &["parent.command_line"], |v| {
        text(v.alert.parent.command_line.as_deref())
    }),
    made("ParentProcessId", &["parent.pid"], |v| {
        pid(v.alert.parent.pid)
    }),
    made(
        "GrandParentImage",
        &["grandparent.image", "grandparent.path"],
        |v| list(&v.grandparent.images),
    ),
    made("User", &["user.name", "user.domain"], |v| {
        text(v.account.as_deref())
    }),
    made(
        "Hashes",
        &[
            "process.hashes.md5",
            "process.hashes.sha1",
            "process.hashes.sha256",
        ],
        |v| text(v.process.hashes.as_deref()),
    ),
    made("md5", &["process.hashes.md5"], |v| {
        text(v.alert.process.hashes.md5.as_deref())
    }),
    made("sha1", &["process.hashes.sha1"], |v| {
        text(v.alert.process.hashes.sha1.as_deref())
    }),
    made("sha256", &["process.hashes.sha256"], |v| {
        text(v.alert.process.hashes.sha256.as_deref())
    }),
    made("ComputerName", &["device.hostname"], |v| {
        text(v.alert.device.hostname.as_deref())
    }),
    made("TargetFilename", &["file.path"], |v| {
        text(v.alert.file.path.as_deref())
    }),
    made("DestinationIp", &["network.remote_ip"], |v| {
        peers(v, |peer| text(peer.remote_ip.as_deref()))
    }),
    made("DestinationHostname", &["network.remote_name"], |v| {
        peers(v, |peer| text(peer.remote_name.as_deref()))
    }),
    made("DestinationPort", &["network.remote_port"], |v| {
        peers(v, |peer| {
            peer.remote_port.map(|port| EventValue::Int(port.into()))
        })
    }),
];

const fn own(name: &'static str, read: Read) -> Field {
    Field {
        name,
        made_of: &[],
        read,
    }
}

const fn made(name: &'static str, made_of: &'static [&'static str], read: Read) -> Field {
    Field {
        name,
        made_of,
        read,
    }
}

fn text(value: Option<&str>) -> Option<EventValue<'_>> {
    value.map(|text| EventValue::Str(text.into()))
}

fn pid(value: Option<u64>) -> Option<EventValue<'static>> {
    value
        .and_then(|pid| i64::try_from(pid).ok())
        .map(EventValue::Int)
}

fn list(values: &[String]) -> Option<EventValue<'_>> {
    either(values, &[])
}

fn either<'v>(first: &'v [String], second: &'v [String]) -> Option<EventValue<'v>> {
    let value = |text: &'v String| EventValue::Str(text.as_str().into());
    match (first, second) {
        ([], []) => None,
        ([only], []) | ([], [only]) => Some(value(only)),
        _ => Some(EventValue::Array(
            first.iter().chain(second).map(value).collect(),
        )),
    }
}

fn peers<'v>(
    view: &'v View<'_>,
    read: fn(&Connection) -> Option<EventValue<'_>>,
) -> Option<EventValue<'v>> {
    some(view.alert.network.iter().filter_map(read).collect())
}

/// What the vendor says in words.
fn prose<'v>(view: &'v View<'_>) -> Option<EventValue<'v>> {
    let alert = view.alert;
    let said = [
        alert.title.as_deref(),
        alert.description.as_deref(),
        alert.detection_source.as_deref(),
        alert.file.name.as_deref(),
    ];
    some(said.into_iter().filter_map(text).collect())
}

fn some(values: Vec<EventValue<'_>>) -> Option<EventValue<'_>> {
    (!values.is_empty()).then_some(EventValue::Array(values))
}
