//! Members of the server's answers. One that is missing, or of another type than it should be, is shown as
//! nothing.

use serde_json::Value;

pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or_default()
}

pub(super) fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let items = value.get(name).and_then(Value::as_array);
    items.map_or(&[], Vec::as_slice)
}

/// The texts of a list.
pub(super) fn texts<'a>(value: &'a Value, name: &str) -> Vec<&'a str> {
    items(value, name)
        .iter()
        .filter_map(Value::as_str)
        .collect()
}
