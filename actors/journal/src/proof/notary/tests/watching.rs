//! Lines that do not follow from what was signed, or from what was shown.

use super::*;

/// A house in which four lines of acme are signed, opened anew.
fn signed() -> House {
    let mut house = House::new();
    house.grow("acme", 4);
    house.publish().unwrap();
    house.reopen(&[1]);
    house
}

impl House {
    fn show(&mut self, seq: usize, line: &[u8]) -> Result<(), NotaryError> {
        let seq = crate::bytes::wide(seq);
        self.notary()
            .observe(&Arc::from("acme"), id("acme"), seq, line)
    }

    /// Takes lines away, and writes so many others in their place.
    fn forge(&mut self, keep: usize, more: usize) -> Vec<Vec<u8>> {
        let mut forged = self.lines["acme"][..keep].to_vec();
        for _ in 0..more {
            forged.push(line_after("acme", &forged, "forged"));
        }
        forged
    }

    /// What the notary signs is what the file has.
    fn is_signed_as_it_is(&mut self, lines: &[Vec<u8>]) {
        self.publish().unwrap();
        let point = self.notary().tenant_checkpoint("acme").unwrap();
        let point = point.checkpoint();
        let size = crate::bytes::wide(lines.len());
        assert_eq!((point.size, point.root), (size, root_of(lines)));
    }
}

/// A chain was cut below what was signed, and what came in its place was taken for what comes next.
#[test]
fn nothing_is_added_to_what_was_signed_that_does_not_follow_from_it() {
    let mut house = signed();
    let forged = house.forge(2, 5);
    let gap = house.show(4, &forged[4]).unwrap_err();
    assert!(matches!(gap, NotaryError::Gap { wanted: 3, .. }));
    let other = house.show(3, &forged[3]).unwrap_err();
    assert!(matches!(other, NotaryError::Unlinked(_)), "{other}");
    assert_eq!(house.notary().behind("acme"), 3);
    assert!(house.publish().is_none());
    // The line that was signed is recognised, and the forged ones do not follow it.
    let last = house.lines["acme"][3].clone();
    house.show(3, &last).unwrap();
    let other = house.show(4, &forged[4]).unwrap_err();
    assert!(matches!(other, NotaryError::Unlinked(_)), "{other}");
    assert!(house.publish().is_none());
    house.grow("acme", 1);
    let lines = house.lines["acme"].clone();
    house.is_signed_as_it_is(&lines);
}

#[test]
fn a_line_that_is_no_entry_of_the_chain_at_its_place_is_refused() {
    let mut house = House::new();
    let first = line_after("acme", &[], "first");
    for bad in [
        b"{}".to_vec(),
        line_after("globex", &[], "another's"),
        line_after("acme", std::slice::from_ref(&first), "the second"),
    ] {
        let refused = house.show(0, &bad).unwrap_err();
        assert!(matches!(refused, NotaryError::Unlinked(_)), "{refused}");
    }
    assert!(house.publish().is_none());
    house.show(0, &first).unwrap();
    assert!(house.publish().is_some());
}

/// Lines that were shown, and lost before they were published, were signed with those that came in their place.
#[test]
fn lines_that_are_lost_before_they_are_published_are_let_go_of() {
    for signed_first in [true, false] {
        let mut house = House::new();
        house.grow("acme", 4);
        let kept = if signed_first { 4 } else { 2 };
        if signed_first {
            house.publish().unwrap();
        }
        house.grow("acme", 3);
        // The chain loses them, and grows on to where the notary thinks that it is.
        let next = house.forge(kept, 8 - kept);
        let gap = house.show(7, &next[7]).unwrap_err();
        let wanted = if signed_first { 3 } else { 0 };
        assert!(matches!(gap, NotaryError::Gap { wanted: from, .. } if from == wanted));
        assert_eq!(house.notary().changed(), 0);
        assert!(house.publish().is_none());
        house.lines.insert("acme".to_owned(), next.clone());
        house.catch_up("acme");
        house.is_signed_as_it_is(&next);
    }
}

#[test]
fn what_is_not_published_is_held_against_the_journal_too() {
    let mut house = signed();
    house.grow("acme", 2);
    let lines = house.lines["acme"].clone();
    let forged = house.forge(4, 3);
    let notary = house.notary();
    let still_there = |notary: &Notary, lines: &[Vec<u8>], len: u64| {
        notary.still_there("acme", len, |seq| {
            lines.get(crate::bytes::index(seq)).cloned().ok_or(())
        })
    };
    let ahead = |notary: &Notary| notary.ahead().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(ahead(notary), ["acme"]);
    assert!(still_there(notary, &lines, 6));
    assert!(!still_there(notary, &lines, 5), "it is shorter");
    assert!(!still_there(notary, &forged, 7), "it is another one");
    assert!(!still_there(notary, &[], 6), "it cannot be read");
    assert!(notary.retract("acme"));
    assert_eq!((notary.behind("acme"), notary.changed()), (3, 0));
    assert!(ahead(notary).is_empty() && !notary.retract("acme"));
    house.lines.insert("acme".to_owned(), forged.clone());
    house.catch_up("acme");
    house.is_signed_as_it_is(&forged);
}
