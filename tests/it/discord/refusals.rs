//! What stops after a refusal, and what is never told.

use std::{
    fmt::Write as _,
    io,
    sync::{Arc, Mutex},
};

use serde_json::json;
use vyrox_actors::outbound::{Chat as _, ChatError};

use super::{
    Fake, Outage, TOKEN,
    bench::{ANSWER_TOKEN, Bench, CHANNEL, ELSEWHERE, id, interaction, notice, run},
};

#[test]
fn a_refused_token_is_shown_once_and_another_one_works_at_once() {
    run(async {
        let bench = Bench::new(Fake::start(), &[]);
        bench.fake.set_token("Qm90.reset.in-the-portal");
        let refused = Err(ChatError::NotAuthorised);
        for at in 0..50 {
            let tenant = format!("tenant{at}");
            assert_eq!(bench.post(&tenant, CHANNEL, "nonce-1").await, refused);
        }
        assert_eq!(bench.bot.application().await, Err(ChatError::NotAuthorised));
        assert_eq!(bench.fake.answered(401), 1);
        *bench.vault.lock().unwrap() = Some("Qm90.reset.in-the-portal".into());
        assert!(bench.post("acme", CHANNEL, "nonce-1").await.is_ok());
        *bench.vault.lock().unwrap() = None;
        assert_eq!(bench.post("acme", CHANNEL, "nonce-2").await, refused);
        assert_eq!(bench.fake.calls().len(), 2);
    });
}

#[test]
fn a_channel_that_is_closed_to_the_bot_is_asked_once_and_is_nobody_elses() {
    for (code, status) in [(50013, 403), (50001, 403)] {
        run(async {
            let bench = Bench::new(Fake::start(), &[]);
            bench.fake.close(CHANNEL, code);
            for _ in 0..10 {
                let posted = bench.post("acme", CHANNEL, "nonce-1").await;
                assert!(matches!(posted, Err(ChatError::Refused(_))), "{posted:?}");
            }
            assert_eq!(bench.fake.answered(status), 1);
            assert!(bench.post("globex", ELSEWHERE, "nonce-1").await.is_ok());
        });
    }
}

#[test]
fn what_is_gone_is_refused_and_said_in_words() {
    run(async {
        let bench = Bench::new(Fake::start(), &[]);
        let message = bench
            .post("acme", CHANNEL, "nonce-1")
            .await
            .expect("posted");
        bench.fake.delete(&message.message_id);
        let edited = bench.bot.edit(&id("acme"), &message, &notice()).await;
        let why = "there is no such message (404, code 10008)";
        assert_eq!(edited, Err(ChatError::Refused(why.into())));
        bench.fake.close(CHANNEL, 10003);
        let posted = bench.post("acme", CHANNEL, "nonce-2").await;
        let why = "there is no such channel (404, code 10003)";
        assert_eq!(posted, Err(ChatError::Refused(why.into())));
    });
}

#[test]
fn nothing_is_sent_to_what_is_no_id() {
    run(async {
        let bench = Bench::new(Fake::start(), &[]);
        for channel in ["", "../../users/@me", "1/2", "123456789012345678901", "١"] {
            let posted = bench.post("acme", channel, "nonce-1").await;
            assert!(
                matches!(posted, Err(ChatError::Refused(_))),
                "{channel}: {posted:?}"
            );
        }
        let long = "n".repeat(26);
        let posted = bench.post("acme", CHANNEL, &long).await;
        assert!(matches!(posted, Err(ChatError::Refused(_))), "{posted:?}");
        for token in ["", "..", "a/b", "a?b", "ü"] {
            let interaction = interaction(token);
            let answered = bench
                .bot
                .answer(&interaction, json!({"content": "x"}), None)
                .await;
            assert!(
                matches!(answered, Err(ChatError::Refused(_))),
                "{token}: {answered:?}"
            );
        }
        assert_eq!(bench.fake.calls(), []);
    });
}

/// Keeps everything that is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn no_token_is_in_any_log_error_or_debug_output() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let mut told = String::new();
    tracing::subscriber::with_default(subscriber, || {
        run(async {
            let quick = [("discord.give_up_ms", "500"), ("discord.attempt_ms", "200")];
            for outage in [
                None,
                Some(Outage::Unavailable),
                Some(Outage::Reset),
                Some(Outage::Silent),
            ] {
                let bench = Bench::new(Fake::start(), &quick);
                bench.fake.outage(outage);
                let answer = bench
                    .bot
                    .answer(&interaction(ANSWER_TOKEN), json!({"wrong": 1}), None)
                    .await;
                bench.fake.set_token("another");
                let posted = bench.post("acme", CHANNEL, "nonce-1").await;
                write!(
                    told,
                    "{answer:?} {posted:?} {:?} {:?}",
                    bench.bot,
                    interaction(ANSWER_TOKEN)
                )
                .unwrap();
            }
        });
    });
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).expect("text");
    assert!(logged.contains("refuses the bot's token"), "{logged}");
    assert!(
        told.contains("NotAuthorised") && told.contains("Unavailable"),
        "{told}"
    );
    for secret in [TOKEN, ANSWER_TOKEN] {
        assert!(!logged.contains(secret), "a token was logged: {logged}");
        assert!(!told.contains(secret), "a token was told: {told}");
    }
}
