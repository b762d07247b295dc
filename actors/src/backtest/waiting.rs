//! Alerts that were judged anew and wait for the entry that says how they were judged at the time.

use std::collections::{BTreeMap, HashMap};

use vyrox_domain::{
    action::ActionType, alert::Alert, ids::AlertId, time::Timestamp, triage::Assessment,
};

/// The most alerts that wait.
pub const WAITING_MAX: usize = 4_096;
/// The most bytes of their normal forms, together.
pub const WAITING_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// One of them.
pub(super) struct Waiting {
    pub(super) alert_id: AlertId,
    /// Where its entry stands.
    pub(super) seq: u64,
    pub(super) received_at: Timestamp,
    pub(super) host: Option<String>,
    /// Its normal form, and that one's length as the chain has it.
    pub(super) alert: Box<Alert>,
    pub(super) bytes: u64,
    /// What the changed rules say.
    pub(super) after: Assessment,
    /// What the playbooks propose then.
    pub(super) proposal_after: Vec<ActionType>,
}

/// Those that wait, bounded in number and in bytes. Verdicts come in about the order of the alerts, so
/// whatever is oldest when there is no room is one whose verdict is not there.
#[derive(Default)]
pub(super) struct WaitingRoom {
    by_seq: BTreeMap<u64, Box<Waiting>>,
    seqs: HashMap<AlertId, u64>,
    bytes: u64,
    evicted: u64,
}

impl WaitingRoom {
    pub(super) fn enter(&mut self, one: Waiting) {
        self.bytes = self.bytes.saturating_add(one.bytes);
        self.seqs.insert(one.alert_id, one.seq);
        self.by_seq.insert(one.seq, Box::new(one));
        while self.by_seq.len() > WAITING_MAX || self.bytes > WAITING_MAX_BYTES {
            let Some((_, oldest)) = self.by_seq.pop_first() else {
                return;
            };
            self.gone(&oldest);
            self.evicted = self.evicted.saturating_add(1);
        }
    }

    /// Lets the alert out, if it waits.
    pub(super) fn leave(&mut self, alert_id: AlertId) -> Option<Box<Waiting>> {
        let one = self.by_seq.remove(self.seqs.get(&alert_id)?)?;
        self.gone(&one);
        Some(one)
    }

    fn gone(&mut self, one: &Waiting) {
        self.seqs.remove(&one.alert_id);
        self.bytes = self.bytes.saturating_sub(one.bytes);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_seq.is_empty()
    }

    /// How many wait, and how long their normal forms are together.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, u64) {
        (self.by_seq.len(), self.bytes)
    }

    /// How many wait, and how many had to go before their verdict came up.
    pub(super) fn undecided(&self) -> u64 {
        let waiting = u64::try_from(self.by_seq.len()).unwrap_or(u64::MAX);
        waiting.saturating_add(self.evicted)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use vyrox_domain::{
        alert::Severity,
        triage::{Bands, assess},
        vendor::Vendor,
    };

    use super::*;

    fn one(n: u64, bytes: u64) -> Waiting {
        Waiting {
            alert_id: AlertId(Uuid::from_u64_pair(1, n)),
            seq: n,
            received_at: Timestamp::from_ms(n),
            host: None,
            alert: Box::new(Alert::bare(Vendor::Generic, n.to_string())),
            bytes,
            after: assess(Severity::Low, &[], Bands::default()),
            proposal_after: Vec::new(),
        }
    }

    fn id(n: u64) -> AlertId {
        AlertId(Uuid::from_u64_pair(1, n))
    }

    #[test]
    fn whoever_is_oldest_goes_when_there_are_too_many() {
        let mut room = WaitingRoom::default();
        let most = WAITING_MAX as u64;
        (0..most + 100).for_each(|n| room.enter(one(n, 1)));
        assert_eq!(
            (room.by_seq.len(), room.seqs.len()),
            (WAITING_MAX, WAITING_MAX)
        );
        assert_eq!((room.evicted, room.undecided()), (100, most + 100));
        assert!(room.leave(id(99)).is_none(), "it had to go");
        assert!(room.leave(id(100)).is_some_and(|one| one.seq == 100));
        assert!(room.leave(id(100)).is_none(), "it has left already");
    }

    #[test]
    fn a_few_long_ones_take_as_much_room_as_many() {
        let mut room = WaitingRoom::default();
        let third = WAITING_MAX_BYTES / 3;
        (0..9).for_each(|n| room.enter(one(n, third)));
        assert_eq!((room.by_seq.len(), room.bytes), (3, third * 3));
        room.enter(one(9, WAITING_MAX_BYTES + 1));
        assert!(room.is_empty() && room.seqs.is_empty() && room.bytes == 0);
        assert_eq!(room.undecided(), 10);
    }
}
