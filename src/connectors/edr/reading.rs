//! What the vendors' answers have in common once they are read: the state of a host's network, and the mark
//! by which an action of ours is known again.

use vyrox_actors::edr::{EffectSeen, Reading};
use vyrox_domain::ids::ActionId;

use super::observed;

/// How a host stands to the network, as far as its EDR decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostLink {
    /// Cut off.
    Cut,
    /// To be cut off once the host hears of it.
    Cutting,
    /// To be let back once the host hears of it.
    Restoring,
    /// Not cut off.
    Whole,
}

impl HostLink {
    /// What that means for one who wants the host cut off, or, with `undo`, back. A change the other way
    /// that is under way does not stand in the way of ours: the vendor is asked and decides.
    pub(super) const fn effect(self, undo: bool) -> EffectSeen {
        match (self, undo) {
            (Self::Cut, false) | (Self::Whole, true) => EffectSeen::InEffect,
            (Self::Cutting, false) | (Self::Restoring, true) => EffectSeen::Pending,
            (Self::Whole | Self::Restoring, false) | (Self::Cut | Self::Cutting, true) => {
                EffectSeen::NotInEffect
            }
        }
    }
}

/// What was read, without a name of the vendor's for it.
pub(super) fn seen(effect: EffectSeen, word: &str) -> Reading {
    Reading {
        effect,
        observed: observed(word),
        reference: None,
        device: None,
    }
}

/// What stands in the comment or description of all that we make at a vendor.
pub(super) fn mark(action: ActionId) -> String {
    format!("Vyrox action {action}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_state_means_turns_round_for_an_undoing() {
        use EffectSeen::{InEffect, NotInEffect, Pending};
        for (link, wanted, undone) in [
            (HostLink::Cut, InEffect, NotInEffect),
            (HostLink::Cutting, Pending, NotInEffect),
            (HostLink::Restoring, NotInEffect, Pending),
            (HostLink::Whole, NotInEffect, InEffect),
        ] {
            assert_eq!(link.effect(false), wanted, "{link:?}");
            assert_eq!(link.effect(true), undone, "{link:?}");
        }
    }
}
