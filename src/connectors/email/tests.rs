//! The connector against a mail server that is strict about its contract.

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;
use vyrox_domain::{
    action::{ActionType, OnExpiry},
    ids::{ActionId, AlertId, IncidentId},
    notice::{Notice, Proposal, Standing},
    triage::Verdict,
    vendor::Vendor,
};

use super::*;
use crate::config::Secret;

#[path = "../../../tests/it/fakes/smtp.rs"]
mod fake;

use fake::FakeSmtp;

fn mail(subject: &str, host: &str) -> Mail {
    let at = Timestamp::from_s(1_768_473_000);
    let proposal = Proposal {
        action_id: ActionId(Uuid::from_u128(3)),
        alert_id: AlertId(Uuid::from_u128(2)),
        action_type: ActionType::HostIsolation,
        target_urn: "urn:edr:crowdstrike:abc".into(),
        parameters: BTreeMap::from([("pid".to_owned(), "4711".to_owned())]),
        verdict: Verdict::Critical,
        host: Some(host.to_owned()),
        dry_run: true,
        protected: None,
        on_expiry: OnExpiry::Ask,
        hold_minutes: 60,
        digest: Digest::of(b"manifest"),
        expires_at: at,
        standing: Standing::Waiting {
            approved_by: vec![],
        },
        act: None,
    };
    Mail {
        thread_key: "incident-1/critical".into(),
        subject: subject.to_owned(),
        tenant: "acme".parse().unwrap(),
        notice: Notice {
            tenant_id: "acme".parse().unwrap(),
            incident_id: IncidentId(Uuid::from_u128(1)),
            revision: 1,
            level: Verdict::Critical,
            title: subject.to_owned(),
            vendor: Vendor::Crowdstrike,
            hosts: vec![host.to_owned()],
            host_count: 1,
            reasons: vec![".begins with a dot".into()],
            tactics: vec![],
            techniques: vec![],
            alerts: 1,
            folded: 0,
            linked_by: vec![],
            storm: false,
            opened_at: at,
            last_at: at,
            proposals: vec![proposal],
            closed: None,
            quietly: false,
            lead_alert: AlertId(Uuid::from_u128(2)),
        },
    }
}

fn config(port: u16) -> EmailConfig {
    EmailConfig {
        host: Some("127.0.0.1".into()),
        port,
        tls: MailTls::None,
        username: None,
        password: None,
        from: Some("vyrox@example.org".into()),
        to: Some("soc@example.org, night@example.org".into()),
    }
}

fn connector(config: &EmailConfig) -> Email {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    Email::new(config).unwrap().unwrap()
}

#[tokio::test]
async fn a_mail_arrives_once_with_what_is_needed_to_decide() {
    let fake = FakeSmtp::start().await;
    let email = connector(&config(fake.port));
    email.mail(&mail("CRITICAL: LSASS", "ws-1")).await.unwrap();
    let seen = fake.seen();
    assert_eq!(seen.faults, Vec::<String>::new());
    let [mail] = seen.mails.as_slice() else {
        panic!("{} mails", seen.mails.len());
    };
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    // Quoted-printable folds long lines; a reader's program unfolds them.
    let body = body.replace("=\r\n", "");
    let id = message_id("incident-1/critical", "example.org");
    let thread = message_id("incident-1", "example.org");
    for line in [
        "Subject: CRITICAL: LSASS",
        "From: Vyrox <vyrox@example.org>",
        "To: soc@example.org, night@example.org",
        &format!("Message-ID: {id}"),
        &format!("References: {thread}"),
        "Content-Type: text/plain; charset=utf-8",
    ] {
        assert!(head.lines().any(|one| one == line), "{line} in\n{head}");
    }
    let alert = Uuid::from_u128(2);
    let digest = Digest::of(b"manifest");
    let command = format!("To approve: vyrox approve {alert} --tenant acme --digest {digest}");
    assert!(body.contains(&command), "{body}");
    assert!(
        body.contains("\r\nWhy:        .begins with a dot\r\n"),
        "{body}"
    );
    assert!(!body.contains("http"), "nothing to click: {body}");
    let to: Vec<_> = seen
        .commands
        .iter()
        .filter(|one| one.starts_with("RCPT"))
        .collect();
    assert_eq!(
        to,
        ["RCPT TO:<soc@example.org>", "RCPT TO:<night@example.org>"]
    );
}

#[tokio::test]
async fn the_account_is_shown_and_a_wrong_one_refused() {
    let fake = FakeSmtp::start().await;
    // base64 of NUL vyrox NUL pass-phrase-1
    fake.seen().account = Some("AHZ5cm94AHBhc3MtcGhyYXNlLTE=".into());
    let mut config = config(fake.port);
    config.username = Some("vyrox".into());
    config.password = Some(Secret::new("pass-phrase-1".into()));
    connector(&config).mail(&mail("s", "h")).await.unwrap();
    config.password = Some(Secret::new("pass-phrase-2".into()));
    let refused = connector(&config).mail(&mail("s", "h")).await;
    let why = "the mail server refused the mail (535)".to_owned();
    assert_eq!(refused, Err(ReachError::Refused(why)));
    assert_eq!(fake.seen().mails.len(), 1);
    assert!(!format!("{config:?}").contains("pass-phrase"));
}

#[tokio::test]
async fn refusals_are_told_from_delays() {
    let fake = FakeSmtp::start().await;
    let email = connector(&config(fake.port));
    fake.seen().recipient_answer = Some("550 nobody here, you <b>fool</b>");
    let why = "the mail server refused the mail (550)".to_owned();
    assert_eq!(
        email.mail(&mail("s", "h")).await,
        Err(ReachError::Refused(why))
    );
    fake.seen().recipient_answer = Some("451 later");
    let why = "the mail server put the mail off (451)".to_owned();
    assert_eq!(
        email.mail(&mail("s", "h")).await,
        Err(ReachError::Unavailable(why))
    );
    fake.seen().recipient_answer = None;
    email.mail(&mail("s", "h")).await.unwrap();
    assert_eq!(fake.seen().mails.len(), 1);
}

/// A server, or somebody between, that does not offer TLS must not get anything to read.
#[tokio::test]
async fn without_tls_nothing_is_said() {
    let fake = FakeSmtp::start().await;
    let mut config = config(fake.port);
    config.tls = MailTls::Starttls;
    let result = connector(&config).mail(&mail("s", "h")).await;
    assert!(result.is_err(), "{result:?}");
    let seen = fake.seen();
    let said = |verb: &str| seen.commands.iter().any(|one| one.starts_with(verb));
    assert!(
        said("EHLO") && !said("MAIL") && !said("AUTH"),
        "{:?}",
        seen.commands
    );
}

#[tokio::test]
async fn hostile_names_add_no_header_and_no_recipient() {
    let fake = FakeSmtp::start().await;
    let hostile = "x\r\nBcc: thief@example.com\r\n\r\n.\r\nMAIL FROM:<a@b>\u{202e}\u{2028}\u{85}";
    let email = connector(&config(fake.port));
    email.mail(&mail(hostile, hostile)).await.unwrap();
    let seen = fake.seen();
    assert_eq!(
        (seen.mails.len(), seen.faults.len()),
        (1, 0),
        "{:?}",
        seen.faults
    );
    let (head, _) = seen.mails[0].split_once("\r\n\r\n").unwrap();
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
    assert_eq!(
        seen.commands
            .iter()
            .filter(|one| one.starts_with("MAIL"))
            .count(),
        1
    );
}

#[test]
fn settings_that_do_not_fit_are_named() {
    let with = |change: &dyn Fn(&mut EmailConfig)| {
        let mut config = config(25);
        change(&mut config);
        Email::new(&config).err().map(|fault| fault.key)
    };
    assert_eq!(with(&|_| {}), None);
    assert_eq!(
        with(&|c| c.host = Some("mail.example.org".into())),
        Some("email.tls")
    );
    assert_eq!(with(&|c| c.from = None), Some("email.from"));
    assert_eq!(with(&|c| c.to = None), Some("email.to"));
    assert_eq!(with(&|c| c.to = Some("soc".into())), Some("email.to"));
    assert_eq!(
        with(&|c| c.username = Some("a".into())),
        Some("email.password")
    );
    let secret = || Some(Secret::new("a".into()));
    assert_eq!(with(&|c| c.password = secret()), Some("email.username"));
    assert_eq!(with(&|c| c.host = None), None);
}

proptest! {
    /// Whatever stands in an alert, the head of a mail has our headers and no others, once each.
    #[test]
    fn the_head_is_ours_alone(subject in any::<String>(), host in any::<String>()) {
        let email = Email::new(&config(25)).expect("settings").expect("a connector");
        let message = email.message(&mail(&subject, &host), Timestamp::from_s(1)).expect("a mail");
        let text = String::from_utf8_lossy(&message.formatted()).into_owned();
        let (head, _) = text.split_once("\r\n\r\n").expect("a head");
        let mut names: Vec<_> = head
            .split("\r\n")
            .filter(|line| !line.starts_with([' ', '\t']))
            .map(|line| line.split(':').next().unwrap_or_default())
            .collect();
        names.sort_unstable();
        prop_assert_eq!(names, [
            "Content-Transfer-Encoding", "Content-Type", "Date", "From", "MIME-Version",
            "Message-ID", "References", "Subject", "To",
        ]);
        prop_assert!(!head.replace("\r\n", "").contains(['\r', '\n']));
    }
}
