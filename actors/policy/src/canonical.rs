//! One text for every way of writing the same policies.

use std::fmt::Write as _;

use serde_json::Value;
use vyrox_domain::digest::Digest;

/// The digest of a schema and of policies that are sorted by id. Names of files, order, comments and
/// white space do not enter it; every annotation does.
pub(crate) fn digest<'a>(schema: &'a Value, policies: impl Iterator<Item = &'a Value>) -> Digest {
    let texts: Vec<String> = std::iter::once(schema).chain(policies).map(text).collect();
    let parts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    Digest::of_parts(&parts)
}

/// The value as text: like JSON, with sorted members, no white space, and lengths in place of escapes.
fn text(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (name, member) in members {
                write!(out, "{}:{name}", name.len()).ok();
                write(member, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write(item, out);
            }
            out.push(']');
        }
        Value::String(text) => {
            write!(out, "\"{}:{text}", text.len()).ok();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            write!(out, "{value};").ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_of_members_does_not_matter_and_everything_else_does() {
        let one: Value = serde_json::from_str(r#"{"a":1,"b":["x",true]}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"b":["x",true],"a":1}"#).unwrap();
        assert_eq!(text(&one), text(&other));
        let unlike = [
            json!({"a": 1, "b": ["x", false]}),
            json!({"a": 12, "b": ["x", true]}),
            json!({"a": 1, "b": ["x"]}),
            json!({"a": "1", "b": ["x", true]}),
            json!([["x", true], 1]),
        ];
        for value in unlike {
            assert_ne!(text(&one), text(&value), "{value}");
        }
        assert_ne!(text(&json!(["1", "2"])), text(&json!(["1\"1:2"])));
    }
}
