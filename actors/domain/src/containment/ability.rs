//! What is known of each action at each vendor before anything is sent.

use crate::{action::ActionType, playbook::possible, vendor::Vendor};

/// What an action at a vendor's API is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ability {
    /// Asking for it twice does no more than asking once.
    pub repeatable: bool,
    /// It can be taken back.
    pub reversible: bool,
}

/// What the action is like there; `None` where the vendor's API has no such action.
pub const fn ability(vendor: Vendor, action: ActionType) -> Option<Ability> {
    if !possible(vendor, action) {
        return None;
    }
    let ability = match action {
        ActionType::HostIsolation | ActionType::HashBlock => Ability {
            repeatable: true,
            reversible: true,
        },
        // A process id is used again, so a kill is asked for once only; what is running can be read.
        ActionType::ProcessKill => Ability {
            repeatable: false,
            reversible: false,
        },
        // SentinelOne's threat actions have a release for quarantined files, and none for the network.
        ActionType::NetworkQuarantine => Ability {
            repeatable: true,
            reversible: false,
        },
        ActionType::FileQuarantine => Ability {
            repeatable: true,
            reversible: matches!(vendor, Vendor::Sentinelone),
        },
    };
    Some(ability)
}
