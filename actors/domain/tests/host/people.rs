//! Who may be what, by which accounts and tokens.

use vyrox_domain::{
    host::{HostRefusal, HostState, LINKS_MAX, TOKEN_LIFE_MAX_MS, TOKENS_MAX},
    host_protocol::{HostCommand, PeopleChange, PersonRemoved, TokenRevoked},
    person::Role,
};

use super::makers::{BEGIN, BY, add, added, done, granted, link, linked, person, tenant, token};

fn two_people() -> HostState {
    let mut state = HostState::default();
    for command in [add(1, Vec::new()), added(1), added(2)] {
        done(&mut state, command, BEGIN).expect("taken on");
    }
    state
}

#[test]
fn an_account_stands_for_one_person() {
    let mut state = two_people();
    done(&mut state, linked(1, "42"), BEGIN).expect("linked");
    done(&mut state, linked(1, "43"), BEGIN).expect("a person may have several");
    for (command, refusal) in [
        (linked(1, "42"), HostRefusal::NothingToDo),
        (linked(2, "42"), HostRefusal::AccountLinked),
        (linked(3, "44"), HostRefusal::UnknownPerson),
        (linked(2, "0x2a"), HostRefusal::BadChatId),
        (linked(2, ""), HostRefusal::BadChatId),
        (linked(2, &"1".repeat(21)), HostRefusal::BadChatId),
    ] {
        assert_eq!(done(&mut state, command, BEGIN), Err(refusal));
    }
    let unlinked = |n| HostCommand::ChangePeople(PeopleChange::Unlinked(link(n, "42")));
    let not_his = done(&mut state, unlinked(2), BEGIN);
    assert_eq!(not_his, Err(HostRefusal::NotLinked));
    done(&mut state, unlinked(1), BEGIN).expect("unlinked");
    done(&mut state, linked(2, "42"), BEGIN).expect("free again");
    for n in 0..LINKS_MAX - 1 {
        done(&mut state, linked(2, &format!("100{n}")), BEGIN).expect("room");
    }
    let more = done(&mut state, linked(2, "2000"), BEGIN);
    assert_eq!(more, Err(HostRefusal::TooManyLinks));
}

#[test]
fn roles_are_replaced_for_one_tenant() {
    let mut state = two_people();
    done(&mut state, add(2, Vec::new()), BEGIN).expect("a tenant");
    done(
        &mut state,
        granted(1, 1, &[Role::Analyst, Role::Approver]),
        BEGIN,
    )
    .expect("granted");
    done(&mut state, granted(1, 2, &[Role::Approver]), BEGIN).expect("granted");
    done(&mut state, granted(1, 1, &[Role::EmergencyApprover]), BEGIN).expect("replaced");
    let roles = &state.people[&person(1)].roles;
    assert_eq!(roles[&tenant(1)], [Role::EmergencyApprover].into());
    assert_eq!(roles[&tenant(2)], [Role::Approver].into());
    done(&mut state, granted(1, 1, &[]), BEGIN).expect("taken away");
    assert!(!state.people[&person(1)].roles.contains_key(&tenant(1)));
    for (command, refusal) in [
        (granted(1, 1, &[]), HostRefusal::NothingToDo),
        (granted(1, 9, &[Role::Analyst]), HostRefusal::UnknownTenant),
        (granted(9, 1, &[Role::Analyst]), HostRefusal::UnknownPerson),
    ] {
        assert_eq!(done(&mut state, command, BEGIN), Err(refusal));
    }
}

#[test]
fn a_token_counts_for_a_day_at_most_and_four_at_a_time() {
    let mut state = two_people();
    let day = BEGIN.plus_ms(TOKEN_LIFE_MAX_MS);
    for until in [BEGIN, day.plus_ms(1)] {
        let refused = done(&mut state, token(1, 1, until), BEGIN);
        assert_eq!(refused, Err(HostRefusal::BadLifetime));
    }
    let nobody = done(&mut state, token(3, 1, day), BEGIN);
    assert_eq!(nobody, Err(HostRefusal::UnknownPerson));
    done(&mut state, token(1, 0, BEGIN.plus_ms(10)), BEGIN).expect("a short one");
    for n in 1..4 {
        done(&mut state, token(1, n, day), BEGIN).expect("room");
    }
    let more = done(&mut state, token(1, 4, day), BEGIN.plus_ms(10));
    assert_eq!(more, Err(HostRefusal::TooManyTokens));
    let taken = done(&mut state, token(2, 1, day), BEGIN);
    assert_eq!(taken, Err(HostRefusal::NothingToDo), "a name is given once");
    done(&mut state, token(1, 4, day), BEGIN.plus_ms(11)).expect("one has expired");
    assert_eq!(state.people[&person(1)].tokens.len(), TOKENS_MAX);

    let revoke = || {
        HostCommand::ChangePeople(PeopleChange::TokenRevoked(TokenRevoked {
            token_id: "tok_2".into(),
            by: BY.into(),
        }))
    };
    done(&mut state, revoke(), BEGIN).expect("revoked");
    let again = done(&mut state, revoke(), BEGIN);
    assert_eq!(again, Err(HostRefusal::UnknownToken));
}

#[test]
fn with_a_person_go_its_accounts_roles_and_tokens() {
    let mut state = two_people();
    for command in [
        linked(1, "42"),
        granted(1, 1, &[Role::Approver]),
        token(1, 1, BEGIN.plus_ms(1000)),
    ] {
        done(&mut state, command, BEGIN).expect("given");
    }
    let removed = PersonRemoved {
        person_id: person(1),
        by: BY.into(),
    };
    let remove = HostCommand::ChangePeople(PeopleChange::Removed(removed));
    done(&mut state, remove.clone(), BEGIN).expect("removed");
    let again = done(&mut state, remove, BEGIN);
    assert_eq!(again, Err(HostRefusal::UnknownPerson));
    done(&mut state, added(1), BEGIN).expect("added anew");
    let anew = &state.people[&person(1)];
    assert!(anew.accounts.is_empty() && anew.roles.is_empty() && anew.tokens.is_empty());
    let twice = done(&mut state, added(1), BEGIN);
    assert_eq!(twice, Err(HostRefusal::PersonExists));
}
