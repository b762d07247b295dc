//! Actions beside their proposals: what is shown of them, what keeps an incident open, what is proposed again.

use vyrox_domain::{
    action::{ActionManifest, Release},
    containment::{
        ActOrdered, ActReport, Begin, ContainmentLimits, Gate, Manner, Order, OutcomeKind, Stage,
        Withheld,
    },
    ids::ActionId,
    notice::{ActShown, Standing},
    protocol::{Command, Effect, Refusal},
    tenant::outstanding_effects,
    triage::Verdict::Critical,
};

use crate::house::{MINUTE_MS, Tenant, action_id, alarm, approve, isolate, message, person, said};

const OPEN: Gate = Gate {
    halted: false,
    unproven: false,
    manner: Manner::Live,
    limits: ContainmentLimits {
        per_hour: 20,
        per_day: 20,
        concurrent: 4,
        contained_hosts: 9,
        protected_hosts: 9,
        claim_ms: 1000,
    },
};

/// A tenant in which the isolation of machine 1 was approved.
fn approved() -> Tenant {
    let mut tenant = Tenant::default();
    tenant.take(&alarm(1, Critical, 1).proposing([isolate(1)]));
    tenant.show(1, message(1)).expect("shown");
    tenant.decide(approve(1, "ana"));
    tenant
}

fn begin(tenant: &mut Tenant, gate: Gate) {
    let begin = Begin {
        action_id: action_id(1, 0),
        flaw: None,
        gate,
    };
    tenant
        .run(Command::Begin(Box::new(begin)))
        .expect("written");
}

fn report(tenant: &mut Tenant, action_id: ActionId, outcome: OutcomeKind) {
    let report = ActReport {
        action_id,
        drive: 1,
        outcome,
        observed: Some("contained".into()),
        reference: None,
        status: Some(202),
        why: None,
        sent: 1,
        reconciled: false,
    };
    let command = Command::RecordAct(Box::new(report));
    tenant.run(command).expect("written");
}

fn order(tenant: &mut Tenant, manifest: ActionManifest, by: &str) {
    let ordered = ActOrdered {
        manifest_sha256: manifest.digest().expect("a digest"),
        manifest,
        jws: "head.body.signature".into(),
        by: by.into(),
        policy: said(),
        claim: None,
    };
    let order = Order {
        ordered,
        flaw: None,
        gate: OPEN,
    };
    tenant.run(Command::Order(Box::new(order))).expect("begun");
}

/// The undoing of the first action.
fn undone(tenant: &Tenant) -> ActionManifest {
    let first = action_id(1, 0);
    ActionManifest {
        action_id: action_id(90, 0),
        release: Some(Release { of: Some(first) }),
        ..tenant.proposed(first).manifest.clone()
    }
}

fn act(tenant: &Tenant) -> ActShown {
    let notice = tenant.notice(1).expect("shown");
    assert_eq!(notice.proposals.len(), 1);
    notice.proposals[0].act.clone().expect("an action")
}

fn revision(tenant: &Tenant) -> u64 {
    tenant.notice(1).expect("shown").revision
}

#[test]
fn people_see_what_becomes_of_what_they_approved() {
    let mut tenant = approved();
    let id = action_id(1, 0);
    assert_eq!(act(&tenant).stage, Stage::Approved);
    let owed = outstanding_effects(&tenant.state);
    assert!(owed.contains(&Effect::Begin { action_id: id }));

    let before = revision(&tenant);
    begin(&mut tenant, OPEN);
    assert_eq!(act(&tenant).manner, Some(Manner::Live));
    assert!(revision(&tenant) > before);

    let before = revision(&tenant);
    report(&mut tenant, id, OutcomeKind::Executed);
    assert!(revision(&tenant) > before);
    let shown = act(&tenant);
    assert_eq!(shown.outcome, Some(OutcomeKind::Executed));
    assert_eq!(shown.observed.as_deref(), Some("contained"));
    assert_eq!(shown.approved_by.as_deref(), Some("person:ana"));
    let ends_at = tenant.now.plus_ms(240 * MINUTE_MS);
    assert_eq!(shown.hold_ends_at, Some(ends_at));

    // Its undoing is no proposal of its own.
    let manifest = undone(&tenant);
    order(&mut tenant, manifest, "person:bo");
    let shown = act(&tenant);
    let (by, stage) = shown.undoing.expect("an undoing");
    assert_eq!((by, stage.outcome()), (action_id(90, 0), None));
    let before = revision(&tenant);
    report(&mut tenant, by, OutcomeKind::Executed);
    assert_eq!(act(&tenant).undone_by, Some(by));
    assert!(revision(&tenant) > before);
}

#[test]
fn people_see_what_a_service_ordered() {
    let mut tenant = Tenant::default();
    tenant.take(&alarm(1, Critical, 1).proposing([isolate(1)]));
    let proposed = tenant.proposed(action_id(1, 0)).manifest.clone();
    let by_service = ActionManifest {
        action_id: action_id(7, 0),
        target_urn: isolate(2).target_urn,
        ..proposed.clone()
    };
    let by_person = ActionManifest {
        action_id: action_id(8, 0),
        target_urn: isolate(3).target_urn,
        ..proposed
    };
    order(&mut tenant, by_service, "external:soar");
    order(&mut tenant, by_person, "person:bo");
    let shown = tenant.notice(1).expect("shown").proposals;
    let ids: Vec<_> = shown.iter().map(|one| one.action_id).collect();
    let waiting = action_id(1, 0);
    assert_eq!(ids, [action_id(7, 0), action_id(8, 0), waiting]);
    assert_eq!(shown[0].standing, Standing::Approved { by: vec![] });
    let by = vec![person("bo")];
    assert_eq!(shown[1].standing, Standing::Approved { by });
    let act = shown[0].act.as_ref().expect("an action");
    assert_eq!(act.approved_by.as_deref(), Some("external:soar"));
    assert_eq!(shown[2].act, None);
}

#[test]
fn an_incident_stays_while_something_is_still_to_happen() {
    let mut tenant = approved();
    begin(&mut tenant, OPEN);
    report(&mut tenant, action_id(1, 0), OutcomeKind::Executed);
    tenant.wait(239 * MINUTE_MS);
    assert_eq!(tenant.tick(), Err(Refusal::NothingNew));
    tenant.wait(MINUTE_MS);
    assert_eq!(tenant.tick(), Ok(vec!["action.hold_ended"]));
    assert!(act(&tenant).hold_ended);
    // People are asked what becomes of it, and have a day to say so.
    tenant.wait(23 * 60 * MINUTE_MS);
    assert_eq!(tenant.tick(), Err(Refusal::NothingNew));
    tenant.wait(60 * MINUTE_MS);
    assert_eq!(tenant.tick(), Ok(vec!["incident.closed"]));
}

#[test]
fn an_incident_whose_containment_was_undone_is_left_alone_no_longer() {
    let mut tenant = approved();
    begin(&mut tenant, OPEN);
    report(&mut tenant, action_id(1, 0), OutcomeKind::Executed);
    let manifest = undone(&tenant);
    order(&mut tenant, manifest, "person:bo");
    tenant.wait(31 * MINUTE_MS);
    assert_eq!(tenant.tick(), Err(Refusal::NothingNew));
    report(&mut tenant, action_id(90, 0), OutcomeKind::Executed);
    assert_eq!(tenant.tick(), Ok(vec!["incident.closed"]));
}

/// An approved isolation that the vendor refused kept the same one from being proposed for four hours.
#[test]
fn what_came_to_nothing_is_proposed_again() {
    let outcomes = [
        (OutcomeKind::Executed, false),
        (OutcomeKind::Accepted, false),
        (OutcomeKind::AlreadySo, false),
        (OutcomeKind::Unknown, false),
        (OutcomeKind::Refused, true),
        (OutcomeKind::Unreachable, true),
    ];
    let again = |tenant: &mut Tenant| {
        let followed = tenant.take(&alarm(2, Critical, 1).proposing([isolate(1)]));
        followed.contains(&"approval.requested")
    };
    for (outcome, proposed) in outcomes {
        let mut tenant = approved();
        begin(&mut tenant, OPEN);
        report(&mut tenant, action_id(1, 0), outcome);
        assert_eq!(again(&mut tenant), proposed, "{outcome:?}");
    }
    let mut halted = approved();
    begin(
        &mut halted,
        Gate {
            halted: true,
            ..OPEN
        },
    );
    let why = Withheld::Halted;
    assert_eq!(act(&halted).stage, Stage::Withheld { why });
    assert!(again(&mut halted));

    let mut undone_again = approved();
    begin(&mut undone_again, OPEN);
    report(&mut undone_again, action_id(1, 0), OutcomeKind::Executed);
    let manifest = undone(&undone_again);
    order(&mut undone_again, manifest, "person:bo");
    assert!(!again(&mut undone_again));
    report(&mut undone_again, action_id(90, 0), OutcomeKind::Executed);
    let followed = undone_again.take(&alarm(3, Critical, 1).proposing([isolate(1)]));
    assert!(followed.contains(&"approval.requested"));
}
