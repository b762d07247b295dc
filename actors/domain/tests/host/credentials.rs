//! What EDRs know a tenant by: which version is in force, and which one still counts beside it.

use vyrox_domain::{
    entry::Recorded,
    host::{CredentialRecord, HostRefusal, HostState, Retirement, replay, retirements},
    host_protocol::{CredentialChange, HostCommand},
    vendor::Vendor,
};

use super::{
    line::line,
    makers::{
        BEGIN, action_removed, action_set, add, done, edr_removed, edr_retired, edr_set, tenant,
    },
};

fn one_tenant() -> HostState {
    let mut state = HostState::default();
    done(&mut state, add(1, Vec::new()), BEGIN).expect("a tenant");
    state
}

fn in_force(state: &HostState) -> Option<&CredentialRecord> {
    let record = state.tenants.get(&tenant(1))?;
    let slot = record.credentials.edr.get(&Vendor::Sentinelone)?;
    slot.in_force.as_ref()
}

#[test]
fn a_new_credential_lets_the_one_before_it_count_for_a_while() {
    let mut state = one_tenant();
    let (until, later) = (BEGIN.plus_ms(500), BEGIN.plus_ms(900));
    done(&mut state, edr_set(1, 1, Some(until)), BEGIN).expect("the first");
    let first = in_force(&state).expect("in force").clone();
    assert_eq!(first.previous, None, "there was none before the first");
    assert_eq!(first.base_host.as_deref(), Some("acme.sentinelone.net"));
    assert!(retirements(&state).is_empty());

    done(&mut state, edr_set(1, 2, Some(until)), BEGIN.plus_ms(1)).expect("the second");
    let second = in_force(&state).expect("in force");
    assert_eq!((second.secret_version, second.since), (2, BEGIN.plus_ms(1)));
    let due = vec![(until, Retirement::Edr(edr_retired(1, 1)))];
    assert_eq!(retirements(&state), due);

    done(&mut state, edr_set(1, 3, Some(later)), BEGIN).expect("the third, during the overlap");
    let due = vec![(later, Retirement::Edr(edr_retired(1, 2)))];
    assert_eq!(
        retirements(&state),
        due,
        "two versions may be live, not three"
    );
    let outdated = Retirement::Edr(edr_retired(1, 1)).into_command();
    assert_eq!(
        done(&mut state, outdated, until),
        Err(HostRefusal::NothingToDo)
    );
    let [(_, due)] = <[_; 1]>::try_from(retirements(&state)).expect("one");
    done(&mut state, due.into_command(), later).expect("its time has come");
    assert_eq!(in_force(&state).expect("in force").previous, None);
    assert!(retirements(&state).is_empty());

    done(&mut state, edr_set(1, 4, None), later).expect("without an overlap");
    assert_eq!(in_force(&state).expect("in force").previous, None);
}

#[test]
fn a_version_is_never_given_twice_not_even_after_a_removal() {
    let mut state = one_tenant();
    for version in [0, 2, 9] {
        let refused = done(&mut state, edr_set(1, version, None), BEGIN);
        assert_eq!(refused, Err(HostRefusal::NothingToDo), "{version}");
    }
    done(&mut state, edr_set(1, 1, None), BEGIN).expect("set");
    done(&mut state, edr_removed(1), BEGIN).expect("removed");
    assert_eq!(in_force(&state), None);
    let again = done(&mut state, edr_removed(1), BEGIN);
    assert_eq!(again, Err(HostRefusal::NoCredential));
    let refused = done(&mut state, edr_set(1, 1, None), BEGIN);
    assert_eq!(refused, Err(HostRefusal::NothingToDo));
    done(&mut state, edr_set(1, 2, Some(BEGIN.plus_ms(9))), BEGIN).expect("set anew");
    let record = in_force(&state).expect("in force");
    assert_eq!(record.previous, None, "what was removed does not come back");

    let slot = |state: &HostState| state.tenants[&tenant(1)].credentials.action.clone();
    let none = done(&mut state, action_removed(1), BEGIN);
    assert_eq!(none, Err(HostRefusal::NoCredential));
    done(&mut state, action_set(1, 1), BEGIN).expect("set");
    done(&mut state, action_removed(1), BEGIN).expect("removed");
    let refused = done(&mut state, action_set(1, 1), BEGIN);
    assert_eq!(refused, Err(HostRefusal::NothingToDo));
    done(&mut state, action_set(1, 2), BEGIN).expect("set anew");
    let counts = [1, 2, 3].map(|version| slot(&state).counts(version));
    assert_eq!(counts, [false, true, false]);
}

#[test]
fn there_is_no_credential_for_nobody_and_for_no_edr() {
    let mut state = one_tenant();
    for command in [edr_set(2, 1, None), edr_removed(2), action_set(2, 1)] {
        let refused = done(&mut state, command, BEGIN);
        assert_eq!(refused, Err(HostRefusal::UnknownTenant));
    }
    let HostCommand::ChangeCredential(CredentialChange::EdrSet(mut generic)) = edr_set(1, 1, None)
    else {
        panic!("it sets a credential");
    };
    generic.vendor = Vendor::Generic;
    let command = HostCommand::ChangeCredential(CredentialChange::EdrSet(generic));
    let refused = done(&mut state, command, BEGIN);
    assert_eq!(refused, Err(HostRefusal::NoSuchEdr));
}

#[test]
fn the_chain_tells_of_credentials_in_this_form() {
    let mut state = one_tenant();
    let until = Some(BEGIN.plus_ms(7));
    let commands = [
        (edr_set(1, 1, None), "edr.credential_set"),
        (edr_set(1, 2, until), "edr.credential_set"),
        (
            Retirement::Edr(edr_retired(1, 1)).into_command(),
            "edr.credential_retired",
        ),
        (edr_removed(1), "edr.credential_removed"),
        (action_set(1, 1), "action_secret.set"),
        (action_removed(1), "action_secret.removed"),
    ];
    let mut copy = state.clone();
    for (command, name) in commands {
        let seq = state.next_seq;
        let events = done(&mut state, command, BEGIN).expect(name);
        let [event] = <[_; 1]>::try_from(events).expect("one");
        let entry = event.entry(BEGIN);
        assert_eq!(entry.event, name);
        assert_eq!(entry.payload["tenant_id"], "tenant-1");
        let recorded =
            Recorded::parse(line(&entry, seq, "_host").to_string().as_bytes()).expect("a line");
        assert_eq!(replay(&mut copy, &recorded).expect("replays"), event);
        assert_eq!(copy, state);
    }
}
