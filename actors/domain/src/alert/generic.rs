//! The generic form: the normal form's own names, for senders that can be told what to send.

use super::{
    Alert, Connection, Device, File, Hashes, MAX_ITEMS, Process, User,
    field::Field,
    parse::{Unreadable, read_list},
    words::{
        hashes, last_component, platform, push_connection, role, set_severity, tactics, techniques,
    },
};
use crate::vendor::Vendor;

pub(super) const LOOKED_FOR: &[&str] = &["alert_id", "id", "alerts"];

pub(super) fn read(payload: Field<'_, '_>) -> Result<Vec<Alert>, Unreadable> {
    if payload.is_list() {
        read_list(payload, read_one)
    } else if payload.at("alerts").is_list() {
        read_list(payload.at("alerts"), read_one)
    } else {
        read_one(payload).map(|alert| vec![alert])
    }
}

fn read_one(object: Field<'_, '_>) -> Result<Alert, Unreadable> {
    let [id, short_id] = [object.at("alert_id"), object.at("id")];
    if !id.is_present() && !short_id.is_present() {
        return Err(Unreadable::UnknownForm(Vendor::Generic));
    }
    let id = id.id().or_else(|| short_id.id()).ok_or(Unreadable::NoId)?;
    let mut alert = Alert::bare(Vendor::Generic, id);
    alert.product = object.at("product").text();
    alert.created_at = object
        .at("created_at")
        .time()
        .or_else(|| object.at("timestamp").time());
    alert.first_seen_at = object.at("first_seen_at").time();
    set_severity(
        &mut alert,
        &[object.at("severity"), object.at("severity_score")],
    );
    alert.title = object.at("title").text();
    alert.description = object.at("description").text();
    alert.tactics = tactics([object.at("tactics"), object.at("tactic")]);
    alert.techniques = techniques([object.at("techniques"), object.at("technique")]);
    alert.device = device(object);
    alert.user = user(object.at("user"));
    alert.process = process(object.at("process"));
    alert.parent = process(object.at("parent"));
    alert.grandparent = process(object.at("grandparent"));
    alert.file = file(object.at("file"));
    for access in object.at("network").items().take(MAX_ITEMS) {
        push_connection(&mut alert.network, connection(access));
    }
    alert.detection_source = object.at("detection_source").text();
    alert.disposition = object.at("disposition").text();
    alert.vendor_verdict = object.at("vendor_verdict").text();
    alert.link = object.at("link").link();
    alert.threat_id = object.at("threat_id").id();
    Ok(alert)
}

/// `device` or `host`, an object or the bare host name.
fn device(object: Field<'_, '_>) -> Device {
    let full = object.at("device");
    let device = if full.is_present() {
        full
    } else {
        object.at("host")
    };
    if let Some(hostname) = device.text() {
        return Device {
            hostname: Some(hostname),
            ..Device::default()
        };
    }
    Device {
        id: device.at("id").id(),
        hostname: device.at("hostname").text(),
        platform: platform(device.at("platform")),
        role: role(device.at("role")),
        domain: device.at("domain").text(),
        ips: device.at("ips").texts(),
    }
}

/// An object or the bare name.
fn user(user: Field<'_, '_>) -> User {
    if let Some(name) = user.text() {
        return User {
            name: Some(name),
            ..User::default()
        };
    }
    User {
        name: user.at("name").text(),
        domain: user.at("domain").text(),
        sid: user.at("sid").text(),
    }
}

fn process(process: Field<'_, '_>) -> Process {
    let path = process.at("path").text();
    Process {
        image: process
            .at("image")
            .text()
            .or_else(|| path.as_deref().and_then(last_component)),
        path,
        command_line: process.at("command_line").command_line(),
        pid: process.at("pid").pid(),
        hashes: hashes_of(process),
    }
}

fn file(file: Field<'_, '_>) -> File {
    let path = file.at("path").text();
    File {
        name: file
            .at("name")
            .text()
            .or_else(|| path.as_deref().and_then(last_component)),
        path,
        hashes: hashes_of(file),
    }
}

/// Hashes in `hashes`, or right beside the other members.
fn hashes_of(object: Field<'_, '_>) -> Hashes {
    let nested = object.at("hashes");
    hashes(
        if nested.is_object() { nested } else { object },
        ["md5", "sha1", "sha256"],
    )
}

fn connection(access: Field<'_, '_>) -> Connection {
    Connection {
        remote_ip: access.at("remote_ip").text(),
        remote_port: access.at("remote_port").port(),
        remote_name: access.at("remote_name").text(),
        protocol: access.at("protocol").word(),
    }
}
