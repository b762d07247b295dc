//! What the chain keeps of an alert so that incidents can be made of it.

use serde::{Deserialize, Serialize};

use super::{
    link::{Link, LinkKind},
    links_of::links_of,
};
use crate::{
    alert::Alert,
    attack::{Tactic, tactics_of, technique_id},
    triage::{Assessment, Leaning, Reason},
    vendor::Vendor,
};

/// The most techniques kept.
pub(super) const TECHNIQUES_MAX: usize = 12;
/// The most titles of rules kept of one alert.
const REASONS_MAX: usize = 3;
/// The longest title, host name or device id, in characters.
pub(super) const TEXT_MAX: usize = 255;

/// The facts of one alert that decide where it belongs. People, paths and command lines are in it as
/// pseudonyms at most, so that it may stand in the chain, which is never erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseFacts {
    /// Who detected it.
    pub vendor: Vendor,
    /// The machine's name as sent, at most 255 characters of it.
    pub host: Option<String>,
    /// The vendor's id of the machine, at most 255 characters of it.
    pub device_id: Option<String>,
    /// What it may have in common with others; at most [`super::LINKS_MAX`].
    pub links: Vec<Link>,
    /// The tactics it speaks of, in the order of an attack.
    pub tactics: Vec<Tactic>,
    /// Ids of techniques, those of rules first; at most 12. A vendor's own words are left out.
    pub techniques: Vec<String>,
    /// Titles of the rules that argued for an attack, heaviest first; at most 3.
    pub reasons: Vec<String>,
}

impl CaseFacts {
    /// Reads the facts from an alert and what stage 1 said of it. `rule_tactics` are the tactics of
    /// the rules that matched; `pseudonym` is that of [`links_of`].
    pub fn of(
        alert: &Alert,
        assessment: &Assessment,
        rule_tactics: &[String],
        pseudonym: &dyn Fn(LinkKind, &str) -> u64,
    ) -> Self {
        let accusing = |reason: &&Reason| reason.leaning == Leaning::Malicious;
        let rules: Vec<&Reason> = assessment.reasons.iter().filter(accusing).collect();
        let of_rules: Vec<String> = rules
            .iter()
            .flat_map(|reason| reason.techniques.iter().cloned())
            .collect();
        let ids = of_rules.iter().chain(&alert.techniques);
        let mut techniques = Vec::new();
        add_distinct(
            &mut techniques,
            ids.filter_map(|text| technique_id(text)),
            TECHNIQUES_MAX,
        );
        Self {
            vendor: alert.vendor,
            host: alert.device.hostname.as_deref().map(clipped),
            device_id: alert.device.id.as_deref().map(clipped),
            links: links_of(alert, pseudonym),
            tactics: tactics_of(alert, rule_tactics, &of_rules),
            techniques,
            reasons: rules
                .iter()
                .take(REASONS_MAX)
                .map(|reason| clipped(&reason.title))
                .collect(),
        }
    }
}

/// The first [`TEXT_MAX`] characters.
pub(super) fn clipped(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

/// Adds what isn't there yet, as long as there is room.
pub(super) fn add_distinct<T: PartialEq>(
    list: &mut Vec<T>,
    more: impl IntoIterator<Item = T>,
    at_most: usize,
) {
    for item in more {
        if list.len() < at_most && !list.contains(&item) {
            list.push(item);
        }
    }
}
