//! Made-up attacks, told as the alerts that an EDR would send: for demonstrations, drills and load.
//!
//! Everything here is a pure function of its arguments. Hosts, people and hashes are invented; the
//! addresses are from the ranges reserved for documentation.

use std::fmt;

use clap::ValueEnum;
use serde_json::Value;
use vyrox_domain::{time::Timestamp, vendor::Vendor};

mod lateral_chain;
mod payload;
mod sighting;
mod single;

pub use self::sighting::Sighting;

/// A story that can be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Scenario {
    /// Mimikatz reads the passwords out of LSASS
    Mimikatz,
    /// Ransomware deletes the shadow copies before it encrypts
    Ransomware,
    /// A macro starts an encoded PowerShell download cradle
    PowershellEncoded,
    /// `PsExec` reaches for the next server
    SentineloneLateral,
    /// A backup job copies files at night, and no more
    Benign,
    /// One intrusion in eight stages, from phishing to exfiltration
    LateralChain,
}

/// What tells one playing of a scenario from another.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// Unique to this playing; becomes part of every vendor's alert id.
    pub id: &'a str,
    /// When the (last) alert is raised.
    pub now: Timestamp,
    /// The tenant that it happens to.
    pub tenant: &'a str,
}

/// One alert, ready to be signed and sent.
#[derive(Clone, Debug, PartialEq)]
pub struct StagedAlert {
    /// Who is to have sent it.
    pub vendor: Vendor,
    /// A title for people who watch.
    pub title: &'static str,
    /// The body.
    pub body: Value,
}

impl Scenario {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 6] = [
        Self::Mimikatz,
        Self::Ransomware,
        Self::PowershellEncoded,
        Self::SentineloneLateral,
        Self::Benign,
        Self::LateralChain,
    ];

    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mimikatz => "mimikatz",
            Self::Ransomware => "ransomware",
            Self::PowershellEncoded => "powershell_encoded",
            Self::SentineloneLateral => "sentinelone_lateral",
            Self::Benign => "benign",
            Self::LateralChain => "lateral_chain",
        }
    }

    /// What happens in it.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Mimikatz => "Mimikatz reads the passwords out of LSASS on a workstation",
            Self::Ransomware => "ransomware deletes the shadow copies before it encrypts",
            Self::PowershellEncoded => "a macro starts an encoded PowerShell download cradle",
            Self::SentineloneLateral => "PsExec reaches for the next server",
            Self::Benign => "a backup job copies files at night, and no more",
            Self::LateralChain => "one intrusion in eight stages, from phishing to exfiltration",
        }
    }

    /// Whose EDR reports it, unless somebody wants another's.
    pub const fn vendor(self) -> Vendor {
        match self {
            Self::SentineloneLateral => Vendor::Sentinelone,
            _ => Vendor::Crowdstrike,
        }
    }

    /// What is seen, in order.
    pub const fn sightings(self) -> &'static [Sighting] {
        match self {
            Self::Mimikatz => &[single::MIMIKATZ],
            Self::Ransomware => &[single::RANSOMWARE],
            Self::PowershellEncoded => &[single::POWERSHELL_ENCODED],
            Self::SentineloneLateral => &[single::PSEXEC],
            Self::Benign => &[single::BACKUP],
            Self::LateralChain => &lateral_chain::STAGES,
        }
    }

    /// The alerts that `vendor` sends about it on one occasion. The stages of a longer story lie a
    /// minute apart and end at `occasion.now`.
    pub fn alerts(self, vendor: Vendor, occasion: Occasion<'_>) -> Vec<StagedAlert> {
        const STAGE_MS: u64 = 60_000;
        let sightings = self.sightings();
        let start_ms = occasion
            .now
            .ms()
            .saturating_sub(STAGE_MS * (sightings.len() as u64 - 1));
        let stage = |(index, sighting): (usize, &Sighting)| {
            let id = format!("{}-{}-{}", self.as_str(), occasion.id, index + 1);
            let now = Timestamp::from_ms(start_ms).plus_ms(STAGE_MS * index as u64);
            let stage = Occasion {
                id: &id,
                now,
                ..occasion
            };
            StagedAlert {
                vendor,
                title: sighting.title,
                body: payload::payload(vendor, sighting, stage),
            }
        };
        sightings.iter().enumerate().map(stage).collect()
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use vyrox_actors::rules::RuleSet;
    use vyrox_domain::{
        alert::Alert,
        prescan::account_of,
        triage::{Assessment, Bands, Verdict, assess},
        webhook::{
            AuthScheme, HeaderList, Keys, RawWebhook, SIGNATURE_HEADER, Secret, signature_of,
            verify,
        },
    };

    use super::*;

    fn occasion(id: &str) -> Occasion<'_> {
        Occasion {
            id,
            now: Timestamp::from_s(1_768_473_000),
            tenant: "acme",
        }
    }

    #[test]
    fn the_names_are_the_command_lines() {
        for scenario in Scenario::ALL {
            let name = scenario.to_possible_value().unwrap().get_name().to_owned();
            assert_eq!(name, scenario.as_str());
        }
        assert_eq!(Scenario::value_variants(), Scenario::ALL);
    }

    #[test]
    fn an_occasion_gives_the_same_bytes_each_time_and_other_ids_to_another() {
        for scenario in Scenario::ALL {
            for vendor in Vendor::ALL {
                let once = scenario.alerts(vendor, occasion("1"));
                assert_eq!(once, scenario.alerts(vendor, occasion("1")));
                assert_ne!(once, scenario.alerts(vendor, occasion("2")));
            }
        }
    }

    #[test]
    fn the_chain_has_eight_stages_a_minute_apart_and_eight_ids() {
        let alerts = Scenario::LateralChain.alerts(Vendor::Crowdstrike, occasion("x"));
        let ids: BTreeSet<_> = alerts
            .iter()
            .map(|alert| alert.body["detect_id"].to_string())
            .collect();
        assert_eq!(ids.len(), 8);
        let times: Vec<_> = alerts
            .iter()
            .filter_map(|alert| alert.body["timestamp"].as_u64())
            .collect();
        assert_eq!(times.first(), Some(&(1_768_473_000 - 7 * 60)));
        assert_eq!(times.last(), Some(&1_768_473_000));
        assert!(times.windows(2).all(|pair| pair[0] + 60 == pair[1]));
    }

    #[test]
    fn every_stage_says_enough_to_judge_it_by() {
        for scenario in Scenario::ALL {
            for sighting in scenario.sightings() {
                assert!(!sighting.command_line.is_empty(), "{}", sighting.title);
                assert!(
                    sighting.path.ends_with(sighting.image),
                    "{}",
                    sighting.title
                );
                assert!((1..=100).contains(&sighting.severity), "{}", sighting.title);
            }
        }
    }

    /// What stage 1 with the built-in rules makes of a staged alert, from the bytes on.
    fn judged(rules: &RuleSet, staged: &StagedAlert) -> Assessment {
        let body = staged.body.to_string();
        let secret = Secret::new(b"s3cret".to_vec());
        let signature = signature_of(&secret, body.as_bytes());
        let keys = Keys {
            scheme: AuthScheme::VyroxHmac,
            current: secret,
            previous: None,
        };
        let raw = RawWebhook {
            vendor: staged.vendor,
            body: body.as_bytes(),
            headers: &HeaderList(&[(SIGNATURE_HEADER, signature.as_bytes())]),
            now: Timestamp::from_s(1_768_473_000),
        };
        assert_eq!(
            account_of(staged.vendor, body.as_bytes())
                .unwrap()
                .as_deref(),
            Some("acme")
        );
        let verified = verify(raw, Some(&keys)).outcome.unwrap();
        let [alert] = Alert::parse(&verified).unwrap().try_into().unwrap();
        assert!(alert.device.id.is_some(), "no device to contain: {alert:?}");
        assess(alert.severity, &rules.evaluate(&alert), Bands::default())
    }

    #[test]
    fn each_single_story_gets_its_verdict_whoever_tells_it() {
        let rules = RuleSet::builtin().unwrap();
        let expected = [
            (Scenario::Mimikatz, &[Verdict::Critical][..]),
            (Scenario::Ransomware, &[Verdict::Critical]),
            (Scenario::PowershellEncoded, &[Verdict::High]),
            (Scenario::SentineloneLateral, &[Verdict::High]),
            (Scenario::Benign, &[Verdict::Low, Verdict::Benign]),
        ];
        for (scenario, verdicts) in expected {
            for vendor in Vendor::ALL {
                let [staged] = scenario.alerts(vendor, occasion("1")).try_into().unwrap();
                let found = judged(&rules, &staged);
                assert!(
                    verdicts.contains(&found.verdict),
                    "{scenario} by {vendor}: {found:?}"
                );
                assert!(!found.reasons.is_empty(), "{scenario} by {vendor}");
            }
        }
    }

    #[test]
    fn no_stage_of_the_chain_passes_for_harmless() {
        let rules = RuleSet::builtin().unwrap();
        for vendor in Vendor::ALL {
            for staged in Scenario::LateralChain.alerts(vendor, occasion("1")) {
                let found = judged(&rules, &staged);
                assert!(
                    !matches!(found.verdict, Verdict::Benign),
                    "{}: {found:?}",
                    staged.title
                );
                assert!(!found.reasons.is_empty(), "{} by {vendor}", staged.title);
            }
        }
    }
}
