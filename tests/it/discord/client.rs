//! Messages: they arrive once, in their place, within Discord's limits and in time.

use std::time::Duration;

use futures_util::future::join_all;
use vyrox_actors::outbound::{Chat as _, ChatError};

use super::{
    Fake, Outage, Rules,
    bench::{Bench, CHANNEL, ELSEWHERE, id, notice, run},
};

#[test]
fn a_notice_is_posted_once_and_edited_in_place() {
    run(async {
        let bench = Bench::new(Fake::start(), &[]);
        let first = bench
            .post("acme", CHANNEL, "nonce-1")
            .await
            .expect("posted");
        let again = bench
            .post("acme", CHANNEL, "nonce-1")
            .await
            .expect("posted");
        assert_eq!(first, again, "the same nonce is the same message");
        let mut changed = notice();
        changed.closed = Some("quiet".into());
        let edited = bench.bot.edit(&id("acme"), &first, &changed).await;
        assert_eq!(edited, Ok(()));
        let messages = bench.fake.messages(CHANNEL);
        let [message] = messages.as_slice() else {
            panic!("one message: {messages:?}");
        };
        assert_eq!(message.id, first.message_id);
        let [before] = message.before.as_slice() else {
            panic!("one edit: {message:?}");
        };
        assert_eq!(before["flags"], 4096, "posted without a sound");
        assert_eq!(
            before["embeds"][0]["title"],
            "CRITICAL · LSASS read by ＠everyone"
        );
        assert!(
            message.body.to_string().contains("closed: quiet"),
            "{message:?}"
        );
        assert_eq!(bench.fake.answered(200), 3);
    });
}

#[test]
fn a_message_whose_answer_was_lost_is_there_once() {
    run(async {
        let bench = Bench::new(Fake::start(), &[]);
        bench.fake.outage(Some(Outage::AnswerLost));
        let fake = bench.fake.clone();
        let mender = std::thread::spawn(move || {
            fake.wait_for("a lost answer", |asked| !asked.is_empty());
            fake.outage(None);
        });
        let posted = bench.post("acme", CHANNEL, "nonce-1").await;
        mender.join().expect("the outage ends");
        assert!(posted.is_ok(), "{posted:?}");
        assert_eq!(bench.fake.messages(CHANNEL).len(), 1);
        assert!(bench.fake.calls().len() > 1);
    });
}

#[test]
fn an_outage_of_any_kind_is_told_in_time_and_ends() {
    for outage in [Outage::Unavailable, Outage::Reset, Outage::Silent] {
        run(async {
            let quick = [("discord.give_up_ms", "700"), ("discord.attempt_ms", "200")];
            let bench = Bench::new(Fake::start(), &quick);
            bench.fake.outage(Some(outage));
            let posted = bench.post("acme", CHANNEL, "nonce-1").await;
            assert!(
                matches!(posted, Err(ChatError::Unavailable(_))),
                "{outage:?}: {posted:?}"
            );
            assert!(bench.fake.messages(CHANNEL).is_empty());
            bench.fake.outage(None);
            let posted = bench.post("acme", CHANNEL, "nonce-2").await;
            assert!(posted.is_ok(), "{outage:?}: {posted:?}");
        });
    }
}

#[test]
fn limits_are_kept_and_not_run_into() {
    run(async {
        let bench = Bench::new(Fake::start(), &[]);
        let posts = (0..24).map(|at| {
            let tenant = ["acme", "globex", "initech"][at % 3];
            let channel = [CHANNEL, ELSEWHERE][at % 2];
            let bench = &bench;
            async move { bench.post(tenant, channel, &format!("nonce-{at}")).await }
        });
        for posted in join_all(posts).await {
            assert!(posted.is_ok(), "{posted:?}");
        }
        assert_eq!(bench.fake.answered(200), 24);
        assert_eq!(bench.fake.answered(429), 0, "none was sent too early");
        assert_eq!(bench.bot.standing().refused_lately, 0);
    });
}

#[test]
fn an_order_to_slow_down_is_obeyed() {
    run(async {
        let rules = Rules {
            bucket: 1,
            ..Rules::default()
        };
        let bench = Bench::new(Fake::with(rules), &[]);
        // Another process with the same token has used the bucket up, which this bot can't know.
        let other = Bench::new(bench.fake.clone(), &[]);
        other
            .post("acme", CHANNEL, "nonce-0")
            .await
            .expect("posted");
        for nonce in ["nonce-1", "nonce-2", "nonce-3"] {
            let posted = bench.post("acme", CHANNEL, nonce).await;
            assert!(posted.is_ok(), "{posted:?}");
        }
        assert!(bench.fake.answered(429) <= 1, "{:?}", bench.fake.calls());
        assert_eq!(bench.fake.messages(CHANNEL).len(), 4);
    });
}

#[test]
fn a_tenant_that_floods_is_told_so_and_its_neighbour_is_served() {
    run(async {
        let settings = [
            ("discord.queue_per_tenant", "4"),
            ("discord.give_up_ms", "700"),
            ("discord.attempt_ms", "700"),
        ];
        let bench = Bench::new(Fake::start(), &settings);
        bench.fake.outage(Some(Outage::Silent));
        let tenant = id("flood");
        let flood = (0..40).map(|at| bench.bot.post(&tenant, CHANNEL, &notice(), &at.to_string()));
        let flood: Vec<_> = flood.collect();
        let calm = bench.bot.post(&id("calm"), ELSEWHERE, &notice(), "nonce-1");
        bench.fake.outage(None);
        let crowded = Err(ChatError::Unavailable(
            "too many messages wait already".into(),
        ));
        let ended = join_all(flood).await;
        assert_eq!(ended.iter().filter(|end| **end == crowded).count(), 36);
        assert!(calm.await.is_ok());
    });
}

#[test]
fn an_order_to_all_of_the_bot_is_obeyed_and_nothing_is_lost() {
    run(async {
        // Discord lets less through than it says, so the bot's own pace runs into it.
        let rules = Rules {
            per_s: 4,
            ..Rules::default()
        };
        let bench = Bench::new(Fake::with(rules), &[]);
        let posts = (0..12).map(|at| {
            let (bench, tenant) = (&bench, format!("tenant{at}"));
            async move {
                bench
                    .post(&tenant, &format!("417719834231439{at}"), "nonce")
                    .await
            }
        });
        for posted in join_all(posts).await {
            assert!(posted.is_ok(), "{posted:?}");
        }
        assert_eq!(bench.fake.answered(200), 12);
        let refused = bench.fake.answered(429);
        assert!(refused > 0, "the burst alone is more than Discord takes");
        assert_eq!(bench.bot.standing().refused_lately, refused);
    });
}

#[test]
fn a_flood_does_not_keep_a_neighbour_waiting() {
    run(async {
        // The bucket of the flooded channel lets five through and then has to wait for longer than a test
        // lasts: a neighbour that stood behind the others would never be served.
        let rules = Rules {
            window: Duration::from_mins(10),
            ..Rules::default()
        };
        let bench = Bench::new(Fake::with(rules), &[]);
        let (flood, calm) = (id("flood"), id("calm"));
        let flooding: Vec<_> = (0..200)
            .map(|at| {
                bench
                    .bot
                    .post(&flood, CHANNEL, &notice(), &format!("flood-{at}"))
            })
            .collect();
        let posted = bench.bot.post(&calm, ELSEWHERE, &notice(), "calm").await;
        assert!(posted.is_ok(), "{posted:?}");
        assert!(bench.fake.messages(CHANNEL).len() <= 5);
        assert!(bench.bot.standing().waiting >= 194);
        drop(flooding);
    });
}
