//! A flood of alerts that belong together.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::advance;

use crate::house::{House, Wish, alert, housed};

/// Machines that the flood comes from.
const MACHINES: u64 = 10;
const ALERTS: u64 = 5_000;
const SLICES: u64 = 120;

#[test]
fn a_flood_in_a_minute_is_a_few_incidents_with_one_message_each() {
    housed(Wish::default(), async |house| {
        flood(house).await;
        house
            .until("every alert is judged and shown", |house| {
                house.entries("alert.triaged").len() as u64 == ALERTS
                    && house
                        .services
                        .lock()
                        .messages
                        .values()
                        .map(|it| it.notice.alerts)
                        .sum::<u64>()
                        == ALERTS
            })
            .await;

        let verdicts = house.entries("alert.triaged");
        let incidents: BTreeSet<_> = verdicts
            .iter()
            .map(|one| one["placed"]["incident_id"].to_string())
            .collect();
        assert!(incidents.len() <= 20, "{} incidents", incidents.len());
        let folded = verdicts
            .iter()
            .filter(|one| one["placed"]["folded"] == true);
        let mut count = 0;
        for one in folded {
            let via = one["placed"]["via"].as_array().expect("a list");
            assert!(!via.is_empty(), "folded, and it does not say why: {one}");
            count += 1;
        }
        assert!(count + 2 * incidents.len() >= verdicts.len());

        let (posts, edits) = {
            let chat = house.services.lock();
            (chat.posts, chat.edits)
        };
        assert_eq!(posts, incidents.len() as u64, "one message an incident");
        assert!(edits <= 40 * posts, "{edits} edits of {posts} messages");
        assert_eq!(house.services.lock().pages.len(), 0);
        house.verify();
        println!(
            "{ALERTS} alerts: {} incidents, {posts} posts, {edits} edits, {} entries",
            incidents.len(),
            house.chain().len()
        );
    });
}

/// Sends all of it within a minute; every alert is durable.
async fn flood(house: &House) {
    let mut answers = Vec::new();
    for slice in 0..SLICES {
        let (from, to) = (slice * ALERTS / SLICES, (slice + 1) * ALERTS / SLICES);
        for n in from..to {
            let words = if n % 50 == 7 {
                "lsassworst"
            } else {
                "lsassbad"
            };
            answers.push(house.send(alert(n, n % MACHINES, words)).await);
        }
        advance(Duration::from_millis(60_000 / SLICES)).await;
        house.quiet().await;
    }
    for answer in answers {
        answer.await.expect("an answer").expect("taken in");
    }
}
