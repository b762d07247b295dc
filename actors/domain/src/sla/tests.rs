//! The tables, and what holds however the world goes.

use proptest::prelude::*;

use super::*;

const T0: u64 = 1_768_473_000_000;

fn at(minutes: u64) -> Timestamp {
    Timestamp::from_ms(T0 + minutes * MINUTE_MS)
}

fn untold() -> NoticeState {
    NoticeState::new(at(0))
}

fn message() -> MessageRef {
    MessageRef {
        channel_id: "1".into(),
        message_id: "2".into(),
    }
}

#[test]
fn what_is_due_when() {
    use ChatHealth::{Absent, Down, Up};
    use Verdict::{Benign, Critical, High, Low, Medium};
    let shown = |level| {
        let mut state = untold();
        state.show(message(), 1, level);
        state
    };
    let paged = |level| {
        let mut state = untold();
        state.fall_back(level);
        state
    };
    let breached = || {
        let mut state = untold();
        state.breach();
        state
    };
    for (level, state, chat, minute, expected) in [
        (Critical, untold(), Up, 0, Next::WaitUntil(at(5))),
        (Critical, untold(), Down, 4, Next::WaitUntil(at(5))),
        (Critical, untold(), Up, 5, Next::Fallback),
        (Critical, untold(), Down, 14, Next::Fallback),
        (Critical, untold(), Down, 15, Next::Breach),
        (Critical, breached(), Down, 15, Next::Fallback),
        (Critical, untold(), Absent, 0, Next::Fallback),
        (High, untold(), Down, 9, Next::WaitUntil(at(10))),
        (High, untold(), Down, 10, Next::Fallback),
        (High, untold(), Down, 30, Next::Breach),
        (High, breached(), Down, 99, Next::Fallback),
        (High, untold(), Absent, 0, Next::Fallback),
        (Medium, untold(), Absent, 999, Next::Nothing),
        (Low, untold(), Down, 999, Next::Nothing),
        (Benign, untold(), Down, 999, Next::Nothing),
        (Critical, shown(Critical), Down, 999, Next::Nothing),
        (High, shown(Critical), Absent, 999, Next::Nothing),
        (Critical, shown(High), Down, 5, Next::Fallback),
        (Critical, paged(Critical), Down, 999, Next::Nothing),
        (Critical, paged(High), Down, 5, Next::Fallback),
        (High, paged(Critical), Absent, 999, Next::Nothing),
    ] {
        let next = Slas::default().next(level, &state, chat, at(minute));
        assert_eq!(next, expected, "{level} {chat:?} {minute} {state:?}");
    }
}

#[test]
fn a_rise_never_gives_more_time() {
    let slas = Slas::default();
    let mut state = untold();
    state.rise(Verdict::High, at(9));
    assert_eq!(
        slas.next(Verdict::Critical, &state, ChatHealth::Up, at(9)),
        Next::Fallback
    );
    let mut state = untold();
    state.show(message(), 1, Verdict::High);
    state.rise(Verdict::High, at(60));
    assert_eq!(
        slas.next(Verdict::Critical, &state, ChatHealth::Up, at(60)),
        Next::WaitUntil(at(65))
    );
}

#[test]
fn an_attempt_that_reached_nobody_is_not_the_fallback() {
    let mut state = untold();
    let mut attempt = NotifyFallback {
        incident_id: crate::ids::IncidentId(uuid::Uuid::from_u128(1)),
        level: Verdict::Critical,
        via: vec![],
        failed: vec![Via::Pager],
        reason: FallbackReason::NoChat,
        expired: None,
    };
    state.take_fallback(&attempt, at(0));
    assert!(!state.told(Verdict::Critical));
    // Mail alone is not enough where there is a pager.
    attempt.via = vec![Via::Mail];
    state.take_fallback(&attempt, at(0));
    assert!(!state.told(Verdict::Critical));
    assert!(!state.is_quiet(Verdict::Critical));
    state.fall_back(Verdict::High);
    assert!(state.is_quiet(Verdict::High) && !state.is_quiet(Verdict::Critical));
}

/// The end of one approval was told, and that of a later one of the same incident was not.
#[test]
fn each_approvals_end_is_news() {
    let mut state = untold();
    let expiry = |minute| Expiry {
        at: at(minute),
        action_id: ActionId(uuid::Uuid::from_u128(u128::from(minute))),
    };
    let attempt = |minute, via: &[Via]| NotifyFallback {
        incident_id: crate::ids::IncidentId(uuid::Uuid::from_u128(1)),
        level: Verdict::Critical,
        via: via.to_vec(),
        failed: vec![],
        reason: FallbackReason::ApprovalExpired,
        expired: Some(expiry(minute)),
    };
    state.take_fallback(&attempt(1, &[]), at(1));
    assert!(!state.knows_expiry(expiry(1)), "nobody was reached");
    state.take_fallback(&attempt(1, &[Via::Pager]), at(1));
    assert!(state.heard_of(&attempt(1, &[Via::Pager])));
    assert!(!state.heard_of(&attempt(2, &[Via::Pager])));
}

#[test]
fn older_states_can_be_read() {
    let text =
        r#"{"due_since":5,"message":null,"revision_shown":0,"fell_back":"HIGH","breached":false}"#;
    let state: NoticeState = serde_json::from_str(text).expect("a state");
    assert!(state.told(Verdict::High));
    let again = serde_json::to_string(&state).expect("text");
    assert_eq!(
        serde_json::from_str::<NoticeState>(&again).expect("a state"),
        state
    );
}

/// What may happen to an incident in a minute.
#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    ChatTakesIt,
    FallbackFails,
    Rise,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_u64..8).prop_map(Step::Pass),
        1 => Just(Step::ChatTakesIt),
        1 => Just(Step::FallbackFails),
        1 => Just(Step::Rise),
    ];
    prop::collection::vec(step, 1..40)
}

fn health() -> impl Strategy<Value = ChatHealth> {
    prop_oneof![
        Just(ChatHealth::Up),
        Just(ChatHealth::Down),
        Just(ChatHealth::Absent)
    ]
}

proptest! {
    /// Whatever happens in whatever order: at most one fallback and one breach an incident and level,
    /// and neither once chat has shown it at that level.
    #[test]
    fn told_once_a_level(steps in steps(), chat in health()) {
        let slas = Slas::default();
        let (mut state, mut level, mut minute) = (untold(), Verdict::High, 0_u64);
        let (mut fallbacks, mut breaches, mut fails, mut shown) = (0, 0, false, false);
        for step in steps {
            match step {
                Step::Pass(minutes) => minute += minutes,
                Step::ChatTakesIt => {
                    state.show(message(), 1, level);
                    shown = true;
                }
                Step::FallbackFails => fails = !fails,
                Step::Rise if level == Verdict::High => {
                    state.rise(level, at(minute));
                    level = Verdict::Critical;
                    (fallbacks, breaches, shown) = (0, 0, false);
                }
                Step::Rise => {}
            }
            // A breach, and then what is due after it.
            for _ in 0..2 {
                match slas.next(level, &state, chat, at(minute)) {
                    Next::Fallback if fails => {}
                    Next::Fallback => {
                        prop_assert!(!shown);
                        fallbacks += 1;
                        state.fall_back(level);
                    }
                    Next::Breach => {
                        prop_assert!(!shown);
                        breaches += 1;
                        state.breach();
                    }
                    Next::WaitUntil(moment) => prop_assert!(moment > at(minute)),
                    Next::Nothing => prop_assert!(state.told(level)),
                }
            }
            prop_assert!(fallbacks <= 1 && breaches <= 1);
        }
    }

    /// As time goes by nothing that was due stops being due by itself.
    #[test]
    fn what_is_due_stays_due(chat in health(), one in 0_u64..60, later in 0_u64..60, high: bool) {
        let level = if high { Verdict::High } else { Verdict::Critical };
        let due = |minute| match Slas::default().next(level, &untold(), chat, at(minute)) {
            Next::WaitUntil(_) => 0,
            Next::Fallback => 1,
            Next::Breach => 2,
            Next::Nothing => 3,
        };
        prop_assert!(due(one) <= due(one + later));
        prop_assert!(due(one) < 3);
    }

    /// Joining loses nothing that either saw done.
    #[test]
    fn joining_forgets_nothing(revision in 0_u64..5, other in 0_u64..5, paged: bool, told: bool) {
        let (mut own, mut stood) = (untold(), untold());
        own.show(message(), revision, Verdict::High);
        stood.show(message(), other, Verdict::Critical);
        if paged {
            own.fall_back(Verdict::Critical);
        }
        if told {
            stood.fall_back(Verdict::High);
            stood.tell_expiry(at(7));
        }
        let joined = own.joined(&stood);
        prop_assert!(joined.shows(revision) && joined.shows(other));
        prop_assert!(joined.told(Verdict::Critical));
        prop_assert_eq!(joined.is_quiet(Verdict::Critical), paged);
        prop_assert_eq!(joined.expiries_told_to, told.then(|| at(7)));
    }
}
