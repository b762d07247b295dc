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
