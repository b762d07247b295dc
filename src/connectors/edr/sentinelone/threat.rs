//! Threats, and what was done about them.

use serde::Deserialize;
use serde_json::value::RawValue;
use vyrox_actors::edr::{EffectSeen, Reading};
use vyrox_domain::time::Timestamp;

use super::{
    super::{id::Id, reading::seen},
    task::{Measure, Mitigation},
};

/// What was never heard of.
const EPOCH: Timestamp = Timestamp::from_ms(0);

/// A threat, as far as we look at it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Threat {
    id: Option<String>,
    agent_realtime_info: Option<ThreatAgent>,
    #[serde(rename = "threatInfo")]
    info: Option<ThreatInfo>,
    mitigation_status: Option<Vec<Attempt>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ThreatAgent {
    agent_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ThreatInfo {
    threat_id: Option<String>,
    created_at: Option<String>,
}

/// One thing that was done about a threat, by whomever.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attempt {
    action: Option<String>,
    status: Option<String>,
    last_update: Option<String>,
}

/// The threat that was asked for.
pub(super) enum Found<'a> {
    /// It is there, on the host that was approved.
    Here(Mitigations<'a>),
    /// There is none of that id.
    Nowhere,
    /// It is on another host.
    Elsewhere,
}

/// What was done about a threat so far.
pub(super) struct Mitigations<'a> {
    attempts: &'a [Attempt],
    measure: Measure,
}

/// Finds the threat. It has to be one of this very agent: an alert names both, and whoever forges an alert
/// could else have another host's threat acted upon. `None` where the answer does not tell.
pub(super) fn find<'a>(threats: &'a [Threat], wanted: &Mitigation) -> Option<Found<'a>> {
    if threats.is_empty() {
        return Some(Found::Nowhere);
    }
    let found = threats.iter().find(|threat| threat.is(&wanted.threat))?;
    let agent = found.agent_realtime_info.as_ref()?.agent_id.as_deref()?;
    if agent != wanted.agent.as_str() {
        return Some(Found::Elsewhere);
    }
    Some(Found::Here(Mitigations {
        attempts: found.mitigation_status.as_deref().unwrap_or_default(),
        measure: wanted.measure,
    }))
}

impl Threat {
    pub(super) fn is(&self, id: &Id) -> bool {
        let info = self.info.as_ref();
        let ids = [
            self.id.as_deref(),
            info.and_then(|info| info.threat_id.as_deref()),
        ];
        ids.contains(&Some(id.as_str()))
    }

    /// When it came to be.
    fn created_at(&self) -> Option<Timestamp> {
        let at = self.info.as_ref()?.created_at.as_deref()?;
        Timestamp::from_rfc3339(at)
    }
}

/// When the last of a page came to be that follows on `before`, and how many so far have that very moment;
/// `None` where the page does not say it of all, or is not in that order.
pub(super) fn last_created(
    page: &[Box<RawValue>],
    before: (Timestamp, usize),
) -> Option<(Timestamp, usize)> {
    page.iter().try_fold(before, |(before, count), one| {
        let threat: Threat = serde_json::from_str(one.get()).ok()?;
        let at = threat.created_at().filter(|at| *at >= before)?;
        let count = if at == before { count } else { 0 };
        Some((at, count.saturating_add(1)))
    })
}

impl Mitigations<'_> {
    /// When this measure or its undoing was last heard of; the epoch where never. Taken before a request is
    /// sent, it tells what that request starts from what was before.
    pub(super) fn last_heard(&self) -> Timestamp {
        let there = self.newest(Some(self.measure.path()));
        let back = self.newest(self.measure.undone_by());
        [there, back]
            .into_iter()
            .flatten()
            .map(Attempt::at)
            .max()
            .unwrap_or(EPOCH)
    }

    /// Whether the measure or, with `undo`, its undoing is in effect. `since` is what
    /// [`Mitigations::last_heard`] gave before our request, where there was one: a failure from before is
    /// none of ours.
    pub(super) fn read(&self, undo: bool, since: Option<Timestamp>) -> Reading {
        let there = self.newest(Some(self.measure.path()));
        let back = self.newest(self.measure.undone_by());
        let (ours, other) = if undo { (back, there) } else { (there, back) };
        let other_holds = other.filter(|other| other.status() == "success");
        let Some(attempt) = ours else {
            // What was never taken away is as free as what was given back.
            let effect = if undo && other_holds.is_none() {
                EffectSeen::InEffect
            } else {
                EffectSeen::NotInEffect
            };
            return seen(effect, "none");
        };
        let overtaken = other_holds.is_some_and(|other| other.at() > attempt.at());
        let is_new = since.is_some_and(|since| attempt.at() > since);
        let effect = match attempt.status() {
            _ if overtaken => EffectSeen::NotInEffect,
            "success" => EffectSeen::InEffect,
            "pending" => EffectSeen::Pending,
            "failed" if is_new => EffectSeen::Failed,
            "failed" => EffectSeen::NotInEffect,
            // No documented word: something goes on, if it began because of us.
            _ if is_new => EffectSeen::Pending,
            _ => EffectSeen::NotInEffect,
        };
        seen(effect, attempt.status())
    }

    fn newest(&self, action: Option<&str>) -> Option<&Attempt> {
        let attempts = self.attempts.iter();
        let named = attempts.filter(|attempt| action.is_some_and(|action| attempt.is(action)));
        named.max_by_key(|attempt| attempt.at())
    }
}

impl Attempt {
    fn at(&self) -> Timestamp {
        let at = self.last_update.as_deref();
        at.and_then(Timestamp::from_rfc3339).unwrap_or(EPOCH)
    }

    fn status(&self) -> &str {
        self.status.as_deref().unwrap_or_default()
    }

    /// `un-quarantine` is asked for, and `unquarantine` may be what was done.
    fn is(&self, action: &str) -> bool {
        let letters = |name: &str| -> String {
            let letters = name.chars().filter(char::is_ascii_alphabetic);
            letters.map(|one| one.to_ascii_lowercase()).collect()
        };
        let named = self.action.as_deref();
        named.is_some_and(|named| letters(named) == letters(action))
    }
}

/// What is kept of a request about a threat: SentinelOne names no such request, so it is known by when the
/// threat was last heard of before it.
pub(super) fn since_text(heard: Timestamp) -> String {
    format!("since:{}", heard.ms())
}

/// The reading of [`since_text`].
pub(super) fn since(reference: Option<&str>) -> Option<Timestamp> {
    let ms = reference?.strip_prefix("since:")?.parse().ok()?;
    Some(Timestamp::from_ms(ms))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const EARLY: &str = "2026-01-15T10:00:00.000000Z";
    const LATE: &str = "2026-01-15T11:00:00.000000Z";

    fn wanted(measure: Measure) -> Mitigation {
        Mitigation {
            agent: Id::parse("11").unwrap(),
            threat: Id::parse("77").unwrap(),
            measure,
        }
    }

    fn threats(attempts: &Value) -> Vec<Threat> {
        let data = json!([{
            "id": "77",
            "agentRealtimeInfo": { "agentId": "11" },
            "threatInfo": { "threatId": "77", "createdAt": EARLY },
            "mitigationStatus": attempts,
        }]);
        serde_json::from_value(data).unwrap()
    }

    fn attempt(action: &str, status: &str, at: &str) -> Value {
        json!({ "action": action, "status": status, "lastUpdate": at })
    }

    fn read(measure: Measure, undo: bool, since: Option<&str>, attempts: &Value) -> EffectSeen {
        let since = since.and_then(Timestamp::from_rfc3339);
        match find(&threats(attempts), &wanted(measure)) {
            Some(Found::Here(mitigations)) => mitigations.read(undo, since).effect,
            _ => panic!("the threat is there: {attempts}"),
        }
    }

    #[test]
    fn every_status_of_an_attempt_means_one_thing() {
        use EffectSeen::{Failed, InEffect, NotInEffect, Pending};
        for measure in [
            Measure::Kill,
            Measure::Quarantine,
            Measure::NetworkQuarantine,
        ] {
            for (status, since, effect) in [
                ("success", None, InEffect),
                ("success", Some(EARLY), InEffect),
                ("pending", None, Pending),
                ("failed", None, NotInEffect),
                ("failed", Some(LATE), NotInEffect),
                ("failed", Some(EARLY), Failed),
                ("sent", None, NotInEffect),
                ("sent", Some(EARLY), Pending),
                ("", None, NotInEffect),
            ] {
                let attempts = json!([attempt(measure.path(), status, LATE)]);
                let found = read(measure, false, since, &attempts);
                assert_eq!(found, effect, "{measure:?} {status} {since:?}");
            }
        }
    }

    #[test]
    fn what_was_done_by_another_measure_does_not_count() {
        let attempts = json!([attempt("quarantine", "success", LATE), { "status": "success" }, {}]);
        let killed = read(Measure::Kill, false, None, &attempts);
        assert_eq!(killed, EffectSeen::NotInEffect);
        let none = read(Measure::Kill, false, None, &Value::Null);
        assert_eq!(none, EffectSeen::NotInEffect);
    }

    #[test]
    fn of_a_file_taken_away_and_given_back_the_later_counts() {
        use EffectSeen::{Failed, InEffect, NotInEffect, Pending};
        let away = |at| attempt("quarantine", "success", at);
        let back = |status, at| attempt("unquarantine", status, at);
        for (attempts, wanted, undone) in [
            (json!([]), NotInEffect, InEffect),
            (json!([away(EARLY)]), InEffect, NotInEffect),
            (
                json!([away(EARLY), back("success", LATE)]),
                NotInEffect,
                InEffect,
            ),
            (
                json!([back("success", EARLY), away(LATE)]),
                InEffect,
                NotInEffect,
            ),
            (
                json!([away(EARLY), back("pending", LATE)]),
                InEffect,
                Pending,
            ),
            (json!([away(EARLY), back("failed", LATE)]), InEffect, Failed),
        ] {
            let found =
                [false, true].map(|undo| read(Measure::Quarantine, undo, Some(EARLY), &attempts));
            assert_eq!(found, [wanted, undone], "{attempts}");
        }
    }

    /// An alert names its threat and its host, and it is not proven that they belong together. Were the
    /// threat taken as it comes, one forged alert would have a threat of another host acted upon than the
    /// one that was approved.
    #[test]
    fn a_threat_of_another_host_is_not_the_one() {
        let found = |data: Value| {
            let threats: Vec<Threat> = serde_json::from_value(data).unwrap();
            match find(&threats, &wanted(Measure::Kill)) {
                Some(Found::Here(_)) => "here",
                Some(Found::Elsewhere) => "elsewhere",
                Some(Found::Nowhere) => "nowhere",
                None => "unreadable",
            }
        };
        let info = |agent: &str| json!({ "agentId": agent });
        assert_eq!(
            found(json!([{ "id": "77", "agentRealtimeInfo": info("11") }])),
            "here"
        );
        assert_eq!(
            found(json!([{ "id": "77", "agentRealtimeInfo": info("12") }])),
            "elsewhere"
        );
        assert_eq!(found(json!([])), "nowhere");
        assert_eq!(
            found(json!([{ "id": "78", "agentRealtimeInfo": info("11") }])),
            "unreadable"
        );
        assert_eq!(found(json!([{ "id": "77" }])), "unreadable");
    }

    #[test]
    fn what_is_kept_of_a_request_is_read_as_it_was_written() {
        let attempts = json!([
            attempt("quarantine", "success", EARLY),
            attempt("un-quarantine", "failed", LATE)
        ]);
        let threats = threats(&attempts);
        let Some(Found::Here(mitigations)) = find(&threats, &wanted(Measure::Quarantine)) else {
            panic!("the threat is there");
        };
        let heard = mitigations.last_heard();
        assert_eq!(Some(heard), Timestamp::from_rfc3339(LATE));
        assert_eq!(since(Some(&since_text(heard))), Some(heard));
        for other in [None, Some("since:"), Some("since:x"), Some("77")] {
            assert_eq!(since(other), None);
        }
    }
}
