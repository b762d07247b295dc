use serde_json::Value;

use super::{
    super::{failure::Exit, fake_server::FakeServer, out::tests::Paper},
    *,
};

const SHIFT: &str = r#"{"differs":{"tenant_id":"acme","alert_id":"0198c5a0","seq":3,"host":"WS\u001b[2J1",
"before":{"verdict":"LOW","confidence_bp":7500,"band":"closed"},
"after":{"verdict":"HIGH","confidence_bp":9100,"band":"classified"},
"rules_gained":["site.word"],"rules_lost":["benign.backup"],
"proposal_before":[],"proposal_after":["HOST_ISOLATION"]}}"#;

const DONE: &str = r#"{"done":{"alerts":30,"unreadable":2,"undecided":0,"differs":3,"shifted":1,
"by_change":{"LOW->HIGH":3},"proposals_added":3,"proposals_removed":0,"chains_unread":0,"rules_sha256":"ab"}}"#;

const PROGRESS: &str =
    r#"{"progress":{"tenant":"acme","done":60,"of":60,"alerts":30,"chains_left":0}}"#;

fn answer(lines: &[&str]) -> String {
    let line = |one: &&str| one.replace('\n', "") + "\n";
    lines.iter().map(line).collect()
}

async fn shown(answer: String, json: bool, fail_on_diff: bool) -> (String, Result<(), Failure>) {
    let server = FakeServer::new(move |_| (200, answer.clone()));
    let client = server.client();
    let paper = Paper::default();
    let mut out = paper.out(json);
    let response = client
        .open_post(&["api", "v1", "backtest"], &json!({}))
        .await
        .unwrap();
    let mut report = Report::new(json);
    let followed = follow(&client, response, |line| report.take(line, &mut out)).await;
    let ended = followed.and_then(|()| report.end(fail_on_diff, &mut out));
    assert_eq!(server.asked()[0].line, "POST /api/v1/backtest");
    (paper.text(), ended)
}

#[tokio::test]
async fn differences_are_a_table_and_then_the_counts() {
    let (text, ended) = shown(answer(&[PROGRESS, SHIFT, DONE]), false, false).await;
    assert_eq!(ended, Ok(()));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("TENANT  ALERT"), "{text}");
    assert!(
        lines[1].ends_with("LOW     HIGH   -benign.backup +site.word  +HOST_ISOLATION"),
        "{text}"
    );
    assert_eq!(lines[2], "2 more differ; --limit-diffs lists more of them");
    assert_eq!(lines[4], "alerts    30, 2 without readable evidence");
    assert_eq!(
        lines[5],
        "differ    3, and 1 in reasons or confidence alone"
    );
    assert_eq!(lines[6], "               3  LOW->HIGH");
    assert_eq!(lines[7], "proposals 3 added, 0 removed");
    assert_eq!(lines[8], "rules     sha256 ab");
    assert!(!text.contains('\u{1b}'), "a host's name steers no terminal");
}

#[tokio::test]
async fn json_is_the_servers_lines_without_the_progress() {
    let (text, ended) = shown(answer(&[PROGRESS, SHIFT, DONE]), true, true).await;
    assert_eq!(
        ended.unwrap_err().exit(),
        Exit::NotSo,
        "it was asked to fail"
    );
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["differs"]["seq"], 3);
    assert_eq!(lines[1]["done"]["alerts"], 30);
}

#[tokio::test]
async fn an_answer_without_its_end_or_with_a_chain_unread_is_a_failure() {
    let (_, ended) = shown(answer(&[PROGRESS, SHIFT]), false, false).await;
    assert_eq!(ended.unwrap_err().exit(), Exit::Unreachable);
    let unread = r#"{"unread":{"tenant_id":"acme","reason":"chain acme is damaged at seq 3"}}"#;
    let (text, ended) = shown(answer(&[unread, DONE]), false, false).await;
    let failure = ended.unwrap_err();
    assert_eq!(failure.exit(), Exit::Unreachable);
    assert!(
        failure.to_string().contains("acme: chain acme is damaged"),
        "{failure}"
    );
    assert!(
        text.contains("alerts    30"),
        "what was found is told all the same"
    );
    let (_, ended) = shown("nonsense\n".into(), false, false).await;
    assert_eq!(ended.unwrap_err().exit(), Exit::Unreachable);
}

fn args(rules: &Path) -> BacktestArgs {
    BacktestArgs {
        rules: rules.to_owned(),
        replace: false,
        playbooks: None,
        tenant: None,
        since: "30d".parse().unwrap(),
        until: None,
        limit_diffs: 200,
        fail_on_diff: false,
    }
}

#[test]
fn everything_that_is_wrong_with_the_files_is_said_before_anybody_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let empty = request(&args(dir.path())).unwrap_err();
    assert_eq!(empty.exit(), Exit::NotSo);
    for name in ["one.yml", "two.yaml"] {
        std::fs::write(dir.path().join(name), "title: [unfinished").unwrap();
    }
    let broken = request(&args(dir.path())).unwrap_err();
    assert_eq!(broken.exit(), Exit::NotSo);
    for name in ["one.yml", "two.yaml"] {
        assert!(broken.to_string().contains(name), "{broken}");
    }
    let missing = request(&args(&dir.path().join("nowhere"))).unwrap_err();
    assert_eq!(missing.exit(), Exit::Unreachable);
}

#[test]
fn the_request_has_the_rules_and_the_span() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/rules");
    let mut args = args(&rules);
    args.replace = true;
    args.since = "2026-01-01T00:00:00Z".parse().unwrap();
    args.tenant = Some("acme".parse().unwrap());
    args.playbooks = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/playbooks"));
    let request = request(&args).unwrap();
    assert_eq!(request["since_ms"], 1_767_225_600_000_u64);
    assert_eq!(request["builtin"], false);
    assert_eq!(request["until_ms"], Value::Null);
    assert_eq!(request["tenant_id"], "acme");
    assert_eq!(
        request["rules"].as_array().unwrap().len(),
        builtin_sources().len()
    );
    assert!(
        request["playbooks"][0]["text"]
            .as_str()
            .unwrap()
            .contains("id =")
    );
}
