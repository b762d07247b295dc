//! Alerts, looked for and looked up.
//!
//! Defender does not say in which order it lists them, and where a list goes on is an address of its own
//! choosing. So a list is taken only when it is whole: a stretch of time that has more than a page is asked
//! for again by half.

use serde::Deserialize;
use serde_json::value::RawValue;
use vyrox_actors::edr::{EdrError, Polled};
use vyrox_domain::time::Timestamp;

use super::{
    super::{Api, Call, id::Id},
    odata::{List, read},
};

const ALERTS: &str = "api/alerts";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    id: Option<String>,
    alert_creation_time: Option<String>,
}

/// The alerts of the longest stretch from its beginning that has fewer than `limit`.
pub(super) async fn poll(
    api: &Api,
    (from, to): (Timestamp, Timestamp),
    limit: usize,
) -> Result<Polled, EdrError> {
    let until = api.deadline();
    let mut end = to;
    loop {
        let filter = format!("alertCreationTime ge {from} and alertCreationTime lt {end}");
        let call = Call::get(ALERTS)
            .query("$filter", filter)
            .query("$expand", "evidence")
            .query("$top", limit.to_string())
            .looking();
        let list: List<Box<RawValue>> = read(&api.exchange(&call, until).await?)?;
        let is_whole = list.value.len() < limit && list.next.is_none();
        match half(from, end).filter(|_| !is_whole) {
            Some(half) => end = half,
            // More than a page of one millisecond: what there is of it is all that can be had.
            None => {
                return Ok(Polled {
                    alerts: in_order(list.value),
                    up_to: end,
                });
            }
        }
    }
}

/// The alert of that id, where there is one.
pub(super) async fn alert(api: &Api, id: &Id) -> Result<Option<Vec<u8>>, EdrError> {
    let call = Call::get(ALERTS)
        .segment(id.as_str())
        .query("$expand", "evidence");
    let answer = api.exchange(&call, api.deadline()).await?;
    if answer.status == 404 {
        return Ok(None);
    }
    let found: Box<RawValue> = read(&answer)?;
    let alert: Option<Alert> = serde_json::from_str(found.get()).ok();
    let is_it = alert.is_some_and(|alert| alert.id.as_deref() == Some(id.as_str()));
    Ok(is_it.then(|| bytes(found)))
}

/// The middle of a stretch; `None` where it cannot be shorter.
fn half(from: Timestamp, end: Timestamp) -> Option<Timestamp> {
    let length = end.ms().saturating_sub(from.ms());
    (length > 1).then(|| from.plus_ms(length / 2))
}

/// The oldest first; what does not say when it came to be is before all.
fn in_order(alerts: Vec<Box<RawValue>>) -> Vec<Vec<u8>> {
    let mut alerts: Vec<(Option<Timestamp>, Vec<u8>)> = alerts
        .into_iter()
        .map(|one| {
            let alert: Option<Alert> = serde_json::from_str(one.get()).ok();
            let at = alert.and_then(|alert| alert.alert_creation_time);
            let at = at.as_deref().and_then(Timestamp::from_rfc3339);
            (at, bytes(one))
        })
        .collect();
    alerts.sort_by_key(|(at, _)| *at);
    alerts.into_iter().map(|(_, bytes)| bytes).collect()
}

fn bytes(one: Box<RawValue>) -> Vec<u8> {
    String::from(Box::<str>::from(one)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_halved_until_it_cannot_be_shorter() {
        let at = Timestamp::from_ms;
        assert_eq!(half(at(1_000), at(3_000)), Some(at(2_000)));
        assert_eq!(half(at(1_000), at(1_002)), Some(at(1_001)));
        for end in [1_001, 1_000, 999] {
            assert_eq!(half(at(1_000), at(end)), None);
        }
    }

    #[test]
    fn alerts_are_in_the_order_in_which_they_came_to_be() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let late = r#"{"id":"b","alertCreationTime":"2026-01-15T10:30:00.1234567Z"}"#;
        let early = r#"{"id":"a",  "alertCreationTime":"2026-01-15T10:29:59.9Z"}"#;
        let unsaid = r#"{"id":"c"}"#;
        let ordered = in_order(vec![raw(late), raw(unsaid), raw(early)]);
        let texts = [unsaid, early, late].map(|text| text.as_bytes().to_vec());
        assert_eq!(ordered, texts);
    }
}
