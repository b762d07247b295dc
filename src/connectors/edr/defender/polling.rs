//! Alerts, looked for and looked up.
//!
//! Defender does not say in which order it lists them, and where a list goes on is an address of its own
//! choosing. So a list is taken only when it is whole: a stretch of time that has more than a page, or whose
//! list is longer than is read of an answer, is asked for again in smaller pieces.

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;
use vyrox_actors::edr::{EdrError, Polled};
use vyrox_domain::time::Timestamp;

use super::{
    super::{Answer, Api, Call, id::Id},
    odata::{List, read},
};

const ALERTS: &str = "api/alerts";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    id: Option<String>,
    alert_creation_time: Option<String>,
}

/// A stretch of time.
type Stretch = (Timestamp, Timestamp);

/// The alerts of the longest stretch from its beginning that has fewer than `limit`.
pub(super) async fn poll(api: &Api, (from, to): Stretch, limit: usize) -> Result<Polled, EdrError> {
    let until = api.deadline();
    let mut end = to;
    loop {
        let answer = api
            .exchange(&listing((from, end), limit, true), until)
            .await?;
        if answer.is_cut() {
            return in_pieces(api, (from, end), limit, until).await;
        }
        let list: List<Box<RawValue>> = read(&answer)?;
        match half(from, end).filter(|_| !is_whole(&list, limit)) {
            Some(half) => end = half,
            // More than a page of one millisecond: what there is of it is all that can be had.
            None => return Ok(polled(list.value, end)),
        }
    }
}

/// With `full`, alerts have their evidence.
fn listing((from, end): Stretch, limit: usize, full: bool) -> Call {
    let filter = format!("alertCreationTime ge {from} and alertCreationTime lt {end}");
    let call = Call::get(ALERTS).query("$filter", filter);
    let call = if full {
        call.query("$expand", "evidence")
    } else {
        call
    };
    call.query("$top", limit.to_string()).looking()
}

/// Whether a list has all there is. One that is longer than asked for and does not go on elsewhere is whole.
fn is_whole<T>(list: &List<T>, limit: usize) -> bool {
    list.value.len() != limit && list.next.is_none()
}

/// The alerts of a stretch whose list is longer than is read of an answer. Without their evidence they are
/// short, and say how long the stretch may be that has half of them, or half of that.
async fn in_pieces(
    api: &Api,
    (from, to): Stretch,
    limit: usize,
    until: Instant,
) -> Result<Polled, EdrError> {
    let mut end = to;
    let bare = loop {
        let answer = api
            .exchange(&listing((from, end), limit, false), until)
            .await?;
        let list: Option<List<Box<RawValue>>> = if answer.is_cut() {
            None
        } else {
            Some(read(&answer)?)
        };
        let whole = list.as_ref().is_some_and(|list| is_whole(list, limit));
        match (half(from, end).filter(|_| !whole), list) {
            (Some(half), _) => end = half,
            (None, Some(list)) => break in_order(list.value),
            (None, None) => return Ok(passed_over(&answer, end)),
        }
    };
    let mut count = bare.len() / 2;
    while count > 0 {
        let piece = bare.get(count).and_then(|(at, _)| *at);
        count /= 2;
        let Some(piece) = piece.filter(|piece| *piece > from && *piece < end) else {
            continue;
        };
        let answer = api
            .exchange(&listing((from, piece), limit, true), until)
            .await?;
        if answer.is_cut() {
            continue;
        }
        let list: List<Box<RawValue>> = read(&answer)?;
        if is_whole(&list, limit) {
            return Ok(polled(list.value, piece));
        }
    }
    first_moment(api, bare, (from, end), until).await
}

/// The alerts of the first moment of a stretch, one by one. What is too long even so is taken without its
/// evidence.
async fn first_moment(
    api: &Api,
    bare: Vec<Dated>,
    (from, end): Stretch,
    until: Instant,
) -> Result<Polled, EdrError> {
    let first = bare.first().and_then(|(at, _)| *at).unwrap_or(from);
    let first = first.max(from);
    let mut alerts = Vec::new();
    let mut up_to = end;
    for (at, alert) in bare {
        if at.is_some_and(|at| at > first) {
            up_to = at.unwrap_or(end).min(end);
            break;
        }
        let full = match id_of(&alert) {
            Some(id) => with_evidence(api, &id, until).await?,
            None => None,
        };
        alerts.push(bytes(full.unwrap_or(alert)));
    }
    Ok(Polled {
        alerts,
        up_to,
        cut: Vec::new(),
    })
}

/// `None` where it is longer than is read of an answer, or gone.
async fn with_evidence(
    api: &Api,
    id: &Id,
    until: Instant,
) -> Result<Option<Box<RawValue>>, EdrError> {
    let answer = api.exchange(&single(id).looking(), until).await?;
    if answer.is_cut() {
        tracing::warn!(
            alert = id.as_str(),
            "an alert's evidence is longer than is read of an answer; it is taken without"
        );
        return Ok(None);
    }
    if answer.status == 404 {
        return Ok(None);
    }
    read(&answer).map(Some)
}

fn single(id: &Id) -> Call {
    Call::get(ALERTS)
        .segment(id.as_str())
        .query("$expand", "evidence")
}

fn polled(alerts: Vec<Box<RawValue>>, up_to: Timestamp) -> Polled {
    let alerts = in_order(alerts).into_iter();
    Polled {
        alerts: alerts.map(|(_, alert)| bytes(alert)).collect(),
        up_to,
        cut: Vec::new(),
    }
}

/// A single millisecond's list is too long even without evidence.
fn passed_over(answer: &Answer, up_to: Timestamp) -> Polled {
    Polled {
        alerts: Vec::new(),
        up_to,
        cut: vec![answer.body.clone()],
    }
}

/// The alert of that id, where there is one.
pub(super) async fn alert(api: &Api, id: &Id) -> Result<Option<Vec<u8>>, EdrError> {
    let answer = api.exchange(&single(id).long(), api.deadline()).await?;
    if answer.status == 404 {
        return Ok(None);
    }
    let found: Box<RawValue> = read(&answer)?;
    Ok((id_of(&found).as_ref() == Some(id)).then(|| bytes(found)))
}

fn id_of(alert: &RawValue) -> Option<Id> {
    let alert: Alert = serde_json::from_str(alert.get()).ok()?;
    alert.id.as_deref().and_then(Id::parse)
}

/// The middle of a stretch; `None` where it cannot be shorter.
fn half(from: Timestamp, end: Timestamp) -> Option<Timestamp> {
    let length = end.ms().saturating_sub(from.ms());
    (length > 1).then(|| from.plus_ms(length / 2))
}

/// An alert, and when it came to be, where it says that.
type Dated = (Option<Timestamp>, Box<RawValue>);

/// The oldest first; what does not say when it came to be is before all.
fn in_order(alerts: Vec<Box<RawValue>>) -> Vec<Dated> {
    let dated = |one: Box<RawValue>| {
        let alert: Option<Alert> = serde_json::from_str(one.get()).ok();
        let at = alert.and_then(|alert| alert.alert_creation_time);
        (at.as_deref().and_then(Timestamp::from_rfc3339), one)
    };
    let mut alerts: Vec<Dated> = alerts.into_iter().map(dated).collect();
    alerts.sort_by_key(|(at, _)| *at);
    alerts
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
        let texts: Vec<_> = ordered.iter().map(|(_, alert)| alert.get()).collect();
        assert_eq!(texts, [unsaid, early, late]);
    }
}
