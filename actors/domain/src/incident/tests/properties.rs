//! What holds for every stream of alerts, and for every placement however damaged.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

impl Incidents {
    /// Whether everything that is derived fits the incidents, and every bound holds.
    pub(super) fn check(&self) {
        let again: Self = self.iter().cloned().collect::<Vec<_>>().into();
        assert_eq!(
            &again, self,
            "what is derived differs from what it is derived from"
        );
        for incident in self.iter() {
            for link in incident.ties.links() {
                assert_eq!(
                    self.holder(link).map(|i| i.incident_id),
                    Some(incident.incident_id)
                );
            }
            assert!(incident.ties.links().count() <= 64);
            assert!(incident.hosts.len() <= HOSTS_MAX && incident.host_count <= HOSTS_COUNTED);
            assert!(incident.host_keys.len() <= HOST_KEYS_MAX);
            assert!(incident.reasons.len() <= REASONS_MAX);
            assert!(incident.techniques.len() <= TECHNIQUES_MAX);
            assert!(incident.tactics.len() <= Tactic::COUNT);
            assert!(incident.recent.len() <= STORM_ALERTS + 1);
            assert!(incident.absorbed.len() <= ABSORBED_KEPT);
            for old in &incident.absorbed {
                assert_eq!(self.resolve(*old), incident.incident_id);
            }
        }
    }
}

fn verdicts() -> impl Strategy<Value = Verdict> {
    select(vec![Low, Low, Medium, High, Critical])
}

fn links() -> impl Strategy<Value = Vec<Link>> {
    let one =
        (select(LinkKind::ALL.to_vec()), 0..30_u64).prop_map(|(kind, key)| Link { kind, key });
    vec(one, 0..8)
}

fn tactics() -> impl Strategy<Value = Vec<Tactic>> {
    vec(select(Tactic::ALL.to_vec()), 0..4)
}

fn words() -> impl Strategy<Value = Vec<String>> {
    vec("[a-z]{1,3}|\\PC{0,300}", 0..4)
}

fn some_facts() -> impl Strategy<Value = CaseFacts> {
    (
        links(),
        tactics(),
        words(),
        words(),
        proptest::option::of("\\PC{0,300}"),
    )
        .prop_map(|(links, tactics, techniques, reasons, host)| CaseFacts {
            host,
            techniques,
            reasons,
            ..facts(&links, &tactics)
        })
}

/// A step of time, mostly small, sometimes past the window, sometimes back.
fn steps() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 0..120_000_i64, 1 => 0..7_200_000_i64, 1 => -4_000_000..0_i64]
}

fn stream() -> impl Strategy<Value = Vec<(i64, Verdict, CaseFacts)>> {
    vec((steps(), verdicts(), some_facts()), 0..120)
}

fn some_placement() -> impl Strategy<Value = Placement> {
    let head = (0..12_u64, any::<bool>(), verdicts(), any::<bool>());
    let raise = prop_oneof![
        Just(None),
        Just(Some(Raise::Verdict)),
        any::<u8>().prop_map(|in_order| Some(Raise::Tactics { in_order })),
    ];
    let kinds = vec(select(LinkKind::ALL.to_vec()), 0..4);
    let many = vec((select(LinkKind::ALL.to_vec()), 0..200_u64), 0..80);
    (
        head,
        raise,
        kinds,
        vec(0..12_u64, 0..10),
        some_facts(),
        many,
    )
        .prop_map(
            |((n, fresh, level, folded), raised_by, via, absorbed, mut facts, many)| {
                facts
                    .links
                    .extend(many.into_iter().map(|(kind, key)| Link { kind, key }));
                Placement {
                    incident_id: id(n),
                    fresh,
                    via,
                    level,
                    raised_by,
                    absorbed: absorbed.into_iter().map(id).collect(),
                    folded,
                    facts,
                }
            },
        )
}

fn round_trip<T: Serialize + for<'de> Deserialize<'de>>(value: &T) -> T {
    serde_json::from_slice(&serde_json::to_vec(value).expect("JSON")).expect("read back")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_replay_of_the_placements_comes_to_the_same(stream in stream(), cut in 0..120_usize, open_max in 2..20_usize) {
        let window = Window { open_max, ..Window::default() };
        let mut live = Incidents::default();
        let mut replayed = Incidents::default();
        let mut levels = BTreeMap::<IncidentId, Verdict>::new();
        let mut now = 0_i64;
        for (n, (step, verdict, facts)) in stream.into_iter().enumerate() {
            now = (now + step).max(0);
            let arrival = Arrival {
                alert_id: AlertId(Uuid::from_u64_pair(1, n as u64)),
                verdict,
                at: at(now.unsigned_abs()),
            };
            let placement = live.place(arrival, id(n as u64), facts);
            live.apply(arrival, &placement, &window);
            live.check();
            for incident in live.iter() {
                let before = levels.insert(incident.incident_id, incident.level);
                prop_assert!(before.is_none_or(|before| before.rank() <= incident.level.rank()));
            }
            let chosen = live.get(placement.incident_id).expect("the alert's incident is open");
            prop_assert_eq!(chosen.level, placement.level);
            prop_assert!(placement.absorbed.len() <= ABSORBED_MAX);
            prop_assert!(placement.absorbed.iter().all(|old| live.resolve(*old) == placement.incident_id));
            prop_assert_eq!(placement.fresh, placement.via.is_empty());

            // The journal keeps the placement as JSON, and a snapshot is taken now and then.
            let journaled: Placement = round_trip(&placement);
            prop_assert_eq!(&journaled, &placement);
            replayed.apply(arrival, &journaled, &window);
            if n % 40 == cut % 40 {
                replayed = round_trip(&replayed);
            }
            prop_assert_eq!(&replayed, &live);
        }
        let due = live.due(at(now.unsigned_abs()), &window, 1000);
        let room = due.iter().filter(|(_, ended)| *ended == Ended::Room).count();
        let visible = live.iter().filter(|incident| incident.visible()).count();
        prop_assert!(visible - due.len() <= open_max);
        prop_assert!(room <= visible.saturating_sub(open_max));
        for (id, _) in due {
            live.close(id);
            live.check();
        }
    }

    #[test]
    fn a_damaged_placement_does_no_harm(placements in vec((some_placement(), steps(), verdicts()), 0..60)) {
        let window = Window { open_max: 4, ..Window::default() };
        let mut incidents = Incidents::default();
        let mut now = 0_i64;
        for (n, (placement, step, verdict)) in placements.into_iter().enumerate() {
            now = (now + step).max(0);
            let arrival = Arrival {
                alert_id: AlertId(Uuid::from_u64_pair(1, n as u64)),
                verdict,
                at: at(now.unsigned_abs()),
            };
            incidents.apply(arrival, &placement, &window);
            incidents.check();
            prop_assert!(incidents.get(incidents.resolve(placement.incident_id)).is_some());
        }
    }

    #[test]
    fn a_link_has_one_text(key: u64, kind in select(LinkKind::ALL.to_vec())) {
        let link = Link { kind, key };
        prop_assert_eq!(link.to_string().parse::<Link>(), Ok(link));
        prop_assert_eq!(round_trip(&link), link);
    }

    #[test]
    fn no_text_is_too_odd_for_a_link(text in "\\PC{0,40}|(host|user):[0-9a-fA-F+]{0,18}") {
        if let Ok(link) = text.parse::<Link>() {
            prop_assert_eq!(link.to_string(), text);
        }
    }
}
