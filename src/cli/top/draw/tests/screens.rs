//! Whole screens, as they are read.

use super::*;

#[test]
fn all_is_well() {
    let mut view = view_of(&healthy());
    view.answered(at(NOW_MS + 1_000), Ok(tree(&healthy())));
    let expected = "\
vyrox top  0s old  http://127.0.0.1:8001  up 3h
actors 6  running 6  in trouble 0  backing off 0  suspended 0  stalled 0
restarts 0  queued 0  rejected 0  passive 0
  ACTOR                      STATE           QUEUE  MSG/S   WAIT  RST  GEN CRASH
  ▾ host                     running
      audit_writer           running        0/1024      0  180µs    0    1
      registry               running        0/1024      0  180µs    0    1
    ▾ tenants                running
      ▾ tenant/acme          running
          machine            running        0/1024      0  180µs    0    1
          triage_engine      running        0/1024      0  180µs    0    1
      ▾ tenant/globex        running
          machine            running        0/1024      0  180µs    0    1
          triage_engine      running        0/1024      0  180µs    0    1









q quit ? help ←→ fold ⏎ detail / filter s sort t trouble w threads p pause r now
";
    assert_eq!(text_at(&mut view, (80, 24), NOW_MS + 1_400), expected);
}

#[test]
fn a_wider_screen_says_more() {
    let mut view = view_of(&crash_loop());
    let expected = "\
vyrox top  0s old  http://127.0.0.1:8001  up 3h
actors 6  running 5  in trouble 1  backing off 1  suspended 0  stalled 0  restarts 6  queued 12  rejected 3  passive 0
  ACTOR                                          STATE           QUEUE  MSG/S   WAIT  RST  GEN CRASH   UP MSGS  REJ DEAD
↓ ▾ host                                         running                                               3h
      audit_writer                               running        0/1024         180µs    0    1         3h  12k    0    0
      registry                                   running        0/1024         180µs    0    1         3h   42    0    0
↓   ▾ tenants                                    running                                               3h
↓     ▾ tenant/acme                              running                                               3h
!         machine                                backing off   12/1024         180µs    6    7    4s       420    3    1
          triage_engine                          running        0/1024         180µs    0    1         3h   77    0    0
      ▾ tenant/globex                            running                                               3h
          machine                                running        0/1024         180µs    0    1         3h  420    0    0
          triage_engine                          running        0/1024         180µs    0    1         3h   77    0    0


























q quit ? help ←→ fold ⏎ detail / filter s sort t trouble w threads p pause r now
";
    assert_eq!(text(&mut view, (120, 40)), expected);
}

#[test]
fn a_crash_loop_with_its_details() {
    let mut view = view_of(&crash_loop());
    press(
        &mut view,
        &[
            Key::Char('/'),
            Key::Char('m'),
            Key::Char('e'),
            Key::Char('/'),
            Key::Char('m'),
        ],
    );
    press(&mut view, &[Key::Enter, Key::End, Key::Enter]);
    let expected = "\
vyrox top  filter: me/m  0s old  http://127.0.0.1:8001  up 3h
actors 6  running 5  in trouble 1  backing off 1  suspended 0  stalled 0
restarts 6  queued 12  rejected 3  passive 0
  ACTOR                      STATE           QUEUE  MSG/S   WAIT  RST  GEN CRASH
↓ ▾ host                     running
↓   ▾ tenants                running
↓     ▾ tenant/acme          running
!         machine            backing off   12/1024         180µs    6    7    4s





 Details ───────────────────────────────────────────────────────────────────────
tenant/acme/machine
backing off  kind machine  generation 7  restarts 6
next restart in 2s (at 2026-01-01T00:00:02.500Z)
last crash 4s ago: index out of bounds: the len is 3 but the index is 7
at actors/src/tenant/machine.rs:120:9
handling vyrox_actors::tenant::Decide
on 2025-12-31T23:59:56.000Z
queue 12 of 1024  wait p99 180µs  handled 420  rejected 3  dead letters 1

q quit ? help ←→ fold ⏎ detail / filter s sort t trouble w threads p pause r now
";
    assert_eq!(text(&mut view, (80, 24)), expected);
}

#[test]
fn suspended_and_stalled_stand_out_and_the_next_probe_is_told() {
    let mut view = view_of(&suspended_and_stalled());
    press(
        &mut view,
        &[Key::Char('t'), Key::Down, Key::Down, Key::Enter],
    );
    let expected = "\
vyrox top  only trouble  0s old  http://127.0.0.1:8001  up 3h
actors 3  running 2  in trouble 2  backing off 0  suspended 1  stalled 1
restarts 1  queued 1024  rejected 20480  passive 0
  ACTOR                      STATE           QUEUE  MSG/S   WAIT  RST  GEN CRASH
↓ ▾ host                     running
↓   ▾ tenants                running
!       tenant/acme          suspended                              1    2    2s
↓     ▾ tenant/globex        running
!         machine            stalled     1024/1024          1.2s    0    1




 Details ───────────────────────────────────────────────────────────────────────
tenant/acme
suspended  kind group  up 3h
one for all: all children restart with one that falls  restarted as a whole 1x
next probe in 28s (at 2026-01-01T00:00:28.000Z)
last crash 2s ago: panicked at 'no rules' (in Assess)
handling vyrox_actors::messages::Assess
on 2025-12-31T23:59:58.000Z


q quit ? help ←→ fold ⏎ detail / filter s sort t trouble w threads p pause r now
";
    assert_eq!(text(&mut view, (80, 24)), expected);
}

#[test]
fn ten_thousand_tenants_with_the_troubled_one_first() {
    let mut view = view_of(&ten_thousand());
    let expected = "\
vyrox top  0s old  http://127.0.0.1:8001  up 3h
actors 20001  running 20000  in trouble 1  backing off 1  suspended 0  stalled 0
restarts 1  queued 0  rejected 0  passive 0
  ACTOR                      STATE           QUEUE  MSG/S   WAIT  RST  GEN CRASH
↓ ▾ host                     running
      audit_writer           running        0/1024         180µs    0    1
      registry               running        0/1024         180µs    0    1
↓   ▾ tenants                running
↓     ▾ tenant/t07654        running
!         machine            backing off    0/1024         180µs    1    2    1s
      ▸ tenant/t00000        running
      ▸ tenant/t00001        running
      ▸ tenant/t00002        running
      ▸ tenant/t00003        running
      ▸ tenant/t00004        running
      ▸ tenant/t00005        running
      ▸ tenant/t00006        running
      ▸ tenant/t00007        running
      ▸ tenant/t00008        running
      ▸ tenant/t00009        running
      ▸ tenant/t00010        running
      ▸ tenant/t00011        running
      ▸ tenant/t00012        running
q quit ? help ←→ fold ⏎ detail / filter s sort t trouble w threads p pause r now
";
    assert_eq!(text(&mut view, (80, 24)), expected);
}

#[test]
fn ranked_rows_carry_their_whole_ids() {
    let mut view = view_of(&suspended_and_stalled());
    press(&mut view, &[Key::Char('s'), Key::Char('p')]);
    let expected = "\
vyrox top  PAUSED  by queue  0s old  http://127.0.0.1:8001  up 3h
actors 3  running 2  in trouble 2  backing off 0  suspended 1  stalled 1
  ACTOR                      STATE          ▼QUEUE  MSG/S   WAIT  RST  GEN CRASH
! tenant/globex/machine      stalled     1024/1024          1.2s    0    1
↓ host                       running
  audit_writer               running        0/1024         180µs    0    1
  registry                   running        0/1024         180µs    0    1
↓ tenants                    running
! tenant/acme                suspended                              1    2    2s
↓ tenant/globex              running

q quit ? help ←→ fold ⏎ detail / filter s sort t trouble w threads p pause r now
";
    assert_eq!(text(&mut view, (80, 12)), expected);
}

#[test]
fn a_server_that_is_away() {
    let mut view = view_of(&healthy());
    view.answered(at(NOW_MS + 1_000), Err(refused()));
    let expected = "\
vyrox top  12s old  http://127.0.0.1:8001  up 3h
no answer since 12s: Connection refused (os error 111)
is the server running there? start one with `vyrox serve`, or give its --url
actors 6  running 6  in trouble 0  backing off 0  suspended 0  stalled 0
restarts 0  queued 0  rejected 0  passive 0
  ACTOR                      STATE           QUEUE  MSG/S   WAIT  RST  GEN CRASH
  ▾ host                     running
      audit_writer           running        0/1024         180µs    0    1
      registry               running        0/1024         180µs    0    1
    ▾ tenants                running
      ▾ tenant/acme          running
          machine            running        0/1024         180µs    0    1
          triage_engine      running        0/1024         180µs    0    1
      ▾ tenant/globex        running
          machine            running        0/1024         180µs    0    1
          triage_engine      running        0/1024         180µs    0    1



q quit ? help ←→ fold ⏎ detail / filter s sort t trouble w threads p pause r now
";
    assert_eq!(text_at(&mut view, (80, 20), NOW_MS + 12_000), expected);
}

#[test]
fn a_tiny_screen_is_still_of_use() {
    let mut view = view_of(&crash_loop());
    press(&mut view, &[Key::Down; 5]);
    let expected = "\
vyrox top  0s old  http://127.0.0.1:8001
actors 6  running 5  in trouble 1
  ACTOR                      STATE
↓ ▾ host                     running
      audit_writer           running
      registry               running
↓   ▾ tenants                running
↓     ▾ tenant/acme          running
!         machine            backing off
q quit ? help ←→ fold ⏎ detail / filter
";
    assert_eq!(text(&mut view, (40, 10)), expected);
    press(&mut view, &[Key::Enter]);
    let expected = " Details  1-8 of 12  PgUp PgDn ─────────
tenant/acme/machine
backing off  kind machine  generation 7
restarts 6
next restart in 2s (at
2026-01-01T00:00:02.500Z)
last crash 4s ago: index out of bounds:
the len is 3 but the index is 7
at actors/src/tenant/machine.rs:120:9
q quit ? help ←→ fold ⏎ detail / filter
";
    assert_eq!(text(&mut view, (40, 10)), expected);
}

#[test]
fn the_filter_is_typed_in_the_footer() {
    let mut view = view_of(&healthy());
    press(&mut view, &[Key::Char('/'), Key::Char('x'), Key::Char('y')]);
    let expected = "\
vyrox top  filter: xy  0s old  http://127.0.0.1:8001  up 3h
actors 6  running 6  in trouble 0  backing off 0  suspended 0  stalled 0
  ACTOR                      STATE           QUEUE  MSG/S   WAIT  RST  GEN CRASH
  nothing to show; Esc shows all



/xy▏  Enter keeps it, Esc drops it
";
    assert_eq!(text(&mut view, (80, 8)), expected);
}

#[test]
fn a_stuck_thread_and_dead_letters_are_told_at_the_top_and_w_shows_the_threads() {
    let mut view = view_of_answer(&stuck_thread());
    press(&mut view, &[Key::Char('w')]);
    let expected = "\
vyrox top  1 thread stuck  2 dead letters  0s old  http://127.0.0.1:8001  up 3h
actors 3  running 2  in trouble 2  backing off 0  suspended 1  stalled 1
restarts 1  queued 1024  rejected 20480  passive 0
  ACTOR                      STATE           QUEUE  MSG/S   WAIT  RST  GEN CRASH
↓ ▾ host                     running
      audit_writer           running        0/1024         180µs    0    1
      registry               running        0/1024         180µs    0    1
↓   ▾ tenants                running
!       tenant/acme          suspended                              1    2    2s
↓     ▾ tenant/globex        running
!         machine            stalled     1024/1024          1.2s    0    1


 Threads ───────────────────────────────────────────────────────────────────────
THREAD                       ACTORS  STUCK  RUNNING
actix-rt|system:0|arbiter:2       4     3s  tenant/globex/machine: Receive
actix-rt|system:0|arbiter:0       1
actix-rt|system:0|arbiter:1       5
actix-rt|system:0|arbiter:3       2




q quit ? help ←→ fold ⏎ detail / filter s sort t trouble w threads p pause r now
";
    assert_eq!(text(&mut view, (80, 24)), expected);
}

#[test]
fn details_that_are_longer_than_their_pane_are_scrolled() {
    let said = (1..=12).map(|n| format!("{n}: {}.", "because ".repeat(9)));
    let crash = serde_json::json!({
        "last_crash": { "at": NOW_MS - 4_000, "panic": said.collect::<Vec<_>>().join(" ") },
    });
    let mut view = view_of(&with(healthy(), &crash));
    press(&mut view, &[Key::Enter]);
    let shown = |view: &mut View| {
        let screen = text(view, (80, 24));
        let pane = screen
            .lines()
            .skip_while(|line| !line.contains(" Details "));
        let rows: Vec<_> = pane.map(str::to_owned).collect();
        (
            rows[0].clone(),
            rows[1].clone(),
            rows[rows.len() - 2].clone(),
        )
    };
    let (title, first, _) = shown(&mut view);
    assert!(
        title.starts_with(" Details  1-13 of 16  PgUp PgDn ─"),
        "{title}"
    );
    assert_eq!(first, "host");
    press(&mut view, &[Key::PageDown, Key::PageDown, Key::PageDown]);
    let (title, _, last) = shown(&mut view);
    assert!(title.starts_with(" Details  4-16 of 16 "), "{title}");
    assert_eq!(last, "on 2025-12-31T23:59:56.000Z");
    press(&mut view, &[Key::PageUp]);
    assert_eq!(
        shown(&mut view).1,
        "host",
        "what was beyond the end counts for nothing"
    );
    press(&mut view, &[Key::PageDown, Key::Down, Key::Up]);
    assert_eq!(
        shown(&mut view).1,
        "host",
        "another actor is read from its beginning"
    );
}
