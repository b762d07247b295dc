//! Answers to people, the commands they are given, and how strict the stand-in is.

use serde_json::json;
use vyrox::connectors::discord::{Attachment, render};
use vyrox_actors::outbound::ChatError;
use vyrox_domain::time::Timestamp;

use super::{
    Fake, Outage,
    bench::{ANSWER_TOKEN, Bench, CHANNEL, id, interaction, notice, run},
    rest::{APPLICATION, Asked},
};

#[test]
fn people_are_answered_with_the_interactions_token_alone() {
    run(async {
        let bench = Bench::new(Fake::start(), &[]);
        // The bot's own token is not needed for it.
        *bench.vault.lock().unwrap() = None;
        let raw = b"{\"raw\":\"payload\"}".to_vec();
        let file = Attachment::new("raw alert.json", raw.clone());
        let shown = render::message(&notice(), Timestamp::from_s(1_800_000_000));
        let mut detail = shown.clone();
        detail.as_object_mut().unwrap().remove("flags");
        let answer = bench
            .bot
            .answer(&interaction(ANSWER_TOKEN), detail, Some(file))
            .await;
        assert_eq!(answer, Ok(()));
        let more = bench
            .bot
            .follow_up(&interaction(ANSWER_TOKEN), render::plain("done"), None)
            .await;
        assert_eq!(more, Ok(()));
        let answers = bench.fake.answers();
        assert_eq!(answers[0].file, Some(("raw_alert.json".into(), raw)));
        assert_eq!(answers[0].body["embeds"], shown["embeds"]);
        let told: Vec<_> = answers
            .iter()
            .map(|said| (said.method.as_str(), said.token.as_str()))
            .collect();
        assert_eq!(told, [("PATCH", ANSWER_TOKEN), ("POST", ANSWER_TOKEN)]);
        assert_eq!(answers[1].body["content"], "done");
    });
}

#[test]
fn a_follow_up_that_may_have_arrived_is_not_sent_again() {
    run(async {
        let bench = Bench::new(Fake::start(), &[]);
        bench.fake.outage(Some(Outage::AnswerLost));
        let said = bench
            .bot
            .follow_up(&interaction(ANSWER_TOKEN), render::plain("done"), None)
            .await;
        assert!(matches!(said, Err(ChatError::Unavailable(_))), "{said:?}");
        assert_eq!(bench.fake.answers().len(), 1);
    });
}

#[test]
fn commands_are_registered_and_the_token_is_checked() {
    run(async {
        let bench = Bench::new(Fake::start(), &[]);
        let application = bench.bot.application().await.expect("an application");
        assert_eq!(
            (application.id.as_str(), application.name.as_str()),
            (APPLICATION, "Vyrox")
        );
        let registered = bench
            .bot
            .register_commands(&id("acme"), APPLICATION, "77")
            .await;
        assert_eq!(registered, Ok(()));
        let commands = bench.fake.commands("77").expect("commands");
        let options = commands[0]["options"].as_array().expect("subcommands");
        let names: Vec<_> = options.iter().map(|option| &option["name"]).collect();
        assert_eq!(names, ["status", "test-alert", "alerts"]);
        let offered = bench.bot.offer_registration(APPLICATION).await;
        assert_eq!(offered, Ok(()));
        let everywhere = bench.fake.commands("").expect("a command for all servers");
        let options = everywhere[0]["options"].as_array().expect("subcommands");
        assert_eq!(options.len(), 1);
        assert_eq!(options[0]["name"], "register");
        let said = bench
            .bot
            .say(&id("acme"), CHANNEL, "<@1> [x](https://y) hello", "nonce-1")
            .await;
        assert!(said.is_ok(), "{said:?}");
        let content = &bench.fake.messages(CHANNEL)[0].body["content"];
        assert_eq!(content, "‹＠1› \\[x\\]\\(https\\:\\/\\/y\\) hello");
    });
}

#[test]
fn the_stand_in_refuses_what_discord_would() {
    run(async {
        let bench = Bench::new(Fake::start(), &[]);
        let long = json!({"content": "x".repeat(2001)});
        let twice = json!({"components": [{"type": 1, "components": [
            {"type": 2, "style": 3, "label": "a", "custom_id": "same"},
            {"type": 2, "style": 4, "label": "b", "custom_id": "same"},
        ]}]});
        let unknown = json!({"content": "x", "nonce": "1"});
        for message in [long, twice, unknown] {
            let answered = bench
                .bot
                .answer(&interaction(ANSWER_TOKEN), message.clone(), None)
                .await;
            assert!(
                matches!(answered, Err(ChatError::Refused(_))),
                "{message}: {answered:?}"
            );
        }
        assert_eq!(bench.fake.answered(400), 3);
        assert_eq!(bench.fake.answers(), []);
        let line =
            format!("PATCH /api/v10/webhooks/{APPLICATION}/{ANSWER_TOKEN}/messages/@original");
        assert_eq!(bench.fake.calls()[0], Asked { line, status: 400 });
    });
}
