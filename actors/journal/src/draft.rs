//! An entry before it has a place: what the caller says, checked against the format's rules.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

/// Most attachments of one entry.
pub const MAX_ATTACHMENTS: usize = 4;

/// Longest actor, alert id, action type, host and approver, in bytes.
const MAX_TEXT: usize = 1024;

/// Deepest nesting of a payload.
pub(crate) const MAX_DEPTH: usize = 32;

/// Integers in the chain stay below 2^53, where every JSON reader agrees on them.
const INTEGER_LIMIT: u64 = 1 << 53;

/// An entry to append. The journal adds seq, links and hash.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The event's stable name: `a-z 0-9 _ .`, as in `alert.received`.
    pub event: Cow<'static, str>,
    /// The version of the payload's shape.
    pub event_version: u32,
    /// Who did it: `system`, `person:<id>`, `vendor:<name>` and so on.
    pub actor: String,
    /// When, in milliseconds of unix time, below 2^53.
    pub timestamp_ms: u64,
    /// The alert that the entry is about.
    pub alert_id: Option<String>,
    /// The action that the entry is about.
    pub action: Option<ActionFields>,
    /// An object of strings, booleans, nulls, integers between -2^53 and 2^53, lists and objects,
    /// all of whose keys match `[a-z0-9_]+`.
    pub payload: Value,
    /// Sealed evidence, opaque bytes, at most [`MAX_ATTACHMENTS`].
    pub attachments: Vec<Vec<u8>>,
}

/// The members that entries about an action carry at the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionFields {
    /// What kind of action.
    pub action_type: String,
    /// The host that it is aimed at.
    pub host: String,
    /// Who approved it, once somebody has.
    pub approved_by: Option<String>,
    /// Whether nothing is really done.
    pub dry_run: bool,
}

impl Draft {
    /// Checks every rule of the format but the size.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.event.len() > MAX_TEXT || !is_event(&self.event) {
            return Err(format!("event {:?}", self.event));
        }
        let action = self.action.as_ref();
        let texts = [
            ("actor", Some(&self.actor)),
            ("alert_id", self.alert_id.as_ref()),
            ("action_type", action.map(|action| &action.action_type)),
            ("host", action.map(|action| &action.host)),
            (
                "approved_by",
                action.and_then(|action| action.approved_by.as_ref()),
            ),
        ];
        for (name, text) in texts {
            if text.is_some_and(|text| text.is_empty() || text.len() > MAX_TEXT) {
                return Err(format!("{name} must have 1 to {MAX_TEXT} bytes"));
            }
        }
        if self.timestamp_ms >= INTEGER_LIMIT {
            return Err("timestamp_ms must be below 2^53".into());
        }
        if self.attachments.len() > MAX_ATTACHMENTS {
            return Err(format!("more than {MAX_ATTACHMENTS} attachments"));
        }
        match &self.payload {
            Value::Object(members) => check_object(members, MAX_DEPTH),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err("payload must be an object".into()),
        }
    }
}

/// Whether `name` can be a chain's, which is also its file's name.
pub(crate) fn is_chain_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-+.".contains(&byte);
    !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.bytes().all(allowed)
}

/// Checks an object by the rules every entry keeps: plain keys and small integers, all the way down.
pub(crate) fn check_object(members: &Map<String, Value>, depth: usize) -> Result<(), String> {
    for (key, value) in members {
        if !is_key(key) {
            return Err(format!("key {key:?} must match [a-z0-9_]+"));
        }
        check_value(value, depth)?;
    }
    Ok(())
}

fn check_value(value: &Value, depth: usize) -> Result<(), String> {
    let Some(deeper) = depth.checked_sub(1) else {
        return Err(format!("nested deeper than {MAX_DEPTH}"));
    };
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
        Value::Number(number) => check_number(number),
        Value::Array(items) => items.iter().try_for_each(|item| check_value(item, deeper)),
        Value::Object(members) => check_object(members, deeper),
    }
}

fn check_number(number: &Number) -> Result<(), String> {
    let magnitude = number
        .as_u64()
        .or_else(|| number.as_i64().map(i64::unsigned_abs));
    match magnitude {
        Some(magnitude) if magnitude < INTEGER_LIMIT => Ok(()),
        Some(_) => Err(format!("integer {number} is not below 2^53")),
        None => Err(format!("{number} is not an integer")),
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn is_event(name: &str) -> bool {
    name.split('.').all(is_key)
}
