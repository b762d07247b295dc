//! One proposal as a field of the embed: what would be done, to whom, until when, and who said what.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
};

use vyrox_domain::{
    action::{OnExpiry, short},
    ids::PersonId,
    notice::{Proposal, Standing},
    time::Timestamp,
};

use super::{Field, code, escaped, joined, moment, units};
use crate::connectors::became::{Hand, approved_elsewhere};

/// The longest line about the object of an action: a digest of a file fits, with its platform.
const OBJECT_MAX: usize = 130;

/// How Discord shows what became of an action.
const HAND: Hand = Hand {
    moment,
    quote: |text| code(text, 120),
};

/// Those that can be decided at `now`: what the worst verdict called for first, of that what is about a
/// protected target, of that the newest. Two with the same alert and digest are one: their
/// buttons could not be told apart.
pub(super) fn waiting(proposals: &[Proposal], now: Timestamp) -> Vec<&Proposal> {
    let mut seen = HashSet::new();
    let waiting = proposals.iter().rev().filter(|one| is_open(one, now));
    let mut waiting: Vec<_> = waiting
        .filter(|one| seen.insert((one.alert_id, short(&one.digest))))
        .collect();
    // The sort is stable, so that the newest stay first among equals.
    waiting.sort_by_key(|one| Reverse((one.verdict.rank(), one.protected.is_some())));
    waiting
}

fn is_open(proposal: &Proposal, now: Timestamp) -> bool {
    matches!(proposal.standing, Standing::Waiting { .. }) && now <= proposal.expires_at
}

/// At most about 790 units, so that four of them always find room.
pub(super) fn field(proposal: &Proposal, number: Option<usize>, now: Timestamp) -> Field {
    let number = number.map_or_else(String::new, |number| format!("{number}. "));
    let host = proposal
        .host
        .as_deref()
        .map_or_else(String::new, |host| format!(" · {}", escaped(host, 80)));
    let how = if proposal.dry_run { "dry run" } else { "LIVE" };
    let act = proposal.act.as_ref();
    let undo = act.is_some_and(|act| act.release.is_some());
    let undo = if undo { "undo " } else { "" };
    let action = escaped(proposal.action_type.as_str(), 32);
    let mut lines = vec![code(&proposal.target_urn, 160)];
    lines.extend(object(&proposal.parameters));
    if proposal.action_type.is_everywhere() {
        lines.push("⚠ on every machine".to_owned());
    }
    if let Some(why) = &proposal.protected {
        lines.push(format!("⚠ protected: {}", escaped(why, 60)));
    }
    lines.push(hold(proposal));
    lines.push(format!("digest {}", code(&short(&proposal.digest), 24)));
    lines.push(standing(proposal, now));
    lines.extend(HAND.became(proposal));
    Field {
        name: format!("{number}{undo}{action}{host} · {how}"),
        value: lines.join("\n"),
    }
}

/// What of the target is meant, as far as it fits into a line; what does not is counted.
pub(crate) fn object(parameters: &BTreeMap<String, String>) -> Option<String> {
    let mut line = String::new();
    let mut told = 0;
    for (name, value) in parameters {
        let part = format!("{} {}", escaped(name, 20), code(value, 68));
        if units(&line) + units(&part) > OBJECT_MAX {
            break;
        }
        if !line.is_empty() {
            line.push_str(", ");
        }
        line.push_str(&part);
        told += 1;
    }
    let left = parameters.len() - told;
    if left > 0 {
        line = format!("{line} and {left} more");
    }
    (!line.is_empty()).then_some(line)
}

fn hold(proposal: &Proposal) -> String {
    match (proposal.hold_minutes, proposal.on_expiry) {
        (0, _) => "stays until it is lifted".to_owned(),
        (minutes, OnExpiry::Ask) => format!("holds {minutes} min, then a person is asked"),
        (minutes, OnExpiry::Lift) => format!("holds {minutes} min, then it is lifted"),
    }
}

fn standing(proposal: &Proposal, now: Timestamp) -> String {
    match &proposal.standing {
        Standing::Waiting { .. } if !is_open(proposal, now) => "expired: nobody decided".to_owned(),
        Standing::Waiting { approved_by } if approved_by.is_empty() => {
            format!(
                "waits for a decision, expires {}",
                moment(proposal.expires_at)
            )
        }
        Standing::Waiting { approved_by } => format!(
            "{} of {} approved: {}; waits for another person, expires {}",
            approved_by.len(),
            approved_by.len() + 1,
            people(approved_by),
            moment(proposal.expires_at)
        ),
        Standing::Approved { by } if by.is_empty() => {
            let by = approved_elsewhere(proposal).unwrap_or("a trusted service");
            format!("approved by {}", code(by, 80))
        }
        Standing::Approved { by } => format!("approved by {}", people(by)),
        Standing::Denied { by } => format!("denied by {}", escaped(by.as_str(), 80)),
        Standing::Expired => "expired: nobody decided".to_owned(),
    }
}

fn people(people: &[PersonId]) -> String {
    joined(people.iter().map(PersonId::as_str), ", ", 80, 120)
}
