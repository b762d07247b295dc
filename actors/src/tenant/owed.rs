//! What stage 1 owes a machine, and whether an answer was lost on the way.
//!
//! Stage 1 works in the order in which it was asked. So an alert whose later neighbour was answered
//! has been lost (it brought the engine down, or found no room) and is asked about again, alone; one
//! that is lost time and again is hopeless, and left to people. Stage 1 mostly says so sooner, when it
//! sets the alert aside. When it says nothing at all for a while, everything that it was asked counts
//! as lost.

use std::collections::{HashMap, VecDeque};

use vyrox_domain::ids::AlertId;

/// Alerts whose evidence is read in one go.
const CHUNK: usize = 64;
/// How often an alert may be lost.
const LOST_MAX: u32 = 3;
/// Sweeps without any answer after which everything asked counts as lost.
const SILENCE: u32 = 20;

/// An alert and the place of its entry.
pub(super) type Case = (AlertId, u64);

/// The ledger.
#[derive(Default)]
pub(super) struct Owed {
    /// Not asked about yet, or lost and to be asked about again.
    backlog: VecDeque<(Case, u32)>,
    asked: HashMap<AlertId, Asked>,
    /// Asked about from evidence, or about to be; the next chunk waits for these.
    from_evidence: usize,
    order: u64,
    answered: u64,
    silent: u32,
}

struct Asked {
    seq: u64,
    /// Its evidence is read, if that was needed.
    sent: bool,
    /// Among the questions that were sent.
    order: u64,
    sweeps: u32,
    lost: u32,
    from_evidence: bool,
}

impl Owed {
    /// Begins with alerts that the chain says are owed.
    pub(super) fn new(cases: impl IntoIterator<Item = Case>) -> Self {
        Self {
            backlog: cases.into_iter().map(|case| (case, 0)).collect(),
            ..Self::default()
        }
    }

    /// An alert is on its way to stage 1 with its normal form.
    pub(super) fn handed(&mut self, case: Case) {
        self.ask(case, 0, false);
    }

    /// Stage 1 has answered. The ledger may then have a next chunk.
    pub(super) fn answered(&mut self, alert_id: AlertId) {
        if let Some(asked) = self.asked.remove(&alert_id) {
            self.answered = self.answered.max(asked.order);
            self.from_evidence -= usize::from(asked.from_evidence);
        }
        self.silent = 0;
    }

    /// Whose evidence to read next, to ask about it then: nothing while such a question is open. What
    /// was lost before comes alone.
    pub(super) fn next(&mut self) -> Vec<Case> {
        if self.from_evidence > 0 {
            return Vec::new();
        }
        let mut chunk = Vec::new();
        while let Some((case, lost)) = self.backlog.pop_front() {
            if lost > 0 && !chunk.is_empty() {
                self.backlog.push_front((case, lost));
                break;
            }
            self.ask(case, lost, true);
            chunk.push(case);
            if lost > 0 || chunk.len() >= CHUNK {
                break;
            }
        }
        chunk
    }

    /// The evidence is read and the question is on its way. False if it is no longer open.
    pub(super) fn sent(&mut self, alert_id: AlertId) -> bool {
        self.order = self.order.saturating_add(1);
        let order = self.order;
        let asked = self.asked.get_mut(&alert_id).filter(|asked| !asked.sent);
        asked
            .map(|asked| (asked.sent, asked.order) = (true, order))
            .is_some()
    }

    /// There was no room for this question; it comes again.
    pub(super) fn refused(&mut self, case: Case) {
        if let Some(asked) = self.asked.remove(&case.0) {
            self.from_evidence -= usize::from(asked.from_evidence);
            self.backlog.push_front((case, asked.lost));
        }
    }

    /// Finds what was lost; gives back what is hopeless. Called about once a second; `fell` says that
    /// stage 1 has come back from a fall since the last time. What lies beyond the `durable` seq was
    /// not sent yet, whatever came after it.
    pub(super) fn sweep(&mut self, fell: bool, durable: Option<u64>) -> Vec<AlertId> {
        self.silent = if self.asked.is_empty() {
            0
        } else {
            self.silent.saturating_add(1)
        };
        let silent = self.silent >= SILENCE;
        let answered = self.answered;
        // Two sweeps, as an answer may be on its way, and a fresh alert not yet durable.
        let patience = if fell { 1 } else { 2 };
        let mut lost: Vec<AlertId> = Vec::new();
        for (alert_id, asked) in &mut self.asked {
            if !asked.sent || Some(asked.seq) > durable {
                continue;
            }
            asked.sweeps = asked.sweeps.saturating_add(1);
            if silent || (asked.order < answered && asked.sweeps >= patience) {
                lost.push(*alert_id);
            }
        }
        if fell && lost.is_empty() {
            lost.extend(self.in_hand(durable));
        }
        let mut hopeless = Vec::new();
        for alert_id in lost {
            let Some(asked) = self.asked.remove(&alert_id) else {
                continue;
            };
            self.from_evidence -= usize::from(asked.from_evidence);
            let times = asked.lost.saturating_add(1);
            if times >= LOST_MAX {
                hopeless.push(alert_id);
            } else {
                self.backlog.push_back(((alert_id, asked.seq), times));
            }
        }
        hopeless
    }

    /// What stage 1 had in hand when it fell, if nothing was answered since: the oldest question.
    fn in_hand(&self, durable: Option<u64>) -> Option<AlertId> {
        let sent = self.asked.iter();
        let sent = sent.filter(|(_, asked)| asked.sent && Some(asked.seq) <= durable);
        let oldest = sent.min_by_key(|(_, asked)| asked.order);
        oldest.map(|(alert_id, _)| *alert_id)
    }

    fn ask(&mut self, (alert_id, seq): Case, lost: u32, from_evidence: bool) {
        self.order = self.order.saturating_add(1);
        let asked = Asked {
            seq,
            sent: !from_evidence,
            order: self.order,
            sweeps: 0,
            lost,
            from_evidence,
        };
        let before = self.asked.insert(alert_id, asked);
        self.from_evidence += usize::from(from_evidence);
        self.from_evidence -= usize::from(before.is_some_and(|asked| asked.from_evidence));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    /// Everything is durable.
    const ALL: Option<u64> = Some(u64::MAX);

    #[test]
    fn what_is_not_durable_yet_is_not_lost() {
        let mut owed = Owed::default();
        (0..3).for_each(|n| owed.handed(case(n)));
        owed.answered(case(2).0);
        for _ in 0..SILENCE * 2 {
            assert!(owed.sweep(true, None).is_empty());
        }
        assert!(owed.next().is_empty(), "none of them was sent");
        assert!(owed.sweep(false, Some(0)).is_empty());
        assert_eq!(owed.next(), [case(0)], "only this one was");
    }

    /// The next chunk, read and asked about.
    fn ask_next(owed: &mut Owed) -> Vec<Case> {
        let chunk = owed.next();
        assert!(chunk.iter().all(|case| owed.sent(case.0)), "{chunk:?}");
        chunk
    }

    #[test]
    fn a_slow_disk_is_not_taken_for_a_lost_answer() {
        let mut owed = Owed::new((0..2).map(case));
        let chunk = owed.next();
        owed.handed(case(2));
        owed.answered(case(2).0);
        for fell in [true, false].repeat(SILENCE as usize) {
            assert!(owed.sweep(fell, ALL).is_empty());
            assert!(owed.next().is_empty(), "both are still being read");
        }
        owed.answered(chunk[0].0);
        assert!(
            !owed.sent(chunk[0].0),
            "answered by somebody else meanwhile"
        );
        assert!(owed.sent(chunk[1].0) && !owed.sent(chunk[1].0), "once");
        assert!(owed.sweep(false, ALL).is_empty());
        owed.refused(chunk[1]);
        assert_eq!(owed.next(), [chunk[1]], "there was no room for it");
    }

    fn case(n: u8) -> Case {
        (AlertId(Uuid::from_bytes([n; 16])), u64::from(n))
    }

    #[test]
    fn a_backlog_is_worked_off_chunk_by_chunk() {
        let mut owed = Owed::new((0..100).map(case));
        let first = ask_next(&mut owed);
        assert_eq!(first.len(), CHUNK);
        assert!(owed.next().is_empty(), "the first chunk is still open");
        for case in &first {
            owed.answered(case.0);
        }
        assert_eq!(owed.next().len(), 100 - CHUNK);
    }

    #[test]
    fn an_alert_that_brings_stage_1_down_takes_no_other_along() {
        let poison = case(3).0;
        let mut owed = Owed::new((0..10).map(case));
        let (mut answered, mut hopeless) = (0, Vec::new());
        for _ in 0..500 {
            let chunk = ask_next(&mut owed);
            // The engine falls over the poison, and the next generation finds the others in its queue.
            for case in chunk.iter().filter(|case| case.0 != poison) {
                owed.answered(case.0);
                answered += 1;
            }
            hopeless.extend(owed.sweep(true, ALL));
        }
        assert_eq!((answered, hopeless), (9, vec![poison]));
    }

    #[test]
    fn a_slow_stage_1_loses_nothing() {
        let mut owed = Owed::default();
        (0..200).for_each(|n| owed.handed(case(n)));
        for n in 0..200 {
            for _ in 0..SILENCE - 1 {
                assert!(owed.sweep(false, ALL).is_empty());
            }
            owed.answered(case(n).0);
            assert!(owed.next().is_empty(), "{n} was taken for lost");
        }
    }

    #[test]
    fn a_fall_costs_one_sweep_and_no_neighbour() {
        let mut owed = Owed::default();
        (0..5).for_each(|n| owed.handed(case(n)));
        assert!(owed.sweep(true, ALL).is_empty());
        assert_eq!(owed.next(), [case(0)], "the oldest was in hand");
        assert!(owed.next().is_empty());
    }

    proptest! {
        /// Whatever gets lost, every alert is answered or given up in the end, and given up only
        /// after it was lost as often as it may be.
        #[test]
        fn nothing_is_forgotten(lossy in proptest::collection::vec(any::<bool>(), 1..400)) {
            let mut owed = Owed::new((0..40).map(case));
            (40..60).for_each(|n| owed.handed(case(n)));
            let mut open: HashMap<AlertId, u32> = (0..60).map(|n| (case(n).0, 0)).collect();
            let mut luck = lossy.iter().cycle();
            for _ in 0..6000 {
                for (alert_id, _) in ask_next(&mut owed) {
                    if *luck.next().expect("endless") {
                        owed.answered(alert_id);
                        open.remove(&alert_id);
                    } else if let Some(lost) = open.get_mut(&alert_id) {
                        *lost += 1;
                    }
                }
                for alert_id in owed.sweep(false, ALL) {
                    let lost = open.remove(&alert_id);
                    prop_assert!(lost.is_some_and(|lost| lost + 1 >= LOST_MAX));
                }
            }
            prop_assert!(open.is_empty(), "{} left", open.len());
        }
    }
}
