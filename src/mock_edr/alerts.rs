//! Alerts in the vendors' full shapes: what their APIs answer with, and what a poll brings.

use serde_json::{Value, json};
use vyrox_domain::{digest::Digest, time::Timestamp, vendor::Vendor};

use super::world::Alert;
use crate::scenario::{Scenario, Sighting};

/// A sighting as that vendor's API tells it. `id` tells one from another.
pub(super) fn of_sighting(vendor: Vendor, seen: &Sighting, id: &str, now: Timestamp) -> Alert {
    let (id, body) = match vendor {
        Vendor::Crowdstrike => falcon(seen, id, now),
        Vendor::Sentinelone => threat(seen, id, now),
        Vendor::Defender | Vendor::Generic => defender(seen, id, now),
    };
    Alert {
        vendor,
        id,
        created: now,
        body,
    }
}

/// A threat that nobody has heard of: the one that an alert of `vyrox simulate` was about, which bears the
/// story's name in its id, or else one of which nothing is known but its id.
pub(super) fn new_threat(id: &str, now: Timestamp) -> Alert {
    match played(id) {
        Some(seen) => of_sighting(Vendor::Sentinelone, seen, id, now),
        None => unheard_of_threat(id, now),
    }
}

/// What was seen in the stage that an id like `mimikatz-0197-1` names.
fn played(id: &str) -> Option<&'static Sighting> {
    let (rest, stage) = id.rsplit_once('-')?;
    let stage: usize = stage.parse().ok()?;
    let is_its = |story: &&Scenario| {
        rest.strip_prefix(story.as_str())
            .is_some_and(|rest| rest.starts_with('-'))
    };
    let story = Scenario::ALL.iter().find(is_its)?;
    story.sightings().get(stage.checked_sub(1)?)
}

/// A threat of which nothing is known but its id.
fn unheard_of_threat(id: &str, now: Timestamp) -> Alert {
    Alert {
        vendor: Vendor::Sentinelone,
        id: id.to_owned(),
        created: now,
        body: json!({
            "id": id,
            "threatInfo": {
                "threatId": id,
                "createdAt": now.to_string(),
                "mitigationStatus": "not_mitigated",
            },
            "mitigationStatus": [],
        }),
    }
}

/// The agent's id in a threat.
pub(super) fn host_of_threat(threat: &Value) -> Option<&str> {
    threat.pointer("/agentRealtimeInfo/agentId")?.as_str()
}

/// Writes into a threat that `action` was asked for, over what stood there of the same action.
/// It is later than everything else that is written there, so that the order can be read.
pub(super) fn note_mitigation(threat: &mut Value, action: &str, status: &str, now: Timestamp) {
    let rows = threat.get("mitigationStatus").and_then(Value::as_array);
    let moments = rows.into_iter().flatten().filter_map(|row| {
        let moment = row.get("lastUpdate")?.as_str()?;
        Timestamp::from_rfc3339(moment)
    });
    let now = moments.max().map_or(now, |last| now.max(last.plus_ms(1)));
    let row = json!({
        "action": action,
        "status": status,
        "lastUpdate": now.to_string(),
        "mitigationStartedAt": now.to_string(),
        "mitigationEndedAt": now.to_string(),
        "groupNotFound": false,
        "agentSupportsReport": true,
        "actionsCounters": { "total": 1, "success": 1, "failed": 0, "pendingReboot": 0, "notFound": 0 },
    });
    if let Some(Value::Array(rows)) = threat.get_mut("mitigationStatus") {
        rows.retain(|row| row.get("action") != Some(&json!(action)));
        rows.push(row);
    }
    if status == "success"
        && let Some(Value::Object(info)) = threat.get_mut("threatInfo")
    {
        info.insert("mitigationStatus".to_owned(), json!("mitigated"));
    }
}

fn falcon(seen: &Sighting, id: &str, now: Timestamp) -> (String, Value) {
    let cid = "0123456789abcdef0123456789abcdef";
    let aid = seen.device_id(Vendor::Crowdstrike);
    let composite = format!("{cid}:ind:{aid}:{id}");
    let (domain, user) = seen.user.split_once('\\').unwrap_or(("", seen.user));
    let body = json!({
        "composite_id": composite,
        "id": format!("ind:{aid}:{id}"),
        "agent_id": aid,
        "aggregate_id": format!("aggind:{aid}:{id}"),
        "cid": cid,
        "created_timestamp": now.to_string(),
        "updated_timestamp": now.to_string(),
        "crawled_timestamp": now.to_string(),
        "timestamp": now.to_string(),
        "name": seen.title,
        "display_name": seen.title,
        "description": seen.title,
        "severity": seen.severity,
        "severity_name": severity_name(seen.severity),
        "confidence": 80,
        "status": "new",
        "tactic": seen.tactic,
        "technique": seen.technique,
        "technique_id": seen.technique,
        "product": "epp",
        "type": "ldt",
        "platform": "Windows",
        "cmdline": seen.command_line,
        "filename": seen.image,
        "filepath": seen.path,
        "sha256": image_hash(seen),
        "local_process_id": "4012",
        "process_id": "180388626432",
        "process_start_time": now.s().to_string(),
        "user_name": user,
        "logon_domain": domain,
        "parent_details": { "filename": seen.parent, "cmdline": seen.parent },
        "device": {
            "device_id": aid,
            "hostname": seen.host,
            "platform_name": "Windows",
            "local_ip": "192.0.2.10",
            "machine_domain": domain,
            "product_type_desc": "Workstation",
        },
        "mitre_attack": [{
            "tactic": seen.tactic,
            "technique": seen.technique,
            "technique_id": seen.technique,
        }],
        "pattern_disposition": 0,
        "pattern_disposition_description": "Detection, standard detection.",
    });
    (composite, body)
}

fn severity_name(severity: u8) -> &'static str {
    match severity {
        0..=19 => "Informational",
        20..=39 => "Low",
        40..=59 => "Medium",
        60..=79 => "High",
        _ => "Critical",
    }
}

fn threat(seen: &Sighting, id: &str, now: Timestamp) -> (String, Value) {
    let agent = seen.device_id(Vendor::Sentinelone);
    let domain = seen.user.split_once('\\').map_or("", |(domain, _)| domain);
    let confidence = if seen.severity >= 60 {
        "malicious"
    } else {
        "suspicious"
    };
    let sha256 = image_hash(seen);
    let sha1: String = sha256.chars().take(40).collect();
    let body = json!({
        "id": id,
        "agentDetectionInfo": {
            "accountId": "1000000000000000003",
            "siteId": "1000000000000000001",
            "agentDomain": domain,
            "agentOsName": "Windows 11 Pro",
            "agentIpV4": "192.0.2.10",
            "agentLastLoggedInUserName": seen.user,
        },
        "agentRealtimeInfo": {
            "agentId": agent,
            "agentComputerName": seen.host,
            "agentDomain": domain,
            "agentOsType": "windows",
            "agentMachineType": "desktop",
            "agentNetworkStatus": "connected",
            "agentIsActive": true,
        },
        "threatInfo": {
            "threatId": id,
            "threatName": seen.image,
            "classification": "Malware",
            "classificationSource": "Behavioral",
            "confidenceLevel": confidence,
            "analystVerdict": "undefined",
            "incidentStatus": "unresolved",
            "mitigationStatus": "not_mitigated",
            "detectionType": "dynamic",
            "filePath": seen.path,
            "maliciousProcessArguments": seen.command_line,
            "originatorProcess": seen.parent,
            "processUser": seen.user,
            "sha1": sha1,
            "sha256": sha256,
            "storyline": format!("STORY{id}"),
            "identifiedAt": now.to_string(),
            "createdAt": now.to_string(),
            "updatedAt": now.to_string(),
        },
        "indicators": [{ "category": "Mock", "description": seen.title, "tactics": tactics(seen) }],
        "mitigationStatus": [],
    });
    (id.to_owned(), body)
}

fn tactics(seen: &Sighting) -> Value {
    json!([{
        "name": seen.tactic,
        "source": "MITRE",
        "techniques": [{ "name": seen.technique, "link": "" }],
    }])
}

fn defender(seen: &Sighting, id: &str, now: Timestamp) -> (String, Value) {
    let alert_id = format!("da{id}");
    let (domain, user) = seen.user.split_once('\\').unwrap_or(("", seen.user));
    let folder = seen.path.rsplit_once('\\').map_or("", |(folder, _)| folder);
    let severity = match seen.severity {
        0..=19 => "Informational",
        20..=39 => "Low",
        40..=59 => "Medium",
        _ => "High",
    };
    let body = json!({
        "id": alert_id,
        "incidentId": 1,
        "severity": severity,
        "status": "New",
        "investigationState": "UnsupportedAlertType",
        "detectionSource": "WindowsDefenderAtp",
        "category": seen.tactic.replace(' ', ""),
        "title": seen.title,
        "description": seen.title,
        "alertCreationTime": now.to_string(),
        "firstEventTime": now.to_string(),
        "lastEventTime": now.to_string(),
        "lastUpdateTime": now.to_string(),
        "machineId": seen.device_id(Vendor::Defender),
        "computerDnsName": seen.host,
        "aadTenantId": "00000000-0000-4000-8000-000000000001",
        "mitreTechniques": [seen.technique],
        "relatedUser": { "userName": user, "domainName": domain },
        "comments": [],
        "evidence": [{
            "entityType": "Process",
            "evidenceCreationTime": now.to_string(),
            "sha1": image_hash(seen).chars().take(40).collect::<String>(),
            "sha256": image_hash(seen),
            "fileName": seen.image,
            "filePath": folder,
            "processId": 4012,
            "processCommandLine": seen.command_line,
            "parentProcessFileName": seen.parent,
            "accountName": user,
            "domainName": domain,
        }],
    });
    (alert_id, body)
}

fn image_hash(seen: &Sighting) -> String {
    Digest::of_parts(&[b"image", seen.path.as_bytes()]).to_hex()
}
