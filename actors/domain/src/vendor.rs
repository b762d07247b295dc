//! Whose alert it is.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A source of alerts, as it stands in `/webhook/{vendor}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// CrowdStrike Falcon.
    Crowdstrike,
    /// SentinelOne Singularity.
    Sentinelone,
    /// Microsoft Defender for Endpoint.
    Defender,
    /// Anything that can send the documented generic form.
    Generic,
}

impl Vendor {
    /// Every vendor, in the order of the documentation.
    pub const ALL: [Self; 4] = [
        Self::Crowdstrike,
        Self::Sentinelone,
        Self::Defender,
        Self::Generic,
    ];

    /// The name in URLs, configuration and the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crowdstrike => "crowdstrike",
            Self::Sentinelone => "sentinelone",
            Self::Defender => "defender",
            Self::Generic => "generic",
        }
    }
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No such vendor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a vendor is one of crowdstrike, sentinelone, defender, generic")]
pub struct UnknownVendor;

impl FromStr for Vendor {
    type Err = UnknownVendor;

    fn from_str(text: &str) -> Result<Self, UnknownVendor> {
        Self::ALL
            .into_iter()
            .find(|vendor| vendor.as_str() == text)
            .ok_or(UnknownVendor)
    }
}
