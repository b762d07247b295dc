//! Playing a scenario many times: how fast, how well, and what was refused.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::time::{Instant, Interval, interval};

use super::{
    client::{Client, WebhookReply},
    failure::{Exit, Failure},
    out::{Line, Out, Tone},
    simulate::Cast,
};
use crate::scenario::StagedAlert;

/// At most so many alerts await their answer at once: an operator's terminal is not a botnet.
const IN_FLIGHT: usize = 64;

/// How much.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How often the scenario is played.
    pub count: u64,
    /// Alerts a second; `None` is as fast as answers come.
    pub rate: Option<u32>,
}

/// What came of it.
#[derive(Debug, Default)]
struct Summary {
    accepted: u64,
    duplicates: u64,
    refused: BTreeMap<String, u64>,
    latencies_us: Vec<u64>,
}

/// Sends everything, shows progress on standard error and a summary at the end. Ends as "not so"
/// when not one alert was taken.
pub(super) async fn run(
    client: &Client,
    cast: &Cast,
    plan: Plan,
    out: &mut Out,
) -> Result<(), Failure> {
    let progress = progress_bar(plan.count * cast.scenario.sightings().len() as u64);
    let began = Instant::now();
    let alerts = (0..plan.count).flat_map(|_| cast.alerts());
    let mut answers = std::pin::pin!(
        paced(alerts, plan.rate)
            .map(|alert| async move { timed(client, cast, &alert).await })
            .buffer_unordered(IN_FLIGHT)
    );
    let mut summary = Summary::default();
    while let Some((reply, latency)) = answers.next().await {
        summary.count(reply.as_ref(), latency);
        progress.inc(1);
    }
    progress.finish_and_clear();
    summary.show(began.elapsed(), out)?;
    if summary.accepted + summary.duplicates == 0 {
        return Err(Failure::said(Exit::NotSo));
    }
    Ok(())
}

/// The same alerts, no sooner than the rate allows. What is late is made up for.
fn paced(
    alerts: impl Iterator<Item = StagedAlert>,
    rate: Option<u32>,
) -> impl stream::Stream<Item = StagedAlert> {
    let pace = rate.map(|rate| interval(Duration::from_secs(1) / rate));
    stream::unfold(
        (alerts, pace),
        async |(mut alerts, mut pace): (_, Option<Interval>)| {
            let alert = Iterator::next(&mut alerts)?;
            if let Some(pace) = &mut pace {
                pace.tick().await;
            }
            Some((alert, (alerts, pace)))
        },
    )
}

/// One alert's answer, `None` if there was none, and how long it took.
async fn timed(
    client: &Client,
    cast: &Cast,
    alert: &StagedAlert,
) -> (Option<WebhookReply>, Duration) {
    let began = Instant::now();
    let reply = cast.send(client, alert).await.ok();
    (reply, began.elapsed())
}

impl Summary {
    fn count(&mut self, reply: Option<&WebhookReply>, latency: Duration) {
        let refused = match reply {
            Some(reply) if reply.status == 202 => {
                self.accepted += 1;
                None
            }
            Some(reply) if reply.is_taken() => {
                self.duplicates += 1;
                None
            }
            Some(reply) => Some(format!(
                "{} {}",
                reply.status,
                reply.text("code").unwrap_or("?")
            )),
            None => Some("no answer".to_owned()),
        };
        match refused {
            Some(why) => *self.refused.entry(why).or_default() += 1,
            None => self
                .latencies_us
                .push(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX)),
        }
    }

    fn show(&mut self, elapsed: Duration, out: &mut Out) -> Result<(), Failure> {
        self.latencies_us.sort_unstable();
        let (p50, p99) = (self.quantile_us(50), self.quantile_us(99));
        if out.is_json() {
            return Ok(out.json(&self.as_json(elapsed, p50, p99))?);
        }
        out.line(Line::named("accepted").tone(Tone::Strong, self.accepted))?;
        if self.duplicates > 0 {
            out.line(Line::item("duplicate", self.duplicates))?;
        }
        for (why, count) in &self.refused {
            out.line(
                Line::named("refused")
                    .tone(Tone::Bad, count)
                    .text(format!("  {why}")),
            )?;
        }
        let taken = self.accepted + self.duplicates;
        let rate = u128::from(taken) * 1000 / elapsed.as_millis().max(1);
        out.line(Line::item(
            "rate",
            format!("{rate}/s over {:.1} s", elapsed.as_secs_f64()),
        ))?;
        out.line(Line::item(
            "latency",
            format!("p50 {}  p99 {}", ms(p50), ms(p99)),
        ))?;
        Ok(())
    }

    fn as_json(&self, elapsed: Duration, p50_us: u64, p99_us: u64) -> Value {
        json!({
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "refused": self.refused,
            "elapsed_ms": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "latency_us": { "p50": p50_us, "p99": p99_us },
        })
    }

    /// The latency that so many percent of the taken alerts did not exceed; they must be sorted.
    fn quantile_us(&self, percent: usize) -> u64 {
        let rank = (self.latencies_us.len() * percent).div_ceil(100);
        self.latencies_us
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }
}

fn ms(us: u64) -> String {
    format!("{}.{:02} ms", us / 1000, us % 1000 / 10)
}

fn progress_bar(length: u64) -> ProgressBar {
    let progress = ProgressBar::new(length);
    match ProgressStyle::with_template("{bar:40} {pos}/{len} alerts, {per_sec}, {eta} to go") {
        Ok(style) => progress.with_style(style),
        Err(_) => progress,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::out::tests::Paper, *};

    fn reply(status: u16, code: &str) -> WebhookReply {
        WebhookReply {
            status,
            body: json!({ "code": code }),
        }
    }

    #[test]
    fn answers_are_counted_by_kind_and_only_taken_ones_are_timed() {
        let mut summary = Summary::default();
        for us in 1..=100_u64 {
            summary.count(Some(&reply(202, "")), Duration::from_micros(us * 1000));
        }
        summary.count(Some(&reply(200, "")), Duration::from_millis(1));
        summary.count(Some(&reply(429, "rate_limited")), Duration::from_secs(9));
        summary.count(None, Duration::from_secs(9));
        let paper = Paper::default();
        summary
            .show(Duration::from_secs(2), &mut paper.out(false))
            .unwrap();
        let expected = "\
accepted  100
duplicate 1
refused   1  429 rate_limited
refused   1  no answer
rate      50/s over 2.0 s
latency   p50 50.00 ms  p99 99.00 ms
";
        assert_eq!(paper.text(), expected);
    }

    #[test]
    fn no_answer_at_all_has_no_quantile() {
        assert_eq!(Summary::default().quantile_us(99), 0);
    }

    #[tokio::test]
    async fn the_pace_loses_no_alert_and_keeps_their_order() {
        let body = |n: u64| StagedAlert {
            vendor: vyrox_domain::vendor::Vendor::Generic,
            title: "t",
            body: json!(n),
        };
        let out: Vec<_> = paced((0..50).map(body), Some(100_000)).collect().await;
        assert_eq!(out, (0..50).map(body).collect::<Vec<_>>());
    }
}
