//! What the actors need of the world, as a configuration would give it.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use tokio::time::Instant;
use vyrox_actors::{
    journal::{Journal, projection::Projections},
    keyring::Keyring,
    policy::Policies,
    ports::{CaseSettings, Clock, Limits, Outside, World},
    projector::Progress,
    reviewer::ReviewLimits,
    rules::RuleSet,
};
use vyrox_domain::{
    playbook::{Assets, Playbooks, builtin},
    sla::Slas,
    time::Timestamp,
    triage::Bands,
};

use super::{Services, T0, Wish};

/// Two rules, whose words a test puts into an alert's title.
const RULES: &str = "\
title: Worst of all
id: 6a1c0f5e-0c7e-4d6b-9c56-0c1f3b8f7a01
name: test.worst
status: stable
description: The word itself.
logsource: {product: edr, category: alert}
detection:
  said:
    seen.text|contains: [lsassworst]
  condition: said
level: critical
tags: [attack.credential-access, attack.t1003.001]
vyrox:
  weight_bp: 9600
  tests:
    positive:
      - alert: {title: 'lsassworst'}
    negative:
      - alert: {title: 'nothing'}
---
title: Bad enough
id: 6a1c0f5e-0c7e-4d6b-9c56-0c1f3b8f7a02
name: test.bad
status: stable
description: The word itself.
logsource: {product: edr, category: alert}
detection:
  said:
    seen.text|contains: [lsassbad]
  condition: said
level: high
tags: [attack.credential-access, attack.t1003.001]
vyrox:
  weight_bp: 9000
  tests:
    positive:
      - alert: {title: 'lsassbad'}
    negative:
      - alert: {title: 'nothing'}
";

struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        let passed = u64::try_from(self.0.elapsed().as_millis());
        T0.plus_ms(passed.expect("a test's time"))
    }
}

pub(super) fn world(
    wish: Wish,
    journal: Arc<dyn Journal>,
    (projections, progress): (Arc<Projections>, Arc<Progress>),
    services: &Services,
) -> World {
    let rules = RuleSet::compile(&named(&[("test.yml", RULES)])).expect("sound rules");
    let playbooks = Playbooks::compile(&named(builtin())).expect("sound playbooks");
    let policies = Policies::compile(&named(Policies::builtin())).expect("sound policies");
    World {
        clock: Arc::new(Paused(Instant::now())),
        journal,
        projections,
        progress,
        rules: ArcSwap::from_pointee(rules),
        keyring: ArcSwap::from_pointee(Keyring::default()),
        playbooks: ArcSwap::from_pointee(playbooks),
        assets: Assets::parse(&[], &[]).expect("no patterns"),
        policies: ArcSwap::from_pointee(policies),
        outside: Outside {
            chat: Some(Arc::new(services.clone())),
            pager: Some(Arc::new(services.clone())),
            mailer: Some(Arc::new(services.clone())),
            llm: wish.llm.then(|| Arc::new(services.clone()) as _),
        },
        told: Arc::default(),
        settings: settings(wish),
        limits: limits(wish),
        held: BTreeMap::new(),
    }
}

fn named(sources: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    sources.iter().map(owned).collect()
}

fn limits(wish: Wish) -> Limits {
    Limits {
        bands: Bands::default(),
        dedup_window_ms: 60 * 60 * 1000,
        quota_bytes: None,
        idle_passivate_ms: if wish.idle_ms > 0 {
            wish.idle_ms
        } else {
            24 * 60 * 60 * 1000
        },
        tenant_max: 10,
        tenant_queue: 65_536,
        intensity: 100,
        period_ms: 60_000,
        backoff_ms: 100,
        backoff_max_ms: 1_000,
        probe_ms: 1_000,
        budget: 16,
        slice_us: 50,
    }
}

fn settings(wish: Wish) -> CaseSettings {
    CaseSettings {
        approval_ms: 15 * 60 * 1000,
        dry_run: false,
        bulk_hosts: 10,
        daily_calls: wish.daily_calls,
        review: ReviewLimits::new(4, 10_000),
        slas: Slas::default(),
        page_high: false,
    }
}
