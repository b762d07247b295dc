//! What became of an approved action, in one line for people. Chat, mail and pager say it in the same words;
//! each writes moments and a vendor's words in its own way.

use vyrox_domain::{
    action::OnExpiry,
    containment::{Manner, OutcomeKind, Stage},
    ids::ActionId,
    notice::{ActShown, Proposal},
    time::Timestamp,
};

/// How a medium writes what is not ours to word.
pub(super) struct Hand {
    /// A moment.
    pub(super) moment: fn(Timestamp) -> String,
    /// Text that came from elsewhere, or that is to be copied.
    pub(super) quote: fn(&str) -> String,
}

impl Hand {
    /// The line; `None` while nobody has approved it. What people have to act on is in capitals.
    pub(super) fn became(&self, proposal: &Proposal) -> Option<String> {
        let act = proposal.act.as_ref()?;
        let id = proposal.action_id;
        Some(match act.stage {
            Stage::Approved => "approved, and not begun yet".to_owned(),
            Stage::Withheld { why } => format!("WITHHELD: {why}; {}", self.retry(id)),
            Stage::Begun { manner } if manner.is_rehearsal() => "being rehearsed".to_owned(),
            Stage::Begun { .. } => format!("under way, begun {}", (self.moment)(act.since)),
            Stage::Undone { .. } => {
                format!("taken back {}{}", (self.moment)(act.since), self.read(act))
            }
            Stage::Done { outcome } => self
                .undoing(act, id)
                .or_else(|| self.no_longer(proposal, act))
                .unwrap_or_else(|| self.outcome(act, outcome, id)),
        })
    }

    /// It is being taken back, or that failed.
    fn undoing(&self, act: &ActShown, id: ActionId) -> Option<String> {
        let (_, stage) = act.undoing?;
        let failed = |how: String| {
            let command = (self.quote)(&format!("vyrox rollback {id}"));
            Some(format!("STILL IN FORCE: taking it back {how}; {command}"))
        };
        match stage {
            Stage::Approved | Stage::Begun { .. } => Some("being taken back".to_owned()),
            Stage::Withheld { why } => failed(format!("was withheld ({why})")),
            Stage::Done { outcome } => match outcome {
                OutcomeKind::Accepted => {
                    Some("being taken back: the host has yet to comply".to_owned())
                }
                OutcomeKind::Refused => failed("was refused by the vendor".to_owned()),
                OutcomeKind::Unreachable => failed("did not reach the vendor".to_owned()),
                OutcomeKind::Unknown => Some(
                    "UNKNOWN whether it was taken back: nobody can tell; look at the EDR"
                        .to_owned(),
                ),
                // What is seen is on the action itself, and a rehearsal changes nothing.
                OutcomeKind::Executed | OutcomeKind::AlreadySo | OutcomeKind::DryRun => None,
            },
            Stage::Undone { .. } => None,
        }
    }

    /// It is in force no more, or should not be.
    fn no_longer(&self, proposal: &Proposal, act: &ActShown) -> Option<String> {
        if act.drifted {
            return Some(format!("RELEASED BEHIND OUR BACK{}", self.read(act)));
        }
        if !act.hold_ended {
            return None;
        }
        Some(match proposal.on_expiry {
            OnExpiry::Lift => "its time is over: it is lifted".to_owned(),
            OnExpiry::Ask => {
                let id = proposal.action_id;
                let command = (self.quote)(&format!("vyrox rollback {id}"));
                format!("TIME OVER: keep it, or {command}")
            }
        })
    }

    fn outcome(&self, act: &ActShown, outcome: OutcomeKind, id: ActionId) -> String {
        let (at, read) = ((self.moment)(act.since), self.read(act));
        let did = if act.release.is_some() {
            "released"
        } else {
            "carried out"
        };
        match outcome {
            OutcomeKind::Executed => format!("{did} {at}{read}{}", self.until(act)),
            OutcomeKind::Accepted => format!(
                "taken by the vendor {at}; the host has yet to comply{read}{}",
                self.until(act)
            ),
            OutcomeKind::AlreadySo => format!("it was so before{read}; nothing was sent"),
            OutcomeKind::Refused => format!("REFUSED by the vendor {at}{}", self.why(act)),
            OutcomeKind::Unreachable => format!(
                "FAILED {at}: nothing reached the vendor{}; {}",
                self.why(act),
                self.retry(id)
            ),
            OutcomeKind::Unknown => {
                format!("UNKNOWN ({at}): nobody can tell whether it happened; look at the EDR")
            }
            OutcomeKind::DryRun => match act.manner {
                Some(Manner::NoCredentials) => {
                    "rehearsed: there are no credentials to send it with".to_owned()
                }
                Some(Manner::DryRun | Manner::Live) | None => {
                    "rehearsed: nothing was sent".to_owned()
                }
            },
        }
    }

    fn read(&self, act: &ActShown) -> String {
        let read = |word: &String| format!(", read back: {}", (self.quote)(word));
        act.observed.as_ref().map(read).unwrap_or_default()
    }

    fn until(&self, act: &ActShown) -> String {
        let until = |at| format!("; its time is over {}", (self.moment)(at));
        act.hold_ends_at.map(until).unwrap_or_default()
    }

    fn why(&self, act: &ActShown) -> String {
        let why = |text: &String| format!(" ({})", (self.quote)(text));
        act.why.as_ref().map(why).unwrap_or_default()
    }

    fn retry(&self, id: ActionId) -> String {
        let command = format!("vyrox action retry {id}");
        format!("{} drives it again", (self.quote)(&command))
    }
}

/// Who approved it where no person of ours did: a trusted service's `external:<name>`.
pub(super) fn approved_elsewhere(proposal: &Proposal) -> Option<&str> {
    proposal.act.as_ref()?.approved_by.as_deref()
}

#[cfg(test)]
mod tests;
