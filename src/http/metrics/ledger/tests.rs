use proptest::{collection::vec, prelude::*};
use vyrox_actors::supervision::{self, Crash, Mailbox};

use super::*;
use crate::http::metrics::tenants::{OTHER, OWN_LABELS_MAX};

/// A node without children; without an actor too, where `counts` are none.
pub(crate) fn node(id: &str, kind: &'static str, counts: Option<Counts>) -> Node {
    let Counts {
        handled,
        rejected,
        restarts,
        poisoned,
    } = counts.unwrap_or_default();
    let capacity = if counts.is_some() { 10 } else { 0 };
    Node {
        id: id.to_owned(),
        kind,
        state: State::Running,
        generation: u64::from(counts.is_some()) + restarts,
        started_at_ms: Some(1),
        mailbox: Mailbox {
            depth: capacity / 5,
            capacity,
            rejected,
        },
        handled,
        queue_wait_us_p99: 0,
        restarts,
        last_crash: None,
        next_restart_at_ms: None,
        poisoned,
        note: None,
        strategy: None,
        children: Vec::new(),
    }
}

/// The same with `children`.
pub(crate) fn over(mut node: Node, children: Vec<Node>) -> Node {
    node.children = children;
    node
}

/// An actor's that did nothing but handle messages.
pub(crate) fn handled(handled: u64) -> Counts {
    Counts {
        handled,
        ..Counts::default()
    }
}

/// A host with these tenants, each with a machine that has counted so much.
pub(crate) fn host(machines: &[(&str, Option<Counts>)]) -> Node {
    let tenant = |(name, counts): &(&str, Option<Counts>)| {
        let machine = node(&format!("tenant/{name}/machine"), "machine", *counts);
        over(
            node(&format!("tenant/{name}"), "tenant", None),
            counts.iter().map(|_| machine.clone()).collect(),
        )
    };
    let tenants = machines.iter().map(tenant).collect();
    let router = over(node("tenants", "tenants", Some(handled(7))), tenants);
    over(node("host", "host", None), vec![router])
}

fn sum_of<'l>(ledger: &'l Ledger, kind: &str, tenant: Option<&str>) -> &'l Sum {
    let found = ledger
        .sums()
        .find(|(whose, _)| whose.kind == kind && whose.tenant.as_deref() == tenant);
    found
        .unwrap_or_else(|| panic!("no {kind} of {tenant:?} in {ledger:?}"))
        .1
}

/// What all actors together have counted, by the ledger.
fn total(ledger: &Ledger) -> Counts {
    let mut total = Counts::default();
    ledger.sums().for_each(|(_, sum)| total.add(sum.counts));
    total
}

#[test]
fn a_sum_does_not_fall_when_an_actor_leaves() {
    let (mut ledger, labels) = (Ledger::default(), Labels::default());
    ledger.enter(
        &host(&[("acme", Some(handled(100))), ("b", Some(handled(5)))]),
        &labels,
    );
    ledger.enter(&host(&[("acme", None), ("b", Some(handled(6)))]), &labels);
    let acme = sum_of(&ledger, "machine", Some("acme"));
    assert_eq!(
        (acme.counts.handled, acme.depth, acme.capacity),
        (100, 0, 0)
    );
    ledger.enter(
        &host(&[("acme", Some(handled(3))), ("b", Some(handled(6)))]),
        &labels,
    );
    let acme = sum_of(&ledger, "machine", Some("acme"));
    assert_eq!(
        (acme.counts.handled, acme.depth, acme.capacity),
        (103, 2, 10)
    );
    assert_eq!(
        sum_of(&ledger, "machine", Some("b")).counts.handled,
        6,
        "its neighbour's is its own"
    );
    assert_eq!(sum_of(&ledger, "tenants", None).counts.handled, 7);
}

#[test]
fn falls_that_an_actor_brings_back_are_counted_once() {
    let (mut ledger, labels) = (Ledger::default(), Labels::default());
    let fallen = |restarts| {
        let counts = Counts {
            handled: 40,
            restarts,
            ..Counts::default()
        };
        host(&[("acme", Some(counts))])
    };
    ledger.enter(&fallen(5), &labels);
    ledger.enter(&host(&[("acme", None)]), &labels);
    ledger.enter(&fallen(6), &labels);
    let acme = sum_of(&ledger, "machine", Some("acme"));
    assert_eq!((acme.counts.restarts, acme.counts.handled), (6, 80));
}

/// A supervisor counted among the actors: its restarts stood beside those of its children, with a queue of
/// nothing.
#[test]
fn a_supervisor_is_no_actor_and_begins_anew_when_it_comes_back() {
    let (mut ledger, labels) = (Ledger::default(), Labels::default());
    let supervised = |restarts| {
        let mut root = host(&[("acme", Some(handled(1)))]);
        let tenant = &mut root.children[0].children[0];
        tenant.strategy = Some(supervision::Strategy::OneForAll);
        (tenant.generation, tenant.restarts) = (restarts + 1, restarts);
        root
    };
    for root in [supervised(2), host(&[("acme", None)]), supervised(3)] {
        ledger.enter(&root, &labels);
    }
    let acme = Whose {
        kind: "tenant",
        tenant: Some("acme".into()),
    };
    let counted: Vec<_> = ledger.supervisors().collect();
    assert_eq!(counted, [(&acme, &5)]);
    assert!(ledger.sums().all(|(whose, _)| whose.kind != "tenant"));
}

#[test]
fn the_last_crash_and_the_longest_wait_are_the_sets() {
    let (mut ledger, labels) = (Ledger::default(), Labels::default());
    let mut root = host(&[]);
    for n in 0..OWN_LABELS_MAX {
        labels.of(&format!("t{n}"));
    }
    let crashed = |id: &str, at_ms, wait_us| {
        let mut machine = node(&format!("tenant/{id}/machine"), "machine", Some(handled(1)));
        machine.last_crash = Some(Crash {
            at_ms,
            message: "M",
            panic: String::new(),
            location: None,
        });
        machine.queue_wait_us_p99 = wait_us;
        over(node(&format!("tenant/{id}"), "tenant", None), vec![machine])
    };
    root.children = vec![crashed("late-1", 9, 1), crashed("late-2", 4, 3)];
    ledger.enter(&root, &labels);
    let others = sum_of(&ledger, "machine", Some(OTHER));
    assert_eq!((others.last_crash_ms, others.wait_us_p99), (Some(9), 3));
    assert_eq!((others.depth, others.counts.handled), (4, 2));
    root.children.remove(0);
    ledger.enter(&root, &labels);
    let others = sum_of(&ledger, "machine", Some(OTHER));
    assert_eq!(
        (others.last_crash_ms, others.wait_us_p99),
        (Some(9), 3),
        "when it fell stays true after it left"
    );
    root.children.clear();
    ledger.enter(&root, &labels);
    let others = sum_of(&ledger, "machine", Some(OTHER));
    assert_eq!((others.depth, others.wait_us_p99), (0, 0));
}

#[test]
fn every_state_of_a_kind_has_a_number_from_the_first_look_on() {
    let (mut ledger, labels) = (Ledger::default(), Labels::default());
    let mut root = host(&[("acme", Some(handled(1))), ("b", None)]);
    root.children[0].children[1].state = State::Passive;
    ledger.enter(&root, &labels);
    let of = |ledger: &Ledger, kind: &str| -> Vec<(String, u64)> {
        let nodes = ledger.nodes().filter(|(at, _)| at[0] == ("kind", kind));
        nodes.map(|(at, n)| (at[1].1.to_owned(), *n)).collect()
    };
    let tenants = of(&ledger, "tenant");
    assert_eq!(tenants.len(), State::ALL.len(), "{tenants:?}");
    assert!(tenants.contains(&("running".into(), 1)), "{tenants:?}");
    assert!(tenants.contains(&("passive".into(), 1)), "{tenants:?}");
    assert!(tenants.contains(&("stalled".into(), 0)), "{tenants:?}");
    ledger.enter(&host(&[]), &labels);
    assert!(of(&ledger, "tenant").iter().all(|(_, n)| *n == 0));
}

#[test]
fn memory_of_the_departed_is_bounded() {
    let (mut ledger, labels) = (Ledger::default(), Labels::default());
    let fallen = Counts {
        restarts: 1,
        ..Counts::default()
    };
    for n in 0..DEPARTED_MAX as u64 + 500 {
        let (one, other) = (format!("fell-{n}"), format!("well-{n}"));
        let tenants = [
            (one.as_str(), Some(fallen)),
            (other.as_str(), Some(handled(1))),
        ];
        ledger.enter(&host(&tenants), &labels);
    }
    // The last ones and the router are there still.
    assert_eq!(ledger.seen.len(), DEPARTED_MAX + 3);
    assert_eq!(total(&ledger).restarts, DEPARTED_MAX as u64 + 500);
    assert_eq!(ledger.sums.len(), OWN_LABELS_MAX + 2);
}

/// What may happen to one of a few actors.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Handles(u64),
    Rejects(u64),
    Falls,
    Poisoned,
    Leaves,
    Comes,
}

fn happening() -> impl Strategy<Value = (usize, Happening, bool)> {
    let what = prop_oneof![
        (1..50_u64).prop_map(Happening::Handles),
        (1..5_u64).prop_map(Happening::Rejects),
        Just(Happening::Falls),
        Just(Happening::Poisoned),
        Just(Happening::Leaves),
        Just(Happening::Comes),
    ];
    (0..4_usize, what, any::<bool>())
}

/// Actors, what they show, and what has really happened to them all.
#[derive(Default)]
struct World {
    actors: [(bool, Counts); 4],
    truth: Counts,
}

impl World {
    fn happens(&mut self, to: usize, what: Happening) {
        let (present, shown) = &mut self.actors[to];
        let mut news = Counts::default();
        match what {
            Happening::Comes if !*present => {
                *present = true;
                (shown.handled, shown.rejected) = (0, 0);
            }
            Happening::Leaves => *present = false,
            Happening::Handles(n) if *present => news.handled = n,
            Happening::Rejects(n) if *present => news.rejected = n,
            Happening::Falls if *present => news.restarts = 1,
            Happening::Poisoned if *present => news.poisoned = 1,
            _ => {}
        }
        shown.add(news);
        self.truth.add(news);
    }

    fn look(&self) -> Node {
        let names = ["a-1", "b-2", "c-3", "d-4"];
        let shown = self
            .actors
            .iter()
            .map(|(here, counts)| here.then_some(*counts));
        let machines: Vec<_> = names.into_iter().zip(shown).collect();
        let mut root = host(&machines);
        root.children[0].handled = 0;
        root
    }
}

fn each(counts: Counts) -> [u64; 4] {
    let Counts {
        handled,
        rejected,
        restarts,
        poisoned,
    } = counts;
    [handled, rejected, restarts, poisoned]
}

proptest! {
    #[test]
    fn whoever_looks_often_enough_sees_everything_once(story in vec(happening(), 0..200)) {
        let (mut world, mut ledger, labels) = (World::default(), Ledger::default(), Labels::default());
        for (to, what, _) in story {
            world.happens(to, what);
            ledger.enter(&world.look(), &labels);
            prop_assert_eq!(total(&ledger), world.truth);
        }
    }

    #[test]
    fn whoever_looks_seldom_sees_no_fall_and_nothing_twice(story in vec(happening(), 0..200)) {
        let (mut world, mut ledger, labels) = (World::default(), Ledger::default(), Labels::default());
        let mut before = [0; 4];
        for (to, what, look) in story {
            world.happens(to, what);
            if look {
                ledger.enter(&world.look(), &labels);
                let (now, truth) = (each(total(&ledger)), each(world.truth));
                prop_assert!(now.iter().zip(before).all(|(now, before)| *now >= before));
                prop_assert!(now.iter().zip(truth).all(|(now, truth)| *now <= truth));
                before = now;
            }
        }
    }
}
