//! What a reader of the tree sees.

use crate::worker::{Gate, LONG, Note, quick, with_threads, worker, worker_in};
use actix::prelude::*;
use vyrox_supervision::testing::{run, settle};
use vyrox_supervision::{Exit, Node, Reason, Spec, State, Stop, Tree};

/// `id(child child)` of a node.
fn shape(node: &Node) -> String {
    let children: Vec<_> = node.children.iter().map(shape).collect();
    if children.is_empty() {
        node.id.clone()
    } else {
        format!("{}({})", node.id, children.join(" "))
    }
}

#[test]
fn nodes_hang_where_their_ids_or_their_owners_say() {
    run(async {
        let tree = Tree::with_clock(1, || 77);
        let here = Arbiter::current();
        tree.group("tenants", "tenants");
        tree.group_under("tenants", "tenant/acme", "tenant");
        let (machine, _) = worker_in(&tree, "tenant/acme/machine", quick(), &here);
        let (edr, _) = worker_in(&tree, "tenant/acme/edr/falcon", quick(), &here);
        let (writer, _) = worker_in(&tree, "audit_writer", quick(), &here);
        let spec = Spec::new("stray", "worker").under("nobody").policy(quick());
        let stray = tree.supervise(spec, &here, |generation| crate::worker::Worker {
            generation,
            diary: crate::worker::Diary::default(),
        });
        let acme = "tenant/acme(tenant/acme/edr/falcon tenant/acme/machine)";
        let whole = format!("host(audit_writer stray tenants({acme}))");
        assert_eq!(shape(&tree.snapshot()), whole);
        assert_eq!(shape(&tree.find("tenant/acme").unwrap()), acme);
        // A parent is never hung under its own child.
        tree.group_under("tenant/acme", "tenants", "tenants");
        assert_eq!(shape(&tree.snapshot()), whole);
        let node = tree.find("tenants").unwrap();
        assert_eq!(
            (node.kind, node.generation, node.started_at_ms),
            ("tenants", 0, Some(77))
        );

        tree.remove("tenants");
        assert_eq!(shape(&tree.snapshot()), "host(audit_writer stray)");
        assert_eq!(
            (machine.exited().await, edr.exited().await),
            (Exit::Normal, Exit::Normal)
        );
        assert_eq!(writer.ask(Note(1), LONG).await, Ok(1));
        tree.remove("host");
        assert_eq!(shape(&tree.snapshot()), "host(audit_writer stray)");
        drop(stray);
    });
}

#[test]
fn the_owner_marks_a_node_passive_or_suspended_until_it_starts_again() {
    run(async {
        let tree = Tree::new(1);
        let start = || worker_in(&tree, "worker", quick(), &Arbiter::current()).0;
        let state = || {
            let node = tree.find("worker");
            assert_eq!(
                tree.state_of("worker"),
                node.as_ref().map(|node| node.state)
            );
            node.map(|node| (node.state, node.next_restart_at_ms))
        };
        assert_eq!(state(), None);
        tree.group("worker", "group");
        assert_eq!(state(), Some((State::Running, None)));
        let first = start();
        first.stop(Stop::Drain);
        first.exited().await;
        assert_eq!(state(), Some((State::Stopped, None)));
        tree.set_passive("worker");
        assert_eq!(state(), Some((State::Passive, None)));
        tree.set_suspended("worker", Some(123));
        assert_eq!(state(), Some((State::Suspended, Some(123))));
        let second = start();
        assert_eq!(state(), Some((State::Running, None)));
        assert_eq!(
            second.ask(Note(1), LONG).await,
            Ok(2),
            "generations go on counting"
        );
        tree.set_passive("nobody");
        assert!(tree.find("nobody").is_none());
    });
}

#[test]
fn one_id_never_has_two_lives() {
    run(async {
        let (tree, first, _) = worker(quick());
        first.ask(Note(1), LONG).await.unwrap();
        let (second, _) = worker_in(&tree, "worker", quick(), &Arbiter::current());
        assert_eq!(first.exited().await, Exit::Killed);
        assert_eq!(first.try_cast(Note(1)).unwrap_err().reason, Reason::Closed);
        assert_eq!(second.ask(Note(2), LONG).await, Ok(2));
        drop(first);
        settle().await;
        assert_eq!(second.ask(Note(3), LONG).await, Ok(2));
    });
}

#[test]
fn the_tree_answers_while_an_arbiter_is_stuck() {
    with_threads(async {
        let (tree, arbiter) = (Tree::new(1), Arbiter::new());
        let (stuck, _) = worker_in(&tree, "stuck", quick(), &arbiter.handle());
        let (gate, block) = Gate::new();
        let blocked = stuck.try_ask(block).unwrap();
        gate.wait_until_blocked();
        for i in 0..7 {
            stuck.try_cast(Note(i)).unwrap();
        }
        // Its handler blocks and holds on; the snapshot is taken meanwhile.
        let node = tree.find("stuck").unwrap();
        assert_eq!(
            (node.mailbox.depth, node.handled, node.generation),
            (7, 1, 1)
        );
        assert_eq!(tree.snapshot().children, [tree.find("stuck").unwrap()]);
        drop(gate);
        assert_eq!(blocked.await, Ok(1));
    });
}

#[test]
fn a_node_reads_as_documented() {
    run(async {
        let (tree, handle, _) = worker(quick());
        handle.ask(Note(1), LONG).await.unwrap();
        let json = serde_json::to_value(tree.snapshot()).unwrap();
        let child = &json["children"][0];
        assert_eq!(
            (&json["id"], &json["state"]),
            (&"host".into(), &"running".into())
        );
        assert_eq!(child["mailbox"]["capacity"], 64 + 1024 + 4096);
        let mut keys: Vec<_> = child
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        keys.sort_unstable();
        assert_eq!(
            keys,
            [
                "children",
                "generation",
                "handled",
                "id",
                "kind",
                "last_crash",
                "mailbox",
                "next_restart_at",
                "poisoned",
                "queue_wait_us_p99",
                "restarts",
                "started_at",
                "state",
            ]
        );
        assert_eq!(
            serde_json::to_value(State::BackingOff).unwrap(),
            "backing_off"
        );
    });
}
