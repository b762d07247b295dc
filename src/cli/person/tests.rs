use super::{
    super::{failure::Exit, fake_server::FakeServer, out::tests::Paper},
    *,
};

fn alice() -> PersonId {
    "alice".parse().unwrap()
}

fn shown() -> Value {
    json!({
        "person_id": "alice", "added_at_ms": 1_768_473_000_000_u64,
        "roles": {"acme": ["analyst", "approver"]},
        "links": [{"provider": "discord", "account_id": "42"}],
    })
}

fn asked(server: &FakeServer) -> Vec<(String, Value)> {
    let parsed = |body: &[u8]| serde_json::from_slice(body).unwrap_or_default();
    let asked = server.asked();
    asked
        .iter()
        .map(|one| (one.line.clone(), parsed(&one.body)))
        .collect()
}

#[tokio::test]
async fn a_person_is_added_and_then_granted() {
    let server = FakeServer::new(|_| (201, shown().to_string()));
    let args = AddArgs {
        person: alice(),
        tenants: vec!["acme".parse().unwrap(), "globex".parse().unwrap()],
        roles: vec![Role::Approver],
    };
    let paper = Paper::default();
    add(&server.client(), args, &mut paper.out(false))
        .await
        .unwrap();
    let roles = json!({ "roles": ["approver"] });
    assert_eq!(
        asked(&server),
        [
            ("POST /api/v1/people".into(), json!({"person_id": "alice"})),
            ("PUT /api/v1/people/alice/roles/acme".into(), roles.clone()),
            ("PUT /api/v1/people/alice/roles/globex".into(), roles),
        ]
    );
    let expected = "\
person    alice
since     2026-01-15T10:30:00.000Z
roles     acme:analyst,approver
account   discord:42
";
    assert_eq!(paper.text(), expected);
}

#[tokio::test]
async fn a_token_is_all_that_standard_output_gets() {
    let answer = json!({"token_id": "tok_1", "token": "vyp_0011", "expires_at_ms": 1});
    let server = FakeServer::new(move |_| (201, answer.to_string()));
    let args = TokenArgs {
        person: alice(),
        ttl: "30m".parse().unwrap(),
    };
    let paper = Paper::default();
    token(&server.client(), args, &mut paper.out(false))
        .await
        .unwrap();
    assert_eq!(paper.text(), "vyp_0011\n");
    let (line, body) = asked(&server).pop().unwrap();
    assert_eq!(line, "POST /api/v1/people/alice/tokens");
    assert_eq!(body, json!({ "ttl_s": 1800 }));
}

#[tokio::test]
async fn an_account_is_linked_and_unlinked() {
    let server = FakeServer::new(|_| (200, shown().to_string()));
    let args = || LinkArgs {
        person: alice(),
        discord: "42".into(),
    };
    let paper = Paper::default();
    let (client, mut out) = (server.client(), paper.out(true));
    link(&client, args(), &mut out).await.unwrap();
    unlink(&client, args(), &mut out).await.unwrap();
    remove(&client, &alice(), &mut out).await.unwrap();
    let lines: Vec<_> = asked(&server).into_iter().map(|(line, _)| line).collect();
    assert_eq!(
        lines,
        [
            "POST /api/v1/people/alice/links",
            "DELETE /api/v1/people/alice/links/discord/42",
            "DELETE /api/v1/people/alice"
        ]
    );
}

#[tokio::test]
async fn people_are_listed_in_a_table() {
    let server = FakeServer::new(|_| (200, json!({ "people": [shown()] }).to_string()));
    let paper = Paper::default();
    list(&server.client(), &mut paper.out(false)).await.unwrap();
    let expected = "\
PERSON  ROLES                  ACCOUNTS
alice   acme:analyst,approver  discord:42
";
    assert_eq!(paper.text(), expected);
}

#[tokio::test]
async fn a_refusal_is_told() {
    let body = json!({"code": "person_exists", "detail": "there is a person of that name already"});
    let server = FakeServer::new(move |_| (409, body.to_string()));
    let args = AddArgs {
        person: alice(),
        tenants: Vec::new(),
        roles: Vec::new(),
    };
    let failure = add(&server.client(), args, &mut Paper::default().out(false)).await;
    assert_eq!(failure.unwrap_err().exit(), Exit::NotSo);
}

#[test]
fn a_length_of_time_has_a_unit_or_is_in_seconds() {
    for (text, seconds) in [
        ("0", 0),
        ("90", 90),
        ("90s", 90),
        ("5m", 300),
        ("8h", 28_800),
    ] {
        assert_eq!(text.parse::<Ttl>().unwrap(), Ttl { seconds }, "{text}");
    }
    for text in [
        "",
        "h",
        "-1",
        "+1",
        "1.5h",
        "8 h",
        "8d",
        "99999999999999999999",
        "9999999999999999h",
    ] {
        assert!(text.parse::<Ttl>().is_err(), "{text}");
    }
}
