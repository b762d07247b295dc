use serde_json::{Value, json};

use super::{
    super::{Global, fake_server::FakeServer, out::tests::Paper},
    scenes::{crash_loop, healthy, stuck_thread, suspended_and_stalled},
    *,
};

fn args(line: &str) -> TopArgs {
    let line = format!("vyrox top {line}");
    let words = line.split_whitespace();
    match <super::super::Cli as clap::Parser>::try_parse_from(words)
        .unwrap()
        .command
    {
        super::super::Command::Top(args) => args,
        other => panic!("{other:?}"),
    }
}

/// What `vyrox top --once` prints about a tree, and what it asked for.
async fn printed(host: &Value, line: &str, json: bool) -> (String, Vec<String>) {
    printed_of(format!("{{ \"host\":{host}}}"), line, json).await
}

/// The same about a whole answer.
async fn printed_of(body: String, line: &str, json: bool) -> (String, Vec<String>) {
    let server = FakeServer::new(move |_| (200, body.clone()));
    let settings = Settings::new(Global {
        url: Some(server.client().base().to_owned()),
        token: Some("t0ken".into()),
        ..Global::default()
    });
    let paper = Paper::default();
    let mut out = paper.out(json);
    run(args(line), &settings, &mut out).await.unwrap();
    let asked = server.asked().into_iter().map(|asked| asked.line);
    (paper.text(), asked.collect())
}

/// The same tree without times: ages depend on the day on which a test runs.
fn undated(host: &Value) -> Value {
    let mut host = host.clone();
    let mut ahead = vec![&mut host];
    while let Some(node) = ahead.pop() {
        node["started_at"] = Value::Null;
        if node["last_crash"].is_object() {
            node["last_crash"]["at"] = Value::Null;
        }
        let children = node.get_mut("children").and_then(Value::as_array_mut);
        ahead.extend(children.into_iter().flatten());
    }
    host
}

#[tokio::test]
async fn once_prints_sums_and_the_tree() {
    let (text, asked) = printed(&undated(&crash_loop()), "--once", false).await;
    assert_eq!(asked, ["GET /health/actors"]);
    let expected = "\
actors 6  running 5  in trouble 1  backing off 1  suspended 0  stalled 0  restarts 6  queued 12
rejected 3  passive 0

  ACTOR                 STATE           QUEUE  MSG/S   WAIT  RST  GEN CRASH   UP MSGS  REJ DEAD LAST CRASH SAID
↓ ▾ host                running
      audit_writer      running        0/1024         180µs    0    1             12k    0    0
      registry          running        0/1024         180µs    0    1              42    0    0
↓   ▾ tenants           running
↓     ▾ tenant/acme     running
!         machine       backing off   12/1024         180µs    6    7             420    3    1 index out of bounds: the len is…
          triage_engine running        0/1024         180µs    0    1              77    0    0
      ▾ tenant/globex   running
          machine       running        0/1024         180µs    0    1             420    0    0
          triage_engine running        0/1024         180µs    0    1              77    0    0
";
    assert_eq!(text, expected);
}

#[tokio::test]
async fn once_tells_of_stuck_threads_and_dead_letters() {
    let (text, _) = printed_of(stuck_thread().to_string(), "--once", false).await;
    let beside: Vec<_> = text.lines().skip(2).take(3).collect();
    let stuck = "thread stuck for 3s: actix-rt|system:0|arbiter:2  \
                 in tenant/globex/machine, handling vyrox_actors::messages::Receive";
    let letters = "dead letters 2  `vyrox dead-letter list` shows them";
    assert_eq!(beside, [stuck, letters, ""], "{text}");
    let (text, _) = printed_of(stuck_thread().to_string(), "--once --filter acme", false).await;
    assert_eq!(text.lines().count(), 1, "matches alone: {text}");
}

#[tokio::test]
async fn once_with_a_state_prints_matches_alone() {
    let (text, _) = printed(&suspended_and_stalled(), "--once --state suspended", false).await;
    assert!(text.starts_with("! tenant/acme suspended"), "{text}");
    assert_eq!(text.lines().count(), 1);
    let (text, _) = printed(&healthy(), "--once --state suspended", false).await;
    assert_eq!(text, "");
}

#[tokio::test]
async fn once_can_be_sorted_and_filtered() {
    let (text, _) = printed(&healthy(), "--once --filter globex/m --sort queue", false).await;
    assert!(
        text.starts_with("  tenant/globex/machine running"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1);
}

#[tokio::test]
async fn json_is_passed_on_as_it_came() {
    let host = json!({ "zeta": 1, "id": "host", "alpha": [2.50] });
    let (text, asked) = printed(&host, "--once --json --state backing_off", true).await;
    assert_eq!(text, format!("{{ \"host\":{host}}}\n"));
    assert_eq!(asked, ["GET /health/actors?state=backing_off"]);
}

#[tokio::test]
async fn without_a_server_there_is_no_picture_to_begin_with() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let settings = Settings::new(Global {
        url: Some(address),
        token: Some("t0ken".into()),
        ..Global::default()
    });
    let mut out = Paper::default().out(false);
    let failure = run(args("--once"), &settings, &mut out).await.unwrap_err();
    assert_eq!(failure.exit(), super::super::failure::Exit::Unreachable);
    assert!(failure.way_on().unwrap().contains("vyrox serve"));
}

#[test]
fn intervals_have_limits() {
    assert_eq!(interval("0.2"), Ok(Duration::from_millis(200)));
    assert_eq!(interval("3600"), Ok(Duration::from_hours(1)));
    for bad in ["0.19", "3601", "-1", "NaN", "inf", "soon", ""] {
        assert!(interval(bad).is_err(), "{bad}");
    }
}

#[test]
fn states_are_the_servers_words() {
    for state in <State as clap::ValueEnum>::value_variants() {
        let word = state.as_str();
        assert_eq!(State::of(word), *state);
        let asked = args(&format!("--state {word}")).state;
        assert_eq!(asked, Some(*state));
    }
    assert_eq!(State::of("enchanted"), State::Other);
}
