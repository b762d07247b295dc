//! Alerts of Microsoft Graph (`alerts_v2`): the evidence is a list whose items say their kind.

use super::{bare, verdict, whole_path};
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
    let mut alert = bare(object.at("id").id())?;
    alert.product = object.at("serviceSource").text();
    alert.created_at = object.at("createdDateTime").time();
    alert.first_seen_at = object.at("firstActivityDateTime").time();
    set_severity(&mut alert, &[object.at("severity")]);
    alert.title = object.at("title").text();
    alert.description = object.at("description").text();
    alert.tactics = tactics([object.at("category")]);
    alert.techniques = techniques([object.at("mitreTechniques")]);
    for evidence in object.at("evidence").items() {
        read_evidence(&mut alert, evidence);
    }
    read_device(&mut alert, object.at("evidence"));
    alert.detection_source = object.at("detectionSource").text();
    alert.vendor_verdict = verdict(object);
    alert.link = object.at("alertWebUrl").link();
    Ok(alert)
}

/// The first process, file and user fill their places; addresses and URLs add up. Kinds that do not
/// exist yet are passed over.
fn read_evidence(alert: &mut Alert, evidence: Field<'_, '_>) {
    match kind(evidence).as_str() {
        "processEvidence" if alert.process == Process::default() => read_process(alert, evidence),
        "fileEvidence" if alert.file == File::default() => {
            let image = read_image(evidence.at("fileDetails"));
            alert.file = File {
                name: image.image,
                path: image.path,
                hashes: image.hashes,
            };
        }
        "userEvidence" => read_user(alert, evidence.at("userAccount")),
        "ipEvidence" => push_connection(
            &mut alert.network,
            Connection {
                remote_ip: evidence.at("ipAddress").text(),
                ..Connection::default()
            },
        ),
        "urlEvidence" => push_connection(
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

/// The kind's own name: the last part of `#microsoft.graph.security.processEvidence`.
fn kind(evidence: Field<'_, '_>) -> String {
    let kind = evidence.at("@odata.type").text().unwrap_or_default();
    kind.rsplit('.').next().unwrap_or_default().to_owned()
}

/// The device on which the first process ran, else the first device. One device's id never gets
/// another's name: the id is what would be isolated, the name is what a human approves.
fn read_device(alert: &mut Alert, evidence: Field<'_, '_>) {
    let of_kind = |wanted: &'static str| evidence.items().filter(move |item| kind(*item) == wanted);
    let ran_on = of_kind("processEvidence").find_map(|process| process.at("mdeDeviceId").id());
    let found = of_kind("deviceEvidence")
        .find(|device| ran_on.is_none() || device.at("mdeDeviceId").id() == ran_on);
    let device = &mut alert.device;
    device.id = ran_on;
    let Some(found) = found else { return };
    device.id = found.at("mdeDeviceId").id();
    device.hostname = found
        .at("deviceDnsName")
        .text()
        .or_else(|| found.at("hostName").text());
    device.platform = platform(found.at("osPlatform"));
    device.role = found.at("roles").items().next().and_then(role);
    let addresses = found
        .at("ipInterfaces")
        .texts()
        .into_iter()
        .chain(found.at("lastIpAddress").text())
        .chain(found.at("lastExternalIpAddress").text());
    addresses.for_each(|address| push_once(&mut device.ips, address));
}

fn read_process(alert: &mut Alert, evidence: Field<'_, '_>) {
    alert.process = Process {
        command_line: evidence.at("processCommandLine").command_line(),
        pid: evidence.at("processId").pid(),
        ..read_image(evidence.at("imageFile"))
    };
    alert.parent = Process {
        pid: evidence.at("parentProcessId").pid(),
        ..read_image(evidence.at("parentProcessImageFile"))
    };
    read_user(alert, evidence.at("userAccount"));
}

fn read_user(alert: &mut Alert, account: Field<'_, '_>) {
    let user = &mut alert.user;
    if user.name.is_none() {
        user.name = account
            .at("accountName")
            .text()
            .or_else(|| account.at("userPrincipalName").text());
        user.domain = account.at("domainName").text();
        user.sid = account.at("userSid").text();
    }
}

fn read_image(file: Field<'_, '_>) -> Process {
    let name = file.at("fileName").text();
    let path = whole_path(file.at("filePath").text(), name.as_deref());
    Process {
        image: name.or_else(|| path.as_deref().and_then(last_component)),
        path,
        hashes: hashes(file, ["md5", "sha1", "sha256"]),
        ..Process::default()
    }
}
