//! What the actors need of the world, as a configuration would give it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::time::Instant;
use vyrox_actors::{
    integrity::Integrity,
    journal::{Journal, projection::Projections},
    keyring::Keyring,
    policy::Policies,
    ports::{CaseSettings, Clock, Limits, Outside, Watching, World},
    projector::Progress,
    reviewer::ReviewLimits,
    rules::RuleSet,
};
use vyrox_domain::{
    containment::ContainmentLimits,
    playbook::{Assets, Playbooks, builtin},
    sla::Slas,
    time::Timestamp,
    triage::Bands,
};

use super::{Cloud, Clouds, Services, T0, Wish};

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

pub(crate) const DAY_MS: u64 = 24 * 60 * 60 * 1000;

struct Paused(Instant, Cloud);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        let passed = u64::try_from(self.0.elapsed().as_millis());
        T0.plus_ms(passed.expect("a test's time") + self.1.lock().clock_ahead_ms)
    }
}

pub(crate) fn world(
    wish: Wish,
    journal: Arc<dyn Journal>,
    (projections, progress): (Arc<Projections>, Arc<Progress>),
    (services, cloud, clouds): (&Services, &Cloud, &Clouds),
) -> World {
    let rules = RuleSet::compile(&named(&[("test.yml", RULES)])).expect("sound rules");
    let mut playbooks = named(builtin());
    if wish.lift {
        for (_, text) in &mut playbooks {
            *text = text.replace("\"ask\"", "\"lift\"");
        }
    }
    let playbooks = Playbooks::compile(&playbooks).expect("sound playbooks");
    let policies = Policies::compile(&named(Policies::builtin())).expect("sound policies");
    World {
        clock: Arc::new(Paused(Instant::now(), cloud.clone())),
        journal,
        projections,
        progress,
        rules: ArcSwap::from_pointee(rules),
        keyring: ArcSwap::from_pointee(Keyring::default()),
        playbooks: ArcSwap::from_pointee(playbooks),
        assets: Assets::default(),
        policies: ArcSwap::from_pointee(policies),
        outside: Outside {
            chat: Some(Arc::new(services.clone())),
            pager: Some(Arc::new(services.clone())),
            mailer: Some(Arc::new(services.clone())),
            llm: wish.llm.then(|| Arc::new(services.clone()) as _),
            edrs: if wish.polled {
                Some(Arc::new(clouds.clone()) as _)
            } else {
                wish.live.then(|| Arc::new(cloud.clone()) as _)
            },
        },
        told: Arc::default(),
        polls: Arc::default(),
        integrity: Arc::new(if wish.unproven {
            Integrity::unchecked()
        } else {
            Integrity::default()
        }),
        settings: settings(wish),
        limits: limits(wish),
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
        quota: vyrox_domain::tenant::Quota::default(),
        retention_ms: Some(wish.kept_days * DAY_MS).filter(|ms| *ms > 0),
        idle_passivate_ms: if wish.idle_ms > 0 {
            wish.idle_ms
        } else {
            24 * 60 * 60 * 1000
        },
        tenant_max: 10,
        tenant_queue: if wish.queue > 0 { wish.queue } else { 65_536 },
        intensity: if wish.intensity > 0 {
            wish.intensity
        } else {
            100
        },
        period_ms: if wish.intensity > 0 { 600_000 } else { 60_000 },
        backoff_ms: 100,
        backoff_max_ms: 1_000,
        // A tenant that is to be suspended stays so for a while.
        probe_ms: if wish.intensity > 0 { 600_000 } else { 1_000 },
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
        containment: ContainmentLimits {
            per_hour: 20,
            per_day: 100,
            concurrent: match wish.concurrent {
                0 => 10,
                wished => wished,
            },
            contained_hosts: 25,
            protected_hosts: 2,
            claim_ms: 600_000,
        },
        watching: Watching {
            drift_ms: 900_000,
            poll_ms: if wish.polled { 60_000 } else { 0 },
        },
    }
}
