use clap::Parser;

use super::{
    super::{Cli, Command, failure::Exit, fake_server::FakeServer, out::tests::Paper},
    *,
};

fn args(line: &str) -> SetArgs {
    let line = format!("vyrox secret set acme {line}");
    let Ok(Cli {
        command: Command::Secret(SecretCommand::Set(args)),
        ..
    }) = Cli::try_parse_from(line.split_whitespace())
    else {
        panic!("{line}");
    };
    args
}

const FALCON: &str = "crowdstrike --base-url https://api.eu-1.crowdstrike.com --client-id 0f3c";

#[tokio::test]
async fn a_credential_is_sent_and_not_shown() {
    let answer = json!({
        "tenant_id": "acme", "vendor": "crowdstrike", "secret_version": 3, "checked": true,
        "note": "eu-1",
    });
    let server = FakeServer::new(move |_| (200, answer.to_string()));
    let paper = Paper::default();
    let args = args(&format!("{FALCON} --overlap-hours 2"));
    let secret = SecretString::from("s3cret");
    set(
        &server.client(),
        &args,
        Some(&secret),
        &mut paper.out(false),
    )
    .await
    .unwrap();
    let expected = "\
sealed    crowdstrike of acme  version 3
accepted  eu-1
";
    assert_eq!(paper.text(), expected);
    let asked = server.asked().pop().unwrap();
    assert_eq!(asked.line, "PUT /api/v1/tenants/acme/edr/crowdstrike");
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    let expected = json!({
        "base_url": "https://api.eu-1.crowdstrike.com", "client_id": "0f3c", "secret": "s3cret",
        "unchecked": false, "overlap_h": 2,
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn one_that_nobody_checked_says_so() {
    let answer = json!({ "secret_version": 1, "checked": false, "note": null });
    let server = FakeServer::new(move |_| (200, answer.to_string()));
    let paper = Paper::default();
    let args = args(&format!("{FALCON} --unchecked"));
    let secret = SecretString::from("s3cret");
    set(
        &server.client(),
        &args,
        Some(&secret),
        &mut paper.out(false),
    )
    .await
    .unwrap();
    let expected = "\
sealed    crowdstrike of acme  version 1
unchecked nobody asked the EDR; do: vyrox vendor check acme crowdstrike
";
    assert_eq!(paper.text(), expected);
}

#[tokio::test]
async fn an_action_secret_that_was_made_is_shown_this_once() {
    let answer = json!({ "tenant_id": "acme", "secret": "00ff" });
    let server = FakeServer::new(move |_| (200, answer.to_string()));
    let paper = Paper::default();
    let args = args("action --generate");
    makes_sense(&args).unwrap();
    set(&server.client(), &args, None, &mut paper.out(false))
        .await
        .unwrap();
    let expected = "\
sealed    action of acme
secret    00ff
It is shown this once.
";
    assert_eq!(paper.text(), expected);
    let asked = server.asked().pop().unwrap();
    assert_eq!(asked.line, "PUT /api/v1/tenants/acme/action-secret");
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(body, json!({ "secret": null }));
}

#[tokio::test]
async fn what_is_in_force_is_listed_and_removed() {
    let listed = json!({
        "tenant_id": "acme",
        "edr": [
            { "vendor": "crowdstrike", "secret_version": 2, "key_id": "k", "since_ms": 1_768_473_000_000_u64,
              "host": "api.crowdstrike.com", "base_url": "https://api.crowdstrike.com", "opens": true,
              "checked": true, "previous_until_ms": 1_768_476_600_000_u64 },
            { "vendor": "sentinelone", "secret_version": 1, "key_id": "k", "since_ms": 1_768_473_000_000_u64,
              "host": "acme.sentinelone.net", "base_url": null, "opens": false, "checked": true,
              "previous_until_ms": null },
        ],
        "action_secret": { "secret_version": 1, "key_id": "k", "since_ms": 1_768_473_000_000_u64 },
    });
    let server = FakeServer::new(move |_| (200, listed.to_string()));
    let paper = Paper::default();
    let (client, mut out, acme) = (server.client(), paper.out(false), "acme".parse().unwrap());
    list(&client, &acme, &mut out).await.unwrap();
    remove(&client, &acme, What::Edr(Vendor::Defender), &mut out)
        .await
        .unwrap();
    remove(&client, &acme, What::Action, &mut out)
        .await
        .unwrap();
    let text = paper.text();
    let lines: Vec<_> = text.lines().collect();
    let expected = "crowdstrike  2        2026-01-15T10:30:00.000Z  api.crowdstrike.com   \
                    the one before until 2026-01-15T11:30:00.000Z";
    assert_eq!(lines[1], expected);
    assert!(
        lines[2].ends_with("acme.sentinelone.net  does not open: nothing is sent"),
        "{text}"
    );
    assert!(
        lines[3].starts_with("action       1        2026-01-15T10:30:00.000Z"),
        "{text}"
    );
    assert_eq!(
        lines[4..],
        ["removed   defender of acme", "removed   action of acme"]
    );
    let asked: Vec<_> = server.asked().into_iter().map(|asked| asked.line).collect();
    let expected = [
        "GET /api/v1/tenants/acme/edr",
        "DELETE /api/v1/tenants/acme/edr/defender",
        "DELETE /api/v1/tenants/acme/action-secret",
    ];
    assert_eq!(asked, expected);
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_read() {
    for line in [
        "crowdstrike",
        "crowdstrike --client-id x",
        "defender --base-url https://x --generate",
        "action --base-url https://x",
        "action --unchecked",
        "action --overlap-hours 1",
    ] {
        let failure = makes_sense(&args(line)).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage, "{line}");
    }
    for line in [
        FALCON,
        "action",
        "sentinelone --base-url https://x --realm 1",
    ] {
        makes_sense(&args(line)).unwrap();
    }
    assert!(
        "discord"
            .parse::<What>()
            .unwrap_err()
            .to_string()
            .contains("chat set-token")
    );
    assert!("generic".parse::<What>().is_err());
}

#[test]
fn every_documented_command_parses_and_no_other() {
    let parses = |line: &str| Cli::try_parse_from(format!("vyrox {line}").split(' ')).is_ok();
    for line in [
        "secret set acme crowdstrike --base-url https://x --client-id 0f --realm cid --unchecked",
        "secret set acme defender --base-url https://x --login-url https://y --overlap-hours 0",
        "secret set acme action --generate",
        "secret list acme --json",
        "secret remove acme action",
        "vendor check acme sentinelone",
        "halt --reason because",
        "halt acme --reason because",
        "halt --lift acme",
        "halt --lift --reason well",
        "halt --show --json",
    ] {
        assert!(parses(line), "{line}");
    }
    for line in [
        "secret set acme discord",
        "secret set acme generic --base-url https://x",
        "secret set acme crowdstrike s3cret",
        "secret remove acme",
        "vendor check acme",
        "vendor check acme nobody",
        "halt",
        "halt acme",
        "halt --show --lift",
        "halt --show acme",
    ] {
        assert!(!parses(line), "{line}");
    }
}
