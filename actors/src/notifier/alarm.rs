//! One use of pager and mail: which of them it takes, and how each stands.

use vyrox_domain::{
    sla::{self, FallbackReason, Via},
    time::Timestamp,
    triage::Verdict,
};

/// One use.
#[derive(Debug)]
pub(super) struct Alarm {
    pub(super) level: Verdict,
    pub(super) reason: FallbackReason,
    /// From here on no way is tried again if another one reached somebody (or, for the end of an approval,
    /// in any case).
    good_until: Timestamp,
    legs: Vec<Leg>,
    /// No further call is made.
    over: bool,
}

/// One of its ways.
#[derive(Debug)]
struct Leg {
    via: Via,
    standing: Standing,
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Waiting,
    Calling,
    Reached,
    Failed,
}

impl Leg {
    const fn new(via: Via) -> Self {
        Self {
            via,
            standing: Standing::Waiting,
            failures: 0,
        }
    }
}

/// How one of its calls ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Reached,
    /// It will never work.
    Refused,
    /// It may work later.
    Unavailable,
}

impl Alarm {
    pub(super) fn new(
        level: Verdict,
        reason: FallbackReason,
        good_until: Timestamp,
        vias: &[Via],
    ) -> Self {
        Self {
            level,
            reason,
            good_until,
            legs: vias.iter().copied().map(Leg::new).collect(),
            over: false,
        }
    }

    /// People count as told by it.
    pub(super) fn tells(&self) -> bool {
        let (via, failed) = self.outcome();
        match self.reason {
            FallbackReason::ApprovalExpired
            | FallbackReason::OutcomeUnknown
            | FallbackReason::NotDone
            | FallbackReason::ReleaseFailed
            | FallbackReason::HoldEnded
            | FallbackReason::Drifted
            | FallbackReason::ClockJumped => !via.is_empty(),
            FallbackReason::ChatUnavailable
            | FallbackReason::NoChat
            | FallbackReason::ChatRefused => sla::tells(self.level, &via, &failed),
        }
    }

    /// Another way is taken too.
    pub(super) fn add(&mut self, via: Via) {
        if self.leg(via).is_none() {
            self.legs.push(Leg::new(via));
        }
    }

    /// Whether another of its kind may take its place: nothing is under way, and its time is over.
    pub(super) fn is_past(&self, now: Timestamp) -> bool {
        self.is_settled() && self.good_until <= now
    }

    /// It was given up, for chat was in time after all or another way was enough.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    /// Nothing waits and nothing is under way.
    pub(super) fn is_settled(&self) -> bool {
        self.legs
            .iter()
            .all(|leg| matches!(leg.standing, Standing::Reached | Standing::Failed))
    }

    /// A call by this way begins; false if none is to be made.
    pub(super) fn begin(&mut self, via: Via) -> bool {
        match self.leg(via) {
            Some(leg) if leg.standing == Standing::Waiting => {
                leg.standing = Standing::Calling;
                true
            }
            _ => false,
        }
    }

    /// A call by this way ended. The number of failures in a row if it is to be tried again.
    pub(super) fn end(&mut self, via: Via, ended: Ended, now: Timestamp) -> Option<u32> {
        let leg = self.leg(via)?;
        leg.standing = match ended {
            Ended::Reached => Standing::Reached,
            Ended::Refused => Standing::Failed,
            Ended::Unavailable => {
                leg.failures = leg.failures.saturating_add(1);
                Standing::Waiting
            }
        };
        let failures = leg.failures;
        let once = self.reason == FallbackReason::ApprovalExpired || self.reason.is_call();
        let enough = self.tells() || once;
        if self.over || (enough && now >= self.good_until) {
            self.give_up();
        }
        let waits = self
            .leg(via)
            .is_some_and(|leg| leg.standing == Standing::Waiting);
        waits.then_some(failures)
    }

    /// No further call is made; one that is under way may still end.
    pub(super) fn give_up(&mut self) {
        self.over = true;
        for leg in &mut self.legs {
            if leg.standing == Standing::Waiting {
                leg.standing = Standing::Failed;
            }
        }
    }

    /// The ways that reached somebody, and those that did not.
    pub(super) fn outcome(&self) -> (Vec<Via>, Vec<Via>) {
        let (reached, failed): (Vec<_>, Vec<_>) = self
            .legs
            .iter()
            .partition(|leg| leg.standing == Standing::Reached);
        let vias = |legs: Vec<&Leg>| legs.iter().map(|leg| leg.via).collect();
        (vias(reached), vias(failed))
    }

    /// Its ways.
    pub(super) fn vias(&self) -> Vec<Via> {
        self.legs.iter().map(|leg| leg.via).collect()
    }

    fn leg(&mut self, via: Via) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.via == via)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_s(1_000);
    const LATER: Timestamp = Timestamp::from_s(2_000);

    fn alarm() -> Alarm {
        let vias = [Via::Pager, Via::Mail];
        Alarm::new(Verdict::High, FallbackReason::ChatUnavailable, LATER, &vias)
    }

    #[test]
    fn a_way_that_failed_is_tried_again_until_another_was_enough() {
        let mut alarm = alarm();
        assert!(alarm.begin(Via::Pager) && !alarm.begin(Via::Pager));
        assert_eq!(alarm.end(Via::Pager, Ended::Unavailable, LATER), Some(1));
        assert!(alarm.begin(Via::Mail) && alarm.begin(Via::Pager));
        assert_eq!(alarm.end(Via::Mail, Ended::Reached, NOW), None);
        assert_eq!(alarm.end(Via::Pager, Ended::Unavailable, NOW), Some(2));
        assert!(alarm.tells() && !alarm.is_settled());
        assert!(alarm.begin(Via::Pager));
        assert_eq!(alarm.end(Via::Pager, Ended::Unavailable, LATER), None);
        assert!(alarm.is_settled());
        assert_eq!(alarm.outcome(), (vec![Via::Mail], vec![Via::Pager]));
    }

    #[test]
    fn mail_alone_does_not_tell_of_what_is_critical_where_there_is_a_pager() {
        let reason = FallbackReason::NoChat;
        let mut alarm = Alarm::new(Verdict::Critical, reason, LATER, &[Via::Pager, Via::Mail]);
        assert!(alarm.begin(Via::Pager) && alarm.begin(Via::Mail));
        alarm.end(Via::Mail, Ended::Reached, LATER);
        assert_eq!(alarm.end(Via::Pager, Ended::Unavailable, LATER), Some(1));
        assert!(!alarm.tells(), "the pager is tried on");
        assert!(alarm.begin(Via::Pager));
        alarm.end(Via::Pager, Ended::Reached, LATER);
        assert!(alarm.tells() && alarm.is_settled());
        let mut alarm = Alarm::new(Verdict::Critical, reason, LATER, &[Via::Mail]);
        assert!(alarm.begin(Via::Mail));
        alarm.end(Via::Mail, Ended::Reached, NOW);
        assert!(alarm.tells(), "there is no pager");
    }

    #[test]
    fn what_is_refused_is_not_tried_again() {
        let mut alarm = alarm();
        assert!(alarm.begin(Via::Pager) && alarm.begin(Via::Mail));
        assert_eq!(alarm.end(Via::Pager, Ended::Refused, NOW), None);
        assert_eq!(alarm.end(Via::Mail, Ended::Refused, NOW), None);
        assert!(alarm.is_settled() && !alarm.tells());
    }
}
