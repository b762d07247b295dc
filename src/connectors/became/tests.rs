use std::collections::BTreeMap;

use vyrox_domain::{
    action::ActionType, containment::Withheld, digest::Digest, notice::Standing, triage::Verdict,
};

use super::*;

const ID: &str = "0190a2d4-0000-7000-8000-0000000000b1";

fn hand() -> Hand {
    Hand {
        moment: |at| format!("@{}", at.ms()),
        quote: |text| format!("[{text}]"),
    }
}

fn act(stage: Stage) -> ActShown {
    ActShown {
        stage,
        outcome: stage.outcome(),
        manner: Some(Manner::Live),
        approved_by: None,
        release: None,
        since: Timestamp::from_ms(7),
        observed: Some("contained".into()),
        why: None,
        hold_ends_at: None,
        hold_ended: false,
        drifted: false,
        undoing: None,
        undone_by: None,
    }
}

fn done(outcome: OutcomeKind) -> ActShown {
    act(Stage::Done { outcome })
}

fn proposal(act: Option<ActShown>) -> Proposal {
    Proposal {
        action_id: ID.parse().unwrap(),
        alert_id: ID.parse().unwrap(),
        action_type: ActionType::HostIsolation,
        target_urn: "urn:edr:crowdstrike:0a1b".into(),
        parameters: BTreeMap::new(),
        host: None,
        verdict: Verdict::High,
        dry_run: false,
        protected: None,
        on_expiry: OnExpiry::Ask,
        hold_minutes: 60,
        digest: Digest::of(b"m"),
        expires_at: Timestamp::from_ms(9),
        standing: Standing::Approved { by: Vec::new() },
        act,
    }
}

fn line(act: ActShown) -> String {
    hand().became(&proposal(Some(act))).unwrap()
}

#[test]
fn what_nobody_approved_has_no_line() {
    assert_eq!(hand().became(&proposal(None)), None);
}

fn begins(lines: impl IntoIterator<Item = (ActShown, &'static str)>) {
    for (act, wanted) in lines {
        let line = line(act);
        assert!(line.starts_with(wanted), "{line}\nis not {wanted}");
    }
}

const WITHHELD: Stage = Stage::Withheld {
    why: Withheld::Halted,
};

#[test]
fn every_stage_has_its_line() {
    let begun = |manner| act(Stage::Begun { manner });
    let undone = Stage::Undone {
        by: ID.parse().unwrap(),
    };
    begins([
        (act(Stage::Approved), "approved, and not begun yet"),
        (
            act(WITHHELD),
            "WITHHELD: containment is halted; [vyrox action retry ",
        ),
        (begun(Manner::Live), "under way, begun @7"),
        (begun(Manner::DryRun), "being rehearsed"),
        (act(undone), "taken back @7, read back: [contained]"),
    ]);
}

#[test]
fn every_outcome_has_its_line() {
    let until = ActShown {
        hold_ends_at: Some(Timestamp::from_ms(99)),
        ..done(OutcomeKind::Executed)
    };
    let why = ActShown {
        why: Some("no connection".into()),
        observed: None,
        ..done(OutcomeKind::Unreachable)
    };
    let alone = ActShown {
        manner: Some(Manner::NoCredentials),
        ..done(OutcomeKind::DryRun)
    };
    begins([
        (
            until,
            "carried out @7, read back: [contained]; its time is over @99",
        ),
        (
            done(OutcomeKind::Accepted),
            "taken by the vendor @7; the host has yet to comply, read back: [contained]",
        ),
        (
            done(OutcomeKind::AlreadySo),
            "it was so before, read back: [contained]; nothing was sent",
        ),
        (done(OutcomeKind::Refused), "REFUSED by the vendor @7"),
        (
            why,
            "FAILED @7: nothing reached the vendor ([no connection]); ",
        ),
        (done(OutcomeKind::Unknown), "UNKNOWN (@7): "),
        (done(OutcomeKind::DryRun), "rehearsed: nothing was sent"),
        (alone, "rehearsed: there are no credentials"),
    ]);
}

#[test]
fn what_is_in_force_no_more_or_should_not_be_is_said_first() {
    let drifted = ActShown {
        drifted: true,
        observed: Some("normal".into()),
        ..done(OutcomeKind::Executed)
    };
    let over = ActShown {
        hold_ended: true,
        ..done(OutcomeKind::Executed)
    };
    let back = |stage| ActShown {
        undoing: Some((ID.parse().unwrap(), stage)),
        ..done(OutcomeKind::Executed)
    };
    let ended = |outcome| back(Stage::Done { outcome });
    begins([
        (drifted, "RELEASED BEHIND OUR BACK, read back: [normal]"),
        (over, "TIME OVER: keep it, or [vyrox rollback "),
        (back(Stage::Approved), "being taken back"),
        (
            ended(OutcomeKind::Refused),
            "STILL IN FORCE: taking it back was refused by the vendor; [vyrox rollback ",
        ),
        (
            ended(OutcomeKind::Unknown),
            "UNKNOWN whether it was taken back",
        ),
        (ended(OutcomeKind::DryRun), "carried out @7"),
        (
            back(WITHHELD),
            "STILL IN FORCE: taking it back was withheld",
        ),
    ]);
}

#[test]
fn a_lift_that_was_approved_is_not_a_question() {
    let over = ActShown {
        hold_ended: true,
        ..done(OutcomeKind::Executed)
    };
    let mut lifted = proposal(Some(over));
    lifted.on_expiry = OnExpiry::Lift;
    let line = hand().became(&lifted).unwrap();
    assert_eq!(line, "its time is over: it is lifted");
}
