//! Whatever is asked of a tenant, in whatever order: the chain tells its state, a snapshot goes on like
//! the chain, and nothing grows past its bounds.

use proptest::{collection::vec, prelude::*};
use vyrox_domain::{
    entry::Recorded,
    incident::Window,
    protocol::{
        Command, Decide, NotifyFailed, NotifyFallback, NotifySent, Ruling, SlaBreached, Told, Verb,
    },
    review::Failure,
    sla::{FallbackReason, Via as Way},
    tenant::{TenantState, WAITING_MAX, apply, decide, replay},
    triage::{Band, Verdict},
};

use crate::house::{
    Alarm, Tenant, alarm, approve, deny, evidence, incident_id, isolate, message, received, said,
};

/// One thing that is asked of a tenant.
#[derive(Clone, Debug)]
enum Step {
    Take(Alarm),
    Review(Alarm, Verdict, Option<Failure>),
    Decide(Box<Decide>),
    Tell(Told),
    Tick,
    Wait(u64),
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Critical),
        Just(Verdict::High),
        Just(Verdict::Medium),
        Just(Verdict::Low),
        Just(Verdict::Benign),
    ]
}

fn any_alarm() -> impl Strategy<Value = Alarm> {
    let links = (
        proptest::option::of(0_u64..6),
        proptest::option::of(0_u64..4),
    );
    let drafts = vec((0_u64..8).prop_map(isolate), 0..3);
    let calls = proptest::option::of(0_u32..4);
    (0_u64..60, verdict(), links, drafts, calls, any::<bool>()).prop_map(
        |(n, verdict, (machine, account), drafts, daily_calls, sure)| {
            let mut alarm = alarm(n, verdict, 0);
            if sure && verdict == Verdict::Medium {
                alarm.band = Band::Classified;
            }
            Alarm {
                machine,
                account,
                drafts,
                daily_calls,
                ..alarm
            }
        },
    )
}

fn any_decision() -> impl Strategy<Value = Decide> {
    let ruling = prop_oneof![
        Just(Ruling::NotAsked),
        Just(Ruling::Denied(said())),
        Just(Ruling::Counts(said())),
        Just(crate::house::suffices()),
    ];
    let who = prop_oneof![Just("ana"), Just("ben"), Just("eve")];
    (0_u64..60, who, 0_u8..3, ruling, 0_u64..60).prop_map(|(alert, who, verb, ruling, incident)| {
        match verb {
            0 => deny(alert, who),
            1 => Decide {
                ruling,
                ..approve(alert, who)
            },
            _ => Decide {
                verb: Verb::BreakGlass,
                incident_id: Some(incident_id(incident)),
                reason: Some(evidence(vyrox_domain::protocol::EvidenceKind::Reason, 9)),
                ruling,
                ..approve(alert, who)
            },
        }
    })
}

fn any_telling() -> impl Strategy<Value = Told> {
    (0_u64..60, 0_u64..6, verdict(), 0_u8..5, any::<bool>()).prop_map(
        |(incident, revision, level, what, yes)| {
            let incident_id = incident_id(incident);
            match what {
                0 | 1 => Told::Sent(NotifySent {
                    incident_id,
                    revision,
                    level,
                    message: message(incident),
                    shown: Vec::new(),
                    quietly: yes,
                }),
                2 => Told::Failed(NotifyFailed {
                    incident_id,
                    revision,
                    why: "the channel is gone".into(),
                }),
                3 => Told::FellBack(NotifyFallback {
                    incident_id,
                    level,
                    via: yes.then_some(Way::Pager).into_iter().collect(),
                    failed: vec![Way::Mail],
                    reason: if yes {
                        FallbackReason::ApprovalExpired
                    } else {
                        FallbackReason::ChatUnavailable
                    },
                    expired: None,
                }),
                _ => Told::Breached(SlaBreached { incident_id, level }),
            }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let failure = prop_oneof![
        Just(None),
        Just(Some(Failure::TimedOut)),
        Just(Some(Failure::Lost))
    ];
    prop_oneof![
        10 => any_alarm().prop_map(Step::Take),
        4 => (any_alarm(), verdict(), failure).prop_map(|(a, v, f)| Step::Review(a, v, f)),
        6 => any_decision().prop_map(|one| Step::Decide(Box::new(one))),
        6 => any_telling().prop_map(Step::Tell),
        2 => Just(Step::Tick),
        3 => (0_u64..40 * 60_000).prop_map(Step::Wait),
    ]
}

fn take(tenant: &mut Tenant, step: Step) {
    // What is refused changes nothing, which `run` sees to.
    match step {
        Step::Take(alarm) => {
            // Ids are never given twice.
            let n = tenant.state.counts.received;
            let alarm = Alarm { n, ..alarm };
            for command in [received(n), alarm.judged(), alarm.judged()] {
                tenant.run(command).ok();
            }
        }
        Step::Review(alarm, verdict, failure) => {
            tenant.run(alarm.reviewed(verdict, failure)).ok();
        }
        Step::Decide(decide) => {
            tenant.run(Command::Decide(decide)).ok();
        }
        Step::Tell(told) => {
            tenant.run(Command::RecordTelling(told)).ok();
        }
        Step::Tick => {
            tenant.run(Command::Tick(Window::default())).ok();
        }
        Step::Wait(ms) => tenant.wait(ms),
    }
}

fn check(state: &TenantState) -> Result<(), TestCaseError> {
    let proposals = &state.proposals;
    let waiting = proposals.iter().filter(|one| one.is_waiting());
    let mut targets: Vec<_> = waiting
        .map(|one| one.manifest.target_urn.as_str())
        .collect();
    prop_assert_eq!(targets.len(), proposals.waiting());
    prop_assert!(targets.len() <= WAITING_MAX);
    targets.sort_unstable();
    let all = targets.len();
    targets.dedup();
    prop_assert_eq!(targets.len(), all, "the same was proposed twice");
    for (id, told) in state.telling.iter() {
        // Whatever people are told of can be shown.
        let shown = state.notice(&"acme".parse().expect("a tenant id"), id);
        prop_assert!(shown.is_some(), "{told:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_chain_and_a_snapshot_tell_the_state(steps in vec(step(), 1..80), cut in 0_usize..80) {
        let mut tenant = Tenant::default();
        let mut kept = None;
        for (n, step) in steps.into_iter().enumerate() {
            take(&mut tenant, step);
            check(&tenant.state)?;
            if n == cut {
                let snapshot = serde_json::to_vec(&tenant.state).expect("JSON");
                kept = Some((snapshot, tenant.chain.len()));
            }
        }
        let (snapshot, from) = kept.unwrap_or_else(|| {
            (serde_json::to_vec(&TenantState::default()).expect("JSON"), 0)
        });
        let mut state: TenantState = serde_json::from_slice(&snapshot).expect("a state");
        for line in &tenant.chain[from..] {
            replay(&mut state, &Recorded::parse(line).expect("a line")).expect("replays");
        }
        prop_assert_eq!(state, tenant.state);
    }
}

/// Proposals are kept for a while after they were decided, and for no longer than there is room.
#[test]
fn decided_proposals_are_forgotten_when_there_is_no_room() {
    let (mut state, now) = (TenantState::default(), Tenant::default().now);
    for n in 0..2_200 {
        let alarm = alarm(n, Verdict::High, n % 7).proposing([isolate(n)]);
        // To read each step back is for the others; here it would take its time.
        for command in [
            received(n),
            alarm.judged(),
            Command::Decide(Box::new(deny(n, "ana"))),
        ] {
            let events = decide(&state, command, now).expect("possible");
            for event in &events {
                apply(&mut state, event, now);
            }
        }
        assert!(state.proposals.iter().count() <= 2_048);
        assert_eq!(state.proposals.waiting(), 0);
    }
    assert_eq!(state.proposals.iter().count(), 2_048);
}
