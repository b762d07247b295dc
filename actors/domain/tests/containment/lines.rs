//! What stands on a chain about actions is read back as it was meant, and no old line becomes another.

use vyrox_domain::{
    action::{OnExpiry, Release},
    containment::{
        ActAbout, ActBegun, ActDrifted, ActOutcome, ActWithheld, ClockJumped, HoldEnded, Manner,
        OutcomeKind, TimersReleased, Withheld,
    },
    digest::Digest,
    entry::Recorded,
    protocol::{ActionTop, Decided, Event, IntakePolled},
    vendor::Vendor,
};

use crate::{
    house::{T0, action_id, claim, isolate, order, undo},
    line::line,
};

fn decided<T>(facts: T) -> Decided<T> {
    let manifest = isolate(1, 1);
    Decided {
        alert_id: manifest.alert_id,
        action: ActionTop {
            approved_by: Some("person:ada".into()),
            ..ActionTop::of(&manifest)
        },
        facts,
    }
}

fn about(release: Option<Release>) -> ActAbout {
    ActAbout {
        action_id: action_id(1),
        manifest_sha256: Digest::of(b"manifest"),
        release,
    }
}

fn begun() -> Vec<Event> {
    let release = Some(Release {
        of: Some(action_id(7)),
    });
    let ways = [
        (None, Manner::Live, None),
        (release, Manner::DryRun, Some("person:bo".to_owned())),
        (Some(Release { of: None }), Manner::NoCredentials, None),
    ];
    let event = |(release, manner, by)| {
        Event::ActBegun(decided(ActBegun {
            about: about(release),
            drive: 2,
            manner,
            by,
        }))
    };
    ways.map(event).into()
}

fn withheld() -> impl Iterator<Item = Event> {
    let whys = [
        Withheld::Halted,
        Withheld::Unproven,
        Withheld::HourBudget,
        Withheld::DayBudget,
        Withheld::Concurrent,
        Withheld::ContainedHosts,
        Withheld::ProtectedHosts,
        Withheld::Manifest,
        Withheld::Unsupported,
        Withheld::InForce,
    ];
    whys.into_iter().map(|why| {
        Event::ActWithheld(decided(ActWithheld {
            about: about(None),
            why,
            detail: (why == Withheld::Manifest).then(|| "it has expired".into()),
        }))
    })
}

fn outcomes() -> impl Iterator<Item = Event> {
    let both = OutcomeKind::ALL
        .into_iter()
        .flat_map(|kind| [(kind, false), (kind, true)]);
    both.map(|(outcome, told)| {
        let text = |text: &str| told.then(|| text.to_owned());
        Event::ActOutcome(decided(ActOutcome {
            about: about(None),
            drive: 1,
            outcome,
            observed: text("contained"),
            reference: text("4d5e:6f"),
            status: told.then_some(202),
            why: text("the vendor took it"),
            sent: 1,
            reconciled: told,
            given_up: told && outcome == OutcomeKind::Unknown,
        }))
    })
}

fn others() -> Vec<Event> {
    let mut ordered = order(undo(2, &isolate(1, 1)), "external:soar").ordered;
    let plain = Event::ActOrdered(Box::new(ordered.clone()));
    ordered.claim = Some(claim("r", "body"));
    vec![
        plain,
        Event::ActOrdered(Box::new(ordered)),
        Event::ActDrifted(decided(ActDrifted {
            about: about(None),
            observed: "normal".into(),
            back: false,
        })),
        Event::ActDrifted(decided(ActDrifted {
            about: about(None),
            observed: "contained".into(),
            back: true,
        })),
        Event::HoldEnded(decided(HoldEnded {
            about: about(None),
            on_expiry: OnExpiry::Lift,
        })),
        Event::ClockJumped(ClockJumped {
            found_ms: T0.plus_ms(1),
            expected_ms: T0,
        }),
        Event::TimersReleased(TimersReleased {
            by: "person:ada".into(),
        }),
        Event::IntakePolled(IntakePolled {
            vendor: Vendor::Defender,
            up_to_ms: T0,
            alerts: 3,
        }),
    ]
}

#[test]
fn every_event_is_read_back_from_its_line() {
    let all = begun().into_iter().chain(withheld()).chain(outcomes());
    for event in all.chain(others()) {
        let entry = event.entry(T0);
        let recorded =
            Recorded::parse(line(&entry, 5, "acme").to_string().as_bytes()).expect("a line");
        assert_eq!(
            Event::from_recorded(&recorded),
            Ok(event),
            "{}",
            entry.event
        );
    }
}

/// Names, actors and shapes are for good: they stand on chains and are searched for.
#[test]
fn entries_are_named_and_signed_as_they_always_were() {
    let all = begun().into_iter().chain(withheld()).chain(outcomes());
    let mut named: Vec<_> = all
        .chain(others())
        .map(|event| event.entry(T0))
        .map(|entry| format!("{} {}", entry.event, entry.actor))
        .collect();
    named.sort();
    named.dedup();
    let expected = [
        "action.accepted service:containment",
        "action.already_so service:containment",
        "action.drifted service:containment",
        "action.dry_run service:containment",
        "action.executed service:containment",
        "action.hold_ended system",
        "action.intent person:bo",
        "action.intent system",
        "action.ordered external:soar",
        "action.refused service:containment",
        "action.unknown service:containment",
        "action.unreachable service:containment",
        "action.withheld system",
        "clock.jumped system",
        "intake.polled vendor:defender",
        "manifest.rejected system",
        "timers.released person:ada",
    ];
    assert_eq!(named, expected);
}
