mod screens;

use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::{Buffer, Cell},
};

use super::{
    super::{
        super::failure::Failure,
        scenes::{
            NOW_MS, at, crash_loop, healthy, stuck_thread, suspended_and_stalled, ten_thousand,
            tree, view_of, view_of_answer, with,
        },
        view::Key,
    },
    *,
};

fn painted(view: &mut View, (width, height): (u16, u16), now_ms: u64, theme: Theme) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| draw(frame, view, now_ms, theme))
        .unwrap();
    terminal.backend().buffer().clone()
}

/// What is read on a screen of this size, without the spaces at the ends of its lines.
fn text(view: &mut View, size: (u16, u16)) -> String {
    text_at(view, size, NOW_MS + 400)
}

fn text_at(view: &mut View, size: (u16, u16), now_ms: u64) -> String {
    let buffer = painted(view, size, now_ms, Theme::new(true));
    let lines = buffer.content().chunks(usize::from(size.0));
    let line = |cells: &[Cell]| {
        let line: String = cells.iter().map(Cell::symbol).collect();
        format!("{}\n", line.trim_end())
    };
    lines.map(line).collect()
}

fn press(view: &mut View, keys: &[Key]) {
    for key in keys {
        view.press(*key);
    }
}

#[test]
fn help_names_every_key() {
    let mut view = view_of(&healthy());
    press(&mut view, &[Key::Char('?')]);
    let shown = text(&mut view, (80, 24));
    let page = include_str!("../../../../docs/top.md");
    for (key, what) in detail::KEYS {
        assert!(
            shown.contains(&format!("{key:<12}{what}\n")),
            "{key}\n{shown}"
        );
        let row = format!("| {key} | {what} |\n");
        assert!(page.contains(&row), "{key} in docs/top.md");
    }
}

#[test]
fn no_size_is_too_small() {
    for width in [1, 2, 7, 20, 300] {
        for height in 1..30 {
            let mut view = view_of(&crash_loop());
            for key in [
                Key::End,
                Key::Char('w'),
                Key::Enter,
                Key::PageDown,
                Key::Char('?'),
                Key::Escape,
                Key::Char('/'),
            ] {
                press(&mut view, &[key]);
                let shown = text(&mut view, (width, height));
                assert_eq!(shown.lines().count(), usize::from(height));
            }
        }
    }
}

#[test]
fn the_selected_row_is_reversed_and_an_old_picture_is_grey() {
    let mut view = view_of(&crash_loop());
    let modifiers = |buffer: &Buffer, text: &str| -> Vec<Style> {
        let rows = buffer.content().chunks(80);
        let read = |row: &&[Cell]| {
            row.iter()
                .map(Cell::symbol)
                .collect::<String>()
                .contains(text)
        };
        let row = rows.into_iter().find(read).unwrap();
        row.iter().map(Cell::style).collect()
    };
    let well = painted(&mut view, (80, 24), NOW_MS, Theme::new(true));
    let reversed = |style: &Style| style.add_modifier.contains(Modifier::REVERSED);
    assert!(modifiers(&well, "host").iter().all(reversed));
    assert!(!modifiers(&well, "registry").iter().any(reversed));
    assert!(
        modifiers(&well, "backing off ")
            .iter()
            .any(|style| style.fg == Some(Color::Yellow))
    );
    view.answered(at(NOW_MS + 1_000), Err(refused()));
    let old = painted(&mut view, (80, 24), NOW_MS, Theme::new(true));
    let grey =
        |style: &Style| style.add_modifier == Modifier::DIM && style.fg == Some(Color::Reset);
    let row = modifiers(&old, "backing off   12");
    assert!(row.iter().take(60).all(grey), "{row:?}");
}

#[test]
fn without_colours_there_are_none() {
    let mut view = view_of(&crash_loop());
    let screen = painted(&mut view, (80, 24), NOW_MS, Theme::new(false));
    assert!(
        screen
            .content()
            .iter()
            .all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset)
    );
    let bold = |cell: &Cell| cell.modifier.contains(Modifier::BOLD);
    assert!(screen.content().iter().any(bold));
}

/// A refresh of 30,004 nodes. The time is printed for whoever changes this; only the number of rows
/// that were painted is asserted.
#[test]
fn only_rows_in_sight_are_painted() {
    let host = ten_thousand();
    let mut view = view_of(&host);
    let answer = tree(&host);
    let started_ms = crate::clock::now_ms();
    view.answered(at(NOW_MS + 1_000), Ok(answer));
    let taken_ms = crate::clock::now_ms();
    text(&mut view, (80, 24));
    let painted_ms = crate::clock::now_ms();
    println!(
        "answer taken in {} ms, painted in {} ms",
        taken_ms - started_ms,
        painted_ms - taken_ms
    );
    assert_eq!(view.in_sight().count(), 19);
    assert_eq!(view.rows().len(), 10_005);
}

fn refused() -> Failure {
    Failure::unreachable("no answer from http://127.0.0.1:8001: Connection refused (os error 111)")
        .hint("is the server running there? start one with `vyrox serve`, or give its --url")
}
