//! Evidence that was taken over, where it was kept.

use std::{fs, path::PathBuf};

use vyrox_domain::protocol::SeqRun;

use super::*;
use crate::{erasing::carry_out, mending::may_hold};

impl Ground {
    fn store(&self, chain: &str) -> PathBuf {
        let dir = self.lasting.dir.path();
        dir.join("journal/evidence").join(format!("{chain}.ev"))
    }

    /// Turns the header of the second body of a chain's store bad; gives the store as it was.
    fn hurt_second_header(&self, chain: &str) -> Vec<u8> {
        self.lasting.journal.flush(chain).unwrap();
        let whole = fs::read(self.store(chain)).unwrap();
        let (magic, rest) = whole.split_at(4);
        let second = rest.windows(4).position(|bytes| bytes == magic).unwrap();
        let mut hurt = whole.clone();
        hurt[4 + second + 5] ^= 1;
        fs::write(self.store(chain), hurt).unwrap();
        whole
    }

    fn erase(&self, seq: u64) -> Result<u64, String> {
        let entry = SeqRun {
            first_seq: seq,
            last_seq: seq,
        };
        carry_out(&self.world, &acme(), &[entry], true).map(|erased| erased.entries)
    }

    fn is_erased(&self, chain: &str, seq: u64) -> bool {
        let there = self.lasting.journal.evidence(chain, seq);
        matches!(there, Err(JournalError::Erased { .. }))
    }

    fn owes(&self, order: &RepairOrdered) -> bool {
        let loaded = load(&self.world, &acme(), Some(order)).unwrap();
        may_hold(&*self.world.journal, &loaded.state.mending)
    }
}

/// The store of a chain that stood in had a bad header, so nothing in it could be erased. Whoever had an alert's
/// evidence erased later was told that it was gone, and a copy lay there all the same.
#[test]
fn a_copy_that_cannot_be_erased_is_no_erasure_and_is_tried_again() {
    let ground = Ground::new();
    ground.keep(ONE, &[(1, None), (2, None), (3, None)]);
    ground.keep(TWO, &[(8, None)]);
    let whole = ground.hurt_second_header(ONE);
    let order = order(1, &[ONE, TWO]);
    assert!(ground.owes(&order), "the next start has to try again");
    let taken = [
        json!([ONE, 0, null]),
        json!([ONE, 1, "damaged"]),
        json!([ONE, 2, "damaged"]),
        json!([TWO, 0, null]),
    ];
    assert_eq!(ground.chain()[1..], taken);
    for seq in 1..=3 {
        let refused = ground.erase(seq).unwrap_err();
        assert!(refused.contains(ONE), "{refused}");
    }
    assert!(ground.is_erased("acme", 1), "here it is");
    // Nobody has to wait for a chain that never had it.
    assert_eq!(ground.erase(4), Ok(1));
    fs::write(ground.store(ONE), whole).unwrap();
    for seq in 1..=3 {
        assert_eq!(ground.erase(seq), Ok(0));
        assert!(ground.is_erased(ONE, seq - 1), "{seq}");
    }
}

#[test]
fn nothing_is_owed_once_what_was_taken_over_is_let_go() {
    let ground = Ground::new();
    ground.keep(ONE, &[(1, None), (2, Some(0))]);
    assert!(!ground.owes(&order(1, &[ONE])));
    assert!(ground.is_erased(ONE, 0));
    assert_eq!(ground.erase(1), Ok(1));
}
