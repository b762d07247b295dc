use super::*;

fn accepted(text: &str) -> bool {
    let mut reader = Reader::new(text.as_bytes(), 3);
    reader.value() == Some(text.as_bytes()) && reader.left() == 0
}

#[test]
fn only_the_canonical_form_is_read() {
    let canonical = [
        "null",
        "true",
        "false",
        "0",
        "-1",
        "9007199254740991",
        "-9007199254740991",
        r#""""#,
        r#""a/\u007f""#,
        r#""\"\\\b\f\n\r\t\u0000\u0007\u000b\u000e\u001f""#,
        "[]",
        "{}",
        r#"[1,"two",[3,[]]]"#,
        r#"{"0":1,"_":2,"a":3,"a_":{"a":[{}]}}"#,
    ];
    for text in canonical {
        let text = text.replace("\\u007f", "\u{7f}é\u{1f600}");
        assert!(accepted(&text), "{text}");
    }
}

#[test]
fn every_other_form_is_refused() {
    let others = [
        "",
        "nul",
        "nulls",
        "-",
        "-0",
        "01",
        "+1",
        "1.0",
        "1e2",
        "9007199254740992",
        "-9007199254740992",
        "99999999999999999999999999",
        "\"",
        "\"a",
        "\"\t\"",
        r#""\/""#,
        r#""\u0041""#,
        r#""\u0008""#,
        r#""\u0009""#,
        r#""\u000A""#,
        r#""\u000a""#,
        r#""\u001F""#,
        r#""\u00""#,
        r#""\x""#,
        "[",
        "[1",
        "[1,]",
        "[,1]",
        "[1 ]",
        "[1}",
        "[[[[1]]]]",
        "{",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":1]"#,
        r#"{"a": 1}"#,
        r#"{"b":1,"a":2}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"":1}"#,
        r#"{"A":1}"#,
        r#"{"a-b":1}"#,
        r#"{"\u0061":1}"#,
        r#"{"a":{"a":{"a":{"a":1}}}}"#,
    ];
    for text in others {
        assert!(!accepted(text), "{text}");
    }
}

#[test]
fn a_string_stops_at_every_place_of_a_word() {
    for length in 0..40 {
        for stop in (0..b' ').chain([b'"', b'\\']) {
            for behind in ["", "é", "\u{0}\"\\", "ordinary text that goes on"] {
                let mut text = "\u{e9}".repeat(length).into_bytes();
                text.push(stop);
                text.extend_from_slice(behind.as_bytes());
                let rest = from_stop(&text);
                assert_eq!(text.len() - rest.len(), 2 * length, "{stop} at {length}");
            }
        }
    }
    assert!(from_stop(b"nothing stops in this text !#[]^\x7f\x80\xff").is_empty());
}
