use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, json};

use super::*;
use crate::entry::chain_hash;

mod beside;
mod oracle;

fn text_of_a_value() -> impl Strategy<Value = String> {
    let corners = select(vec![
        "",
        "\"",
        "\\",
        "/",
        "\u{0}",
        "\u{8}",
        "\u{b}",
        "\t",
        "\n",
        "\u{1f}",
        " ",
        "\u{7f}",
        "é",
        "\u{2028}",
        "\u{d7ff}",
        "\u{e000}",
        "\u{ffff}",
        "\u{1f600}",
        "\",\"hash\":\"",
        "plain text that is longer than a word",
    ]);
    prop_oneof![
        proptest::collection::vec(corners, 0..4).prop_map(|parts| parts.concat()),
        proptest::collection::vec(any::<char>(), 0..12).prop_map(String::from_iter),
    ]
}

/// Most are plain; the others are those of which no member may be made.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => "[a-z0-9_]{1,4}",
        1 => select(vec!["", "A", "é", "a-b", "a b", "\u{0}"]).prop_map(str::to_owned),
    ]
}

fn number() -> impl Strategy<Value = Value> {
    const LIMIT: i64 = 1 << 53;
    prop_oneof![
        any::<i64>().prop_map(|number| json!(number % LIMIT)),
        select(vec![
            0,
            1,
            -1,
            LIMIT - 1,
            LIMIT,
            1 - LIMIT,
            -LIMIT,
            i64::MIN
        ])
        .prop_map(|number| json!(number)),
        select(vec![0.0, -0.0, 0.5, 1e21, 1e300]).prop_map(|number| json!(number)),
        Just(json!(u64::MAX)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        8 => text_of_a_value().prop_map(Value::String),
        4 => number(),
    ];
    scalar.prop_recursive(6, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((key(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// An entry's own members, some of which are missing, or are not what they must be.
fn entry() -> impl Strategy<Value = Map<String, Value>> {
    let own = select(vec![
        "hash",
        "previous_hash",
        "seq",
        "tenant_id",
        "actor",
        "zz",
    ]);
    let odd =
        proptest::collection::vec((own, prop_oneof![Just(None), value().prop_map(Some)]), 0..2);
    (value(), odd).prop_map(|(payload, odd)| {
        let plain = json!({
            "actor": "system", "event": "x.y", "hash": "00", "payload": payload,
            "previous_hash": "0".repeat(64), "seq": 0, "tenant_id": "acme", "timestamp": 1,
        });
        let mut members = plain.as_object().unwrap().clone();
        for (key, value) in odd {
            match value {
                Some(value) => members.insert(key.to_owned(), value),
                None => members.remove(key),
            };
        }
        members
    })
}

/// Pieces of JSON that are not canonical everywhere, or nowhere.
const PIECES: [&str; 26] = [
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    " ",
    "\t",
    "\r",
    "\n",
    "-",
    "-0",
    "0",
    "1",
    ".0",
    "e1",
    "\\u0041",
    "\\/",
    "\\u000A",
    "\\ud800",
    "null",
    "{}",
    "\"a\":1,",
    "\"hash\":\"\",",
];

/// A change of a few bytes, anywhere.
#[derive(Debug, Clone)]
enum Change {
    Flip(Index, u8),
    Insert(Index, &'static str),
    Replace(Index, &'static str),
    Remove(Index, usize),
    Double(Index, usize),
    CutOff(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let piece = || select(PIECES.to_vec());
    prop_oneof![
        (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, 1 << bit)),
        (any::<Index>(), piece()).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (any::<Index>(), piece()).prop_map(|(at, piece)| Change::Replace(at, piece)),
        (any::<Index>(), 1..8_usize).prop_map(|(at, len)| Change::Remove(at, len)),
        (any::<Index>(), 1..40_usize).prop_map(|(at, len)| Change::Double(at, len)),
        any::<Index>().prop_map(Change::CutOff),
    ]
}

fn changed(bytes: &mut Vec<u8>, change: &Change) {
    if bytes.is_empty() {
        return;
    }
    let until = |at: usize, len: usize| (at + len).min(bytes.len());
    match change {
        Change::Flip(at, mask) => {
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
        }
        Change::Insert(at, piece) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, piece.bytes());
        }
        Change::Replace(at, piece) => {
            let at = at.index(bytes.len());
            bytes.splice(at..until(at, piece.len()), piece.bytes());
        }
        Change::Remove(at, len) => {
            let at = at.index(bytes.len());
            bytes.drain(at..until(at, *len));
        }
        Change::Double(at, len) => {
            let at = at.index(bytes.len());
            let piece = bytes[at..until(at, *len)].to_vec();
            bytes.splice(at..at, piece);
        }
        Change::CutOff(at) => bytes.truncate(at.index(bytes.len())),
    }
}

/// A good chain with these payloads, by the general way.
fn chain(payloads: &[Value]) -> Vec<Vec<u8>> {
    let mut previous = GENESIS;
    let link = |(seq, payload): (usize, &Value)| {
        let mut entry = json!({
            "actor": "system", "event": "x.y", "payload": payload, "previous_hash": hex::encode(previous),
            "seq": seq, "tenant_id": "acme", "timestamp": 1,
        });
        let canonical = serde_json_canonicalizer::to_vec(&entry).unwrap();
        previous = chain_hash(hex::encode(previous).as_bytes(), &[&canonical]);
        entry["hash"] = hex::encode(previous).into();
        let mut line = serde_json_canonicalizer::to_vec(&entry).unwrap();
        line.push(b'\n');
        line
    };
    payloads.iter().enumerate().map(link).collect()
}

/// What may become of a whole file.
fn rearranged(lines: &mut Vec<Vec<u8>>, how: u8, at: Index) {
    let at = at.index(lines.len());
    match how {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => lines.swap(0, at),
        3 => lines.truncate(at),
        4 => lines.insert(at, b"\n".to_vec()),
        _ => {}
    }
}

fn reports_alike(text: &[u8]) -> Result<(), TestCaseError> {
    let expected = oracle::verify(text);
    prop_assert_eq!(
        verify_lines(text).unwrap(),
        expected,
        "{}",
        String::from_utf8_lossy(text)
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    /// One line: it is read if and only if the general way finds it canonical, and hashes as there.
    #[test]
    fn a_line_is_read_as_the_general_way_reads_it(
        entry in entry(), sorted in prop::bool::weighted(0.9), changes in proptest::collection::vec(change(), 0..3),
    ) {
        let mut line = if sorted {
            serde_json_canonicalizer::to_vec(&entry).unwrap()
        } else {
            serde_json::to_vec_pretty(&entry).unwrap()
        };
        for change in &changes {
            changed(&mut line, change);
        }
        let shown = String::from_utf8_lossy(&line).into_owned();
        let expected = oracle::canonical_object(&line);
        let read = EntryLine::read(&line);
        prop_assert_eq!(read.is_some(), expected.is_some(), "{}", shown);
        if let (Some(read), Some(mut expected)) = (read, expected) {
            expected.remove("hash");
            let rest = serde_json_canonicalizer::to_vec(&expected).unwrap();
            prop_assert_eq!(read.hash_after(b"00"), chain_hash(b"00", &[&rest]), "{}", shown);
        }
        line.push(b'\n');
        reports_alike(&line)?;
    }

    /// A whole chain, good or damaged: the same report, down to the hashes.
    #[test]
    fn a_chain_is_reported_as_the_general_way_reports_it(
        payloads in proptest::collection::vec(value(), 1..6), how in 0..10_u8, at in any::<Index>(),
        changes in proptest::collection::vec(change(), 0..2),
    ) {
        let mut lines = chain(&payloads);
        rearranged(&mut lines, how, at);
        let mut text = lines.concat();
        for change in &changes {
            changed(&mut text, change);
        }
        reports_alike(&text)?;
    }

    /// No bytes make it fall.
    #[test]
    fn any_bytes_are_reported_on(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        reports_alike(&text)?;
    }
}

#[test]
fn depth_ends_where_the_general_way_ends_it() {
    for depth in 60..70 {
        for (open, inner, close) in [
            ("[", "", "]"),
            ("[", "1", "]"),
            ("{\"a\":", "{}", "}"),
            ("{\"a\":", "1", "}"),
        ] {
            let value = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
            let line = format!("{{\"payload\":{value}}}");
            let expected = oracle::canonical_object(line.as_bytes()).is_some();
            assert_eq!(
                EntryLine::read(line.as_bytes()).is_some(),
                expected,
                "{line}"
            );
        }
    }
}

#[test]
fn each_good_entry_is_passed_once_and_in_order() {
    let lines = chain(&[json!({}), json!([1]), json!("x"), json!(null)]);
    let mut text = lines.concat();
    let mut passed = Vec::new();
    let report = verify_each(text.as_slice(), |entry| {
        assert_eq!(Some(entry.line), lines[passed.len()].strip_suffix(b"\n"));
        passed.push(entry.entry);
    });
    assert_eq!(report.unwrap().head, passed.last().copied());
    let seqs: Vec<u64> = passed.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, [0, 1, 2, 3]);
    let third = lines[0].len() + lines[1].len() + 1;
    text[third] ^= 1;
    let mut good = 0;
    let report = verify_each(text.as_slice(), |_| good += 1).unwrap();
    assert_eq!((good, report.divergent_seq), (2, Some(2)));
}
