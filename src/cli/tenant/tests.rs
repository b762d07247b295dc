use serde_json::json;

use super::{
    super::{failure::Exit, fake_server::FakeServer, out::tests::Paper},
    *,
};

fn acme() -> TenantId {
    "acme".parse().unwrap()
}

fn asked_for(server: &FakeServer) -> (String, Value) {
    let asked = server.asked().pop().unwrap();
    (
        asked.line,
        serde_json::from_slice(&asked.body).unwrap_or_default(),
    )
}

#[tokio::test]
async fn adding_without_vendors_asks_for_all_of_them() {
    let server = FakeServer::new(|_| {
        let webhooks =
            json!([{"vendor": "generic", "auth": "bearer", "url": "u", "secret": "s3cret"}]);
        (
            201,
            json!({"tenant_id": "acme", "webhooks": webhooks}).to_string(),
        )
    });
    let args = AddArgs {
        tenant: acme(),
        vendors: Vec::new(),
        accounts: vec!["crowdstrike:0123".parse().unwrap()],
        secret_stdin: false,
    };
    let paper = Paper::default();
    add(&server.client(), args, &mut paper.out(true))
        .await
        .unwrap();
    let (line, body) = asked_for(&server);
    assert_eq!(line, "POST /onboard");
    assert_eq!(
        body["webhooks"].as_array().unwrap().len(),
        Vendor::ALL.len()
    );
    assert_eq!(
        body["webhooks"][0],
        json!({"vendor": "crowdstrike", "auth": "vyrox-hmac"})
    );
    assert_eq!(
        body["accounts"],
        json!([{"vendor": "crowdstrike", "id": "0123"}])
    );
    let printed: Value = serde_json::from_str(&paper.text()).unwrap();
    assert_eq!(
        printed.pointer("/webhooks/0/secret"),
        Some(&json!("s3cret"))
    );
}

#[tokio::test]
async fn a_tenant_that_is_there_already_is_a_no() {
    let server = FakeServer::new(|_| (409, json!({"code": "tenant_exists"}).to_string()));
    let args = AddArgs {
        tenant: acme(),
        vendors: Vec::new(),
        accounts: Vec::new(),
        secret_stdin: false,
    };
    let failure = add(&server.client(), args, &mut Paper::default().out(false))
        .await
        .unwrap_err();
    assert_eq!(failure.exit(), Exit::NotSo);
    assert!(failure.to_string().contains("tenant update"), "{failure}");
}

#[tokio::test]
async fn an_update_of_nothing_asks_nobody() {
    let server = FakeServer::new(|_| (200, "{}".into()));
    let args = UpdateArgs {
        tenant: acme(),
        vendors: Vec::new(),
        add_accounts: Vec::new(),
        remove_accounts: Vec::new(),
        llm: None,
        chat_admin_role: None,
        secret_stdin: false,
    };
    let failure = update(&server.client(), args, &mut Paper::default().out(false)).await;
    assert_eq!(failure.unwrap_err().exit(), Exit::Usage);
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn settings_are_sent_where_they_are_given() {
    let server = FakeServer::new(|_| (200, json!({"llm": true}).to_string()));
    let args = UpdateArgs {
        tenant: acme(),
        vendors: Vec::new(),
        add_accounts: Vec::new(),
        remove_accounts: Vec::new(),
        llm: Some(Switch::On),
        chat_admin_role: Some("none".into()),
        secret_stdin: false,
    };
    let paper = Paper::default();
    update(&server.client(), args, &mut paper.out(false))
        .await
        .unwrap();
    let (line, body) = asked_for(&server);
    assert_eq!(line, "PATCH /api/v1/tenants/acme");
    assert_eq!(body["llm"], true);
    assert_eq!(body["chat_admin_role"], "");
    assert!(paper.text().contains("llm       on"), "{}", paper.text());
}

#[tokio::test]
async fn a_tenants_only_webhook_need_not_be_named() {
    let server = FakeServer::new(|asked| {
        let hooks = if asked.line.starts_with("GET") {
            json!({"webhooks": [{"vendor": "sentinelone"}]})
        } else {
            json!({"tenant_id": "acme", "webhooks": []})
        };
        (200, hooks.to_string())
    });
    let args = RotateArgs {
        tenant: acme(),
        vendor: None,
        overlap: 60,
        secret_stdin: false,
    };
    rotate(&server.client(), args, &mut Paper::default().out(false))
        .await
        .unwrap();
    let (line, body) = asked_for(&server);
    assert_eq!(line, "POST /api/v1/tenants/acme/rotate-secret");
    assert_eq!(body, json!({"vendor": "sentinelone", "overlap_s": 60}));
}

#[tokio::test]
async fn one_of_several_webhooks_has_to_be_named() {
    let hooks = json!({"webhooks": [{"vendor": "sentinelone"}, {"vendor": "generic"}]});
    let server = FakeServer::new(move |_| (200, hooks.to_string()));
    let args = RotateArgs {
        tenant: acme(),
        vendor: None,
        overlap: 60,
        secret_stdin: false,
    };
    let failure = rotate(&server.client(), args, &mut Paper::default().out(false)).await;
    assert_eq!(failure.unwrap_err().exit(), Exit::Usage);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn tenants_are_listed_in_a_table() {
    let tenants = json!({"tenants": [
        {"tenant_id": "acme", "state": "serving", "created_at_ms": 1_768_473_000_000_u64,
         "webhooks": [{"vendor": "generic"}], "head": {"seq": 41, "hash": "ab"}},
    ]});
    let server = FakeServer::new(move |_| (200, tenants.to_string()));
    let paper = Paper::default();
    list(&server.client(), &mut paper.out(false)).await.unwrap();
    let expected = "\
TENANT  STATE    SEQ  SINCE                     WEBHOOKS
acme    serving  41   2026-01-15T10:30:00.000Z  generic
";
    assert_eq!(paper.text(), expected);
}
