//! The JSON reader beside `serde_json`: where the latter reads a text, both read the same.

use proptest::prelude::*;
use vyrox_domain::json::{JsonError, Limits, Reader, Value};

const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    depth: 64,
    values: 1 << 16,
};

fn read(text: &str) -> Result<Value<'_>, JsonError> {
    Value::read(text.as_bytes(), LIMITS)
}

fn skip(text: &str) -> Result<(), JsonError> {
    let mut reader = Reader::new(text.as_bytes(), LIMITS)?;
    reader.skip()?;
    reader.end()
}

/// What `serde_json` would have made of it; `None` for numbers it has no room for.
fn as_serde(value: &Value<'_>) -> Option<serde_json::Value> {
    Some(match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(truth) => (*truth).into(),
        Value::Number(number) => serde_json::from_str(number).ok()?,
        Value::Text(text) => text.decoded().into(),
        Value::List(items) => items
            .iter()
            .map(as_serde)
            .collect::<Option<Vec<_>>>()?
            .into(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| Some((name.decoded().into_owned(), as_serde(value)?)))
            .collect::<Option<serde_json::Map<_, _>>>()?
            .into(),
    })
}

fn decoded(text: &str) -> String {
    match read(text).unwrap() {
        Value::Text(text) => text.decoded().into_owned(),
        other => panic!("a text, not {other:?}"),
    }
}

#[test]
fn escapes() {
    assert_eq!(
        decoded(r#""\"\\\/\b\f\n\r\t\u00e4\u0000""#),
        "\"\\/\u{8}\u{c}\n\r\tä\0"
    );
    assert_eq!(decoded(r#""\ud83d\ude00!""#), "😀!");
    assert_eq!(decoded(r#""\ud83d""#), "\u{fffd}");
    assert_eq!(decoded(r#""\ude00\ud83d""#), "\u{fffd}\u{fffd}");
    assert_eq!(decoded(r#""\ud83dx\ude00""#), "\u{fffd}x\u{fffd}");
    assert_eq!(decoded(r#""\ud83d\u0041""#), "\u{fffd}A");
    assert_eq!(decoded("\"raw\ttab and \0\""), "raw\ttab and \0");
    assert_eq!(
        decoded("\u{feff}\"after a byte order mark\""),
        "after a byte order mark"
    );
}

#[test]
fn numbers_of_any_size_are_kept_as_written() {
    for number in [
        "0",
        "-0",
        "1e999",
        "-1E-999",
        "0.10",
        "123456789012345678901234567890",
    ] {
        assert_eq!(read(number).unwrap(), Value::Number(number));
        assert_eq!(
            read(&format!(" [ {number} ] ")),
            Ok(Value::List(vec![Value::Number(number)]))
        );
    }
}

#[test]
fn what_is_not_json() {
    for text in [
        "",
        " ",
        "nul",
        "truer",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "0x1",
        "'a'",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "[",
        "[1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "]",
        "{",
        "{}}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "1 1",
        "[] []",
        "NaN",
    ] {
        assert!(matches!(read(text), Err(JsonError::Syntax(_))), "{text}");
        assert!(matches!(skip(text), Err(JsonError::Syntax(_))), "{text}");
    }
}

#[test]
fn limits_hold_exactly() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested(64)).is_ok());
    assert!(matches!(read(&nested(65)), Err(JsonError::TooDeep(_))));
    assert!(matches!(skip(&nested(65)), Err(JsonError::TooDeep(_))));
    assert!(matches!(
        read(&"[".repeat(100_000)),
        Err(JsonError::TooDeep(_))
    ));

    let limits = Limits {
        bytes: 9,
        depth: 1,
        values: 4,
    };
    assert!(Value::read(b"[1,2,3]", limits).is_ok());
    assert!(matches!(
        Value::read(b"[1,2,3,4]", limits),
        Err(JsonError::TooMany(_))
    ));
    assert_eq!(
        Value::read(b"[1,2,3  ] ", limits),
        Err(JsonError::TooLarge(9))
    );
    assert_eq!(Value::read(b"\"\xff\"", limits), Err(JsonError::NotUtf8(1)));
}

#[test]
fn the_last_of_two_members_counts_and_names_are_decoded() {
    let value = read(r#"{"a":1,"\u0061":2,"b":3}"#).unwrap();
    assert_eq!(value.get("a"), Some(&Value::Number("2")));
    assert_eq!(value.get("c"), None);
    assert_eq!(read("[1]").unwrap().get("a"), None);
}

#[test]
fn a_value_never_prints_its_content() {
    let value = read(r#"{"password":"hunter2"}"#).unwrap();
    assert_eq!(format!("{value:?}"), "object");
    let Some(Value::Text(text)) = value.get("password") else {
        panic!("a text")
    };
    assert_eq!(format!("{text:?}"), "text of 7 bytes");
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            proptest::collection::vec((any::<String>(), inner), 0..8).prop_map(|members| {
                members
                    .into_iter()
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_writes_reads_the_same(value in any_json(), pretty in any::<bool>()) {
        let text = if pretty {
            serde_json::to_string_pretty(&value).unwrap()
        } else {
            value.to_string()
        };
        let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(as_serde(&read(&text).unwrap()), Some(expected));
        prop_assert_eq!(skip(&text), Ok(()));
    }

    #[test]
    fn what_serde_reads_reads_the_same(text in r#"[\[\]{}:,"\\/ua0-9eE+.\-tfnrlsx ]{0,24}"#) {
        if let Ok(expected) = serde_json::from_str::<serde_json::Value>(&text) {
            prop_assert_eq!(as_serde(&read(&text).unwrap()), Some(expected));
        } else if let Ok(value) = read(&text) {
            // Ours to read alone: numbers without bounds and lone surrogates.
            let lone_surrogate = text.contains("\\u");
            prop_assert!(lone_surrogate || as_serde(&value).is_none(), "{}", text);
        }
    }

    #[test]
    fn skipping_and_reading_accept_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let read = Value::read(&bytes, LIMITS).map(drop);
        let skipped = Reader::new(&bytes, LIMITS).and_then(|mut reader| {
            reader.skip()?;
            reader.end()
        });
        prop_assert_eq!(read, skipped);
    }

    #[test]
    fn a_cut_text_is_the_longest_prefix_that_fits(text in any::<String>(), max in 0_usize..40) {
        let json = serde_json::Value::from(text.as_str()).to_string();
        let Value::Text(read) = read(&json).unwrap() else { panic!("a text") };
        let expected = &text[..text.floor_char_boundary(max)];
        prop_assert_eq!(read.decoded_up_to(max), expected);
        prop_assert!(read.is(&text));
        let longer = format!("{text}x");
        prop_assert!(!read.is(&longer));
    }
}
