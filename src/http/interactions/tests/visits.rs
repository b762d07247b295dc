//! What people in chat can do, and what they are told.

use futures_util::{FutureExt as _, future::join_all};
use vyrox_domain::interaction::Order;

use super::{
    super::desk::{Away, Decided, Verb},
    *,
};

fn is_acmes(asked: &Asked) -> bool {
    let (tenant, who) = match asked {
        Asked::Decide(click) => (Some(&click.tenant), &click.who),
        Asked::Investigate(look) => (Some(&look.tenant), &look.who),
        Asked::Command(order) => (order.tenant.as_ref(), &order.who),
        other => panic!("{other:?}"),
    };
    who.user_id == "53908232506183680"
        && who.roles == ["290926798626357250"]
        && who.guild_id == "290926798626357999"
        && who.channel_id == "345626669114982999"
        && tenant.is_some_and(|tenant| tenant.as_str() == "acme")
}

#[actix_web::test]
async fn approving_is_one_click() {
    let (desk, mut asked) = Recording::open();
    let door = Data::new(door(&desk));
    let answer = told(&door, &pressed(1, &button("approve"))).await;
    assert_eq!(
        sentence(&answer),
        "Approved by alice. The message in the channel shows what comes of it."
    );
    let asked = asked.try_recv().expect("it was asked");
    assert!(is_acmes(&asked));
    let Asked::Decide(click) = asked else {
        panic!("{asked:?}");
    };
    assert_eq!(click.who.interaction_id, "1");
    assert_eq!(click.verb, Verb::Approve);
    assert_eq!(click.alert_id.to_string(), ALERT);
    assert_eq!(click.digest.as_deref(), Some(DIGEST));
    assert_eq!(click.message_id.as_deref(), Some(MESSAGE));
}

#[actix_web::test]
async fn denying_asks_why_first() {
    let (desk, mut asked) = Recording::open();
    let door = Data::new(door(&desk));
    let form = told(&door, &pressed(1, &button("deny"))).await;
    assert_eq!(form["type"], 9);
    let data = &form["data"];
    assert_eq!(data["custom_id"], button("deny"));
    assert!(data["title"].as_str().expect("a title").len() <= 45);
    let label = &data["components"][0];
    assert_eq!(label["type"], 18);
    assert!(label["label"].as_str().expect("a label").len() <= 45);
    assert!(label["description"].as_str().expect("text").len() <= 100);
    assert_eq!(label["component"]["type"], 4);
    assert_eq!(label["component"]["max_length"], 1024);
    assert!(asked.try_recv().is_err(), "nothing is decided yet");

    let in_rows = json!({ "custom_id": button("deny"), "components": [{ "type": 1, "components":
        [{ "type": 4, "custom_id": "reason", "value": "  a test box \n" }] }] });
    for body in [
        filled_in(2, &button("deny"), "  a test box \n"),
        done(3, 5, &in_rows),
    ] {
        let answer = told(&door, &body).await;
        assert_eq!(sentence(&answer), "Denied by alice. Nothing will be done.");
        let asked = asked.try_recv().expect("it was asked");
        assert!(is_acmes(&asked));
        let Asked::Decide(click) = asked else {
            panic!("{asked:?}");
        };
        let reason = "a test box".to_owned();
        assert_eq!(click.verb, Verb::Deny { reason });
        assert_eq!(click.digest.as_deref(), Some(DIGEST));
        assert_eq!(click.message_id.as_deref(), Some(MESSAGE));
    }
    let long = "é".repeat(1025);
    for (id, reason) in [(4, ""), (5, " \n\t "), (6, &long)] {
        let answer = told(&door, &filled_in(id, &button("deny"), reason)).await;
        assert!(sentence(&answer).contains("1 to 1024"), "{answer}");
    }
    let fits = told(&door, &filled_in(7, &button("deny"), &"é".repeat(1024))).await;
    assert!(sentence(&fits).starts_with("Denied"));
    // No form of ours has such a name, whoever signs it.
    let other = told(&door, &filled_in(8, &button("approve"), "yes")).await;
    assert!(sentence(&other).contains("does not know"));
    assert!(
        matches!(asked.try_recv(), Ok(Asked::Decide(_))),
        "the one that fits"
    );
    assert!(asked.try_recv().is_err());
}

#[actix_web::test]
async fn details_come_later_with_the_payload_as_a_file() {
    let (desk, mut asked) = Recording::open();
    let door = Data::new(door(&desk));
    let plain = format!("investigate_{ALERT}_acme");
    let answer = told(&door, &pressed(1, &plain)).await;
    assert_eq!(answer, json!({ "type": 5, "data": { "flags": 64 } }));
    let look = asked.recv().await.expect("it was asked");
    assert!(is_acmes(&look), "{look:?}");
    let Some(Asked::FollowUp {
        application_id,
        token,
        message,
        file,
    }) = asked.recv().await
    else {
        panic!("nothing followed");
    };
    assert_eq!(
        (application_id.as_str(), token.as_str()),
        (OWN, "unique_interaction_token")
    );
    assert_eq!(message["embeds"][0]["title"], "CRITICAL");
    assert_eq!(message["allowed_mentions"], json!({ "parse": [] }));
    assert_eq!(
        file,
        Some(("alert.json".to_owned(), b"{\"raw\":1}".to_vec()))
    );
}

#[actix_web::test]
async fn who_takes_longer_is_promised_an_answer_and_gets_it() {
    let (desk, mut asked) = Recording::open();
    let mut door = door(&desk);
    door.answer_within = Duration::ZERO;
    let door = Data::new(door);
    let decide = desk.hold();
    let answer = told(&door, &pressed(1, &button("approve"))).await;
    assert_eq!(answer, json!({ "type": 5, "data": { "flags": 64 } }));
    assert!(matches!(asked.recv().await, Some(Asked::Decide(_))));
    assert_eq!(door.admission.usage().in_flight, 1, "it is still in hand");
    assert!(
        door.all_told().now_or_never().is_none(),
        "one answer is owed"
    );
    decide.send(Decided::Expired).expect("somebody waits");
    door.all_told().await;
    let Some(Asked::FollowUp {
        message,
        file,
        token,
        ..
    }) = asked.recv().await
    else {
        panic!("nothing followed");
    };
    let text = message["content"].as_str().expect("a sentence");
    assert!(text.contains("has expired"), "{text}");
    assert_eq!((token.as_str(), file), ("unique_interaction_token", None));
    // Whoever presses again meanwhile presses another time: it is another interaction.
    assert!(asked.try_recv().is_err());
}

#[actix_web::test]
async fn a_desk_that_falls_is_no_silence() {
    let (desk, mut asked) = Recording::open();
    let door = Data::new(door(&desk));
    drop(desk.hold());
    let answer = told(&door, &pressed(1, &button("approve"))).await;
    assert!(sentence(&answer).contains("could not do this just now"));
    assert!(matches!(asked.try_recv(), Ok(Asked::Decide(_))));
}

#[actix_web::test]
async fn a_repeat_is_known_and_nobody_is_asked_twice() {
    let (desk, mut asked) = Recording::open();
    let door = Data::new(door(&desk));
    let body = pressed(1, &button("approve"));
    let first = told(&door, &body).await;
    assert!(sentence(&first).starts_with("Approved"));
    assert!(matches!(asked.try_recv(), Ok(Asked::Decide(_))));
    for again in [
        &body,
        &pressed(1, &button("investigate")),
        &ordered(1, &json!({ "type": 1, "name": "status" })),
    ] {
        let answer = told(&door, again).await;
        assert_eq!(sentence(&answer), "This was already handled.");
        let away = asked.try_recv();
        assert!(
            matches!(&away, Ok(Asked::Away(Away::Replayed, Some(tenant))) if tenant.as_str() == "acme"),
            "{away:?}"
        );
    }
    assert!(asked.try_recv().is_err());
}

#[actix_web::test]
async fn a_button_counts_in_its_own_tenants_guild_only() {
    let (desk, mut asked) = Recording::open();
    let door = Data::new(door(&desk));
    let mut elsewhere = pressed(1, &button("approve"));
    elsewhere["guild_id"] = json!("290926798626358000");
    let answer = told(&door, &elsewhere).await;
    assert!(sentence(&answer).contains("does not belong to the organisation"));
    let away = asked.try_recv();
    assert!(
        matches!(&away, Ok(Asked::Away(Away::WrongTenant, Some(tenant))) if tenant.as_str() == "globex"),
        "{away:?}"
    );
    let mut nobodys = pressed(2, &button("investigate"));
    nobodys["guild_id"] = json!("1");
    let answer = told(&door, &nobodys).await;
    assert!(sentence(&answer).contains("not linked"));
    assert!(matches!(
        asked.try_recv(),
        Ok(Asked::Away(Away::NotLinked, None))
    ));
    let mut direct = pressed(3, &button("approve"));
    direct
        .as_object_mut()
        .expect("an object")
        .remove("guild_id");
    let answer = told(&door, &direct).await;
    assert!(sentence(&answer).contains("servers only"));
    for (id, other) in [
        (4, "approve"),
        (5, "x"),
        (6, "approve_x_acme"),
        (7, &button("Approve")),
    ] {
        let answer = told(&door, &pressed(id, other)).await;
        assert!(sentence(&answer).contains("does not know"), "{other}");
    }
    let select = json!({ "component_type": 3, "custom_id": button("approve"), "values": [] });
    for body in [
        done(8, 3, &select),
        done(9, 4, &json!({})),
        done(10, 77, &json!({})),
    ] {
        let answer = told(&door, &body).await;
        assert!(sentence(&answer).contains("does not know"), "{body}");
    }
    assert!(
        asked.try_recv().is_err(),
        "nobody was asked to decide anything"
    );
}

#[actix_web::test]
async fn commands_reach_the_desk_and_claiming_takes_a_manager() {
    let (desk, mut asked) = Recording::open();
    let door = Data::new(door(&desk));
    let names = ["status", "alerts", "test-alert"];
    for (id, name) in (1..).zip(names) {
        let answer = told(&door, &ordered(id, &json!({ "type": 1, "name": name }))).await;
        assert_eq!(sentence(&answer), "serving");
        let asked = asked.try_recv().expect("it was asked");
        assert!(is_acmes(&asked), "{asked:?}");
    }
    let code = json!({ "type": 3, "name": "code", "value": "K7-QX2M" });
    let register = json!({ "type": 1, "name": "register", "options": [code] });
    let mut claim = ordered(4, &register);
    claim["guild_id"] = json!("1");
    let answer = told(&door, &claim).await;
    assert!(sentence(&answer).contains("manage this server"));
    assert!(matches!(
        asked.try_recv(),
        Ok(Asked::Away(Away::NotAManager, None))
    ));
    claim["id"] = json!("5");
    claim["member"]["permissions"] = json!("32");
    assert_eq!(sentence(&told(&door, &claim).await), "serving");
    let Ok(Asked::Command(command)) = asked.try_recv() else {
        panic!("it was not asked");
    };
    assert_eq!(command.tenant, None);
    let Order::Register { code, admin_role } = command.order else {
        panic!("another order");
    };
    assert_eq!((code.expose(), admin_role), (&b"K7-QX2M"[..], None));
    let mut status = ordered(6, &json!({ "type": 1, "name": "status" }));
    status["guild_id"] = json!("1");
    assert!(sentence(&told(&door, &status).await).contains("not linked"));
    assert!(matches!(
        asked.try_recv(),
        Ok(Asked::Away(Away::NotLinked, None))
    ));
    let answer = told(&door, &ordered(7, &json!({ "type": 1, "name": "approve" }))).await;
    assert!(sentence(&answer).contains("does not know"));
    assert!(asked.try_recv().is_err());
}

#[actix_web::test]
async fn one_account_that_never_stops_is_told_so_and_others_are_heard() {
    let (desk, _asked) = Recording::open();
    let door = Data::new(door_within(&desk, |limits| {
        (limits.chat_per_s, limits.chat_burst) = (1, 1);
    }));
    assert_eq!(told(&door, &pressed(0, &button("deny"))).await["type"], 9);
    let mut id = 0;
    let refusal = loop {
        id += 1;
        let answer = told(&door, &pressed(id, &button("deny"))).await;
        if answer["type"] != 9 {
            break answer;
        }
        assert!(id < 10_000, "nobody is that slow");
    };
    assert!(sentence(&refusal).contains("too much at once"), "{refusal}");
    let mut other = pressed(id + 1, &button("deny"));
    other["member"]["user"]["id"] = json!("53908232506183681");
    assert_eq!(told(&door, &other).await["type"], 9);
}

#[actix_web::test]
async fn of_many_repeats_at_once_one_is_heard() {
    let (desk, mut asked) = Recording::open();
    let door = Data::new(door(&desk));
    let body = pressed(1, &button("approve"));
    let answers = join_all((0..64).map(|_| told(&door, &body))).await;
    let approved = answers
        .iter()
        .filter(|answer| sentence(answer).starts_with("Approved"));
    assert_eq!(approved.count(), 1);
    let mut decided = 0;
    while let Ok(asked) = asked.try_recv() {
        decided += usize::from(matches!(asked, Asked::Decide(_)));
    }
    assert_eq!(decided, 1);
}

/// The service posts for every guild from the same few addresses. When a tenant's decisions hung, their
/// places counted for these addresses, and nobody else's button was heard any more.
#[actix_web::test]
async fn one_tenants_hung_decisions_leave_room_for_the_others() {
    let (desk, _asked) = Recording::open();
    let mut door = door_within(&desk, |limits| limits.in_flight_max = 8);
    door.answer_within = Duration::ZERO;
    let door = Data::new(door);
    let _hung: Vec<_> = (0..8).map(|_| desk.hold()).collect();
    let mut promised = 0;
    for id in 0..8 {
        let answer = told(&door, &pressed(id, &button("approve"))).await;
        if answer["type"] == 5 {
            promised += 1;
        } else {
            assert!(sentence(&answer).contains("could not do this"), "{answer}");
        }
    }
    assert!(
        (4..8).contains(&promised),
        "half of the room is for whoever comes: {promised}"
    );
    let mut other = pressed(100, &format!("approve_{ALERT}_globex"));
    other["guild_id"] = json!("290926798626358000");
    assert_eq!(told(&door, &other).await["type"], 5);
}
