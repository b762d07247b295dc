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
mod tests;
