//! Many press at once, the same is posted twice, the power fails: one approval.

use std::{sync::Barrier, thread};

use super::desk::{self, Desk, alice, bob};
use crate::{
    discord::clicker::Kind,
    server::{DEADLINE, eventually, request_bytes, unix_s},
};

#[test]
fn of_64_presses_at_once_one_approves() {
    let mut desk = Desk::open(&[]);
    desk.alert("WS-0001");
    let asked = desk.asked("WS-0001");
    let people = [alice(), bob()];
    let presses: Vec<_> = (0..64)
        .map(|at| {
            desk.discord
                .press(&people[at % 2], &asked.message.id, &asked.approve())
        })
        .collect();
    let start = Barrier::new(presses.len());
    thread::scope(|scope| {
        for press in &presses {
            let (desk, start) = (&desk, &start);
            scope.spawn(move || {
                let mut http = desk.server.http();
                start.wait();
                desk.discord.done(&mut http, Kind::Button, press);
            });
        }
    });
    // Whatever was put off is on the chain a moment later.
    let duplicates = eventually(DEADLINE, || {
        let found = desk.events("approve.duplicate_click_ignored");
        (found.len() >= 63).then_some(found)
    });
    assert_eq!(duplicates.len(), 63);
    desk.sole("approval.granted");

    let again = desk.said_to(&presses[0]);
    assert_eq!(again, "This was already handled.");
    assert_eq!(desk.refusals(1), ["replayed"]);
    desk.sole("approval.granted");
    desk.is_whole();
}

#[test]
fn a_power_cut_between_press_and_answer_leaves_one_approval() {
    let mut desk = Desk::open(&[]);
    desk.alert("WS-0001");
    let asked = desk.asked("WS-0001");
    let press = desk
        .discord
        .press(&alice(), &asked.message.id, &asked.approve())
        .to_string();
    let stamp = unix_s().to_string();
    let signature = desk.discord.sign(&stamp, press.as_bytes());
    let headers = [
        ("content-type", "application/json"),
        ("x-signature-ed25519", signature.as_str()),
        ("x-signature-timestamp", stamp.as_str()),
    ];
    let request = request_bytes("POST", "/interactions", &headers, press.as_bytes());
    desk.http().send_raw(&request).expect("sent");
    // Nobody reads the answer; whether the press was heard is as open as it would be.
    let mut desk = desk.power_cycle();
    let said = desk.press(&alice(), &asked.message.id, &asked.approve());
    let heard = [
        "This was already handled: approved by alice.",
        "Approved by alice. The message in the channel shows what comes of it.",
    ];
    assert!(heard.contains(&said.as_str()), "{said}");
    desk.sole("approval.granted");
    desk.message("the buttons go", |message| {
        message.id == asked.message.id && desk::buttons(message, "approve").is_empty()
    });
    desk.is_whole();
}

#[test]
fn after_a_power_cut_a_second_press_finds_the_first() {
    let mut desk = Desk::open(&[]);
    desk.alert("WS-0001");
    let asked = desk.asked("WS-0001");
    let said = desk.press(&alice(), &asked.message.id, &asked.approve());
    assert!(said.starts_with("Approved"), "{said}");
    let mut desk = desk.power_cycle();
    let said = desk.press(&bob(), &asked.message.id, &asked.approve());
    assert_eq!(said, "This was already handled: approved by alice.");
    desk.sole("approval.granted");
    desk.is_whole();
}
