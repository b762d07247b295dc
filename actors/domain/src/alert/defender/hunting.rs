//! Rows of the tables `AlertInfo` and `AlertEvidence`: one alert is one row of the first and any
//! number of the second, joined by their `AlertId`, in whatever order they come.

use super::{bare, whole_path};
use crate::{
    alert::{
        Alert, Connection, Device, File, MAX_ALERTS, Process, User,
        field::Field,
        parse::Unreadable,
        words::{hashes, last_component, push_connection, set_severity, tactics, techniques},
    },
    json::{Limits, Value},
};

/// A list of texts inside a text.
const EMBEDDED: Limits = Limits {
    bytes: 4096,
    depth: 2,
    values: 128,
};

pub(super) fn read<'v, 'a: 'v>(
    records: impl IntoIterator<Item = Field<'v, 'a>>,
) -> Result<Vec<Alert>, Unreadable> {
    let mut alerts: Vec<Alert> = Vec::new();
    for record in records {
        let row = record.at("properties");
        // An Event Hub carries other tables too; their rows are no alerts.
        if !row.at("AlertId").is_present() {
            continue;
        }
        let id = row.at("AlertId").id().ok_or(Unreadable::NoId)?;
        let known = alerts.len();
        if let Some(alert) = alerts.iter_mut().find(|alert| alert.vendor_alert_id == id) {
            read_row(alert, row);
        } else if known == MAX_ALERTS {
            return Err(Unreadable::TooManyAlerts);
        } else {
            let mut alert = bare(Some(id))?;
            read_row(&mut alert, row);
            alerts.push(alert);
        }
    }
    if alerts.is_empty() {
        Err(Unreadable::EmptyList)
    } else {
        Ok(alerts)
    }
}

fn read_row(alert: &mut Alert, row: Field<'_, '_>) {
    if alert.created_at.is_none() {
        alert.created_at = row.at("Timestamp").time();
    }
    if row.at("EntityType").is_present() {
        read_evidence(alert, row);
    } else {
        read_info(alert, row);
    }
}

fn read_info(alert: &mut Alert, row: Field<'_, '_>) {
    alert.created_at = row.at("Timestamp").time();
    alert.product = row.at("ServiceSource").text();
    set_severity(alert, &[row.at("Severity")]);
    alert.title = row.at("Title").text();
    alert.tactics = tactics([row.at("Category")]);
    alert.techniques = attack_techniques(row.at("AttackTechniques"));
    alert.detection_source = row.at("DetectionSource").text();
}

/// The column is JSON in a text, or (in some exports) the list itself.
fn attack_techniques(column: Field<'_, '_>) -> Vec<String> {
    let text = column.text().unwrap_or_default();
    match Value::read(text.as_bytes(), EMBEDDED) {
        Ok(embedded) => techniques([Field::of(&embedded)]),
        Err(_) => techniques([column]),
    }
}

/// The first process brings the device and the account with it, as they belong together; without a
/// process the first row that names one does.
fn read_evidence(alert: &mut Alert, row: Field<'_, '_>) {
    let kind = row.at("EntityType").word().unwrap_or_default();
    let is_first_process = kind == "process" && alert.process == Process::default();
    let [id, hostname] = [row.at("DeviceId").id(), row.at("DeviceName").text()];
    let names_device = id.is_some() || hostname.is_some();
    if names_device && (is_first_process || alert.device == Device::default()) {
        alert.device = Device {
            id,
            hostname,
            ..Device::default()
        };
    }
    let name = row.at("AccountName").text();
    if name.is_some() && (is_first_process || alert.user == User::default()) {
        let [domain, sid] = [row.at("AccountDomain").text(), row.at("AccountSid").text()];
        alert.user = User { name, domain, sid };
    }
    let image = read_image(row);
    match row.at("EntityType").word().as_deref() {
        Some("process") if alert.process == Process::default() => {
            alert.process = Process {
                command_line: row.at("ProcessCommandLine").command_line(),
                ..image
            };
        }
        Some("file") if alert.file == File::default() => {
            alert.file = File {
                name: image.image,
                path: image.path,
                hashes: image.hashes,
            };
        }
        _ => {}
    }
    let connection = Connection {
        remote_ip: row.at("RemoteIP").text(),
        remote_name: row.at("RemoteUrl").text(),
        ..Connection::default()
    };
    push_connection(&mut alert.network, connection);
}

fn read_image(row: Field<'_, '_>) -> Process {
    let name = row.at("FileName").text();
    let path = whole_path(row.at("FolderPath").text(), name.as_deref());
    Process {
        image: name.or_else(|| path.as_deref().and_then(last_component)),
        path,
        hashes: hashes(row, ["MD5", "SHA1", "SHA256"]),
        ..Process::default()
    }
}
