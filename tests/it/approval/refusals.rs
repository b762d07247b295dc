//! Presses that do not count, each with its reason on the chain.

use super::desk::{Desk, alice, bob, carol, dave};
use crate::discord::clicker::Account;

#[test]
fn who_shows_the_wrong_thing_or_is_the_wrong_one_decides_nothing() {
    let mut desk = Desk::open(&[]);
    desk.server.add_tenant("globex");
    desk.alert("WS-0001");
    let asked = desk.asked("WS-0001");
    let message = asked.message.id.as_str();
    let (yes, good) = (alice(), asked.approve());
    let other = good.replace(&asked.digest, "0123456789abcdef");
    let foreign = good.replace("_acme.", "_globex.");
    for (who, message, button, says, why) in [
        (
            &yes,
            message,
            &other,
            "The action has changed",
            "digest_mismatch",
        ),
        (
            &yes,
            "1100000000000000999",
            &good,
            "This is not the message",
            "wrong_message",
        ),
        (
            &yes,
            message,
            &foreign,
            "This alert does not belong",
            "wrong_place",
        ),
        (
            &carol(),
            message,
            &good,
            "Your account is not linked",
            "not_a_person",
        ),
        (
            &dave(),
            message,
            &good,
            "You may not decide this",
            "policy_denied",
        ),
    ] {
        let before = desk.events("approval.refused").len();
        let said = desk.press(who, message, button);
        assert!(said.starts_with(says), "{why}: {said}");
        assert_eq!(desk.refusals(before + 1)[before..], [why]);
    }
    assert_eq!(desk.events("approval.granted").len(), 0);
    let globex = desk.server.entries("globex");
    assert!(
        globex.iter().all(|entry| entry["event"] == "chain.opened"),
        "nothing stands on the chain of whom the button named: {globex:?}"
    );
    desk.is_whole();
}

#[test]
fn a_person_whose_account_lacks_the_admin_role_decides_nothing() {
    let mut desk = Desk::open(&[]);
    desk.alert("WS-0001");
    let asked = desk.asked("WS-0001");
    let roleless = Account::with_role(&alice().user_id, "1300000000000000009");
    let said = desk.press(&roleless, &asked.message.id, &asked.approve());
    assert!(said.starts_with("Your roles in this server"), "{said}");
    assert_eq!(desk.sole("approve.denied_role")["actor"], "person:alice");
    assert_eq!(desk.events("approval.granted").len(), 0);
}

#[test]
fn a_tier_0_host_takes_two_persons_who_are_two() {
    let mut desk = Desk::open(&[("VYROX_ASSETS__TIER0", "host:dc-*")]);
    desk.alert("DC-01");
    let asked = desk.asked("DC-01");
    let (message, approve) = (asked.message.id.as_str(), asked.approve());
    let said = desk.press(&alice(), message, &approve);
    assert!(said.contains("counts (alice so far)"), "{said}");
    assert_eq!(desk.sole("approval.given")["payload"]["approvals"], 1);
    let said = desk.press(&alice(), message, &approve);
    assert!(said.contains("has said yes already"), "{said}");
    let said = desk.press(&carol(), message, &approve);
    assert!(said.starts_with("Your account is not linked"), "{said}");
    assert_eq!(desk.refusals(2), ["same_person", "not_a_person"]);
    assert_eq!(desk.events("approval.granted").len(), 0);

    let said = desk.press(&bob(), message, &approve);
    assert!(said.starts_with("Approved by alice and bob."), "{said}");
    let granted = desk.sole("approval.granted");
    assert_eq!(
        granted["payload"]["approvers"],
        serde_json::json!(["alice", "bob"])
    );
    desk.is_whole();
}
