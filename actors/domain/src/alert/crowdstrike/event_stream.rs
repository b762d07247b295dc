//! The envelope of the event stream: `metadata`, and an `event` whose names begin with a capital.

use super::{bare, indicator, process_of};
use crate::alert::{
    Alert, Process,
    field::Field,
    parse::Unreadable,
    words::{hashes, platform, set_severity, tactics, techniques},
};

pub(super) fn read(envelope: Field<'_, '_>) -> Result<Alert, Unreadable> {
    let event = envelope.at("event");
    let is_legacy = !event.at("CompositeId").is_present();
    let mut alert = bare(
        event
            .at(if is_legacy { "DetectId" } else { "CompositeId" })
            .id(),
    )?;
    alert.product = product(envelope.at("metadata").at("eventType"));
    alert.created_at = envelope.at("metadata").at("eventCreationTime").time();
    alert.first_seen_at = event.at("ProcessStartTime").time();
    // A legacy number is on a scale of 1 to 5: only its word is read.
    let severity = event.at(if is_legacy {
        "SeverityName"
    } else {
        "Severity"
    });
    set_severity(&mut alert, &[severity, event.at("SeverityName")]);
    alert.title = event
        .at("Name")
        .text()
        .or_else(|| event.at("DetectName").text());
    alert.description = event
        .at("Description")
        .text()
        .or_else(|| event.at("DetectDescription").text());
    alert.tactics = tactics([event.at("Tactic")]);
    alert.techniques = techniques([event.at("Technique")]);
    read_device(&mut alert, event);
    alert.user.name = event.at("UserName").text();
    alert.user.domain = event.at("LogonDomain").text();
    // `ProcessId` is Falcon's own id of the process, not the operating system's.
    alert.process = Process {
        hashes: hashes(event, ["MD5String", "SHA1String", "SHA256String"]),
        ..process_of(event, ["FileName", "FilePath", "CommandLine"])
    };
    alert.parent = ancestor(event, "Parent");
    alert.grandparent = ancestor(event, "GrandParent");
    indicator(&mut alert, event.at("IOCType"), event.at("IOCValue"));
    alert.detection_source = event
        .at("Objective")
        .text()
        .or_else(|| event.at("PatternId").id());
    alert.disposition = event.at("PatternDispositionDescription").text();
    alert.link = event.at("FalconHostLink").link();
    Ok(alert)
}

/// The product that an event's type begins with.
fn product(event_type: Field<'_, '_>) -> Option<String> {
    let event_type = event_type.text()?;
    [("Epp", "epp"), ("Idp", "idp")]
        .into_iter()
        .find(|(prefix, _)| event_type.starts_with(prefix))
        .map(|(_, product)| product.to_owned())
}

fn read_device(alert: &mut Alert, event: Field<'_, '_>) {
    // As in an identity alert, the agent of an identity event may be the domain controller's.
    if alert.product.as_deref() != Some("idp") {
        alert.device.id = event
            .at("AgentId")
            .id()
            .or_else(|| event.at("SensorId").id());
    }
    alert.device.hostname = event
        .at("Hostname")
        .text()
        .or_else(|| event.at("ComputerName").text());
    alert.device.platform = platform(event.at("PlatformName"));
    alert.device.domain = event.at("MachineDomain").text();
    alert.device.ips = event.at("LocalIP").comma_separated();
}

/// An ancestor: `Parent.CommandLine`, or flat as `ParentCommandLine`.
fn ancestor(event: Field<'_, '_>, which: &str) -> Process {
    let details = event.at(which);
    if details.is_object() {
        return process_of(details, ["ImageFileName", "ImageFilePath", "CommandLine"]);
    }
    Process {
        image: event.at(&format!("{which}ImageFileName")).text(),
        path: event.at(&format!("{which}ImageFilePath")).text(),
        command_line: event.at(&format!("{which}CommandLine")).command_line(),
        ..Process::default()
    }
}
