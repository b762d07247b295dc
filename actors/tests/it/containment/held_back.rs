//! What is not begun, not tried again, and not called for.

use super::*;

/// What had failed was tried again an hour later, was withheld for what was signed, and again, and nobody said why.
#[test]
fn after_its_approval_an_action_has_to_be_proposed_anew() {
    housed(LIVE, async |house| {
        house.cloud.lock().answers.push_back(Answers::Refuses);
        approved(house).await;
        until_entry(house, "action.refused", 1).await;
        let (id, _) = only(house).await;
        house.pass(Duration::from_mins(16), 5 * STEP).await;
        let StepAnswer::NotNow(why) = house.redrive(id).await else {
            panic!("it is not tried again");
        };
        assert!(why.contains("proposes it again"), "{why}");
        assert!(house.entries("manifest.rejected").is_empty());
        assert_eq!(only(house).await.1.outcome(), Some(OutcomeKind::Refused));
    });
}

/// With one signed request after another to give back what nobody had contained, people were paged for each.
#[test]
fn nobody_is_called_for_what_was_none_of_ours() {
    housed(LIVE, async |house| {
        {
            let mut sky = house.cloud.lock();
            sky.hosts.insert(HOST.to_owned(), EffectSeen::InEffect);
            sky.answers.push_back(Answers::Refuses);
        }
        let claim = ClaimMade {
            request_id: "r-1".into(),
            rollback: true,
            body_sha256: Digest::of(b"body"),
        };
        let answer = house.request(claim, HOST).await;
        until_entry(house, "action.refused", 1).await;
        house.quiet().await;
        let refused = ExecuteAnswer::Done {
            outcome: OutcomeKind::Refused,
            rehearsal: false,
        };
        assert_eq!(answer.await.expect("an answer"), Ok(refused));
        assert_eq!(called(house), Vec::<String>::new());
    });
}

#[test]
fn nothing_begins_while_containment_is_halted() {
    housed(LIVE, async |house| {
        house.with_credential(true);
        approved(house).await;
        until_entry(house, "action.withheld", 1).await;
        // Whoever approved it has gone home believing that it is done.
        until_entry(house, "notify.fallback", 1).await;
        assert_eq!(called(house), ["not_done"]);
        let answer = house.execute("r-1", "body").await;
        house.quiet().await;
        let halted = ExecuteAnswer::Withheld(Withheld::Halted);
        assert_eq!(answer.await.expect("an answer"), Ok(halted));
        assert_eq!(house.cloud.sent(), 0);
        assert_eq!(house.cloud.lock().reads, 0);
    });
}

/// Whoever approved while the chains were not what was signed of them was told that it was approved, and nothing
/// was done.
#[test]
fn nothing_is_approved_while_the_chains_are_in_doubt() {
    let wish = Wish {
        unproven: true,
        ..LIVE
    };
    housed(wish, async |house| {
        let alert_id = house.take(alert(1, 1, "lsassworst")).await.alert_id;
        until_entry(house, "approval.requested", 1).await;
        let refused = house.approve(alert_id).await;
        let Outcome::Refused { why, .. } = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(why, NotDecided::Unproven);
        assert!(why.to_string().contains("vyrox audit integrity"), "{why}");
        let entries = house.entries("approval.refused");
        assert_eq!(entries.len(), 1, "{entries:?}");
        assert_eq!(entries[0]["why"], "unproven");
        assert_eq!(house.count("approval.granted"), 0);
        let answer = house.execute("r-1", "body").await;
        house.quiet().await;
        let unproven = ExecuteAnswer::Withheld(Withheld::Unproven);
        assert_eq!(answer.await.expect("an answer"), Ok(unproven));
        assert_eq!(house.cloud.sent(), 0);
    });
}

/// A witness was slow to answer at a start. What had been approved before was withheld for good meanwhile, and what had
/// been begun ended without anything sent.
#[test]
fn what_is_owed_waits_for_the_witnesses_of_the_log() {
    let asking = || Findings {
        host: Some(HostFault::Asking),
        ..Findings::default()
    };
    housed(LIVE, async |house| {
        let alert_id = house.take(alert(1, 1, "lsassworst")).await.alert_id;
        until_entry(house, "approval.requested", 1).await;
        house.journal.stall();
        let mut said = house.say_yes(alert_id).await;
        house.world.integrity.found(asking());
        house.journal.go_on();
        house.pass(5 * STEP, STEP).await;
        assert!(said.try_recv().is_ok(), "it is approved");
        assert_eq!(house.count("action.intent"), 0);

        house.journal.stall();
        house.world.integrity.found(Findings::default());
        house.pass(5 * STEP, STEP).await;
        house.world.integrity.found(asking());
        house.journal.go_on();
        house.pass(5 * STEP, STEP).await;
        assert_eq!(house.count("action.intent"), 1);
        assert_eq!((house.cloud.sent(), house.cloud.lock().reads), (0, 0));

        house.world.integrity.found(Findings::default());
        until_entry(house, "action.executed", 1).await;
        assert_eq!(house.count("action.withheld"), 0);
        assert_eq!(house.cloud.sent(), 1);
    });
}

/// A witness whose word is needed was down in the first second after a start, and what had been approved before was
/// withheld for good. One that stays away is not waited for for ever.
#[test]
fn what_is_owed_waits_five_minutes_for_a_word_that_is_needed() {
    let minutes = |n| Duration::from_mins(n);
    for comes in [true, false] {
        housed(LIVE, async |house| {
            let alert_id = house.take(alert(1, 1, "lsassworst")).await.alert_id;
            until_entry(house, "approval.requested", 1).await;
            house.journal.stall();
            let mut said = house.say_yes(alert_id).await;
            house.world.integrity.found(Findings {
                host: Some(HostFault::Unheard),
                ..Findings::default()
            });
            house.journal.go_on();
            house.pass(minutes(4), STEP).await;
            assert!(said.try_recv().is_ok(), "it is approved");
            let begun = house.count("action.intent") + house.count("action.withheld");
            assert_eq!(begun, 0);
            if comes {
                house.world.integrity.found(Findings::default());
                until_entry(house, "action.executed", 1).await;
                assert_eq!(house.count("action.withheld"), 0);
                return;
            }
            house.pass(minutes(1) + STEP, STEP).await;
            until_entry(house, "action.withheld", 1).await;
            assert_eq!(house.entries("action.withheld")[0]["why"], "unproven");
            assert_eq!(house.cloud.sent(), 0);
        });
    }
}

/// Whoever asked was told that it may have happened, though its intent could not be written down and nothing
/// was sent.
#[test]
fn who_asks_for_what_cannot_be_written_down_hears_so() {
    housed(LIVE, async |house| {
        house.machine().await;
        house.quiet().await;
        house.journal.stall();
        let asked = house.execute("r-1", "body").await;
        house.quiet().await;
        let lost = AppendError::Io("no such device".into());
        house.journal.lose(&lost);
        assert_eq!(asked.await.expect("an answer"), Err(lost));
        assert_eq!(house.cloud.sent(), 0);
    });
}

/// What was decided and not durable yet was shown, and told to whoever asked again: had the power gone in that
/// moment, nobody would have known of it.
#[test]
fn nobody_hears_of_what_is_not_durable() {
    housed(LIVE, async |house| {
        house.machine().await;
        house.quiet().await;
        house.journal.stall();
        let first = house.execute("r-1", "body").await;
        let mut again = house.execute("r-1", "body").await;
        let (reply, mut listed) = oneshot::channel();
        let ask = ListActs {
            only: None,
            limit: 10,
            reply,
        };
        house.machine().await.try_cast(ask).expect("room");
        house.quiet().await;
        assert!(again.try_recv().is_err(), "an answer before its entry");
        assert!(listed.try_recv().is_err(), "shown before its entry");
        house.journal.go_on();
        house.quiet().await;
        assert_eq!(again.await.expect("an answer"), Ok(ExecuteAnswer::InFlight));
        assert_eq!(listed.await.expect("an answer").len(), 1);
        until_entry(house, "action.executed", 1).await;
        assert!(matches!(
            first.await.expect("an answer"),
            Ok(ExecuteAnswer::Done { .. })
        ));
    });
}
