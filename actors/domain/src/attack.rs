//! MITRE ATT&CK: tactics in the order of an attack, and which of them an alert speaks of.
//!
//! Names and ids of tactics and techniques are content of MITRE ATT&CK: © The MITRE Corporation.
//! This work is reproduced and distributed with the permission of The MITRE Corporation. ATT&CK is a
//! registered trademark of The MITRE Corporation.

mod table;

use serde::{Deserialize, Serialize};

use crate::alert::Alert;
pub use table::{
    is_technique_id, tactic_of_technique, tactics_of_technique, technique_id, technique_name,
};

/// An enterprise tactic. The order is that of an attack, as the matrix is read from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tactic {
    /// Looks around before anything happens.
    Reconnaissance,
    /// Makes ready what the attack needs.
    ResourceDevelopment,
    /// Gets a foot in.
    InitialAccess,
    /// Runs code.
    Execution,
    /// Stays through restarts.
    Persistence,
    /// Becomes more than it was.
    PrivilegeEscalation,
    /// Hides, or blinds those who look.
    DefenseEvasion,
    /// Takes names and passwords.
    CredentialAccess,
    /// Learns where it is.
    Discovery,
    /// Moves on to other machines.
    LateralMovement,
    /// Gathers what it came for.
    Collection,
    /// Talks to its master.
    CommandAndControl,
    /// Takes the loot out.
    Exfiltration,
    /// Breaks things.
    Impact,
}

/// The tactics that an alert speaks of, sorted and each once: those that the vendor names, those of
/// the rules that matched, and, for a technique none of whose tactics anybody named, its usual one.
///
/// `techniques` are those of the rules; the alert's own are looked at as well.
pub fn tactics_of(alert: &Alert, rule_tactics: &[String], techniques: &[String]) -> Vec<Tactic> {
    let mut named: Vec<Tactic> = alert
        .tactics
        .iter()
        .chain(rule_tactics)
        .filter_map(|text| Tactic::parse(text))
        .collect();
    let implied: Vec<Tactic> = alert
        .techniques
        .iter()
        .chain(techniques)
        .map(|technique| tactics_of_technique(technique))
        .filter(|usual| !usual.iter().any(|tactic| named.contains(tactic)))
        .filter_map(|usual| usual.first().copied())
        .collect();
    named.extend(implied);
    named.sort_unstable();
    named.dedup();
    named
}

impl Tactic {
    /// How many there are.
    pub const COUNT: usize = 14;

    /// Every tactic, in the order of an attack.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Reconnaissance,
        Self::ResourceDevelopment,
        Self::InitialAccess,
        Self::Execution,
        Self::Persistence,
        Self::PrivilegeEscalation,
        Self::DefenseEvasion,
        Self::CredentialAccess,
        Self::Discovery,
        Self::LateralMovement,
        Self::Collection,
        Self::CommandAndControl,
        Self::Exfiltration,
        Self::Impact,
    ];

    /// Reads a name in any case, its words parted by spaces, hyphens or underscores, or an id such as
    /// `TA0006`. The two tactics into which ATT&CK 19 split defense evasion are read as that. `None`
    /// for anything else, so for a vendor's own ids and words.
    pub fn parse(text: &str) -> Option<Self> {
        let word = folded(text)?;
        if matches!(word.as_str(), "stealth" | "defenseimpairment" | "ta0112") {
            return Some(Self::DefenseEvasion);
        }
        // British vendors and ATT&CK's own older texts.
        let word = word.replace("defence", "defense").replace('&', "and");
        Self::ALL.into_iter().find(|tactic| {
            folded(tactic.as_str()).is_some_and(|name| name == word)
                || tactic.id().eq_ignore_ascii_case(&word)
        })
    }

    /// The name in the journal and in rules, `credential-access`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reconnaissance => "reconnaissance",
            Self::ResourceDevelopment => "resource-development",
            Self::InitialAccess => "initial-access",
            Self::Execution => "execution",
            Self::Persistence => "persistence",
            Self::PrivilegeEscalation => "privilege-escalation",
            Self::DefenseEvasion => "defense-evasion",
            Self::CredentialAccess => "credential-access",
            Self::Discovery => "discovery",
            Self::LateralMovement => "lateral-movement",
            Self::Collection => "collection",
            Self::CommandAndControl => "command-and-control",
            Self::Exfiltration => "exfiltration",
            Self::Impact => "impact",
        }
    }

    /// ATT&CK's id, `TA0006`.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Reconnaissance => "TA0043",
            Self::ResourceDevelopment => "TA0042",
            Self::InitialAccess => "TA0001",
            Self::Execution => "TA0002",
            Self::Persistence => "TA0003",
            Self::PrivilegeEscalation => "TA0004",
            Self::DefenseEvasion => "TA0005",
            Self::CredentialAccess => "TA0006",
            Self::Discovery => "TA0007",
            Self::LateralMovement => "TA0008",
            Self::Collection => "TA0009",
            Self::CommandAndControl => "TA0011",
            Self::Exfiltration => "TA0010",
            Self::Impact => "TA0040",
        }
    }

    /// The name as people read it, `Credential Access`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reconnaissance => "Reconnaissance",
            Self::ResourceDevelopment => "Resource Development",
            Self::InitialAccess => "Initial Access",
            Self::Execution => "Execution",
            Self::Persistence => "Persistence",
            Self::PrivilegeEscalation => "Privilege Escalation",
            Self::DefenseEvasion => "Defense Evasion",
            Self::CredentialAccess => "Credential Access",
            Self::Discovery => "Discovery",
            Self::LateralMovement => "Lateral Movement",
            Self::Collection => "Collection",
            Self::CommandAndControl => "Command and Control",
            Self::Exfiltration => "Exfiltration",
            Self::Impact => "Impact",
        }
    }
}

/// The longest text that can be a tactic's name, with room for blanks around it.
const NAME_MAX_BYTES: usize = 64;

/// The text in lower case without what parts its words; `None` where it is too long to be a name.
fn folded(text: &str) -> Option<String> {
    (text.len() <= NAME_MAX_BYTES).then(|| {
        text.chars()
            .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '_'))
            .map(|c| c.to_ascii_lowercase())
            .collect()
    })
}

#[cfg(test)]
mod tests;
