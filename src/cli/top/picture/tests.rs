use serde_json::json;

use super::{
    super::{
        super::model::view,
        scenes::{
            NOW_MS, actor, at, crash_loop, group, host, picture, stuck_thread,
            suspended_and_stalled, ten_thousand, tenant, tree, with,
        },
    },
    *,
};

fn seen<'a>(picture: &'a Picture, id: &str) -> &'a Seen {
    picture.get(picture.place_of(id).unwrap()).unwrap()
}

#[test]
fn sums_are_over_the_whole_tree() {
    let totals = picture(&crash_loop()).totals();
    let expected = Totals {
        actors: 6,
        running: 5,
        backing_off: 1,
        restarts: 6,
        rejected: 3,
        queued: 12,
        trouble: 1,
        ..Totals::default()
    };
    assert_eq!(totals, expected);
    let totals = picture(&suspended_and_stalled()).totals();
    assert_eq!(
        (totals.suspended, totals.stalled, totals.trouble),
        (1, 1, 2)
    );
}

#[test]
fn what_is_above_counts_the_trouble_below() {
    let picture = picture(&crash_loop());
    let counted = |id| {
        let seen = seen(&picture, id);
        (seen.trouble, seen.trouble_below)
    };
    assert_eq!(counted("tenant/acme/machine"), (true, 0));
    assert_eq!(counted("tenant/acme"), (false, 1));
    assert_eq!(counted("host"), (false, 1));
    assert_eq!(counted("tenant/globex"), (false, 0));
}

#[test]
fn a_crash_is_trouble_for_a_minute() {
    for (age_ms, expected) in [
        (0, true),
        (FRESH_CRASH_MS - 1, true),
        (FRESH_CRASH_MS, false),
    ] {
        let crash = json!({ "last_crash": { "at": NOW_MS - age_ms } });
        let picture = picture(&with(actor("host", 1), &crash));
        assert_eq!(seen(&picture, "host").trouble, expected, "{age_ms}");
    }
}

#[test]
fn an_unknown_state_is_worth_a_look() {
    let picture = picture(&with(actor("host", 1), &json!({ "state": "enchanted" })));
    assert_eq!(seen(&picture, "host").state, State::Other);
    assert!(seen(&picture, "host").trouble);
}

#[test]
fn rates_are_between_two_pictures() {
    let first = picture(&actor("host", 100));
    assert_eq!(seen(&first, "host").rate_tenths, None);
    let second = Picture::new(tree(&actor("host", 150)), at(NOW_MS + 2_000), Some(&first));
    assert_eq!(seen(&second, "host").rate_tenths, Some(250));
    let too_soon = Picture::new(tree(&actor("host", 151)), at(NOW_MS + 2_001), Some(&second));
    assert_eq!(seen(&too_soon, "host").rate_tenths, Some(250));
    let another = Picture::new(tree(&actor("host", 3)), at(NOW_MS + 9_000), Some(&too_soon));
    assert_eq!(seen(&another, "host").rate_tenths, None);
}

#[test]
fn turning_messages_away_is_trouble_while_it_lasts() {
    let rejected = |n: u64| {
        let mailbox = json!({ "mailbox": { "depth": 1, "capacity": 9, "rejected": n } });
        tree(&with(actor("host", 1), &mailbox))
    };
    let first = Picture::new(rejected(5), at(NOW_MS), None);
    assert!(!seen(&first, "host").trouble);
    let second = Picture::new(rejected(6), at(NOW_MS + 1_000), Some(&first));
    assert!(seen(&second, "host").trouble);
    let third = Picture::new(rejected(6), at(NOW_MS + 2_000), Some(&second));
    assert!(!seen(&third, "host").trouble);
}

#[test]
fn among_many_the_troubled_come_first_and_among_few_nothing_moves() {
    let order = |host: &serde_json::Value| {
        let picture = picture(host);
        let children = seen(&picture, "tenants").children.clone();
        let name = |place: &usize| picture.get(*place).unwrap().node.id.clone();
        children.iter().map(name).take(3).collect::<Vec<_>>()
    };
    assert_eq!(
        order(&ten_thousand()),
        ["tenant/t07654", "tenant/t00000", "tenant/t00001"]
    );
    let unwell = with(
        group("tenant/zeta", vec![]),
        &json!({ "state": "suspended" }),
    );
    assert_eq!(
        order(&host(vec![tenant("acme"), unwell])),
        ["tenant/acme", "tenant/zeta"]
    );
}

#[test]
fn stuck_threads_come_first_and_a_supervisor_is_no_actor() {
    let picture = Picture::new(view(&stuck_thread()), at(NOW_MS), None);
    let names: Vec<_> = picture
        .threads()
        .iter()
        .map(|thread| thread.name.as_str())
        .collect();
    let order = [2, 0, 1, 3].map(|n| format!("actix-rt|system:0|arbiter:{n}"));
    assert_eq!(names, order);
    let totals = picture.totals();
    assert_eq!((totals.threads_stuck, totals.dead_letters), (1, 2));
    assert!(seen(&picture, "tenant/acme").node.generation > 0);
    assert!(!seen(&picture, "tenant/acme").is_actor());
    assert_eq!(totals.actors, 3);
}

#[test]
fn no_text_of_the_server_steers_the_terminal() {
    let hostile = "a\u{1b}[2J\u{202e}b";
    let answer = json!({
        "host": {
            "id": hostile, "kind": hostile, "state": hostile, "strategy": hostile,
            "last_crash": { "message": hostile, "panic": hostile, "location": hostile },
        },
        "threads": [{ "name": hostile, "polling": hostile, "message": hostile }],
    });
    let picture = Picture::new(view(&answer), at(NOW_MS), None);
    let thread = &picture.threads()[0];
    let node = &picture.root().unwrap().node;
    let crash = node.last_crash.as_ref().unwrap();
    let texts = [
        Some(&node.id),
        Some(&node.kind),
        Some(&node.state),
        node.strategy.as_ref(),
        crash.message.as_ref(),
        crash.panic.as_ref(),
        crash.location.as_ref(),
        Some(&thread.name),
        thread.polling.as_ref(),
        thread.message.as_ref(),
    ];
    for text in texts.map(Option::unwrap) {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    }
}

#[test]
fn an_answer_without_anything_is_still_a_picture() {
    let picture = picture(&json!({}));
    assert_eq!(
        picture.totals(),
        Totals {
            trouble: 1,
            ..Totals::default()
        }
    );
    assert_eq!(picture.all().count(), 1);
}
