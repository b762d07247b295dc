//! The switch that stops all containment.

use serde_json::json;
use vyrox_domain::{
    entry::Recorded,
    host::{HALT_REASON_MAX, HostRefusal, HostState, replay},
};

use super::{
    line::line,
    makers::{BEGIN, BY, add, done, halt, resume, tenant},
};

#[test]
fn the_switch_of_all_and_that_of_one_tenant_are_two() {
    let mut state = HostState::default();
    done(&mut state, add(1, Vec::new()), BEGIN).expect("a tenant");
    let halted = |state: &HostState| {
        let one = &state.tenants[&tenant(1)].halted;
        (state.halted.is_some(), one.is_some())
    };
    done(&mut state, halt(None, "a wrong rule"), BEGIN).expect("halted");
    assert_eq!(halted(&state), (true, false));
    let not_so = done(&mut state, resume(Some(1), None), BEGIN);
    assert_eq!(not_so, Err(HostRefusal::NotHalted));
    done(&mut state, halt(Some(1), "theirs too"), BEGIN).expect("halted");
    done(&mut state, resume(None, Some("mended")), BEGIN).expect("resumed");
    assert_eq!(halted(&state), (false, true));
    done(&mut state, resume(Some(1), None), BEGIN).expect("resumed");
    assert_eq!(halted(&state), (false, false));
    let nobody = done(&mut state, halt(Some(9), "why"), BEGIN);
    assert_eq!(nobody, Err(HostRefusal::UnknownTenant));
}

#[test]
fn halting_twice_is_no_error_and_keeps_when_it_began() {
    let mut state = HostState::default();
    done(&mut state, halt(None, "first"), BEGIN).expect("halted");
    done(&mut state, halt(None, "second"), BEGIN.plus_ms(5)).expect("halted again");
    let halt = state.halted.expect("halted");
    assert_eq!((halt.since, halt.reason.as_str()), (BEGIN, "second"));
    assert_eq!(halt.by, BY);
}

#[test]
fn a_reason_is_one_line_that_says_something() {
    let longest = "w".repeat(HALT_REASON_MAX);
    let too_long = "\u{e9}".repeat(HALT_REASON_MAX + 1);
    let mut state = HostState::default();
    for bad in ["", "  ", "two\nlines", "\u{7}", &too_long] {
        let refused = done(&mut state, halt(None, bad), BEGIN);
        assert_eq!(refused, Err(HostRefusal::BadReason), "{bad:?}");
    }
    done(&mut state, halt(None, &longest), BEGIN).expect("halted");
    let refused = done(&mut state, resume(None, Some("")), BEGIN);
    assert_eq!(refused, Err(HostRefusal::BadReason));
}

#[test]
fn the_chain_tells_of_the_switch_in_this_form() {
    let mut state = HostState::default();
    done(&mut state, add(1, Vec::new()), BEGIN).expect("a tenant");
    let mut copy = state.clone();
    let commands = [
        (
            halt(None, "why"),
            json!({ "by": BY, "reason": "why", "tenant_id": null }),
        ),
        (
            halt(Some(1), "so"),
            json!({ "by": BY, "reason": "so", "tenant_id": "tenant-1" }),
        ),
        (resume(None, None), json!({ "by": BY, "tenant_id": null })),
        (
            resume(Some(1), Some("well")),
            json!({ "by": BY, "reason": "well", "tenant_id": "tenant-1" }),
        ),
    ];
    for (command, payload) in commands {
        let seq = state.next_seq;
        let events = done(&mut state, command, BEGIN).expect("done");
        let [event] = <[_; 1]>::try_from(events).expect("one");
        let entry = event.entry(BEGIN);
        assert_eq!(entry.payload, payload);
        let recorded =
            Recorded::parse(line(&entry, seq, "_host").to_string().as_bytes()).expect("a line");
        assert_eq!(replay(&mut copy, &recorded).expect("replays"), event);
        assert_eq!(copy, state);
    }
}
