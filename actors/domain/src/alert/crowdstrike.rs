//! CrowdStrike Falcon: the short form, Alerts v2 objects, event-stream envelopes and the flat
//! notification. Every member but the id is optional: recorded payloads lack even required ones.

mod alert_v2;
mod event_stream;

use super::{
    Alert, Connection, Process,
    field::Field,
    parse::{Unreadable, read_list},
    words::{hashes, last_component, platform, push_connection, set_severity, tactics, techniques},
};
use crate::vendor::Vendor;

pub(super) const LOOKED_FOR: &[&str] = &[
    "detect_id",
    "composite_id",
    "metadata.eventType with event.CompositeId or event.DetectId",
    "meta with data.detections.composite_id or data.detections.url",
    "resources",
];

pub(super) fn read(payload: Field<'_, '_>) -> Result<Vec<Alert>, Unreadable> {
    if payload.is_list() {
        read_list(payload, read_one)
    } else if payload.at("resources").is_list() {
        read_list(payload.at("resources"), read_one)
    } else {
        read_one(payload).map(|alert| vec![alert])
    }
}

fn read_one(object: Field<'_, '_>) -> Result<Alert, Unreadable> {
    if object.at("event").is_object() && object.at("metadata").is_object() {
        event_stream::read(object)
    } else if object.at("composite_id").is_present() {
        alert_v2::read(object)
    } else if object.at("detect_id").is_present() {
        short(object)
    } else if object.at("meta").is_object() && object.at("data").is_object() {
        notification(object)
    } else {
        Err(Unreadable::UnknownForm(Vendor::Crowdstrike))
    }
}

fn bare(id: Option<String>) -> Result<Alert, Unreadable> {
    Ok(Alert::bare(
        Vendor::Crowdstrike,
        id.ok_or(Unreadable::NoId)?,
    ))
}

fn short(object: Field<'_, '_>) -> Result<Alert, Unreadable> {
    let mut alert = bare(object.at("detect_id").id())?;
    let sensor = object.at("sensor");
    let process = object.at("process");
    alert.created_at = object.at("timestamp").time();
    set_severity(&mut alert, &[object.at("severity")]);
    alert.title = object
        .at("title")
        .text()
        .or_else(|| object.at("name").text());
    alert.description = object.at("description").text();
    alert.tactics = tactics([object.at("tactic"), object.at("tactic_id")]);
    alert.techniques = techniques([object.at("technique"), object.at("technique_id")]);
    alert.device.id = sensor
        .at("agent_id")
        .id()
        .or_else(|| sensor.at("device_id").id());
    alert.device.hostname = sensor.at("hostname").text();
    alert.device.platform = platform(sensor.at("platform"));
    alert.user.name = process.at("user_name").text();
    alert.process = Process {
        pid: process.at("pid").pid(),
        ..process_of(process, ["file_name", "file_path", "command_line"])
    };
    alert.parent = process_of(
        object.at("parent"),
        ["file_name", "file_path", "command_line"],
    );
    alert.link = object.at("falcon_host_link").link();
    Ok(alert)
}

/// A workflow's notification: `data` is flat, its names have dots (`detections.hostname`). It often
/// has no id but the link to the detection, which then is the id.
fn notification(object: Field<'_, '_>) -> Result<Alert, Unreadable> {
    let data = object.at("data");
    let get = |name: &str| data.at_dotted(name);
    let ids = ["composite_id", "detect_id", "detection_id", "id", "url"];
    let mut alert = bare(ids.into_iter().find_map(|name| get(name).id()))?;
    let times = [
        object.at("meta").at("timestamp"),
        get("timestamp"),
        get("created_timestamp"),
    ];
    alert.created_at = times.into_iter().find_map(Field::time);
    set_severity(&mut alert, &[get("severity"), get("severity_name")]);
    alert.title = get("name")
        .text()
        .or_else(|| object.at("meta").at("trigger_name").text());
    alert.description = get("description").text();
    alert.tactics = tactics([get("tactic"), get("tactic_id")]);
    alert.techniques = techniques([get("technique_id"), get("technique")]);
    alert.device.id = ["agent_id", "device_id", "sensor_id"]
        .into_iter()
        .find_map(|n| get(n).id());
    alert.device.hostname = get("hostname").text();
    alert.device.platform = platform(get("platform"));
    alert.user.name = get("user_name").text();
    alert.process.path = get("filepath").text();
    alert.process.image = get("filename").text();
    alert.process.command_line = get("command_line").command_line();
    alert.process.hashes.md5 = get("md5").hash(32);
    alert.process.hashes.sha256 = get("sha256").hash(64);
    alert.disposition = get("action_taken").text();
    alert.link = get("url").link();
    Ok(alert)
}

/// A process whose members are called `[image, path, command line]`, with hashes by their plain names.
fn process_of(object: Field<'_, '_>, names: [&str; 3]) -> Process {
    let [image, path, command_line] = names.map(|name| object.at(name));
    let path = path.text();
    Process {
        image: image
            .text()
            .or_else(|| path.as_deref().and_then(last_component)),
        path,
        command_line: command_line.command_line(),
        pid: None,
        hashes: hashes(object, ["md5", "sha1", "sha256"]),
    }
}

/// An indicator that is an address or a name counts as a connection.
fn indicator(alert: &mut Alert, kind: Field<'_, '_>, value: Field<'_, '_>) {
    let kind = kind.word().unwrap_or_default();
    let mut connection = Connection::default();
    match kind.as_str() {
        "ipv4" | "ipv6" => connection.remote_ip = value.text(),
        "domain" | "url" => connection.remote_name = value.text(),
        _ => return,
    }
    push_connection(&mut alert.network, connection);
}
