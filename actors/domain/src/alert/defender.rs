//! Microsoft Defender for Endpoint: alerts of its own API, of Microsoft Graph (`alerts_v2`), and rows
//! of the advanced-hunting tables as they come through an Event Hub.

mod graph;
mod hunting;

use super::{
    Alert, Connection, File, Hashes, Process,
    field::Field,
    parse::{Unreadable, read_list},
    words::{hashes, last_component, push_connection, set_severity, tactics, techniques},
};
use crate::vendor::Vendor;

pub(super) const LOOKED_FOR: &[&str] = &[
    "id",
    "value",
    "records with properties.AlertId",
    "properties.AlertId",
];

pub(super) fn read(payload: Field<'_, '_>) -> Result<Vec<Alert>, Unreadable> {
    let lists = [payload.at("records"), payload.at("value"), payload];
    let list = lists.into_iter().find(|list| list.is_list());
    match list {
        Some(list) if list.items().any(|item| item.at("properties").is_object()) => {
            hunting::read(list.items())
        }
        Some(list) => read_list(list, read_one),
        None if payload.at("properties").is_object() => hunting::read([payload]),
        None => read_one(payload).map(|alert| vec![alert]),
    }
}

fn read_one(object: Field<'_, '_>) -> Result<Alert, Unreadable> {
    // A change notification has an id too, but it is the id of the message.
    if object.at("subscriptionId").is_present() || !object.at("id").is_present() {
        return Err(Unreadable::UnknownForm(Vendor::Defender));
    }
    let marks = [
        "createdDateTime",
        "serviceSource",
        "providerAlertId",
        "alertWebUrl",
    ];
    if marks.into_iter().any(|mark| object.at(mark).is_present()) {
        graph::read(object)
    } else {
        endpoint(object)
    }
}

fn bare(id: Option<String>) -> Result<Alert, Unreadable> {
    Ok(Alert::bare(Vendor::Defender, id.ok_or(Unreadable::NoId)?))
}

/// An alert of Defender for Endpoint's own API.
fn endpoint(object: Field<'_, '_>) -> Result<Alert, Unreadable> {
    let mut alert = bare(object.at("id").id())?;
    alert.product = Some("mde".to_owned());
    alert.created_at = object.at("alertCreationTime").time();
    alert.first_seen_at = object.at("firstEventTime").time();
    set_severity(&mut alert, &[object.at("severity")]);
    alert.title = object.at("title").text();
    alert.description = object.at("description").text();
    alert.tactics = tactics([object.at("category")]);
    alert.techniques = techniques([object.at("mitreTechniques")]);
    alert.device.id = object.at("machineId").id();
    alert.device.hostname = object.at("computerDnsName").text();
    let related = object.at("relatedUser");
    alert.user.name = related.at("userName").text();
    alert.user.domain = related.at("domainName").text();
    for evidence in object.at("evidence").items() {
        endpoint_evidence(&mut alert, evidence);
    }
    alert.detection_source = object.at("detectionSource").text();
    alert.vendor_verdict = verdict(object);
    Ok(alert)
}

/// The first process, file and user of the evidence fill their places; addresses and URLs add up.
fn endpoint_evidence(alert: &mut Alert, evidence: Field<'_, '_>) {
    match evidence.at("entityType").word().as_deref() {
        Some("process") if alert.process == Process::default() => {
            alert.process = Process {
                command_line: evidence.at("processCommandLine").command_line(),
                pid: evidence.at("processId").pid(),
                ..image_in(evidence, ["fileName", "filePath"])
            };
            alert.parent = Process {
                pid: evidence.at("parentProcessId").pid(),
                ..image_in(evidence, ["parentProcessFileName", "parentProcessFilePath"])
            };
            // Hashes beside the names are those of the process.
            alert.parent.hashes = Hashes::default();
            endpoint_user(alert, evidence);
        }
        Some("file") if alert.file == File::default() => {
            let image = image_in(evidence, ["fileName", "filePath"]);
            alert.file = File {
                name: image.image,
                path: image.path,
                hashes: image.hashes,
            };
        }
        Some("user") => endpoint_user(alert, evidence),
        Some("ip") => push_connection(
            &mut alert.network,
            Connection {
                remote_ip: evidence.at("ipAddress").text(),
                ..Connection::default()
            },
        ),
        Some("url") => push_connection(
            &mut alert.network,
            Connection {
                remote_name: evidence.at("url").text(),
                ..Connection::default()
            },
        ),
        _ => {}
    }
    if alert.disposition.is_none() {
        alert.disposition = evidence.at("detectionStatus").text();
    }
}

/// The evidence's account, if none is known yet or the known one is the same and lacks its SID.
fn endpoint_user(alert: &mut Alert, evidence: Field<'_, '_>) {
    let user = &mut alert.user;
    let name = evidence.at("accountName").text();
    let is_same = match (&user.name, &name) {
        (Some(known), Some(name)) => known.eq_ignore_ascii_case(name),
        (known, _) => known.is_none(),
    };
    if is_same {
        user.name = user.name.take().or(name);
        user.domain = user
            .domain
            .take()
            .or_else(|| evidence.at("domainName").text());
        user.sid = user.sid.take().or_else(|| evidence.at("userSid").text());
    }
}

/// An image of which the vendor gives `[file name, folder]`.
fn image_in(object: Field<'_, '_>, names: [&str; 2]) -> Process {
    let [name, folder] = names.map(|name| object.at(name).text());
    let path = whole_path(folder, name.as_deref());
    Process {
        image: name.or_else(|| path.as_deref().and_then(last_component)),
        path,
        hashes: hashes(object, ["md5", "sha1", "sha256"]),
        ..Process::default()
    }
}

/// Folder and name together; the folder alone where it already ends with the name.
fn whole_path(folder: Option<String>, name: Option<&str>) -> Option<String> {
    let folder = folder?;
    let Some(name) = name else {
        return Some(folder);
    };
    let ends_with_name = folder
        .rsplit(['\\', '/'])
        .next()
        .is_some_and(|last| last.eq_ignore_ascii_case(name));
    if ends_with_name {
        return Some(folder);
    }
    let separator = if folder.contains('/') && !folder.contains('\\') {
        '/'
    } else {
        '\\'
    };
    let folder = folder.trim_end_matches(separator);
    Some(format!("{folder}{separator}{name}"))
}

/// The analyst's classification, else the determination; `unknown` words say nothing.
fn verdict(object: Field<'_, '_>) -> Option<String> {
    ["classification", "determination"]
        .into_iter()
        .filter_map(|name| object.at(name).text())
        .find(|word| !matches!(word.to_lowercase().as_str(), "unknown" | "notavailable"))
}
