//! For tests: what a vendor may answer that is not itself any more. A documented answer in which something is
//! different, anything put together of the words that are looked for, or any bytes at all.

use std::fmt;

use proptest::{collection::vec, prelude::*, sample::select};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use vyrox_actors::edr::{EdrError, Reading};

use super::{OBSERVED_MAX, REFERENCE_MAX, call::Answer};

/// It stands in much of what the vendor says, as a token would that it echoes.
const THEIRS: &str = "theirs/eyJ0b2tlbiI6Im91cnMifQ=";

/// Outside tests nobody prints an answer: it may hold a token.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(f, "{} {body}", self.status)
    }
}

/// A change of a document, at one of its nodes.
#[derive(Clone, Debug)]
enum Change {
    /// Something else stands there.
    Put(Value),
    /// One of its members is missing.
    Drop(usize),
    /// One of its elements stands there twice, or it is an element itself.
    Double(usize),
}

/// A body that `document` has become, or that was never any.
pub(super) fn bodies(
    document: Value,
    words: &'static [&'static str],
) -> impl Strategy<Value = Vec<u8>> {
    let changed = vec((any::<usize>(), change(words)), 0..4).prop_map(move |changes| {
        let mut document = document.clone();
        for (at, change) in changes {
            let mut left = at % nodes(&document);
            alter(&mut document, &mut left, &change);
        }
        document.to_string().into_bytes()
    });
    let composed = any_json(words).prop_map(|value| value.to_string().into_bytes());
    prop_oneof![
        6 => changed.clone(),
        2 => composed,
        1 => vec(any::<u8>(), 0..64),
        1 => (changed, any::<usize>()).prop_map(|(mut body, at)| {
            body.truncate(at % (body.len() + 1));
            body
        }),
    ]
}

/// An answer that comes as far as anybody looks at its body.
pub(super) fn answers(
    document: Value,
    words: &'static [&'static str],
    changes: bool,
) -> impl Strategy<Value = Answer> {
    let statuses = vec![
        200_u16, 200, 200, 201, 202, 204, 207, 400, 403, 404, 409, 422,
    ];
    (select(statuses), bodies(document, words)).prop_map(move |(status, body)| Answer {
        status,
        headers: HeaderMap::from_iter([(
            CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )]),
        body,
        changes,
        cut: false,
    })
}

/// The answer as any other reader of JSON has it; null where it is none, or where it is no success.
pub(super) fn plainly(answer: &Answer) -> Value {
    let value = serde_json::from_slice(&answer.body);
    value
        .ok()
        .filter(|_| answer.is_success())
        .unwrap_or_default()
}

/// The elements of a list.
pub(super) fn elements<'a>(object: &'a Value, member: &str) -> &'a [Value] {
    let list = object.get(member).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// Whether a member is that text, in whatever case.
pub(super) fn is(object: &Value, member: &str, text: &str) -> bool {
    let found = object.get(member).and_then(Value::as_str);
    found.is_some_and(|found| found.eq_ignore_ascii_case(text))
}

/// Nothing of the vendor's own words is told.
pub(super) fn is_ours(error: &EdrError) -> bool {
    let told = format!("{error} {error:?}");
    !told.contains("theirs") && !told.contains("eyJ0")
}

/// What is shown of the vendor's own words is a word.
pub(super) fn is_plain(reading: &Reading) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || "_. -?".contains(c);
    let name = |b: u8| b.is_ascii_alphanumeric() || b"_.:-".contains(&b);
    let known = reading.reference.as_deref().unwrap_or("none");
    reading.observed.len() <= OBSERVED_MAX
        && reading.observed.chars().all(word)
        && (1..=REFERENCE_MAX).contains(&known.len())
        && known.bytes().all(name)
}

fn leaf(words: &'static [&'static str]) -> impl Strategy<Value = Value> + Clone {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0_i64..600).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        select(words).prop_map(Value::from),
        Just(Value::from(THEIRS)),
        "\\PC{0,12}".prop_map(|text| Value::from(format!("theirs {text}"))),
    ]
}

fn any_json(words: &'static [&'static str]) -> impl Strategy<Value = Value> + Clone {
    leaf(words).prop_recursive(4, 24, 4, move |inner| {
        let members = vec((select(words), inner.clone()), 0..4);
        prop_oneof![
            vec(inner, 0..4).prop_map(Value::from),
            members.prop_map(|members| {
                let named = |(name, value): (&str, Value)| (name.to_owned(), value);
                Value::Object(members.into_iter().map(named).collect())
            }),
        ]
    })
}

fn change(words: &'static [&'static str]) -> impl Strategy<Value = Change> + Clone {
    prop_oneof![
        3 => leaf(words).prop_map(Change::Put),
        1 => any_json(words).prop_map(Change::Put),
        1 => any::<usize>().prop_map(Change::Drop),
        1 => any::<usize>().prop_map(Change::Double),
    ]
}

fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Array(all) => all.iter().map(nodes).sum(),
        Value::Object(all) => all.values().map(nodes).sum(),
        _ => 0_usize,
    }
}

/// Changes the node before which there are `left` others.
fn alter(value: &mut Value, left: &mut usize, change: &Change) -> bool {
    if *left == 0 {
        apply(value, change);
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(all) => all.iter_mut().any(|one| alter(one, left, change)),
        Value::Object(all) => all.values_mut().any(|one| alter(one, left, change)),
        _ => false,
    }
}

fn apply(value: &mut Value, change: &Change) {
    match (change, value) {
        (Change::Put(other), value) => *value = other.clone(),
        (Change::Drop(at), Value::Array(all)) if !all.is_empty() => {
            all.remove(at % all.len());
        }
        (Change::Drop(at), Value::Object(all)) if !all.is_empty() => {
            let name = all.keys().nth(at % all.len()).cloned();
            all.remove(&name.unwrap_or_default());
        }
        (Change::Double(at), Value::Array(all)) if !all.is_empty() => {
            all.push(all[at % all.len()].clone());
        }
        (Change::Drop(_), _) => {}
        (Change::Double(_), value) => *value = Value::from(vec![value.take()]),
    }
}
