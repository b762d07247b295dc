//! Canonical JSON (RFC 8785) of what a draft may hold, written straight into the line.
//!
//! A checked draft has no fractions, no integers of 2^53 or more, and no keys but plain ASCII ones.
//! Within these bounds serde_json's own texts and integers are the canonical ones, and the order of
//! bytes is that of UTF-16 units; what is left of the standard is to sort the members.

use serde_json::{Map, Value};

pub(crate) mod reader;

/// Appends the canonical form of a payload that passed the draft's check.
pub(crate) fn write(value: &Value, out: &mut Vec<u8>) -> serde_json::Result<()> {
    match value {
        Value::Object(members) => write_object(members, out),
        Value::Array(items) => {
            let mut opening = b'[';
            for item in items {
                out.push(std::mem::replace(&mut opening, b','));
                write(item, out)?;
            }
            close(items.is_empty(), *b"[]", out);
            Ok(())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            serde_json::to_writer(out, value)
        }
    }
}

fn write_object(members: &Map<String, Value>, out: &mut Vec<u8>) -> serde_json::Result<()> {
    // Sorted already, unless some build of serde_json keeps the order in which they were added.
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    let mut opening = b'{';
    for (key, value) in sorted {
        out.push(std::mem::replace(&mut opening, b','));
        serde_json::to_writer(&mut *out, key)?;
        out.push(b':');
        write(value, out)?;
    }
    close(members.is_empty(), *b"{}", out);
    Ok(())
}

/// What is empty has not been opened yet.
fn close(empty: bool, [opening, closing]: [u8; 2], out: &mut Vec<u8>) {
    if empty {
        out.push(opening);
    }
    out.push(closing);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn empty_and_nested_values_are_canonical() {
        let value =
            json!({"z": [], "a": {}, "m": [[{"b": null, "a": true}], -7, "\u{1}\"\\/é\u{7f}"]});
        let mut out = Vec::new();
        write(&value, &mut out).unwrap();
        let expected = serde_json_canonicalizer::to_vec(&value).unwrap();
        assert_eq!(String::from_utf8(out), String::from_utf8(expected));
    }
}
