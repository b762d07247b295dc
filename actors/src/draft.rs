//! The one place where the domain and the journal, which do not know each other, meet.

use vyrox_domain::entry::Entry;
use vyrox_journal::{ActionFields, Draft};

/// An entry of the domain as the journal takes it.
pub(crate) fn draft(entry: Entry, attachments: Vec<Vec<u8>>) -> Draft {
    Draft {
        event: entry.event.into(),
        event_version: entry.event_version,
        actor: entry.actor,
        timestamp_ms: entry.at.ms(),
        alert_id: entry.alert_id.map(|id| id.to_string()),
        action: entry.action.map(|top| ActionFields {
            action_type: top.action_type.to_string(),
            host: top.host,
            approved_by: top.approved_by,
            dry_run: top.dry_run,
        }),
        payload: entry.payload,
        attachments,
    }
}
