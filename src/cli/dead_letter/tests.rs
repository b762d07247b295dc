use super::{
    super::{fake_server::FakeServer, out::tests::Paper},
    *,
};

fn letters() -> String {
    let letter = |number: u64, kept: bool| {
        json!({
            "number": number, "actor": "tenant/acme/machine", "tenant_id": "acme",
            "message": "vyrox_actors::messages::Receive", "digest": "00ff00ff00ff00ff",
            "generation": 3, "at": 1_700_000_000_000_u64, "panic": "index out of bounds\u{1b}[2J",
            "location": "actors/src/intake.rs:12:3", "kept": kept,
        })
    };
    json!({ "dead_letters": [letter(3, true), letter(4, false), letter(9, true)] }).to_string()
}

fn settled(line: &str) -> (u16, String) {
    if line.contains("/4") {
        let body = json!({"code": "dead_letter_not_kept", "title": "Dead letter not kept"});
        return (409, body.to_string());
    }
    let body =
        json!({"status": "redriven", "message": "a::Receive", "actor": "tenant/acme/machine"});
    (202, body.to_string())
}

fn asked(server: &FakeServer) -> Vec<String> {
    server.asked().into_iter().map(|asked| asked.line).collect()
}

#[tokio::test]
async fn the_list_shows_what_fell_over_what_and_where() {
    let server = FakeServer::new(|_| (200, letters()));
    let paper = Paper::default();
    let acme = "acme".parse().unwrap();
    list(&server.client(), Some(&acme), &mut paper.out(false))
        .await
        .unwrap();
    assert_eq!(asked(&server), ["GET /api/v1/dead-letters?tenant_id=acme"]);
    let text = paper.text();
    let row = text.lines().find(|line| line.starts_with("4 ")).unwrap();
    for cell in [
        "tenant/acme/machine",
        "  Receive  ",
        "  no  ",
        "intake.rs:12:3",
    ] {
        assert!(row.contains(cell), "{cell} in {row}");
    }
    assert!(
        !text.contains('\u{1b}'),
        "a panic's text drives no terminal"
    );
}

#[tokio::test]
async fn an_empty_list_says_so() {
    let server = FakeServer::new(|_| (200, json!({ "dead_letters": [] }).to_string()));
    let paper = Paper::default();
    list(&server.client(), None, &mut paper.out(false))
        .await
        .unwrap();
    assert!(
        paper.text().starts_with("no dead letters"),
        "{}",
        paper.text()
    );
}

#[tokio::test]
async fn all_means_all_that_were_kept() {
    let server = FakeServer::new(|asked| match asked.line.as_str() {
        "GET /api/v1/dead-letters" => (200, letters()),
        line => settled(line),
    });
    let paper = Paper::default();
    let args = RedriveArgs {
        numbers: Vec::new(),
        all: true,
        tenant: None,
    };
    redrive(&server.client(), args, &mut paper.out(true))
        .await
        .unwrap();
    let posts = [3, 9].map(|n| format!("POST /api/v1/dead-letters/{n}/redrive"));
    assert_eq!(asked(&server)[1..], posts);
    let printed: Value = serde_json::from_str(&paper.text()).unwrap();
    assert_eq!(printed["redriven"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn one_refusal_stops_no_other_and_is_the_end_of_it() {
    let server = FakeServer::new(|asked| settled(&asked.line));
    let paper = Paper::default();
    let client = server.client();
    let failure = settle_each(&client, Fate::Redriven, &[4, 3], &mut paper.out(false)).await;
    let failure = failure.unwrap_err();
    assert_eq!(failure.exit(), Exit::NotSo);
    assert!(
        failure.to_string().contains("dead_letter_not_kept"),
        "{failure}"
    );
    assert!(paper.text().contains("3  Receive of tenant/acme/machine"));

    let failure = settle_each(&client, Fate::Discarded, &[4, 44], &mut paper.out(false)).await;
    let failure = failure.unwrap_err().to_string();
    assert!(
        failure.contains("2 dead letters were not discarded"),
        "{failure}"
    );
}
