//! Alerts that are fetched from vendors that push nothing.

mod trouble;

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use vyrox_domain::{time::Timestamp, vendor::Vendor};

use crate::house::{House, PolledCloud, T0, Wish, housed};

pub(crate) const S1: Vendor = Vendor::Sentinelone;
pub(crate) const MINUTE: Duration = Duration::from_mins(1);
pub(crate) const POLLED: Wish = Wish {
    polled: true,
    ..Wish::PLAIN
};

/// So many seconds after the beginning of the test.
pub(crate) fn at(s: i64) -> Timestamp {
    Timestamp::from_ms(T0.ms().saturating_add_signed(s * 1000))
}

/// A threat as the vendor's API tells it; it goes through `verdicts` as an analyst looks at it.
pub(crate) fn threat(n: u64, verdict: &str) -> Vec<u8> {
    let threat = json!({
        "id": format!("{n}"),
        "threatInfo": { "threatId": format!("{n}"), "threatName": "lsassbad", "analystVerdict": verdict },
        "agentRealtimeInfo": { "agentId": format!("a{}", n % 10), "agentComputerName": format!("ws-{}", n % 10) },
    });
    threat.to_string().into_bytes()
}

impl House {
    pub(crate) fn cloud<T>(&self, look: impl FnOnce(&mut PolledCloud) -> T) -> T {
        self.clouds.of("acme", S1, look)
    }

    pub(crate) fn received(&self) -> usize {
        self.count("alert.received")
    }

    /// No alert stands in the chain twice, and all of them do.
    pub(crate) fn has_each_once(&self, threats: impl Iterator<Item = u64>) {
        let mut times = BTreeMap::<String, u32>::new();
        for received in self.entries("alert.received") {
            let id = received["vendor_alert_id"].as_str().expect("an id");
            *times.entry(id.to_owned()).or_default() += 1;
        }
        let expected: BTreeMap<_, _> = threats.map(|n| (n.to_string(), 1)).collect();
        assert_eq!(times, expected);
    }

    /// The sum of what `intake.polled` entries say that came.
    pub(crate) fn said_to_have_come(&self) -> u64 {
        let entries = self.entries("intake.polled");
        entries
            .iter()
            .map(|one| one["alerts"].as_u64().expect("a count"))
            .sum()
    }

    pub(crate) fn last_place(&self) -> Option<u64> {
        self.entries("intake.polled").last()?["up_to_ms"].as_u64()
    }
}

#[test]
fn pages_follow_each_other_at_once_and_what_is_seen_again_is_not_taken_in_again() {
    housed(POLLED, async |house| {
        house.cloud(|cloud| {
            let before = |n: u64| at(-500 + i64::try_from(n).expect("small"));
            cloud
                .alerts
                .extend((0..250).map(|n| (before(n), threat(n, "undefined"))));
            // The vendor gives three pages' worth one moment.
            cloud
                .alerts
                .extend((250..550).map(|n| (at(-100), threat(n, "undefined"))));
        });
        house.credentials("acme", S1, &[1]);
        house
            .until("all is taken in", |house| house.received() == 550)
            .await;
        house.has_each_once(0..550);
        // Each minute's round sees those of the last five minutes again.
        let rounds = |house: &House| house.cloud(|cloud| rounds(cloud));
        house
            .until("the fifth round", |house| rounds(house).len() == 5)
            .await;
        house.has_each_once(0..550);
        assert_eq!(house.said_to_have_come(), 550);
        all_rise(&house.entries("intake.polled"));
        let rounds = rounds(house);
        assert!((6..=10).contains(&rounds[0].len()), "{rounds:?}");
        for pair in rounds.windows(2) {
            let (place, from) = (pair[0][0].1, pair[1][0].0);
            assert_eq!(
                from.plus_ms(300_000),
                place,
                "five minutes before the place"
            );
        }
        house.verify();
    });
}

/// What was asked for, round by round.
fn rounds(cloud: &PolledCloud) -> Vec<Vec<(Timestamp, Timestamp)>> {
    let mut rounds: Vec<Vec<(Timestamp, Timestamp)>> = Vec::new();
    for one in &cloud.asked {
        match rounds.last_mut() {
            Some(round) if round[0].1 == one.to => round.push((one.from, one.to)),
            _ => rounds.push(vec![(one.from, one.to)]),
        }
    }
    rounds
}

#[test]
fn an_alert_that_comes_to_be_is_taken_in_and_triaged_within_a_round() {
    housed(POLLED, async |house| {
        house.credentials("acme", S1, &[1]);
        house
            .until("the vendor was asked", |house| {
                house.cloud(|cloud| !cloud.asked.is_empty())
            })
            .await;
        house
            .until("the first place is durable", |house| {
                house.last_place().is_some()
            })
            .await;
        let now = house.world.now();
        house.cloud(|cloud| cloud.alerts.push((now, threat(7, "undefined"))));
        let waited = house
            .until("it is judged", |house| {
                !house.entries("alert.triaged").is_empty()
            })
            .await;
        assert!(waited <= 75, "{waited} s");
        assert_eq!(
            house.entries("approval.requested").len(),
            1,
            "its device is known, so something is proposed"
        );
        house.verify();
    });
}

#[test]
fn quiet_hours_cost_an_entry_an_hour() {
    housed(POLLED, async |house| {
        house.credentials("acme", S1, &[1]);
        house.pass(190 * MINUTE, Duration::from_secs(10)).await;
        let entries = house.entries("intake.polled");
        assert_eq!(
            entries.len(),
            4,
            "the first place, and one an hour: {entries:?}"
        );
        let asked = house.cloud(|cloud| (cloud.asked.len(), cloud.open.1));
        assert!((150..=192).contains(&asked.0), "{} questions", asked.0);
        assert_eq!(asked.1, 1, "never two at once");
    });
}

#[test]
fn a_vendors_alert_evolves_and_stays_one_while_a_webhooks_other_body_is_kept() {
    housed(POLLED, async |house| {
        house.cloud(|cloud| cloud.alerts.push((at(-60), threat(1, "undefined"))));
        house.credentials("acme", S1, &[1]);
        house
            .until("it is taken in", |house| house.received() == 1)
            .await;
        for verdict in ["suspicious", "true_positive"] {
            house.cloud(|cloud| cloud.alerts = vec![(at(-60), threat(1, verdict))]);
            house.pass(2 * MINUTE, Duration::from_secs(5)).await;
            assert_eq!(house.received(), 1);
        }
        // The same by webhook, with a body of its own: another entry, which says so.
        let mut pushed = vyrox_domain::alert::Alert::bare(S1, "1".into());
        pushed.title = Some("lsassbad".into());
        house.take(pushed).await;
        let received = house.entries("alert.received");
        assert_eq!(received[0]["polled"], true);
        assert_eq!(received[1]["vendor_id_reused"], true);
        assert_eq!(received[1]["polled"], Value::Null);
        house.pass(2 * MINUTE, Duration::from_secs(5)).await;
        assert_eq!(house.received(), 2);
        house.verify();
    });
}

#[test]
fn what_a_webhook_brought_is_not_fetched_again() {
    housed(POLLED, async |house| {
        house
            .take(vyrox_domain::alert::Alert::bare(S1, "1".into()))
            .await;
        house.cloud(|cloud| cloud.alerts.push((at(-60), threat(1, "undefined"))));
        house.credentials("acme", S1, &[1]);
        house.pass(2 * MINUTE, Duration::from_secs(5)).await;
        assert!(house.cloud(|cloud| !cloud.asked.is_empty()));
        assert_eq!(house.received(), 1);
        assert_eq!(house.said_to_have_come(), 0);
    });
}

#[test]
fn objects_that_nobody_can_read_are_kept_once_and_hold_up_nothing() {
    housed(POLLED, async |house| {
        let long = format!("{{\"id\":\"1\",\"name\":\"{}\"}}", "x".repeat(1 << 20));
        house.cloud(|cloud| {
            let bodies: [&[u8]; 4] = [b"{\"nonsense\":1}", b"[1,2", b"", long.as_bytes()];
            cloud
                .alerts
                .extend(bodies.map(|body| (at(-60), body.to_vec())));
            cloud
                .alerts
                .extend((0..20).map(|n| (at(-59), threat(n, "undefined"))));
        });
        house.credentials("acme", S1, &[1]);
        house
            .until("the others are taken in", |house| house.received() == 20)
            .await;
        house.pass(3 * MINUTE, Duration::from_secs(5)).await;
        house.has_each_once(0..20);
        let rejected = house.entries("intake.rejected");
        let details: Vec<_> = rejected
            .iter()
            .map(|one| one["detail"].to_string())
            .collect();
        assert_eq!(details.len(), 4, "{details:#?}");
        let kept: Vec<_> = rejected
            .iter()
            .filter_map(|one| one["evidence"][0]["length"].as_u64())
            .collect();
        assert_eq!(kept.iter().max(), Some(&(64 * 1024)), "{kept:?}");
        assert!(house.last_place() > Some(at(-59).ms()));
        house.verify();
    });
}

#[test]
fn ten_thousand_alerts_come_in_pages_also_where_the_tenants_queue_is_short() {
    let wish = Wish {
        queue: 16,
        ..POLLED
    };
    housed(wish, async |house| {
        let threats = 10_000;
        house.cloud(|cloud| {
            let before = |n: u64| Timestamp::from_ms(at(-550).ms() + n * 50);
            cloud
                .alerts
                .extend((0..threats).map(|n| (before(n), threat(n, "undefined"))));
        });
        house.credentials("acme", S1, &[1]);
        let waited = house
            .until("all is taken in", |house| {
                house.received() as u64 == threats
            })
            .await;
        house
            .until("it is said to have come", |house| {
                house.said_to_have_come() == threats
            })
            .await;
        house.has_each_once(0..threats);
        let (pages, most) = house.cloud(|cloud| (cloud.asked.len(), cloud.open.1));
        println!("{threats} alerts in {pages} pages and {waited} s");
        assert_eq!(most, 1, "never two at once");
        house.verify();
    });
}

#[test]
fn a_tenant_that_is_polled_stays_in_memory_until_its_credential_is_gone() {
    let wish = Wish {
        idle_ms: 60_000,
        ..POLLED
    };
    housed(wish, async |house| {
        let state = |house: &House| house.host.tree.find("tenant/acme/machine").is_some();
        house.credentials("acme", S1, &[1]);
        house.until("it is there", state).await;
        house.pass(10 * MINUTE, Duration::from_secs(5)).await;
        assert!(state(house));
        house.credentials("acme", S1, &[]);
        let gone = |house: &House| !state(house);
        house.until("it is put away", gone).await;
        let asked = house.cloud(|cloud| cloud.asked.len());
        // And woken by a new one, by nobody's message.
        house.credentials("acme", S1, &[2]);
        house
            .until("the vendor is asked again", |house| {
                house.cloud(|cloud| cloud.asked.len() > asked)
            })
            .await;
        let version = house.cloud(|cloud| cloud.asked.last().map(|one| one.version));
        assert_eq!(version, Some(2));
    });
}

/// Entries of the chain of one kind have one place each; used where order matters.
pub(crate) fn all_rise(entries: &[Value]) {
    let places: Vec<_> = entries.iter().map(|one| one["up_to_ms"].as_u64()).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn what_is_too_long_to_be_read_is_kept_once_as_far_as_it_goes() {
    housed(POLLED, async |house| {
        house.cloud(|cloud| {
            cloud.alerts.push((at(-60), threat(1, "undefined")));
            cloud
                .cut
                .push(br#"{"id":"2","threatInfo":{"storyline":"xxxx"#.to_vec());
        });
        house.credentials("acme", S1, &[1]);
        house
            .until("the third round", |house| {
                house.cloud(|cloud| cloud.asked.len() >= 3)
            })
            .await;
        house.has_each_once(1..2);
        let rejected = house.entries("intake.rejected");
        let [rejected] = rejected.as_slice() else {
            panic!("kept once: {rejected:?}");
        };
        let detail = rejected["detail"].as_str().expect("a detail");
        assert!(detail.contains("longer than is read"), "{rejected}");
        house.verify();
    });
}
