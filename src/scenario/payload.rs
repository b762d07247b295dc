//! The same sighting in each vendor's words.

use serde_json::{Value, json};
use vyrox_domain::{digest::Digest, vendor::Vendor};

use super::{Occasion, Sighting};

/// The body that `vendor` posts about `seen`.
pub(super) fn payload(vendor: Vendor, seen: &Sighting, at: Occasion<'_>) -> Value {
    match vendor {
        Vendor::Crowdstrike => crowdstrike(seen, at),
        Vendor::Sentinelone => sentinelone(seen, at),
        Vendor::Defender => defender(seen, at),
        Vendor::Generic => generic(seen, at),
    }
}

/// The short form.
fn crowdstrike(seen: &Sighting, at: Occasion<'_>) -> Value {
    json!({
        "detect_id": format!("ldt:{}", at.id),
        "customer_id": at.tenant,
        "timestamp": at.now.s(),
        "severity": seen.severity,
        "description": seen.title,
        "tactic": seen.tactic,
        "technique": seen.technique,
        "sensor": { "hostname": seen.host, "agent_id": seen.device_id(Vendor::Crowdstrike) },
        "process": {
            "user_name": seen.user,
            "file_name": seen.image,
            "command_line": seen.command_line,
            "sha256": image_hash(seen),
        },
    })
}

/// The short form.
fn sentinelone(seen: &Sighting, at: Occasion<'_>) -> Value {
    json!({
        "id": at.id,
        "accountId": at.tenant,
        "createdAt": at.now.to_string(),
        "severity": severity_word(seen.severity).to_ascii_uppercase(),
        "mitreTactic": seen.tactic,
        "mitreTechnique": seen.technique,
        "agentRealtimeInfo": {
            "computerName": seen.host,
            "agentId": seen.device_id(Vendor::Sentinelone),
            "domain": domain_of(seen.user),
            "accountId": at.tenant,
        },
        "processName": seen.image,
        "fileFullName": seen.path,
        "commandLine": seen.command_line,
        "userName": seen.user,
        "fileContentHash": image_hash(seen),
    })
}

/// An alert object of Defender for Endpoint with its evidence, and our `tenant_id` beside it.
fn defender(seen: &Sighting, at: Occasion<'_>) -> Value {
    json!({
        "tenant_id": at.tenant,
        "id": format!("da{}", at.id),
        "severity": defender_severity(seen.severity),
        "status": "New",
        "detectionSource": "WindowsDefenderAtp",
        "category": seen.tactic.replace(' ', ""),
        "title": seen.title,
        "description": seen.title,
        "alertCreationTime": at.now.to_string(),
        "firstEventTime": at.now.to_string(),
        "machineId": seen.device_id(Vendor::Defender),
        "computerDnsName": seen.host,
        "mitreTechniques": [seen.technique],
        "relatedUser": { "userName": name_of(seen.user), "domainName": domain_of(seen.user) },
        "evidence": [{
            "entityType": "Process",
            "evidenceCreationTime": at.now.to_string(),
            "sha256": image_hash(seen),
            "fileName": seen.image,
            "filePath": folder_of(seen),
            "processCommandLine": seen.command_line,
            "parentProcessFileName": seen.parent,
            "accountName": name_of(seen.user),
            "domainName": domain_of(seen.user),
        }],
    })
}

/// Our own documented form.
fn generic(seen: &Sighting, at: Occasion<'_>) -> Value {
    json!({
        "tenant_id": at.tenant,
        "id": at.id,
        "created_at": at.now.to_string(),
        "severity": severity_word(seen.severity),
        "title": seen.title,
        "tactic": seen.tactic,
        "technique": seen.technique,
        "device": { "id": seen.device_id(Vendor::Generic), "hostname": seen.host, "platform": "windows" },
        "user": { "name": seen.user },
        "process": {
            "image": seen.image,
            "path": seen.path,
            "command_line": seen.command_line,
            "hashes": { "sha256": image_hash(seen) },
        },
        "parent": { "image": seen.parent },
    })
}

fn image_hash(seen: &Sighting) -> String {
    Digest::of_parts(&[b"image", seen.path.as_bytes()]).to_hex()
}

fn domain_of(user: &str) -> &str {
    user.split_once('\\').map_or("", |(domain, _)| domain)
}

fn name_of(user: &str) -> &str {
    user.split_once('\\').map_or(user, |(_, name)| name)
}

fn folder_of(seen: &Sighting) -> &str {
    seen.path.rsplit_once('\\').map_or("", |(folder, _)| folder)
}

fn severity_word(score: u8) -> &'static str {
    vyrox_domain::alert::Severity::from_score(score).as_str()
}

/// Defender knows nothing above `High`.
fn defender_severity(score: u8) -> &'static str {
    match score {
        0..=19 => "Informational",
        20..=39 => "Low",
        40..=59 => "Medium",
        _ => "High",
    }
}

#[cfg(test)]
mod tests {
    use vyrox_domain::time::Timestamp;

    use super::*;
    use crate::scenario::Scenario;

    fn told_by(vendor: Vendor) -> Value {
        let at = Occasion {
            id: "1",
            now: Timestamp::from_s(1_768_473_000),
            tenant: "acme",
        };
        payload(vendor, &Scenario::Mimikatz.sightings()[0], at)
    }

    #[test]
    fn each_vendor_names_the_tenant_where_the_edge_looks_for_it() {
        let account = [
            (Vendor::Crowdstrike, "/customer_id"),
            (Vendor::Sentinelone, "/accountId"),
            (Vendor::Defender, "/tenant_id"),
            (Vendor::Generic, "/tenant_id"),
        ];
        for (vendor, member) in account {
            assert_eq!(
                told_by(vendor).pointer(member),
                Some(&json!("acme")),
                "{vendor}"
            );
        }
    }

    #[test]
    fn each_vendor_carries_the_command_line_and_the_device() {
        let members = [
            (
                Vendor::Crowdstrike,
                "/process/command_line",
                "/sensor/agent_id",
            ),
            (
                Vendor::Sentinelone,
                "/commandLine",
                "/agentRealtimeInfo/agentId",
            ),
            (
                Vendor::Defender,
                "/evidence/0/processCommandLine",
                "/machineId",
            ),
            (Vendor::Generic, "/process/command_line", "/device/id"),
        ];
        for (vendor, command_line, device) in members {
            let body = told_by(vendor);
            let text = body.pointer(command_line).and_then(Value::as_str).unwrap();
            assert!(text.contains("sekurlsa"), "{vendor}");
            assert!(
                body.pointer(device).and_then(Value::as_str).is_some(),
                "{vendor}"
            );
        }
    }
}
