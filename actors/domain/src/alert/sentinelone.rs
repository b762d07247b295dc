//! SentinelOne Singularity: the short form, threats v2.1 and activities (custom "STAR" rules among
//! them). A threat has no severity of its own; [`threat_severity`] derives one.

use super::{
    Alert, Connection, File, Hashes, MAX_TEXT_BYTES, Process, Severity,
    field::Field,
    parse::{Unreadable, read_list},
    words::{
        hashes, last_component, platform, push_connection, push_once, role, set_severity, tactics,
        techniques,
    },
};
use crate::vendor::Vendor;

pub(super) const LOOKED_FOR: &[&str] = &[
    "id",
    "threatInfo.threatId",
    "activityType with id or threatId",
    "data",
];

/// Kinds of software that annoy rather than attack.
const NUISANCES: [&str; 4] = ["pua", "adware", "potentially unwanted application", "joke"];

pub(super) fn read(payload: Field<'_, '_>) -> Result<Vec<Alert>, Unreadable> {
    if payload.is_list() {
        read_list(payload, read_one)
    } else if payload.at("data").is_list() {
        read_list(payload.at("data"), read_one)
    } else {
        read_one(payload).map(|alert| vec![alert])
    }
}

fn read_one(object: Field<'_, '_>) -> Result<Alert, Unreadable> {
    if object.at("threatInfo").is_object() {
        threat(object)
    } else if object.at("activityType").is_present() {
        activity(object)
    } else if object.at("id").is_present() {
        short(object)
    } else {
        Err(Unreadable::UnknownForm(Vendor::Sentinelone))
    }
}

fn bare(id: Option<String>) -> Result<Alert, Unreadable> {
    Ok(Alert::bare(
        Vendor::Sentinelone,
        id.ok_or(Unreadable::NoId)?,
    ))
}

fn short(object: Field<'_, '_>) -> Result<Alert, Unreadable> {
    let mut alert = bare(object.at("id").id())?;
    let agent = object.at("agentRealtimeInfo");
    alert.created_at = object.at("createdAt").time();
    set_severity(&mut alert, &[object.at("severity")]);
    alert.title = object
        .at("threatName")
        .text()
        .or_else(|| object.at("name").text());
    alert.description = object.at("description").text();
    alert.tactics = tactics([object.at("mitreTactic")]);
    alert.techniques = techniques([object.at("mitreTechnique")]);
    alert.device.id = agent.at("agentId").id();
    alert.device.hostname = agent
        .at("computerName")
        .text()
        .or_else(|| agent.at("agentComputerName").text());
    alert.device.domain = agent
        .at("domain")
        .text()
        .or_else(|| agent.at("agentDomain").text());
    alert.device.platform = platform(agent.at("agentOsType"));
    alert.user.name = object
        .at("processUser")
        .text()
        .or_else(|| object.at("userName").text());
    let path = object.at("fileFullName").text();
    alert.process.image = object
        .at("processName")
        .text()
        .or_else(|| object.at("fileName").text())
        .or_else(|| path.as_deref().and_then(last_component));
    alert.process.path = path;
    alert.process.command_line = object.at("commandLine").command_line();
    let hash = "fileContentHash";
    alert.process.hashes = hashes(object, [hash, hash, hash]);
    alert.threat_id = object.at("threatId").id();
    Ok(alert)
}

fn threat(object: Field<'_, '_>) -> Result<Alert, Unreadable> {
    let info = object.at("threatInfo");
    let threat_id = info.at("threatId").id();
    let mut alert = bare(object.at("id").id().or_else(|| threat_id.clone()))?;
    alert.threat_id = threat_id.or_else(|| Some(alert.vendor_alert_id.clone()));
    alert.created_at = info.at("createdAt").time();
    alert.first_seen_at = info.at("identifiedAt").time();
    (alert.severity, alert.severity_score) = threat_severity(info);
    alert.title = info.at("threatName").text();
    alert.description = threat_description(object);
    let told = || {
        object
            .at("indicators")
            .items()
            .flat_map(|told| told.at("tactics").items())
    };
    alert.tactics = tactics(told().map(|tactic| tactic.at("name")));
    alert.techniques = techniques(
        told()
            .flat_map(|tactic| tactic.at("techniques").items())
            .map(|found| found.at("name")),
    );
    threat_device(&mut alert, object);
    alert.user.name = info.at("processUser").text();
    threat_process(&mut alert, info);
    alert.detection_source = info
        .at("detectionEngines")
        .items()
        .find_map(|engine| engine.at("title").text())
        .or_else(|| info.at("engines").texts().into_iter().next())
        .or_else(|| info.at("classificationSource").text());
    alert.disposition = info.at("mitigationStatus").text();
    alert.vendor_verdict = info
        .at("analystVerdict")
        .text()
        .filter(|verdict| verdict != "undefined")
        .or_else(|| info.at("confidenceLevel").text());
    Ok(alert)
}

/// The severity of a threat: 70 where the vendor is sure (`malicious`), 50 where it suspects, else
/// 30; ransomware at least 90, nuisances at most 30; 10 less once mitigated. What somebody has called
/// a false positive or benign is informational.
fn threat_severity(info: Field<'_, '_>) -> (Severity, u8) {
    let word = |name: &str| info.at(name).word().unwrap_or_default();
    let mitigation = word("mitigationStatus");
    if word("analystVerdict") == "false_positive" || mitigation == "marked_as_benign" {
        return (Severity::Informational, Severity::Informational.middle());
    }
    let by_confidence: u8 = match word("confidenceLevel").as_str() {
        "malicious" => 70,
        "suspicious" => 50,
        _ => 30,
    };
    let kind = word("classification");
    let by_kind = if kind == "ransomware" {
        by_confidence.max(90)
    } else if NUISANCES.contains(&kind.as_str()) {
        by_confidence.min(30)
    } else {
        by_confidence
    };
    let score = if mitigation == "mitigated" {
        by_kind.saturating_sub(10)
    } else {
        by_kind
    };
    (Severity::from_score(score), score)
}

/// The classification, then what the indicators say, with `; ` between.
fn threat_description(object: Field<'_, '_>) -> Option<String> {
    let classification = object.at("threatInfo").at("classification").text();
    let told = object
        .at("indicators")
        .items()
        .filter_map(|told| told.at("description").text());
    let mut description = String::new();
    for part in classification.into_iter().chain(told) {
        if description.len().saturating_add(part.len()) > MAX_TEXT_BYTES - 2 {
            break;
        }
        if !description.is_empty() {
            description.push_str("; ");
        }
        description.push_str(&part);
    }
    (!description.is_empty()).then_some(description)
}

fn threat_device(alert: &mut Alert, object: Field<'_, '_>) {
    let now = object.at("agentRealtimeInfo");
    let then = object.at("agentDetectionInfo");
    alert.device.id = now.at("agentId").id();
    alert.device.hostname = now.at("agentComputerName").text();
    alert.device.platform =
        platform(now.at("agentOsType")).or_else(|| platform(then.at("agentOsName")));
    alert.device.role = role(now.at("agentMachineType"));
    alert.device.domain = now
        .at("agentDomain")
        .text()
        .or_else(|| then.at("agentDomain").text());
    let interfaces = now
        .at("networkInterfaces")
        .items()
        .flat_map(|interface| [interface.at("inet"), interface.at("inet6")])
        .flat_map(Field::texts);
    let addresses = then
        .at("agentIpV4")
        .comma_separated()
        .into_iter()
        .chain(then.at("externalIp").text())
        .chain(interfaces);
    addresses.for_each(|address| push_once(&mut alert.device.ips, address));
}

/// What was found at rest is a file; what was found running is a process. The originator is the one
/// that wrote it or started it.
fn threat_process(alert: &mut Alert, info: Field<'_, '_>) {
    let path = info.at("filePath").text();
    let image = path.as_deref().and_then(last_component);
    let digests = hashes(info, ["md5", "sha1", "sha256"]);
    let originator = info.at("originatorProcess").text();
    let command_line = info.at("maliciousProcessArguments").command_line();
    let at_rest = info.at("detectionType").word().as_deref() == Some("static");
    if at_rest && command_line.is_none() {
        alert.file = File {
            name: image,
            path,
            hashes: digests,
        };
        alert.process.image = originator;
    } else {
        alert.process = Process {
            image,
            path,
            command_line,
            pid: None,
            hashes: digests,
        };
        alert.parent.image = originator;
    }
}

/// An activity: what a custom rule found stands in `data`, under names in lower case; any other
/// activity counts as far as it names a threat or itself.
fn activity(object: Field<'_, '_>) -> Result<Alert, Unreadable> {
    let data = object.at("data");
    let threat_id = object.at("threatId").id();
    let id = data
        .at("alertid")
        .id()
        .or_else(|| threat_id.clone())
        .or_else(|| object.at("id").id());
    let mut alert = bare(id)?;
    alert.threat_id = threat_id;
    alert.created_at = object.at("createdAt").time();
    alert.first_seen_at = data.at("detectedat").time();
    set_severity(&mut alert, &[data.at("severity")]);
    alert.title = data
        .at("rulename")
        .text()
        .or_else(|| object.at("primaryDescription").text());
    alert.description = data
        .at("ruledescription")
        .text()
        .or_else(|| object.at("secondaryDescription").text());
    alert.device.id = object.at("agentId").id();
    alert.device.hostname = data
        .at("origagentname")
        .text()
        .or_else(|| data.at("computerName").text());
    alert.device.platform = platform(data.at("origagentosfamily"));
    alert.device.role = role(data.at("origagentmachinetype"));
    alert.user.name = data.at("sourceprocessusername").text();
    alert.process = star_process(data, "sourceprocess", "filepath");
    alert.parent = star_process(data, "sourceparentprocess", "path");
    let file_path = data.at("tgtfilepath").text();
    alert.file = File {
        name: file_path.as_deref().and_then(last_component),
        path: file_path,
        hashes: hashes(data, ["tgtfilemd5", "tgtfilesha1", "tgtfilesha256"]),
    };
    let connection = Connection {
        remote_ip: data.at("dstip").text(),
        remote_port: data.at("dstport").port(),
        remote_name: data.at("dnsrequest").text(),
        protocol: None,
    };
    push_connection(&mut alert.network, connection);
    alert.detection_source = data.at("ruleid").id();
    Ok(alert)
}

fn star_process(data: Field<'_, '_>, prefix: &str, path: &str) -> Process {
    let get = |name: &str| data.at(&format!("{prefix}{name}"));
    let path = get(path).text();
    Process {
        image: get("name")
            .text()
            .or_else(|| path.as_deref().and_then(last_component)),
        path,
        command_line: get("commandline").command_line(),
        pid: get("pid").pid(),
        hashes: Hashes {
            md5: get("md5").hash(32),
            sha1: get("sha1").hash(40),
            sha256: get("sha256").hash(64),
        },
    }
}
