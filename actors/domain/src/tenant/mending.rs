//! A chain that was held goes on, and what was kept on others meanwhile is taken over, in order and
//! each entry once.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::TenantState;
use crate::protocol::{
    Event, Evidence, EvidenceLost, HeldReceipt, JournalRepaired, Refusal, SeqRun, TakeOver,
    TakeoverIncomplete,
};

/// What is still to be taken over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mending {
    /// The last repair that the chain has.
    pub repair_id: Option<Uuid>,
    /// The chains whose entries are not all taken over, the first one first.
    pub stand_ins: Vec<StandIn>,
    /// Every chain that a repair named as one that stood in. One that the journal has and that is not among
    /// them is still to be taken over, whichever repair it belonged to: the chain may have lost that one.
    #[serde(default)]
    pub stood_in: BTreeSet<String>,
    /// Those of them that could not be read to their end.
    #[serde(default)]
    pub incomplete: BTreeSet<String>,
    /// By chain, the entries that were taken over without their evidence, for it was damaged: whatever is left
    /// of it is there alone.
    #[serde(default)]
    pub damaged: BTreeMap<String, Vec<SeqRun>>,
}

impl Mending {
    fn note_damaged(&mut self, receipt: &HeldReceipt) {
        let runs = self.damaged.entry(receipt.chain.clone()).or_default();
        match runs.last_mut() {
            Some(run) if run.last_seq.checked_add(1) == Some(receipt.seq) => {
                run.last_seq = receipt.seq;
            }
            Some(_) | None => runs.push(SeqRun {
                first_seq: receipt.seq,
                last_seq: receipt.seq,
            }),
        }
    }
}

/// A chain that stood in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandIn {
    /// Its name.
    pub chain: String,
    /// Its first entry that may still be to be taken over.
    pub next: u64,
    /// How many are.
    pub left: u64,
    /// The last entry taken over that brought a body with it: its seq there, and its seq here. Other
    /// alerts of the same body point to it.
    pub body: Option<(u64, u64)>,
    /// Why that body did not come along.
    #[serde(default)]
    pub body_lost: Option<EvidenceLost>,
}

impl StandIn {
    /// Where evidence lies here that lay with entry `seq` there.
    pub fn place_of(&self, seq: u64) -> Option<u64> {
        self.body.filter(|(there, _)| *there == seq).map(|it| it.1)
    }
}

pub(super) fn note(
    state: &TenantState,
    repaired: Box<JournalRepaired>,
) -> Result<Vec<Event>, Refusal> {
    if state.mending.repair_id == Some(repaired.repair_id) {
        return Err(Refusal::NothingNew);
    }
    Ok(vec![Event::JournalRepaired(repaired)])
}

/// What was acknowledged counts, whatever the quota says by now.
pub(super) fn take_over(state: &TenantState, taken: TakeOver) -> Result<Vec<Event>, Refusal> {
    let first = state.mending.stand_ins.first();
    let is_next = |receipt: &HeldReceipt| {
        first.is_some_and(|first| first.chain == receipt.chain && receipt.seq >= first.next)
    };
    if !taken.held_receipt().is_some_and(is_next) {
        return Err(Refusal::NothingNew);
    }
    Ok(vec![match taken {
        TakeOver::Alert { alert_id, received } => Event::AlertReceived {
            alert_id,
            received: *received,
        },
        TakeOver::Rejected(rejected) => Event::IntakeRejected(rejected),
    }])
}

/// Nothing but what comes first may be left, so that the others follow in their order.
pub(super) fn leave(
    state: &TenantState,
    incomplete: TakeoverIncomplete,
) -> Result<Vec<Event>, Refusal> {
    let first = state.mending.stand_ins.first();
    if first.is_none_or(|first| first.chain != incomplete.chain) {
        return Err(Refusal::NothingNew);
    }
    Ok(vec![Event::TakeoverIncomplete(incomplete)])
}

pub(super) fn left(state: &mut TenantState, left: &TakeoverIncomplete) {
    let mending = &mut state.mending;
    mending.stand_ins.retain(|one| one.chain != left.chain);
    mending.incomplete.insert(left.chain.clone());
}

pub(super) fn repaired(state: &mut TenantState, repaired: &JournalRepaired) {
    let waiting = repaired.held.iter().filter(|held| held.waiting > 0);
    state.mending.repair_id = Some(repaired.repair_id);
    let named = repaired.held.iter().map(|held| held.chain.clone());
    state.mending.stood_in.extend(named);
    state.mending.stand_ins.extend(waiting.map(|held| StandIn {
        chain: held.chain.clone(),
        next: 0,
        left: held.waiting,
        body: None,
        body_lost: None,
    }));
}

pub(super) fn taken_over(
    state: &mut TenantState,
    (receipt, seq): (&HeldReceipt, u64),
    evidence: &[Evidence],
) {
    if receipt.evidence_lost == Some(EvidenceLost::Damaged) {
        state.mending.note_damaged(receipt);
    }
    let Some(first) = state.mending.stand_ins.first_mut() else {
        return;
    };
    first.next = receipt.seq.saturating_add(1);
    first.left = first.left.saturating_sub(1);
    if evidence.iter().all(|piece| piece.at_seq.is_none()) {
        first.body = Some((receipt.seq, seq));
        first.body_lost = receipt.evidence_lost;
    }
    if first.left == 0 {
        state.mending.stand_ins.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        digest::Digest,
        entry::Recorded,
        protocol::{Command, EvidenceKind, IntakeRejected, StoodIn},
        tenant::{apply, decide, replay},
        time::Timestamp,
        vendor::Vendor,
    };

    fn repaired(waiting: &[u64]) -> Command {
        let held = waiting.iter().enumerate().map(|(n, waiting)| StoodIn {
            chain: format!("acme+held-{n}"),
            seq: Some(100),
            hash: Some(Digest([7; 32])),
            waiting: *waiting,
        });
        Command::NoteRepair(Box::new(JournalRepaired {
            repair_id: Uuid::from_u128(1),
            from_seq: 3,
            restored: 2,
            loss_accepted: true,
            held: held.collect(),
            by: "api_token:bootstrap".into(),
        }))
    }

    fn kept(chain: usize, seq: u64) -> Command {
        let raw = Evidence {
            kind: EvidenceKind::Raw,
            sha256: Digest([1; 32]),
            length: 1 << 40,
            at_seq: None,
        };
        Command::TakeOver(TakeOver::Rejected(IntakeRejected {
            vendor: Vendor::Generic,
            detail: "no known shape".into(),
            reason: None,
            vendor_alert_ids: Vec::new(),
            evidence: vec![raw],
            held_receipt: Some(HeldReceipt {
                chain: format!("acme+held-{chain}"),
                seq,
                hash: Digest([9; 32]),
                evidence_lost: None,
            }),
        }))
    }

    /// Does what a machine does, and what a replay of its entries does; both come to the same state.
    fn run(commands: Vec<Command>) -> (TenantState, Vec<Result<usize, Refusal>>) {
        let (mut state, mut read) = (TenantState::default(), TenantState::default());
        let (now, kept_at) = (Timestamp::from_ms(9_000), Timestamp::from_ms(5));
        let mut answers = Vec::new();
        for command in commands {
            let at = match &command {
                Command::TakeOver(_) => kept_at,
                _ => now,
            };
            let decided = decide(&state, command, at);
            for event in decided.iter().flatten() {
                let entry = event.entry(at);
                let line = serde_json::json!({
                    "seq": state.next_seq, "event": entry.event, "event_version": 1,
                    "actor": entry.actor, "timestamp_ms": at, "payload": entry.payload,
                });
                apply(&mut state, event, at);
                let recorded = Recorded::parse(line.to_string().as_bytes()).expect("an entry");
                replay(&mut read, &recorded).expect("the next one");
            }
            answers.push(decided.map(|events| events.len()));
        }
        assert_eq!(state, read);
        (state, answers)
    }

    proptest! {
        /// Whatever is offered again after a crash, every kept entry is taken over once and in order.
        #[test]
        fn each_entry_is_taken_over_once(
            waiting in proptest::collection::vec(0_u64..4, 0..3),
            again in proptest::collection::vec(any::<bool>(), 12),
        ) {
            let mut commands = vec![repaired(&waiting), repaired(&waiting)];
            let mut wanted = vec![Ok(1), Err(Refusal::NothingNew)];
            let mut again = again.into_iter().cycle();
            for (chain, count) in waiting.iter().enumerate() {
                for n in 0..*count {
                    commands.push(kept(chain, 2 * n + 1));
                    wanted.push(Ok(1));
                    if again.next() == Some(true) {
                        commands.push(kept(chain, 2 * n + 1));
                        wanted.push(Err(Refusal::NothingNew));
                    }
                }
            }
            commands.push(kept(0, 99));
            wanted.push(Err(Refusal::NothingNew));
            let (state, answers) = run(commands);
            prop_assert_eq!(answers, wanted);
            prop_assert!(state.mending.stand_ins.is_empty());
            prop_assert_eq!(state.counts.rejected, waiting.iter().sum::<u64>());
            prop_assert_eq!(state.last_at, Some(Timestamp::from_ms(9_000)));
        }
    }

    /// A chain that stood in could not be read: those behind it never had their turn.
    #[test]
    fn what_cannot_be_read_is_left_and_the_next_chain_has_its_turn() {
        let leave = |chain: usize| {
            Command::LeaveStandIn(TakeoverIncomplete {
                chain: format!("acme+held-{chain}"),
                missing: 1,
                from_seq: Some(2),
            })
        };
        let (state, answers) = run(vec![
            repaired(&[2, 1]),
            leave(1),
            kept(0, 1),
            leave(0),
            leave(0),
            kept(0, 2),
            kept(1, 1),
        ]);
        let no = || Err(Refusal::NothingNew);
        assert_eq!(answers, [Ok(1), no(), Ok(1), Ok(1), no(), no(), Ok(1)]);
        assert!(state.mending.stand_ins.is_empty());
        let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>();
        assert_eq!(names(&state.mending.incomplete), ["acme+held-0"]);
        assert_eq!(
            names(&state.mending.stood_in),
            ["acme+held-0", "acme+held-1"]
        );
    }

    #[test]
    fn it_is_known_whose_evidence_is_nowhere_else() {
        let damaged = |seq: u64, lost| {
            let mut command = kept(0, seq);
            if let Command::TakeOver(TakeOver::Rejected(rejected)) = &mut command {
                let receipt = rejected.held_receipt.as_mut().expect("a receipt");
                receipt.evidence_lost = lost;
            }
            command
        };
        let bad = Some(EvidenceLost::Damaged);
        let (state, _) = run(vec![
            repaired(&[6]),
            damaged(1, bad),
            damaged(2, bad),
            damaged(3, None),
            damaged(4, Some(EvidenceLost::Erased)),
            damaged(5, bad),
        ]);
        let runs = state.mending.damaged.get("acme+held-0");
        assert_eq!(runs, Some(&SeqRun::of([1, 2, 5])));
    }

    #[test]
    fn the_place_of_a_body_is_known_while_its_alerts_are_taken_over() {
        let (state, _) = run(vec![repaired(&[2]), kept(0, 4)]);
        let stand_in = state.mending.stand_ins.first().expect("one is left");
        assert_eq!(stand_in.place_of(4), Some(1));
        assert_eq!(stand_in.place_of(3), None);
        assert_eq!((stand_in.next, stand_in.left), (5, 1));
    }
}
