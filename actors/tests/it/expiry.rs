//! A proposal that nobody decides about.

use std::time::Duration;

use vyrox_domain::notice::Standing;

use crate::house::{APPROVAL, House, Wish, alert, housed};

const STEP: Duration = Duration::from_secs(1);

fn expired(house: &House) {
    assert_eq!(house.entries("approval.expired").len(), 1);
    let fallbacks = house.entries("notify.fallback");
    assert_eq!(fallbacks.len(), 1, "{fallbacks:#?}");
    assert_eq!(fallbacks[0]["reason"], "approval_expired");
    let outside = house.services.lock();
    assert_eq!((outside.pages.len(), outside.posts), (1, 1));
    let proposals: Vec<_> = outside
        .messages
        .values()
        .flat_map(|it| &it.notice.proposals)
        .collect();
    assert_eq!(proposals[0].standing, Standing::Expired);
}

#[test]
fn it_expires_at_its_time_the_message_says_so_and_one_page_goes_out() {
    housed(Wish::default(), async |house| {
        house.take(alert(1, 1, "lsassworst")).await;
        house
            .until("it is shown", |house| house.services.lock().posts == 1)
            .await;
        house.pass(APPROVAL.saturating_sub(5 * STEP), STEP).await;
        assert_eq!(house.entries("approval.requested").len(), 1);
        assert_eq!(house.entries("approval.expired").len(), 0);
        house.pass(Duration::from_secs(15), STEP).await;
        expired(house);
        house.pass(Duration::from_mins(10), 5 * STEP).await;
        expired(house);
    });
}

/// The page was sent from the machine's hand before the entry was durable, and nothing but that hand
/// knew of it: a machine that fell in between left it unsent.
#[test]
fn a_machine_that_falls_as_it_expires_still_has_the_page_sent_once() {
    housed(Wish::default(), async |house| {
        house.take(alert(1, 1, "lsassworst")).await;
        house.pass(APPROVAL.saturating_sub(2 * STEP), STEP).await;
        for _ in 0..4 {
            house.fell("machine");
            house
                .take(alert(house.chain().len() as u64 + 10, 1, "lsassbad"))
                .await;
            house.pass(2 * STEP, STEP).await;
        }
        house.pass(Duration::from_mins(2), 5 * STEP).await;
        expired(house);
    });
}
