//! The object of the Alerts API, version 2, for endpoint and identity alerts alike.

use super::{bare, indicator, process_of};
use crate::alert::{
    Alert, Connection, File, Process,
    field::Field,
    parse::Unreadable,
    words::{
        hashes, last_component, platform, push_connection, push_once, role, set_severity, tactics,
        techniques,
    },
};

pub(super) fn read(object: Field<'_, '_>) -> Result<Alert, Unreadable> {
    let mut alert = bare(object.at("composite_id").id())?;
    alert.product = object.at("product").text();
    alert.created_at = object
        .at("created_timestamp")
        .time()
        .or_else(|| object.at("timestamp").time());
    alert.first_seen_at = object.at("timestamp").time();
    set_severity(
        &mut alert,
        &[object.at("severity"), object.at("severity_name")],
    );
    alert.title = object
        .at("display_name")
        .text()
        .or_else(|| object.at("name").text());
    alert.description = object.at("description").text();
    let attacks = || object.at("mitre_attack").items();
    alert.tactics = tactics(
        [object.at("tactic"), object.at("tactic_id")]
            .into_iter()
            .chain(attacks().flat_map(|attack| [attack.at("tactic"), attack.at("tactic_id")])),
    );
    alert.techniques = techniques(
        [object.at("technique_id"), object.at("technique")]
            .into_iter()
            .chain(
                attacks().flat_map(|attack| [attack.at("technique_id"), attack.at("technique")]),
            ),
    );
    read_device(&mut alert, object);
    alert.process = Process {
        pid: object.at("local_process_id").pid(),
        ..process_of(object, ["filename", "filepath", "cmdline"])
    };
    alert.parent = ancestor(object.at("parent_details"));
    alert.grandparent = ancestor(object.at("grandparent_details"));
    alert.file = file_of(object);
    read_network(&mut alert, object);
    alert.detection_source = object
        .at("scenario")
        .text()
        .or_else(|| object.at("pattern_id").id());
    alert.disposition = object.at("pattern_disposition_description").text();
    alert.vendor_verdict = object.at("resolution").text();
    alert.link = object.at("falcon_host_link").link();
    Ok(alert)
}

/// Identity alerts have no `device`; their `agent_id` may be the domain controller that saw the
/// sign-in, and isolating that would be a disaster. Only the source endpoint's own sensor counts.
fn read_device(alert: &mut Alert, object: Field<'_, '_>) {
    let device = object.at("device");
    let kind = object.at("type").word().unwrap_or_default();
    let is_identity = alert.product.as_deref() == Some("idp") || kind.starts_with("idp");
    let host_agent = if is_identity {
        None
    } else {
        object.at("agent_id").id()
    };
    alert.device.id = device
        .at("device_id")
        .id()
        .or_else(|| object.at("source_endpoint_sensor_id").id())
        .or(host_agent);
    alert.device.hostname = device
        .at("hostname")
        .text()
        .or_else(|| object.at("source_endpoint_host_name").text());
    alert.device.platform =
        platform(device.at("platform_name")).or_else(|| platform(object.at("platform")));
    alert.device.role = role(device.at("product_type_desc"));
    alert.device.domain = device
        .at("machine_domain")
        .text()
        .or_else(|| device.at("hostinfo").at("domain").text());
    let addresses = [
        device.at("local_ip"),
        device.at("external_ip"),
        object.at("source_endpoint_address_ip4"),
        object.at("source_endpoint_address_ip6"),
    ];
    for address in addresses.into_iter().filter_map(Field::text) {
        push_once(&mut alert.device.ips, address);
    }
    alert.user.name = object
        .at("user_name")
        .text()
        .or_else(|| object.at("source_account_name").text());
    alert.user.domain = object
        .at("logon_domain")
        .text()
        .or_else(|| object.at("source_account_domain").text());
    alert.user.sid = object
        .at("user_id")
        .text()
        .or_else(|| object.at("source_account_object_sid").text());
}

fn ancestor(details: Field<'_, '_>) -> Process {
    Process {
        pid: details.at("local_process_id").pid(),
        ..process_of(details, ["filename", "filepath", "cmdline"])
    }
}

/// The first file that was quarantined, else the first that was written.
fn file_of(object: Field<'_, '_>) -> File {
    let first = |list: &str| object.at(list).items().next();
    let quarantined = first("quarantined_files");
    let Some(file) = quarantined
        .or_else(|| first("executables_written"))
        .or_else(|| first("files_written"))
    else {
        return File::default();
    };
    let named = file.at("filename").text();
    let name = named.as_deref().and_then(last_component);
    // A quarantined file's `filename` is its whole path.
    let path = file
        .at("filepath")
        .text()
        .or_else(|| named.filter(|_| quarantined.is_some()));
    File {
        name,
        path,
        hashes: hashes(file, ["md5", "sha1", "sha256"]),
    }
}

fn read_network(alert: &mut Alert, object: Field<'_, '_>) {
    for access in object.at("network_accesses").items() {
        let connection = Connection {
            remote_ip: access.at("remote_address").text(),
            remote_port: access.at("remote_port").port(),
            remote_name: None,
            protocol: access.at("protocol").word(),
        };
        push_connection(&mut alert.network, connection);
    }
    indicator(alert, object.at("ioc_type"), object.at("ioc_value"));
}
