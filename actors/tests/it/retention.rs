//! Evidence that was kept for as long as it is to be kept, and what of it a fall leaves to be done.

use vyrox_actors::{journal::JournalError, messages::SweepEvidence};

use crate::house::{DAY_MS, House, Wish, alert, housed};

const KEPT: Wish = Wish {
    kept_days: 3,
    ..Wish::PLAIN
};

fn later(house: &House, days: u64) {
    house.cloud.lock().clock_ahead_ms += days * DAY_MS;
}

/// Whether the evidence of the entry at `seq` is gone.
fn is_gone(house: &House, seq: u64) -> bool {
    match house.world.journal.evidence("acme", seq) {
        Ok(attachments) => {
            assert!(!attachments.is_empty(), "entry {seq} brought some");
            false
        }
        Err(JournalError::Erased { .. }) => true,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn what_is_old_enough_goes_day_by_day_and_nothing_younger() {
    housed(KEPT, async |house| {
        let old = house.take(alert(1, 1, "nothing")).await;
        later(house, 2);
        let young = house.take(alert(2, 2, "nothing")).await;
        house
            .until("both are judged", |it| it.count("alert.triaged") == 2)
            .await;
        later(house, 2);
        house
            .until("the old one is let go", |it| {
                it.count("evidence.erased") == 1
            })
            .await;
        house.until("it is gone", |it| is_gone(it, old.seq)).await;
        assert!(!is_gone(house, young.seq));
        let erased = &house.entries("evidence.erased")[0];
        assert_eq!(
            (&erased["cause"], &erased["by"]),
            (&"retention".into(), &"system".into())
        );
        assert_eq!(
            erased["entries"].as_array().map(Vec::len),
            Some(1),
            "one run"
        );
        later(house, 2);
        house
            .until("the other goes too", |it| it.count("evidence.erased") == 2)
            .await;
        house.until("it is gone", |it| is_gone(it, young.seq)).await;
        let run = &house.entries("evidence.erased")[1]["entries"][0];
        assert!(
            run["first_seq"].as_u64() > Some(old.seq),
            "it goes on where it was"
        );
        house.verify();
    });
}

/// Somebody had an alert's evidence erased before its time. When its time came retention passed the entry
/// and took its bytes off the quota's count once more, so that a tenant could keep more than it may.
#[test]
fn what_was_erased_before_its_time_is_not_counted_off_again() {
    housed(KEPT, async |house| {
        let by_hand = house.take(alert(1, 1, "nothing")).await;
        house.take(alert(2, 2, "nothing that is as long")).await;
        house
            .until("both are judged", |it| it.count("alert.triaged") == 2)
            .await;
        let journal = &house.world.journal;
        let erased = journal
            .erase("acme", &[(by_hand.seq, by_hand.seq)])
            .expect("it is erased");
        assert_eq!(erased.entries, 1);
        later(house, 4);
        house
            .until("both are passed", |it| it.count("evidence.erased") == 1)
            .await;
        let left = &house.entries("alert.received")[1]["evidence"];
        let left = left.as_array().expect("evidence").iter();
        let bytes: u64 = left.filter_map(|piece| piece["length"].as_u64()).sum();
        let order = &house.entries("evidence.erased")[0];
        assert_eq!(order["bytes"], bytes, "{order}");
        let first = order["entries"][0]["first_seq"].as_u64();
        assert!(first <= Some(by_hand.seq), "its entry is passed as well");
        house.verify();
    });
}

/// The order is on the chain and the machine fell before the journal had it: the next one gives it.
#[test]
fn a_machine_that_falls_with_an_order_on_the_chain_has_it_carried_out() {
    housed(KEPT, async |house| {
        let taken = house.take(alert(1, 1, "nothing")).await;
        house
            .until("it is judged", |it| it.count("alert.triaged") == 1)
            .await;
        later(house, 4);
        let machine = house.machine().await;
        assert!(machine.try_cast(SweepEvidence).is_ok());
        house
            .until("it is written down", |it| it.count("evidence.erased") == 1)
            .await;
        house.fell("machine");
        house.take(alert(2, 2, "nothing")).await;
        house.until("it is gone", |it| is_gone(it, taken.seq)).await;
        assert_eq!(house.count("evidence.erased"), 1, "once");
        house.verify();
    });
}
