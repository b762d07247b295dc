//! What a person may be to a tenant.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a person may be to one tenant. A role gives no right by itself: the policies say what it is
/// worth. The same person can have several, and others in another tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks at alerts.
    Analyst,
    /// Says yes or no to containment.
    Approver,
    /// Says yes alone, in an emergency.
    EmergencyApprover,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Analyst, Self::Approver, Self::EmergencyApprover];

    /// The name in policies, the journal and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Analyst => "analyst",
            Self::Approver => "approver",
            Self::EmergencyApprover => "emergency_approver",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a role is analyst, approver or emergency_approver")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let known = Self::ALL.into_iter().find(|known| known.as_str() == text);
        known.ok_or(UnknownRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_one_name_everywhere() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
            let json = serde_json::to_string(&role).unwrap();
            assert_eq!(json, format!("\"{role}\""));
        }
        for bad in ["", "Approver", "approver ", "admin"] {
            assert_eq!(bad.parse::<Role>(), Err(UnknownRole), "{bad}");
        }
    }
}
