use serde_json::json;
use vyrox_domain::digest::Digest;

use super::{
    super::{Global, out::tests::Paper},
    copy::Receipt,
    *,
};

#[test]
fn an_existing_file_goes_before_a_tenant_of_that_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("acme");
    assert!(Target::new(&file).is_err());
    fs::write(&file, "").unwrap();
    assert_eq!(Target::new(&file).unwrap(), Target::File(file.clone()));
    let below = Target::new(&file.join("x")).unwrap_err();
    assert!(below.what().starts_with("cannot read"), "{below}");
    let directory = Target::new(dir.path()).unwrap_err();
    assert!(directory.what().ends_with("is a directory"), "{directory}");
    assert_eq!(
        Target::new(Path::new("no-such-file-here")).unwrap(),
        Target::Chain("no-such-file-here".parse().unwrap())
    );
}

/// Three good entries, as any writer of the documented format would make them.
fn chain() -> String {
    chain_by("system")
}

/// The same chain, in which entry 1 is said to be somebody else's doing.
fn chain_by(second: &str) -> String {
    let mut previous = "0".repeat(64);
    let mut lines = String::new();
    for seq in 0..3 {
        let entry = json!({
            "actor": if seq == 1 { second } else { "system" }, "event": "alert.received", "event_version": 1, "payload": {},
            "previous_hash": previous, "seq": seq, "tenant_id": "acme",
            "timestamp": 1_768_473_000, "timestamp_ms": 1_768_473_000_000_u64,
        });
        let entry = entry.to_string();
        previous = Digest::of(format!("{previous}|{entry}").as_bytes()).to_hex();
        let hash = format!("\"hash\":\"{previous}\",\"payload\"");
        lines = format!("{lines}{}\n", entry.replacen("\"payload\"", &hash, 1));
    }
    lines
}

fn hash_of(chain: &str, seq: usize) -> String {
    let line: Value = serde_json::from_str(chain.lines().nth(seq).unwrap()).unwrap();
    line["hash"].as_str().unwrap().to_owned()
}

async fn verified(contents: &str, json: bool) -> (Option<Exit>, String) {
    verified_beside(contents, &[], None, json).await
}

async fn verified_beside(
    contents: &str,
    receipts: &[String],
    mirror: Option<&str>,
    json: bool,
) -> (Option<Exit>, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("acme.jsonl");
    fs::write(&file, contents).unwrap();
    let other = dir.path().join("other.jsonl");
    fs::write(&other, mirror.unwrap_or_default()).unwrap();
    let beside = Beside {
        receipts: receipts.iter().map(|text| text.parse().unwrap()).collect(),
        mirror: mirror.map(|_| other),
        ..Beside::default()
    };
    let paper = Paper::default();
    let settings = Settings::new(Global::default());
    let ended = run(&[file], &beside, &settings, &mut paper.out(json)).await;
    (ended.err().map(|failure| failure.exit()), paper.text())
}

#[tokio::test]
async fn a_whole_file_is_verified_without_a_server() {
    let (exit, text) = verified(&chain(), false).await;
    assert_eq!(exit, None, "{text}");
    assert!(text.contains("3 entries"), "{text}");
    let (_, json) = verified(&chain(), true).await;
    let found: Verification = serde_json::from_str(&json).unwrap();
    assert!(found.ok);
    assert_eq!(
        (found.entries, found.head.map(|head| head.seq)),
        (Some(3), Some(2))
    );
}

#[tokio::test]
async fn a_changed_byte_is_found_and_its_seq_is_named() {
    let forged = chain().replacen(
        "\"seq\":1,\"tenant_id\":\"acme\",\"timestamp\":1768473000",
        "\"seq\":1,\"tenant_id\":\"acme\",\"timestamp\":1768473001",
        1,
    );
    let (exit, text) = verified(&forged, false).await;
    assert_eq!(exit, Some(Exit::NotSo));
    assert!(text.contains("first bad seq 1 (chain)"), "{text}");
    let (exit, json) = verified(&forged, true).await;
    assert_eq!(exit, Some(Exit::NotSo));
    assert!(json.contains("\"divergent_seq\":1"), "{json}");
}

#[tokio::test]
async fn a_half_line_is_found() {
    let whole = chain();
    let (exit, text) = verified(whole.trim_end(), false).await;
    assert_eq!(exit, Some(Exit::NotSo));
    assert!(text.contains("first bad seq 2 (half_line)"), "{text}");
}

#[tokio::test]
async fn an_empty_file_is_no_chain() {
    let (exit, text) = verified("", false).await;
    assert_eq!(exit, Some(Exit::NotSo));
    assert!(text.starts_with("NOT OK"), "{text}");
    assert!(
        text.ends_with(": there is not one entry in it (empty)\n"),
        "{text}"
    );
    let (exit, json) = verified("", true).await;
    assert_eq!(exit, Some(Exit::NotSo));
    let found: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["ok"], false);
    assert_eq!(found["kind"], "empty");
    assert_eq!(found["entries"], 0);
}

#[test]
fn the_first_bad_seq_is_named_with_both_hashes() {
    let found = Verification {
        kind: Some("chain".into()),
        divergent_seq: Some(7),
        expected_hash: Some("aa".into()),
        observed_hash: Some("bb".into()),
        ..Verification::default()
    };
    let paper = Paper::default();
    show("acme", &found, &mut paper.out(false)).unwrap();
    let expected = "\
NOT OK    acme: first bad seq 7 (chain)
expected  aa
observed  bb
";
    assert_eq!(paper.text(), expected);
}

#[test]
fn several_targets_are_told_apart() {
    let target = Target::Chain("acme".parse().unwrap());
    let answer = json!({"ok": true});
    assert_eq!(named(answer.clone(), &target, false), answer);
    assert_eq!(named(answer, &target, true)["target"], "acme");
}

#[tokio::test]
async fn a_receipt_is_found_again_or_names_the_forgery() {
    let (good, forged) = (chain(), chain_by("person:mallory"));
    let receipt = |seq| format!("{seq}:{}", hash_of(&good, seq));
    let (exit, text) = verified_beside(&good, &[receipt(2), receipt(0)], None, false).await;
    assert_eq!(exit, None, "{text}");
    let (exit, text) = verified_beside(&forged, &[receipt(0)], None, false).await;
    assert_eq!(exit, None, "nothing is known of what was forged: {text}");
    let (exit, text) = verified_beside(&forged, &[receipt(1)], None, false).await;
    assert_eq!(exit, Some(Exit::NotSo));
    assert!(
        text.contains("first bad seq from 0 to 1 (receipt)"),
        "{text}"
    );
    let (_, text) = verified_beside(&forged, &[receipt(2), receipt(0)], None, false).await;
    assert!(
        text.contains("first bad seq from 1 to 2 (receipt)"),
        "{text}"
    );
    let both = [receipt(0), receipt(1)];
    let (exit, text) = verified_beside(&forged, &both, None, false).await;
    assert_eq!(exit, Some(Exit::NotSo));
    assert!(text.contains("first bad seq 1 (receipt)"), "{text}");
    assert!(
        text.contains(&hash_of(&good, 1)) && text.contains(&hash_of(&forged, 1)),
        "{text}"
    );
    let (_, json) = verified_beside(&forged, &[receipt(1)], None, true).await;
    let found: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&found["divergent_seq"], &found["not_before_seq"]),
        (&json!(1), &json!(0)),
        "{json}"
    );
}

#[tokio::test]
async fn a_receipt_shows_that_the_end_was_cut_off() {
    let good = chain();
    let shorter: String = good.split_inclusive('\n').take(2).collect();
    let receipt = [format!("2:{}", hash_of(&good, 2))];
    for contents in [shorter.as_str(), ""] {
        let (exit, text) = verified_beside(contents, &receipt, None, false).await;
        assert_eq!(exit, Some(Exit::NotSo));
        let first_bad = format!("first bad seq {} (truncated)", contents.lines().count());
        assert!(text.contains(&first_bad), "{text}");
    }
}

#[tokio::test]
async fn a_mirror_names_the_place_where_the_copies_part() {
    let (good, forged) = (chain(), chain_by("person:mallory"));
    let shorter: String = good.split_inclusive('\n').take(2).collect();
    let (exit, text) = verified_beside(&good, &[], Some(&shorter), false).await;
    assert_eq!(exit, None, "an older copy agrees as far as it goes: {text}");
    assert!(
        text.contains("3 entries") && text.contains("other.jsonl: 2 entries"),
        "{text}"
    );
    for (file, mirror, expected) in [
        (&forged, &good, "first bad seq 1 (mirror)"),
        (&shorter, &good, "first bad seq 2 (truncated)"),
        (
            &good,
            &good.trim_end().to_owned(),
            "other.jsonl: first bad seq 2 (half_line)",
        ),
        (
            &good,
            &String::new(),
            "other.jsonl: there is not one entry in it (empty)",
        ),
    ] {
        let (exit, text) = verified_beside(file, &[], Some(mirror), false).await;
        assert_eq!(exit, Some(Exit::NotSo), "{text}");
        assert!(text.contains(expected), "{text}");
        let (exit, json) = verified_beside(file, &[], Some(mirror), true).await;
        let found: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(exit, Some(Exit::NotSo));
        assert!(found["mirror"]["ok"].is_boolean(), "{json}");
    }
}

/// A file that was gone once ended the whole run, so that the ones after it were never looked at.
#[tokio::test]
async fn one_that_cannot_be_read_keeps_the_others_from_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name);
    fs::write(file("good"), chain()).unwrap();
    fs::write(file("bad"), "x").unwrap();
    let settings = Settings::new(Global::default());
    for (names, exit) in [
        (vec!["good", "gone/x", "good"], Exit::Unreachable),
        (vec!["bad", "gone/x", "good"], Exit::NotSo),
        (vec!["gone/x", "bad", "good"], Exit::NotSo),
    ] {
        let names: Vec<_> = names.into_iter().map(file).collect();
        for json in [false, true] {
            let paper = Paper::default();
            let ended = run(&names, &Beside::default(), &settings, &mut paper.out(json)).await;
            assert_eq!(ended.unwrap_err(), Failure::said(exit));
            let text = paper.text();
            if json {
                let told: Vec<Value> = text
                    .lines()
                    .map(|line| serde_json::from_str(line).unwrap())
                    .collect();
                assert_eq!(told.len(), names.len(), "{text}");
                let gone = told
                    .iter()
                    .find(|told| told.get("error").is_some())
                    .unwrap();
                assert_eq!(gone["ok"], false);
                assert!(
                    gone["target"].as_str().unwrap().ends_with("gone/x"),
                    "{gone}"
                );
            } else {
                assert!(text.contains("NOT READ"), "{text}");
                assert!(text.contains("good: 3 entries"), "{text}");
            }
        }
    }
}

/// A key without anything that it could have signed once said nothing, and the file was `ok`.
#[tokio::test]
async fn a_key_without_what_it_signed_is_a_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("acme.jsonl");
    fs::write(&file, chain()).unwrap();
    let key = "w.example+7ee54fee+AQICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC".to_owned();
    let settings = Settings::new(Global::default());
    for beside in [
        Beside {
            vkeys: vec![key.clone()],
            ..Beside::default()
        },
        Beside {
            witness_vkeys: vec![key.clone()],
            ..Beside::default()
        },
        Beside {
            checkpoint: Some(file.clone()),
            vkeys: vec![key.clone()],
            witness_vkeys: vec![key],
            ..Beside::default()
        },
    ] {
        for name in [file.clone(), PathBuf::from("acme")] {
            let mut out = Paper::default().out(false);
            let ended = run(&[name], &beside, &settings, &mut out).await;
            assert_eq!(ended.unwrap_err().exit(), Exit::Usage, "{beside:?}");
        }
    }
}

#[tokio::test]
async fn what_is_held_beside_needs_one_file() {
    let beside = Beside {
        mirror: Some("other.jsonl".into()),
        ..Beside::default()
    };
    let settings = Settings::new(Global::default());
    let tenants = ["acme", "globex"].map(PathBuf::from);
    for targets in [&tenants[..], &tenants[..1]] {
        let paper = Paper::default();
        let ended = run(targets, &beside, &settings, &mut paper.out(false)).await;
        assert_eq!(ended.unwrap_err().exit(), Exit::Usage);
    }
}

#[test]
fn a_receipt_is_a_seq_and_a_whole_hash() {
    let hash = "0f".repeat(32);
    assert!(format!("17:{hash}").parse::<Receipt>().is_ok());
    for text in [
        "",
        "17",
        "17:",
        ":0f",
        "17:0f",
        &hash,
        &format!("-1:{hash}"),
        &format!("1:{hash}0f"),
    ] {
        assert!(text.parse::<Receipt>().is_err(), "{text:?}");
    }
}
