use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    super::scenes::{
        NOW_MS, actor, at, crash_loop, group, healthy, host, suspended_and_stalled, ten_thousand,
        tenant, tree, view_of,
    },
    *,
};

fn press(view: &mut View, keys: &str) {
    for letter in keys.chars() {
        let key = match letter {
            '^' => Key::Up,
            'v' => Key::Down,
            '<' => Key::Left,
            '>' => Key::Right,
            '$' => Key::End,
            '\n' => Key::Enter,
            '\u{1b}' => Key::Escape,
            letter => Key::Char(letter),
        };
        assert_eq!(view.press(key), Wish::Nothing, "{letter:?}");
    }
}

fn ids(view: &View) -> Vec<String> {
    let id = |seen: Option<&Seen>| seen.unwrap().node.id.clone();
    view.rows().map(id).collect()
}

fn selected(view: &View) -> &str {
    &view.selected().unwrap().node.id
}

fn refresh(view: &mut View, host: &Value) {
    view.answered(at(NOW_MS + 1_000), Ok(tree(host)));
}

#[test]
fn the_selection_stays_on_its_node_while_others_come_and_go() {
    let mut view = view_of(&host(vec![tenant("acme"), tenant("globex")]));
    press(&mut view, "$");
    assert_eq!(selected(&view), "tenant/globex/triage_engine");
    refresh(
        &mut view,
        &host(vec![tenant("a1"), tenant("acme"), tenant("globex")]),
    );
    assert_eq!(selected(&view), "tenant/globex/triage_engine");
    refresh(&mut view, &host(vec![tenant("globex")]));
    assert_eq!(selected(&view), "tenant/globex/triage_engine");
}

#[test]
fn where_the_selected_node_is_gone_its_row_is_selected() {
    let mut view = view_of(&healthy());
    press(&mut view, "$");
    refresh(&mut view, &host(vec![]));
    assert_eq!(selected(&view), "tenants");
}

#[test]
fn folding_over_the_selection_selects_the_fold() {
    let mut view = view_of(&healthy());
    press(&mut view, "$<");
    assert_eq!(selected(&view), "tenant/globex", "left leads to the parent");
    press(&mut view, "<");
    assert!(!ids(&view).contains(&"tenant/globex/machine".to_owned()));
    assert_eq!(selected(&view), "tenant/globex");
    press(&mut view, ">>");
    assert_eq!(
        selected(&view),
        "tenant/globex/machine",
        "right unfolds, then enters"
    );
    press(&mut view, "< ");
    assert!(!ids(&view).contains(&"tenant/globex/machine".to_owned()));
    press(&mut view, " ");
    assert!(ids(&view).contains(&"tenant/globex/machine".to_owned()));
}

#[test]
fn a_crowd_is_folded_but_for_those_in_trouble() {
    let view = view_of(&ten_thousand());
    let ids = ids(&view);
    assert_eq!(ids.len(), 4 + 10_000 + 1);
    assert_eq!(
        ids[4..7],
        ["tenant/t07654", "tenant/t07654/machine", "tenant/t00000"]
    );
}

/// A tenant in trouble is unfolded by rule. When it was well again the rule folded it, and took the
/// selection away from the actor that somebody was just looking at.
#[test]
fn nothing_folds_by_itself_over_the_selection() {
    let crowd = |first: Value| {
        let others = (0..20).map(|n| tenant(&format!("t{n}")));
        host([first].into_iter().chain(others).collect())
    };
    let unwell = group(
        "tenant/acme",
        vec![super::super::scenes::with(
            actor("tenant/acme/machine", 1),
            &json!({ "state": "stalled" }),
        )],
    );
    let mut view = view_of(&crowd(unwell));
    press(&mut view, "vvvvv");
    assert_eq!(selected(&view), "tenant/acme/machine");
    refresh(&mut view, &crowd(tenant("acme")));
    assert_eq!(selected(&view), "tenant/acme/machine");
}

#[test]
fn a_filter_shows_matches_under_what_is_above_them() {
    let mut view = view_of(&healthy());
    press(&mut view, "/GLOBEX/mach");
    assert_eq!(view.layer(), Layer::Typing);
    let expected = ["host", "tenants", "tenant/globex", "tenant/globex/machine"];
    assert_eq!(ids(&view), expected);
    press(&mut view, "\n");
    assert_eq!((view.layer(), ids(&view).len()), (Layer::List, 4));
    press(&mut view, "\u{1b}");
    assert_eq!(ids(&view).len(), 10);
    press(&mut view, "/nowhere");
    assert!(view.selected().is_none());
    assert_eq!(view.press(Key::Backspace), Wish::Nothing);
    press(&mut view, "\u{1b}");
    assert!(view.selected().is_some());
}

#[test]
fn only_trouble_can_be_shown() {
    let mut view = view_of(&suspended_and_stalled());
    press(&mut view, "t");
    let expected = [
        "host",
        "tenants",
        "tenant/acme",
        "tenant/globex",
        "tenant/globex/machine",
    ];
    assert_eq!(ids(&view), expected);
    press(&mut view, "t");
    assert_eq!(ids(&view).len(), 7);
}

#[test]
fn matches_can_stand_alone() {
    let listing = Listing {
        state: Some(State::Suspended),
        ..Listing::default()
    };
    let picture = super::super::scenes::picture(&suspended_and_stalled());
    let view = View::new("http://x", listing, picture).matches_only();
    assert_eq!(ids(&view), ["tenant/acme"]);
}

#[test]
fn sorting_goes_round_and_brings_the_heaviest_up() {
    let mut view = view_of(&crash_loop());
    press(&mut view, "s");
    assert_eq!(view.listing().sort, Sort::Queue);
    assert_eq!(ids(&view)[0], "tenant/acme/machine");
    assert_eq!(ids(&view)[1], "host", "equals stay in the tree's order");
    press(&mut view, "ssss");
    assert_eq!(view.listing().sort, Sort::Tree);
}

#[test]
fn escape_takes_things_back_one_by_one_and_then_ends() {
    let mut view = view_of(&crash_loop());
    press(&mut view, "t\n");
    assert_eq!(view.layer(), Layer::Detail);
    press(&mut view, "\u{1b}");
    assert_eq!((view.layer(), view.is_whole()), (Layer::List, false));
    press(&mut view, "?\u{1b}\u{1b}");
    assert!(view.is_whole());
    assert_eq!(view.press(Key::Escape), Wish::Quit);
}

#[test]
fn one_pane_takes_the_place_of_the_other() {
    let mut view = view_of(&healthy());
    for (keys, layer) in [
        ("w", Layer::Threads),
        ("\n", Layer::Detail),
        ("w", Layer::Threads),
        ("w", Layer::List),
        ("w\u{1b}", Layer::List),
    ] {
        press(&mut view, keys);
        assert_eq!(view.layer(), layer, "{keys:?}");
    }
    press(&mut view, "wv");
    assert_eq!(selected(&view), "audit_writer", "the list stays in use");
}

#[test]
fn some_keys_ask_the_world_for_something() {
    let mut view = view_of(&healthy());
    assert_eq!(view.press(Key::Char('r')), Wish::Refresh);
    assert_eq!(view.press(Key::Char('p')), Wish::Nothing);
    assert!(view.is_paused());
    assert_eq!(view.press(Key::Char('p')), Wish::Refresh);
    assert_eq!(view.press(Key::Char('q')), Wish::Quit);
    press(&mut view, "/q");
    assert_eq!(view.listing().filter, "q");
    assert_eq!(view.press(Key::Interrupt), Wish::Quit);
}

#[test]
fn a_server_that_is_away_leaves_its_last_picture() {
    let mut view = view_of(&healthy());
    let base = view.server().to_owned();
    let failure = Failure::unreachable(format!("no answer from {base}: refused")).hint("start it");
    view.answered(at(NOW_MS + 1_000), Err(failure));
    let away = view.away().unwrap();
    assert_eq!(away.why, "refused");
    assert_eq!(away.hint.as_deref(), Some("start it"));
    assert_eq!(ids(&view).len(), 10);
    refresh(&mut view, &healthy());
    assert_eq!(view.away(), None);
}

#[test]
fn the_selected_row_is_always_in_sight() {
    let mut view = view_of(&ten_thousand());
    view.fit(19);
    for key in [
        Key::End,
        Key::PageUp,
        Key::Up,
        Key::Home,
        Key::PageDown,
        Key::Down,
    ] {
        view.press(key);
        view.fit(19);
        let in_sight: Vec<bool> = view
            .in_sight()
            .map(|(_, is_selected)| is_selected)
            .collect();
        assert_eq!(in_sight.len(), 19, "{key:?}");
        assert_eq!(in_sight.iter().filter(|is| **is).count(), 1, "{key:?}");
    }
    view.fit(0);
    assert_eq!(view.in_sight().count(), 1);
}

#[derive(Clone, Debug)]
enum Step {
    Press(Key),
    Answer(Vec<(u8, u8)>),
    Silence,
    Height(usize),
}

fn keys() -> impl Strategy<Value = Key> {
    prop_oneof![
        4 => proptest::sample::select(vec![
            Key::Up, Key::Down, Key::PageUp, Key::PageDown, Key::Home, Key::End, Key::Left,
            Key::Right, Key::Enter, Key::Escape, Key::Backspace,
        ]),
        4 => proptest::sample::select(" st/?pr1mxw".chars().map(Key::Char).collect::<Vec<_>>()),
        1 => any::<char>().prop_map(Key::Char),
    ]
}

/// Tenants by number, each with how unwell it is.
fn tenants() -> impl Strategy<Value = Vec<(u8, u8)>> {
    proptest::collection::vec((0..24_u8, 0..6_u8), 0..24)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => keys().prop_map(Step::Press),
        2 => tenants().prop_map(Step::Answer),
        1 => Just(Step::Silence),
        1 => (0..40_usize).prop_map(Step::Height),
    ];
    proptest::collection::vec(step, 1..80)
}

fn host_of(tenants: &[(u8, u8)]) -> Value {
    let mut named = std::collections::BTreeMap::new();
    for (number, unwell) in tenants {
        let id = format!("tenant/t{number}");
        let state = ["running", "stalled", "passive"][usize::from(*unwell % 3)];
        let machine = json!({
            "id": format!("{id}/machine"), "state": state, "generation": 1,
            "restarts": unwell, "handled": number,
            "mailbox": { "depth": unwell, "capacity": 5 },
        });
        named.insert(id.clone(), group(&id, vec![machine]));
    }
    host(named.into_values().collect())
}

/// The rows of an unfolded tree, told by a plain recursion.
fn expected_rows(view: &View, place: usize, rows: &mut Vec<String>) {
    let seen = view.picture().get(place).unwrap();
    rows.push(seen.node.id.clone());
    if !view.is_folded(seen) {
        for child in &seen.children {
            expected_rows(view, *child, rows);
        }
    }
}

fn check(view: &View) {
    let rows = ids(view);
    match view.selected() {
        Some(seen) => assert!(rows.contains(&seen.node.id)),
        None => assert!(rows.is_empty()),
    }
    let shown = view.in_sight().filter(|(_, is_selected)| *is_selected);
    assert_eq!(shown.count(), usize::from(!rows.is_empty()));
    if view.is_tree() && view.is_whole() {
        let mut expected = Vec::new();
        expected_rows(view, 0, &mut expected);
        assert_eq!(rows, expected);
    }
    if !view.is_whole() && !view.is_tree() {
        let wanted = view.wanted();
        let all = view.picture().all().filter(|(_, seen)| wanted.takes(seen));
        assert_eq!(rows.len(), all.count());
    }
}

proptest! {
    #[test]
    fn whatever_is_fed_to_it_the_selection_is_a_row_and_folds_hold(
        first in tenants(),
        steps in steps(),
    ) {
        let mut view = view_of(&host_of(&first));
        let mut now_ms = NOW_MS;
        let mut height = 10;
        for step in steps {
            now_ms += 1_000;
            let before = view.selected().map(|seen| seen.node.id.clone());
            match step {
                Step::Press(key) => {
                    view.press(key);
                }
                Step::Answer(tenants) => {
                    view.answered(at(now_ms), Ok(tree(&host_of(&tenants))));
                    let kept = before.filter(|id| view.picture().place_of(id).is_some());
                    if let Some(id) = kept.filter(|_| view.is_whole()) {
                        prop_assert_eq!(id, selected(&view));
                    }
                }
                Step::Silence => view.answered(at(now_ms), Err(Failure::unreachable("away"))),
                Step::Height(rows) => height = rows,
            }
            view.fit(height);
            check(&view);
        }
    }
}
