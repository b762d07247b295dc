//! Stage-1 scoring: what the rules said about an alert becomes a score, a band and a verdict.
//!
//! The arithmetic is integers only, in basis points (0..=10000), so that a verdict can be computed
//! again years later and come out the same:
//!
//! 1. Evidence adds up with diminishing returns (a noisy-or): of the doubt that is left, each
//!    malicious rule removes its weight's share. The vendor's severity counts as one more, bounded
//!    piece of evidence ([`severity_prior_bp`]).
//! 2. Benign patterns, added up the same way, are subtracted.
//! 3. Two floors stand under the subtraction. What rules of level high or critical established on
//!    their own can't be argued away, and an alert that its vendor calls critical is never closed by
//!    a benign pattern alone.
//! 4. The score falls into a band. Only rules can classify: without a malicious rule the highest
//!    band is [`Band::Stage2`], whatever the vendor's severity.
//! 5. What is left to stage 2 may be a false positive that is known: an override closes it before
//!    anybody else is asked, unless a strong rule spoke or the vendor calls the alert critical. It is
//!    no evidence and has no part in the score.

use serde::{Deserialize, Serialize};

use crate::alert::Severity;

/// Certainty, in basis points.
const FULL_BP: u16 = 10_000;

/// What a stage-2 verdict of stage 1 alone is worth: as much as the toss of a coin.
const UNDECIDED_BP: u16 = 5_000;

/// Scores one alert. The order of `hits` has no influence; weights above 10000 count as 10000.
pub fn assess(severity: Severity, hits: &[RuleHit], bands: Bands) -> Assessment {
    let score_bp = score(severity, hits, bands);
    let band = bands.place(score_bp, spoke(hits, Leaning::Malicious));
    if let (Band::Stage2, Some(confidence_bp)) = (band, known_false_positive(severity, hits)) {
        return Assessment {
            verdict: Verdict::Benign,
            confidence_bp,
            score_bp,
            band: Band::Closed,
            reasons: reasons(hits),
        };
    }
    Assessment {
        verdict: verdict(band, hits),
        confidence_bp: match band {
            Band::Closed => FULL_BP.saturating_sub(score_bp),
            Band::Stage2 => UNDECIDED_BP,
            Band::Classified => score_bp,
        },
        score_bp,
        band,
        reasons: reasons(hits),
    }
}

/// What the alert is held to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// Act at once.
    Critical,
    /// Act soon.
    High,
    /// A person or stage 2 must look.
    Medium,
    /// Noise with a trace of suspicion; closed.
    Low,
    /// Known-good activity; closed.
    Benign,
}

impl Verdict {
    /// How bad, from 0 (benign) to 4 (critical).
    pub const fn rank(self) -> u8 {
        match self {
            Self::Critical => 4,
            Self::High => 3,
            Self::Medium => 2,
            Self::Low => 1,
            Self::Benign => 0,
        }
    }

    /// The name in the API, the journal and on screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "CRITICAL",
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
            Self::Benign => "BENIGN",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which way a rule argues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leaning {
    /// For an attack.
    Malicious,
    /// For known-good activity.
    Benign,
}

/// Sigma's levels, from harmless to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth noting.
    Informational,
    /// Rarely an attack.
    Low,
    /// Suspicious.
    Medium,
    /// An attack unless explained.
    High,
    /// An attack.
    Critical,
}

/// One rule that matched an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleHit {
    /// The rule's id, unique in its set.
    pub rule_id: String,
    /// The rule's title.
    pub title: String,
    /// Which way it argues.
    pub leaning: Leaning,
    /// How bad it is if the rule is right.
    pub level: Level,
    /// How much it says, in basis points; of an override, how sure it is.
    pub weight_bp: u16,
    /// It knows a false positive: benign, no part of the score, and it speaks before stage 2 does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overrides: bool,
    /// ATT&CK tactics of the rule (`credential-access`).
    pub tactics: Vec<String>,
    /// ATT&CK techniques of the rule (`T1003.001`).
    pub techniques: Vec<String>,
    /// Names of the alert's fields that matched (`process.command_line`); never their values.
    pub matched: Vec<String>,
}

impl RuleHit {
    /// Whether no benign pattern may outvote this hit.
    fn is_strong(&self) -> bool {
        self.leaning == Leaning::Malicious && self.level >= Level::High
    }

    /// Whether it takes something off the score.
    fn is_benign_evidence(&self) -> bool {
        self.leaning == Leaning::Benign && !self.overrides
    }

    fn is_override(&self) -> bool {
        self.leaning == Leaning::Benign && self.overrides
    }
}

/// Where the score's bands lie. Up to `closed_to_bp` an alert is closed, from `classified_from_bp`
/// the rules' word stands, between them stage 2 decides. Where the two overlap, classified wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bands {
    /// The highest score that is closed.
    pub closed_to_bp: u16,
    /// The lowest score that is classified.
    pub classified_from_bp: u16,
}

impl Default for Bands {
    fn default() -> Self {
        Self {
            closed_to_bp: 2_500,
            classified_from_bp: 8_500,
        }
    }
}

impl Bands {
    const fn place(self, score_bp: u16, malicious: bool) -> Band {
        if malicious && score_bp >= self.classified_from_bp {
            Band::Classified
        } else if score_bp <= self.closed_to_bp {
            Band::Closed
        } else {
            Band::Stage2
        }
    }
}

/// The band that a score fell into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    /// Closed as low or benign.
    Closed,
    /// Undecided; stage 2 or a person decides.
    Stage2,
    /// The rules decided.
    Classified,
}

/// Why: one rule that spoke, as it is shown and journaled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule's id.
    pub rule_id: String,
    /// The rule's title.
    pub title: String,
    /// Which way it argued.
    pub leaning: Leaning,
    /// How much it said, in basis points.
    pub weight_bp: u16,
    /// Its level.
    pub level: Level,
    /// Its ATT&CK techniques.
    pub techniques: Vec<String>,
    /// Names of the alert's fields that matched.
    pub matched: Vec<String>,
}

/// The outcome of stage 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// What the alert is held to be.
    pub verdict: Verdict,
    /// How sure that is, in basis points: the score where classified, its complement where closed (the
    /// override's weight where one closed it), 5000 between.
    pub confidence_bp: u16,
    /// The computed score, in basis points.
    pub score_bp: u16,
    /// The band of the score; closed, whatever the score, where an override spoke.
    pub band: Band,
    /// Every rule that spoke, heaviest first, then by id.
    pub reasons: Vec<Reason>,
}

/// What the vendor's severity is worth on its own, in basis points; never more than 5000.
///
/// An alert of unknown severity is not a harmless one: it goes to stage 2 like a medium one.
pub const fn severity_prior_bp(severity: Severity) -> u16 {
    match severity {
        Severity::Informational => 500,
        Severity::Low => 1_500,
        Severity::Unknown | Severity::Medium => 3_000,
        Severity::High => 4_000,
        Severity::Critical => 5_000,
    }
}

/// How sure the surest override is, if one may speak. What rules established, and what its vendor calls
/// critical, is no false positive that could be known beforehand.
fn known_false_positive(severity: Severity, hits: &[RuleHit]) -> Option<u16> {
    let may_speak = match severity {
        Severity::Critical => false,
        Severity::Unknown
        | Severity::Informational
        | Severity::Low
        | Severity::Medium
        | Severity::High => !hits.iter().any(RuleHit::is_strong),
    };
    let surest = weights(hits, RuleHit::is_override).into_iter().max();
    surest
        .filter(|_| may_speak)
        .map(|weight| weight.min(FULL_BP))
}

fn score(severity: Severity, hits: &[RuleHit], bands: Bands) -> u16 {
    let malicious = weights(hits, |hit| hit.leaning == Leaning::Malicious);
    let benign = noisy_or(weights(hits, RuleHit::is_benign_evidence));
    let established = noisy_or(weights(hits, RuleHit::is_strong));

    let prior = severity_prior_bp(severity);
    let suspicion = noisy_or(malicious.into_iter().chain([prior]).collect());
    let open = match severity {
        Severity::Critical => suspicion.min(bands.closed_to_bp.saturating_add(1)),
        Severity::Unknown
        | Severity::Informational
        | Severity::Low
        | Severity::Medium
        | Severity::High => 0,
    };
    suspicion.saturating_sub(benign).max(established).max(open)
}

fn weights(hits: &[RuleHit], which: impl Fn(&RuleHit) -> bool) -> Vec<u16> {
    hits.iter()
        .filter(|hit| which(hit))
        .map(|hit| hit.weight_bp)
        .collect()
}

/// Of the doubt that is left each weight removes its share, rounded in favour of suspicion. Sorted
/// first, so that the rounding doesn't depend on the order in which rules spoke.
fn noisy_or(mut weights: Vec<u16>) -> u16 {
    weights.sort_unstable();
    let doubt = weights.into_iter().fold(FULL_BP, |doubt, weight| {
        let kept = u32::from(FULL_BP.saturating_sub(weight));
        let product = u32::from(doubt).saturating_mul(kept);
        let left = product.checked_div(u32::from(FULL_BP)).unwrap_or(0);
        u16::try_from(left).unwrap_or(FULL_BP)
    });
    FULL_BP.saturating_sub(doubt)
}

fn spoke(hits: &[RuleHit], leaning: Leaning) -> bool {
    hits.iter().any(|hit| hit.leaning == leaning)
}

fn verdict(band: Band, hits: &[RuleHit]) -> Verdict {
    match band {
        Band::Stage2 => Verdict::Medium,
        Band::Closed if spoke(hits, Leaning::Benign) && !spoke(hits, Leaning::Malicious) => {
            Verdict::Benign
        }
        Band::Closed => Verdict::Low,
        Band::Classified => {
            let malicious = hits.iter().filter(|hit| hit.leaning == Leaning::Malicious);
            match malicious.map(|hit| hit.level).max() {
                Some(Level::Critical) => Verdict::Critical,
                Some(Level::High) => Verdict::High,
                Some(Level::Medium) => Verdict::Medium,
                Some(Level::Low | Level::Informational) | None => Verdict::Low,
            }
        }
    }
}

fn reasons(hits: &[RuleHit]) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = hits
        .iter()
        .map(|hit| Reason {
            rule_id: hit.rule_id.clone(),
            title: hit.title.clone(),
            leaning: hit.leaning,
            weight_bp: hit.weight_bp,
            level: hit.level,
            techniques: hit.techniques.clone(),
            matched: hit.matched.clone(),
        })
        .collect();
    reasons.sort_by(|a, b| {
        b.weight_bp
            .cmp(&a.weight_bp)
            .then_with(|| a.rule_id.cmp(&b.rule_id))
    });
    reasons
}

#[cfg(test)]
mod tests;
