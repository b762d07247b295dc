//! An entry as its line in a chain.

use serde_json::{Value, json};
use vyrox_domain::entry::Entry;

/// The line of an entry as a journal would write it, less the hashes.
pub(crate) fn line(entry: &Entry, seq: u64, tenant_id: &str) -> Value {
    let mut line = json!({
        "seq": seq,
        "event": entry.event,
        "event_version": entry.event_version,
        "actor": entry.actor,
        "timestamp": entry.at.s(),
        "timestamp_ms": entry.at.ms(),
        "tenant_id": tenant_id,
        "payload": entry.payload,
    });
    let members = line.as_object_mut().expect("an object");
    if let Some(alert_id) = entry.alert_id {
        members.insert("alert_id".into(), json!(alert_id));
    }
    if let Some(action) = &entry.action {
        members.insert("action_type".into(), json!(action.action_type));
        members.insert("host".into(), json!(action.host));
        members.insert("dry_run".into(), json!(action.dry_run));
        if let Some(by) = &action.approved_by {
            members.insert("approved_by".into(), json!(by));
        }
    }
    line
}
